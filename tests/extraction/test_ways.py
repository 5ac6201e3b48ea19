"""The cheapest of equal ways, by arithmetic."""

from __future__ import annotations

import pytest

from sentry_connector.extraction.ways import Cost, Pace, cheapest, cost_of, rows_per_list, total
from sentry_connector.reports.event_lists import BODIES_OF_PROJECT, OF_PROJECT
from sentry_connector.reports.events_counts_project import STORED_BY_HOUR
from sentry_connector.sentry.budget import PUBLISHED

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


def test_bodies_are_read_by_issue_where_the_projects_list_is_slow() -> None:
    assert cheapest(BODIES_OF_PROJECT, 5000, SENTRY_IO) is BY_ISSUE


@pytest.mark.parametrize(("rows", "pace"), [(5000, SELF_HOSTED), (20, SENTRY_IO), (None, SENTRY_IO), (0, SENTRY_IO)])
def test_bodies_are_read_by_the_projects_list_elsewhere(rows: int | None, pace: Pace) -> None:
    """Without limits, for a few events, and where nobody knows how many there are."""
    assert cheapest(BODIES_OF_PROJECT, rows, pace) is BODIES_OF_PROJECT


@pytest.mark.parametrize(
    ("rows", "page_size", "concurrency", "most"),
    [(20_000, 100, 25, 400), (10, 100, 25, 300), (10_000_000, 100, 8, 5000), (5000, 10, 25, 100), (5000, 100, 1, 5000)],
)
def test_lists_are_as_many_as_keep_the_requests_busy_and_as_long_as_is_worth_it(
    rows: int, page_size: int, concurrency: int, most: int
) -> None:
    assert rows_per_list(rows, page_size, concurrency) == most
