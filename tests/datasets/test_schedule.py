"""Rules become instants: each form, each refusal, and every night on which clocks change."""

from __future__ import annotations

import bisect
import datetime as dt
import itertools
import zoneinfo
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentry_connector.datasets.schedule import Schedule, between, parse, slots
from sentry_connector.errors import ScheduleError

NEW_YORK = zoneinfo.ZoneInfo("America/New_York")
FROM, YEARS = dt.datetime(2026, 1, 1, tzinfo=dt.UTC), 10
UNTIL = FROM.replace(year=FROM.year + YEARS)
ODD_ZONES = (
    "UTC", "America/New_York", "Europe/Berlin", "Europe/London", "Europe/Dublin", "Australia/Lord_Howe", "Africa/Casablanca",
    "Asia/Kathmandu", "Asia/Beirut", "America/Santiago", "America/Havana", "Antarctica/Troll", "Pacific/Chatham", "Asia/Gaza",
)  # fmt: skip
"""Zones with changes of half an hour, of two hours, at midnight, or in the other direction."""
TIMES = ("00:00", "00:30", "01:30", "02:00", "02:45", "03:15", "23:59")
MINUTE, DAY = dt.timedelta(minutes=1), dt.timedelta(days=1)
PARTS = 4
"""Into which all zones are divided, so that each processor has some."""

FORMS = {
    "manual": ("never by itself", ()),
    "every 5m": ("every 5 minutes, counted from midnight UTC", ()),
    "every 7m": ("every 7 minutes, day and night", ()),
    "every 1h": ("every hour, counted from midnight UTC", ()),
    "hourly": ("every day, at each full hour", ("0 * * * *",)),
    "hourly 8-11": ("every day, at each full hour from 08:00 to before 11:00", ("0 8,9,10 * * *",)),
    "hourly 22-1": ("every day, at each full hour from 22:00 to before 01:00", ("0 22,23,0 * * *",)),
    "daily 06:30": ("every day, at 06:30", ("30 6 * * *",)),
    "daily 18:00,06:30": ("every day, at 06:30 and 18:00", ("30 6 * * *", "0 18 * * *")),
    "weekdays 06:30": ("Monday to Friday, at 06:30", ("30 6 * * 1-5",)),
    "weekly thu,mon 06:30": ("every Monday and Thursday, at 06:30", ("30 6 * * 1,4",)),
    "weekly sunday 06:30": ("every Sunday, at 06:30", ("30 6 * * 7",)),
    "monthly 15,1 06:30": ("the 1st and 15th day of the month, at 06:30", ("30 6 1,15 * *",)),
    "monthly last 06:30": ("the last day of the month, at 06:30", ("30 6 L * *",)),
    "monthly 2nd,4th sun 06:30": ("the 2nd and 4th Sunday of the month, at 06:30", ("30 6 * * 7#2,7#4",)),
    "monthly last fri 06:30": ("the last Friday of the month, at 06:30", ("30 6 * * 5L",)),
    "jan,jul monthly 1 06:30": ("the 1st day of the month in January and July, at 06:30", ("30 6 1 1,7 *",)),
    "weekdays every 15m 8-10": ("Monday to Friday, every 15 minutes from 08:00 to before 10:00", ("*/15 8,9 * * 1-5",)),
    "daily every 6h": ("every day, every 6 hours", ("0 0,6,12,18 * * *",)),
    "hourly 0-24": ("every day, at each full hour, all day", (f"0 {','.join(map(str, range(24)))} * * *",)),
    "daily every 12h 8-8": ("every day, every 12 hours, all day from 08:00", ("0 8,20 * * *",)),
    "feb,aug hourly": ("every day in February and August, at each full hour", ("0 * * 2,8 *",)),
    "cron: */5 * * * *": ("Every 5 minutes", ("*/5 * * * *",)),
    "cron: 0 0 * * MON": ("At 00:00, only on Monday", ("0 0 * * MON",)),
    "cron: 0 0 29 2 MON#5": (
        "At 00:00, on day 29 of the month, or on the fifth Monday of the month, only in February",
        ("0 0 29 2 MON#5",),
    ),
    "cron: 0 0 */2 * MON": ("At 00:00, every 2 days, and on Monday", ("0 0 */2 * MON",)),
}
SPELLINGS = {
    "daily 6:30": "daily 06:30",
    "daily 18:00, 6:30,06:30": "daily 06:30,18:00",
    "weekly thursday,mon , thu 6:30": "weekly mon,thu 06:30",
    "monthly last,15,01 06:30": "monthly 1,15,last 06:30",
    "monthly last,2nd,2nd sun,Monday 06:30": "monthly 2nd,last mon,sun 06:30",
    "July,jan monthly 1 06:30": "jan,jul monthly 1 06:30",
    "every 120m": "every 2h",
    "weekdays every 60m 08-17": "weekdays every 1h 8-17",
    "hourly 08-17": "hourly 8-17",
}
REFUSED = {
    "": "is empty",
    "jan,feb": "is empty",
    "yearly": "does not begin with 'yearly'",
    "daily": "lacks a time of day",
    "weekly": "lacks days of the week",
    "weekly mon": "lacks a time of day",
    "monthly": "lacks days of the month",
    "daily 24:00": "'24:00' is no time of day",
    "daily 06:60": "'06:60' is no time of day",
    "daily 06:30 07:30": "no place for '07:30'",
    "weekly foo 06:30": "'foo' is no day of the week",
    "monthly 32 06:30": "'32' is no day of the month",
    "monthly 0 06:30": "'0' is no day of the month",
    "hourly 8": "no place for '8'",
    "hourly 24-8": "'24-8' is no window of hours",
    "hourly 8-25": "'8-25' is no window of hours",
    "weekly 06:30": "lacks days of the week",
    "weekly every 15m": "lacks days of the week",
    "monthly 06:30": "lacks days of the month",
    "monthly 2 sun 06:30": "`2` does not say which sun",
    "monthly 1,last fri 06:30": "`1,last` does not say which fri",
    "monthly last foo 06:30": "'foo' is no time of day",
    "daily \uff10\uff16:30": "is no time of day",
    "monthly \uff11 06:30": "is no day of the month",
    "every \uff15m": "names no step",
    "every": "names no step",
    "every 0m": "names no step",
    "every 25h": "names no step",
    "every 5s": "names no step",
    "every 45m 8-17": "does not divide",
    "feb monthly 30 06:00": "No day is ever that of `feb monthly 30 06:00`",
    "cron: * * * *": "five fields, and '* * * *' has 4",
    "cron: * * * * * *": "five fields",
    "cron: 61 * * * *": "is no cron expression",
    "cron: 0 0 30 2 *": "is no cron expression",
}


