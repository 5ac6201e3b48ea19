"""Partition replaces a day only where Sentry can still show all of it: what it has forgotten stays in the table."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs
import pytest

from sentry_connector.errors import KeyViolated
from sentry_connector.extraction.parts import Layout
from sentry_connector.extraction.spool import Spool
from sentry_connector.reports.details import ALL, AllAvailable, DateRange, Details, Duration
from sentry_connector.simulator import Simulation, World, running
from tests.parts import NOW
from tests.runs.acme import DAY, HastyApp, app_in, column, made, ran, rows_of, shop, small_world

DURATIONS = pytest.mark.parametrize("duration", [AllAvailable(), DateRange(start=59, end=0)], ids=["all", "range"])


@pytest.fixture
def world() -> World:
    return small_world(days=60)


@pytest.fixture
async def sentry(world: World) -> AsyncIterator[Simulation]:
    async with running(world, clock=lambda: world.time) as simulation:
        yield simulation


def forget(world: World, older_than: dt.timedelta, project: str = "shop") -> None:
    """What a plan with that retention does."""
    one, edge = world.project("acme", project), (NOW - older_than).timestamp()
    one.events = [event for event in one.events if event.time >= edge]


@DURATIONS
async def test_what_a_plan_of_30_days_has_forgotten_stays(duration: Duration, app: HastyApp, world: World) -> None:
    dataset = made(app, "partition", shop(duration))
    await ran(app, dataset)
    before = column(app, dataset)
    forget(world, 30 * DAY)
    run = await ran(app, dataset)
    assert run.rows_read < len(before)
    assert column(app, dataset) == before


@DURATIONS
async def test_where_no_row_is_left_only_days_are_emptied_that_every_plan_keeps(
    duration: Duration, app: HastyApp, world: World
) -> None:
    dataset = made(app, "partition", shop(duration))
    await ran(app, dataset)
    old = [row["event_id"] for row in rows_of(app, dataset) if row["_day"] <= (NOW - 29 * DAY).date()]  # type: ignore[operator]
    forget(world, dt.timedelta())
    await ran(app, dataset)
    assert column(app, dataset) == sorted(old, key=str) != []


async def test_days_after_the_oldest_row_are_replaced_whole(app: HastyApp, world: World) -> None:
    """A plan that shows rows of 60 days ago keeps all that is younger: what is gone there was deleted."""
    dataset = made(app, "partition", shop(AllAvailable()))
    await ran(app, dataset)
    day = (NOW - 40 * DAY).date()
    gone = {row["event_id"] for row in rows_of(app, dataset) if row["_day"] == day}
    project = world.project("acme", "shop")
    project.events = [event for event in project.events if event.id not in gone]
    before = column(app, dataset)
    await ran(app, dataset)
    assert gone
    assert set(before) - set(column(app, dataset)) == gone


async def test_the_plan_of_one_organization_says_nothing_of_anothers(app: HastyApp, world: World) -> None:
    (other, *_) = world.organization("globex").projects
    world.add_events("globex", other.slug, 40, start=(NOW - 58 * DAY).timestamp(), end=NOW.timestamp() - 3600)
    details = Details(projects=("acme/shop", f"globex/{other.slug}"), duration=AllAvailable())
    dataset = made(app, "partition", details)
    await ran(app, dataset)
    before = column(app, dataset)
    forget(world, 30 * DAY)
    await ran(app, dataset)
    assert column(app, dataset) == before


async def test_a_retention_that_somebody_states_is_relied_on(tmp_path: Path, sentry: Simulation, world: World) -> None:
    app = app_in(tmp_path, sentry, SENTRY_CONNECTOR_RETENTION_DAYS="50")
    dataset = made(app, "partition", shop(AllAvailable()))
    await ran(app, dataset)
    forget(world, 30 * DAY)
    await ran(app, dataset)
    days = {row["_day"] for row in rows_of(app, dataset)}
    assert not {(NOW - back * DAY).date() for back in range(31, 49)} & days
    assert min(days) < (NOW - 49 * DAY).date()  # type: ignore[type-var,operator]


async def test_a_row_without_a_time_has_no_day_to_lie_in(tmp_path: Path) -> None:
    schema = pa.schema([("event_id", pa.string()), ("date_created", pa.timestamp("us", "UTC"))])
    layout = Layout(key=("event_id",), day_column="date_created")
    spool = Spool(
        filesystem=pafs.LocalFileSystem(), root=str(tmp_path), epoch=1, schema=schema, layout=layout, attempt="1"
    )
    rows = pa.RecordBatch.from_pylist([{"event_id": "a", "date_created": NOW}, {"event_id": "b"}], schema=schema)
    with pytest.raises(KeyViolated, match="date_created"):
        await spool.writer("slice", "project:1").add(rows)


async def test_where_nothing_is_chosen_any_more_a_run_by_days_is_empty_and_ends(app: HastyApp, world: World) -> None:
    """All projects, and there is none."""
    dataset = made(app, "partition", Details(projects=(ALL,), duration=AllAvailable()))
    await ran(app, dataset)
    for organization in world.organizations:
        organization.projects.clear()
    run = await ran(app, dataset)
    assert run.rows_read == 0
