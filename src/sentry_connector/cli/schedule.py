"""`schedule`: what a schedule means."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Sequence
from typing import Annotated

import typer

from sentry_connector.cli.options import AsJson, typer_app
from sentry_connector.cli.output import print_json, print_line
from sentry_connector.cli.tables import print_table
from sentry_connector.datasets import schedule as schedules
from sentry_connector.datasets.schedule import Schedule, Slot
from sentry_connector.operations import schedules as operations
from sentry_connector.operations.schedules import MOST_SLOTS

app = typer_app()


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
    found = operations.meaning(rule, timezone, dt.datetime.now(dt.UTC), start=start, count=count)
    if as_json:
        print_json(operations.schedule_view(found))
        return
    print_line(in_words(found.schedule, found.zone))
    if found.slots:
        print_slots(found.slots, found.zone)


def in_words(schedule: Schedule, zone: zoneinfo.ZoneInfo) -> str:
    """`weekdays 06:30: Monday to Friday, at 06:30 (Europe/Berlin)`."""
    return f"{schedule.rule}: {schedule.words}" + ("" if schedule.is_manual else f" ({zone.key})")


def print_slots(slots: Sequence[Slot], zone: zoneinfo.ZoneInfo) -> None:
    """The slots in the zone and in UTC, with what a change of clocks does to them."""
    rows = [[_local(slot, zone), f"{slot.at:%Y-%m-%d %H:%M}Z", slot.note or ""] for slot in slots]
    print_table(["local", "UTC", "note"], rows)


def _local(slot: Slot, zone: zoneinfo.ZoneInfo) -> str:
    """`Sun 2026-03-08 03:00 -04:00`."""
    local = slot.at.astimezone(zone)
    return f"{local:%a %Y-%m-%d %H:%M} {local.isoformat()[-6:]}"
