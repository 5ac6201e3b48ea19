"""A seed is played: runs of a DataSet on a world that changes, with faults, then without; at last the table is held to the truth.

Everything happens in virtual time and in one process, so that a seed is always the same.
"""
# ruff: noqa: S311  # seeded worlds, not cryptography

from __future__ import annotations

import asyncio
import contextlib
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
from sentry_connector.errors import ConnectorError
from sentry_connector.extraction import spool
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import datasets
from sentry_connector.reports import catalogue
from sentry_connector.reports.details import AllAvailable
from sentry_connector.reports.model import DELETED_AT
from sentry_connector.runs.lease import TTL
from sentry_connector.simulator import World
from sentry_connector.store.records import DataSet, Run, Verdict
from sentry_connector.store.store import Store
from tests.faults.kinds import Fault, Ledger
from tests.faults.line import Line, Weather, server_of
from tests.faults.memory import MemoryTable
from tests.faults.process import Fate, Process, ProcessClock, Time
from tests.faults.scenario import EVENTS, FEEDBACK, ISSUES, PROJECTS, Round, Scenario, scenario_of
from tests.parts import NOW
from tests.virtual_time import run as in_virtual_time

HOUR = 3600.0
OVERLAP = 1.9 * HOUR
ATTEMPTS_TO_HEAL = 4
WEEK = 8 * 24
"""Hours after which all issues are read again, whatever moved."""
OF_OLD_ANSWERS = ("sentry.malformed", "table.changed")
"""How a run may end that goes on with what was kept when faults had struck already."""
IDS = {EVENTS: "event_id", ISSUES: "issue_id", FEEDBACK: "feedback_id"}

