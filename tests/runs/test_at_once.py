"""Two processes on one DataSet: one works, the other is refused or waits; one that slept too long changes nothing."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import signal
from pathlib import Path

import pytest

from sentry_connector.errors import Locked
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import datasets
from sentry_connector.operations.running import is_served
from sentry_connector.runs.lease import TTL, WORKERS, held
from sentry_connector.simulator import running
from sentry_connector.store.processes import this_process
from sentry_connector.store.records import Run, RunState, Trigger, Verdict
from tests.parts import NOW
from tests.runs import child
from tests.runs.acme import (
    SHOP,
    app_in,
    column,
    events_in,
    made,
    pass_time,
    ran,
    rows_of,
    small_world,
    state,
)
from tests.runs.watching import PATIENCE, watched

AFTER_THE_LEASE = NOW + TTL + dt.timedelta(seconds=1)

BEFORE_THE_COMMIT = 12
"""The look at the clock with which a run of 900 events makes sure, before its commit, that the lease is still its own."""


async def test_a_second_process_is_refused_and_told_who_is_at_work_or_waits_for_it(tmp_path: Path) -> None:
    world = small_world()
    with watched(world) as (sentry, watch):
        app = app_in(tmp_path, sentry)
        dataset = made(app, "append")
        reading, go_on = watch.hold(2)
        process = child.start(tmp_path, sentry.url, dataset.name)
        assert reading.wait(PATIENCE)
        with pytest.raises(Locked, match=f"process {process.pid} on "):
            await ran(app, dataset)
        with pytest.raises(Locked):
            await datasets.revert(app, dataset.name, 0)
        waiting = asyncio.create_task(datasets.run(app, dataset.name, progress=Progress(), wait_lock=PATIENCE))
        await asyncio.sleep(0)
        go_on.set()
        run = await waiting
        assert (process.wait(PATIENCE), process.communicate()[0]) == (0, "COMPLETE\n")
        assert [run] == app.store.runs.history(dataset.id), "the one that waited is answered the other's run"
        assert [one.version for one in datasets.versions(app, dataset.name)] == [0]
        assert column(app, dataset) == events_in(world, until=NOW)
        app.close()


async def test_a_refused_run_is_not_made_up_for_later(tmp_path: Path) -> None:
    """It would bring the dates of the day on which it was refused."""
    world = small_world()
    async with running(world, clock=lambda: world.time) as sentry:
        app = app_in(tmp_path, sentry)
        dataset = made(app, "append")
        async with held(app, f"dataset/{dataset.id}"):
            with pytest.raises(Locked):
                await datasets.run(app, dataset.name, progress=Progress())
        pass_time(app, world)
        run = await ran(app, dataset)
        assert run.windows[0].end == app.moment
        assert [one.verdict for one in app.store.runs.history(dataset.id)] == [Verdict.COMPLETE, Verdict.CANCELLED]


async def test_a_lease_lapses_only_when_its_time_is_over(tmp_path: Path) -> None:
    async with running(small_world()) as sentry:
        sleeper, waker = app_in(tmp_path, sentry), app_in(tmp_path, sentry)
        async with held(sleeper, "dataset/x") as lost:
            waker.moment = NOW + TTL - dt.timedelta(seconds=1)
            with pytest.raises(Locked):
                async with held(waker, "dataset/x"):
                    pass
            waker.moment = AFTER_THE_LEASE
            async with held(waker, "dataset/x"):
                with pytest.raises(Locked):
                    lost.renew()
            assert sleeper.store.leases.holder_of("dataset/x", waker.moment) is None
        sleeper.close()
        waker.close()


async def test_a_server_that_is_known_to_be_dead_is_not_waited_for(tmp_path: Path) -> None:
    async with running(small_world()) as sentry:
        app = app_in(tmp_path, sentry)
        name, _, proof = this_process().partition(" [")
        boot, namespace, start = proof.removesuffix("]").split()
        before = f"{name} [{boot} {namespace} {int(start) - 1}]"
        app.store.leases.acquire(f"{WORKERS}1", before, app.moment, TTL)
        assert not is_served(app)
        app.store.leases.acquire(f"{WORKERS}2", this_process(), app.moment, TTL)
        assert is_served(app)
        app.close()


def asleep(process_id: int) -> None:
    """Wait until the process has been stopped."""
    os.waitpid(process_id, os.WUNTRACED)


async def test_a_zombie_that_wakes_after_a_later_run_commits_nothing_and_rewrites_no_history(tmp_path: Path) -> None:
    """A process that fell asleep before its commit and slept past its lease: another ended its run, a later run followed."""
    world = small_world(events=900)
    with watched(world) as (sentry, _):
        app = app_in(tmp_path, sentry)
        dataset = made(app, "append")
        process = child.start(tmp_path, sentry.url, dataset.name, at_look=BEFORE_THE_COMMIT, send=signal.SIGSTOP)
        asleep(process.pid)
        assert rows_of(app, dataset) == []
        app.moment = AFTER_THE_LEASE
        await ran(app, dataset)
        world.add_events("acme", "shop", 9)
        pass_time(app, world)
        await ran(app, dataset)
        before, history = state(app, dataset), app.store.runs.history(dataset.id)
        process.send_signal(signal.SIGCONT)
        assert process.communicate(timeout=PATIENCE)[0] == "locked\n"
        assert (state(app, dataset), app.store.runs.history(dataset.id)) == (before, history)
        assert column(app, dataset) == events_in(world, until=app.moment)
        app.close()


async def test_a_zombie_that_wakes_while_reading_writes_over_no_file_of_the_table(tmp_path: Path) -> None:
    """Its slice was read anew by another, with the same epoch, and is part of the table."""
    world = small_world(events=900)
    with watched(world) as (sentry, watch):
        app = app_in(tmp_path, sentry)
        dataset = made(app, "append")
        reading, go_on = watch.hold(3)
        process = child.start(tmp_path, sentry.url, dataset.name)
        assert reading.wait(PATIENCE)
        process.send_signal(signal.SIGSTOP)
        go_on.set()
        app.moment = AFTER_THE_LEASE
        await ran(app, dataset)
        before, history = state(app, dataset), app.store.runs.history(dataset.id)
        process.send_signal(signal.SIGCONT)
        assert process.communicate(timeout=PATIENCE)[0] == "locked\n"
        assert (state(app, dataset), app.store.runs.history(dataset.id)) == (before, history)
        assert column(app, dataset) == events_in(world, until=NOW)
        app.close()


async def test_a_run_that_was_overtaken_fails_and_changes_nothing(tmp_path: Path) -> None:
    """Its epoch is lower than the table's: a revert, or a run of another store, came between."""
    world = small_world()
    async with running(world, clock=lambda: world.time) as sentry:
        app = app_in(tmp_path, sentry)
        dataset = made(app, "append", SHOP)
        first = await ran(app, dataset)
        world.add_events("acme", "shop", 9)
        pass_time(app, world)
        early = Run(
            id="early",
            dataset_id=dataset.id,
            trigger=Trigger.MANUAL,
            queued_at=app.now(),
            started_at=app.now(),
            epoch=app.store.datasets.next_epoch(dataset.id, 1),
            state=RunState.RUNNING,
        )
        app.store.runs.add(early)
        assert first.table_version is not None
        await datasets.revert(app, dataset.name, first.table_version)
        before = state(app, dataset)
        run = await ran(app, dataset, Verdict.FAILED)
        assert run.error is not None
        assert (run.id, run.error.name, run.error.code) == ("early", "table.changed", 32)
        assert state(app, dataset) == before
        await ran(app, dataset)
        assert column(app, dataset) == events_in(world, until=app.moment)
