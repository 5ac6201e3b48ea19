"""The engine: finds the slots that have come due, and does the runs that wait, until it is asked to stop.

It keeps nothing but what it is doing right now. What is due, what waits, who works on what and when a failed run is tried again
stands in the store, so that several engines may share one, and one that dies loses nothing: its leases lapse, and whoever looks
next goes on with its runs.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sentry_connector.errors import ConnectorError, Locked, StoreNewer
from sentry_connector.extraction.progress import Progress
from sentry_connector.runs import check, news, outbox, queue
from sentry_connector.runs.due import Unkept, tick
from sentry_connector.runs.execute import attempt
from sentry_connector.runs.expired import drop_expired
from sentry_connector.runs.house import House
from sentry_connector.runs.lease import WORKERS, Holding, held
from sentry_connector.runs.log import Log
from sentry_connector.runs.thinning import thin
from sentry_connector.store.processes import for_people
from sentry_connector.store.records import Run, Waiting

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

PATIENCE = {"schedules": 180.0, "queue": 120.0, "notices": 3600.0, "accounts": CHECK + 3600.0, "history": THIN + 3600.0}
"""Loop → seconds without a good turn after which it is not well: whatever it waits for does not take so long."""

TTL, BEAT = dt.timedelta(seconds=10), 3.0
"""How long an engine counts as living without a heartbeat, and seconds between two; so long a dead one is waited for."""

WRONG_CLOCK = dt.timedelta(seconds=30)
"""A machine whose clock is further from the store's is told so."""

_FORGET = dt.timedelta(days=1)