Row = dict[str, Any]


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
    with mock.patch.object(spool, "PART_ROWS", simulation.scenario.part_rows):
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
        self.world = World.build(
            now=NOW,
            seed=scenario.seed,
            events=scenario.events,
            issues=24,
            people=6,
            repositories=1,
            feedback=30,
            days=6,
        )
        self.random = Random(f"world:{scenario.seed}")
        self.delta = DeltaDestination(str(folder / "tables"), clock=NOW.timestamp) if delta else None
        self.tables: dict[str, MemoryTable] = {}
        self.renamed = False
        self.remembered = False
        self._overtakes = 0
        self._highest = 0
        self._began_with: dict[str, float] = {}
        self._known: dict[str, dict[str, float]] = {}
        self.dataset = self._made()

    # ---- parts

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
        made.line = Line(server, weather, fate.point, self.scenario.page_rows)
        return made

    def _tick(self, time: Time) -> float:
        """The server's clock, with which the world goes on."""
        self.world.time = max(self.world.time, time.now())
        return self.world.time

    def _made(self) -> DataSet:
        scenario, calm = self.scenario, Weather("calm", self.ledger)
        definition = Definition(
            name="played", report=scenario.report, details=scenario.details, update_method=scenario.method
        )

        async def make() -> DataSet:
            process = self.process("making", Fate(self.ledger), calm)
            return datasets.create(process, definition, None)

        return in_virtual_time(make())

    # ---- the play

    async def played(self) -> None:
        """All rounds, then what heals, then the comparison."""
        for number, one in enumerate(self.scenario.rounds):
            await self._pass(one.hours)
            self._change(one)
            await self._round(number, one)
        last = await self._healed()
        if last is not None:
            await self._compare(last)

    async def _pass(self, hours: float) -> None:
        await asyncio.sleep(hours * HOUR)
        self._tick(self.time)

    async def _round(self, number: int, one: Round) -> None:
        refusals = {}
        if one.refused is not None:
            project = self._project(one.refused[0])
            refusals = {f"/{name}/": one.refused[1] for name in (project.slug, project.id)}
            refusals |= {f"project={project.id}": one.refused[1]}
        weather = Weather(f"{self.scenario.seed}:{number}", self.ledger, one.rate, one.kinds, refusals, self._drift)
        fate = Fate(self.ledger, one.strikes, lambda: self._overtake(number))
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
        before, known = self._state(), self._ids()
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
        if run.verdict is Verdict.COMPLETE:
            self._check_complete(name, run, known)
        self._check_keys(name)
        return run

    def _tell(self, text: str) -> None:
        self.ledger.trace.append(text)

    def _differs(self, text: str) -> None:
        self.result.differences.append(text)
        self._tell(f"DIFFERENCE {text}")

    # ---- what changes

    def _project(self, slug: str) -> Any:
        for project in self.world.organization("acme").projects:
            if slug == project.slug or slug in project.former_slugs:
                return project
        raise KeyError(slug)

    @property
    def _chosen(self) -> list[Any]:
        chosen = self.scenario.details.projects
        if chosen == ("*",):
            return list(self.world.organization("acme").projects)
        return [self._project(one.partition("/")[2]) for one in chosen]

    def _arrive(self, count: int, late: float) -> None:
        for _ in range(count):
            project = self._project(self.random.choice(PROJECTS))
            start = self.world.time - 59 - late * self.random.random()
            self.world.add_events("acme", project.slug, 1, start=start, end=min(start + 59, self.world.time))

    def _drift(self) -> None:
        self._tick(self.time)
        self._arrive(self.random.randint(1, 3), 1.5 * HOUR)

    def _change(self, one: Round) -> None:
        self._arrive(one.events, OVERLAP)
        for _ in range(one.changes):
            project = self._project(self.random.choice(PROJECTS))
            status = self.random.choice(["resolved", "ignored", "unresolved"])
            self.world.set_status(self.random.choice(project.issues).id, status)
            self.world.add_feedback(self.random.choice(project.events), comments=f"word {self.random.random()}")
            self.world.add_issues("acme", project.slug)
            if self.scenario.report == ISSUES:
                self.world.delete_issue(self.random.choice(project.issues).id)
        if one.renamed is not None and self._may_rename(one.renamed):
            project = self._project(one.renamed)
            self.world.rename_project("acme", project.slug, f"{project.slug}-anew")
            self.renamed = True
            self.ledger.note(Fault.RENAMED, project.slug)

    def _may_rename(self, slug: str) -> bool:
        """Where a project was named by its slug, a run must have seen what that stands for."""
        return self.scenario.details.projects == ("*",) or self.remembered

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

    def _overtake(self, number: int) -> None:
        """The process stands still past its lease; another one comes meanwhile and does what there is to do."""
        self._overtakes += 1
        self._note_started(self._began_with)
        time = Time(self.time.now() + TTL.total_seconds() + 1)
        failures: list[BaseException] = []

        async def run() -> None:
            calm = Weather("calm", self.ledger)
            process = self.process(f"{number} by another", Fate(self.ledger), calm, time=time)
            await self._run(process, f"run {number} by another")
            if self.random.random() < 0.5:  # and goes on to its next run
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

    def _ids(self) -> dict[str, float]:
        """Id → time of what there is now in the chosen projects."""
        return {key: at for project in self._chosen for key, at in _things(project, self.scenario.report)}

    def _note_started(self, known: dict[str, float]) -> None:
        """What there was when a run began, for the one who goes on with it."""
        process = self.process("looking", Fate(Ledger()), Weather("calm", Ledger()))
        for run in process.store.runs.unfinished():
            self._known.setdefault(run.id, known)

    def _check_complete(self, name: str, run: Run, known: dict[str, float]) -> None:
        """What there was when the run began is in the table."""
        self.remembered = True
        if not run.windows:
            return  # the store was put back to before the run knew its dates: it only noted a commit that the table has
        end = run.windows[0].read_end.timestamp()
        there = {row[IDS[self.scenario.report]] for row in self.rows()}
        still = self._ids()
        missing = {key for key, at in known.items() if at < end and key in still} - there
        if missing:
            self._differs(f"{name}: COMPLETE, and {len(missing)} rows are missing, such as {min(missing)}")

    def _check_keys(self, name: str) -> None:
        if self.table.epoch() < self._highest:
            self._differs(f"{name}: the table went back from epoch {self._highest} to {self.table.epoch()}")
        self._highest = self.table.epoch()
        report = catalogue.find(self.scenario.report)
        is_snapshots = self.scenario.method is UpdateMethod.APPEND and isinstance(
            self.scenario.details.duration, AllAvailable
        )
        key = (*report.key, "_run_id") if is_snapshots else report.key
        doubled = [
            one for one, count in Counter(tuple(row[part] for part in key) for row in self.rows()).items() if count > 1
        ]
        if doubled:
            self._differs(f"{name}: {len(doubled)} keys are doubled, such as {doubled[0]}")

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
            if run.verdict is Verdict.COMPLETE and is_fresh and run.windows:
                return run
            if is_fresh or (run.error is not None and run.error.name not in OF_OLD_ANSWERS):
                self._differs(f"healing {number}: {run.verdict} without a fault: {run.error or run.incomplete}")
        self._differs("not healthy after four runs without faults")
        return None

    async def _compare(self, last: Run) -> None:
        """The table against the world, and against what one reading of everything without faults brings."""
        report = catalogue.find(self.scenario.report)
        rows = self.rows()
        is_snapshots = self.scenario.method is UpdateMethod.APPEND and isinstance(
            self.scenario.details.duration, AllAvailable
        )
        if is_snapshots:
            rows = [row for row in rows if row["_run_id"] == last.id]
        end = last.windows[0].read_end.timestamp()
        name = IDS[self.scenario.report]
        here, there = (
            {row[name] for row in rows if not row.get(DELETED_AT)},
            {key for key, at in self._ids().items() if at < end},
        )
        if here != there:
            self._differs(f"{len(there - here)} rows lost, {len(here - there)} too many")
        await self._compare_contents(rows, report)

    async def _compare_contents(self, rows: list[Row], report: Any) -> None:
        if self.renamed and not isinstance(self.scenario.details.duration, AllAvailable):
            return  # rows that were read before the project was renamed keep its old slug
        oracle = await self._oracle()
        names = [column.name for column in report.columns if not column.noise]
        wanted = {tuple(row[part] for part in report.key): [row[name] for name in names] for row in oracle}
        for row in rows:
            other = wanted.get(tuple(row[part] for part in report.key))
            if other is not None and other != (mine := [row[name] for name in names]):
                changed = [name for name, one, two in zip(names, mine, other, strict=True) if one != two]
                self._differs(f"{row[IDS[self.scenario.report]]} differs in {changed}")
                return

    async def _oracle(self) -> list[Row]:
        """What one reading of all dates brings, without faults."""
        table = MemoryTable(str(self.folder / "oracle"))
        ledger = Ledger()
        process = self.process("oracle", Fate(ledger), Weather("calm", ledger))
        process.__dict__["destination"].table_of = lambda _: table
        details = msgspec.structs.replace(
            self.scenario.details, duration=AllAvailable(), projects=tuple(project.id for project in self._chosen)
        )
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


def _things(project: Any, report: str) -> Iterator[tuple[str, float]]:
    if report == EVENTS:
        return ((event.id, event.time) for event in project.events)
    if report == ISSUES:
        return ((issue.id, issue.first_seen) for issue in project.issues)
    return ((feedback.id, feedback.created) for feedback in project.feedback)


def _epoch_of(path: Path) -> int:
    """The epoch in a staged file's place."""
    for part in path.parts:
        digits = part.removeprefix("e")[:8]
        if digits.isdigit() and len(digits) == 8:
            return int(digits)
    return 0
