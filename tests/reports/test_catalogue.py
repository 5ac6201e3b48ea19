"""The catalogue keeps its contract: names, menus, keys and columns that people and programs rely on."""

from __future__ import annotations

import importlib
import pkgutil
import string
from collections.abc import Iterator

import msgspec
import pytest
from tests.reports.official_fields import OFFICIAL_FIELDS

from sentry_connector import reports
from sentry_connector.errors import UnknownName
from sentry_connector.reports.catalogue import CATALOGUE, find
from sentry_connector.reports.model import (
    DELETED_AT,
    MOVED_TO,
    Column,
    ColumnType,
    Endpoint,
    Grain,
    Menu,
    Need,
    Paging,
    Report,
    Shape,
    WindowParams,
)
from sentry_connector.reports.scopes import Scope

NAMES = (
    "Events Counts Organization",
    "Events Counts Project",
    "Events Counts Team",
    "Issues Events",
    "Issues Events Entries",
    "Organization Projects",
    "Organization Repositories",
    "Organization Teams",
    "Organizations",
    "Projects",
    "Project Feedback",
    "Project Events",
    "Project Events Entries",
    "Projects Issues",
    "Projects Users",
    "Team Projects",
)

USER_COLUMNS = "user_id user_email user_username user_ip_address user_name user_geo user_data"
EVENT_COLUMNS = f"organization project issue_id title message platform type tags {USER_COLUMNS}"
ENTRY_COLUMNS = "organization project issue_id entry_type entry_data"

# slug → key columns | time column | further columns that must exist
COLUMNS = {
    "events-counts-organization": (
        "organization_id stat resolution timestamp_epoch", "timestamp", "organization events",
    ),
    "events-counts-project": (
        "project_id stat resolution timestamp_epoch", "timestamp", "organization project events",
    ),
    "events-counts-team": ("team_id stat resolution timestamp_epoch", "timestamp", "organization team events"),
    "issues-events": ("project_id event_id", "date_created", EVENT_COLUMNS),
    "issues-events-entries": ("project_id event_id entry_index", "date_created", ENTRY_COLUMNS),
    "organization-projects": (
        "organization_id project_id", None, "organization slug name platform date_created teams",
    ),
    "organization-repositories": (
        "organization_id repository_id", None, "organization name url provider_name status date_created",
    ),
    "organization-teams": ("organization_id team_id", None, "organization slug name member_count date_created"),
    "organizations": ("organization_id", None, "slug name date_created status_id"),
    "projects": ("project_id", None, "organization slug name platform date_created"),
    "project-feedback": (
        "project_id feedback_id", "date_created", "organization project event_id issue_id name email comments",
    ),
    "project-events": ("project_id event_id", "date_created", EVENT_COLUMNS),
    "project-events-entries": ("project_id event_id entry_index", "date_created", ENTRY_COLUMNS),
    "projects-issues": (
        "project_id issue_id", "last_seen",
        "organization project short_id title culprit level status type event_count user_count first_seen",
    ),
    "projects-users": ("project_id user_key", None, "organization project id username email name ip_address"),
    "team-projects": ("team_id project_id", None, "organization team slug name platform"),
}  # fmt: skip

# slug → menus in their order; a question mark: need not be filled in
MENUS = {
    "events-counts-organization": "organizations stat dates",
    "events-counts-project": "projects stat dates",
    "events-counts-team": "organizations teams stat dates",
    "issues-events": "issue dates?",
    "issues-events-entries": "issue dates?",
    "organization-projects": "organizations",
    "organization-repositories": "organizations",
    "organization-teams": "organizations",
    "organizations": "",
    "projects": "",
    "project-feedback": "projects dates?",
    "project-events": "projects dates?",
    "project-events-entries": "projects dates?",
    "projects-issues": "organizations projects dates?",
    "projects-users": "projects",
    "team-projects": "organizations teams",
}

