"""From the bytes of a page to typed Arrow columns, without Python dicts on the way.

A page that holds only what the catalogue knows is decoded by a msgspec struct in one pass. A page with a surprise (an unknown
field, an object where a number was) takes the lenient way, which keeps every surprise in `_extra` and teaches the struct the
new fields, so that the next page is fast again. Both ways end in the same structs: a row does not depend on its neighbours.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from sentry_connector.errors import MalformedAnswer
from sentry_connector.extraction import tree
from sentry_connector.extraction.cast import cast
from sentry_connector.extraction.lenient import strip
from sentry_connector.extraction.schema import arrow_schema
from sentry_connector.reports.model import Column, ColumnType, Report, Shape

ENTRY = "@entry"
INDEX = "@index"
ENTRIES = "entries"

MOST_LEARNT = 200
"""Unknown fields that a decoder learns; pages with others take the lenient way each time."""
MOST_NAMED = 200
"""Unexpected paths that drift counts by name."""
OTHERS = "(others)"
"""Stands in drift for all other paths."""

_TO_THE_SECOND = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)

Extras = dict[int, dict[str, Any]]
"""Row number → path → what did not fit or was not known."""

Getters = Mapping[tree.Path, Callable[[Iterable[Any]], list[Any]]]
"""Path → takes the values there from decoded items."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What a page's rows have in common.

    Attributes:
        values: columns filled from the slice: `organization`, `project_id`, `stat` …
        host, run_id, extracted_at: for the system columns.
        start, end: rows whose time is outside [start, end) are dropped; None = no bound.
        owner: (path, value): items whose value differs belong to another slice and are dropped.
    """

    values: Mapping[str, str | None]
    host: str
    run_id: str
    extracted_at: dt.datetime
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    owner: tuple[str, str] | None = None


@dataclass(slots=True)
class Values:
    """Items or rows as columns of plain values.

    Attributes:
        count: how many there are.
        get: answers the values at a path, one for each.
        extras: what did not fit.
        structs, getters: where `get` takes them from; None where it is not so simple.
    """

    count: int
    get: Callable[[tree.Path], list[Any]]
    extras: Extras = field(default_factory=dict)
    structs: list[Any] | None = None
    getters: Getters | None = None

    @classmethod
    def of(cls, structs: list[Any], getters: Getters, extras: Extras) -> Values:
        """The values of decoded items."""
        return cls(len(structs), lambda path: getters[path](structs), extras, structs, getters)


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoded:
    """One page, decoded. Its rows become columns together with those of other pages: see `Decoder.batch`.

    Arrow costs as much for a few rows as for some hundreds.

    Attributes:
        values: the rows that the page held, before anything was dropped.
        context: what they have in common.
        drift: path → how many items had something there that the catalogue does not know. After `MOST_NAMED` paths, whatever
            else is unexpected counts as `OTHERS`.
        newest, oldest: the latest and the earliest time in the page; None where the report has no time.
        items: what tells the items of this slice apart, where an independent figure counts them; None elsewhere.
    """

    values: Values
    context: Context
    drift: Counter[str] = field(default_factory=Counter)
    newest: dt.datetime | None = None
    oldest: dt.datetime | None = None
    items: tuple[Any, ...] | None = None


class Decoder:
    """Decodes the pages of one report. Not shared between reports; learns unknown fields as it goes.

    Attributes:
        report, schema: what is decoded, and into which columns.
        learnt: paths of the unknown fields that no longer slow a page down, `MOST_LEARNT` at most.
    """

    def __init__(self, report: Report) -> None:
        self.report = report
        self.schema = arrow_schema(report)
        self._tree = _known_tree(report)
        self.learnt: list[tree.Path] = []
        self._named: set[str] = set()
        self._compile()

    def page(self, body: bytes, context: Context) -> Decoded:
        """One page of items.

        Raises:
            MalformedAnswer: the body is no JSON list of objects, is nested too deep, or an item belongs to somebody else than
                was asked for.
        """
        with _depth_checked():
            items = self._items(body)
            self._check_owner(items, context)
            values = self._exploded(items) if self.report.shape is Shape.ENTRIES else items
        drift = self._drift(items.extras)
        if self.report.time_column is None:
            return Decoded(values=values, context=context, drift=drift)
        written = _column_values(self.report.column(self.report.time_column), items, context)
        span: tuple[dt.datetime | None, dt.datetime | None]
        plain = _span_as_written(written)
        if plain is not None and _is_inside(plain, context):
            span, counted = plain, self._counted(items, None)
        else:
            times = cast(ColumnType.TIMESTAMP, written)[0]
            span, counted = _span(times), self._counted(items, _inside(times, context))
        newest, oldest = span
        return Decoded(values=values, context=context, drift=drift, newest=newest, oldest=oldest, items=counted)

    def points(self, counts: Mapping[int, int], context: Context) -> Decoded:
        """A series of counts: unix seconds → number of events."""
        fields: dict[tree.Path, list[Any]] = {("timestamp",): list(counts), ("events",): list(counts.values())}
        return Decoded(values=Values(len(counts), fields.__getitem__), context=context)

    def batch(self, pages: Sequence[Decoded]) -> tuple[pa.RecordBatch, Counter[str]]:
        """The rows of some pages of one slice that are inside its window and its owner's.

        Returns:
            The rows, and path → how many of all rows had a value there that did not fit.

        Raises:
            MalformedAnswer: a value is nested too deep.
        """
        values, context = _joined([page.values for page in pages]), pages[0].context
        misfits: Counter[str] = Counter()
        arrays: dict[str, pa.Array] = {}
        for column in self.report.columns:
            arrays[column.name], found = cast(column.type, _column_values(column, values, context))
            for row, value in found.items():
                path = column.sources[0] if column.sources else column.name
                values.extras.setdefault(row, {})[path] = value
                misfits[path] += 1
        with _depth_checked():
            arrays |= self._system_columns(values, pages)
        batch = pa.record_batch([arrays[name] for name in self.schema.names], schema=self.schema)
        return self._kept(batch, values, context), misfits

    def keys(self, page: Decoded, key: Sequence[str]) -> list[tuple[tuple[Any, ...], dt.datetime | None]]:
        """The key of each row of a page that is inside the window and its owner's, and its time where it has one."""
        time = self.report.time_column
        names = [*key, *([] if time is None or time in key else [time])]
        columns = [self.report.column(name) for name in names]
        arrays = [cast(column.type, _column_values(column, page.values, page.context))[0] for column in columns]
        kept = self._kept(pa.record_batch(arrays, names=names), page.values, page.context)
        times = [None] * kept.num_rows if time is None else kept[time].to_pylist()
        return list(zip(zip(*(kept[name].to_pylist() for name in key), strict=True), times, strict=True))

    def absent(self, body: bytes) -> list[str]:
        """Columns that no item of the page has a field for, though today's Sentry sends it always: the server is older."""
        try:
            items = _NAMES_DECODER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return []  # the page itself is decoded by `page`, which tells what is wrong with it
        present = {name for item in items for name in item}
        return [column.name for column in self.report.columns if items and _is_missed(column, present)]

    def _compile(self) -> None:
        self._type = msgspec.json.Decoder(list[tree.struct_type(self._tree)])  # type: ignore[misc]
        self._getters = {path: tree.getter(self._tree, path) for path, _ in tree.walk(self._tree)}

    def _items(self, body: bytes) -> Values:
        extras: Extras = {}
        try:
            structs = self._type.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            page = strip(body, self._tree)
            self._learn(page.unknown)
            structs, extras = self._type.decode(msgspec.json.encode(page.items)), page.extras
        for path in self.learnt:
            for row, text in enumerate(self._getters[path](structs)):
                if text is not None:
                    extras.setdefault(row, {})["/".join(path)] = msgspec.Raw(text.encode())
        # The getters of these structs: the decoder may have learnt more when their values are asked for.
        return Values.of(structs, self._getters, extras)

    def _learn(self, unknown: Iterable[tree.Path]) -> None:
        room = MOST_LEARNT - len(self.learnt)
        fresh = list(itertools.islice((path for path in unknown if tree.is_nameable(path[-1])), room))
        for path in fresh:
            self._tree.add(path, raw=True)
        if fresh:
            self.learnt += fresh
            self._compile()

    def _check_owner(self, items: Values, context: Context) -> None:
        if self.report.item_owner is None:
            return
        source, name = self.report.item_owner
        wanted = context.values.get(name)
        for value in dict.fromkeys(items.get(tree.split(source))):
            if value is not None and wanted is not None and str(value) != wanted:
                raise MalformedAnswer(f"Sentry answered with rows of {name} {value!r} where {wanted!r} was asked for.")

    def _counted(self, items: Values, inside: pa.Array | None) -> tuple[Any, ...] | None:
        """What tells the items of the slice apart; an event without entries gives no row and is an item all the same."""
        if self.report.figures is None:
            return None
        names = items.get(tree.split(self.report.figures.item))
        return tuple(names if inside is None else itertools.compress(names, inside.to_pylist()))

    def _drift(self, extras: Extras) -> Counter[str]:
        return Counter(name for extra in extras.values() for name in dict.fromkeys(map(self._drift_name, extra)))

    def _drift_name(self, path: str) -> str:
        if len(self._named) < MOST_NAMED:
            self._named.add(path)
        return path if path in self._named else OTHERS

    def _system_columns(self, values: Values, pages: Sequence[Decoded]) -> dict[str, pa.Array]:
        context, kind = pages[0].context, self.schema.field("_extracted_at").type
        came = [pa.repeat(pa.scalar(page.context.extracted_at, kind), page.values.count) for page in pages]
        extra = [_extra_text(values.extras.get(row)) for row in range(values.count)] if values.extras else None
        return {
            "_host": pa.repeat(pa.scalar(context.host), values.count),
            "_run_id": pa.repeat(pa.scalar(context.run_id), values.count),
            "_extracted_at": pa.concat_arrays(came),
            "_extra": pa.nulls(values.count, pa.string()) if extra is None else pa.array(extra, pa.string()),
        }

    def _kept(self, batch: pa.RecordBatch, rows: Values, context: Context) -> pa.RecordBatch:
        """The rows of this slice: inside the window, and of the owner."""
        keep = None if self.report.time_column is None else _inside(batch[self.report.time_column], context)
        if context.owner is not None:
            source, wanted = context.owner
            own = pa.array([str(value) == wanted for value in rows.get(tree.split(source))], pa.bool_())
            keep = own if keep is None else pc.and_(keep, own)
        return batch if keep is None or pc.all(keep, min_count=0).as_py() else batch.filter(keep)

    def _exploded(self, items: Values) -> Values:
        """One row per element of each event's `entries`, in the order in which the server shows them."""
        lists = [_entries(text) for text in items.get((ENTRIES,))]
        events = [row for row, entries in enumerate(lists) for _ in entries]
        flat = [entry for entries in lists for entry in entries]
        own: dict[tree.Path, list[Any]] = {
            (INDEX,): [index for entries in lists for index in range(len(entries))],
            (ENTRY, "type"): [entry.type for entry in flat],
            (ENTRY, "data"): [tree.raw_text(entry.data) for entry in flat],
        }

        def get(path: tree.Path) -> list[Any]:
            if path in own:
                return own[path]
            values = items.get(path)
            return [values[event] for event in events]

        extras = {row: dict(items.extras[event]) for row, event in enumerate(events) if event in items.extras}
        return Values(len(flat), get, extras)


