"""`python -m tools.schedules`: what schedules mean on nights when clocks change, as a page; each row was checked by hand."""

from __future__ import annotations

import datetime as dt
import itertools
import sys
from collections.abc import Iterator

from sentry_connector.datasets.schedule import Slot, parse, slots
from sentry_connector.reports import windows

COUNT = 10
BERLIN, YORK, HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
CASES: tuple[tuple[str, str, str], ...] = (
    # Berlin: 2026-03-29 02:00 becomes 03:00, 2026-10-25 03:00 becomes 02:00.
    (BERLIN, "2026-03-28", "daily 02:30"),
    (BERLIN, "2026-03-28", "daily 02:30,03:00"),
    (BERLIN, "2026-03-28", "daily 01:59,03:01"),
    (BERLIN, "2026-03-28T23:00", "hourly"),
    (BERLIN, "2026-03-28T22:30", "hourly 22-4"),
    (BERLIN, "2026-03-29T01:00", "every 15m"),
    (BERLIN, "2026-03-29T00:00", "every 2h"),
    (BERLIN, "2026-03-28", "every 7h"),
    (BERLIN, "2026-03-25", "weekdays 02:30"),
    (BERLIN, "2026-03-20", "weekly sun 02:30"),
    (BERLIN, "2026-01-01", "monthly last sun 02:30"),
    (BERLIN, "2026-03-29T01:00", "cron: */20 1-3 * * *"),
    (BERLIN, "2026-10-24", "daily 02:30"),
    (BERLIN, "2026-10-24", "daily 02:00,03:00"),
    (BERLIN, "2026-10-25T00:30", "hourly"),
    (BERLIN, "2026-10-25T00:30", "hourly 1-4"),
    (BERLIN, "2026-10-25T01:45", "every 15m"),
    (BERLIN, "2026-10-25T01:45", "cron: */15 * * * *"),
    (BERLIN, "2026-10-25T01:45", "cron: 30 2 * * *"),
    (BERLIN, "2026-10-01", "monthly last 02:30"),
    # New York: 2026-03-08 02:00 becomes 03:00, 2026-11-01 02:00 becomes 01:00.
    (YORK, "2026-03-07", "daily 02:30"),
    (YORK, "2026-03-07", "daily 02:00,02:59"),
    (YORK, "2026-03-07T23:30", "hourly"),
    (YORK, "2026-03-01", "monthly 2nd sun 02:30"),
    (YORK, "2026-03-01", "monthly 2nd,4th sun 12:00"),
    (YORK, "2026-10-31", "daily 01:30"),
    (YORK, "2026-10-31T23:30", "hourly 0-4"),
    (YORK, "2026-11-01T00:00", "cron: 30 1 * * *"),
    (YORK, "2026-11-01T00:30", "every 30m"),
    (YORK, "2026-10-30", "monthly 1 01:30"),
    # Lord Howe: half an hour. 2026-04-05 02:00 becomes 01:30, 2026-10-04 02:00 becomes 02:30.
    (HOWE, "2026-04-04", "daily 01:45"),
    (HOWE, "2026-10-03", "daily 02:15"),
    (HOWE, "2026-10-03T23:30", "hourly"),
    # At midnight: Beirut 2026-03-29 00:00 becomes 01:00, Havana 2026-11-01 01:00 becomes 00:00.
    ("Asia/Beirut", "2026-03-28", "daily 00:00"),
    ("Asia/Beirut", "2026-03-28", "daily 00:30"),
    ("America/Havana", "2026-10-31", "daily 00:30"),
    # A whole day that never was: Apia had no 2011-12-30.
    ("Pacific/Apia", "2011-12-28", "daily 06:30"),
    # No change at all, and months that lack days.
    ("Asia/Kathmandu", "2026-03-28", "daily 06:30"),
    ("UTC", "2026-01-30", "monthly 31 06:30"),
    ("UTC", "2026-01-30", "monthly 29,last 06:30"),
    ("UTC", "2024-02-01", "feb monthly 29 06:30"),
    ("UTC", "2026-01-01", "jan,jul monthly 1st mon 06:30"),
)


def page() -> str:
    """The whole page."""
    return f"""\
# Schedules where clocks change

The {COUNT} slots of each rule after a time of its zone, as `sentry-connector schedule show` tells them.
A local time that a change of clocks skips runs at the next minute that there is, one that comes twice at the first.
What happens every few minutes, or at each full hour without a window of hours, goes on through both.

""" + "\n".join(itertools.chain.from_iterable(_section(*case) for case in CASES))


def found(zone_name: str, start: str, rule: str) -> list[Slot]:
    """The slots of a case."""
    zone = windows.zone(zone_name)
    after = dt.datetime.fromisoformat(start).replace(tzinfo=zone).astimezone(dt.UTC)
    return list(itertools.islice(slots(parse(rule), zone, after), COUNT))


def _section(zone_name: str, start: str, rule: str) -> Iterator[str]:
    zone = windows.zone(zone_name)
    yield f"## `{rule}` in {zone_name}, after {start}"
    yield ""
    yield "| local | UTC | |"
    yield "|---|---|---|"
    for slot in found(zone_name, start, rule):
        local = slot.at.astimezone(zone)
        yield f"| {local:%a %Y-%m-%d %H:%M} {local.isoformat()[-6:]} | {slot.at:%Y-%m-%d %H:%M} | {slot.note or ''} |"
    yield ""


if __name__ == "__main__":
    sys.stdout.write(page())
