"""Days become parts: newest first, none twice, none left out."""

from __future__ import annotations

import datetime as dt

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from sentry_connector.runs.chain import FIRST_WAIT, LONGEST_WAIT, again, by_rows, run_of, weeks
from sentry_connector.store.records import Part, Verdict
from tests.parts import NOW

FIRST = dt.date(2026, 1, 1)
DAY = dt.timedelta(days=1)


def days_of(part: Part) -> list[dt.date]:
    return [part.start + DAY * number for number in range((part.end - part.start).days + 1)]


def tiled(parts: list[Part], last: dt.date) -> bool:
    """Whether the parts hold all days from the first to the last, falling."""
    days = [day for part in parts for day in reversed(days_of(part))]
    return days == [last - DAY * number for number in range((last - FIRST).days + 1)]


@given(st.integers(0, 60), st.integers(1, 10))
def test_weeks_tile_the_days(length: int, size: int) -> None:
    last = FIRST + DAY * length
    parts = weeks("c", FIRST, last, size)
    assert tiled(parts, last)
    assert all(len(days_of(part)) == size for part in parts[:-1])


@given(st.integers(0, 40), st.dictionaries(st.integers(-5, 50), st.integers(1, 9)), st.integers(1, 20))
def test_no_part_has_more_rows_than_it_may_but_a_single_day(length: int, counts: dict[int, int], most: int) -> None:
    last = FIRST + DAY * length
    rows = {FIRST + DAY * number: count for number, count in counts.items()}
    parts = by_rows("c", FIRST, last, rows, most)
    assert tiled(parts, last)
    for part in parts:
        busy = [rows[day] for day in days_of(part) if day in rows]
        assert sum(busy) <= most or len(busy) == 1


def test_days_that_fail_again_and_again_are_read_again_each_time_after_a_longer_wait() -> None:
    run, ids, waits = run_of(Part(chain="c", start=FIRST, end=FIRST, first=FIRST, last=FIRST), "d", NOW), [], []
    for _ in range(12):
        following = again(msgspec.structs.replace(run, verdict=Verdict.FAILED), NOW)
        assert following is not None
        assert following.not_before is not None
        run = following
        ids.append(run.id)
        waits.append(following.not_before - NOW)
    assert ids == [f"c.2026-01-01.2026-01-01.{number}" for number in range(2, 14)]
    assert waits[:3] == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT]
    assert waits[-1] == LONGEST_WAIT
    assert again(msgspec.structs.replace(run, verdict=Verdict.COMPLETE), NOW) is None
