"""Promises that every report keeps, over the whole catalogue: a new report adds no test here."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import pytest

from sentry_connector.errors import MalformedAnswer, NotFound, ScopeMissing, TokenRejected
from sentry_connector.extraction.schema import SYSTEM_FIELDS
from sentry_connector.reports import catalogue
from sentry_connector.reports.catalogue import CATALOGUE
from sentry_connector.reports.details import DateRange, Details
from sentry_connector.reports.model import Menu, Report, Shape
from sentry_connector.simulator import EXPIRED_TOKEN, ORG_TOKEN, PROJECT_TOKEN, TOKEN, Faults, World, running
from tests.conformance.expected import EXPECTED
from tests.parts import NOW, HastyClock, Row, StandingApp, pulled

Era = Literal["new", "old"]

NEW_YORK = ZoneInfo("America/New_York")
CHOSEN_DAYS = {dt.date(2026, 2, 28) + dt.timedelta(days=number) for number in range(6)}

every_report = pytest.mark.parametrize("report", CATALOGUE, ids=lambda report: report.slug)
every_era = pytest.mark.parametrize("era", ["new", "old"])
dated_lists = pytest.mark.parametrize(
    "report", [one for one in CATALOGUE if one.newest_first], ids=lambda report: report.slug
)
REFUSED_TO_A_CI_TOKEN = [one for one in CATALOGUE if one.slug != "organization-repositories"]
WITHOUT_AN_ISSUE = [one for one in CATALOGUE if Menu.ISSUE not in one.menus]


@pytest.fixture(scope="module")
def world() -> World:
    """A world whose every list has several pages."""
    return World.build(now=NOW, events=1500, issues=130, feedback=130, bulk=120, repositories=230)


def keys_of(report: Report, rows: list[Row]) -> list[tuple[object, ...]]:
    """The rows' keys; for entries those of their events."""
    key = [name for name in report.key if name != "entry_index"]
    return [tuple(row[name] for name in key) for row in rows]


def check_keys(report: Report, rows: list[Row], wanted: set[tuple[object, ...]]) -> None:
    """Nothing is missing, nothing doubled, no key is null."""
    keys = keys_of(report, rows)
    assert all(None not in key for key in keys)
    if report.shape is Shape.ENTRIES:  # an event without entries gives no row
        assert set(keys) <= wanted
        assert len({(*key, row["entry_index"]) for key, row in zip(keys, rows, strict=True)}) == len(rows)
    else:
        assert set(keys) == wanted
        assert len(keys) == len(wanted)


@every_report
@every_era
async def test_a_report_brings_every_row_once(report: Report, era: Era, world: World, tmp_path: Path) -> None:
    """From today's Sentry and from an old self-hosted one."""
    details, wanted = EXPECTED[report.slug](world.truth())
    async with running(world, era=era) as sentry:
        result = await pulled(StandingApp(tmp_path, sentry.url, sentry.token), report, details)
    check_keys(report, result.rows, wanted)
    assert era == "old" or result.warnings == ()
    assert all(row["_extra"] is None for row in result.rows)


async def test_what_an_old_server_lacks_is_said_once(world: World, tmp_path: Path) -> None:
    """Its columns are null, and a reader need not wonder why."""
    details = Details(organizations=("*",), projects=("*",))
    async with running(world, era="old") as sentry:
        result = await pulled(StandingApp(tmp_path, sentry.url, TOKEN), catalogue.find("projects-issues"), details)
    (warning,) = result.warnings
    assert "priority" in warning
    assert all(row["priority"] is None for row in result.rows)


@every_report
async def test_faults_on_the_way_change_nothing(report: Report, world: World, tmp_path: Path) -> None:
    """With a third of the answers broken, the rows are those of a quiet day."""
    details, wanted = EXPECTED[report.slug](world.truth())
    faults = Faults(seed=7, rate=0.3)
    async with running(world, faults=faults) as sentry:
        app = StandingApp(tmp_path, sentry.url, sentry.token)
        app.clock = HastyClock()
        check_keys(report, (await pulled(app, report, details)).rows, wanted)


@pytest.mark.parametrize("report", WITHOUT_AN_ISSUE, ids=lambda report: report.slug)
async def test_every_row_has_every_column(report: Report, world: World, tmp_path: Path) -> None:
    """From one project's rows to all of an account: a table has its columns from the first day."""
    names = [*(column.name for column in report.columns), *(field.name for field in SYSTEM_FIELDS)]
    details = Details(
        organizations=("acme",) if Menu.ORGANIZATIONS in report.menus else (),
        projects=("*",) if Menu.PROJECTS in report.menus else (),
        teams=("*",) if Menu.TEAMS in report.menus else (),
        duration=DateRange(start=2, end=0) if report.time_column else None,
    )
    async with running(world) as sentry:
        result = await pulled(StandingApp(tmp_path, sentry.url, sentry.token), report, details)
    assert result.rows
    assert all(list(row) == names for row in result.rows)


