"""How many rows lie where in time, by Sentry's own hourly counts: windows are split by it, and what was read is held against it.

Arithmetic only. The counts are another figure than the rows: nothing is left out because of them.
"""

from __future__ import annotations

import bisect
import datetime as dt
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from sentry_connector.reports.details import Window

HOUR = 3600
LONGEST = dt.timedelta(days=90)
"""How far back hours are asked for: no plan of Sentry keeps events for longer. What lies before is one open window."""

SETTLED = dt.timedelta(hours=2)
"""Younger hours than this may still be counted, so that nothing is checked by them."""

Span = tuple[dt.datetime | None, dt.datetime]
"""From where to where is read; no start = as far back as Sentry goes."""


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by hour.

    Attributes:
        start: the first hour that was asked about, unix seconds.
        counts: the rows of each hour from there on.
    """

    start: int
    counts: tuple[int, ...]

    @classmethod
    def of(cls, points: Mapping[int, int], start: int, end: int) -> Survey:
        """The hours from `start` to `end` (unix seconds, whole hours); those without a point have no rows."""
        return cls(start=start, counts=tuple(points.get(hour, 0) for hour in range(start, end, HOUR)))

    @property
    def rows(self) -> int:
        """All rows that were counted."""
        return sum(self.counts)

    def between(self, span: Span) -> int:
        """Rows of the hours that begin within the span."""
        first = 0 if span[0] is None else math.ceil((span[0].timestamp() - self.start) / HOUR)
        last = math.ceil((span[1].timestamp() - self.start) / HOUR)
        return sum(self.counts[max(0, first) : max(0, last)])

    def hours(self) -> Iterator[tuple[int, int]]:
        """Each hour's start in unix seconds, with its rows."""
        return zip(itertools.count(self.start, HOUR), self.counts, strict=False)


def hours_of(window: Window) -> tuple[int, int]:
    """The whole hours to ask about for a window: unix seconds from the first to the end of the last."""
    end = math.ceil(window.read_end.timestamp() / HOUR) * HOUR
    oldest = end - int(LONGEST.total_seconds())
    start = oldest if window.start is None else math.floor(window.start.timestamp() / HOUR) * HOUR
    return max(oldest, start), end


def split(span: Span, survey: Survey, most_rows: int) -> list[Span]:
    """Spans that tile the span, newest first, none expected to hold many more rows than `most_rows`.

    They meet at full hours; an hour with more rows than that is divided evenly.

    Raises:
        ValueError: `most_rows` is not positive.
    """
    if most_rows < 1:
        raise ValueError(f"a span holds at least one row, not {most_rows}")
    return tiles(span, _edges(survey, most_rows))


def evenly(span: Span, survey: Survey, count: int) -> list[Span]:
    """So many spans, or fewer, that tile the span, newest first, and are expected to hold equally many rows.

    They meet anywhere: within an hour rows are taken to lie evenly.
    """
    inside = [(hour, rows) for hour, rows in survey.hours() if rows and _begins_in(hour, span)]
    share = sum(rows for _, rows in inside) / max(1, count)
    edges: list[int] = []
    before = 0
    for hour, rows in inside:
        while len(edges) + 1 < count and before + rows > share * (len(edges) + 1):
            edges.append(hour + math.floor(HOUR * (share * (len(edges) + 1) - before) / rows))
        before += rows
    return tiles(span, (_instant(edge) for edge in sorted(set(edges))))


def tiles(span: Span, edges: Iterable[dt.datetime]) -> list[Span]:
    """The spans between rising edges that tile the span, newest first; edges outside of it do not count."""
    inside = [edge for edge in edges if (span[0] is None or span[0] < edge) and edge < span[1]]
    ends = [*inside, span[1]]
    return list(zip([span[0], *inside], ends, strict=True))[::-1]


def _begins_in(hour: int, span: Span) -> bool:
    return (span[0] is None or span[0].timestamp() <= hour) and hour < span[1].timestamp()


def _edges(survey: Survey, most_rows: int) -> Iterator[dt.datetime]:
    """Instants, rising, between any two of which there are about `most_rows` rows at the most."""
    gathered = 0
    for hour, rows in survey.hours():
        if gathered and gathered + rows > most_rows:
            yield _instant(hour)
            gathered = 0
        gathered += rows
        if rows > most_rows:
            parts = math.ceil(rows / most_rows)
            yield from (_instant(hour + HOUR * part / parts) for part in range(1, parts))
            gathered = math.ceil(rows / parts)


def is_checkable(span: Span, survey: Survey, settled: dt.datetime) -> bool:
    """Whether a span consists of whole hours that were counted, and that are not counted any more."""
    start, end = span
    return (
        start is not None
        and end <= settled
        and _is_full_hour(start)
        and _is_full_hour(end)
        and survey.start <= start.timestamp()
        and end.timestamp() <= survey.start + HOUR * len(survey.counts)
    )


def differs(found: int, counted: int, percent: float) -> bool:
    """Whether two figures of the same rows differ by more than a percentage of the larger."""
    return abs(found - counted) > max(found, counted) * percent / 100


def fuller_hours(counted: Survey, held: Mapping[int, int]) -> list[int]:
    """The hours (unix seconds) of which Sentry counts more rows than are held."""
    return [hour for hour, rows in counted.hours() if rows > held.get(hour, 0)]


def runs_of_hours(hours: list[int], most_gap: int = 6) -> list[tuple[int, int]]:
    """Spans [start, end) in unix seconds that cover the hours; those with at most `most_gap` hours between them are one."""
    spans: list[tuple[int, int]] = []
    for hour in sorted(hours):
        place = bisect.bisect_right(spans, (hour, math.inf)) - 1
        if place >= 0 and hour - spans[place][1] <= most_gap * HOUR:
            spans[place] = spans[place][0], hour + HOUR
        else:
            spans.append((hour, hour + HOUR))
    return spans


def _instant(seconds: float) -> dt.datetime:
    """To the second, since that is how finely Sentry is told a window."""
    return dt.datetime.fromtimestamp(math.floor(seconds), dt.UTC)


def _is_full_hour(instant: dt.datetime) -> bool:
    return instant.timestamp() % HOUR == 0
