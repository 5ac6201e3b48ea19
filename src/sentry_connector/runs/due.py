"""Which slots have come due, and that each is accounted for once."""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import dataclass

from sentry_connector.datasets import schedule as schedules
from sentry_connector.errors import ConnectorError
from sentry_connector.reports import windows
from sentry_connector.runs.house import House
from sentry_connector.runs.slots import GRACE, becoming
from sentry_connector.store.records import Scheduled


@dataclass(frozen=True, slots=True)
class Unkept:
    """A schedule that cannot be kept, and why."""

    dataset_id: str
    message: str


def tick(house: House, now: dt.datetime, dataset_id: str | None = None) -> list[Unkept]:
    """Account for all slots up to now: of all DataSets, or of one.

    Returns:
        The schedules that cannot be kept: a newer program wrote them, or a zone is no more.
    """
    unkept = []
    for one in house.store.slots.scheduled(dataset_id):
        try:
            due = due_slots(one, now)
        except ConnectorError as error:
            unkept.append(Unkept(one.dataset_id, error.message))
            continue
        if due:
            house.store.slots.account(one, due[-1], functools.partial(becoming, one, due, now))
        elif one.until > now + GRACE:  # the clock was set back: what lies before it counts again
            house.store.slots.account(one, now)
    return unkept


def due_slots(one: Scheduled, now: dt.datetime) -> list[dt.datetime]:
    """The slots that have come due since the last look.

    Raises:
        ScheduleError, DatesError: the rule or the zone is not one that this program knows.
    """
    return schedules.between(schedules.parse(one.schedule), windows.zone(one.details.timezone), one.until, now)
