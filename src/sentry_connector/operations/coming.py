"""When a DataSet runs next by itself, and which slots had no run of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sentry_connector.datasets.schedule import Say
from sentry_connector.operations import datasets
from sentry_connector.operations.running import is_served
from sentry_connector.operations.schedules import Meaning, schedule_view, slots
from sentry_connector.operations.views import passed_view, rests
from sentry_connector.runs.house import House
from sentry_connector.store.records import DataSet, Passed


@dataclass(frozen=True, kw_only=True, slots=True)
class Coming:
    """When a DataSet runs next by itself.

    Attributes:
        dataset: which.
        meaning: of its schedule; without slots where it rests.
        rests: why no slot becomes a run; None where they do.
        served: whether a server lives that keeps the schedule.
        passed: the slots that had no run of their own, newest first.
    """

    dataset: DataSet
    meaning: Meaning
    rests: str | None
    served: bool
    passed: tuple[Passed, ...]


def coming(house: House, name: str, count: int = 5, say: Say = str) -> Coming:
    """When a DataSet runs next by itself, and which slots had no run of their own.

    Args:
        house: the parts, as whoever asks sees them.
        name: of the DataSet.
        count: how many slots.
        say: in whose language the words of the schedule are.

    Raises:
        UnknownName: there is no such DataSet.
    """
    dataset, now = datasets.find(house, name), house.now()
    schedule, zone = datasets.schedule_of(dataset, say)
    reason = rests(house, dataset)
    return Coming(
        dataset=dataset,
        meaning=Meaning(schedule=schedule, zone=zone, slots=() if reason else slots(schedule, zone, now, count)),
        rests=reason,
        served=is_served(house),
        passed=tuple(datasets.passed(house, dataset, limit=count)),
    )


def coming_view(coming: Coming) -> dict[str, Any]:
    """When a DataSet runs next by itself."""
    return {
        **schedule_view(coming.meaning),
        "paused": coming.dataset.paused,
        "rests": coming.rests,
        "served": coming.served,
        "passed": [passed_view(one) for one in coming.passed],
    }
