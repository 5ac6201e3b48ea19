"""A run that was interrupted goes on where it was: one commit, nothing lost, nothing doubled, nothing read twice."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import random
import signal
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from deltalake import DeltaTable

from sentry_connector.destinations.delta_commits import Note
from sentry_connector.destinations.delta_files import files_of
from sentry_connector.destinations.delta_merge import Change
from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.errors import StoreUnusable
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import datasets
from sentry_connector.reports.details import ALL, Details, SinceLastRun
from sentry_connector.runs.execute import execute
from sentry_connector.runs.lease import TTL
from sentry_connector.simulator import Fault, World, running
from sentry_connector.store.records import DataSet, Run, RunState, Trigger, Verdict
from tests.parts import NOW
from tests.runs import child
from tests.runs.acme import (
    ALL_OF_SHOP,
    HOUR,
    Broken,
    HastyApp,
    app_in,
    column,
    doubled,
    events_in,
    made,
    pass_time,
    ran,
    rows_of,
    shop,
    small_world,
    state,
)
from tests.runs.watching import PATIENCE, Watch, watched

NONE: Mapping[str, str] = {}
EVERYTHING = Details(organizations=("acme",), projects=(ALL,), duration=SinceLastRun())


def left_over(app: HastyApp, dataset: DataSet) -> set[str]:
    """Files below the table's folder that belong neither to its log nor to a version that it offers."""
    table = app.destination.table(dataset.id)
    handles = [table.log.open(), *(table.log.at(one.version) for one in table.versions())]
    needed = {file.path for handle in handles if handle is not None for file in files_of(handle)}
    return {path for path in table.log.folder.listing().keys() - needed if not path.startswith("_delta_log/")}


def all_events(world: World, until: dt.datetime) -> list[str]:
    slugs = [project.slug for project in world.organization("acme").projects]
    return sorted(event for slug in slugs for event in events_in(world, slug, until))


# ---- a loss of power


@pytest.mark.parametrize("method", ["replace", "append", "upsert", "partition"])
async def test_after_a_loss_of_power_in_a_commit_the_table_is_what_it_was_and_the_next_run_brings_all(
    method: str, tmp_path: Path
) -> None:
    """The newest entry of the table's log is cut in the middle, and the store was told nothing of the run's end."""
    world = small_world()
    async with running(world, clock=lambda: world.time) as sentry:
        app = app_in(tmp_path, sentry)
        dataset = made(app, method, ALL_OF_SHOP if method == "replace" else shop(SinceLastRun()))
        await ran(app, dataset)
        before = state(app, dataset)
        pass_time(app, world)
        ended = await ran(app, dataset)
        log = app.destination.table(dataset.id).log
        os.truncate(log.folder.absolute(f"_delta_log/{ended.table_version:020}.json"), 700)
        app.store.runs.save(begun(ended))
        assert state(app, dataset) == before
        run = await ran(app, dataset)
        assert (run.id, run.rows_written) == (ended.id, ended.rows_written)
        assert column(app, dataset) == events_in(world, until=app.moment)
        assert not doubled(column(app, dataset))
        pass_time(app, world)
        await ran(app, dataset)
        assert column(app, dataset) == events_in(world, until=app.moment)


# ---- between the commit and the end


BROKEN = "CREATE TRIGGER {name} BEFORE UPDATE ON {table} WHEN {when} BEGIN SELECT json('malformed'); END"
"""A store that fails in the middle of a statement."""


@contextmanager
def no_run_may_end(home: Path) -> Iterator[None]:
    """The store refuses to note the end of a run, as a disk that breaks in that instant would."""
    with sqlite3.connect(home / "connector.db") as store:
        store.execute(BROKEN.format(name="broken", table="runs", when="NEW.state = 'done'"))
    store.close()
    yield
    with sqlite3.connect(home / "connector.db") as store:
        store.execute("DROP TRIGGER broken")
    store.close()


@pytest.mark.parametrize("method", ["append", "upsert", "partition"])
async def test_a_run_that_could_not_note_its_end_has_committed_once(method: str, tmp_path: Path) -> None:
    world = small_world()
    async with running(world, clock=lambda: world.time) as sentry:
        app = app_in(tmp_path, sentry)
        dataset = made(app, method)
        app.store.accounts.list()  # the store is there
        with no_run_may_end(tmp_path), pytest.raises(StoreUnusable):
            await ran(app, dataset)
        committed = state(app, dataset)
        asked = sentry.requests
        run = await ran(app, dataset)
        assert state(app, dataset) == committed
        assert column(app, dataset) == events_in(world, until=app.moment)
        assert sentry.requests == asked, "nothing is asked for again"
        assert (run.table_version, run.rows_written, run.rows_read > 0) == (0, len(rows_of(app, dataset)), True)
        assert len(app.store.runs.history(dataset.id)) == 1


