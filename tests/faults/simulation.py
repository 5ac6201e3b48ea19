"""A seed is played: runs of a DataSet on a world that changes, with faults, then without; at last the table is held to the truth.

Everything happens in virtual time and in one process, so that a seed is always the same.
"""
# ruff: noqa: S311  # seeded worlds, not cryptography

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import sqlite3
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import msgspec

from sentry_connector.datasets.definition import Definition
from sentry_connector.destinations.delta import DeltaDestination
from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.destinations.query import query
from sentry_connector.errors import ConnectorError, DiskFull
from sentry_connector.extraction import spool
from sentry_connector.extraction.progress import Progress
from sentry_connector.extraction.retention import RETENTION_EDGE, SHORTEST_RETENTION
from sentry_connector.operations import datasets
from sentry_connector.reports import catalogue
from sentry_connector.reports.details import AllAvailable, DateRange, SinceLastRun
from sentry_connector.reports.model import DELETED_AT
from sentry_connector.runs.execute import execute
from sentry_connector.runs.lease import TTL
from sentry_connector.simulator import World
from sentry_connector.simulator.call import RETENTION
from sentry_connector.simulator.model import Person, Project, Team
from sentry_connector.store.records import DataSet, Run, RunState, Verdict
from sentry_connector.store.store import Store
from tests.faults import subjects
from tests.faults.kinds import OF_FULL_DISKS, Fault, Ledger
from tests.faults.line import Line, Weather, server_of
from tests.faults.memory import MemoryTable
from tests.faults.process import Fate, Killed, Process, ProcessClock, Time, passing_journals
from tests.faults.scenario import PROJECTS, REPLACE, Round, Scenario, scenario_of
from tests.faults.subjects import (
    BUCKET,
    COUNTS,
    FEEDBACK,
    ISSUES,
    SUBJECTS,
    TEAM_PROJECTS,
    TEAMS,
    USERS,
    Key,
    by_bucket,
)
from tests.parts import NOW
from tests.virtual_time import run as in_virtual_time

HOUR = 3600.0
INSTANT = 0.001
"""Seconds by which times that are the same may differ, by how they are written."""
OVERLAP = 1.9 * HOUR
ATTEMPTS_TO_HEAL = 4
WEEK = 8 * 24
"""Hours after which all issues are read again, whatever moved."""
OF_OLD_ANSWERS = ("sentry.malformed", "table.changed")
"""How a run may end that goes on with what was kept when faults had struck already."""
UNFENCED = ("commit", "log")
"""Between the last look at the lease and the table: who is stopped there finds out by the epochs alone."""
DAY = 86400.0
OK = 200
ONE_ISSUE = re.compile(r"/issues/[0-9]+/$")

Row = dict[str, Any]


@dataclass(frozen=True)
class Known:
    """What there was when a run began, and when that was; of counts, how many there were of each bucket."""

    time: float
    things: dict[Key, float] = field(default_factory=dict)
    counts: dict[Key, int] = field(default_factory=dict)


@dataclass
class Result:
    """What a seed came to."""

    seed: int
    differences: list[str] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)
    verdicts: Counter[str] = field(default_factory=Counter)


def play(seed: int, ground: Ground, *, delta: bool = False, scenario: Scenario | None = None) -> Result:
    """Play a seed.

    Args:
        seed: what everything follows from.
        ground: where.
        delta: into a Delta table instead of one in memory.
        scenario: what to play instead of what the seed means.
    """
    ground.clear()
    simulation = Simulation(scenario or scenario_of(seed), ground, delta=delta)
    with mock.patch.object(spool, "PART_ROWS", simulation.scenario.part_rows), passing_journals():
        in_virtual_time(simulation.played())
    return simulation.result


