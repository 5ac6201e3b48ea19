"""Backfill: earlier days by a chain of runs; and a run over the limits, which becomes a chain by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from sentry_connector.errors import DatesError, LossNotAccepted, UsageError
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import backfill
from sentry_connector.reports.details import AllAvailable, DateRange, Details, SinceLastRun
from sentry_connector.runs import queue
from sentry_connector.runs.execute import execute
from sentry_connector.simulator import Simulation, World, start_in_thread
from sentry_connector.store.records import DataSet, Run, RunState, Trigger, Verdict
from tests.parts import NOW
from tests.runs.acme import (
    ALL_OF_SHOP,
    DAY,
    HOUR,
    SHOP,
    Broken,
    HastyApp,
    app_in,
    column,
    events_in,
    made,
    pass_time,
    ran,
    shop,
    small_world,
    watermarks,
)
from tests.runs.watching import Watch

METHODS = pytest.mark.parametrize("method", ["append", "upsert", "partition"])
LAST_TWENTY = DateRange(start=19, end=0)


async def next_of(app: HastyApp, dataset: DataSet) -> Run:
    return await execute(queue.pending(app, dataset)[0].id, app, progress=Progress())


async def gone_through(app: HastyApp, dataset: DataSet) -> list[Run]:
    """The runs of the DataSet's chains to their end."""
    runs = []
    while queue.pending(app, dataset):
        runs.append(await next_of(app, dataset))
        assert runs[-1].verdict is Verdict.COMPLETE, runs[-1]
    return runs


def days_of(runs: list[Run]) -> list[tuple[int, int]]:
    """The parts' days, as days before today."""
    today = NOW.date()
    return [((today - run.part.start).days, (today - run.part.end).days) for run in runs if run.part]


def events_of(world: World, days: int) -> list[str]:
    """The shop's events of today and the days before, as many as are read."""
    first = (NOW - (days - 1) * DAY).replace(hour=0).timestamp()
    end = NOW.timestamp() - 60
    return sorted(event.id for event in world.project("acme", "shop").events if first <= event.time < end)


@METHODS
async def test_a_chain_reads_the_newest_days_first_and_moves_no_watermark(
    method: str, app: HastyApp, world: World
) -> None:
    dataset = made(app, method)
    chain = backfill.begin(app, dataset.name, LAST_TWENTY)
    runs = await gone_through(app, dataset)
    assert days_of(runs) == days_of(list(chain.runs)) == [(6, 0), (13, 7), (19, 14)]
    assert {run.trigger for run in runs} == {Trigger.BACKFILL}
    assert column(app, dataset) == events_of(world, 20)
    assert watermarks(app, dataset) == {}
    await ran(app, dataset)
    assert column(app, dataset) == events_in(world, until=app.moment), "the first run reads all, and doubles nothing"


@METHODS
async def test_a_chain_that_failed_goes_on_where_it_stopped(
    method: str, app: HastyApp, world: World, faults: Broken
) -> None:
    dataset = made(app, method)
    backfill.begin(app, dataset.name, LAST_TWENTY)
    first = await next_of(app, dataset)
    before = column(app, dataset)
    faults.path = "/projects/acme/shop/events/"
    failed = await next_of(app, dataset)
    assert (first.verdict, failed.verdict, column(app, dataset)) == (Verdict.COMPLETE, Verdict.FAILED, before)
    faults.path = None
    again = backfill.begin(app, dataset.name, LAST_TWENTY)
    assert (again.goes_on, days_of(list(again.runs))) == (True, [(13, 7), (19, 14)])
    await gone_through(app, dataset)
    assert column(app, dataset) == events_of(world, 20)
    assert backfill.begin(app, dataset.name, LAST_TWENTY).goes_on is False, "it was whole: the same days once more"


async def test_a_chain_that_was_cut_off_goes_on_where_it_stopped(tmp_path: Path, world: World) -> None:
    """What its earlier runs read is not read again."""
    watch = Watch()
    with start_in_thread(world, clock=lambda: world.time, faults=watch) as sentry:
        app = app_in(tmp_path, sentry)
        dataset = made(app, "append")
        backfill.begin(app, dataset.name, LAST_TWENTY)
        await next_of(app, dataset)
        asked = set(watch.seen)
        loop, second = asyncio.get_running_loop(), asyncio.ensure_future(next_of(app, dataset))

        def cut_off() -> None:
            loop.call_soon_threadsafe(second.cancel)

        watch.at, watch.then = len(watch.seen) + 2, cut_off
        with pytest.raises(asyncio.CancelledError):
            await second
        watch.seen.clear()
        again = backfill.begin(app, dataset.name, LAST_TWENTY)
        assert (again.goes_on, days_of(list(again.runs))) == (True, [(13, 7), (19, 14)])
        await gone_through(app, dataset)
        assert not asked & {target for target in watch.seen if "/events/" in target}
        assert column(app, dataset) == events_of(world, 20)


async def test_a_run_of_a_chain_that_was_interrupted_comes_first(app: HastyApp, world: World) -> None:
    dataset = made(app, "upsert")
    chain = backfill.begin(app, dataset.name, LAST_TWENTY)
    begun = chain.runs[1]
    epoch = app.store.datasets.next_epoch(dataset.id, 0)
    app.store.runs.save(msgspec.structs.replace(begun, epoch=epoch, state=RunState.RUNNING, started_at=app.moment))
    assert (await ran(app, dataset)).id == begun.id
    assert days_of(queue.pending(app, dataset)) == [(6, 0), (19, 14)]


