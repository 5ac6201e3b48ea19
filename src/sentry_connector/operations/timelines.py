"""Counts by the hour, gathered into as many bars as a chart can show."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

MOST_BARS = 120
DRAWN = range(7_258_118_400)
"""Times from 1970 until 2200, unix seconds; a device's clock may say anything."""


class Bar(NamedTuple):
    """How much there was from `at` on, until the next bar."""

    at: dt.datetime
    rows: int


class Width(NamedTuple):
    """How wide bars are.

    Attributes:
        name: `hour`, `day`, `week`, `month`, `year`.
        start: where the bar begins that a local time lies in.
        following: where the next one begins.
    """

    name: str
    start: Callable[[dt.datetime], dt.datetime]
    following: Callable[[dt.datetime], dt.datetime]


def _midnight(at: dt.datetime) -> dt.datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def _month(at: dt.datetime) -> dt.datetime:
    return _midnight(at.replace(day=1))


WIDTHS: Sequence[Width] = (
    Width("hour", lambda at: at.replace(minute=0, second=0, microsecond=0), lambda at: at + dt.timedelta(hours=1)),
    Width("day", _midnight, lambda at: at + dt.timedelta(days=1)),
    Width("week", lambda at: _midnight(at - dt.timedelta(days=at.weekday())), lambda at: at + dt.timedelta(days=7)),
    Width("month", _month, lambda at: _month(at + dt.timedelta(days=31))),
    Width("year", lambda at: _month(at.replace(month=1)), lambda at: at.replace(year=at.year + 1)),
)
"""From the narrowest to the widest; days and longer ones are those of the zone. All of them reckon with local times."""


def bars(hours: Mapping[int, int], zone: zoneinfo.ZoneInfo) -> tuple[str, list[Bar]]:
    """The narrowest bars of which no more are needed than a chart can show; those between that hold nothing are 0.

    Times that no calendar of ours reaches are left out.

    Args:
        hours: unix seconds of an hour's beginning → how much there was.
        zone: whose days are meant.

    Returns:
        The name of their width, and the bars in their order.
    """
    hours = {seconds: rows for seconds, rows in hours.items() if seconds in DRAWN}
    if not hours:
        return WIDTHS[0].name, []
    first, last = (_local(seconds, zone) for seconds in (min(hours), max(hours)))
    width = next((one for one in WIDTHS if _count(one, first, last) <= MOST_BARS), WIDTHS[-1])
    sums: Counter[dt.datetime] = Counter()
    for seconds, rows in hours.items():
        sums[width.start(_local(seconds, zone))] += rows
    return width.name, [Bar(at.replace(tzinfo=zone), sums[at]) for at in _starts(width, first, last)]


def _local(seconds: int, zone: zoneinfo.ZoneInfo) -> dt.datetime:
    """A time as the clocks of a zone show it. An hour that they show twice is one bar."""
    return dt.datetime.fromtimestamp(seconds, zone).replace(tzinfo=None, fold=0)


def _starts(width: Width, first: dt.datetime, last: dt.datetime) -> Iterator[dt.datetime]:
    at = width.start(first)
    while at <= last:
        yield at
        at = width.following(at)


def _count(width: Width, first: dt.datetime, last: dt.datetime) -> int:
    """How many bars there would be, no further than is asked about."""
    return sum(1 for _, _ in zip(range(MOST_BARS + 1), _starts(width, first, last), strict=False))
