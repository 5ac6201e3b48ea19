"""The cheapest of equal ways, by arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentry_connector.extraction.ways import WORTH, Cost, Pace, Wanted, cheapest, cost_of, rows_per_list, total
from sentry_connector.reports.event_lists import BODIES_OF_PROJECT, OF_PROJECT
from sentry_connector.reports.events_counts_project import STORED_BY_HOUR
from sentry_connector.sentry.lane import PUBLISHED

SENTRY_IO = Pace(limit=lambda lane: PUBLISHED[lane], concurrency=lambda lane: PUBLISHED[lane].concurrency, latency=0.1)
SELF_HOSTED = Pace(limit=lambda _: None, concurrency=lambda _: 25, latency=0.05)
BY_ISSUE = BODIES_OF_PROJECT.equal[0]


def test_a_list_costs_a_request_a_page() -> None:
    assert cost_of(OF_PROJECT, 2001).requests == {"project-events": 21}
    assert cost_of(OF_PROJECT, 0).requests == {"project-events": 1}
    assert cost_of(STORED_BY_HOUR, 2160).requests == {"project-stats": 1}


def test_the_events_of_each_issue_cost_the_list_of_issues_and_half_a_page_more_for_each() -> None:
    assert cost_of(BY_ISSUE, 5000, 300).requests == {"org-issues": 3, "default": 650}
    assert cost_of(BY_ISSUE, 300, 300).requests == {"org-issues": 3, "default": 180}


@pytest.mark.parametrize(
    ("family", "requests", "seconds"),
    [
        ("project-events", 60, 6.0),  # a window's worth, one at a time
        ("project-events", 61, 60.1),
        ("project-events", 500, 8 * 60 + 2.0),
        ("default", 40, 40 * 0.1 / 25),
        ("default", 1000, 24 + 40 * 0.1 / 25),
    ],
)
def test_requests_take_as_long_as_their_windows(family: str, requests: int, seconds: float) -> None:
    assert Cost(requests={family: requests}).seconds(SENTRY_IO) == pytest.approx(seconds)


def test_without_limits_only_what_runs_at_once_counts() -> None:
    assert Cost(requests={"default": 500}).seconds(SELF_HOSTED) == pytest.approx(1.0)


def test_lanes_are_used_at_the_same_time_and_the_slowest_is_the_bound() -> None:
    both = total([Cost(requests={"default": 40}), Cost(requests={"project-events": 61}), Cost(requests={"default": 1})])
    assert both.requests == {"default": 41, "project-events": 61}
    assert both.total == 102
    assert both.bound(SENTRY_IO) == "project-events"
    assert both.seconds(SENTRY_IO) == pytest.approx(60.1)
    assert Cost().bound(SENTRY_IO) is None


def chosen(rows: Sequence[int | None], pace: Pace) -> list[bool]:
    """Of slices of full events with so many rows: whether each is read by its project's issues."""
    wanted = [Wanted(endpoint=BODIES_OF_PROJECT, rows=count) for count in rows]
    return [endpoint is BY_ISSUE for endpoint in cheapest(wanted, pace)]


def test_bodies_are_read_by_issue_where_the_projects_list_is_slow() -> None:
    assert chosen([5000], SENTRY_IO) == [True]


@pytest.mark.parametrize(("rows", "pace"), [(5000, SELF_HOSTED), (20, SENTRY_IO), (None, SENTRY_IO), (0, SENTRY_IO)])
def test_bodies_are_read_by_the_projects_list_elsewhere(rows: int | None, pace: Pace) -> None:
    """Without limits, for a few events, and where nobody knows how many there are."""
    assert chosen([rows], pace) == [False]


def test_slices_that_are_small_by_themselves_are_read_by_issue_where_together_they_are_not() -> None:
    """Each project's list would take one window of a minute's limit, which all of them share."""
    assert chosen([20], SENTRY_IO) == [False]
    assert any(chosen([20] * 60, SENTRY_IO))


def test_both_ways_are_used_at_once_and_the_smaller_slices_stay() -> None:
    assert chosen([100, 5000, None, 5000, 200], SENTRY_IO) == [False, True, False, True, False]


@given(rows=st.lists(st.none() | st.integers(0, 20_000), max_size=12))
def test_all_together_are_at_least_twice_as_fast_wherever_another_way_is_gone(rows: list[int | None]) -> None:
    wanted = [Wanted(endpoint=BODIES_OF_PROJECT, rows=count) for count in rows]
    endpoints = cheapest(wanted, SENTRY_IO)
    own = total(cost_of(one.endpoint, one.rows or 0) for one in wanted).seconds(SENTRY_IO)
    taken = total(cost_of(endpoint, one.rows or 0) for endpoint, one in zip(endpoints, wanted, strict=True))
    others = [one for one, endpoint in zip(wanted, endpoints, strict=True) if endpoint is not one.endpoint]
    assert all(one.rows is not None for one in others)
    assert not others or taken.seconds(SENTRY_IO) * WORTH < own


@pytest.mark.parametrize(
    ("rows", "page_size", "concurrency", "most"),
    [(20_000, 100, 25, 400), (10, 100, 25, 300), (10_000_000, 100, 8, 5000), (5000, 10, 25, 100), (5000, 100, 1, 5000)],
)
def test_lists_are_as_many_as_keep_the_requests_busy_and_as_long_as_is_worth_it(
    rows: int, page_size: int, concurrency: int, most: int
) -> None:
    assert rows_per_list(rows, page_size, concurrency) == most
