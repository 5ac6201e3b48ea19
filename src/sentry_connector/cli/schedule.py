"""`schedule`: what a schedule means."""

from __future__ import annotations

import datetime as dt
import itertools
import zoneinfo
from typing import Annotated

import typer

from sentry_connector.cli.options import AsJson, typer_app
from sentry_connector.cli.output import print_json, print_line
from sentry_connector.cli.tables import print_table
from sentry_connector.datasets import schedule as schedules
from sentry_connector.datasets.schedule import Schedule, Slot
from sentry_connector.errors import DatesError
from sentry_connector.reports import windows

app = typer_app()

MOST_SLOTS = 1000


@app.callback()
def schedule() -> None:
    """What a schedule means."""


@app.command()
def show(
    rule: Annotated[str, typer.Argument(metavar="RULE", help=f"Such as {schedules.EXAMPLES}.")],
    timezone: Annotated[str, typer.Option(metavar="ZONE", help="The IANA time zone of its times.")] = "UTC",
    start: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="TIME", help="Slots after this time, such as 2026-03-08 or 2026-03-08T01:30; now."
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=MOST_SLOTS, help="How many slots.")] = 5,
    *,
    as_json: AsJson = False,
) -> None:
    """Say a schedule in words, and when it is time next.

    A rule is `manual`, `every STEP [HOURS]`, `hourly [HOURS]`, or DAYS and times: `06:30`, `06:30,18:00`, `hourly [HOURS]` or
    `every STEP [HOURS]`.

    DAYS are `daily`, `weekdays`, `weekly mon,thu`, `monthly 1,15`, `monthly last`, `monthly 2nd,4th sun` or `monthly last fri`;
    HOURS a window such as `8-17`, the end exclusive, or `22-6`; STEP such as `15m` or `2h`. Months may stand in front:
    `jan,jul monthly 1 06:30`.

    `cron: MINUTE HOUR DAY MONTH WEEKDAY` is a cron expression.
    """
    parsed, zone = schedules.parse(rule), windows.zone(timezone)
    after = dt.datetime.now(dt.UTC) if start is None else _instant(start, zone)
    found = list(itertools.islice(schedules.slots(parsed, zone, after), count))
    if as_json:
        slots = [slot_view(slot, zone) for slot in found]
        print_json({"rule": parsed.rule, "words": parsed.words, "timezone": zone.key, "slots": slots})
        return
    print_line(in_words(parsed, zone))
    if found:
        print_slots(found, zone)


def in_words(schedule: Schedule, zone: zoneinfo.ZoneInfo) -> str:
    """`weekdays 06:30: Monday to Friday, at 06:30 (Europe/Berlin)`."""
    return f"{schedule.rule}: {schedule.words}" + ("" if schedule.is_manual else f" ({zone.key})")


def print_slots(slots: list[Slot], zone: zoneinfo.ZoneInfo) -> None:
    """The slots in the zone and in UTC, with what a change of clocks does to them."""
    rows = [[_local(slot, zone), f"{slot.at:%Y-%m-%d %H:%M}Z", slot.note or ""] for slot in slots]
    print_table(["local", "UTC", "note"], rows)


def slot_view(slot: Slot, zone: zoneinfo.ZoneInfo) -> dict[str, object]:
    """The slot as JSON."""
    local = slot.at.astimezone(zone).isoformat(timespec="minutes")
    return {"at": f"{slot.at:%Y-%m-%dT%H:%M:%SZ}", "local": local, "note": slot.note}


def _local(slot: Slot, zone: zoneinfo.ZoneInfo) -> str:
    """`Sun 2026-03-08 03:00 -04:00`."""
    local = slot.at.astimezone(zone)
    return f"{local:%a %Y-%m-%d %H:%M} {local.isoformat()[-6:]}"


def _instant(text: str, zone: zoneinfo.ZoneInfo) -> dt.datetime:
    """A time, of the zone unless it says of which."""
    try:
        found = dt.datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise DatesError(
            f"{text!r} is no time.", remedy="Write 2026-03-08, 2026-03-08T01:30 or 2026-03-08T01:30Z."
        ) from None
