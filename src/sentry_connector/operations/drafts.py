"""What a DataSet would be before there is one: the days of its dates, its rows, and how long they take. Nothing is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from sentry_connector.extraction.progress import Progress
from sentry_connector.operations.days import window_now
from sentry_connector.operations.pull import Explained, OnWindows, explain, pull
from sentry_connector.reports import menus, windows
from sentry_connector.reports.details import AllAvailable, Details, Duration, SinceLastRun, Window
from sentry_connector.reports.model import Report
from sentry_connector.runs.house import House, wholly
from sentry_connector.sentry.client import Connection

if TYPE_CHECKING:
    import pyarrow as pa

PREVIEW_ROWS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Days:
    """What dates mean now.

    Attributes:
        duration: the dates, with the report's default where none are chosen; None where the report has none.
        window: the span of a first run now; None where the report has no dates.
        words: the same in a line.
    """

    duration: Duration | None
    window: Window | None
    words: str | None


def days(house: House, report: Report, duration: Duration | None, timezone: str, resolution: str | None = None) -> Days:
    """What dates would mean for a first run now.

    Raises:
        DatesError: they make no window now, or the zone is none.
        DetailsError: the report does not offer them.
    """
    chosen = menus.check_dates(report, duration, timezone)
    if chosen is None:
        return Days(duration=None, window=None, words=None)
    details = Details(duration=chosen, timezone=timezone, resolution=resolution)
    window = window_now(house, report, details)
    return Days(duration=chosen, window=window, words=windows.describe(window, timezone))


def days_view(found: Days) -> dict[str, Any]:
    """What dates mean, as JSON."""
    window = found.window
    return {
        "duration": msgspec.to_builtins(found.duration),
        "days": found.words,
        "start": window and window.start,
        "end": window and window.end,
        "first_day": window and window.first_day,
        "last_day": window and window.last_day,
    }


async def preview(
    house: House,
    report: Report,
    details: Details,
    connection: Connection,
    *,
    progress: Progress,
    on_windows: OnWindows | None = None,
) -> pa.Table:
    """What a first run would bring: the first hundred rows, read from Sentry and stored nowhere.

    Raises:
        UsageError: the details are wrong.
        ConnectorError: nothing could be read.
    """
    import pyarrow as pa

    first = _of_first_run(report, details)
    asked = connection.for_an_onlooker()
    reading = pull(report, first, asked, house, progress=progress, limit=PREVIEW_ROWS, on_windows=on_windows)
    async with reading as pulled:
        return await wholly(house, lambda: pa.Table.from_batches(pulled.batches(), pulled.schema))


async def plan(house: House, report: Report, details: Details, connection: Connection) -> Explained:
    """What a first run would read, how, and how long it should take. Sentry is asked what that takes, and for no row.

    Raises:
        UsageError: the details are wrong.
        ConnectorError: Sentry could not be asked.
    """
    return await explain(report, _of_first_run(report, details), connection.for_an_onlooker(), house)


def _of_first_run(report: Report, details: Details) -> Details:
    """What goes on from the last run has none to go on from: it reads all that is available, or what is the default."""
    if not isinstance(details.duration, SinceLastRun):
        return details
    return msgspec.structs.replace(details, duration=AllAvailable() if report.all_available else None)
