"""The DataSets that somebody wants to see, a page at a time: found, put in order, counted in groups."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import msgspec

from sentry_connector.operations.glance import Line, everything, measured, with_rows
from sentry_connector.reports import catalogue
from sentry_connector.runs.health import Status
from sentry_connector.runs.house import House

PAGE = 100
"""DataSets on a page, at most."""

RECENT = dt.timedelta(hours=24)


class Show(StrEnum):
    """Which DataSets are looked at."""

    ALL = "all"
    ATTENTION = "attention"
    RECENT = "recent"
    MINE = "mine"


class Sort(StrEnum):
    """What a list is ordered by; equal ones by name."""

    STATUS = "status"
    NAME = "name"
    REPORT = "report"
    ACCOUNT = "account"
    OWNER = "owner"
    ROWS = "rows"
    COLUMNS = "columns"
    LAST_RUN = "last"
    NEXT_RUN = "next"
    FRESHNESS = "fresh"


class Group(StrEnum):
    """By what DataSets are counted together."""

    STATUS = "status"
    REPORT = "report"
    ACCOUNT = "account"
    OWNER = "owner"
    TAG = "tag"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which DataSets are listed: those of which all that is given is so. Empty texts say nothing.

    Attributes:
        search: words that all stand in its name, description, report, account, owners, tags or columns, without case.
        show: a quick choice.
        me: whoever asks, for `Show.MINE`.
        status, report, account, owner, tag: what it has; a report by its slug.
        sort: the order.
        down: whether that is turned round.
        page, limit: which page, from 1, and how many it has at most.
    """

    search: str = ""
    show: Show = Show.ALL
    me: str | None = None
    status: Status | None = None
    report: str = ""
    account: str = ""
    owner: str = ""
    tag: str = ""
    sort: Sort = Sort.STATUS
    down: bool = False
    page: int = 1
    limit: int = PAGE


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """DataSets that have something in common.

    Attributes:
        value: what; empty for those that have none.
        datasets: how many there are.
        wanting: how many of them failed or need attention.
        rows: of their tables.
    """

    value: str
    datasets: int
    wanting: int
    rows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """A page of DataSets.

    Attributes:
        lines: those of the page.
        found: how many there are on all pages.
        everything: how many there are at all.
        page, pages: which page it is, and how many there are, at least one.
        shown: how many each quick choice would show.
        choices: by what they can be chosen, each with the values that there are.
        groups: where they are counted together, in place of the lines.
    """

    lines: Sequence[Line]
    found: int
    everything: int
    page: int
    pages: int
    shown: Mapping[Show, int]
    choices: Mapping[str, Sequence[str]]
    groups: Sequence[Counted] = ()