@contextmanager
def _depth_checked() -> Iterator[None]:
    try:
        yield
    except RecursionError as error:
        raise MalformedAnswer("An item of Sentry's answer is nested too deep to be read.") from error


def _joined(pages: Sequence[Values]) -> Values:
    """The rows of several pages, one after the other."""
    if len(pages) == 1:
        return pages[0]
    extras: Extras = {}
    count = 0
    for page in pages:
        extras |= {count + row: extra for row, extra in page.extras.items()}
        count += page.count
    getters = pages[0].getters
    if getters is not None and all(page.getters is getters for page in pages):
        # A way down for all of them costs half as much as one for each.
        return Values.of(list(itertools.chain.from_iterable(page.structs or () for page in pages)), getters, extras)
    return Values(count, lambda path: list(itertools.chain.from_iterable(page.get(path) for page in pages)), extras)


class _Entry(msgspec.Struct):
    """An element of an event's `entries`: it has a type, data of any form, and no id."""

    type: str | None = None
    data: msgspec.Raw = tree.NULL


_ENTRIES_DECODER = msgspec.json.Decoder(list[_Entry] | None)


_NAMES_DECODER = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


def _is_missed(column: Column, present: set[str]) -> bool:
    """Whether a column's field should be there and is not; only the item's own fields are looked at, not those below."""
    if column.optional or column.context or column.is_ours or any(source.startswith("@") for source in column.sources):
        return False
    sources = [*column.sources, *(path for _, path in column.keyed)]
    return not any(tree.split(source)[0] in present for source in sources)