def first(rule: str, zone: zoneinfo.ZoneInfo, after: str, count: int) -> list[tuple[str, str | None]]:
    """The next slots: local time with offset, and note."""
    start = dt.datetime.fromisoformat(after).replace(tzinfo=zone)
    found = itertools.islice(slots(parse(rule), zone, start), count)
    return [(slot.at.astimezone(zone).isoformat(timespec="minutes"), slot.note) for slot in found]


IsDay = Callable[[dt.date], bool]
DAYS: dict[str, IsDay] = {
    "daily": lambda _: True,
    "weekly mon,thu": lambda day: f"{day:%a}" in {"Mon", "Thu"},
    "monthly 1,last": lambda day: day.day == 1 or (day + DAY).day == 1,
    "monthly 2nd,last sun": lambda day: f"{day:%a}" == "Sun" and (8 <= day.day <= 14 or (day + 7 * DAY).day <= 7),
    "mar,oct weekdays": lambda day: day.month in {3, 10} and day.isoweekday() <= 5,
}
"""Days of a rule → whether a day is one of them, by the calendar alone."""


def by_the_clock(zone: zoneinfo.ZoneInfo, time: dt.time, is_day: IsDay) -> Iterator[dt.datetime]:
    """For each such local day the first minute at which the clock shows the time or, where it never does, a later one."""
    day = FROM.astimezone(zone).date() - DAY
    while True:
        day += DAY
        if not is_day(day):
            continue
        wanted = dt.datetime.combine(day, time)
        at = wanted.replace(tzinfo=zone).astimezone(dt.UTC)
        if len({(at + dt.timedelta(hours=hours)).astimezone(zone).utcoffset() for hours in range(-26, 27, 26)}) > 1:
            at -= DAY
            while at.astimezone(zone).replace(tzinfo=None) < wanted:
                at += MINUTE
        if at > UNTIL:
            return
        if at > FROM:
            yield at


