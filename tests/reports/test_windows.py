"""What dates mean: the vectors, and properties over zones, days and buckets."""

from __future__ import annotations

import datetime as dt
import random
import zoneinfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reports.date_vectors import NOON, VECTORS, DateVector, date, utc

from sentry_connector.errors import DatesError
from sentry_connector.reports.details import AllAvailable, DateRange, Duration, SinceLastRun, SingleDate, Window
from sentry_connector.reports.windows import (
    align,
    check_duration,
    dates_in_words,
    days_of,
    describe,
    floor_to_day,
    resolve,
    split,
    whole_days,
    zone,
)

NO_SETTLE = dt.timedelta(0)
ONE_DAY = dt.timedelta(days=1)
TICK = dt.timedelta.resolution

# Zones whose clocks change at midnight, by half an hour, off the hour, or over the date line, and forty others.
ODD_ZONES = [
    "America/Sao_Paulo",
    "Africa/Cairo",
    "Asia/Beirut",
    "America/Havana",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/Scoresbysund",
    "Pacific/Apia",
    "Antarctica/Troll",
]
ZONES = ODD_ZONES + random.Random(7).sample(sorted(zoneinfo.available_timezones() - {"localtime"}), 40)  # noqa: S311  # not cryptography

zones = st.sampled_from(ZONES)
nows = st.datetimes(dt.datetime(2016, 1, 1), dt.datetime(2037, 1, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001  # the strategy adds the zone
buckets = st.sampled_from([10, 3600, 86_400])


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.case)
def test_dates_mean_these_instants(vector: DateVector) -> None:
    window = resolve(
        vector.duration, timezone=vector.timezone, now=vector.now, settle=NO_SETTLE, watermark=vector.watermark
    )
    assert window.start is not None
    assert (window.start, window.end, window.read_end) == (vector.start, vector.end, vector.read_end)
    assert (window.first_day, window.last_day) == vector.days
    assert (window.start.timestamp(), window.end.timestamp()) == vector.epochs
    assert (window.end - window.start) / dt.timedelta(hours=1) == vector.hours


def test_reading_stops_a_settle_time_before_the_runs_instant() -> None:
    window = resolve(SingleDate(0), timezone="UTC", now=NOON)
    assert window.read_end == NOON - dt.timedelta(seconds=60)
    assert window.cut


def test_a_day_long_past_is_read_to_its_end() -> None:
    window = resolve(SingleDate(1), timezone="UTC", now=NOON)
    assert window.read_end == window.end
    assert not window.cut


def test_reading_never_stops_before_it_starts() -> None:
    window = resolve(SingleDate(0), timezone="UTC", now=utc(3, 10) + dt.timedelta(seconds=5))
    assert window.read_end == window.start == utc(3, 10)


def test_a_retry_after_midnight_with_the_slots_instant_keeps_the_day() -> None:
    slot = utc(3, 10, 23, 59)
    assert resolve(SingleDate(0), timezone="UTC", now=slot).first_day == date(3, 10)
    assert resolve(SingleDate(0), timezone="UTC", now=slot + dt.timedelta(minutes=15)).first_day == date(3, 11)


@given(back=st.integers(0, 3000), now=nows)
def test_a_relative_window_moves_on_with_the_clock(back: int, now: dt.datetime) -> None:
    today = resolve(SingleDate(back), timezone="UTC", now=now)
    tomorrow = resolve(SingleDate(back), timezone="UTC", now=now + ONE_DAY)
    assert tomorrow.start == today.end


@pytest.mark.parametrize(
    "duration",
    [
        SingleDate(date(3, 11)),
        DateRange(date(3, 1), date(3, 11)),
        DateRange(date(3, 11), 0),
        SingleDate(date(12, 31, year=9999)),
    ],
)
def test_a_day_in_the_future_is_refused(duration: Duration) -> None:
    with pytest.raises(DatesError, match="lies in the future: today is 2026-03-10 in UTC"):
        resolve(duration, timezone="UTC", now=NOON)


@pytest.mark.parametrize(
    "duration",
    [DateRange(5, 10), DateRange(date(3, 5), date(3, 1)), DateRange(date(3, 9), 2), DateRange(0, date(3, 9))],
)
def test_dates_that_run_backwards_are_refused(duration: Duration) -> None:
    with pytest.raises(DatesError, match="run backwards"):
        resolve(duration, timezone="UTC", now=NOON)


@pytest.mark.parametrize("duration", [DateRange(5, 10), DateRange(date(3, 5), date(3, 1))])
def test_dates_of_one_kind_that_run_backwards_are_refused_without_a_clock(duration: Duration) -> None:
    with pytest.raises(DatesError, match="run backwards"):
        check_duration(duration)


@pytest.mark.parametrize(
    "duration",
    [SingleDate(-1), SingleDate(3651), DateRange(3651, 0), DateRange(1, -1), SingleDate(date(12, 31, year=1969))],
)
def test_a_day_out_of_reach_is_refused(duration: Duration) -> None:
    with pytest.raises(DatesError, match=r"0 to 3650|too early"):
        resolve(duration, timezone="UTC", now=NOON)


@pytest.mark.parametrize("overlap", [-1, 3651 * 86_400])
def test_an_overlap_out_of_reach_is_refused(overlap: int) -> None:
    with pytest.raises(DatesError, match="overlap"):
        check_duration(SinceLastRun(overlap))


def test_a_day_that_the_zone_skipped_is_refused() -> None:
    with pytest.raises(DatesError, match="never was in Pacific/Apia"):
        resolve(SingleDate(dt.date(2011, 12, 30)), timezone="Pacific/Apia", now=NOON)


def test_a_day_that_the_zone_skipped_is_no_day_of_a_range() -> None:
    duration = DateRange(dt.date(2011, 12, 29), dt.date(2011, 12, 31))
    window = resolve(duration, timezone="Pacific/Apia", now=NOON)
    assert days_of(window, "Pacific/Apia") == [dt.date(2011, 12, 29), dt.date(2011, 12, 31)]


def test_a_day_without_a_midnight_starts_when_its_clocks_do() -> None:
    window = resolve(SingleDate(dt.date(2018, 11, 4)), timezone="America/Sao_Paulo", now=NOON)
    assert window.start == dt.datetime(2018, 11, 4, 3, tzinfo=dt.UTC)
    assert window.end - window.start == dt.timedelta(hours=23)


def test_a_day_with_two_midnights_holds_both() -> None:
    window = resolve(SingleDate(dt.date(2025, 11, 2)), timezone="America/Havana", now=NOON)
    assert window.start == dt.datetime(2025, 11, 2, 4, tzinfo=dt.UTC)
    assert window.end - window.start == dt.timedelta(hours=25)


@pytest.mark.parametrize("name", ["europe/berlin", "Berlin", "Europe/Berlinn"])
def test_an_unknown_zone_is_refused_with_the_nearest(name: str) -> None:
    with pytest.raises(DatesError, match="no time zone named") as caught:
        zone(name)
    assert "Europe/Berlin" in caught.value.remedy


@pytest.mark.parametrize("name", ["", "America", "../UTC", "/etc/localtime", "U\0TC", "x" * 5000])
def test_a_hostile_zone_is_refused_like_any_other(name: str) -> None:
    with pytest.raises(DatesError):
        resolve(AllAvailable(), timezone=name, now=NOON)


def test_all_available_has_no_start_and_ends_now() -> None:
    window = resolve(AllAvailable(), timezone="UTC", now=NOON)
    assert window == Window(start=None, end=NOON, read_end=NOON - dt.timedelta(seconds=60), cut=True)


def test_a_first_run_since_the_last_reads_all_available() -> None:
    first_run = resolve(SinceLastRun(), timezone="UTC", now=NOON)
    assert first_run == resolve(AllAvailable(), timezone="UTC", now=NOON)


def test_a_first_run_of_counts_goes_back_thirty_days_to_the_start_of_a_day() -> None:
    window = resolve(SinceLastRun(), timezone="America/New_York", now=NOON, first_run_days=30)
    assert window.start == utc(2, 8, 5)
    assert window.first_day == date(2, 8)


def test_a_run_whose_slot_lies_before_the_watermark_has_nothing_to_read() -> None:
    window = resolve(SinceLastRun(0), timezone="UTC", now=NOON, watermark=utc(3, 10, 12, 5))
    assert window.start == window.read_end == window.end == utc(3, 10, 12, 5)


@given(zone_name=zones, now=nows, start=st.integers(0, 1400), length=st.integers(1, 60))
def test_a_range_of_n_days_has_n_days_in_every_zone(zone_name: str, now: dt.datetime, start: int, length: int) -> None:
    duration = DateRange(start + length - 1, start)
    window = resolve(duration, timezone=zone_name, now=now)
    days = days_of(window, zone_name)
    tz = zoneinfo.ZoneInfo(zone_name)
    assert window.start is not None
    assert window.start < window.end
    assert window.start <= window.read_end <= window.end
    assert len(days) == length
    assert (days[0], days[-1]) == (window.first_day, window.last_day)
    assert days[-1] == now.astimezone(tz).date() - ONE_DAY * start
    assert (window.start - TICK).astimezone(tz).date() < days[0] <= window.start.astimezone(tz).date()


@given(zone_name=zones, now=nows, back=st.integers(1, 1400))
def test_neighbouring_days_meet(zone_name: str, now: dt.datetime, back: int) -> None:
    earlier = resolve(SingleDate(back), timezone=zone_name, now=now)
    later = resolve(SingleDate(back - 1), timezone=zone_name, now=now)
    assert earlier.end == later.start


@given(
    zone_name=zones,
    now=nows,
    since=st.timedeltas(dt.timedelta(0), dt.timedelta(days=40)),
    overlap=st.integers(0, 200_000),
)
def test_no_instant_lies_between_two_runs(zone_name: str, now: dt.datetime, since: dt.timedelta, overlap: int) -> None:
    before = resolve(SinceLastRun(overlap), timezone=zone_name, now=now)
    after = resolve(SinceLastRun(overlap), timezone=zone_name, now=now + since, watermark=before.read_end)
    assert after.start == before.read_end - dt.timedelta(seconds=overlap)
    assert after.start <= after.read_end <= after.end


@given(start=nows, length=st.timedeltas(dt.timedelta(0), dt.timedelta(days=3)), seconds=buckets)
def test_align_contains_the_window_and_is_minimal(start: dt.datetime, length: dt.timedelta, seconds: int) -> None:
    window = Window(start=start, end=start + length, read_end=start + length)
    grown = align(window, seconds)
    step = dt.timedelta(seconds=seconds)
    assert grown.start is not None
    assert grown.start.timestamp() % seconds == grown.end.timestamp() % seconds == 0
    assert grown.start <= window.end <= grown.end
    assert start - grown.start < step
    assert grown.end - window.end < step
    assert grown.read_end == window.read_end
    assert align(grown, seconds) == grown


def test_align_grows_a_day_that_is_off_the_hour_and_keeps_its_name() -> None:
    window = align(resolve(SingleDate(date(3, 9)), timezone="Asia/Kathmandu", now=NOON), 3600)
    assert (window.start, window.end) == (utc(3, 8, 18), utc(3, 9, 19))
    assert (window.first_day, window.last_day) == (date(3, 9), date(3, 9))


def test_align_leaves_an_open_start_open() -> None:
    assert align(resolve(AllAvailable(), timezone="UTC", now=NOON), 3600).start is None


@given(
    start=nows,
    length=st.timedeltas(dt.timedelta(0), dt.timedelta(days=3)),
    seconds=buckets,
    most=st.integers(100, 400),
)
def test_split_tiles_the_span(start: dt.datetime, length: dt.timedelta, seconds: int, most: int) -> None:
    end = start + length
    spans = split(start, end, seconds_per_bucket=seconds, buckets=most)
    edges = [edge for edge, _ in spans] + [end]
    assert edges[0] == start
    assert [stop for _, stop in spans] == edges[1:]
    assert all(first < stop for first, stop in spans)
    assert all(edge.timestamp() % seconds == 0 for edge in edges[1:-1])
    assert all(-(-stop.timestamp() // seconds) - first.timestamp() // seconds <= most for first, stop in spans)


def test_split_uses_as_few_spans_as_can_be() -> None:
    assert split(utc(3, 1), utc(3, 3), seconds_per_bucket=3600, buckets=24) == [
        (utc(3, 1), utc(3, 2)),
        (utc(3, 2), utc(3, 3)),
    ]


@pytest.mark.parametrize(("seconds", "most"), [(0, 1), (-5, 1), (10, 0)])
def test_split_refuses_spans_that_would_never_end(seconds: int, most: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        split(utc(3, 1), utc(3, 2), seconds_per_bucket=seconds, buckets=most)


@given(zone_name=zones, now=nows, back=st.timedeltas(dt.timedelta(0), dt.timedelta(days=5)))
def test_floor_to_day_moves_the_start_to_the_first_instant_of_its_day(
    zone_name: str, now: dt.datetime, back: dt.timedelta
) -> None:
    window = resolve(SinceLastRun(0), timezone=zone_name, now=now, watermark=now - back)
    floored = floor_to_day(window, zone_name)
    tz = zoneinfo.ZoneInfo(zone_name)
    assert window.start is not None
    assert floored.start is not None
    assert floored.start <= window.start
    assert floored.start.astimezone(tz).date() == window.start.astimezone(tz).date() == floored.first_day
    assert (floored.start - TICK).astimezone(tz).date() < window.start.astimezone(tz).date()
    assert floor_to_day(floored, zone_name) == floored


def test_floor_to_day_leaves_an_open_start_open() -> None:
    window = resolve(AllAvailable(), timezone="UTC", now=NOON)
    assert floor_to_day(window, "UTC") == window


@given(zone_name=zones, now=nows, first=st.integers(0, 400), length=st.integers(0, 30))
def test_every_day_of_a_range_that_was_begun_is_whole(
    zone_name: str, now: dt.datetime, first: int, length: int
) -> None:
    window = resolve(DateRange(first + length, first), timezone=zone_name, now=now)
    begins = {day: resolve(SingleDate(day), timezone=zone_name, now=now).start for day in days_of(window, zone_name)}
    begun = {day for day, start in begins.items() if start is not None and start < window.read_end}
    assert whole_days(window, zone_name) == begun
    assert len(begins) - len(begun) <= 1


def test_a_day_that_the_window_enters_later_is_not_whole() -> None:
    window = resolve(SinceLastRun(0), timezone="UTC", now=NOON, watermark=utc(3, 8, 6))
    assert whole_days(window, "UTC") == {date(3, 9), date(3, 10)}
    assert whole_days(floor_to_day(window, "UTC"), "UTC") == {date(3, 8), date(3, 9), date(3, 10)}


def test_a_day_whose_end_is_before_midnight_for_another_reason_than_now_is_not_whole() -> None:
    window = Window(start=utc(3, 1), end=utc(3, 2, 6), read_end=utc(3, 2, 6))
    assert whole_days(window, "UTC") == {date(3, 1)}


def test_today_cut_at_now_is_whole_without_a_settle_time_too() -> None:
    window = resolve(AllAvailable(), timezone="UTC", now=NOON, settle=NO_SETTLE)
    since_yesterday = msgspec.structs.replace(window, start=utc(3, 9))
    assert whole_days(since_yesterday, "UTC") == {date(3, 9), date(3, 10)}


def test_the_neighbours_that_an_aligned_window_only_touches_are_not_whole() -> None:
    window = align(resolve(SingleDate(date(3, 8)), timezone="Asia/Kathmandu", now=NOON), 3600)
    assert days_of(window, "Asia/Kathmandu") == [date(3, 7), date(3, 8), date(3, 9)]
    assert whole_days(window, "Asia/Kathmandu") == {date(3, 8)}


def test_today_is_not_whole_before_any_of_it_was_read() -> None:
    window = resolve(DateRange(1, 0), timezone="UTC", now=utc(3, 10) + dt.timedelta(seconds=30))
    assert whole_days(window, "UTC") == {date(3, 9)}


def test_days_of_an_open_window_are_refused() -> None:
    with pytest.raises(ValueError, match="without a start"):
        days_of(resolve(AllAvailable(), timezone="UTC", now=NOON), "UTC")


@pytest.mark.parametrize(
    ("duration", "line"),
    [
        (DateRange(10, 5), "2026-02-28 to 2026-03-05 (6 days, UTC): 2026-02-28T00:00Z up to 2026-03-06T00:00Z"),
        (
            SingleDate(0),
            "2026-03-10 (1 day, UTC): 2026-03-10T00:00Z up to 2026-03-11T00:00Z, read up to 2026-03-10T11:59Z",
        ),
        (AllAvailable(), "everything (UTC) up to 2026-03-10T12:00Z, read up to 2026-03-10T11:59Z"),
    ],
)
def test_describe_says_the_days_and_the_instants(duration: Duration, line: str) -> None:
    assert describe(resolve(duration, timezone="UTC", now=NOON), "UTC") == line


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (AllAvailable(), "everything that Sentry still has"),
        (SinceLastRun(overlap=3600), "since the last run, and 60 minutes before"),
        (SingleDate(day=0), "today"),
        (SingleDate(day=dt.date(2026, 2, 28)), "2026-02-28"),
        (DateRange(start=6, end=0), "the last 7 days"),
        (DateRange(start=8, end=1), "8 days ago to yesterday"),
        (DateRange(start=5, end=5), "5 days ago"),
        (DateRange(start=0, end=0), "today"),
        (DateRange(start=dt.date(2026, 2, 28), end=dt.date(2026, 3, 1)), "2026-02-28 to 2026-03-01"),
    ],
)
def test_chosen_dates_are_words(duration: Duration, words: str) -> None:
    assert dates_in_words(duration) == words


def test_describe_gives_seconds_where_there_are_some() -> None:
    now = NOON + dt.timedelta(seconds=7, microseconds=30)
    assert describe(resolve(AllAvailable(), timezone="UTC", now=now, settle=NO_SETTLE), "UTC").endswith("12:00:07Z")
