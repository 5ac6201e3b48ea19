"""Bars of a timeline: nothing lost, none missing between, no more than a chart can show."""

from __future__ import annotations

import datetime as dt
import itertools
import zoneinfo

from hypothesis import given
from hypothesis import strategies as st

from sentry_connector.operations.timelines import MOST_BARS, WIDTHS, bars

ZONES = st.sampled_from(
    [zoneinfo.ZoneInfo(name) for name in ("UTC", "America/New_York", "Asia/Kolkata", "Pacific/Apia")]
)
HOUR = 3600
FEW_HOURS = st.dictionaries(
    st.integers(0, 2_000_000).map(lambda hour: hour * HOUR), st.integers(0, 10**6), min_size=1, max_size=20
)


@given(FEW_HOURS, ZONES)
def test_every_hour_is_in_one_bar(hours: dict[int, int], zone: zoneinfo.ZoneInfo) -> None:
    width, found = bars(hours, zone)
    assert sum(one.rows for one in found) == sum(hours.values())
    starts = [one.at.timestamp() for one in found]
    assert all(first < second for first, second in itertools.pairwise(starts))
    assert starts[0] <= min(hours)
    if width != WIDTHS[-1].name:
        assert len(found) <= MOST_BARS


def test_days_are_those_of_the_zone_and_none_is_missing() -> None:
    """Also the one that has 23 hours."""
    new_york = zoneinfo.ZoneInfo("America/New_York")
    first, last = (
        int(dt.datetime(2026, 3, day, hour, tzinfo=new_york).timestamp()) for day, hour in ((6, 1), (15, 23))
    )
    width, found = bars({first: 2, last: 3}, new_york)
    assert (width, len(found)) == ("day", 10)
    assert [(one.at.day, one.at.hour) for one in found] == [(day, 0) for day in range(6, 16)]
    assert [one.rows for one in found] == [2, *[0] * 8, 3]


def test_hours_come_first_and_nothing_is_nothing() -> None:
    assert bars({0: 1, HOUR: 2}, zoneinfo.ZoneInfo("UTC"))[0] == "hour"
    assert bars({}, zoneinfo.ZoneInfo("UTC")) == ("hour", [])


def test_what_no_clock_should_say_is_left_out() -> None:
    """An event bears the time of whoever sent it."""
    assert [one.rows for one in bars({-(10**11) * HOUR: 1, 10**11 * HOUR: 1, 0: 5}, zoneinfo.ZoneInfo("UTC"))[1]] == [5]
