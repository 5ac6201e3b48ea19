"""What the dates of a DataSet mean now, and whether its runs will drop rows."""

from __future__ import annotations

import datetime as dt

from sentry_connector.datasets.definition import Definition
from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.extraction.prepare import window_of
from sentry_connector.reports import catalogue, windows
from sentry_connector.reports.details import DateRange, Details, SinceLastRun, SingleDate, Window
from sentry_connector.reports.model import Report
from sentry_connector.runs.house import House
from sentry_connector.runs.marks import Marks
from sentry_connector.store.records import DataSet


def days_now(house: House, dataset: DataSet | Definition) -> str | None:
    """What the dates of a DataSet would mean for a run now, in words; None where its report has no dates.

    Raises:
        DatesError: the dates make no window now.
    """
    report = catalogue.find(dataset.report)
    if report.time_column is None:
        return None
    read_to = _read_to(house, dataset) if isinstance(dataset, DataSet) else None
    days = windows.describe(window_now(house, report, dataset.details, read_to), dataset.details.timezone)
    return days if read_to is None else f"{days}; what was never read, from its beginning"


def window_now(house: House, report: Report, details: Details, read_to: dt.datetime | None = None) -> Window:
    """The span of a run that began now; `read_to` is up to where earlier runs have read.

    Raises:
        DatesError: the dates make no window now.
    """
    settle = dt.timedelta(seconds=house.settings.settle)
    return window_of(report, details, now=house.now(), settle=settle, watermark=read_to)


def _read_to(house: House, dataset: DataSet) -> dt.datetime | None:
    """Where a run that goes on from the last one would begin; None for the first run, and for dates that do not go on."""
    if not isinstance(dataset.details.duration, SinceLastRun):
        return None
    return Marks(known=house.table(dataset).watermarks(), details=dataset.details).earliest()


def will_lose(dataset: DataSet) -> bool:
    """Whether later runs will drop rows of earlier ones: Replace with days that move on and no consent to that."""
    moves = isinstance(dataset.details.duration, SingleDate | DateRange)
    return dataset.update_method is UpdateMethod.REPLACE and moves and not dataset.accept_loss
