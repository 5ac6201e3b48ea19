"""A seed is played: runs of a DataSet on a world that changes, with faults, then without; at last the table is held to the truth.

Everything happens in virtual time and in one process, so that a seed is always the same.
"""
# seeded worlds, not cryptography

from __future__ import annotations

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec

from sentry_connector.datasets.definition import Definition
from sentry_connector.destinations.delta import DeltaDestination
from sentry_connector.destinations.query import query
from sentry_connector.errors import ConnectorError, Locked
from sentry_connector.extraction import spool
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import datasets
from sentry_connector.reports.details import AllAvailable
from sentry_connector.runs.execute import execute
from sentry_connector.runs.lease import TTL
from sentry_connector.store.records import DataSet, Run, RunState, Verdict
from tests.faults import subjects
from tests.faults.ground import Ground
from tests.faults.kinds import Fault, Ledger
from tests.faults.life import HOUR, OVERLAP, Known, Life
from tests.faults.line import Line, Weather, server_of
from tests.faults.memory import MemoryTable
from tests.faults.process import Fate, Killed, Process, ProcessClock, Time, passing_journals
from tests.faults.scenario import REPLACE, Round, Scenario, scenario_of
from tests.faults.subjects import ISSUES, Key
from tests.faults.truth import Row, Truth
from tests.parts import NOW
from tests.virtual_time import run as in_virtual_time

