"""The engine: finds the slots that have come due, and does the runs that wait, until it is asked to stop.

It keeps nothing but what it is doing right now. What is due, what waits, who works on what and when a failed run is tried again
stands in the store, so that several engines may share one, and one that dies loses nothing: its leases lapse, and whoever looks
next goes on with its runs.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import zoneinfo
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sentry_connector.datasets import schedule as schedules
from sentry_connector.datasets.schedule import Schedule
from sentry_connector.errors import ConnectorError, Locked
from sentry_connector.extraction.progress import Progress
from sentry_connector.reports import windows
from sentry_connector.runs import check, news, outbox, queue
from sentry_connector.runs.execute import attempt
from sentry_connector.runs.house import House
from sentry_connector.runs.lease import held
from sentry_connector.runs.log import Log
from sentry_connector.runs.slots import GRACE, becoming
from sentry_connector.runs.thinning import thin
from sentry_connector.store.records import Run, Scheduled, Waiting

TICK = dt.timedelta(minutes=1)
"""Between two looks at the schedules: no slot lies between two full minutes."""

LOOK = 1.0
"""Seconds between two looks at the runs that wait, while there is room for more."""

NAP = 5.0
"""Seconds after which a sleeping engine looks at the clock: a machine that was asleep wakes up late."""

CHECK = 600.0
"""Seconds between two looks at which accounts are to be checked."""

THIN = 3600.0
"""Seconds between two looks at which history is old."""

REST = 30.0
"""Seconds for which a run is left alone that could not even be begun."""

STOP_WITHIN = 8.0
"""Seconds that runs have to come to rest when the engine is asked to stop."""

WORKERS = "worker/"
"""Engines hold a lease each whose name begins so: others see that somebody takes up what waits."""

TTL, BEAT = dt.timedelta(seconds=10), 3.0
"""How long an engine counts as living without a heartbeat, and seconds between two; so long a dead one is waited for."""

_FORGET = dt.timedelta(days=1)


@dataclass(kw_only=True)
class Engine:
    """Does runs, several at a time.

    Attributes:
        house: the parts.
        log: told of what is not a run's own affair.
        runs_at_once: how many runs are under way at most.
        told: called with each run that has ended, or waits for its next attempt.
        progress: makes what each run that begins tells how far it is.
        begun: set when it is at work, and others see that it is.
        ticked_at: when the schedules were last looked at; None before the first time.
        active: the runs that are under way, by id.
    """

    house: House
    log: Log
    runs_at_once: int
    told: Callable[[Run], None] = lambda _run: None
    progress: Callable[[], Progress] = Progress
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    ticked_at: dt.datetime | None = None
    active: dict[str, Waiting] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _next: deque[Waiting] = field(default_factory=deque)
    _looked: float = float("-inf")
    _resting: dict[str, float] = field(default_factory=dict)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then bring all runs to rest, where the next engine goes on with them.

        Raises:
            StoreUnusable, Locked: the store cannot even be told that there is an engine.
        """
        name = f"{WORKERS}{self.house.rng.getrandbits(48):012x}"
        self.house.store.leases.forget(WORKERS, self.house.now() - _FORGET)
        async with held(self.house, name, ttl=TTL, beat=BEAT):
            self.begun.set()
            self.log.info("engine begins", runs_at_once=self.runs_at_once)
            loops = [
                asyncio.create_task(self._kept("schedules", self._tick)),
                asyncio.create_task(self._kept("queue", self._fill)),
                asyncio.create_task(self._kept("accounts", self._check_accounts)),
                asyncio.create_task(self._kept("notices", self._deliver)),
                asyncio.create_task(self._kept("history", self._thin)),
            ]
            try:
                await stop.wait()
            finally:
                await _at_rest(loops)
                await _at_rest(list(self._tasks))
                self.log.info("engine is at rest", left=sorted(self.active))

    def is_ready(self, now: dt.datetime) -> bool:
        """Whether the schedules are looked at as they should be."""
        return self.ticked_at is not None and now - self.ticked_at < TICK + GRACE

    async def _kept(self, name: str, turn: Callable[[], Awaitable[None]]) -> None:
        """Take one turn after another; one that fails is told, and does not end the engine."""
        while True:
            try:
                await turn()
            except ConnectorError as error:
                self.log.warning("turn failed", loop=name, error=error.name, message=error.message)
                await self.house.clock.sleep(NAP)
            except Exception as error:  # whatever it is, schedules and runs must go on
                self.log.exception("turn failed", loop=name, exc_info=error)
                await self.house.clock.sleep(NAP)

    async def _tick(self) -> None:
        """Account for all slots that have come due; come back at the next full minute."""
        now = self.house.now()
        for found in await self.house.aside(lambda: tick(self.house, now)):
            self.log.warning("schedule cannot be kept", dataset=found.dataset_id, message=found.message)
        await self.house.aside(lambda: news.look(self.house, now))
        self.ticked_at = now
        next_minute = now.replace(second=0, microsecond=0) + TICK
        while (left := (next_minute - self.house.now()).total_seconds()) > 0:
            await self.house.clock.sleep(min(NAP, left))

    async def _check_accounts(self) -> None:
        """Ask Sentry about the tokens that were not asked about for a day: schedules rest while one is not good."""
        for account, error in await check.check_due(self.house):
            if isinstance(error, ConnectorError):
                self.log.warning("account checked", account=account.name, error=error.name)
            else:
                self.log.error("account not checked", account=account.name, exc_info=error)
        await self.house.clock.sleep(CHECK)

    async def _thin(self) -> None:
        """Forget old history."""
        now = self.house.now()
        gone = await self.house.aside(lambda: thin(self.house, now))
        if gone:
            self.log.info("old runs are gone", runs=gone)
        await self.house.clock.sleep(THIN)

    async def _deliver(self) -> None:
        """Send the notices that wait."""
        await outbox.deliver(self.house)
        await self.house.clock.sleep(NAP)

    async def _fill(self) -> None:
        """Begin what may begin; come back when a run has ended, or when it is time to look again."""
        while len(self.active) < self.runs_at_once and (run := await self._following()) is not None:
            self._begin(run)
        nap = asyncio.create_task(self.house.clock.sleep(LOOK))
        await asyncio.wait([nap, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        nap.cancel()

    async def _following(self) -> Waiting | None:
        """The run that is next; None where none is. The store is asked at most once a second."""
        run = self._from_list()
        if run is None and self.house.clock.monotonic() >= self._looked + LOOK:
            await self._look()
            run = self._from_list()
        return run

    def _from_list(self) -> Waiting | None:
        while self._next:
            run = self._next.popleft()
            if run.dataset_id not in {one.dataset_id for one in self.active.values()}:
                return run
        return None

    async def _look(self) -> None:
        """List the runs that wait."""
        self._looked, now = self.house.clock.monotonic(), self.house.now()
        waiting = await self.house.aside(lambda: self.house.store.runs.waiting(now))
        under_way = Counter(one.identity for one in self.active.values())
        self._next.extend(run for run in queue.in_turn(waiting, now, under_way) if not self._is_resting(run))

    def _begin(self, run: Waiting) -> None:
        self.active[run.id] = run
        task = asyncio.create_task(self._one(run))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _one(self, run: Waiting) -> None:
        """Bring a run to its end. What is known of a failure stands in the run; here is told what it could not say itself."""
        try:
            done = await attempt(run.id, self.house, progress=self.progress())
            if done is not None:  # else another engine had it
                self.told(done)
        except Locked:
            return  # another process is at work on the DataSet
        except ConnectorError as error:
            self._rest(run, {"error": error.name, "message": error.message})
        except Exception as error:  # noqa: BLE001  # one run must not end the others
            self._rest(run, {"exc_info": error})
        finally:
            del self.active[run.id]

    def _rest(self, run: Waiting, facts: dict[str, object]) -> None:
        self._resting[run.id] = self.house.clock.monotonic() + REST
        self.log.error("run could not be done", run=run.id, **facts)

    def _is_resting(self, run: Waiting) -> bool:
        until = self._resting.get(run.id)
        if until is not None and until <= self.house.clock.monotonic():
            del self._resting[run.id]
        return run.id in self._resting


@dataclass(frozen=True, slots=True)
class Unkept:
    """A schedule that cannot be kept, and why."""

    dataset_id: str
    message: str


def tick(house: House, now: dt.datetime, dataset_id: str | None = None) -> list[Unkept]:
    """Account for all slots up to now: of all DataSets, or of one.

    Returns:
        The schedules that cannot be kept: a newer program wrote them, or a zone is no more.
    """
    unkept = []
    for one in house.store.slots.scheduled(dataset_id):
        try:
            due = due_slots(one, now)
        except ConnectorError as error:
            unkept.append(Unkept(one.dataset_id, error.message))
            continue
        if due:
            house.store.slots.account(one, due[-1], functools.partial(becoming, one, due, now))
        elif one.until > now + GRACE:  # the clock was set back: what lies before it counts again
            house.store.slots.account(one, now)
    return unkept


def due_slots(one: Scheduled, now: dt.datetime) -> list[dt.datetime]:
    """The slots that have come due since the last look.

    Raises:
        ScheduleError, DatesError: the rule or the zone is not one that this program knows.
    """
    schedule, zone = _meaning(one.schedule, one.details.timezone)
    return schedules.between(schedule, zone, one.until, now)


@functools.lru_cache(maxsize=4096)
def _meaning(rule: str, timezone: str) -> tuple[Schedule, zoneinfo.ZoneInfo]:
    return schedules.parse(rule), windows.zone(timezone)


async def _at_rest(tasks: list[asyncio.Task[None]]) -> None:
    """Stop tasks, and wait until they have; one that takes longer is left behind, as if its process had died."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=STOP_WITHIN)