class Ground:
    """A folder to play in, and its store: one engine for all seeds, which knows its statements already."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        self.store = Store(f"sqlite:///{self.home / 'connector.db'}")
        self.store.close()
        shutil.copy(self.home / "connector.db", folder / "new.db")

    def clear(self) -> None:
        """Leave an empty store and nothing else."""
        self.store.close()
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
        self.home.mkdir()
        shutil.copy(self.folder / "new.db", self.home / "connector.db")

    def backup(self) -> Path:
        """A copy of the store as it is now."""
        copy = self.folder / "backup.db"
        copy.unlink(missing_ok=True)
        with (
            contextlib.closing(sqlite3.connect(self.home / "connector.db")) as store,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            store.backup(target)
        return copy

    def restore(self, copy: Path) -> None:
        """Put the store back to what it was when the copy was made."""
        self.store.close()
        for path in self.home.glob("connector.db*"):
            path.unlink()
        shutil.copy(copy, self.home / "connector.db")


@contextlib.contextmanager
def ground() -> Iterator[Ground]:
    """A place to play in, in memory where there is a folder of that kind: nothing that is written has to last."""
    fast = Path("/dev/shm")  # noqa: S108  # a folder of one's own is made in it
    with tempfile.TemporaryDirectory(dir=fast if fast.is_dir() else None, prefix="faults-") as folder:
        made = Ground(Path(folder))
        yield made
        made.store.close()


class Simulation:
    """One seed being played."""

    def __init__(self, scenario: Scenario, ground: Ground, *, delta: bool) -> None:
        self.scenario = scenario
        self.ground = ground
        self.folder = folder = ground.folder
        self.home = ground.home
        self.result = Result(scenario.seed)
        self.ledger = self.result.ledger
        self.time = Time(NOW.timestamp())
        self.subject = SUBJECTS[scenario.report]
        self.random = Random(f"world:{scenario.seed}")
        self.world = self._world()
        self.delta = DeltaDestination(str(folder / "tables"), clock=NOW.timestamp) if delta else None
        self.tables: dict[str, MemoryTable] = {}
        self.renamed = False
        self.remembered = False
        self._overtakes = 0
        self._highest = 0
        self._unfenced = False
        self._began_with = Known(self.world.time)
        self._known: dict[str, Known] = {}
        self._ever: set[Key] = set()
        self._absent: dict[Key, float] = {}
        """Thing → when it was last seen to be gone; it may have come back."""
        self._had: set[Key] = set()
        if scenario.report in {TEAMS, TEAM_PROJECTS}:
            for _ in range(4):
                self._found_team()
        self.dataset = self._made()

    # ---- parts

    def _world(self) -> World:
        scenario = self.scenario
        world = World.build(
            now=NOW,
            seed=scenario.seed,
            events=scenario.events,
            issues=60 if scenario.report == ISSUES else 24,
            people=40 if scenario.report == USERS else 6,
            repositories=1,
            feedback=30,
            days=6,
        )
        if scenario.aged:
            edge = world.time - RETENTION
            for slug in PROJECTS:
                world.add_events("acme", slug, 20, start=edge - 2 * DAY, end=edge + 5 * DAY)
        return world

    def table_of(self, dataset_id: str) -> Any:
        if self.delta is not None:
            return self.delta.table(dataset_id)
        root = str(self.folder / "tables" / dataset_id)
        return self.tables.setdefault(dataset_id, MemoryTable(root))

    @property
    def table(self) -> Any:
        return self.table_of(self.dataset.id)

    def rows(self) -> list[Row]:
        return rows_of(self.table)

    def process(
        self, name: str, fate: Fate, weather: Weather, *, skew: float = 0.0, time: Time | None = None
    ) -> Process:
        """A process of the connector."""
        clock = ProcessClock(time or self.time, skew)
        seed = f"{self.scenario.seed}:{name}"
        made = Process(self.ground.store, self.home, clock=clock, seed=seed, fate=fate, table_of=self.table_of)
        server = server_of(
            self.world, lambda: self._tick(clock.world), compress=self.scenario.compress, latency=self.scenario.latency
        )
        made.line = Line(server, weather, fate.point, self.scenario.page_rows, self._look_up)
        return made

    def _look_up(self, target: str, status: int) -> None:
        """Single issues are asked for only where the list does not show them: what is there is there."""
        if status == OK and ONE_ISSUE.search(target):
            self._differs(f"{target} is looked up, and there")

    def _tick(self, time: Time) -> float:
        """The server's clock, with which the world goes on."""
        self.world.time = max(self.world.time, time.now())
        return self.world.time

    def _made(self) -> DataSet:
        scenario, calm = self.scenario, Weather("calm", self.ledger)
        definition = Definition(
            name="played",
            report=scenario.report,
            details=scenario.details,
            update_method=scenario.method,
            accept_loss=scenario.method is REPLACE,
        )

        async def make() -> DataSet:
            process = self.process("making", Fate(self.ledger), calm)
            return datasets.create(process, definition, None)

        return in_virtual_time(make())

    # ---- the play

    async def played(self) -> None:
        """All rounds, then what heals, then the comparison."""
        asyncio.get_running_loop().set_exception_handler(self._left_behind)
        for number, one in enumerate(self.scenario.rounds):
            await self._pass(one.hours)
            self._change(one)
            if one.retried:
                await self._retry(number)
            await self._round(number, one)
        last = await self._healed()
        if last is not None:
            await self._compare(last)

    def _left_behind(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Tasks of a process that was killed end as they like; any other one was to be waited for."""
        error = context.get("exception")
        if error is not None and not isinstance(error, Killed | BaseExceptionGroup):
            self._differs(f"nobody looked at {error!r}")

    async def _pass(self, hours: float) -> None:
        await asyncio.sleep(hours * HOUR)
        self._tick(self.time)

    async def _round(self, number: int, one: Round) -> None:
        refusals = {}
        if one.refused is not None:
            project = subjects.project(self.world, one.refused[0])
            refusals = {f"/{name}/": one.refused[1] for name in (project.slug, project.id)}
            refusals |= {f"project={project.id}": one.refused[1]}
            refusals |= {f"/acme/{team}/projects/": one.refused[1] for team in self.scenario.details.teams[:1]}
        weather = Weather(
            f"{self.scenario.seed}:{number}", self.ledger, one.rate, one.kinds, one.moving, refusals, self._drift
        )
        fate = Fate(self.ledger, one.strikes, lambda: self._overtake(number, one))
        if one.skew:
            self.ledger.note(Fault.CLOCK_AHEAD if one.skew > 0 else Fault.CLOCK_BEHIND, f"{one.skew:.0f} s")
        backup = self.ground.backup() if one.restored else None
        process = self.process(str(number), fate, weather, skew=one.skew)
        await self._run(process, f"run {number}")
        if one.flipped and fate.dead:
            self._flip()
        if backup is not None:
            self.ground.restore(backup)
            self.ledger.note(Fault.STORE_RESTORED)

    async def _run(self, process: Process, name: str) -> Run | None:
        """One run, with everything that must hold after any run."""
        fate: Fate = process.fate
        before, known = self._state(), self._known_now()
        self._began_with = known
        try:
            run: Run | None = await datasets.run(process, "played", progress=Progress())
        except ConnectorError as error:
            self._tell(f"{name}: {error.name}")
            run = None
        except BaseException:
            if not fate.dead:
                raise
            self._tell(f"{name}: dead")
            run = None
        if run is None:
            if self.table.epoch() == before[0] and self._state() != before:
                self._differs(f"{name}: the table changed without a commit")
            self._note_started(known)
            self._check_keys(name)
            return None
        self._tell(f"{name}: {run.verdict} {run.error.name if run.error else ''}")
        self.result.verdicts[str(run.verdict)] += 1
        known = self._known.setdefault(run.id, known)
        if run.verdict is Verdict.FAILED and self._overtakes == 0 and self._state() != before:
            self._differs(f"{name}: FAILED, and the table changed")
        if run.error is not None and run.error.name == ConnectorError.name:
            self._differs(f"{name}: {run.error.message}")
        self._check_disk(name, run, fate)
        if run.verdict is Verdict.COMPLETE:
            self._check_complete(name, run, known)
            self._check_retention(name, run, known)
        self._check_keys(name)
        return run

    def _tell(self, text: str) -> None:
        self.ledger.trace.append(text)

    def _differs(self, text: str) -> None:
        self.result.differences.append(text)
        self._tell(f"DIFFERENCE {text}")

    # ---- what changes

    def _arrive(self, count: int, late: float) -> None:
        """Events, late by up to so many seconds, some of people who were never seen before.

        A count that is appended is never corrected: there nothing is late.
        """
        late = 0.0 if self.scenario.report == COUNTS and self.scenario.method is UpdateMethod.APPEND else late
        for _ in range(count):
            project = subjects.project(self.world, self.random.choice(PROJECTS))
            start = self.world.time - 59 - late * self.random.random()
            (event,) = self.world.add_events("acme", project.slug, 1, start=start, end=min(start + 59, self.world.time))
            if self.scenario.report == USERS and self.random.random() < 0.5:
                event.person = Person(f"new-{event.number}", None, None, None, None)

    def _drift(self) -> None:
        self._tick(self.time)
        self._arrive(self.random.randint(1, 3), 1.5 * HOUR)
        self._turn_over()

    def _turn_over(self) -> None:
        """Teams and their projects come and go, where they are what is read."""
        if self.scenario.report in {TEAMS, TEAM_PROJECTS}:
            before = self._known_now().things
            self._found_and_dissolve()
            gone = before.keys() - self._known_now().things.keys()
            self._absent |= dict.fromkeys(gone, self.world.time)

    def _found_and_dissolve(self) -> None:
        organization = self.world.organization("acme")
        young = [team for team in organization.teams if "-young-" in team.slug]
        if len(young) > 2 and self.random.random() < 0.6:
            gone = self.random.choice(young)
            organization.teams.remove(gone)
            for project in gone.projects:
                project.teams.remove(gone)
        else:
            self._found_team()
        web = next(team for team in organization.teams if team.slug == "web")
        project = self.random.choice(organization.projects)
        (project.teams.remove if web in project.teams else project.teams.append)(web)

    def _found_team(self) -> None:
        """A team that may stand anywhere in the list, which goes by slug."""
        organization, number = self.world.organization("acme"), self.random.randrange(10_000)
        slug = f"{self.random.choice('acmw')}-young-{number}"
        team = Team(self.world.next_id(), slug, slug, organization, self.world.time, member=True, member_count=number)
        organization.teams.append(team)
        for project in self.random.sample(organization.projects, 2):
            project.teams.append(team)

    def _change(self, one: Round) -> None:
        self._arrive(one.events, OVERLAP)
        for _ in range(one.changes):
            project = subjects.project(self.world, self.random.choice(PROJECTS))
            status = self.random.choice(["resolved", "ignored", "unresolved"])
            self.world.set_status(self.random.choice(project.issues).id, status)
            self._say(project)
            self.world.add_issues("acme", project.slug)
            self._turn_over()
            if self.scenario.report == ISSUES:
                self.world.delete_issue(self.random.choice(project.issues).id)
        if one.renamed is not None and self._may_rename():
            project = subjects.project(self.world, one.renamed)
            self.world.rename_project("acme", project.slug, f"{project.slug}-anew")
            self.renamed = True
            self.ledger.note(Fault.RENAMED, project.slug)

    def _say(self, project: Project) -> None:
        """Somebody writes about an event; about a young one, where older words would not be looked for."""
        events = project.events
        if self.scenario.report == FEEDBACK and isinstance(self.scenario.details.duration, SinceLastRun):
            events = [event for event in events if event.time > self.world.time - OVERLAP]
        if events:
            self.world.add_feedback(self.random.choice(events), comments=f"word {self.random.random()}")

    def _may_rename(self) -> bool:
        """Where a project was named by its slug, a run must have seen what that stands for."""
        return self.scenario.details.projects in {(), ("*",)} or self.remembered

    # ---- what goes wrong between runs

    def _flip(self) -> None:
        """Flip a byte of each file that is staged for a run that has not committed."""
        root, done = Path(self.table.location()[1]), self.table.epoch()
        files = [
            path for path in [*sorted(root.rglob("*.parquet")), *sorted(root.rglob("*.pages"))] if path.stat().st_size
        ]
        staged = [path for path in files if _epoch_of(path.relative_to(root)) > done]
        for path in staged:
            content = bytearray(path.read_bytes())
            content[self.random.randrange(len(content))] ^= 1 << self.random.randrange(8)
            path.write_bytes(content)
            self.ledger.note(Fault.FLIPPED_BYTE, path.suffix)

    async def _retry(self, number: int) -> None:
        """An old run is executed again, as the store of an older backup would have it: the table has what came of it."""
        process = self.process(f"{number} again", Fate(self.ledger), Weather("calm", self.ledger))
        runs, epoch = process.store.runs, self.table.epoch()
        old = [run for run in runs.history(self.dataset.id) if run.epoch and run.epoch <= epoch and run.finished_at]
        if not old:
            return
        before, run = self._state(), self.random.choice(old)
        runs.save(msgspec.structs.replace(run, state=RunState.RUNNING, verdict=None, finished_at=None, error=None))
        done = await execute(run.id, process, progress=Progress())
        self.ledger.note(Fault.LATE_RETRY, f"epoch {run.epoch} of {epoch}: {done.verdict}")
        if self._state() != before:
            self._differs(f"an old run was retried, and the table changed: {done.verdict}")
        runs.save(run)

    def _overtake(self, number: int, one: Round) -> None:
        """The process stands still past its lease; another one comes meanwhile and does what there is to do, or fails."""
        (strike,) = one.strikes
        is_well = strike.fault is Fault.OVERTAKEN
        self._unfenced |= strike.point in UNFENCED
        self._overtakes += 1
        self._note_started(self._began_with)
        time = Time(self.time.now() + TTL.total_seconds() + 1)
        failures: list[BaseException] = []

        async def run() -> None:
            calm = Weather("calm", self.ledger)
            weather = calm if is_well else Weather("outage", Ledger(), refusals={"": Fault.OUTAGE})
            process = self.process(f"{number} by another", Fate(self.ledger), weather, time=time)
            await self._run(process, f"run {number} by another")
            if is_well and self.random.random() < 0.5:  # and goes on to its next run
                await asyncio.sleep(HOUR)
                self._tick(time)
                self._arrive(5, OVERLAP)
                await self._run(process, f"run {number} by another, the next")
            self.time.start += time.now() - self.time.start - standing

        def work() -> None:
            try:
                in_virtual_time(run())
            except BaseException as error:  # noqa: BLE001  # handed to the thread that waits
                failures.append(error)

        standing = asyncio.get_running_loop().time()
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if failures:
            raise failures[0]

    # ---- what must hold

    def _state(self) -> tuple[Any, ...]:
        table = self.table
        if isinstance(table, MemoryTable):
            return table.state.epoch, table.state.rows, dict(table.state.watermarks)
        return table.epoch(), sorted(map(repr, self.rows())), table.watermarks()

    def _known_now(self) -> Known:
        """What there is now of what was chosen."""
        things = dict(self.subject.things(self.world, self.scenario.details))
        self._ever.update(things)
        return Known(self.world.time, things, self._counts())

    def _counts(self) -> dict[Key, int]:
        """Scope and bucket → how many there are."""
        if self.subject.counts is None:
            return {}
        scopes = self.subject.counts(self.world, self.scenario.details).items()
        return {(scope, bucket): count for scope, times in scopes for bucket, count in by_bucket(times).items()}

    def _keys(self, rows: list[Row]) -> set[Key]:
        return {tuple(row[name] for name in self.subject.columns) for row in rows}

    def _note_started(self, known: Known) -> None:
        """What there was when a run began, for the one who goes on with it."""
        process = self.process("looking", Fate(Ledger()), Weather("calm", Ledger()))
        for run in process.store.runs.unfinished():
            self._known.setdefault(run.id, known)

    def _bounds(self, run: Run) -> tuple[float, float]:
        """The times that a run was to read, as far as Sentry kept them to its end."""
        if not run.windows:
            return subjects.ALWAYS, float("inf")
        window = run.windows[0]
        dated = window.start if isinstance(self.scenario.details.duration, DateRange) else None
        start = subjects.ALWAYS if dated is None else dated.timestamp()
        edge = self.world.time - RETENTION if self.scenario.aged else subjects.ALWAYS
        return max(start, edge), window.read_end.timestamp()

    def _is_timed(self) -> bool:
        return catalogue.find(self.scenario.report).time_column is not None

    def _check_complete(self, name: str, run: Run, known: Known) -> None:
        """What there was when the run began is in the table."""
        self.remembered = True
        if not run.windows and self._is_timed():
            return  # the store was put back to before the run knew its dates: it only noted a commit that the table has
        rows = self.rows()
        if self.subject.counts is not None:
            self._check_counts(name, run, known, rows)
            return
        start, end = self._bounds(run)
        there, still = self._keys(rows), self._known_now().things
        gone = {key for key, at in self._absent.items() if at >= known.time} | (known.things.keys() - still.keys())
        missing = {key for key, at in known.things.items() if start <= at < end} - gone - there
        if missing:
            self._differs(f"{name}: COMPLETE, and {len(missing)} rows are missing, such as {min(missing)}")
        times = self._times(rows)
        stale = {key for key, at in known.things.items() if start <= at < end and times.get(key, at) < at - INSTANT}
        if stale:
            self._differs(f"{name}: COMPLETE, and {len(stale)} rows are as they were before, such as {min(stale)}")

    def _times(self, rows: list[Row]) -> dict[Key, float]:
        """The latest time of each thing in the table; those without one are left out."""
        column = catalogue.find(self.scenario.report).time_column
        times: dict[Key, float] = {}
        for row in rows:
            if column is not None and row[column] is not None:
                key = tuple(row[name] for name in self.subject.columns)
                times[key] = max(row[column].timestamp(), times.get(key, 0.0))
        return times

    def _check_counts(self, name: str, run: Run, known: Known, rows: list[Row]) -> None:
        """No bucket that was over when the run read it has fewer than there were when the run began."""
        found = self._counted(rows)
        start = max(window.start.timestamp() for window in run.windows if window.start is not None)
        end = min(run.windows[0].read_end.timestamp(), known.time)
        for (scope, bucket), count in known.counts.items():
            if start <= bucket <= end - BUCKET and found.get((scope, bucket), -1) < count:
                self._differs(f"{name}: COMPLETE, and {found.get((scope, bucket))} of {count} in {bucket} of {scope}")
                return

    def _counted(self, rows: list[Row]) -> dict[Key, int]:
        (scope,) = self.subject.columns
        return {(row[scope], row["timestamp_epoch"]): row["events"] for row in rows}

    def _check_retention(self, name: str, run: Run, known: Known) -> None:
        """A run whose dates all lie beyond what Sentry keeps says so."""
        window = run.windows[0] if run.windows else None
        if not self.scenario.aged or window is None:
            return
        edge = known.time - RETENTION
        if window.start is None or window.start.timestamp() < edge:
            self.ledger.note(Fault.BEYOND_RETENTION, f"{run.verdict}")
        if window.end.timestamp() > edge:
            return
        if not any("keeps nothing" in text for text in run.warnings):
            self._differs(f"{name}: nothing of its dates is kept any more, and it does not say so")
        if self._had - self._keys(self.rows()):
            self._differs(f"{name}: nothing of its dates is kept any more, and the table has lost rows")

    def _check_disk(self, name: str, run: Run, fate: Fate) -> None:
        """Where the disk is full, the run fails, and says why; only a commit that got through all the same is one."""
        full = fate.met.intersection(OF_FULL_DISKS)
        if not full or self._overtakes:
            return
        is_told = run.error is not None and run.error.name == DiskFull.name
        if not is_told and not (run.verdict is Verdict.COMPLETE and full == {Fault.FULL_IN_COMMIT}):
            self._differs(f"{name}: {run.verdict} on a full disk: {run.error}")

    def _check_history(self, name: str) -> None:
        """No run that failed has a commit in the table."""
        process = self.process("looking", Fate(Ledger()), Weather("calm", Ledger()))
        for run in process.store.runs.history(self.dataset.id):
            if run.verdict is Verdict.FAILED and run.epoch and self.table.committed(run.epoch) is not None:
                self._differs(f"{name}: the run of epoch {run.epoch} is FAILED, and the table has its rows")

    def _is_of_snapshots(self) -> bool:
        """Whether each run adds all rows anew."""
        is_of_runs = isinstance(self.scenario.details.duration, SinceLastRun)
        return self.scenario.method is UpdateMethod.APPEND and not is_of_runs

    def _check_keys(self, name: str) -> None:
        if self.table.epoch() < self._highest:
            self._differs(f"{name}: the table went back from epoch {self._highest} to {self.table.epoch()}")
        self._highest = self.table.epoch()
        rows, report = self.rows(), catalogue.find(self.scenario.report)
        key = (*report.key, "_run_id") if self._is_of_snapshots() else report.key
        doubled = [one for one, count in Counter(tuple(row[part] for part in key) for row in rows).items() if count > 1]
        if doubled:
            self._differs(f"{name}: {len(doubled)} keys are doubled, such as {doubled[0]}")
        if self._overtakes and not self._unfenced:
            self._check_history(name)
        self._check_kept(name, rows)

    def _check_kept(self, name: str, rows: list[Row]) -> None:
        """What a table had it has: nothing that Sentry forgets is taken out of it. Else Replace keeps what its last run read."""
        here = self._keys(rows)
        if (self.scenario.method is not REPLACE or self.scenario.aged) and self._had - here:
            self._differs(f"{name}: {len(self._had - here)} rows are gone, such as {min(self._had - here)}")
        self._had = here if self.scenario.method is REPLACE else self._had | here

    async def _healed(self) -> Run | None:
        """Runs without faults, until one that began after them is complete."""
        for number in range(ATTEMPTS_TO_HEAL):
            await self._pass(1.5 + (WEEK if self.scenario.report == ISSUES else 0))
            began = self.time.now()
            fate, calm = Fate(self.ledger), Weather("calm", self.ledger)
            process = self.process(f"healing {number}", fate, calm)
            run = await self._run(process, f"healing {number}")
            if run is None:
                continue
            is_fresh = run.queued_at.timestamp() >= began - 1
            if run.verdict is Verdict.COMPLETE and is_fresh and (run.windows or not self._is_timed()):
                return run
            if is_fresh or (run.error is not None and run.error.name not in OF_OLD_ANSWERS):
                self._differs(f"healing {number}: {run.verdict} without a fault: {run.error or run.incomplete}")
        self._differs("not healthy after four runs without faults")
        return None

    async def _compare(self, last: Run) -> None:
        """The table against the world, and against what one reading of everything without faults brings."""
        rows = self.rows()
        if self.subject.counts is not None:
            self._compare_counts(last, rows)
            return
        if self._is_of_snapshots():
            rows = [row for row in rows if row["_run_id"] == last.id]
        here = self._keys([row for row in rows if not row.get(DELETED_AT)])
        start, end = self._bounds(last)
        things = self._known_now().things
        there = {key for key, at in things.items() if start <= at < end}
        many = here - self._may_be_there(things, end) - self._may_be_forgotten(rows)
        if there - here or many:
            self._differs(f"{len(there - here)} rows lost, {len(many)} too many")
        await self._compare_contents(rows, catalogue.find(self.scenario.report))

    def _may_be_there(self, things: dict[Key, float], end: float) -> set[Key]:
        """What a table may hold: what there is and, where nothing tells that something is gone, what there was."""
        there = {key for key, at in things.items() if at < end}
        is_kept = self.scenario.method is UpdateMethod.UPSERT and not self._is_timed()
        return there | self._ever if is_kept else there

    def _may_be_forgotten(self, rows: list[Row]) -> set[Key]:
        """Issues so old that a list which does not show them says nothing of them: Sentry may keep no more than 30 days."""
        if self.scenario.report != ISSUES:
            return set()
        edge = self.world.now - SHORTEST_RETENTION + RETENTION_EDGE
        return self._keys([row for row in rows if row["last_seen"] < edge])

    def _compare_counts(self, last: Run, rows: list[Row]) -> None:
        """Every bucket from the first to the last is there, with what there is in it."""
        found, wanted, window = self._counted(rows), self._counts(), last.windows[0]
        end = int(window.read_end.timestamp())
        for scope in {key[0] for key in wanted}:
            first = min(bucket for one, bucket in [*found, (scope, end)] if one == scope)
            if window.start is not None:
                first = min(first, int(window.start.timestamp()))
            for bucket in range(first, end, BUCKET):
                if found.get((scope, bucket)) != wanted.get((scope, bucket), 0):
                    count = wanted.get((scope, bucket), 0)
                    self._differs(f"{found.get((scope, bucket))} of {count} in {bucket} of {scope}")
                    return

    async def _compare_contents(self, rows: list[Row], report: Any) -> None:
        reads_all = isinstance(self.scenario.details.duration, AllAvailable) and not self.scenario.aged
        if self.renamed and not reads_all:
            return  # rows that were read before the project was renamed keep its old slug
        if self.scenario.report == FEEDBACK and isinstance(self.scenario.details.duration, SinceLastRun):
            return  # nor is feedback read again when its issue gets another status
        oracle = await self._oracle()
        names = [column.name for column in report.columns if not column.noise]
        wanted = {tuple(row[part] for part in report.key): [row[name] for name in names] for row in oracle}
        for row in rows:
            other = wanted.get(tuple(row[part] for part in report.key))
            if other is not None and other != (mine := [row[name] for name in names]):
                changed = [name for name, one, two in zip(names, mine, other, strict=True) if one != two]
                self._differs(f"{[row[name] for name in report.key]} differs in {changed}")
                return

    async def _oracle(self) -> list[Row]:
        """What one reading of all dates brings, without faults."""
        table = MemoryTable(str(self.folder / "oracle"))
        ledger = Ledger()
        process = self.process("oracle", Fate(ledger), Weather("calm", ledger))
        process.__dict__["destination"].table_of = lambda _: table
        details = self.scenario.details
        if details.projects:
            chosen = tuple(project.id for project in subjects.projects(self.world, details))
            details = msgspec.structs.replace(details, projects=chosen)
        if self._is_timed():
            details = msgspec.structs.replace(details, duration=AllAvailable())
        definition = Definition(name="oracle", report=self.scenario.report, details=details)
        dataset = datasets.create(process, definition, None)
        run = await datasets.run(process, dataset.name, progress=Progress())
        if run.verdict is not Verdict.COMPLETE:
            self._differs(f"the oracle itself is {run.verdict}: {run.error}")
        return list(table.state.rows)


def rows_of(table: Any) -> list[Row]:
    """The rows of a table of either kind."""
    if isinstance(table, MemoryTable):
        return list(table.state.rows)
    snapshot = table.snapshot()
    if snapshot is None:
        return []
    with query("SELECT * FROM t", {"t": snapshot}) as reader:
        rows: list[Row] = reader.read_all().to_pylist()
    return rows


def _epoch_of(path: Path) -> int:
    """The epoch in a staged file's place."""
    for part in path.parts:
        digits = part.removeprefix("e")[:8]
        if digits.isdigit() and len(digits) == 8:
            return int(digits)
    return 0
