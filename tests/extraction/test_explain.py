"""A plan says beforehand what it will take; all of it is arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sentry_connector.extraction.explain import SlicePlan, explained, outlook
from sentry_connector.extraction.plan import plan
from sentry_connector.extraction.survey import HOUR, Survey, hours_of
from sentry_connector.extraction.ways import Pace, cheapest
from sentry_connector.reports import catalogue
from sentry_connector.reports.details import Details
from sentry_connector.reports.model import Grain
from sentry_connector.reports.scopes import Scope
from sentry_connector.sentry.lane import PUBLISHED
from tests.extraction.test_plan import SCOPES, window

SENTRY_IO = Pace(limit=PUBLISHED.__getitem__, concurrency=lambda lane: PUBLISHED[lane].concurrency, latency=0.1)
SELF_HOSTED = Pace(limit=lambda _: None, concurrency=lambda _: 8, latency=0.1)
SHOP = SCOPES[Grain.PROJECT]
ELSEWHERE = Scope(
    grain=Grain.PROJECT,
    url="https://us.sentry.example",
    organization="acme",
    organization_id="1",
    project="blog",
    project_id="12",
)


def plans(
    slug: str, hourly: int | None, pace: Pace, details: Details | None = None, scopes: Sequence[Scope] = (SHOP,)
) -> tuple[SlicePlan, ...]:
    """The plan of three days in which each hour has so many events; None = nobody has counted them."""
    report, details = catalogue.find(slug), details or Details(stat="received", resolution="1h")
    span = window()
    start, end = hours_of(span)
    survey = None if hourly is None else Survey(start=start, counts=(hourly,) * ((end - start) // HOUR))
    surveys = {} if survey is None else {scope.id: survey for scope in scopes}
    spans = {scope.id: span for scope in scopes} if report.time_column else {}
    slices = plan(report, details, scopes, spans, surveys, most_rows=10_000)
    return explained(report, details, slices, surveys, lambda _: pace, cheapest)


def test_a_list_that_is_read_in_order_costs_a_request_a_page() -> None:
    (one,) = plans("project-events", 100, SENTRY_IO)
    assert one.rows == 7200
    assert one.taken.cost.requests == {"project-events": 72}
    assert one.taken.bound == "project-events"
    assert one.taken.seconds == pytest.approx(60 + 12 * 0.1)
    assert not one.is_open


def test_a_list_that_is_read_in_parts_costs_the_pages_of_each_part() -> None:
    (one,) = plans("project-events", 90, SELF_HOSTED)
    assert one.rows == 6480
    assert one.taken.cost.total > 65
    assert one.taken.cost.chain < 10


def test_equal_ways_are_shown_with_their_costs_and_the_one_that_is_taken() -> None:
    bodies = Details(bodies=True)
    (limited,) = plans("project-events", 100, SENTRY_IO, bodies)
    by_project, by_issue, formerly = limited.ways
    assert limited.taken is by_issue
    assert [way.cost.total for way in (by_project, by_issue, formerly)] == [720, 1088, 1088]
    assert (by_project.bound, by_issue.bound, formerly.bound) == ("project-events", "default", "default")
    assert by_issue.seconds * 20 < by_project.seconds
    (free,) = plans("project-events", 100, SELF_HOSTED, bodies)
    assert free.taken is free.ways[0]


def test_all_slices_together_are_as_slow_as_the_slowest_budget() -> None:
    both = plans("project-events", 100, SENTRY_IO, scopes=(SHOP, SHOP))
    all_of_them = outlook(both, lambda _: SENTRY_IO)
    assert all_of_them.rows == 14_400
    assert all_of_them.requests == {"project-events": 144}
    assert all_of_them.bound == "project-events"
    assert all_of_them.seconds == pytest.approx(120 + 24 * 0.1)


def test_hosts_are_asked_at_the_same_time() -> None:
    both = plans("project-events", 100, SENTRY_IO, scopes=(SHOP, ELSEWHERE))
    assert outlook(both, lambda _: SENTRY_IO).seconds == pytest.approx(60 + 12 * 0.1)
    assert sum(outlook(both, lambda _: SENTRY_IO).requests.values()) == 144
    slow = outlook(both, lambda url: SELF_HOSTED if url == SHOP.url else SENTRY_IO)
    assert slow.pace is SENTRY_IO


def test_rows_that_nobody_has_counted_are_not_guessed() -> None:
    (one,) = plans("projects-issues", None, SENTRY_IO)
    assert one.rows is None
    assert one.is_open
    assert one.taken.cost.total == 1
    assert outlook([one], lambda _: SENTRY_IO).is_open
    assert outlook([one], lambda _: SENTRY_IO).rows is None


def test_the_entries_of_counted_events_are_not_guessed_though_their_requests_are_known() -> None:
    (one,) = plans("project-events-entries", 10, SELF_HOSTED)
    assert one.rows is None
    assert one.one.rows == 720
    assert not one.is_open


def test_counts_have_a_row_for_each_bucket_and_one_request_for_each_project_of_a_team() -> None:
    (one,) = plans("events-counts-team", None, SENTRY_IO, scopes=(SCOPES[Grain.TEAM],))
    assert one.rows == 72
    assert one.taken.cost.requests == {"project-stats": 2}
    assert not one.is_open


def test_nothing_to_read_takes_no_time() -> None:
    nothing = outlook((), lambda _: SENTRY_IO)
    assert (nothing.rows, nothing.seconds, nothing.bound, nothing.is_open) == (0, 0.0, None, False)
