"""When a run looks for late events, and what it holds Sentry's counts against: `extraction.late` says what follows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from sentry_connector.destinations.looks import Selection, by_hour
from sentry_connector.extraction.late import LATEST, Held, Lookout
from sentry_connector.reports.scopes import Scope
from sentry_connector.runs.marks import Marks
from sentry_connector.runs.work import Work


def lookout(work: Work, marks: Marks) -> Lookout | None:
    """When and by what late events are looked for; None where nobody wants it."""
    now, hours = work.instant, work.house.settings.late_hours
    if not hours:
        return None

    def since(scope: Scope) -> dt.datetime | None:
        before = marks.looked_through(scope.id)
        if before is None:
            return now - LATEST
        return before - LATEST if now - before >= dt.timedelta(hours=hours) else None

    return Lookout(since=since, held=_held(work))


def _held(work: Work) -> Held:
    """Asks the table what it has of a scope, hour by hour."""

    async def held(scope: Scope, start: dt.datetime, end: dt.datetime) -> Mapping[int, int]:
        column, item = work.report.time_column, work.report.counted_column
        if column is None or item is None:
            raise ValueError(f"{work.report.slug} has nothing that is counted by the hour")
        selection = Selection(marks=scope.rows, time=column, start=start, end=end)

        def look() -> Mapping[int, int]:
            stored = work.table.snapshot()
            return {} if stored is None else by_hour(stored, selection, item)

        return await work.holding.aside(look)

    return held
