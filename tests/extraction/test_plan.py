"""Plans are arithmetic: the same details give the same slices, and the slices' requests ask for just what was chosen."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentry_connector.extraction.plan import MOST_BUCKETS, RESOLUTIONS, Slice, alternatives, plan
from sentry_connector.reports import catalogue, windows
from sentry_connector.reports.catalogue import CATALOGUE
from sentry_connector.reports.details import AllAvailable, DateRange, Details, Window
from sentry_connector.reports.model import Endpoint, Grain, Paging, Report, Shape
from sentry_connector.reports.scopes import Scope

NOW = dt.datetime(2026, 3, 10, 12, 34, 56, tzinfo=dt.UTC)
DAYS = DateRange(start=3, end=1)

SCOPES = {
    Grain.ACCOUNT: Scope(grain=Grain.ACCOUNT, url="https://sentry.example"),
    Grain.ORGANIZATION: Scope(
        grain=Grain.ORGANIZATION, url="https://sentry.example", organization="acme", organization_id="1"
    ),
    Grain.TEAM: Scope(
        grain=Grain.TEAM,
        url="https://sentry.example",
        organization="acme",
        organization_id="1",
        team="web",
        team_id="7",
        members=(("11", "shop"), ("12", "blog")),
    ),
    Grain.PROJECT: Scope(
        grain=Grain.PROJECT,
        url="https://de.sentry.example",
        organization="acme",
        organization_id="1",
        project="shop",
        project_id="11",
    ),
    Grain.ISSUE: Scope(
        grain=Grain.ISSUE,
        url="https://sentry.example",
        organization="acme",
        organization_id="1",
        project="shop",
        project_id="11",
        issue_id="42",
    ),
}


def window(days: DateRange | AllAvailable = DAYS) -> Window:
    return windows.resolve(days, timezone="UTC", now=NOW)


def slices_of(report: Report, details: Details | None = None, span: Window | None = None) -> tuple[Slice, ...]:
    scope = SCOPES[report.grain]
    spans = {scope.id: span or window()} if report.time_column else {}
    return plan(report, details or Details(stat="received", resolution="1h"), [scope], spans)


def params_of(report: Report, endpoint_number: int = 0, span: Window | None = None) -> dict[str, str]:
    (one,) = slices_of(report, span=span)
    details = Details(stat="received", resolution="1h")
    return dict(alternatives(report, details, one)[endpoint_number].requests[0].params)


every_report = pytest.mark.parametrize("report", CATALOGUE, ids=lambda report: report.slug)


@every_report
def test_planning_again_names_the_same_slices(report: Report) -> None:
    """A run that goes on after a crash finds its finished slices by their names."""
    assert slices_of(report) == slices_of(report)


@every_report
def test_other_details_name_other_slices(report: Report) -> None:
    """What was read before an edit is not taken for what is wanted after it."""
    before = {one.id for one in slices_of(report, Details(stat="received", resolution="1h"))}
    after = {one.id for one in slices_of(report, Details(stat="rejected", resolution="1h"))}
    assert not before & after


@every_report
def test_slice_names_are_fit_for_files(report: Report) -> None:
    assert all(one.id.replace("-", "").isalnum() for one in slices_of(report))


@every_report
def test_requests_go_to_the_scope_s_own_host(report: Report) -> None:
    """A region's organizations are asked on the region's host."""
    for one in slices_of(report):
        for way in alternatives(report, Details(stat="received", resolution="1h"), one):
            assert {request.base_url for request in way.requests} == {one.scope.url}
            assert all("{" not in request.url for request in way.requests)


@every_report
def test_page_size_is_told_in_the_endpoint_s_own_word(report: Report) -> None:
    for one in slices_of(report):
        for way in alternatives(report, Details(stat="received", resolution="1h"), one):
            told = {name for request in way.requests for name, _ in request.params} & {"per_page", "limit"}
            assert told == ({way.endpoint.paging.value} if way.endpoint.paging is not Paging.NONE else set())


def test_issues_are_asked_for_with_limit_and_all_statuses() -> None:
    params = params_of(catalogue.find("projects-issues"))
    assert (params["query"], params["limit"], params["project"]) == ("", "100", "11")
    assert "per_page" not in params


def test_feedback_is_asked_for_with_every_status() -> None:
    assert params_of(catalogue.find("project-feedback"))["status"] == ""


def test_bodies_are_asked_for_ten_at_a_time() -> None:
    report = catalogue.find("project-events")
    (one,) = slices_of(report)
    request = alternatives(report, Details(bodies=True), one)[0].requests[0]
    assert {"full": "true", "per_page": "10"}.items() <= dict(request.params).items()


def test_a_window_is_sent_in_whole_seconds_that_hold_it() -> None:
    """Rows of the last second before a cut are asked for, and a second before the start; what lies outside is dropped later."""
    report = catalogue.find("project-events")
    cut = Window(start=dt.datetime(2026, 3, 9, tzinfo=dt.UTC), end=NOW, read_end=NOW.replace(microsecond=250_000))
    params = params_of(report, span=cut)
    assert (params["start"], params["end"]) == ("2026-03-08T23:59:59", "2026-03-10T12:34:57")


def test_everything_is_asked_for_with_a_start_before_all_events() -> None:
    """Without a start Sentry answers the last ninety days only."""
    assert params_of(catalogue.find("issues-events"), span=window(AllAvailable()))["start"] < "2009"


def test_counts_name_their_resolution_and_keep_the_next_bucket_out() -> None:
    params = params_of(catalogue.find("events-counts-organization"))
    start, end = int(params["since"]), int(params["until"])
    assert (params["resolution"], params["stat"]) == ("1h", "received")
    assert (start % 3600, end % 3600) == (0, 3599)


def test_a_team_s_counts_are_asked_for_project_by_project() -> None:
    report = catalogue.find("events-counts-team")
    (one,) = slices_of(report)
    paths = [
        request.path for request in alternatives(report, Details(stat="received", resolution="1h"), one)[0].requests
    ]
    assert paths == ["/projects/acme/shop/stats/", "/projects/acme/blog/stats/"]


def test_a_list_that_answers_for_everybody_is_used_only_where_nothing_else_can_be_asked() -> None:
    """The legacy list of projects needs no organization; with one known, its own list comes first."""
    report = catalogue.find("projects")
    (one,) = slices_of(report)
    known = [way.endpoint.path for way in alternatives(report, Details(), one)]
    unknown = alternatives(report, Details(), Slice(id="all", scope=SCOPES[Grain.ACCOUNT]))
    assert known == ["/organizations/{organization}/projects/", "/projects/"]
    assert [way.endpoint.path for way in unknown] == ["/projects/"]


@given(
    days=st.integers(0, 60),
    back=st.integers(0, 60),
    resolution=st.sampled_from(["10s", "1h"]),
    zone=st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe"]),
)
def test_spans_of_counts_tile_the_window(days: int, back: int, resolution: str, zone: str) -> None:
    """No bucket is missing, none is asked for twice, and no request is over the cap above which zeros are made up."""
    span = windows.resolve(DateRange(start=back + days, end=back), timezone=zone, now=NOW)
    report = catalogue.find("events-counts-project")
    assert report.shape is Shape.POINTS
    found = [one.span for one in slices_of(report, Details(stat="received", resolution=resolution), span)]
    width = RESOLUTIONS[resolution]
    edges = [edge for one in found if one for edge in one]
    starts, ends = edges[::2], edges[1::2]
    assert starts[1:] == ends[:-1]
    assert all(
        (end - start).total_seconds() / width <= MOST_BUCKETS
        for start, end in zip(starts, ends, strict=True)
        if start and end
    )
    assert starts[0] is not None
    assert span.start is not None
    assert dt.timedelta(0) <= span.start - starts[0] < dt.timedelta(seconds=width)
    last = ends[-1]
    assert last is not None
    assert dt.timedelta(0) <= last - span.read_end < dt.timedelta(seconds=width)
    assert len({one.id for one in slices_of(report, Details(stat="received", resolution=resolution), span)}) == len(
        found
    )


def test_a_placeholder_keeps_its_value_in_its_place() -> None:
    """A slug cannot lead a request to another endpoint."""
    report = catalogue.find("organization-projects")
    assert isinstance(report.endpoints[0], Endpoint)
    strange = Scope(
        grain=Grain.ORGANIZATION, url="https://sentry.example", organization="a/../b?c=d", organization_id="1"
    )
    (one,) = plan(report, Details(), [strange], {})
    assert alternatives(report, Details(), one)[0].requests[0].path == "/organizations/a%2F..%2Fb%3Fc%3Dd/projects/"