def _entries(text: str | None) -> list[_Entry]:
    if text is None:
        return []
    try:
        return _ENTRIES_DECODER.decode(text) or []
    except msgspec.DecodeError as error:
        raise MalformedAnswer("An event's entries are not a list of objects with a type.") from error


def _span(times: pa.Array) -> tuple[dt.datetime | None, dt.datetime | None]:
    """The latest and the earliest of some times."""
    both = pc.min_max(times)
    return both["max"].as_py(), both["min"].as_py()


def _span_as_written(times: Sequence[Any]) -> tuple[dt.datetime, dt.datetime] | None:
    """The latest and the earliest of times that are all written as Sentry writes them, in UTC and to the second; else None.

    Their order is that of their texts, and Arrow takes five times as long for a page.
    """
    try:
        if not times or not all(map(_TO_THE_SECOND.fullmatch, times)):
            return None
        return dt.datetime.fromisoformat(max(times)), dt.datetime.fromisoformat(min(times))
    except (TypeError, ValueError):  # no texts; no such day
        return None


def _is_inside(span: tuple[dt.datetime, dt.datetime], context: Context) -> bool:
    """Whether all times between the latest and the earliest lie in the window."""
    newest, oldest = span
    return (context.start is None or context.start <= oldest) and (context.end is None or newest < context.end)