def check_fixed_times(name: str, time: str, days: str = "daily") -> None:
    zone = zoneinfo.ZoneInfo(name)
    found = between(parse(f"{days} {time}"), zone, FROM, UNTIL)
    assert found == list(by_the_clock(zone, dt.time.fromisoformat(time), DAYS[days])), (name, days, time)


def check_window(name: str) -> None:
    """Each full hour of a window comes once on its days: what is skipped with others of the window is one slot with them."""
    zone, hours = zoneinfo.ZoneInfo(name), (22, 23, 0, 1, 2, 3)
    found = between(parse("weekly mon,thu hourly 22-4"), zone, FROM, UNTIL)
    wanted = (by_the_clock(zone, dt.time(hour), DAYS["weekly mon,thu"]) for hour in hours)
    assert found == sorted(set(itertools.chain.from_iterable(wanted))), name


def clock(name: str) -> tuple[tuple[dt.datetime, dt.timedelta | None], ...]:
    """When the clocks of a zone change in these years, to the minute, and what they are then ahead of UTC."""
    zone = zoneinfo.ZoneInfo(name)

    def ahead(minutes: int) -> dt.timedelta | None:
        return (FROM + minutes * MINUTE).astimezone(zone).utcoffset()

    changes, days = [(FROM, ahead(0))], range(0, (UNTIL - FROM) // MINUTE + 1, DAY // MINUTE)
    for start, end in itertools.pairwise(days):
        if ahead(start) != ahead(end):
            new = bisect.bisect_left(range(end), True, lo=start, key=lambda minute: ahead(minute) == ahead(end))
            changes.append((FROM + new * MINUTE, ahead(end)))
    return tuple(changes)


def check_steps(name: str) -> None:
    """What is done every quarter of an hour is done so in each night."""
    zone = zoneinfo.ZoneInfo(name)
    found = between(parse("cron: */15 * * * *"), zone, FROM, FROM + 366 * DAY)
    assert {after - before for before, after in itertools.pairwise(found)} == {15 * MINUTE}, name


@pytest.mark.parametrize("rule", FORMS)
def test_a_rule_means_this(rule: str) -> None:
    schedule = parse(rule)
    assert (schedule.words, schedule.crons) == FORMS[rule]
    assert parse(schedule.rule) == schedule
    assert parse(f"  {rule.upper().replace(' ', '   ')} ") == schedule


@pytest.mark.parametrize("rule", SPELLINGS)
def test_a_rule_has_one_spelling(rule: str) -> None:
    schedule = parse(rule)
    assert schedule.rule == SPELLINGS[rule]
    assert parse(schedule.rule) == schedule


@pytest.mark.parametrize("rule", REFUSED)
def test_what_is_no_rule_is_refused_with_the_part_that_is_wrong(rule: str) -> None:
    with pytest.raises(ScheduleError) as refused:
        parse(rule)
    assert REFUSED[rule] in refused.value.message
    assert refused.value.remedy


def test_the_calendar_has_an_end() -> None:
    for rule in ("daily 06:30", "every 7m", "hourly"):
        start = dt.datetime(9999, 12, 31, 20, tzinfo=dt.UTC)
        assert all(slot.at > start for slot in slots(parse(rule), NEW_YORK, start))


def test_days_of_the_month_and_of_the_week_are_each_enough_in_cron_unless_one_begins_with_a_star() -> None:
    days = [at[:10] for at, _ in first("cron: 0 6 13 * FRI", NEW_YORK, "2026-01-01T00:00", 4)]
    assert days == ["2026-01-02", "2026-01-09", "2026-01-13", "2026-01-16"]
    days = [at[:10] for at, _ in first("cron: 0 6 */2 * MON", NEW_YORK, "2026-01-01T00:00", 3)]
    assert days == ["2026-01-05", "2026-01-19", "2026-02-09"]


def test_manual_is_never() -> None:
    assert parse("manual").is_manual
    assert list(slots(parse("manual"), NEW_YORK, FROM)) == []


def test_a_skipped_time_runs_at_the_next_minute_and_a_doubled_one_once() -> None:
    assert first("daily 02:30", NEW_YORK, "2026-03-07T00:00", 3) == [
        ("2026-03-07T02:30-05:00", None),
        ("2026-03-08T03:00-04:00", "the clocks skip 02:30; this is the next minute that there is"),
        ("2026-03-09T02:30-04:00", None),
    ]
    assert first("daily 01:30", NEW_YORK, "2026-10-31T12:00", 2) == [
        ("2026-11-01T01:30-04:00", "01:30 comes twice; this is the first"),
        ("2026-11-02T01:30-05:00", None),
    ]


def test_a_skipped_time_that_meets_another_is_one_slot() -> None:
    assert first("daily 02:30,03:00", NEW_YORK, "2026-03-08T00:00", 2) == [
        ("2026-03-08T03:00-04:00", None),
        ("2026-03-09T02:30-04:00", None),
    ]


def test_hours_go_on_through_the_change() -> None:
    assert first("hourly", NEW_YORK, "2026-11-01T00:30", 3) == [
        ("2026-11-01T01:00-04:00", "01:00 comes twice; this is the first"),
        ("2026-11-01T01:00-05:00", "01:00 comes twice; this is the second"),
        ("2026-11-01T02:00-05:00", None),
    ]


def test_short_months_are_skipped_and_their_last_day_is_not() -> None:
    days = [at[:10] for at, _ in first("monthly 31 06:00", NEW_YORK, "2026-01-31T12:00", 3)]
    assert days == ["2026-03-31", "2026-05-31", "2026-07-31"]
    days = [at[:10] for at, _ in first("monthly last 06:00", NEW_YORK, "2028-01-31T12:00", 2)]
    assert days == ["2028-02-29", "2028-03-31"]


def test_the_second_and_fourth_sundays() -> None:
    days = [at[:10] for at, _ in first("monthly 2nd,4th sun 06:00", NEW_YORK, "2026-09-01T00:00", 6)]
    assert days == ["2026-09-13", "2026-09-27", "2026-10-11", "2026-10-25", "2026-11-08", "2026-11-22"]


@pytest.mark.parametrize("name", ODD_ZONES)
def test_a_fixed_time_comes_once_on_each_day_of_ten_years(name: str) -> None:
    check_fixed_times(name, "02:45")
    check_steps(name)


@pytest.mark.parametrize("name", ODD_ZONES)
def test_a_fixed_time_comes_once_on_each_day_of_a_rule(name: str) -> None:
    for days in list(DAYS)[1:]:
        check_fixed_times(name, "02:45", days)
    check_window(name)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
def test_a_fixed_time_comes_once_on_each_day_of_ten_years_in_every_zone(part: int) -> None:
    """Zones whose clocks show the same in all those years are the same zone to a schedule: one of them is tried."""
    zones = {clock(name): name for name in sorted(zoneinfo.available_timezones() - {"localtime", "Factory"})}
    assert len(zones) > len(ODD_ZONES)
    for name in list(zones.values())[part::PARTS]:
        for time, days in itertools.product(TIMES, DAYS):
            check_fixed_times(name, time, days)
        check_window(name)
        check_steps(name)


RULES = st.sampled_from([rule for rule in FORMS if rule != "manual"]).map(parse)
INSTANTS = st.integers(0, 4 * 366 * 86400).map(lambda seconds: FROM + dt.timedelta(seconds=seconds))


@given(RULES, st.sampled_from(ODD_ZONES).map(zoneinfo.ZoneInfo), INSTANTS, st.lists(st.integers(0, 3000), max_size=4))
def test_no_slot_lies_between_two_looks_and_none_in_both(
    schedule: Schedule, zone: zoneinfo.ZoneInfo, start: dt.datetime, minutes: list[int]
) -> None:
    looks = [start]
    for one in minutes:
        looks.append(looks[-1] + dt.timedelta(minutes=one))
    found = [at for before, after in itertools.pairwise(looks) for at in between(schedule, zone, before, after)]
    assert found == between(schedule, zone, start, looks[-1])
    assert found == sorted(set(found))


@given(RULES, st.sampled_from(ODD_ZONES).map(zoneinfo.ZoneInfo), INSTANTS)
def test_slots_are_whole_minutes_after_the_look(
    schedule: Schedule, zone: zoneinfo.ZoneInfo, start: dt.datetime
) -> None:
    found = [slot.at for slot in itertools.islice(slots(schedule, zone, start), 5)]
    assert all(start < at and not at.second and not at.microsecond for at in found)
    assert found == sorted(set(found))
