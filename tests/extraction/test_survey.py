"""Spans tile a window whatever the counts say; hours of which Sentry counts more than is held are found."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentry_connector.extraction.survey import (
    HOUR,
    Survey,
    differs,
    evenly,
    fuller_hours,
    hours_of,
    is_checkable,
    runs_of_hours,
    split,
)
from sentry_connector.reports.details import Window

START = 1_772_366_400  # 2026-03-01T12:00:00Z


def at(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(START + seconds, dt.UTC)


counts = st.lists(st.integers(0, 500), min_size=1, max_size=60).map(tuple)
instants = st.floats(-10 * HOUR, 70 * HOUR)


@given(counts=counts, first=st.none() | instants, length=st.floats(1, 80 * HOUR), most=st.integers(1, 600))
def test_spans_tile_the_window(counts: tuple[int, ...], first: float | None, length: float, most: int) -> None:
    """No instant is left out, none is in two spans, whatever the counts say and wherever the window lies."""
    start, end = None if first is None else at(first), at((first or 0) + length)
    spans = split((start, end), Survey(start=START, counts=counts), most)
    assert spans[-1][0] == start
    assert spans[0][1] == end
    assert [one[0] for one in spans[:-1]] == [one[1] for one in spans[1:]]
    assert all(one[0] is None or one[0] < one[1] for one in spans)


@given(counts=counts, first=st.none() | instants, length=st.floats(1, 80 * HOUR), number=st.integers(0, 60))
def test_even_spans_tile_the_window_too(
    counts: tuple[int, ...], first: float | None, length: float, number: int
) -> None:
    start, end = None if first is None else at(first), at((first or 0) + length)
    spans = evenly((start, end), Survey(start=START, counts=counts), number)
    assert (spans[-1][0], spans[0][1]) == (start, end)
    assert [one[0] for one in spans[:-1]] == [one[1] for one in spans[1:]]
    assert all(one[0] is None or one[0] < one[1] for one in spans)
    assert len(spans) <= max(1, number)


@given(counts=counts, number=st.integers(1, 60))
def test_even_spans_hold_equally_many_rows_where_rows_lie_evenly_in_their_hours(
    counts: tuple[int, ...], number: int
) -> None:
    spans = evenly((at(0), at(HOUR * len(counts))), Survey(start=START, counts=counts), number)

    def rows(instant: dt.datetime | None) -> float:
        """Rows before an instant."""
        hours = (0 if instant is None else instant.timestamp() - START) / HOUR
        return sum(count * min(1, max(0, hours - hour)) for hour, count in enumerate(counts))

    share, second = sum(counts) / number, max(counts) / HOUR
    if share > 2 * second:
        assert len(spans) == number
        assert all(abs(rows(one[1]) - rows(one[0]) - share) <= second + 1e-6 for one in spans)


@given(counts=counts, most=st.integers(1, 600))
def test_no_span_is_expected_to_hold_much_more_than_asked_for(counts: tuple[int, ...], most: int) -> None:
    survey = Survey(start=START, counts=counts)
    spans = split((at(0), at(HOUR * len(counts))), survey, most)
    whole_hours = [one for one in spans if all(edge is not None and edge.timestamp() % HOUR == 0 for edge in one)]
    assert all(survey.between(one) <= max(most, *counts) for one in whole_hours)
    assert sum(survey.between(one) for one in spans) == survey.rows
    assert len(spans) <= 2 + 2 * survey.rows // most + sum(count > most for count in counts)


def test_an_hour_with_very_many_rows_is_divided_evenly() -> None:
    spans = split((at(0), at(2 * HOUR)), Survey(start=START, counts=(400, 1)), 100)
    assert [one[0] for one in spans][::-1] == [at(0), at(900), at(1800), at(2700), at(HOUR)]


def test_a_span_holds_at_least_one_row() -> None:
    with pytest.raises(ValueError, match="at least one"):
        split((at(0), at(1)), Survey(start=START, counts=(1,)), 0)


def test_a_survey_has_every_hour_it_was_asked_about() -> None:
    survey = Survey.of({START: 3, START + 2 * HOUR: 5, START - HOUR: 9}, START, START + 4 * HOUR)
    assert survey.counts == (3, 0, 5, 0)
    assert survey.rows == 8
    assert survey.between((None, at(HOUR))) == 3
    assert survey.between((at(1), at(3 * HOUR))) == 5


def test_hours_are_asked_about_from_the_first_to_the_last_of_the_window_and_never_for_more_than_ninety_days() -> None:
    window = Window(start=at(10), end=at(3 * HOUR), read_end=at(3 * HOUR - 60))
    assert hours_of(window) == (START, START + 3 * HOUR)
    everything = Window(start=None, end=at(100), read_end=at(40))
    assert hours_of(everything) == (START + HOUR - 90 * 86_400, START + HOUR)


@pytest.mark.parametrize(
    ("span", "good"),
    [
        ((at(0), at(2 * HOUR)), True),
        ((at(1), at(2 * HOUR)), False),
        ((at(0), at(HOUR + 1)), False),
        ((None, at(2 * HOUR)), False),
        ((at(-HOUR), at(2 * HOUR)), False),
        ((at(0), at(4 * HOUR)), False),
        ((at(HOUR), at(3 * HOUR)), False),
    ],
)
def test_only_whole_counted_and_settled_hours_are_held_against_the_figure(
    *, span: tuple[dt.datetime | None, dt.datetime], good: bool
) -> None:
    survey = Survey(start=START, counts=(1, 2, 3))
    assert is_checkable(span, survey, settled=at(2 * HOUR)) is good


@pytest.mark.parametrize(
    ("found", "counted", "percent", "differ"),
    [(5, 5, 0, False), (4, 5, 0, True), (5, 4, 0, True), (99, 100, 1, False), (98, 100, 1, True), (0, 0, 0, False)],
)
def test_figures_differ_by_more_than_a_share_of_the_larger(
    *, found: int, counted: int, percent: float, differ: bool
) -> None:
    assert differs(found, counted, percent) is differ


def test_hours_with_more_rows_than_are_held_are_found_and_near_ones_joined() -> None:
    counted = Survey(start=START, counts=(4, 4, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7))
    held = {START: 4, START + HOUR: 3, START + 2 * HOUR: 5}
    assert fuller_hours(counted, held) == [START + HOUR, START + 12 * HOUR]
    assert runs_of_hours([START, START + 3 * HOUR, START + 20 * HOUR]) == [
        (START, START + 4 * HOUR),
        (START + 20 * HOUR, START + 21 * HOUR),
    ]


@given(st.sets(st.integers(0, 300)))
def test_joined_hours_cover_each_of_them_and_do_not_touch(numbers: set[int]) -> None:
    spans = runs_of_hours([START + HOUR * number for number in numbers])
    assert all(any(first <= START + HOUR * number < last for first, last in spans) for number in numbers)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(spans))