def _inside(times: pa.Array, context: Context) -> pa.Array | None:
    """Which times lie in the window; None where it has no bounds.

    What has no time cannot be shown to be outside: it is kept, and the key check decides about it.
    """
    inside = None
    if context.start is not None:
        inside = pc.greater_equal(times, pa.scalar(context.start, times.type))
    if context.end is not None:
        before = pc.less(times, pa.scalar(context.end, times.type))
        inside = before if inside is None else pc.and_(inside, before)
    return None if inside is None else pc.fill_null(inside, True)


def _column_values(column: Column, rows: Values, context: Context) -> Sequence[Any]:
    """The column's values: of the first source that has one, else the context's."""
    if column.keyed:
        return _keyed(column, rows)
    default = context.values.get(column.context) if column.context else None
    if not column.sources:
        return [default] * rows.count
    first, *others = (rows.get(tree.split(source)) for source in column.sources)
    for other in others:
        first = [value if value is not None else fallback for value, fallback in zip(first, other, strict=True)]
    return first if default is None else [value if value is not None else default for value in first]


def _keyed(column: Column, rows: Values) -> list[str | None]:
    """`kind:value` of the first part that an item has."""
    keys: list[str | None] = [None] * rows.count
    for kind, source in column.keyed:
        for row, value in enumerate(rows.get(tree.split(source))):
            if keys[row] is None and value not in (None, ""):
                keys[row] = f"{kind}:{value}"
    return keys


def _extra_text(extra: dict[str, Any] | None) -> str | None:
    if not extra:
        return None
    return msgspec.json.encode({path: _writable(value) for path, value in extra.items()}, order="sorted").decode()


def _writable(value: Any) -> Any:
    """An integer as JSON text, since msgspec refuses to write one beyond 64 bits; all else as it is."""
    return msgspec.Raw(str(value).encode()) if type(value) is int else value


def _known_tree(report: Report) -> tree.Node:
    """Everything that the report names: columns, fields left out, and what tells whose an item is."""
    root = tree.Node()
    if report.shape is Shape.POINTS:
        return root
    if report.shape is Shape.ENTRIES:
        root.add((ENTRIES,), raw=True)
    for column in report.columns:
        for source in (*column.sources, *(path for _, path in column.keyed)):
            if not source.startswith("@"):
                _add(root, source, raw=column.type.value == "json")
    for source in report.left_out:
        _add(root, source, raw=True)
    owners = [report.item_owner, *(endpoint.owner for endpoint in (*report.endpoints, *report.bodies))]
    for owner in owners:
        if owner is not None:
            _add(root, owner[0], raw=False)
    return root


def _add(root: tree.Node, source: str, *, raw: bool) -> None:
    path = tree.split(source)
    try:
        root.find(path)
    except KeyError:
        root.add(path, raw=raw)
