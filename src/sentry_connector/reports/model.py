"""What a report is: a frozen record that says everything which the other rooms need to know about it.

A report is data. If a room would need `if report.slug == …`, this record lacks a field.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import ClassVar


class ColumnType(StrEnum):
    """The types that a column can have; each destination has its own word for them."""

    TEXT = "text"
    INTEGER = "integer"  # 64 bits, signed
    REAL = "real"  # 64 bits
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"  # UTC, microseconds
    JSON = "json"  # JSON text, as Sentry wrote it


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column of a report.

    Attributes:
        name: snake_case, unique in the report.
        type: one of `ColumnType`.
        about: one sentence: what the value means, with its unit where it has one.
        sources: where the value stands in an item of Sentry's answer: paths whose segments are parted by `/`
            (`user/ip_address`; a dot belongs to the name, as in `event.type`). The first path that is present and not
            null wins. Empty for a column that comes only from the slice, or that the connector itself finds out.
        context: the name of the slice's value (a field of `Scope`, or `stat`, `resolution`) that fills the column where no
            source gives one.
        noise: the value differs by who asks or changes on its own; it does not count as a change of the row.
        optional: Sentry sends it with some answers only (full bodies, some kinds of events, features that are switched on):
            its absence says nothing about the server.
        keyed: (kind, path) pairs; where given, the value is `kind:value` of the first path that is present and not empty.
    """

    name: str
    type: ColumnType
    about: str
    sources: tuple[str, ...] = ()
    context: str | None = None
    noise: bool = False
    optional: bool = False
    keyed: tuple[tuple[str, str], ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path in the item that the value may come from; empty where only what was asked for says it."""
        return self.sources or tuple(path for _, path in self.keyed)

    @property
    def is_ours(self) -> bool:
        """Whether neither Sentry's answer nor what was asked for says it: the connector finds it out."""
        return not self.paths and self.context is None


class Grain(StrEnum):
    """What one slice of a report is about."""

    ACCOUNT = "account"  # everything that the token sees, by one list
    ORGANIZATION = "organization"
    TEAM = "team"
    PROJECT = "project"
    ISSUE = "issue"


class Shape(StrEnum):
    """What the answer holds."""

    ITEMS = "items"  # a list of objects, one row each
    POINTS = "points"  # a list of [unix seconds, count], one row each, summed over the slice's requests
    ENTRIES = "entries"  # a list of events with bodies, one row per element of `entries`


class Menu(StrEnum):
    """The menus of the Details pane, by the words of the command line."""

    ORGANIZATIONS = "organizations"
    PROJECTS = "projects"
    ISSUE = "issue"
    TEAMS = "teams"
    STAT = "stat"
    DATES = "dates"


class Need(Enum):
    """Whether a menu that shows must be filled in."""

    REQUIRED = "required"
    OPTIONAL = "optional"


class Paging(StrEnum):
    """How an endpoint is told the size of a page."""

    NONE = "none"  # it answers everything at once
    PER_PAGE = "per_page"
    LIMIT = "limit"


class WindowParams(StrEnum):
    """How an endpoint is told the window."""

    NONE = "none"  # it cannot be told: rows outside are dropped by us
    START_END = "start_end"  # start, end: ISO 8601
    SINCE_UNTIL = "since_until"  # since, until: unix seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Each:
    """A list whose items each fill a placeholder of another endpoint: the issues of a project, for the events of each of them.

    Attributes:
        items: the list.
        fills: the placeholder.
        id: path of the item's value for it.
        rows, first, last: paths of how many rows the other endpoint gives for the item within the window, and of their
            earliest and latest time. Only the order of reading follows from them.
    """

    items: Endpoint
    fills: str
    id: str
    rows: str
    first: str
    last: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """An independent count of a report's items, hour by hour: windows are split by it, and what was read is checked.

    Attributes:
        endpoint: a series of `[unix seconds, count]`, which is told `since` and `until`.
        percent: how far the items of a window may differ from it; 0 = not at all.
        item: path of what tells items apart.
    """

    endpoint: Endpoint
    percent: float
    item: str


DELETED_AT = "_deleted_at"
MOVED_TO = "_merged_into"
"""Columns of reports whose rows can vanish; the connector fills them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Vanishing:
    """How it is found out whether items that a list does not show (any more) are still there.

    Attributes:
        item: the column that holds an item's id; `id` is the field of Sentry's answer.
        some: answers those of several items that are there.
        ids: its parameter that takes an id and is repeated.
        most: ids that it is asked about at a time.
        one: the ways to ask for one item by `{issue}`, best first. A merged item is answered by the one that survived.
        owner: (path in the item, field of `Scope`): an item of somebody else is another one that has the same id.
    """

    item: str
    some: Endpoint
    ids: str
    most: int
    one: tuple[Endpoint, ...]
    owner: tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeline:
    """A chart of how much there was, over time.

    Attributes:
        title: what it shows.
        time: the column along which rows are counted.
        sum: a column of integers that is added up in place of the rows; None = rows are counted.
    """

    title: str
    time: str
    sum: str | None = None
    kind: ClassVar[str] = "timeline"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranking:
    """A chart of the values of a column that occur most.

    Attributes:
        title: what it shows.
        by: the column.
        tag: where that holds Sentry's tags: the key of the one whose values are meant.
        label: a column that says to people what a value of `by` stands for.
        sum: a column of integers that is added up in place of the rows; None = rows are counted.
    """

    title: str
    by: str
    tag: str | None = None
    label: str | None = None
    sum: str | None = None
    kind: ClassVar[str] = "ranking"


Chart = Timeline | Ranking


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """One way to ask Sentry for a report.

    Attributes:
        path: below `/api/0`, with `{organization}`, `{project}`, `{team}`, `{issue}` filled with slugs or ids.
        params: further query parameters, sent as they are; values may hold the same braces as the path.
        paging: how the page size is told.
        page_size: rows a page that the server really gives.
        window: how the window is told.
        open_start: what `start` says where everything is asked for; None = neither start nor end is sent then.
        family: which rate budget it draws from (`sentry/budget.py` has the published limits).
        owner: (path in the item, field of `Scope`): items whose value differs are not of this slice and are dropped. For
            endpoints that answer more than was asked.
        partial: what the endpoint's answer lacks, as a sentence for the run's record. Such an endpoint is asked only where the
            token is refused the ones before it.
        each: the list that fills a placeholder which the slice does not know; the endpoint is then asked once for each item.
        equal: other endpoints that give the same rows; the cheapest is taken.
    """

    path: str
    params: tuple[tuple[str, str], ...] = ()
    paging: Paging = Paging.PER_PAGE
    page_size: int = 100
    window: WindowParams = WindowParams.NONE
    open_start: str | None = None
    family: str = "default"
    owner: tuple[str, str] | None = None
    partial: str | None = None
    each: Each | None = None
    equal: tuple[Endpoint, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """One report of the catalogue.

    Attributes:
        slug: lower case with hyphens; its address everywhere.
        name: as people read it.
        aliases: other spellings that are accepted.
        about: one sentence.
        scope: the Sentry scope that a token needs for it.
        grain: what one slice is about.
        shape: what the answer holds.
        endpoints: the ways to ask, best first; a server that does not have one of them is asked the next.
        bodies: the endpoint that gives full event bodies, where the report can have them (`--with-bodies`).
        menus: the menus that show, with whether they must be filled in.
        stats: the choices of the Stat menu, default first.
        all_available: whether Duration offers All Available (then it is the default).
        columns: in their order. Every table also gets `_run_id`, `_extracted_at` and `_extra`.
        key: names of the columns that tell rows apart.
        time_column: the column that dates apply to.
        immutable_time: the time of a row never changes, so that days can be replaced whole (Partition).
        replace_together: key columns whose rows are replaced as a group (the entries of an event).
        figures: an independent count of the items, which what was read is held against; None where Sentry has none.
        unchecked: why nothing is held against a figure.
        vanishing: how items that are gone are found out; None where they are not looked for.
        item_owner: (path in the item, field of `Scope`): an item whose value is there and differs makes the answer malformed.
        left_out: documented fields of the answer that are no column, each with the reason.
        charts: the charts that fit its rows, the most telling one first.
        notes: what a user should know, one sentence each; they stand on the report's page.
        docs: the address of Sentry's own page about the endpoint.
    """

    slug: str
    name: str
    aliases: tuple[str, ...] = ()
    about: str
    scope: str
    grain: Grain
    shape: Shape = Shape.ITEMS
    endpoints: tuple[Endpoint, ...]
    bodies: tuple[Endpoint, ...] = ()
    menus: dict[Menu, Need]
    stats: tuple[str, ...] = ()
    all_available: bool = True
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    time_column: str | None = None
    immutable_time: bool = False
    replace_together: tuple[str, ...] = ()
    figures: Figures | None = None
    unchecked: str | None = None
    vanishing: Vanishing | None = None
    item_owner: tuple[str, str] | None = None
    left_out: dict[str, str]
    charts: tuple[Chart, ...] = ()
    notes: tuple[str, ...] = ()
    docs: str | None = None

    @property
    def newest_first(self) -> bool:
        """Whether Sentry lists the rows by `time_column`, newest first, as it does with everything that has a time."""
        return self.time_column is not None and self.shape is not Shape.POINTS

    @property
    def check(self) -> str:
        """How what was read is held against an independent figure: `none`, `exact`, `within 5 %`."""
        if self.figures is None:
            return "none"
        return f"within {self.figures.percent:g} %" if self.figures.percent else "exact"

    @property
    def check_about(self) -> str:
        """Which figure that is, or why there is none, in a sentence."""
        if self.figures is None:
            return self.unchecked or ""
        return (
            f"Whole hours are held against Sentry's own counts (`{self.figures.endpoint.path}`). Where they differ, they "
            "are read once more; a difference that stays is a warning with both numbers."
        )

    @property
    def counted_column(self) -> str | None:
        """The column that tells apart what the independent figures count; None where there are none."""
        if self.figures is None:
            return None
        return next(column.name for column in self.columns if self.figures.item in column.sources)

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            KeyError: the report has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


def text(name: str, about: str, *sources: str, context: str | None = None, noise: bool = False) -> Column:
    """A text column; ids are text too."""
    return _column(name, ColumnType.TEXT, about, sources, context, noise)


def integer(name: str, about: str, *sources: str, context: str | None = None, noise: bool = False) -> Column:
    """A column of 64-bit integers; numbers that Sentry writes as text are taken too."""
    return _column(name, ColumnType.INTEGER, about, sources, context, noise)


def real(name: str, about: str, *sources: str, context: str | None = None, noise: bool = False) -> Column:
    """A column of 64-bit floating point numbers."""
    return _column(name, ColumnType.REAL, about, sources, context, noise)


def boolean(name: str, about: str, *sources: str, context: str | None = None, noise: bool = False) -> Column:
    """A column of true and false."""
    return _column(name, ColumnType.BOOLEAN, about, sources, context, noise)


def timestamp(name: str, about: str, *sources: str, context: str | None = None, noise: bool = False) -> Column:
    """A column of UTC times with microseconds; Sentry writes ISO 8601 or unix seconds."""
    return _column(name, ColumnType.TIMESTAMP, about, sources, context, noise)


def json(name: str, about: str, *sources: str, context: str | None = None, noise: bool = False) -> Column:
    """A column of JSON text: arrays, objects of varying keys, objects deeper than three levels."""
    return _column(name, ColumnType.JSON, about, sources, context, noise)


def vanished(what: str, other: str) -> tuple[Column, Column]:
    """The columns that say of a row that Sentry does not have it any more: since when it is known, and what took its place."""
    return (
        Column(
            name=DELETED_AT,
            type=ColumnType.TIMESTAMP,
            about=f"When a full read found that Sentry does not have the {what} any more, UTC; null while it does.",
        ),
        Column(name=MOVED_TO, type=ColumnType.TEXT, about=f"{other}; null where it was deleted."),
    )


def optional(*columns: Column) -> tuple[Column, ...]:
    """These columns, as ones that Sentry fills with some answers only."""
    return tuple(dataclasses.replace(column, optional=True) for column in columns)


def _column(
    name: str,
    kind: ColumnType,
    about: str,
    sources: tuple[str, ...],
    context: str | None,
    noise: bool,  # noqa: FBT001
) -> Column:
    """Without a source and a context the source is the name in camelCase, which is how Sentry writes it."""
    if not sources and context is None:
        sources = (camel_case(name),)
    return Column(name=name, type=kind, about=about, sources=sources, context=context, noise=noise)


def camel_case(name: str) -> str:
    """`first_seen` → `firstSeen`."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)