async def test_a_run_that_was_incomplete_before_its_process_died_ends_incomplete(tmp_path: Path) -> None:
    world, faults = small_world(), Broken(path="/projects/acme/shop/events/")
    async with running(world, clock=lambda: world.time, faults=faults) as sentry:
        app = app_in(tmp_path, sentry)
        dataset = made(app, "upsert", EVERYTHING)
        app.store.accounts.list()
        with no_run_may_end(tmp_path), pytest.raises(StoreUnusable):
            await ran(app, dataset)
        run = await ran(app, dataset, Verdict.INCOMPLETE)
        assert [one.scope for one in run.incomplete] == ["acme/shop"]


def begun(run: Run) -> Run:
    """The run as a store has it that was restored to before the run ended."""
    return Run(
        id=run.id,
        dataset_id=run.dataset_id,
        trigger=run.trigger,
        state=RunState.RUNNING,
        queued_at=run.queued_at,
        started_at=run.started_at,
        epoch=run.epoch,
    )


@pytest.mark.parametrize("knows_epoch", [True, False])
async def test_a_store_restored_to_before_the_commit_tells_what_was_missing_all_the_same(
    knows_epoch: bool,  # noqa: FBT001
    tmp_path: Path,
) -> None:
    """The reasons are in the commit itself: a backup of the store that is older than it has none."""
    world, faults = small_world(), Broken(path="/projects/acme/shop/events/")
    async with running(world, clock=lambda: world.time, faults=faults) as sentry:
        app = app_in(tmp_path, sentry)
        dataset = made(app, "upsert", EVERYTHING)
        ended = await ran(app, dataset, Verdict.INCOMPLETE)
        epoch = ended.epoch if knows_epoch else None
        app.store.runs.save(msgspec.structs.replace(begun(ended), epoch=epoch))
        before = state(app, dataset)
        run = await ran(app, dataset, Verdict.INCOMPLETE)
        assert (run.id, run.incomplete, run.warnings) == (ended.id, ended.incomplete, ended.warnings)
        assert (run.rows_read, run.rows_written) == (ended.rows_read, ended.rows_written)
        assert state(app, dataset) == before, "and nothing is committed again"


async def test_a_run_of_which_nobody_knows_any_more_what_was_missing_is_not_called_complete(tmp_path: Path) -> None:
    """The store forgot its end, and the entry of the table's log that tells of it was cleaned away."""
    world = small_world()
    async with running(world, clock=lambda: world.time) as sentry:
        app = app_in(tmp_path, sentry)
        dataset = made(app, "upsert")
        ended = await ran(app, dataset)
        log = app.destination.table(dataset.id).log
        before = log.open()
        assert before is not None
        log.write(before, Change(), Note(operation="other"))
        DeltaTable(log.uri).create_checkpoint()
        log.folder.delete("_delta_log/00000000000000000000.json")
        app.store.runs.save(begun(ended))
        run = await ran(app, dataset, Verdict.INCOMPLETE)
        assert "not known" in run.incomplete[0].reason
        pass_time(app, world)
        await ran(app, dataset)
        assert column(app, dataset) == events_in(world, until=app.moment)


async def test_executing_a_run_that_has_ended_answers_it_as_it_is(tmp_path: Path) -> None:
    world = small_world()
    async with running(world, clock=lambda: world.time) as sentry:
        app = app_in(tmp_path, sentry)
        dataset = made(app, "append")
        run = await ran(app, dataset)
        before, asked = state(app, dataset), sentry.requests
        assert await execute(run.id, app, progress=Progress()) == run
        assert (state(app, dataset), sentry.requests) == (before, asked)


@pytest.mark.parametrize("method", ["append", "upsert", "partition"])
def test_a_late_retry_by_another_process_changes_nothing(method: str, tmp_path: Path) -> None:
    """The store of an older backup takes a run for unfinished that committed long ago, before others did."""
    world = small_world()
    with watched(world) as (sentry, _):
        app = app_in(tmp_path, sentry)
        dataset = made(app, method)
        first = asyncio.run(ran(app, dataset))
        world.add_events("acme", "shop", 40)
        pass_time(app, world)
        asyncio.run(ran(app, dataset))
        before = state(app, dataset)
        late = msgspec.structs.replace(first, state=RunState.RUNNING, verdict=None, finished_at=None)
        app.store.runs.save(late)
        printed, _ = child.start(tmp_path, sentry.url, dataset.name, 0).communicate(timeout=PATIENCE)
        assert printed.strip() == "COMPLETE"
        assert state(app, dataset) == before
        history = {run.id: run for run in app.store.runs.history(dataset.id)}
        assert (history[first.id].epoch, history[first.id].verdict) == (first.epoch, first.verdict)
        app.close()


# ---- kill -9