async def test_other_runs_take_turns_with_a_chain(app: HastyApp, world: World) -> None:
    dataset = made(app, "upsert", SHOP)
    await ran(app, dataset)
    backfill.begin(app, dataset.name, LAST_TWENTY)
    await next_of(app, dataset)
    began = watermarks(app, dataset)
    pass_time(app, world)
    between = await ran(app, dataset)
    assert between.trigger is Trigger.MANUAL
    await gone_through(app, dataset)
    assert watermarks(app, dataset) == {scope: mark + 2 * 3600 * 10**6 for scope, mark in began.items()}
    assert column(app, dataset) == events_in(world, until=app.moment)


async def test_replace_reads_all_days_in_one_run(app: HastyApp, world: World) -> None:
    dataset = made(app, "replace", shop(DateRange(start=1, end=0)))
    chain = backfill.begin(app, dataset.name, LAST_TWENTY)
    assert (chain.in_one, days_of(list(chain.runs))) == (True, [(19, 0)])
    await gone_through(app, dataset)
    assert column(app, dataset) == events_of(world, 20)


async def test_what_has_no_days_cannot_be_backfilled(app: HastyApp) -> None:
    dataset = made(app, "replace", Details(), "organizations")
    with pytest.raises(UsageError, match="no dates"):
        backfill.begin(app, dataset.name, LAST_TWENTY)
    dataset = made(app, "upsert")
    with pytest.raises(DatesError, match="future"):
        backfill.begin(app, dataset.name, DateRange(start=1, end=(NOW + DAY).date()))
    assert queue.pending(app, dataset) == []


async def test_days_that_sentry_forgot_while_a_chain_rested_are_not_emptied(
    tmp_path: Path, sentry: Simulation, world: World
) -> None:
    """Which days are whole follows from when they are read, not from when that was asked for."""
    app = app_in(tmp_path, sentry, SENTRY_CONNECTOR_RETENTION_DAYS="30")
    dataset = made(app, "partition")
    await ran(app, dataset)
    before = column(app, dataset)
    backfill.begin(app, dataset.name, DateRange(start=20, end=14))
    pass_time(app, world, 20 * DAY)
    project = world.project("acme", "shop")
    project.events = [event for event in project.events if event.time > world.time - 30 * 86400]
    await gone_through(app, dataset)
    assert column(app, dataset) == before


# ---- by itself


def large_world() -> World:
    return small_world(events={"acme/shop": 2500}, issues=40)


@METHODS
@pytest.mark.parametrize("duration", [SinceLastRun(), AllAvailable()], ids=["since", "all"])
async def test_a_run_over_the_limits_becomes_a_chain(
    method: str, duration: SinceLastRun | AllAvailable, tmp_path: Path
) -> None:
    """Its first run holds the newest days and the watermark; the others bring what lies before."""
    world = large_world()
    with start_in_thread(world, clock=lambda: world.time) as sentry:
        app = app_in(tmp_path, sentry, SENTRY_CONNECTOR_RUN_MIB="1")
        dataset = made(app, method, shop(duration))
        first = await ran(app, dataset)
        assert first.part is not None
        assert 0 < first.rows_read < 700
        rest = await gone_through(app, dataset)
        assert len(rest) >= 3
        assert all(run.rows_read < 700 for run in rest)
        assert column(app, dataset) == events_in(world, until=NOW)
        assert list(watermarks(app, dataset).values()) == [(int(NOW.timestamp()) - 60) * 10**6]
        world.add_events("acme", "shop", 5)
        pass_time(app, world, HOUR)
        if isinstance(duration, SinceLastRun):
            run = await ran(app, dataset)
            assert (run.part, run.requests) == (None, 1)
            assert column(app, dataset) == events_in(world, until=app.moment)


async def test_a_chain_whose_first_run_failed_is_given_up(tmp_path: Path) -> None:
    """The next run has the same days before it, so that what was left would bring them twice."""
    world, faults = large_world(), Broken(path="/projects/acme/shop/events/")
    with start_in_thread(world, clock=lambda: world.time, faults=faults) as sentry:
        app = app_in(tmp_path, sentry, SENTRY_CONNECTOR_RUN_MIB="1")
        dataset = made(app, "append", ALL_OF_SHOP)
        await ran(app, dataset, Verdict.FAILED)
        assert queue.pending(app, dataset) == []
        faults.path = None
        await ran(app, dataset)
        await gone_through(app, dataset)
        assert column(app, dataset) == events_in(world, until=NOW)


async def test_a_backfill_by_which_replace_would_drop_rows_is_refused_before_anything_is_queued(app: HastyApp) -> None:
    dataset = made(app, "replace", ALL_OF_SHOP)
    await ran(app, dataset)
    with pytest.raises(LossNotAccepted, match="would drop"):
        backfill.begin(app, dataset.name, DateRange(start=3, end=1))
    assert queue.pending(app, dataset) == []


async def test_replace_stays_one_run_and_says_so(tmp_path: Path) -> None:
    world = large_world()
    with start_in_thread(world, clock=lambda: world.time) as sentry:
        app = app_in(tmp_path, sentry, SENTRY_CONNECTOR_RUN_MIB="1")
        dataset = made(app, "replace", ALL_OF_SHOP)
        run = await ran(app, dataset)
        assert run.part is None
        assert any("Replace stays one run" in one for one in run.warnings)
        assert column(app, dataset) == events_in(world, until=NOW)