def overview(house: House, wanted: Wanted, group: Group | None = None) -> Overview:
    """A page of the DataSets that are wanted, or what they count together.

    Args:
        house: the parts.
        wanted: which, in what order.
        group: by what they are counted, in place of a page of them.
    """
    now, known = house.now(), everything(house)
    found = [line for line in known if _fits(line, wanted, now)]
    pages = max(1, -(-len(found) // wanted.limit))
    number = min(wanted.page, pages)
    first = (number - 1) * wanted.limit
    page = [] if group else sorted_lines(found, wanted.sort, down=wanted.down)[first : first + wanted.limit]
    return Overview(
        lines=with_rows(house, measured(house, page)),
        found=len(found),
        everything=len(known),
        page=number,
        pages=pages,
        shown={show: sum(_is_shown(line, show, wanted.me, now) for line in known) for show in Show},
        choices=_choices(known),
        groups=_counted(found, group) if group else (),
    )


# ---- which of them


def _fits(line: Line, wanted: Wanted, now: dt.datetime) -> bool:
    return (
        _is_shown(line, wanted.show, wanted.me, now)
        and (wanted.status is None or line.status is wanted.status)
        and (not wanted.report or line.dataset.report == wanted.report)
        and (not wanted.account or _same(_account(line), wanted.account))
        and (not wanted.owner or any(_same(one, wanted.owner) for one in line.owners))
        and (not wanted.tag or any(_same(one, wanted.tag) for one in line.dataset.tags))
        and is_found(line, wanted.search)
    )


def _account(line: Line) -> str:
    return line.account.name if line.account else ""


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.strip().casefold()


def is_found(line: Line, search: str) -> bool:
    """Whether all words of a search stand in what is known of a DataSet."""
    words = search.casefold().split()
    if not words:
        return True
    dataset = line.dataset
    own = (
        dataset.name,
        dataset.description,
        dataset.slug,
        *dataset.tags,
        _account(line),
        *line.owners,
        line.status,
    )
    text = "\n".join(own).casefold() + _text_of(dataset.report)
    return all(word in text for word in words)


_report = cache(catalogue.find)


@cache
def _text_of(slug: str) -> str:
    report = _report(slug)
    return "\n".join(("", report.name, report.slug, *(column.name for column in report.columns))).casefold()


def _is_shown(line: Line, show: Show, me: str | None, now: dt.datetime) -> bool:
    if show is Show.ATTENTION:
        return _wants(line)
    if show is Show.RECENT:
        return line.last is not None and now - (line.last.finished_at or now) <= RECENT
    return show is Show.ALL or me in line.owners


def _wants(line: Line) -> bool:
    return line.status in {Status.NEEDS_ATTENTION, Status.FAILED}


# ---- in what order

_STATUSES = {status: number for number, status in enumerate(Status)}

_VALUES: Mapping[Sort, Callable[[Line], Any]] = {
    Sort.STATUS: lambda line: _STATUSES[line.status],
    Sort.NAME: lambda line: line.dataset.name.casefold(),
    Sort.REPORT: lambda line: _report(line.dataset.report).name.casefold(),
    Sort.ACCOUNT: lambda line: line.account and line.account.name.casefold(),
    Sort.OWNER: lambda line: line.owners[0].casefold() if line.owners else None,
    Sort.ROWS: lambda line: line.size and line.size.rows,
    Sort.COLUMNS: lambda line: line.size and line.size.columns,
    Sort.LAST_RUN: lambda line: line.last and (line.last.finished_at or line.last.queued_at),
    Sort.NEXT_RUN: lambda line: line.next_slot,
    Sort.FRESHNESS: lambda line: line.fresh_at,
}


def sorted_lines(lines: Sequence[Line], sort: Sort, *, down: bool = False) -> list[Line]:
    """The lines in an order; those of which nothing is known come last either way."""
    value = _VALUES[sort]
    by_name = sorted(lines, key=lambda line: (line.dataset.name.casefold(), line.dataset.id))
    known = [line for line in by_name if value(line) is not None]
    return [*sorted(known, key=value, reverse=down), *(line for line in by_name if value(line) is None)]


# ---- what they have in common


def _values(line: Line, group: Group) -> Iterator[str]:
    if group is Group.TAG:
        yield from line.dataset.tags or ("",)
    elif group is Group.OWNER:
        yield from line.owners or ("",)
    else:
        one = {Group.STATUS: str(line.status), Group.REPORT: line.dataset.report, Group.ACCOUNT: _account(line)}
        yield one[group]


def _counted(lines: Sequence[Line], group: Group) -> list[Counted]:
    """Those that want attention first, then the largest groups."""
    members: dict[str, list[Line]] = {}
    for line in lines:
        for value in _values(line, group):
            members.setdefault(value, []).append(line)
    counted = [
        Counted(
            value=value,
            datasets=len(those),
            wanting=sum(map(_wants, those)),
            rows=sum(line.size.rows for line in those if line.size),
        )
        for value, those in members.items()
    ]
    return sorted(counted, key=lambda one: (-one.wanting, -one.datasets, one.value.casefold()))


def _choices(lines: Sequence[Line]) -> dict[str, Sequence[str]]:
    """By what the DataSets can be chosen: each group with the values that there are, each once, whatever its case."""
    values = {
        Group.STATUS: {str(line.status) for line in lines},
        Group.REPORT: {line.dataset.report for line in lines},
        Group.ACCOUNT: {line.account.name for line in lines if line.account},
        Group.OWNER: {owner for line in lines for owner in line.owners},
        Group.TAG: {tag for line in lines for tag in line.dataset.tags},
    }
    each_once = {group: {one.casefold(): one for one in sorted(found)} for group, found in values.items()}
    return {group.value: [found[one] for one in sorted(found)] for group, found in each_once.items()}


# ---- as JSON


def overview_view(seen: Overview) -> dict[str, Any]:
    """A page of DataSets as programs have it."""
    return {
        "found": seen.found,
        "everything": seen.everything,
        "page": seen.page,
        "pages": seen.pages,
        "shown": {show.value: count for show, count in seen.shown.items()},
        "datasets": [line_view(line) for line in seen.lines],
        "groups": [msgspec.to_builtins(one) for one in seen.groups],
    }


def line_view(line: Line) -> dict[str, Any]:
    """A DataSet at a glance."""
    dataset, last = line.dataset, line.last
    return {
        "id": dataset.id,
        "name": dataset.name,
        "slug": dataset.slug,
        "description": dataset.description,
        "tags": list(dataset.tags),
        "report": dataset.report,
        "account": line.account and line.account.name,
        "owners": list(line.owners),
        "schedule": dataset.schedule,
        "paused": dataset.paused,
        "status": line.status.value,
        "health": line.health,
        "rows": line.size and line.size.rows,
        "columns": line.size and line.size.columns,
        "last_run": msgspec.to_builtins(last, builtin_types=(dt.datetime,)) if last else None,
        "fresh_at": line.fresh_at,
        "next_slot": line.next_slot,
        "rows_of_runs": list(line.rows_of_runs),
    }
