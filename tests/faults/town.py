"""Several DataSets on a simulated Sentry, kept up to date by engines that come and go, in virtual time.

What a seed means: which DataSets there are, when engines begin, die and come to rest, what people do meanwhile, and what Sentry
answers. In the end every slot must be accounted for once, every table be what Sentry shows, and every notice have been heard.
"""
# ruff: noqa: S311  # seeded worlds, not cryptography

from __future__ import annotations

import asyncio
import datetime as dt
import io
import itertools
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast
from unittest import mock

import structlog

from sentry_connector.datasets import schedule as schedules
from sentry_connector.datasets.definition import Definition
from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.errors import ConnectorError, NotDelivered
from sentry_connector.notices.message import Message
from sentry_connector.operations import datasets, notices, runs
from sentry_connector.reports import windows
from sentry_connector.reports.details import Details, SinceLastRun
from sentry_connector.runs import engine as engines
from sentry_connector.runs.engine import Engine
from sentry_connector.runs.log import Log
from sentry_connector.simulator import World
from sentry_connector.store.records import CatchUp, DataSet, Kind, Retry, Run, RunState, Trigger, Verdict
from tests.faults.ground import Ground
from tests.faults.kinds import Fault, Ledger
from tests.faults.line import Line, Weather, server_of
from tests.faults.memory import MemoryTable
from tests.faults.process import Fate, Killed, Process, ProcessClock, Strike, Time, passing_journals
from tests.faults.simulation import rows_of
from tests.parts import NOW
from tests.virtual_time import run as in_virtual_time

SCHEDULES = ("every 1m", "every 5m", "hourly", "daily 12:30,13:07", "cron: */7 * * * *")
HOURS = 2.0
"""How long a town is looked at."""

LOOK = 5.0
"""Seconds between an engine's looks at an empty queue: those of every second would be most of what is played."""

EVENTS = "project-events"
REPORTS: tuple[tuple[str, Details], ...] = (
    ("organizations", Details()),
    ("projects", Details()),
    ("organization-teams", Details(organizations=("acme",))),
    (EVENTS, Details(projects=("acme/shop",), duration=SinceLastRun())),
)
BAD = (Fault.INTERNAL_ERROR, Fault.UNAVAILABLE, Fault.LIMITED_FOR, Fault.RESET, Fault.HTML)


@dataclass
class Alive:
    """An engine in a process of its own."""

    process: Process
    stop: asyncio.Event
    task: asyncio.Task[None]
    others: set[asyncio.Task[Any]] = field(default_factory=set)


