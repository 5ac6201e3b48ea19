"""Processes that share an identity ask one after another, and none of them depends on the others or on the store."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import event

from sentry_connector.errors import Locked
from sentry_connector.sentry.budget import Budgets
from sentry_connector.sentry.lane import IDLE, PUBLISHED, Limit
from sentry_connector.store.database import Database
from sentry_connector.store.leases import Leases
from sentry_connector.store.store import Store
from sentry_connector.store.turns import (
    ALONE,
    LONGEST_WAIT,
    OPENING,
    PATIENCE,
    POLL,
    QUANTUM,
    TTL,
    LeasedTurn,
    Line,
    Standing,
    lease_name,
)
from tests.sentry.counting import Counting, ask_until_answered
from tests.store.conftest import BOTH, empty
from tests.virtual_time import LoopClock, run

SENTRY = ("https", "sentry.io", 443)
START = 1_700_000_000.0
Value = TypeVar("Value")


async def at_once(work: Callable[[], Value]) -> Value:
    return work()


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """Where thousands of requests are played; the line itself is tested on both databases."""
    return f"sqlite:///{tmp_path / 'home' / 'connector.db'}"


@pytest.fixture
def database(store: Store, database_url: str) -> Iterator[Database]:  # the store makes the tables
    database = Database(database_url, wait=0.0)
    yield database
    database.engine.dispose()


class World:
    """One server, one clock, and processes that ask it as one identity."""

    def __init__(self, database: Database, limit: Limit, *, latency: float = 0.05, known: bool = True) -> None:
        self.clock = LoopClock(START)
        self.server = Counting(limit, self.clock, ahead=0.0, latency=latency)
        self.leases = Leases(database)
        self.known = known
        self.done: dict[str, list[float]] = {}

    def budgets(self, name: str) -> Budgets:
        def turn(place: tuple[str, str, int], identity: str, family: str) -> LeasedTurn:
            line = Line(self.leases, lease_name(place, identity, family), name)
            return LeasedTurn(lambda: line, clock=self.clock, aside=at_once)

        return Budgets(self.clock, turn=turn)

    async def process(self, name: str, family: str, requests: int, *, orderly: bool = True) -> None:
        """A process that has so many requests to make, all at once, and ends."""
        budgets = self.budgets(name)
        budget = budgets.of(SENTRY if self.known else ("https", "sentry.example.com", 443), "7")
        times = self.done.setdefault(name, [])

        async def one() -> None:
            await ask_until_answered(budget, self.server, family)
            times.append(self.clock.monotonic())

        async with asyncio.TaskGroup() as group:
            for _ in range(requests):
                group.create_task(one())
        if orderly:
            budgets.close()

    @property
    def good(self) -> int:
        return sum(self.server.used.values()) - self.server.refused


def played(work: Callable[[], Coroutine[Any, Any, Value]]) -> tuple[Value, float]:
    """What the work gives, and the seconds that it took."""

    async def timed() -> tuple[Value, float]:
        return await work(), asyncio.get_running_loop().time()

    return run(timed())


@pytest.mark.parametrize(
    ("family", "processes", "requests"),
    [("default", 2, 1200), ("default", 3, 800), ("org-issues", 2, 300), ("project-events", 2, 150)],
)
@pytest.mark.parametrize("latency", [0.05, 0.3])
def test_processes_share_the_limit_without_running_into_it(
    database: Database, family: str, processes: int, requests: int, latency: float
) -> None:
    """The windows are used to at least 85 %, and no more than one in a hundred requests is refused."""
    limit = PUBLISHED[family]
    world = World(database, limit, latency=latency)

    async def all_of_them() -> None:
        await asyncio.gather(*(world.process(f"p{number}", family, requests) for number in range(processes)))

    _, seconds = played(all_of_them)
    assert world.good == processes * requests
    assert world.server.refused <= 0.01 * world.good
    rate = min(limit.requests / limit.seconds, limit.concurrency / (latency / 2))
    assert seconds <= processes * requests / rate / 0.85 + limit.seconds


def test_who_came_second_does_not_wait_for_the_first_ones_end(database: Database) -> None:
    world = World(database, PUBLISHED["default"])

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(world.process("long", "default", 2000))
            await asyncio.sleep(5.3)
            group.create_task(world.process("short", "default", 40))

    played(both)
    assert world.done["short"][-1] < 5.3 + 2 * QUANTUM + PUBLISHED["default"].seconds
    assert world.done["long"][-1] > 2000 / 40 - 1
    assert world.server.refused == 0


def test_requests_under_way_have_ended_before_the_next_process_begins(database: Database) -> None:
    """Sentry counts those too that run at once, and slow answers outlast a window."""
    world = World(database, PUBLISHED["event-detail"], latency=1.6)

    async def both() -> None:
        await asyncio.gather(*(world.process(name, "event-detail", 150) for name in ("a", "b")))

    played(both)
    assert world.good == 300
    assert world.server.refused == 0


def test_a_window_that_is_used_up_is_waited_out_by_a_process_that_comes_later_too(database: Database) -> None:
    world = World(database, PUBLISHED["project-events"])

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(world.process("first", "project-events", 100))
            await asyncio.sleep(20)
            group.create_task(world.process("later", "project-events", 10))

    played(both)
    assert world.server.refused == 0


def test_the_turn_of_a_process_that_died_is_free_when_its_lease_is_over(database: Database) -> None:
    world = World(database, PUBLISHED["default"])

    async def one_dies() -> None:
        dying = asyncio.create_task(world.process("dying", "default", 4000))
        await asyncio.sleep(1.2)
        living = asyncio.create_task(world.process("living", "default", 100))
        await asyncio.sleep(0.2)
        assert world.done.get("living") == []
        dying.cancel()
        await living

    _, seconds = played(one_dies)
    assert len(world.done["living"]) == 100
    assert seconds <= 1.4 + TTL + 100 / 40 + 1


def test_a_process_that_ends_leaves_the_family_when_its_window_is_over(database: Database) -> None:
    """One after another, as in a loop of pulls: each waits for the rest of a window, and is never refused."""
    world = World(database, PUBLISHED["default"])
    passed = 0.0
    for number in range(5):
        world.clock = world.server.clock = LoopClock(START + passed)
        _, seconds = played(partial(world.process, f"p{number}", "default", 40))  # a loop that ends with it
        passed += seconds
    assert world.server.refused == 0
    assert passed <= 5


def test_a_turn_that_lies_idle_is_left_to_whoever_waits_for_it(database: Database) -> None:
    """A process may have it that has other things to do: what the second one waits for is the rest of a window."""
    world = World(database, PUBLISHED["default"])

    async def both() -> None:
        idle = world.budgets("idle").of(SENTRY, "7")
        await ask_until_answered(idle, world.server, "default")
        await world.process("busy", "default", 10)

    _, seconds = played(both)
    assert seconds < PUBLISHED["default"].seconds + IDLE + 2 * POLL
    assert world.server.refused == 0


def test_a_process_alone_writes_once_in_a_quantum(database: Database) -> None:
    writes: list[str] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(("UPDATE", "INSERT")):
            writes.append(statement)

    world = World(database, PUBLISHED["default"])
    _, seconds = played(lambda: world.process("alone", "default", 4000))
    assert world.server.refused == 0
    assert seconds <= 4000 / 40 + 1
    assert len(writes) <= seconds / QUANTUM + 4


def test_a_server_without_limits_has_nothing_to_share(database: Database) -> None:
    asked: list[str] = []
    event.listen(database.engine, "begin", lambda _connection: asked.append("begin"))
    clock = LoopClock(START)
    line = Line(Leases(database), "budget/x", "me")
    budgets = Budgets(clock, turn=lambda *_: LeasedTurn(lambda: line, clock=clock, aside=at_once))

    async def some() -> None:
        for _ in range(100):
            async with budgets.of(("https", "sentry.example.com", 443), "7").slot("default"):
                pass

    run(some())
    assert asked == []


def test_a_server_whose_limits_turn_out_is_shared_from_then_on(database: Database) -> None:
    world = World(database, PUBLISHED["default"], known=False)

    async def both() -> None:
        await asyncio.gather(*(world.process(name, "default", 600) for name in ("a", "b")))

    played(both)
    assert world.good == 1200
    assert world.server.refused <= 12


# ---- a store that is of no use


def is_alone(line: Callable[[], Line | None]) -> bool:
    """Whether a process with such a store makes its requests as one that has no others to take turns with."""
    return _lone(line) == _lone(None)


def _lone(line: Callable[[], Line | None] | None) -> tuple[int, float]:
    """Good answers, and the seconds that 200 requests of a process take."""

    async def work() -> int:
        clock = LoopClock(START)
        server = Counting(PUBLISHED["default"], clock, ahead=0.0, latency=0.05)
        turn = None if line is None else LeasedTurn(line, clock=clock, aside=at_once)
        budgets = Budgets(clock, turn=None if turn is None else lambda *_: turn)
        budget = budgets.of(SENTRY, "7")
        async with asyncio.TaskGroup() as group:
            for _ in range(200):
                group.create_task(ask_until_answered(budget, server, "default"))
        budgets.close()
        return sum(server.used.values()) - server.refused

    return played(work)


def test_without_a_store_a_process_asks_alone() -> None:
    assert is_alone(lambda: None)


def test_a_store_that_is_locked_or_broken_makes_a_process_ask_alone(database: Database, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "home" / "connector.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Locked):
            Leases(database).acquire("x", "me", dt.datetime.now(dt.UTC), dt.timedelta(1))
        assert is_alone(lambda: Line(Leases(database), "budget/x", "me"))
    empty = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    try:
        assert is_alone(lambda: Line(Leases(empty), "budget/x", "me"))
    finally:
        empty.engine.dispose()


def test_a_store_that_does_not_answer_is_not_waited_for(database: Database) -> None:
    clock = LoopClock(START)
    line = Line(Leases(database), "budget/x", "me")

    async def never(work: Callable[[], Value]) -> Value:
        await asyncio.Event().wait()
        return work()

    async def work() -> float:
        turn = LeasedTurn(lambda: line, clock=clock, aside=never)
        assert await turn.take() == 0
        assert turn.left == ALONE
        opened = clock.monotonic()
        await clock.sleep(ALONE)
        assert await turn.take() == 0
        assert clock.monotonic() - ALONE - opened == PATIENCE
        return opened

    assert run(work()) == OPENING


def test_a_turn_that_never_ends_is_not_waited_for_without_end(database: Database) -> None:
    """As by the clock of another machine, an hour ahead, which has died."""
    world = World(database, PUBLISHED["default"])
    name = lease_name(SENTRY, "7", "default")
    begun = dt.datetime.fromtimestamp(START, dt.UTC)
    world.leases.acquire(name, "process 7 on another machine", begun, dt.timedelta(hours=1))
    _, seconds = played(lambda: world.process("patient", "default", 40))
    assert LONGEST_WAIT < seconds < LONGEST_WAIT + 2


# ---- the line


@pytest.fixture(params=BOTH)
def line(request: pytest.FixtureRequest, database_url: str) -> Iterator[Callable[[str], Line]]:
    url = database_url
    if request.param == "postgresql":
        url = request.getfixturevalue("migrated")
        empty(url)
    with Store(url, own_time=False) as store:
        yield lambda holder: Line(store.leases, "budget/sentry.io:443/x/default", holder)


def after(now: dt.datetime, seconds: float) -> dt.datetime:
    return now + dt.timedelta(seconds=seconds)


def test_who_waits_is_next_and_nobody_passes_him(line: Callable[[str], Line], now: dt.datetime) -> None:
    a, b, c = line("a"), line("b"), line("c")
    first = a.take(None, now)
    assert first.turn is not None
    assert first.seconds == QUANTUM
    waiting = b.take(None, now)
    assert waiting.place is not None
    assert waiting.turn is None
    assert c.take(None, now) == Standing(seconds=POLL)
    a.give(first.turn, 0.0, now)
    assert a.take(None, now) == Standing(seconds=POLL)
    assert c.take(None, now) == Standing(seconds=POLL)
    assert b.take(waiting.place, now).turn is not None
    assert c.take(None, now).place is not None


def test_a_turn_that_is_wanted_is_kept_to_the_end_of_the_window_only(
    line: Callable[[str], Line], now: dt.datetime
) -> None:
    a, b = line("a"), line("b")
    turn = a.take(None, now).turn
    assert turn is not None
    assert a.keep(turn, 0.0, now).seconds == QUANTUM, "nobody wants it"
    b.take(None, now)
    assert a.keep(turn, 0.7, now).seconds == 0.7
    assert a.keep(turn, 60.0, now).seconds == QUANTUM
    assert a.keep(turn, 0.0, now).seconds == 0


def test_a_turn_is_given_from_the_end_of_the_window_on(line: Callable[[str], Line], now: dt.datetime) -> None:
    a, b = line("a"), line("b")
    turn = a.take(None, now).turn
    assert turn is not None
    place = b.take(None, now).place
    assert a.rest(turn, 0.05, now) == Standing()
    early = b.take(place, after(now, 0.02))
    assert early.turn is None
    assert early.seconds == pytest.approx(0.03), "looked at again just when it is free"
    assert b.take(early.place, after(now, 0.05)).turn is not None


def test_a_long_pause_of_who_is_alone_is_covered_by_the_lease(line: Callable[[str], Line], now: dt.datetime) -> None:
    """Else another process would begin within a window that is used up."""
    a, b = line("a"), line("b")
    turn = a.take(None, now).turn
    assert turn is not None
    assert a.rest(turn, 50.0, now).turn is not None
    assert b.take(None, after(now, 49.0)).turn is None


def test_a_turn_that_lapsed_and_was_taken_over_is_lost(line: Callable[[str], Line], now: dt.datetime) -> None:
    a, b = line("a"), line("b")
    turn = a.take(None, now).turn
    assert turn is not None
    later = after(now, TTL)
    theirs = b.take(None, later).turn
    assert theirs is not None
    assert a.keep(turn, 1.0, later) == Standing()
    assert a.rest(turn, 9.0, later) == Standing()
    a.give(turn, 0.0, later)
    assert b.keep(theirs, 1.0, later).turn is not None


def test_the_store_holds_neither_token_nor_identity() -> None:
    name = lease_name(SENTRY, "a-token-or-its-hash", "default")
    assert name.startswith("budget/sentry.io:443/")
    assert name.endswith("/default")
    assert "token" not in name
    assert name != lease_name(SENTRY, "another", "default")
