"""Events that arrive long after they happened: where in time they lie is told by counts, Sentry's against the table's.

An event list goes by the events' own times, and Sentry takes events that are up to 30 days old. The overlap of Since Last
Successful Run catches those that are a little late. The others are looked for on a slow cycle: hours of which Sentry counts more
than the table holds are read again. A report without figures is read again for all of the 30 days.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from sentry_connector.extraction.survey import HOUR, Survey, fuller_hours, runs_of_hours
from sentry_connector.reports.details import Details, SinceLastRun, Window
from sentry_connector.reports.model import Report
from sentry_connector.reports.scopes import Scope

LATEST = dt.timedelta(days=30)
"""How old an event may be when it arrives: `MAX_SECS_IN_PAST` in Sentry's source."""

Closed = tuple[dt.datetime, dt.datetime]
"""A span with a start."""

Held = Callable[[Scope, dt.datetime, dt.datetime], Awaitable[Mapping[int, int]]]
"""How many items of a scope the table has in each hour (unix seconds) from one instant to another."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lookout:
    """Whose turn it is to be looked through for late events, and what the table has.

    Attributes:
        since: the earliest time of an event of a scope that can have arrived since it was last looked through; None where
            it is not its turn.
        held: asks the table.
    """

    since: Callable[[Scope], dt.datetime | None]
    held: Held

    def spans(
        self, report: Report, details: Details, scopes: Iterable[Scope], windows: Mapping[str, Window]
    ) -> dict[Scope, Closed]:
        """What is to be looked through: of each scope whose turn it is, the time before its window."""
        if not isinstance(details.duration, SinceLastRun) or not report.immutable_time:
            return {}
        spans = ((scope, self.since(scope), windows[scope.id].start) for scope in scopes)
        return {scope: (first, last) for scope, first, last in spans if first and last and first < last}


def missed(counted: Survey, held: Mapping[int, int], until: dt.datetime) -> tuple[Closed, ...]:
    """The spans before `until`, rising, in whose hours Sentry counts more items than are held."""
    end = until.timestamp()
    hours = [hour for hour in fuller_hours(counted, held) if hour < end]
    return tuple((_utc(first), _utc(min(last, end))) for first, last in runs_of_hours(hours))


def whole_hour(instant: dt.datetime) -> dt.datetime:
    """The start of the instant's hour."""
    return _utc(instant.timestamp() // HOUR * HOUR)


def _utc(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