async def killed_and_gone_on_with(
    folder: Path,
    method: str,
    *,
    at_request: int = -1,
    at_look: int = 0,
    variables: Mapping[str, str] = NONE,
    machine: Path | None = None,
) -> tuple[bool, Run]:
    """Kill a process at its n-th request or look at the clock; go on with its run, and check all promises.

    With `machine`, the process has its home there, as on another machine.

    Returns:
        Whether it was killed (it ends before, where n is too large), and the run.
    """
    world = small_world(events=1500)
    with watched(world) as (sentry, watch):
        app = app_in(folder, sentry, **variables)
        dataset = made(app, method, EVERYTHING)
        await ran(app, dataset)  # the table holds something that must not be harmed
        before = state(app, dataset)
        for slug in ("shop", "payments"):
            world.add_events("acme", slug, 220)
        watch.seen.clear()
        asked_at = app.moment = NOW + HOUR
        world.advance(3600)
        app.store.runs.add(Run(id="doomed", dataset_id=dataset.id, trigger=Trigger.MANUAL, queued_at=asked_at))
        process = child.start(machine or folder, sentry.url, dataset.name, at_look, variables=variables)
        watch.at, watch.then = at_request, lambda: os.kill(process.pid, signal.SIGKILL)
        printed, _ = process.communicate(timeout=PATIENCE)
        killed = process.returncode == -signal.SIGKILL
        assert killed or (process.returncode, printed.strip()) == (0, "COMPLETE")
        if len(app.destination.table(dataset.id).versions()) == 1:
            assert state(app, dataset) == before, "readers see the version before or the version after"
        asked, watch.at = set(watch.seen), -1
        watch.seen.clear()
        app.moment += TTL + dt.timedelta(seconds=1)
        run = await execute("doomed", app, progress=Progress())
        assert (run.verdict, run.state, run.windows[0].end) == (Verdict.COMPLETE, RunState.DONE, asked_at)
        assert column(app, dataset) == all_events(world, asked_at)
        read_again = {seen for seen in watch.seen if seen in asked and "/events/" in seen}
        assert len(read_again) <= child.SLICES_AT_ONCE, "at most one page for each slice that was being read"
        world.add_events("acme", "shop", 5)
        pass_time(app, world)
        await ran(app, dataset)
        assert column(app, dataset) == all_events(world, app.moment)
        assert left_over(app, dataset) == set()
        app.close()
    return killed, run


SEEDED = random.Random(20260310)  # noqa: S311  # the same kills in every run
REQUESTS = sorted(SEEDED.sample(range(2, 13), 4))
METHODS = ("append", "upsert", "partition")


@pytest.mark.parametrize(("method", "request_number"), list(zip((*METHODS, "upsert"), REQUESTS, strict=True)))
async def test_killed_while_reading_a_run_is_gone_on_with(method: str, request_number: int, tmp_path: Path) -> None:
    killed, _ = await killed_and_gone_on_with(tmp_path, method, at_request=request_number)
    assert killed


@pytest.mark.parametrize("look", SEEDED.sample(range(2, 15), 3))
async def test_killed_at_a_look_at_the_clock_a_run_is_gone_on_with(look: int, tmp_path: Path) -> None:
    """Such looks lie at the lease, at the beginning, at every page, before and after the commit, and at the end."""
    killed, _ = await killed_and_gone_on_with(tmp_path, "append", at_look=look)
    assert killed


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("way", ["at_request", "at_look"])
async def test_killed_at_every_step_a_run_is_gone_on_with(method: str, way: str, tmp_path: Path) -> None:
    number, killed = 0, True
    while killed:
        number += 1
        at_request, at_look = (number, 0) if way == "at_request" else (-1, number)
        folder = tmp_path / str(number)
        killed, _ = await killed_and_gone_on_with(folder, method, at_request=at_request, at_look=at_look)
    assert number > 10


# ---- what a resumed run may rely on


async def test_a_damaged_slice_in_the_spool_is_read_again(tmp_path: Path) -> None:
    """Bytes that a crash tore are found by their hash, though the file has its size."""
    world = small_world()
    async with running(world, clock=lambda: world.time) as sentry:
        app = app_in(tmp_path, sentry)
        dataset = made(app, "append", EVERYTHING)
        await _interrupted_before_its_commit(app, dataset, tmp_path)
        damage_largest_slice(app.destination.table(dataset.id).location()[1])
        await ran(app, dataset)
        assert column(app, dataset) == all_events(world, app.moment)