@every_report
async def test_a_wrong_token_is_said_to_be_wrong(report: Report, world: World, tmp_path: Path) -> None:
    details, _ = EXPECTED[report.slug](world.truth())
    async with running(world) as sentry:
        with pytest.raises(TokenRejected):
            await pulled(StandingApp(tmp_path, sentry.url, EXPIRED_TOKEN), report, details)


@pytest.mark.parametrize("report", REFUSED_TO_A_CI_TOKEN, ids=lambda report: report.slug)
async def test_a_missing_scope_is_an_error_that_names_it(report: Report, world: World, tmp_path: Path) -> None:
    """Never an empty table. Which scope is missing first depends on what must be looked up first."""
    details, _ = EXPECTED[report.slug](world.truth())
    async with running(world) as sentry:
        with pytest.raises(ScopeMissing, match=r"(org|project|event):read"):
            await pulled(StandingApp(tmp_path, sentry.url, ORG_TOKEN), report, details)


@pytest.mark.parametrize("slug", ["project-events", "project-feedback", "projects-users", "events-counts-project"])
async def test_project_read_is_enough_for_a_named_project(slug: str, world: World, tmp_path: Path) -> None:
    """A token that may not list organizations still reads the project that it is told."""
    report = catalogue.find(slug)
    details, wanted = EXPECTED[slug](world.truth())
    async with running(world) as sentry:
        result = await pulled(StandingApp(tmp_path, sentry.url, PROJECT_TOKEN), report, details)
    check_keys(report, result.rows, wanted)


@dated_lists
@every_era
async def test_rows_lie_inside_the_chosen_days(report: Report, era: Era, world: World, tmp_path: Path) -> None:
    """Both ends included, counted in the chosen zone, whatever an old server sends besides."""
    details, _ = EXPECTED[report.slug](world.truth())
    chosen = Details(
        projects=details.projects, issue=details.issue, duration=DateRange(start=10, end=5), timezone="America/New_York"
    )
    async with running(world, era=era) as sentry:
        rows = (await pulled(StandingApp(tmp_path, sentry.url, sentry.token), report, chosen)).rows
    times = [row[report.time_column or ""] for row in rows]
    days = {time.astimezone(NEW_YORK).date() for time in times if isinstance(time, dt.datetime)}
    assert days
    assert days <= CHOSEN_DAYS


async def test_counts_agree_with_the_events(world: World, tmp_path: Path) -> None:
    """The hourly counts of a project sum up to its events of the same days."""
    days = DateRange(start=6, end=1)
    async with running(world) as sentry:
        app = StandingApp(tmp_path, sentry.url, sentry.token)
        counts = await pulled(
            app,
            catalogue.find("events-counts-project"),
            Details(projects=("acme/shop",), stat="generated", duration=days),
        )
        events = await pulled(app, catalogue.find("project-events"), Details(projects=("acme/shop",), duration=days))
    assert sum(int(str(row["events"])) for row in counts.rows) == len(events.rows) > 0


async def test_an_answer_about_another_project_is_refused(tmp_path: Path) -> None:
    """A proxy that mixes up answers must not mix up tables."""
    world = World.build(now=NOW, events=50)
    shop, quiet = world.project("acme", "shop"), world.project("acme", "quiet")
    shop.events[0].issue.project = quiet
    async with running(world) as sentry:
        with pytest.raises(MalformedAnswer):
            await pulled(
                StandingApp(tmp_path, sentry.url, TOKEN),
                catalogue.find("project-events"),
                Details(projects=("acme/shop",)),
            )


@pytest.mark.parametrize(
    ("slug", "details", "name"),
    [
        ("organization-projects", Details(organizations=("acmee",)), "acmee"),
        ("project-events", Details(projects=("acme/shopp",)), "shopp"),
        ("project-events", Details(projects=("shopp",)), "shopp"),
        ("team-projects", Details(organizations=("acme",), teams=("webb",)), "webb"),
        ("issues-events", Details(issue="999999"), "999999"),
        ("issues-events", Details(issue="SHOP-ZZZ"), "SHOP-ZZZ"),
    ],
)
async def test_what_is_not_there_is_named(slug: str, details: Details, name: str, world: World, tmp_path: Path) -> None:
    async with running(world) as sentry:
        with pytest.raises(NotFound, match=name):
            await pulled(StandingApp(tmp_path, sentry.url, TOKEN), catalogue.find(slug), details)


async def test_regions_are_asked_where_they_are(tmp_path: Path) -> None:
    """Organizations of another region are read from its host, and the host joins the rows."""
    world = World.build(now=NOW, events=300, regions=True)
    async with running(world) as sentry:
        app = StandingApp(tmp_path, sentry.url, TOKEN)
        result = await pulled(app, catalogue.find("projects"), Details())
        servers = len(sentry.servers)
    assert len({row["_host"] for row in result.rows}) == servers == 2
    assert {row["project_id"] for row in result.rows} == {project.id for project in world.projects}
