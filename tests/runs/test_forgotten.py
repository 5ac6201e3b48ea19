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
from tests.runs.acme import DAY, EVENTS, HastyApp, app_in, column, made, pass_time, ran, rows_of, shop, small_world

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


@pytest.mark.parametrize("report", [EVENTS, "projects-issues"])
@pytest.mark.parametrize("method", ["replace", "append", "upsert", "partition"])
async def test_dates_beyond_retention_bring_nothing_and_take_nothing(
    method: str, report: str, app: HastyApp, world: World
) -> None:
    if (method, report) == ("partition", "projects-issues"):
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
