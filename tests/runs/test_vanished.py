"""Once a week all issues are read: for changes without activity, and for issues that are gone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentry_connector.reports.details import ALL, AllAvailable, Details, SinceLastRun
from sentry_connector.simulator import World, start_in_thread
from sentry_connector.simulator.call import Era
from sentry_connector.simulator.model import Issue
from sentry_connector.store.records import DataSet, Verdict
from tests.parts import Row
from tests.runs.acme import DAY, HOUR, Broken, HastyApp, app_in, made, pass_time, ran, rows_of, shop, small_world

ISSUES = "projects-issues"
INCREMENTAL = shop(SinceLastRun(), organizations=("acme",))
WEEK = 7 * DAY


@pytest.fixture
def world() -> World:
    return small_world(days=60)


@pytest.fixture(params=["new", "old"])
def era(request: pytest.FixtureRequest) -> Era:
    found: Era = request.param
    return found


@pytest.fixture
def app(tmp_path: Path, world: World, faults: Broken, era: Era) -> Iterator[HastyApp]:
    with start_in_thread(world, clock=lambda: world.time, faults=faults, era=era) as sentry:
        yield app_in(tmp_path, sentry)


def issues_of(world: World, *, quiet_for: dt.timedelta = HOUR, project: str = "shop") -> list[Issue]:
    """Issues that were last seen before that time and no longer than 20 days ago."""
    issues = world.project("acme", project).issues
    return [one for one in issues if 20 * DAY.total_seconds() > world.time - one.last_seen > quiet_for.total_seconds()]


def row_of(app: HastyApp, dataset: DataSet, issue: str) -> Row:
    (row,) = [row for row in rows_of(app, dataset) if row["issue_id"] == issue]
    return row


def marked(app: HastyApp, dataset: DataSet) -> dict[object, object]:
    """The issues that are said to be gone, and what took their place."""
    rows = rows_of(app, dataset)
    assert len({row["issue_id"] for row in rows}) == len(rows)
    return {row["issue_id"]: row["_merged_into"] for row in rows if row["_deleted_at"] is not None}


async def test_a_change_without_activity_is_seen_within_a_week(app: HastyApp, world: World) -> None:
    dataset = made(app, "upsert", INCREMENTAL, ISSUES)
    await ran(app, dataset)
    issue = next(one for one in issues_of(world, quiet_for=DAY) if one.status != "resolved")
    world.set_status(issue.id, "resolved")
    pass_time(app, world, WEEK - HOUR)
    await ran(app, dataset)
    assert row_of(app, dataset, issue.id)["status"] != "resolved"
    pass_time(app, world, HOUR)
    await ran(app, dataset)
    assert row_of(app, dataset, issue.id)["status"] == "resolved"


async def test_issues_that_are_gone_are_marked_and_merged_ones_name_the_survivor(app: HastyApp, world: World) -> None:
    dataset = made(app, "upsert", INCREMENTAL, ISSUES)
    await ran(app, dataset)
    gone, merged, survivor, *_ = issues_of(world)
    world.delete_issue(gone.id)
    world.merge_issues(merged.id, into=survivor.id)
    pass_time(app, world, WEEK)
    run = await ran(app, dataset)
    assert marked(app, dataset) == {gone.id: None, merged.id: survivor.id}
    row = row_of(app, dataset, gone.id)
    assert (row["_deleted_at"], row["_run_id"], row["title"]) == (app.moment, run.id, gone.title)
    pass_time(app, world, WEEK)
    again = await ran(app, dataset)
    assert (again.rows_updated, marked(app, dataset)) == (0, {gone.id: None, merged.id: survivor.id})


async def test_an_issue_that_comes_back_is_there_again(app: HastyApp, world: World) -> None:
    dataset = made(app, "upsert", INCREMENTAL, ISSUES)
    await ran(app, dataset)
    issue = issues_of(world)[0]
    world.delete_issue(issue.id)
    pass_time(app, world, WEEK)
    await ran(app, dataset)
    assert marked(app, dataset) == {issue.id: None}
    world.add_issue(issue)
    pass_time(app, world, WEEK)
    await ran(app, dataset)
    assert marked(app, dataset) == {}


async def test_what_sentry_may_have_forgotten_is_not_said_to_be_gone(app: HastyApp, world: World) -> None:
    """Every plan keeps 30 days. Nothing that is read reaches further back, so that nobody knows of older issues."""
    dataset = made(app, "upsert", INCREMENTAL, ISSUES)
    await ran(app, dataset)
    for issue in list(world.project("acme", "shop").issues):
        if world.time - issue.last_seen > 20 * DAY.total_seconds():
            world.delete_issue(issue.id)
    pass_time(app, world, 10 * DAY)
    await ran(app, dataset)
    assert marked(app, dataset) == {}


async def test_nothing_is_marked_by_a_list_that_was_not_read_whole(app: HastyApp, world: World, faults: Broken) -> None:
    """The shop's list breaks off; another project's is whole."""
    details = Details(organizations=("acme",), projects=(ALL,), duration=SinceLastRun())
    dataset = made(app, "upsert", details, ISSUES)
    await ran(app, dataset)
    world.delete_issue(issues_of(world)[0].id)
    other = issues_of(world, project="payments")[0]
    world.delete_issue(other.id)
    pass_time(app, world, WEEK)
    faults.path = "/projects/acme/shop/issues/", f"query=&project={world.project('acme', 'shop').id}&"
    await ran(app, dataset, Verdict.INCOMPLETE)
    assert marked(app, dataset) == {other.id: None}


async def test_an_issue_that_nobody_can_tell_about_is_left_to_the_next_run(
    app: HastyApp, world: World, faults: Broken
) -> None:
    dataset = made(app, "upsert", INCREMENTAL, ISSUES)
    await ran(app, dataset)
    issue = issues_of(world)[0]
    world.delete_issue(issue.id)
    pass_time(app, world, WEEK)
    faults.path = f"issues/{issue.id}/"
    run = await ran(app, dataset)
    assert any("could not be found out" in one for one in run.warnings)
    assert marked(app, dataset) == {}
    faults.path = None
    pass_time(app, world, HOUR)
    await ran(app, dataset)
    assert marked(app, dataset) == {issue.id: None}


async def test_a_run_over_all_dates_marks_too(app: HastyApp, world: World) -> None:
    dataset = made(app, "upsert", shop(AllAvailable(), organizations=("acme",)), ISSUES)
    await ran(app, dataset)
    issue = issues_of(world)[0]
    world.delete_issue(issue.id)
    pass_time(app, world, WEEK)
    await ran(app, dataset)
    assert marked(app, dataset) == {issue.id: None}


async def test_in_between_a_run_costs_a_request(tmp_path: Path, world: World) -> None:
    with start_in_thread(world, clock=lambda: world.time) as sentry:
        app = app_in(tmp_path, sentry)
        dataset = made(app, "upsert", INCREMENTAL, ISSUES)
        await ran(app, dataset)
        pass_time(app, world, 3 * DAY)
        assert (await ran(app, dataset)).requests == 1


async def test_no_full_read_where_somebody_wants_none(tmp_path: Path, world: World) -> None:
    with start_in_thread(world, clock=lambda: world.time) as sentry:
        app = app_in(tmp_path, sentry, SENTRY_CONNECTOR_RECONCILE_DAYS="0")
        dataset = made(app, "upsert", INCREMENTAL, ISSUES)
        await ran(app, dataset)
        world.delete_issue(issues_of(world)[0].id)
        pass_time(app, world, 30 * DAY)
        assert (await ran(app, dataset)).requests == 1
        assert marked(app, dataset) == {}