class Town:
    """One seed being played."""

    def __init__(self, seed: int, ground: Ground) -> None:
        self.seed, self.ground = seed, ground
        self.random = Random(f"town:{seed}")
        self.ledger = Ledger()
        self.differences: list[str] = []
        self.time = Time(NOW.timestamp())
        self.world = World.build(now=NOW, seed=seed % 7, events=60, issues=8, feedback=2, repositories=1)
        self.tables: dict[str, MemoryTable] = {}
        self.alive: list[Alive] = []
        self.down = False
        self.heard: Counter[str] = Counter()
        self._number = 0

    # ---- parts

    def process(self, fate: Fate, rate: float = 0.0, *, down: bool = False) -> Process:
        """A process of the connector; without faults where no rate is given, and Sentry is not down."""
        self._number += 1
        clock = ProcessClock(self.time)
        made = Process(
            self.ground.store,
            self.ground.home,
            clock=clock,
            seed=f"{self.seed}:{self._number}",
            fate=fate,
            table_of=self.table_of,
        )
        refusals = {"/": Fault.OUTAGE} if down else {}
        weather = Weather(f"{self.seed}:{self._number}", self.ledger, rate, BAD, refusals=refusals)
        server = server_of(self.world, self._tick, compress=False, latency=0.05)
        made.line = Line(server, weather, fate.point)
        made.mailbox = lambda message: self._receive(message, rate)
        return made

    def _receive(self, message: Message, rate: float) -> None:
        """The channel takes a notice, or does not."""
        if self.random.random() < 3 * rate:
            raise NotDelivered("The channel is not there.")
        self.heard[message.id] += 1

    def table_of(self, dataset_id: str) -> Any:
        root = str(self.ground.folder / "tables" / dataset_id)
        return self.tables.setdefault(dataset_id, MemoryTable(root))

    def _tick(self) -> float:
        self.world.time = max(self.world.time, self.time.now())
        return self.world.time

    # ---- what happens

    async def lived(self) -> None:
        """Hours of a town, then an engine without faults until nothing waits, then the comparison."""
        asyncio.get_running_loop().set_exception_handler(self.left_behind)
        person = self.process(Fate(self.ledger))
        await notices.add(person, "ops", "https://hooks.example.com/ops")
        for number in range(self.random.randint(2, 5)):
            datasets.create(person, self._definition(number), None)
        end = asyncio.get_running_loop().time() + HOURS * 3600
        while asyncio.get_running_loop().time() < end:
            await self._something(person)
            await asyncio.sleep(self.random.choice([1, 7, 20, 59, 61, 300, 900]))
        await self._quiet(person)
        self._compare(person)

    def _definition(self, number: int) -> Definition:
        report, details = self.random.choice(REPORTS)
        return Definition(
            name=f"{report} {number}",
            report=report,
            details=details,
            update_method=UpdateMethod.UPSERT,
            schedule=self.random.choice(SCHEDULES),
            retry=self.random.choice([None, Retry(every=300, times=2), Retry(every=600, times=1)]),
            catch_up=self.random.choice(list(CatchUp)),
        )

    async def _something(self, person: Process) -> None:
        """One thing of what may happen."""
        await self.random.choice([self._begin, self._begin, self._die, self._rest, self._weather, self._ask])(person)
        if self.random.random() < 0.5:
            self.world.time = self._tick()
            self.world.add_events("acme", "shop", 2, start=self.world.time - 30, end=self.world.time)

    async def _begin(self, _person: Process) -> None:
        """An engine begins, at most two at a time; some die at a certain look at the store or the clock."""
        self.alive = [one for one in self.alive if not one.task.done()]
        if len(self.alive) > 1:
            return
        fault, point = self.random.choice([(Fault.KILLED_AT_STORE, "store"), (Fault.KILLED_LOOKING, "look")])
        strikes = (Strike(fault, point, self.random.randint(1, 400)),) if self.random.random() < 0.5 else ()
        process = self.process(Fate(self.ledger, strikes), 0.1, down=self.down)
        stop = asyncio.Event()
        engine = Engine(house=process, log=silent(), runs_at_once=self.random.randint(1, 3))
        before = asyncio.all_tasks()
        task = asyncio.create_task(engine.run(stop))
        self.alive.append(Alive(process, stop, task, before))

    async def _die(self, _person: Process) -> None:
        """An engine is killed: nothing of what it has in hand is put away."""
        if self.alive:
            one = self.alive.pop(self.random.randrange(len(self.alive)))
            one.process.fate.dead = True
            one.task.cancel()
            await asyncio.wait([one.task])

    async def _rest(self, _person: Process) -> None:
        """An engine is asked to stop, and does within ten seconds."""
        if not self.alive:
            return
        one = self.alive.pop(self.random.randrange(len(self.alive)))
        one.stop.set()
        began = asyncio.get_running_loop().time()
        await asyncio.wait([one.task])
        if asyncio.get_running_loop().time() - began > 10:
            self.differences.append("an engine did not come to rest within ten seconds")

    async def _weather(self, _person: Process) -> None:
        """Sentry goes down, or comes back; engines that begin from then on feel it."""
        self.down = not self.down and self.random.random() < 0.5

    async def _ask(self, person: Process) -> None:
        """A person does something with a DataSet."""
        name = self.random.choice(person.store.datasets.list()).name
        dataset = datasets.find(person, name)
        try:
            match self.random.randrange(5):
                case 0:
                    datasets.ask(person, name)
                case 1:
                    await runs.cancel(person, name, patience=5)
                case 2:
                    (datasets.resume if dataset.paused else datasets.pause)(person, name)
                case 3:
                    datasets.edit(person, name, {"description": f"at {self.time.now()}"})
                case _:
                    datasets.edit(person, name, {"catch_up": self.random.choice(list(CatchUp))})
        except ConnectorError:
            return  # there is no run to cancel, or it is not the moment

    async def _quiet(self, person: Process) -> None:
        """Whatever has died is dead; an engine without faults goes on until nothing waits any more."""
        for one in self.alive:
            one.process.fate.dead = True
            one.task.cancel()
        if self.alive:
            await asyncio.wait([one.task for one in self.alive])
        for dataset in person.store.datasets.list():
            if dataset.paused:
                datasets.resume(person, dataset.name)
        stop = asyncio.Event()
        engine = Engine(house=self.process(Fate(self.ledger)), log=silent(), runs_at_once=2)
        task = asyncio.create_task(engine.run(stop))
        await asyncio.sleep(1800)  # longer than leases last and retries wait
        for dataset in person.store.datasets.list():
            datasets.pause(person, dataset.name)
            datasets.ask(person, dataset.name)
        await asyncio.sleep(600)
        stop.set()
        await asyncio.wait([task])
        task.result()

    def left_behind(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Tasks of a process that was killed end as they like; any other one was to be waited for."""
        error = context.get("exception")
        if error is not None and not isinstance(error, Killed | BaseExceptionGroup):
            self.differences.append(f"nobody looked at {error!r}")

    # ---- what must be so in the end

    def _compare(self, person: Process) -> None:
        for dataset in person.store.datasets.list():
            history = person.store.runs.history(dataset.id, limit=None)
            self._compare_slots(person, dataset, history)
            for run in history:
                self._compare_run(dataset, run)
            if history[0].verdict is not Verdict.COMPLETE:
                self._differ(dataset, f"at last {history[0].verdict}: {history[0].error}")
            self._compare_rows(dataset)
            self._compare_notices(person, dataset, history)

    def _compare_notices(self, person: Process, dataset: DataSet, history: list[Run]) -> None:
        """Each episode is told of once when it begins and once when it is over, and what was told was heard."""
        told = person.store.notices.recent(dataset.id, limit=None)
        for notice, sent in told:
            if not self.heard[notice.id] or not all(one.sent_at for one in sent) or not sent:
                self._differ(dataset, f"nobody heard {notice}: {sent}")
        for kind in Kind:
            of_kind = [notice.recovered for notice, _ in reversed(told) if notice.kind is kind]
            if of_kind != [place % 2 == 1 for place in range(len(of_kind))]:
                self._differ(dataset, f"episodes of {kind} do not take turns: {of_kind}")
        failed = [notice for notice, _ in told if notice.kind is Kind.FAILED]
        ended = sorted((run for run in history if run.finished_at), key=lambda run: (run.finished_at, run.id))
        words = [run.verdict for run in ended if run.verdict in {Verdict.FAILED, Verdict.COMPLETE}]
        began = sum(now is Verdict.FAILED and last is not now for last, now in itertools.pairwise([None, *words]))
        if began != sum(not notice.recovered for notice in failed):
            self._differ(dataset, f"failing began {began} times, told: {failed}")

    def _compare_slots(self, person: Process, dataset: DataSet, history: list[Run]) -> None:
        told: Counter[dt.datetime] = Counter(run.slot for run in history if run.slot is not None)
        rule, zone = schedules.parse(dataset.schedule), windows.zone(dataset.details.timezone)
        by_id = {run.id: run for run in history}
        for passed in person.store.slots.passed(dataset.id, limit=None):
            slots = schedules.between(rule, zone, passed.first - dt.timedelta(seconds=1), passed.last)
            if len(slots) != passed.count:
                self._differ(dataset, f"{passed} counts {len(slots)}")
            told.update(slots)
            if passed.run_id is not None and passed.run_id not in by_id:
                self._differ(dataset, f"{passed} names no run")
            if passed.merged and (by_id[passed.run_id or ""].slot or passed.last) <= passed.last:
                self._differ(dataset, f"{passed} is stood for by an earlier run")
        due = schedules.between(rule, zone, dataset.created_at, max(told, default=dataset.created_at))
        if told != Counter(due):
            odd = {slot: told[slot] for slot in {*told, *due} if told[slot] != 1}
            self._differ(dataset, f"slots that are not accounted for once: {odd}")
        if due and (self.time.now() - due[-1].timestamp()) > 2 * 3600:
            self._differ(dataset, f"the last slot that is accounted for is {due[-1]}")

    def _compare_run(self, dataset: DataSet, run: Run) -> None:
        if run.state is not RunState.DONE:
            self._differ(dataset, f"{run.id} is {run.state}")
        if run.error is not None and run.error.name == ConnectorError.name:
            self._differ(dataset, f"{run.id}: {run.error.message}")
        times = dataset.retry.times if dataset.retry and run.trigger is not Trigger.MANUAL else 0
        if len(run.attempts) > times + 1:
            self._differ(dataset, f"{run.id} was tried {len(run.attempts)} times")
        if [one.number for one in run.attempts] != list(range(1, len(run.attempts) + 1)):
            self._differ(dataset, f"{run.id} has odd attempts")
        if sum(one.requests for one in run.attempts) != run.requests:
            self._differ(dataset, f"{run.id}: {run.requests} requests, its attempts {run.attempts}")

    def _compare_rows(self, dataset: DataSet) -> None:
        rows = rows_of(self.table_of(dataset.id))
        if dataset.report == EVENTS:
            project = next(one for one in self.world.organization("acme").projects if one.slug == "shop")
            wanted = Counter(event.id for event in project.events if event.time < self.time.now() - 660)
            found = Counter(cast("str", row["event_id"]) for row in rows)
            if wanted - found or max(found.values(), default=1) > 1:
                self._differ(dataset, f"lost {len(wanted - found)}, doubled {max(found.values(), default=1)}")
        elif not rows:
            self._differ(dataset, "there are no rows")

    def _differ(self, dataset: DataSet, what: str) -> None:
        self.differences.append(f"{dataset.name} ({dataset.schedule}, {dataset.catch_up}): {what}")


def silent() -> Log:
    """A log that nobody reads."""
    return cast("Log", structlog.wrap_logger(structlog.WriteLogger(io.StringIO())))


def play(seed: int, ground: Ground) -> Town:
    """Play a seed."""
    ground.clear()
    town = Town(seed, ground)
    with mock.patch.object(engines, "LOOK", LOOK), passing_journals():
        in_virtual_time(town.lived())
    return town
