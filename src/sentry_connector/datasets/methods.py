"""What each update method would do to a table, and why one cannot be chosen: the rules of `definition`, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sentry_connector.datasets.definition import RULES, Definition
from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.errors import UsageError
from sentry_connector.reports.details import AllAvailable, DateRange, Details, Duration, SinceLastRun, SingleDate
from sentry_connector.reports.model import Report


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """An update method, for a report with its dates.

    Attributes:
        method: which.
        about: what a run will do to the table.
        refused: why it cannot be chosen; None where it can.
        recommended: what to choose where nobody knows better; of one only.
    """

    method: UpdateMethod
    about: str
    refused: str | None
    recommended: bool


_REPLACE = "The table holds exactly the rows of the newest run; earlier versions stay to go back to."
_PARTITION = "The table is kept by days. Each day that a run reads whole is replaced, and other days stay."

_WORDS: Mapping[UpdateMethod, tuple[str, str, str]] = {
    UpdateMethod.REPLACE: (
        f"{_REPLACE} Where the days move on, a run that would drop older rows is refused until that is consented to.",
        _REPLACE,
        _REPLACE,
    ),
    UpdateMethod.APPEND: (
        "Each run adds its rows, also those that an earlier run has brought.",
        "Each run adds all rows again: snapshots, side by side.",
        "Each run adds the rows that are not stored yet; what is read twice is left out, by its key.",
    ),
    UpdateMethod.UPSERT: (
        "Rows are updated by their key, new ones are added, and rows that a run does not bring stay.",
    )
    * 3,
    UpdateMethod.PARTITION: (
        _PARTITION,
        _PARTITION,
        f"{_PARTITION} Reading goes on from the beginning of the last day.",
    ),
}
"""For chosen days, for everything that there is, and for what is new since the last run."""


def offers(report: Report, duration: Duration | None) -> list[Offer]:
    """All update methods, in the order in which they are shown.

    Args:
        report: of the catalogue.
        duration: its dates; None where the report has none.
    """
    recommended = UpdateMethod.UPSERT if isinstance(duration, SinceLastRun) else UpdateMethod.REPLACE
    return [
        Offer(
            method=method,
            about=words[_column(duration)],
            refused=_refused(report, duration, method),
            recommended=method is recommended,
        )
        for method, words in _WORDS.items()
    ]


def _column(duration: Duration | None) -> int:
    match duration:
        case SingleDate() | DateRange():
            return 0
        case AllAvailable() | None:
            return 1
        case SinceLastRun():
            return 2


def _refused(report: Report, duration: Duration | None, method: UpdateMethod) -> str | None:
    """What the rules say of a DataSet that is so and has nothing else."""
    wanted = Definition(name="", report=report.slug, details=Details(duration=duration), update_method=method)
    try:
        for rule in RULES:
            rule(wanted, report)
    except UsageError as error:
        return error.message
    return None
