"""Engines on one PostgreSQL, in this process: what each of them sees of the others, and of what happens to the database."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
import structlog
from sqlalchemy import text

from sentry_connector.app import App
from sentry_connector.datasets.definition import Definition
from sentry_connector.errors import StorageDiffers, StoreNewer, StoreUnreachable
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import datasets, runs, workers
from sentry_connector.operations.doctor import doctor
from sentry_connector.reports.details import Details
from sentry_connector.runs import engine as engines
from sentry_connector.runs.engine import Engine
from sentry_connector.runs.execute import attempt
from sentry_connector.runs.log import Log
from sentry_connector.runs.thinning import thin
from sentry_connector.sentry.doctor import Check
from sentry_connector.settings import from_environment
from sentry_connector.simulator import Simulation
from sentry_connector.store.records import DataSet, Run, RunState, Verdict
from tests.postgres import Server

HOUR = dt.timedelta(hours=1)
KEY = "bGV0J3MgaGF2ZSAzMiBieXRlcyBvZiBrZXkgaGVyZSE="


class Machine(App):
    """The connector on a machine of its own, whose clock may be wrong."""

    wrong_by = dt.timedelta(0)

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + self.wrong_by


@pytest.fixture
def machines(sentry: Simulation, postgres: Server, tmp_path: Path) -> Iterator[list[Machine]]:
    """Two machines on one store."""
    url = postgres.fresh_database()
    made = [
        Machine(
            from_environment(
                {
                    "SENTRY_URL": sentry.url,
                    "SENTRY_AUTH_TOKEN": sentry.token,
                    "SENTRY_CONNECTOR_HOME": str(tmp_path / name),
                    "SENTRY_CONNECTOR_STORAGE": str(tmp_path / "tables"),
                    "SENTRY_CONNECTOR_DATABASE_URL": url,
                    "SENTRY_CONNECTOR_KEY": KEY,
                }
            )
        )
        for name in ("one", "two")
    ]
    yield made
    for machine in made:
        machine.close()


def organizations(machine: Machine, schedule: str = "manual") -> DataSet:
    definition = Definition(name="O", report="organizations", details=Details(), schedule=schedule)
    return datasets.create(machine, definition, None)


@asynccontextmanager
async def at_work(*machines: Machine) -> AsyncIterator[list[Engine]]:
    """Engines, one on each machine."""
    stop = asyncio.Event()
    quiet = cast("Log", structlog.wrap_logger(structlog.ReturnLogger()))
    made = [Engine(house=machine, log=quiet, runs_at_once=2) for machine in machines]
    tasks = [asyncio.create_task(engine.run(stop)) for engine in made]
    try:
        await asyncio.gather(*(engine.begun.wait() for engine in made))
        yield made
    finally:
        stop.set()
        await asyncio.gather(*tasks, return_exceptions=True)


async def ended(machine: Machine, run_id: str) -> Run:
    while (run := machine.store.runs.get(run_id)) is None or run.state is not RunState.DONE:
        await asyncio.to_thread(machine.store.check)  # the others' turn
    return run


async def test_all_see_who_is_at_work_and_read_what_another_one_has_logged(machines: list[Machine]) -> None:
    one, two = machines
    organizations(one)
    async with at_work(two) as (engine,):
        (seen,) = workers.living(one)
        asked, _ = datasets.ask(one, "O")
        run = await ended(one, asked.id)
        while engine.active:  # it has stored the end, and has yet to log it
            await asyncio.to_thread(two.store.check)
    assert (run.verdict, run.attempts[-1].worker) == (Verdict.COMPLETE, seen.process)
    lines = runs.log(one, run)
    assert [lines[0]["event"], lines[-1]["event"]] == ["run begins", "run ends"]
    assert lines == runs.log(two, run)
    assert not list(one.logs.glob("*"))
    assert workers.living(one) == []


async def test_a_worker_whose_clock_is_wrong_keeps_schedules_by_the_databases_and_says_so(
    machines: list[Machine],
) -> None:
    """By its own clock sixty slots were due, by that of the others not one."""
    right, wrong = machines
    dataset = organizations(right, "every 1m")
    wrong.wrong_by = HOUR
    async with at_work(wrong) as (engine,):
        while engine.ticked_at is None:
            await asyncio.to_thread(wrong.store.check)  # the engine's turn
        (told,) = engine.troubles()
        assert "ahead of the database's" in told
    (one,) = right.store.slots.scheduled(dataset.id)
    assert one.until <= dt.datetime.now(dt.UTC)
    assert len(right.store.runs.history(dataset.id)) <= 1


async def test_a_worker_comes_to_rest_when_a_newer_version_has_changed_the_store(
    machines: list[Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "TICK", dt.timedelta(0))  # it looks each time, and not once a minute
    one, _ = machines
    engine = Engine(house=one, log=cast("Log", structlog.wrap_logger(structlog.ReturnLogger())), runs_at_once=1)
    work = asyncio.create_task(engine.run(asyncio.Event()))
    await engine.begun.wait()
    with one.store.accounts._database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreNewer):
        await work


async def test_a_run_whose_store_is_lost_has_not_failed_and_is_gone_on_with(
    machines: list[Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is lost in the very transaction that would store its end: nobody knows whether it has."""
    one, two = machines
    organizations(one)
    asked, _ = datasets.ask(one, "O")
    database = one.store.runs._database

    def lost(run: Run, *_: object, **__: object) -> None:
        with database.writing() as connection:
            own = connection.scalar(text("SELECT pg_backend_pid()"))
            with two.store.runs._database.writing(alone=False) as other:
                other.execute(text("SELECT pg_terminate_backend(:own)"), {"own": own})
            connection.execute(text("SELECT 1"))

    with monkeypatch.context() as context:
        context.setattr(one.store.runs, "end", lost)
        with pytest.raises(StoreUnreachable):
            await attempt(asked.id, one, progress=Progress())
    left = two.store.runs.get(asked.id)
    assert left is not None
    assert (left.state, left.error) == (RunState.RUNNING, None)
    done = await attempt(asked.id, two, progress=Progress())
    assert done is not None
    assert done.verdict is Verdict.COMPLETE
    assert [one.run_id for one in datasets.versions(two, "O")] == [asked.id]


