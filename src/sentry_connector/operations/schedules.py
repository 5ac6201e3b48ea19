"""What a schedule means."""

from __future__ import annotations

import datetime as dt
import itertools
import zoneinfo
from dataclasses import dataclass
from typing import Any

from sentry_connector.datasets import schedule as schedules
from sentry_connector.datasets.schedule import Say, Schedule, Slot
from sentry_connector.errors import DatesError
from sentry_connector.reports import windows

MOST_SLOTS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Meaning:
    """What a schedule means.

    Attributes:
        schedule: the rule in its one spelling, and in words.
        zone: of its times.
        slots: the next ones.
    """

    schedule: Schedule
    zone: zoneinfo.ZoneInfo
    slots: tuple[Slot, ...]


def meaning(
    rule: str, timezone: str, now: dt.datetime, *, start: str | None = None, count: int = 5, say: Say = str
) -> Meaning:
    """What a schedule means, with its next slots.

    Args:
        rule: in the words of `--schedule`.
        timezone: the IANA zone of its times.
        now: the present, UTC.
        start: slots after this time, of the zone unless it says of which; None = after now.
        count: how many slots.
        say: in whose language its words are.

    Raises:
        ScheduleError: the rule is none.
        DatesError: the zone or the time is none.
    """
    schedule, zone = schedules.parse(rule, say), windows.zone(timezone)
    after = now if start is None else _instant(start, zone)
    return Meaning(schedule=schedule, zone=zone, slots=slots(schedule, zone, after, count))


def slot_view(slot: Slot, zone: zoneinfo.ZoneInfo) -> dict[str, Any]:
    """A slot as JSON."""
    local = slot.at.astimezone(zone).isoformat(timespec="minutes")
    return {"at": f"{slot.at:%Y-%m-%dT%H:%M:%SZ}", "local": local, "note": slot.note}


def schedule_view(meaning: Meaning) -> dict[str, Any]:
    """What a schedule means, as JSON."""
    return {
        "rule": meaning.schedule.rule,
        "words": meaning.schedule.words,
        "timezone": meaning.zone.key,
        "slots": [slot_view(slot, meaning.zone) for slot in meaning.slots],
    }


def slots(schedule: Schedule, zone: zoneinfo.ZoneInfo, after: dt.datetime, count: int) -> tuple[Slot, ...]:
    """The next slots after a time."""
    return tuple(itertools.islice(schedules.slots(schedule, zone, after), count))


def _instant(text: str, zone: zoneinfo.ZoneInfo) -> dt.datetime:
    """A time, of the zone unless it says of which."""
    try:
        found = dt.datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise DatesError(
            f"{text!r} is no time.", remedy="Write 2026-03-08, 2026-03-08T01:30 or 2026-03-08T01:30Z."
        ) from None
