"""The heartbeat goes on whatever the run does, and only a lease that is really lost stops it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import event

from sentry_connector.destinations.delta import Delta, DeltaDestination
from sentry_connector.destinations.model import Commit, Committed
from sentry_connector.errors import LeaseLost
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import datasets
from sentry_connector.runs.execute import execute
from sentry_connector.runs.lease import TTL, held
from sentry_connector.simulator import running
from sentry_connector.store.records import Verdict
from tests.parts import StandingApp
from tests.runs.acme import app_in, made, ran, small_world
from tests.runs.watching import PATIENCE


@dataclass
class Ticking:
    """A clock on which every wait is one turn of the event loop, and that tells of each."""

    told: Callable[[], object] = lambda: None
    waits: int = 0

    def time(self) -> float:
        return 0.0

    def monotonic(self) -> float:
        return float(self.waits)

    async def sleep(self, seconds: float) -> None:
        self.waits += 1
        self.told()
        await asyncio.sleep(0)

    async def beats(self, number: int) -> None:
        """Let the heart beat so many times."""
        before = self.waits
        while self.waits < before + number:  # noqa: ASYNC110  # each turn of the loop is a wait of the heart's
            await asyncio.sleep(0)


def app_with(folder: Path, clock: Ticking) -> StandingApp:
    app = StandingApp(folder, "https://sentry.example", "token")
    app.clock = clock
    return app


async def test_a_store_that_is_busy_for_a_while_is_no_lost_lease(tmp_path: Path) -> None:
    clock = Ticking()
    with app_with(tmp_path, clock) as app:
        async with held(app, "dataset/x"):
            with app.store.accounts._database.reading() as connection:
                connection.exec_driver_sql(
                    "PRAGMA busy_timeout = 1"
                )  # milliseconds, for the one connection in the pool
            with contextlib.closing(sqlite3.connect(tmp_path / "connector.db")) as other:
                other.execute("BEGIN IMMEDIATE")
                await clock.beats(3)
            await clock.beats(3)


async def test_a_lease_that_another_has_taken_over_stops_the_work(tmp_path: Path) -> None:
    clock = Ticking()
    with app_with(tmp_path, clock) as app:

        async def work() -> None:
            async with held(app, "dataset/x"):
                app.store.leases.acquire("dataset/x", "waker", app.now() + 2 * TTL, TTL)
                await asyncio.Event().wait()

        with pytest.raises(LeaseLost, match="waker"):
            await work()


async def test_the_heart_beats_while_work_is_done_aside(tmp_path: Path) -> None:
    beaten = threading.Event()
    clock = Ticking()

    def tell() -> None:
        if clock.waits > 3:
            beaten.set()

    clock.told = tell
    with app_with(tmp_path, clock) as app:
        async with held(app, "dataset/x") as holding:
            assert await holding.aside(lambda: beaten.wait(PATIENCE))


async def test_a_lease_is_not_given_back_under_work_that_goes_on(tmp_path: Path) -> None:
    """A thread cannot be stopped: whoever is cancelled waits for it."""
    began, go_on = threading.Event(), threading.Event()
    with app_with(tmp_path, Ticking()) as app:

        def slow() -> bool:
            began.set()
            return go_on.wait(PATIENCE)

        async def work() -> None:
            async with held(app, "dataset/x") as holding:
                await holding.aside(slow)

        task = asyncio.create_task(work())
        assert await asyncio.to_thread(began.wait, PATIENCE)
        task.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        assert app.store.leases.holder_of("dataset/x", app.now()) is not None
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert app.store.leases.holder_of("dataset/x", app.now()) is None


@dataclass
class Cancelling(Ticking):
    """A clock whose wait, when it is stopped, cancels a task: the one that waits for the heartbeat to end."""

    task: asyncio.Task[None] | None = None

    async def sleep(self, seconds: float) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            assert self.task is not None
            self.task.cancel()


async def test_a_cancellation_that_comes_while_the_heartbeat_ends_is_not_swallowed(tmp_path: Path) -> None:
    clock = Cancelling()
    with app_with(tmp_path, clock) as app:

        async def work() -> None:
            async with held(app, "dataset/x"):
                await asyncio.sleep(0)

        clock.task = asyncio.create_task(work())
        with pytest.raises(asyncio.CancelledError):
            await clock.task
        assert app.store.leases.holder_of("dataset/x", app.now()) is None, "the lease is given back all the same"


@dataclass
class Calls:
    """What was asked of a table, and on which threads."""

    names: list[str] = field(default_factory=list)
    threads: set[threading.Thread] = field(default_factory=set)

    def note(self, name: str) -> None:
        self.names.append(name)
        self.threads.add(threading.current_thread())


@dataclass(frozen=True)
class NotedTable(Delta):
    """A table that notes what is asked of it."""

    calls: Calls

    def commit(self, commit: Commit) -> Committed:
        self.calls.note("commit")
        return Delta.commit(self, commit)

    def maintain(self, **how: object) -> None:
        self.calls.note("maintain")
        Delta.maintain(self, **how)  # type: ignore[arg-type]

    def sweep(self, epoch_now: int) -> None:
        self.calls.note("sweep")
        Delta.sweep(self, epoch_now)


@dataclass(frozen=True)
class NotedDestination(DeltaDestination):
    """Tables that note what is asked of them."""

    calls: Calls = field(default_factory=Calls)

    def table(self, dataset_id: str) -> Delta:
        return NotedTable(DeltaDestination.table(self, dataset_id).log, self.calls)


async def test_a_run_sweeps_first_and_does_nothing_long_on_the_loop(tmp_path: Path) -> None:
    world = small_world()
    async with running(world, clock=lambda: world.time) as sentry:
        with app_in(tmp_path, sentry) as app:
            noted = app.__dict__["destination"] = NotedDestination(app.settings.storage)
            await ran(app, made(app, "upsert"))
            assert noted.calls.names == ["sweep", "commit", "maintain"]
            assert threading.current_thread() not in noted.calls.threads


async def test_no_transaction_of_a_run_keeps_the_loop_waiting(tmp_path: Path) -> None:
    """Another process may hold the store for as long as a statement waits; heartbeats and all other runs go on meanwhile."""
    world = small_world()
    async with running(world, clock=lambda: world.time) as sentry:
        with app_in(tmp_path, sentry) as app:
            dataset, threads = made(app, "upsert"), set[threading.Thread]()
            run, _ = datasets.ask(app, dataset.name)
            event.listen(app.store.runs._database.engine, "begin", lambda _: threads.add(threading.current_thread()))
            assert (await execute(run.id, app, progress=Progress())).verdict is Verdict.COMPLETE
            assert threads
            assert threading.current_thread() not in threads