SCOPES = {
    "org:read": (
        "events-counts-organization organization-projects organization-repositories organization-teams organizations"
    ),
    "project:read": (
        "events-counts-project events-counts-team projects project-feedback project-events project-events-entries "
        "projects-users team-projects"
    ),
    "event:read": "issues-events issues-events-entries projects-issues",
}

IMMUTABLE = {
    "events-counts-organization", "events-counts-project", "events-counts-team", "issues-events",
    "issues-events-entries", "project-feedback", "project-events", "project-events-entries",
}  # fmt: skip

FILLABLE = set(Scope.__struct_fields__) | {"issue", "stat", "resolution"}

# Column types that may hold a documented type. Ids and times are documented as strings.
HOLDS = {
    "string": {ColumnType.TEXT, ColumnType.TIMESTAMP},
    "boolean": {ColumnType.BOOLEAN},
    "integer": {ColumnType.INTEGER},
    "number": {ColumnType.REAL, ColumnType.TIMESTAMP},
    "array": {ColumnType.JSON},
    "object": {ColumnType.JSON},
}
NUMBERS_WRITTEN_AS_TEXT = {("projects-issues", "count")}

every_report = pytest.mark.parametrize("report", CATALOGUE, ids=lambda report: report.slug)


def endpoints(report: Report) -> tuple[Endpoint, ...]:
    return (*report.endpoints, *report.bodies)


def sources(report: Report) -> Iterator[tuple[Column, str]]:
    """Every path in the answer that a column reads, with the column."""
    for column in report.columns:
        for source in (*column.sources, *(path for _, path in column.keyed)):
            yield column, source


def below(path: str, other: str) -> bool:
    """Whether `path` is `other` or lies below it."""
    return path == other or path.startswith(f"{other}/")


def test_the_catalogue_holds_the_sixteen_reports_in_their_order() -> None:
    assert tuple(report.name for report in CATALOGUE) == NAMES
    assert [report.slug for report in CATALOGUE] == [name.lower().replace(" ", "-") for name in NAMES]


def test_every_module_with_a_report_is_listed() -> None:
    modules = [
        importlib.import_module(f"{reports.__name__}.{module.name}")
        for module in pkgutil.iter_modules(reports.__path__)
    ]
    defined = [module.REPORT for module in modules if hasattr(module, "REPORT")]
    assert sorted(report.slug for report in defined) == sorted(report.slug for report in CATALOGUE)


@pytest.mark.parametrize(
    ("given", "slug"),
    [
        ("Project Events", "project-events"),
        ("project-events", "project-events"),
        ("PROJECT_EVENTS", "project-events"),
        ("  project   events ", "project-events"),
        ("Projects Events", "project-events"),
        ("Project Users", "projects-users"),
        ("projects-users", "projects-users"),
    ],
)
def test_a_report_is_found_by_slug_name_and_alias(given: str, slug: str) -> None:
    assert find(given).slug == slug


def test_no_spelling_means_two_reports() -> None:
    spellings = [spelling for report in CATALOGUE for spelling in {report.slug, report.name, *report.aliases}]
    assert all(
        spelling in {find(spelling).slug, find(spelling).name, *find(spelling).aliases} for spelling in spellings
    )
    assert len(spellings) == len(set(spellings))


def test_an_unknown_report_names_the_nearest() -> None:
    with pytest.raises(UnknownName) as caught:
        find("Projekt Events")
    assert "Project Events" in caught.value.nearest


@every_report
def test_columns_keys_and_times_are_the_contract(report: Report) -> None:
    key, time_column, others = COLUMNS[report.slug]
    names = [column.name for column in report.columns]
    assert report.key == tuple(key.split())
    assert report.time_column == time_column
    assert {*report.key, *others.split(), *filter(None, [time_column])} <= set(names)
    assert len(names) == len(set(names))