async def test_the_doctor_looks_whether_a_machine_has_what_the_others_have(machines: list[Machine]) -> None:
    one, two = machines

    async def sharing(machine: Machine) -> Check:
        return next(check for check in await doctor(machine, machine.connection(None)) if check.name == "sharing")

    assert (await sharing(one)).message == "It has the others' tables, key and time; 0 workers live."
    one.wrong_by = -HOUR
    assert re.search(r"3,(599|600) s behind the database's", (await sharing(one)).message)
    one.store.facts.change("storage", "somewhere else")
    assert (await sharing(two)).error == "storage.differs"


async def test_logs_of_runs_that_another_machine_has_forgotten_go_too(machines: list[Machine]) -> None:
    one, two = machines
    dataset = organizations(one)
    asked, _ = datasets.ask(one, "O")
    await attempt(asked.id, one, progress=Progress())
    (log,) = one.logs.glob("*.jsonl")
    later = one.now() + dt.timedelta(days=400)
    thin(one, later)
    assert log.exists(), "the last runs stay, however old they are"
    two.store.datasets.forget(dataset.id)
    thin(one, later)
    assert not log.exists()


async def test_a_folder_that_is_not_mounted_any_more_is_not_taken_for_the_tables(machines: list[Machine]) -> None:
    one, _ = machines
    organizations(one)
    first, _ = datasets.ask(one, "O")
    await attempt(first.id, one, progress=Progress())
    _unmount(Path(one.settings.storage))
    second, _ = datasets.ask(one, "O")
    with pytest.raises(StorageDiffers):
        await attempt(second.id, one, progress=Progress())
    _mount(Path(one.settings.storage))
    done = await attempt(second.id, one, progress=Progress())
    assert done is not None
    assert done.verdict is Verdict.COMPLETE


def _unmount(folder: Path) -> None:
    """Leave an empty folder in its place."""
    folder.rename(folder.with_name("unmounted"))
    folder.mkdir()


def _mount(folder: Path) -> None:
    """Put it back in the place of the empty one, which fails where that is not empty."""
    folder.rmdir()
    folder.with_name("unmounted").rename(folder)
