"""Where late events lie: Sentry's hourly counts against the table's."""

from __future__ import annotations

import datetime as dt
import itertools

from hypothesis import given
from hypothesis import strategies as st

from sentry_connector.extraction.late import missed, whole_hour
from sentry_connector.extraction.survey import HOUR, Survey
from tests.parts import NOW

START = int((NOW - dt.timedelta(days=30)).timestamp())
HOURS = 48
COUNTS = st.lists(st.integers(0, 3), min_size=HOURS, max_size=HOURS)


@given(COUNTS, COUNTS, st.integers(0, HOURS * HOUR))
def test_every_hour_with_more_events_is_read_and_nothing_beyond_the_end(
    counted: list[int], held: list[int], length: int
) -> None:
    """The spans are apart from one another, and each begins and ends with something that is missing."""
    end = dt.datetime.fromtimestamp(START + length, dt.UTC)
    table = {START + HOUR * number: count for number, count in enumerate(held) if count}
    spans = missed(Survey(start=START, counts=tuple(counted)), table, end)
    fuller = [START + HOUR * number for number in range(HOURS) if counted[number] > held[number]]
    wanted = [hour for hour in fuller if hour < end.timestamp()]
    assert all(any(first.timestamp() <= hour < last.timestamp() for first, last in spans) for hour in wanted)
    assert all(first < last <= end for first, last in spans)
    assert all(one[1] < other[0] for one, other in itertools.pairwise(spans))
    assert all(
        first.timestamp() in wanted and whole_hour(last - dt.timedelta(microseconds=1)).timestamp() in wanted
        for first, last in spans
    )