@every_report
def test_every_column_is_named_described_and_filled_from_somewhere(report: Report) -> None:
    for column in report.columns:
        assert column.name == column.name.lower()
        assert column.name.isidentifier()
        assert column.is_ours == column.name.startswith("_")
        assert column.about.endswith((".", "…"))
        assert column.is_ours == (column.name in {DELETED_AT, MOVED_TO})
        assert column.context is None or column.context in FILLABLE


@every_report
def test_a_report_says_what_it_is_checked_by_or_why_by_nothing(report: Report) -> None:
    assert (report.figures is None) == (report.check == "none") == (report.unchecked is not None)
    assert report.check_about.endswith(".")


@every_report
def test_keys_are_ids_texts_or_whole_numbers_and_times_are_times(report: Report) -> None:
    assert {report.column(name).type for name in report.key} <= {ColumnType.TEXT, ColumnType.INTEGER}
    assert all(column.type is ColumnType.TEXT for column in report.columns if column.name.endswith("_id"))
    assert report.time_column is None or report.column(report.time_column).type is ColumnType.TIMESTAMP


@every_report
def test_menus_are_those_of_the_matrix(report: Report) -> None:
    expected = {
        Menu(word.rstrip("?")): Need.OPTIONAL if word.endswith("?") else Need.REQUIRED
        for word in MENUS[report.slug].split()
    }
    assert report.menus == expected
    assert list(report.menus) == list(expected)


@every_report
def test_dates_and_stats_go_with_their_menus(report: Report) -> None:
    counts = report.shape is Shape.POINTS
    assert (Menu.DATES in report.menus) == (report.time_column is not None)
    assert (Menu.STAT in report.menus) == bool(report.stats) == counts
    assert report.all_available is not counts
    assert report.immutable_time is (report.slug in IMMUTABLE)


def test_stats_begin_with_the_default_and_are_those_that_sentry_counts() -> None:
    filters = (
        "ip-address release-version error-message browser-extensions legacy-browsers localhost web-crawlers "
        "invalid-csp cors discarded-hash filtered-transaction"
    )
    assert find("events-counts-organization").stats == ("received", "rejected", "blacklisted")
    of_projects = ("received", "rejected", "blacklisted", "generated", *filters.split())
    assert find("events-counts-project").stats == find("events-counts-team").stats == of_projects


@every_report
def test_each_report_asks_for_one_read_scope(report: Report) -> None:
    assert report.slug in SCOPES[report.scope].split()


@every_report
def test_requests_can_be_filled_from_a_scope(report: Report) -> None:
    for endpoint in endpoints(report):
        assert endpoint.path.startswith("/")
        assert endpoint.path.endswith("/")
        for text in (endpoint.path, *(value for _, value in endpoint.params)):
            assert {name for _, name, _, _ in string.Formatter().parse(text) if name} <= FILLABLE
        for owner in filter(None, (endpoint.owner, report.item_owner)):
            assert owner[1] in FILLABLE


@every_report
def test_pages_are_told_as_sentry_wants_it(report: Report) -> None:
    for endpoint in endpoints(report):
        bodies = ("full", "true") in endpoint.params
        assert endpoint.page_size == (10 if bodies else 100)
        assert (endpoint.paging is Paging.NONE) == (report.shape is Shape.POINTS)
        assert (endpoint.paging is Paging.LIMIT) == endpoint.path.endswith("/issues/")
        assert (endpoint.open_start is not None) == (endpoint.window is WindowParams.START_END)


@every_report
def test_entries_and_bodies_are_read_in_full(report: Report) -> None:
    entries = report.shape is Shape.ENTRIES
    full = report.endpoints if entries else report.bodies
    assert all(("full", "true") in endpoint.params for endpoint in full)
    assert bool(report.bodies) == report.slug.endswith("-events")
    assert report.replace_together == (("project_id", "event_id") if entries else ())


@every_report
def test_rows_of_a_single_project_are_checked_to_be_its_own(report: Report) -> None:
    """A proxy or a bug that answers with another project's rows must not fill this project's table."""
    named = {path for _, path in sources(report)} & {"projectID", "project/id"}
    single_project = report.grain is Grain.PROJECT and named
    assert (report.item_owner is not None) == bool(single_project)
    assert report.item_owner is None or report.item_owner in {("projectID", "project_id"), ("project/id", "project_id")}


