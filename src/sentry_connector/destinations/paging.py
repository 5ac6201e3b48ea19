"""A table's rows, page by page.

Files on this machine are sorted once: what is kept of it is where the rows lie, 8 bytes a row, so that any later page takes as
long as the first one. Everything else is asked for page by page. Pages that were shown lately are there at once.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeGuard, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from sentry_connector.destinations.asking import answer
from sentry_connector.destinations.looking import Look, columns_of, condition_of, order_of
from sentry_connector.destinations.model import RUN_ID
from sentry_connector.destinations.query import PLACE, PLACE_BITS, Snapshot, Source
from sentry_connector.destinations.sql_model import Sql, listing
from sentry_connector.destinations.sql_text import quoted

MOST_SORTED = 8_000_000
"""Rows up to which the order of all of them is found; of larger tables only the page that is asked for."""

SORTED_CHARACTERS = 64
"""Of a text of a file: messages of some kilobytes would be sorted on the disk, for an order that nobody sees."""

KEPT_BYTES = 64 * 2**20
PAGES_BYTES = 16 * 2**20

_COUNT = pa.schema([("rows", pa.int64())])
_PLACES = pa.schema([(PLACE, pa.int64())])


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Some rows of a table; `total` is how many there are on all pages."""

    rows: pa.Table
    total: int

    @property
    def nbytes(self) -> int:
        """How much memory the rows take."""
        return int(self.rows.nbytes)


class _Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


_Value = TypeVar("_Value", bound=_Sized)


class Kept(Generic[_Value]):
    """What was found last, within a bound of memory."""

    def __init__(self, most_bytes: int) -> None:
        self._most, self._bytes = most_bytes, 0
        self._found: OrderedDict[Hashable, _Value] = OrderedDict()
        self._turn = threading.Lock()

    def get(self, of: Hashable) -> _Value | None:
        """What was found of it; None where it is not known (any more)."""
        with self._turn:
            if of in self._found:
                self._found.move_to_end(of)
            return self._found.get(of)

    def keep(self, of: Hashable, found: _Value) -> None:
        """Remember what was found; what was not asked for the longest is forgotten."""
        with self._turn:
            if of in self._found or found.nbytes > self._most:
                return
            self._found[of] = found
            self._bytes += found.nbytes
            while self._bytes > self._most:
                _, forgotten = self._found.popitem(last=False)
                self._bytes -= forgotten.nbytes


@dataclass(frozen=True, slots=True)
class Finds:
    """What looks have found lately, of tables as they are: where rows lie in an order, and the rows of pages."""

    orders: Kept[pa.ChunkedArray] = field(default_factory=lambda: Kept(KEPT_BYTES))
    pages: Kept[Page] = field(default_factory=lambda: Kept(PAGES_BYTES))


def page(source: Source, look: Look, key: Sequence[str], finds: Finds) -> Page:
    """The rows of a page.

    Args:
        source: the table.
        look: which rows are wanted.
        key: columns that tell the rows of one run apart.
        finds: what is known from earlier pages.

    Raises:
        UnknownName: the table has no such column.
        UsageError: a value is none of its column's.
        QueryTimeout: it took longer than the table's `seconds`.
        DestinationUnavailable, DestinationRefused: the table's database does not answer.
    """
    if not _is_here(source):
        return _asked_for(source, look, key)
    if look.is_everything:
        return Page(rows=_as_stored(source, look), total=_count(source, look))
    at_hand = page_at_hand(source, look, finds)
    if at_hand is not None:
        return at_hand
    places = finds.orders.get(_of(source, look))
    if places is None:
        if _count(source, Look()) > MOST_SORTED:
            return _asked_for(source, look, key)
        places = _order(source, look)
        finds.orders.keep(_of(source, look), places)
    found = Page(rows=_at(source, places.slice(look.offset, look.limit).to_pylist(), look), total=len(places))
    finds.pages.keep(_shown(source, look), found)
    return found


def page_at_hand(source: Source, look: Look, finds: Finds) -> Page | None:
    """The rows of a page that was found lately, in a table that is as it was then; None elsewhere."""
    return finds.pages.get(_shown(source, look)) if _is_here(source) else None


def _is_here(source: Source) -> TypeGuard[Snapshot]:
    return isinstance(source, Snapshot) and source.filesystem is None


def _of(source: Snapshot, look: Look) -> Hashable:
    """What an order depends on."""
    return source.files, replace(look, columns=(), offset=0, limit=0)


def _shown(source: Snapshot, look: Look) -> Hashable:
    """What the rows of a page depend on."""
    return source.files, replace(look, columns=tuple(columns_of(look, source.schema).names))


def _asked_for(source: Source, look: Look, key: Sequence[str]) -> Page:
    schema = source.schema
    apart = [name for name in (*key, RUN_ID) if name in schema.names]

    def rows(sql: Sql) -> str:
        return (
            f"SELECT {listing(columns_of(look, schema).names)} FROM {sql.table} WHERE {condition_of(look, schema, sql)}"
            f" ORDER BY {order_of(look, schema, apart)} LIMIT {look.limit} OFFSET {look.offset}"
        )

    return Page(rows=answer(source, rows, columns_of(look, schema)), total=_count(source, look))


def _count(source: Source, look: Look) -> int:
    found = answer(
        source,
        lambda sql: f"SELECT count(*) AS rows FROM {sql.table} WHERE {condition_of(look, source.schema, sql)}",
        _COUNT,
    )
    (count,) = found.column("rows").to_pylist()
    return int(count)


def _as_stored(source: Snapshot, look: Look) -> pa.Table:
    columns = columns_of(look, source.schema)
    return answer(
        source,
        lambda sql: f"SELECT {listing(columns.names)} FROM {sql.table} LIMIT {look.limit} OFFSET {look.offset}",
        columns,
    )


def _order(source: Snapshot, look: Look) -> pa.ChunkedArray:
    schema = source.schema
    return answer(
        source,
        lambda sql: (
            f"SELECT {quoted(PLACE)} FROM {sql.table} WHERE {condition_of(look, schema, sql)}"
            f" ORDER BY {order_of(look, schema, (PLACE,), first=SORTED_CHARACTERS)}"
        ),
        _PLACES,
        places=True,
    ).column(PLACE)


def _at(source: Snapshot, places: Sequence[int], look: Look) -> pa.Table:
    """The rows that lie in these places; only their files are opened."""
    columns = columns_of(look, source.schema)
    files = sorted({place >> PLACE_BITS for place in places})
    numbers = {file: number for number, file in enumerate(files)}
    few = [(numbers[place >> PLACE_BITS] << PLACE_BITS) | (place & ((1 << PLACE_BITS) - 1)) for place in places]
    found = answer(
        replace(source, files=tuple(source.files[file] for file in files)),
        lambda sql: (
            f"SELECT {listing([*columns.names, PLACE])} FROM {sql.table}"
            f" WHERE {quoted(PLACE)} IN ({', '.join(map(str, few)) or 'NULL'})"
        ),
        pa.schema([*columns, *_PLACES]),
        places=True,
    )
    order = pc.index_in(pa.array(few, pa.int64()), value_set=found.column(PLACE))
    return found.take(order).select(columns.names)
