"""What Sentry does not keep any more: a run says so, and the table keeps what it has."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sentry_connector.extraction.progress import Progress
from sentry_connector.operations.pull import pull
from sentry_connector.reports import catalogue
from sentry_connector.reports.details import DateRange
from sentry_connector.simulator import Simulation, World, running
from sentry_connector.store.records import DataSet
from tests.runs.acme import DAY, EVENTS, HastyApp, app_in, column, made, pass_time, ran, rows_of, shop, small_world

ISSUES = "projects-issues"

FEBRUARY = DateRange(start=dt.date(2026, 2, 1), end=dt.date(2026, 2, 28))
LATER = 101 * DAY
"""When all of February lies beyond the 90 days that the simulated Sentry keeps."""


@pytest.fixture
def world() -> World:
    return small_world(days=60)


@pytest.fixture
async def sentry(world: World) -> AsyncIterator[Simulation]:
    async with running(world, clock=lambda: world.time) as simulation:
        yield simulation


@pytest.mark.parametrize("report", [EVENTS, ISSUES])
@pytest.mark.parametrize("method", ["replace", "append", "upsert", "partition"])
async def test_dates_beyond_retention_bring_nothing_and_take_nothing(
    method: str, report: str, app: HastyApp, world: World
) -> None:
    if (method, report) == ("partition", ISSUES):
        method = "upsert"
    dataset = made(app, method, shop(FEBRUARY, organizations=("acme",)), report)
    await ran(app, dataset)
    before = rows_of(app, dataset)
    pass_time(app, world, LATER)
    run = await ran(app, dataset)
    assert before
    assert sorted(map(repr, rows_of(app, dataset))) == sorted(map(repr, before))
    assert (run.rows_read, run.rows_deleted) == (0, 0)
    assert any("Sentry keeps nothing of acme/shop before 2026-03-01T00:00Z any more" in one for one in run.warnings)


async def test_no_day_is_emptied_that_sentry_says_it_has_forgotten(
    tmp_path: Path, sentry: Simulation, world: World
) -> None:
    """Also where somebody has said that Sentry keeps more than it does."""
    app = app_in(tmp_path, sentry, SENTRY_CONNECTOR_RETENTION_DAYS="400")
    dataset = made(app, "partition", shop(FEBRUARY))
    await ran(app, dataset)
    before = column(app, dataset)
    pass_time(app, world, LATER)
    await ran(app, dataset)
    assert column(app, dataset) == before


async def test_a_pull_of_forgotten_dates_is_empty_and_says_so(app: HastyApp, world: World) -> None:
    pass_time(app, world, LATER)
    report = catalogue.find(EVENTS)
    async with pull(report, shop(FEBRUARY), app.connection(None), app, progress=Progress()) as pulled:
        assert (pulled.rows, pulled.incomplete) == (0, ())
        assert any("keeps nothing" in one for one in pulled.warnings)


LATELY = DateRange(start=dt.date(2026, 2, 1), end=dt.date(2026, 3, 9))
PARTLY_LATER = 72 * DAY
"""When a part of the days from February on lies beyond what is kept, and a part does not."""


@pytest.mark.parametrize("report", [EVENTS, ISSUES])
async def test_replace_keeps_what_sentry_forgot_of_the_beginning_of_its_dates(
    report: str, app: HastyApp, world: World
) -> None:
    dataset = made(app, "replace", shop(LATELY, organizations=("acme",)), report)
    await ran(app, dataset)
    before = rows_of(app, dataset)
    pass_time(app, world, PARTLY_LATER)
    run = await ran(app, dataset)
    assert 0 < run.rows_read < len(before)
    key = catalogue.find(report).key
    assert sorted(tuple(row[name] for name in key) for row in rows_of(app, dataset)) == sorted(
        tuple(row[name] for name in key) for row in before
    )
    assert any("a table keeps what it has of the days before" in one for one in run.warnings)


async def test_an_issue_that_was_seen_again_is_not_kept_twice(app: HastyApp, world: World) -> None:
    """Its row of old bears a time that Sentry has forgotten, its new one a time that it keeps."""
    dataset = made(app, "replace", shop(DateRange(start=dt.date(2026, 2, 1), end=0), organizations=("acme",)), ISSUES)
    await ran(app, dataset)
    before = column(app, dataset, "issue_id")
    pass_time(app, world, PARTLY_LATER + 20 * DAY)
    world.add_events("acme", "shop", 200)
    pass_time(app, world, DAY)
    run = await ran(app, dataset)
    assert run.rows_read
    assert column(app, dataset, "issue_id") == before


async def test_replace_drops_what_lies_before_dates_that_moved_on(app: HastyApp, world: World) -> None:
    dataset = made(app, "replace", shop(DateRange(start=100, end=0)), accept_loss=True)
    await ran(app, dataset)
    before = {row["event_id"]: row["date_created"] for row in rows_of(app, dataset)}
    pass_time(app, world, 60 * DAY)
    run = await ran(app, dataset)
    start = run.windows[0].start
    assert start is not None
    within = {event for event, time in before.items() if str(time) >= str(start)}
    assert 0 < run.rows_read < len(within) < len(before)
    assert {row["event_id"] for row in rows_of(app, dataset)} == within


@pytest.mark.parametrize("method", ["replace", "upsert", "partition"])
async def test_counts_that_sentry_forgot_stay(method: str, app: HastyApp, world: World) -> None:
    """It answers 0 for them."""
    dataset = made(app, method, shop(LATELY, stat="received", resolution="1h"), "events-counts-project")
    await ran(app, dataset)
    before = counted(app, dataset)
    pass_time(app, world, PARTLY_LATER)
    run = await ran(app, dataset)
    assert any(before.values())
    assert counted(app, dataset) == before
    assert any("Nothing of acme/shop was found before" in one for one in run.warnings)
    pass_time(app, world, LATER)
    await ran(app, dataset)
    assert counted(app, dataset) == before


def counted(app: HastyApp, dataset: DataSet) -> dict[object, object]:
    return {row["timestamp_epoch"]: row["events"] for row in rows_of(app, dataset)}