@every_report
def test_no_field_is_both_a_column_and_left_out(report: Report) -> None:
    for column, source in sources(report):
        clashes = [path for path in report.left_out if below(path, source) or below(source, path)]
        assert not clashes, f"{column.name}: {clashes}"
    assert all(reason.endswith(".") for reason in report.left_out.values())


@every_report
def test_no_column_swallows_what_another_flattens(report: Report) -> None:
    paths = {source for _, source in sources(report)}
    assert not [(one, other) for one in paths for other in paths if one != other and below(one, other)]


@pytest.mark.parametrize("slug", OFFICIAL_FIELDS)
def test_every_documented_field_is_a_column_or_left_out_with_a_reason(slug: str) -> None:
    report = find(slug)
    read = {source for _, source in sources(report)}
    if report.shape is Shape.ENTRIES:
        read.add("entries")
    missing = [
        field
        for field in OFFICIAL_FIELDS[slug]
        if not any(below(field, path) for path in (*read, *report.left_out))  # itself, or an object that is kept whole
        and not any(below(path, field) for path in (*read, *report.left_out))  # an object that is flattened
    ]
    assert not missing


@pytest.mark.parametrize("slug", OFFICIAL_FIELDS)
def test_columns_hold_the_documented_types(slug: str) -> None:
    documented = OFFICIAL_FIELDS[slug]
    for column, source in sources(find(slug)):
        if (slug, source) in NUMBERS_WRITTEN_AS_TEXT:
            assert column.type is ColumnType.INTEGER
        elif source in documented:
            assert column.type in HOLDS[documented[source]], column.name


def test_all_reports_with_fields_are_compared_with_the_documentation() -> None:
    assert set(OFFICIAL_FIELDS) == {report.slug for report in CATALOGUE if report.shape is not Shape.POINTS}


@every_report
def test_what_differs_by_who_asks_is_noise(report: Report) -> None:
    """Two accounts that read the same thing must not overwrite each other's rows for ever."""
    per_user = {
        "is_bookmarked", "is_member", "has_access", "access", "features", "team_role", "is_pending", "has_seen",
        "is_subscribed", "subscription_details", "stats", "derived_data",
    }  # fmt: skip
    assert {column.name for column in report.columns if column.noise} == {
        column.name for column in report.columns if column.name in per_user
    }
    assert not per_user & set(report.key)


def test_a_person_is_told_apart_by_the_application_s_own_id_first() -> None:
    key = find("projects-users").column("user_key")
    assert [kind for kind, _ in key.keyed] == ["id", "username", "email", "ip"]
    assert dict(key.keyed)["id"] == "identifier"  # `id` numbers a row of the server on old ones


def test_totals_of_an_issue_are_of_its_whole_life_where_sentry_tells_them() -> None:
    issues = find("projects-issues")
    for name, field in (
        ("event_count", "count"), ("user_count", "userCount"), ("first_seen", "firstSeen"), ("last_seen", "lastSeen"),
    ):  # fmt: skip
        assert issues.column(name).sources == (f"lifetime/{field}", field)


def test_issues_and_feedback_of_every_status_are_asked_for() -> None:
    """Sentry's defaults are the unresolved ones; only an empty value asks for all."""
    assert all(("query", "") in endpoint.params for endpoint in find("projects-issues").endpoints)
    assert all(("status", "") in endpoint.params for endpoint in find("project-feedback").endpoints)


def test_scopes_fields_are_what_context_columns_are_filled_from() -> None:
    """A renamed field of `Scope` would leave columns null without a word."""
    fields = {field.name for field in msgspec.structs.fields(Scope)}
    context = {column.context for report in CATALOGUE for column in report.columns if column.context}
    assert context - {"stat", "resolution"} <= fields