ATTEMPTS_TO_HEAL = 4
WEEK = 8 * 24
"""Hours after which all issues are read again, whatever moved."""
OF_OLD_ANSWERS = ("sentry.malformed", "table.changed")
"""How a run may end that goes on with what was kept when faults had struck already."""
UNFENCED = ("commit", "log")
"""Between the last look at the lease and the table: who is stopped there finds out by the epochs alone."""
OK = 200
ONE_ISSUE = re.compile(r"/issues/[0-9]+/$")


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
        self.life = Life(scenario, self.ledger, self.time)
        self.truth = Truth(self.life)
        self.random = self.life.random
        self.delta = DeltaDestination(str(folder / "tables"), clock=NOW.timestamp) if delta else None
        self.tables: dict[str, MemoryTable] = {}
        self._overtakes = 0
        self._highest = 0
        self._unfenced = False
        self._began_with = Known(self.life.world.time)
        self._known: dict[str, Known] = {}
        self._had: set[Key] = set()
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
        world, tick = self.life.world, self.life.tick
        server = server_of(
            world, lambda: tick(clock.world), compress=self.scenario.compress, latency=self.scenario.latency
        )
        made.line = Line(server, weather, fate.point, self.scenario.page_rows, self._look_up)
        return made

    def _look_up(self, target: str, status: int) -> None:
        """Single issues are asked for only where the list does not show them: what is there is there."""
        if status == OK and ONE_ISSUE.search(target):
            self._differs(f"{target} is looked up, and there")

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
            self.life.change(one)
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
        self.life.tick()

    async def _round(self, number: int, one: Round) -> None:
        refusals = {}
        if one.refused is not None:
            project = subjects.project(self.life.world, one.refused[0])
            refusals = {f"/{name}/": one.refused[1] for name in (project.slug, project.id)}
            refusals |= {f"project={project.id}": one.refused[1]}
            refusals |= {f"/acme/{team}/projects/": one.refused[1] for team in self.scenario.details.teams[:1]}
        weather = Weather(
            f"{self.scenario.seed}:{number}", self.ledger, one.rate, one.kinds, one.moving, refusals, self.life.drift
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
        before, known = self._state(), self.life.known()
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
            self._look_at_rows(name)
            return None
        self._tell(f"{name}: {run.verdict} {run.error.name if run.error else ''}")
        self.result.verdicts[str(run.verdict)] += 1
        known = self._known.setdefault(run.id, known)
        if run.verdict is Verdict.FAILED and self._overtakes == 0 and self._state() != before:
            self._differs(f"{name}: FAILED, and the table changed")
        if run.error is not None and run.error.name == ConnectorError.name:
            self._differs(f"{name}: {run.error.message}")
        if not self._overtakes:
            self._differ(name, self.truth.of_full_disks(run, fate.met))
        if run.verdict is Verdict.COMPLETE:
            self._look_at_complete(name, run, known)
        self._look_at_rows(name)
        return run

    def _look_at_complete(self, name: str, run: Run, known: Known) -> None:
        """What must hold after a run that is COMPLETE."""
        self.life.names_are_known = True
        if self.truth.begins_before_retention(run, known):
            self.ledger.note(Fault.BEYOND_RETENTION, f"{run.verdict}")
        rows = self.rows()
        self._differ(name, self.truth.of_complete(run, known, rows))
        self._differ(name, self.truth.of_retention(run, known, rows, self._had))

    def _look_at_rows(self, name: str) -> None:
        """What must hold after each run."""
        if self.table.epoch() < self._highest:
            self._differs(f"{name}: the table went back from epoch {self._highest} to {self.table.epoch()}")
        self._highest = self.table.epoch()
        rows = self.rows()
        self._differ(name, self.truth.of_keys(rows))
        if self._overtakes and not self._unfenced:
            self._look_at_history(name)
        self._differ(name, self.truth.of_kept(rows, self._had))
        here = self.truth.keys(rows)
        self._had = here if self.scenario.method is REPLACE else self._had | here

    def _look_at_history(self, name: str) -> None:
        """No run that failed has a commit in the table."""
        process = self.process("looking", Fate(Ledger()), Weather("calm", Ledger()))
        for run in process.store.runs.history(self.dataset.id):
            if run.verdict is Verdict.FAILED and run.epoch and self.table.committed(run.epoch) is not None:
                self._differs(f"{name}: the run of epoch {run.epoch} is FAILED, and the table has its rows")

    def _note_started(self, known: Known) -> None:
        """What there was when a run began, for the one who goes on with it."""
        process = self.process("looking", Fate(Ledger()), Weather("calm", Ledger()))
        for run in process.store.runs.unfinished():
            self._known.setdefault(run.id, known)

    def _state(self) -> tuple[Any, ...]:
        table = self.table
        if isinstance(table, MemoryTable):
            return table.state.epoch, table.state.rows, dict(table.state.watermarks)
        return table.epoch(), sorted(map(repr, self.rows())), table.watermarks()

    def _tell(self, text: str) -> None:
        self.ledger.trace.append(text)

    def _differs(self, text: str) -> None:
        self.result.differences.append(text)
        self._tell(f"DIFFERENCE {text}")

    def _differ(self, name: str, found: Iterable[str]) -> None:
        for text in found:
            self._differs(f"{name}: {text}")

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
        try:
            done = await execute(run.id, process, progress=Progress())
        except Locked:  # whoever had the lease last, by a clock that is ahead, has it still
            self._tell(f"run {number} again: locked")
        else:
            self.ledger.note(Fault.LATE_RETRY, f"epoch {run.epoch} of {epoch}: {done.verdict}")
        if self._state() != before:
            self._differs("an old run was retried, and the table changed")
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
                self.life.tick(time)
                self.life.arrive(5, OVERLAP)
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

    async def _healed(self) -> Run | None:
        """Runs without faults, until one that began after them is complete."""
        for number in range(ATTEMPTS_TO_HEAL):
            await self._pass(1.5 + (WEEK if self.scenario.report == ISSUES else 0))
            begun_before = set(self._known)  # not by times: the clock of then may have been ahead
            fate, calm = Fate(self.ledger), Weather("calm", self.ledger)
            process = self.process(f"healing {number}", fate, calm)
            run = await self._run(process, f"healing {number}")
            if run is None:
                continue
            is_fresh = run.id not in begun_before
            if run.verdict is Verdict.COMPLETE and is_fresh and (run.windows or not self.truth.is_timed):
                return run
            if is_fresh or (run.error is not None and run.error.name not in OF_OLD_ANSWERS):
                self._differs(f"healing {number}: {run.verdict} without a fault: {run.error or run.incomplete}")
        self._differs("not healthy after four runs without faults")
        return None

    async def _compare(self, last: Run) -> None:
        """The table against the world, and against what one reading of everything without faults brings."""
        rows = self.rows()
        self._differ("at last", self.truth.of_all(last, rows))
        if self.truth.has_an_oracle:
            self._differ("at last", self.truth.of_contents(self.truth.of_last(last, rows), await self._oracle()))

    async def _oracle(self) -> list[Row]:
        """What one reading of all dates brings, without faults."""
        table = MemoryTable(str(self.folder / "oracle"))
        ledger = Ledger()
        process = self.process("oracle", Fate(ledger), Weather("calm", ledger))
        process.__dict__["destination"].table_of = lambda _: table
        details = self.scenario.details
        if details.projects:
            chosen = tuple(project.id for project in subjects.projects(self.life.world, details))
            details = msgspec.structs.replace(details, projects=chosen)
        if self.truth.is_timed:
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