@dataclass(kw_only=True)
class Engine:
    """Does runs, several at a time.

    Attributes:
        house: the parts.
        log: told of what is not a run's own affair.
        runs_at_once: how many runs are under way at most.
        told: called aside with each run that has ended, or waits for its next attempt.
        progress: makes what each run that begins tells how far it is.
        begun: set when it is at work, and others see that it is.
        ticked_at: when the schedules were last looked at; None before the first time.
        active: the runs that are under way, by id.
        ahead: by how much the clock of all who share the store is ahead of this machine's.
    """

    house: House
    log: Log
    runs_at_once: int
    told: Callable[[Run], None] = lambda _run: None
    progress: Callable[[], Progress] = Progress
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    ticked_at: dt.datetime | None = None
    active: dict[str, Waiting] = field(default_factory=dict)
    ahead: dt.timedelta = dt.timedelta(0)
    _well_at: dict[str, float] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _next: deque[Waiting] = field(default_factory=deque)
    _holding: Holding | None = None
    _unkept: set[Unkept] = field(default_factory=set)
    _looked: float = float("-inf")
    _resting: dict[str, float] = field(default_factory=dict)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then bring all runs to rest, where the next engine goes on with them.

        Raises:
            StoreUnusable, Locked: the store cannot even be told that there is an engine.
            StoreNewer: a newer version of this program has changed the store; this one is to be replaced by that.
            ConnectorError: a loop has ended, which none does by itself; whoever looks after the process begins another.
        """
        name = f"{WORKERS}{self.house.rng.getrandbits(48):012x}"
        await self.house.aside(self._bury)
        async with held(self.house, name, ttl=TTL, beat=BEAT) as self._holding:
            self.begun.set()
            self.log.info("engine begins", runs_at_once=self.runs_at_once)
            self._well_at = dict.fromkeys(PATIENCE, self.house.clock.monotonic())
            loops = {
                asyncio.create_task(self._kept("schedules", self._tick)): "schedules",
                asyncio.create_task(self._kept("queue", self._fill)): "queue",
                asyncio.create_task(self._kept("accounts", self._check_accounts)): "accounts",
                asyncio.create_task(self._kept("notices", self._deliver)): "notices",
                asyncio.create_task(self._kept("history", self._thin)): "history",
            }
            stopped = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait([stopped, *loops], return_when=asyncio.FIRST_COMPLETED)
                if ended := [name for loop, name in loops.items() if loop.done()]:
                    for loop in loops:
                        if loop.done() and not loop.cancelled() and isinstance(newer := loop.exception(), StoreNewer):
                            raise newer
                    raise ConnectorError(f"The engine's work at the {', '.join(ended)} has ended.")
            finally:
                stopped.cancel()
                await _at_rest([*loops, *self._tasks])
                self.log.info("engine is at rest", left=sorted(self.active))

    def troubles(self) -> list[str]:
        """What is not as it should be, a sentence each: work that does not get on, a store that cannot be written."""
        if self._holding is None or self.ticked_at is None:
            return ["The schedules have not been looked at yet."]
        now = self.house.clock.monotonic()
        found = [] if abs(self.ahead) <= WRONG_CLOCK else [wrong_clock(self.ahead)]
        found += [
            f"The work at the {name} has not got on for {now - at:.0f} s; the server's log may say why."
            for name, at in self._well_at.items()
            if now - at > PATIENCE[name]
        ]
        if now - self._holding.renewed_at > TTL.total_seconds():
            found.append(f"The store could not be written for {now - self._holding.renewed_at:.0f} s.")
        return found

    def _is_well(self, name: str) -> None:
        """A loop has done what it is there for."""
        self._well_at[name] = self.house.clock.monotonic()

    def _bury(self) -> None:
        """An engine that died on this machine, and whose place this one takes, is not waited for until its leases lapse."""
        leases, now = self.house.store.leases, self.house.now()
        leases.forget(WORKERS, now, _FORGET)
        for lease in leases.free_of_the_dead("dataset/", now):
            self.log.info("lease of the dead", lease=lease.name, holder=for_people(lease.holder))

    async def _kept(self, name: str, turn: Callable[[], Awaitable[None]]) -> None:
        """Take one turn after another; one that fails is told, and does not end the engine."""
        while True:
            try:
                await turn()
            except StoreNewer as error:
                self.log.warning("engine ends", loop=name, error=error.name, message=error.message)
                raise
            except ConnectorError as error:
                self.log.warning("turn failed", loop=name, error=error.name, message=error.message)
                await self.house.clock.sleep(NAP)
            except Exception as error:  # whatever it is, schedules and runs must go on
                self.log.exception("turn failed", loop=name, exc_info=error)
                await self.house.clock.sleep(NAP)

    async def _tick(self) -> None:
        """Account for all slots that have come due; come back at the next full minute."""
        at, ahead = await self._time()
        unkept = set(await self.house.aside(lambda: tick(self.house, at)))
        for found in unkept - self._unkept:
            self.log.warning("schedule cannot be kept", dataset=found.dataset_id, message=found.message)
        self._unkept = unkept
        await self.house.aside(lambda: news.look(self.house, at))
        now = self.ticked_at = at - ahead
        self._is_well("schedules")
        next_minute = at.replace(second=0, microsecond=0) + TICK - ahead
        # A clock that was set back would let it wait for a minute that is hours away.
        while now <= (present := self.house.now()) < next_minute:
            await self.house.clock.sleep(min(NAP, (next_minute - present).total_seconds()))

    async def _time(self) -> tuple[dt.datetime, dt.timedelta]:
        """The present by the clock of all who share the store, and how far that is ahead of this machine's.

        Raises:
            StoreNewer: a newer version of this program has changed the store.
        """
        if not self.house.settings.is_shared:
            return self.house.now(), dt.timedelta(0)
        await self.house.aside(self.house.store.check)
        at, now = await self.house.aside(lambda: (self.house.shared_now(), self.house.now()))
        ahead = at - now
        if abs(ahead) > WRONG_CLOCK and abs(self.ahead) <= WRONG_CLOCK:
            self.log.warning("clock is wrong", seconds=-ahead.total_seconds())
        self.ahead = ahead
        return at, ahead

    async def _check_accounts(self) -> None:
        """Ask Sentry about the tokens that were not asked about for a day: schedules rest while one is not good."""
        for account, error in await check.check_due(self.house):
            if isinstance(error, ConnectorError):
                self.log.warning("account checked", account=account.name, error=error.name)
            else:
                self.log.error("account not checked", account=account.name, exc_info=error)
        self._is_well("accounts")
        await self.house.clock.sleep(CHECK)

    async def _thin(self) -> None:
        """Forget old history, and what was deleted too long ago to be restored."""
        now = self.house.now()
        for old, error in await self.house.aside(lambda: drop_expired(self.house, now)):
            self.log.warning("table cannot be dropped", dataset=old.id, error=error.name, message=error.message)
        gone = await self.house.aside(lambda: thin(self.house, now))
        if gone:
            self.log.info("old runs are gone", runs=gone)
        self._is_well("history")
        await self.house.clock.sleep(THIN)

    async def _deliver(self) -> None:
        """Send the notices that wait."""
        await outbox.deliver(self.house)
        self._is_well("notices")
        await self.house.clock.sleep(NAP)

    async def _fill(self) -> None:
        """Begin what may begin; come back when a run has ended, or when it is time to look again."""
        while len(self.active) < self.runs_at_once and (run := await self._following()) is not None:
            self._begin(run)
        self._is_well("queue")
        nap = asyncio.create_task(self.house.clock.sleep(LOOK))
        await asyncio.wait([nap, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        nap.cancel()

    async def _following(self) -> Waiting | None:
        """The run that is next; None where none is.

        The store is asked anew once a second, and no more: whoever comes later may be before those that were there.
        """
        if self.house.clock.monotonic() >= self._looked + LOOK:
            await self._look()
        return self._from_list()

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
        self._next = deque(run for run in queue.in_turn(waiting, now, under_way) if not self._is_resting(run))

    def _begin(self, run: Waiting) -> None:
        self.active[run.id] = run
        task = asyncio.create_task(self._one(run))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _one(self, run: Waiting) -> None:
        """Bring a run to its end. What is known of a failure stands in the run; here is told what it could not say itself."""
        try:
            done = await attempt(run.id, self.house, progress=self.progress())
        except Locked:
            return  # another process is at work on the DataSet
        except ConnectorError as error:
            self._rest(run, {"error": error.name, "message": error.message})
        except Exception as error:  # noqa: BLE001  # one run must not end the others
            self._rest(run, {"exc_info": error})
        else:
            if done is not None:  # else another engine had it
                await self._tell(done)
        finally:
            del self.active[run.id]

    async def _tell(self, run: Run) -> None:
        """The run has ended as it has, whether or not anybody hears of it."""
        try:
            await self.house.aside(lambda: self.told(run))
        except Exception as error:  # whoever is told is not ours
            self.log.warning("end not told", run=run.id, exc_info=error)

    def _rest(self, run: Waiting, facts: dict[str, object]) -> None:
        self._resting[run.id] = self.house.clock.monotonic() + REST
        self.log.error("run could not be done", run=run.id, **facts)

    def _is_resting(self, run: Waiting) -> bool:
        until = self._resting.get(run.id)
        if until is not None and until <= self.house.clock.monotonic():
            del self._resting[run.id]
        return run.id in self._resting


def wrong_clock(ahead: dt.timedelta) -> str:
    """What is said of a machine whose clock is wrong."""
    seconds = ahead.total_seconds()
    return f"This machine's clock is {abs(seconds):,.0f} s {'behind' if seconds > 0 else 'ahead of'} the database's."


async def _at_rest(tasks: list[asyncio.Task[None]]) -> None:
    """Stop tasks, and wait until they have; one that takes longer is left behind, as if its process had died."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=STOP_WITHIN)