def damage_largest_slice(folder: str) -> None:
    """Turn the bits of one byte in the middle."""
    path = max(Path(folder).glob("e*/*.parquet"), key=lambda file: file.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


async def _interrupted_before_its_commit(app: HastyApp, dataset: DataSet, home: Path) -> None:
    """Run until everything is in the spool: the lease, which a commit is made under, cannot be renewed any more.

    It is renewed once the run's windows are stored, for the commit. The end of the attempt cannot be stored either: to the store
    it is as if the process had died.
    """
    reading = "EXISTS (SELECT 1 FROM runs WHERE state = 'running' AND json_array_length(windows) > 0)"
    with sqlite3.connect(home / "connector.db") as store:
        store.execute(BROKEN.format(name="broken", table="leases", when=reading))
    with pytest.raises(StoreUnusable):
        await ran(app, dataset)
    with store:
        store.execute("DROP TRIGGER broken")
        store.execute("UPDATE leases SET expires_at = acquired_at")  # it has lapsed
    store.close()
    assert not app.destination.table(dataset.id).exists()


async def test_a_whole_spool_is_committed_without_asking_for_a_row_again(tmp_path: Path) -> None:
    world, watch = small_world(), Watch()
    async with running(world, clock=lambda: world.time, faults=watch) as sentry:
        app = app_in(tmp_path, sentry)
        dataset = made(app, "append", EVERYTHING)
        await _interrupted_before_its_commit(app, dataset, tmp_path)
        watch.seen.clear()
        await ran(app, dataset)
        assert not [seen for seen in watch.seen if "/events/" in seen]
        assert column(app, dataset) == all_events(world, app.moment)


@dataclass
class ErrorsWithStatus200(Watch):
    """A gateway that gives errors of its own with status 200, for one project or for all."""

    path: str | None = None

    def strike(self, target: str) -> Fault | None:
        super().strike(target)
        return Fault.JSON_ERROR if self.path is not None and self.path in target else None


@pytest.mark.parametrize("details", [EVERYTHING, shop(SinceLastRun())], ids=["one of many", "the only one"])
async def test_a_kept_answer_that_is_none_is_asked_for_again(tmp_path: Path, details: Details) -> None:
    """It would fail the run for as long as it is gone on with."""
    world, gateway = small_world(), ErrorsWithStatus200(path="/projects/acme/shop/events/")
    async with running(world, clock=lambda: world.time, faults=gateway) as sentry:
        app = app_in(tmp_path, sentry)
        dataset = made(app, "append", details)
        await _interrupted_before_its_commit(app, dataset, tmp_path)
        gateway.path = None
        gateway.seen.clear()
        run = await ran(app, dataset)
        wanted = all_events(world, app.moment) if details is EVERYTHING else events_in(world, until=app.moment)
        assert (column(app, dataset), run.incomplete) == (wanted, ())
        assert all("/acme/shop/" in seen for seen in gateway.seen if "/events/" in seen), "nothing else is asked again"


async def test_an_answer_that_is_none_every_time_fails_the_run(tmp_path: Path) -> None:
    world, gateway = small_world(), ErrorsWithStatus200(path="/projects/acme/shop/events/")
    async with running(world, clock=lambda: world.time, faults=gateway) as sentry:
        app = app_in(tmp_path, sentry)
        dataset = made(app, "append")
        await _interrupted_before_its_commit(app, dataset, tmp_path)
        run = await ran(app, dataset, Verdict.FAILED)
        assert run.error is not None
        assert run.error.name == "sentry.malformed"


async def test_a_run_that_is_gone_on_with_after_an_edit_reads_what_is_wanted_now(tmp_path: Path) -> None:
    """The spool's slices are about the stat that was chosen before."""
    world = small_world()
    async with running(world, clock=lambda: world.time) as sentry:
        app = app_in(tmp_path, sentry)
        counts = shop(SinceLastRun(), stat="generated", resolution="1h")
        dataset = made(app, "upsert", counts, "events-counts-project")
        await _interrupted_before_its_commit(app, dataset, tmp_path)
        app.moment += dt.timedelta(seconds=5)
        changed = shop(SinceLastRun(), stat="rejected", resolution="1h")
        datasets.edit(app, dataset.name, {"details": changed})
        await ran(app, dataset)
        assert set(column(app, dataset, "stat")) == {"rejected"}
        assert left_over(app, dataset) == set()


async def test_a_run_that_is_gone_on_with_as_partition_lays_its_rows_into_days(tmp_path: Path) -> None:
    """The spool's files were written for a table without days."""
    world = small_world()
    async with running(world, clock=lambda: world.time) as sentry:
        app = app_in(tmp_path, sentry)
        dataset = made(app, "append")
        await _interrupted_before_its_commit(app, dataset, tmp_path)
        asked_at = app.moment
        app.moment += dt.timedelta(seconds=5)
        datasets.edit(app, dataset.name, {"update_method": UpdateMethod.PARTITION})
        await ran(app, dataset)
        assert column(app, dataset) == events_in(world, until=asked_at)
        assert all(row["_day"] is not None for row in rows_of(app, dataset))
        assert left_over(app, dataset) == set()
