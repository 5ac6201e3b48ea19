"""How fast Sentry may be asked: one budget per host and identity, with a lane for each family of endpoints.

A lane bounds how many requests run at once and how many start within one of Sentry's fixed windows. It starts from the
published limits (`PUBLISHED`) where the server enforces limits at all, and every answer's `X-Sentry-Rate-Limit-*` headers
correct it. Self-hosted servers have no limits and send no headers; they get as many requests at once as the settings say.
`Budgets` keeps the budgets of a process, so that all its slices and runs share them. Processes that share an identity ask one
after another, by a `Turn`: who has it uses whole windows, so that the next one begins with a window that nobody has used.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from sentry_connector.errors import RateLimited
from sentry_connector.sentry.address import Origin
from sentry_connector.sentry.server_clock import Clock, ServerClock
from sentry_connector.sentry.wire import http_date, retry_after

Observer = Callable[[str, float], None]
"""Told of every wait before it begins: the reason (`rate limit`, `retry` …) and its length in seconds."""


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests may start within a window of so many seconds, and so many may run at once."""

    requests: int
    seconds: float
    concurrency: int


PUBLISHED: Mapping[str, Limit] = {
    "default": Limit(40, 1, 25),  # one bucket for all endpoints without a limit of their own
    "project-events": Limit(60, 60, 1),
    "project-users": Limit(5, 60, 1),
    "project-stats": Limit(5, 1, 5),
    "project-issues": Limit(5, 1, 5),
    "org-issues": Limit(10, 1, 10),
    "issue-detail": Limit(5, 1, 5),
    "event-detail": Limit(15, 1, 15),
}
"""Limits of sentry.io, those of the identity that gets least, from Sentry's source as of 2026; it publishes them nowhere else."""
SELF_HOSTED_CONCURRENCY = 8
MOST_DOUBT = 0.25
"""Part of a window by which the server's clock may be uncertain without starts being spaced."""
MOST_LATE = 4
"""Starts that a timer which rings late may hold up without one being lost."""
MOST_DRAIN = 2.0
"""Seconds for which a turn waits for requests that are under way, before it is handed on without them."""
IDLE = 0.25
"""Seconds between two looks whether a turn lies idle."""
FAILURES = 5
"""Failures of a host in a row after which one request at a time tries whether it is well again."""
_PREFIX = "x-sentry-rate-limit-"


def has_limits(host: str) -> bool:
    """Whether a host enforces Sentry's rate limits from the start: sentry.io and its regions."""
    return host == "sentry.io" or host.endswith(".sentry.io")


@dataclass(frozen=True, slots=True)
class RateLimitHeaders:
    """What an answer's `X-Sentry-Rate-Limit-*` headers tell; None for each that is missing.

    Attributes:
        requests: starts allowed in a window. remaining: those left. reset: unix time of the window's end.
        concurrency: requests allowed at once. concurrency_remaining: those left.
    """

    requests: int | None
    remaining: int | None
    reset: float | None
    concurrency: int | None
    concurrency_remaining: int | None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> RateLimitHeaders | None:
        """Read the headers (names in lower case); None where there are none, as from a server without limits."""
        told = {
            name: _number(headers.get(_PREFIX + name))
            for name in ("limit", "remaining", "reset", "concurrentlimit", "concurrentremaining")
        }
        if all(value is None for value in told.values()):
            return None
        whole = {name: None if value is None else int(value) for name, value in told.items()}
        return cls(
            whole["limit"], whole["remaining"], told["reset"], whole["concurrentlimit"], whole["concurrentremaining"]
        )

    @property
    def too_many_at_once(self) -> bool:
        """Whether a 429 with these headers is about concurrency and not about the rate."""
        return self.concurrency_remaining == 0 and self.remaining != 0


class Turn(Protocol):
    """The right to ask one family, which processes that share an identity hand to one another.

    Nothing here raises: a process that cannot come to terms with the others asks on its own.
    """

    @property
    def is_held(self) -> bool:
        """Whether others have to wait for this process."""

    @property
    def left(self) -> float:
        """Seconds for which requests may start without a look at the others; 0 = the turn is over, or somebody else's."""

    async def keep(self, most: float) -> bool:
        """Have it for longer; where somebody waits for it, `most` seconds longer only. Says whether it is kept."""

    async def rest(self, seconds: float) -> None:
        """Nothing will be asked for so many seconds: whoever waits for the turn has it after them."""

    async def give(self, after: float) -> None:
        """Leave it to others, who may begin in so many seconds."""

    async def take(self) -> float:
        """Try to have it: 0 where this process has it now, else the seconds after which to try again."""

    def close(self, after: float) -> None:
        """As `give`, at the end of the process, when nothing can be awaited any more."""


class Lane:
    """The budget of one family: who comes first goes first, and nobody starts before the window allows.

    What the server has left is known from its answers alone: the least `remaining` that one of them told of the window, less
    all requests that are under way, since the server may count each of these after it. So the count errs only towards waiting,
    and corrects itself with every answer.

    A window that is used up is waited out, by what the server's clock shows at least. Where that is so uncertain that much of
    each window would go by unused, requests start evenly spaced from then on, for as long as there is enough to do: so each
    window is used whole, wherever it begins.

    Attributes:
        limit: what is known of the server's limit, None where it enforces none; then there is nothing to share.
    """

    def __init__(
        self,
        limit: Limit | None,
        clock: Clock,
        server_clock: ServerClock,
        *,
        unlimited: int = SELF_HOSTED_CONCURRENCY,
        turn: Turn | None = None,
    ) -> None:
        self.limit = limit
        self._turn = turn
        self._unlimited = unlimited
        self._clock = clock
        self._server = server_clock
        self._watch: asyncio.Task[None] | None = None  # over a turn that may lie idle
        self._queue = asyncio.Lock()
        self._changed = asyncio.Event()
        self._running = 0
        self._remaining: int | None = None  # starts that the window has left; None before the first window
        self._reset = 0.0  # when the window ends, by the server's clock
        self._told_reset: float | None = None  # the last end of a window that the server named
        self._closed_until = 0.0  # on the monotonic scale
        self._narrowed: int | None = None  # requests at once after the server said that there were too many
        self._held_back = 0  # starts of each window that are not used, after 429s that nothing had foretold
        self._next_start: float | None = None  # on the monotonic scale; None where starts are not spaced

    @property
    def concurrency(self) -> int:
        """How many requests may run at once now."""
        most = self.limit.concurrency if self.limit else self._unlimited
        return most if self._narrowed is None else min(most, self._narrowed)

    async def enter(self, wait: Callable[[float], None]) -> None:
        """Come back when a request may start, and count it.

        Args:
            wait: told of each pause before it begins, in seconds; raises where that is too long.
        """
        async with self._queue:
            self._end_spacing()
            await self._have_turn(wait)
            while (seconds := self.pause()) > 0:
                if self._is_used_up():
                    wait(seconds)
                    self._begin_spacing(seconds)
                    await self._rest(seconds)
                await self._change_or(seconds)
                await self._have_turn(wait)
            self._running += 1
            self._space()

    def leave(self, *, counted: bool = False) -> None:
        """A request has ended; `counted`: its answer told what the window has left."""
        self._running -= 1
        if not counted and self._remaining is not None:
            self._remaining -= 1
        self._changed.set()

    def pause(self) -> float:
        """Seconds until the next request may start, for all that is known; 0 = now, infinite = when another one has ended."""
        closed = max(0.0, self._closed_until - self._clock.monotonic())
        if self._running >= self.concurrency:
            return math.inf
        self._roll_window()
        if self._left() <= 0:
            return max(closed, self._reset - self._server.earliest())
        return max(closed, (self._next_start or 0.0) - self._clock.monotonic())

    def close(self, seconds: float) -> None:
        """Let no request start for so many seconds."""
        self._closed_until = max(self._closed_until, self._clock.monotonic() + seconds)

    def narrow(self) -> None:
        """Run fewer requests at once: the server said that there are too many."""
        self._narrowed = max(1, self.concurrency // 2)

    def hold_back(self) -> None:
        """Use less of each window: the server refused what should have been left, so somebody else uses it too."""
        if self.limit:
            self._held_back = min(self.limit.requests // 2, 2 * self._held_back + 1)

    def learn(self, limits: RateLimitHeaders) -> None:
        """Correct the lane by what an answer tells."""
        self.limit = _corrected(self.limit or PUBLISHED["default"], limits)
        if limits.remaining is not None and limits.reset is not None:
            self._learn_window(self.limit, limits.remaining, limits.reset)

    def close_turn(self) -> None:
        """Leave the family to other processes, as soon as the window that was begun is over."""
        if self._turn is not None:
            self._turn.close(self._rest_of_window())

    async def _have_turn(self, wait: Callable[[float], None]) -> None:
        """Come back when it is this process that asks; nothing is done for it while its turn lasts.

        A window that was begun is used to its end before the turn is handed on.
        """
        turn = self._turn
        if turn is None or self.limit is None or turn.left > 0:
            return
        if await turn.keep(self._rest_of_window() if self._left() > 0 else 0.0):
            return
        await self._drain()
        await turn.give(self._rest_of_window())
        while (seconds := await turn.take()) > 0:
            wait(seconds)
            await self._clock.sleep(seconds)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._leave_when_idle(turn))

    async def _leave_when_idle(self, turn: Turn) -> None:
        """Leave a turn that is held, while nothing is asked, to whoever waits for it."""
        while turn.is_held:
            await self._clock.sleep(IDLE)
            if not self._running and not self._queue.locked():
                async with self._queue:
                    await turn.rest(self._rest_of_window())

    async def _rest(self, seconds: float) -> None:
        """Let others begin after a wait that this process's turn does not outlast."""
        if self._turn is not None and self.limit is not None and self._turn.left < seconds:
            await self._turn.rest(seconds)

    async def _drain(self) -> None:
        """Come back when no request is under way, since the server counts those too that run at once."""
        end = self._clock.monotonic() + MOST_DRAIN
        while self._running and (seconds := end - self._clock.monotonic()) > 0:
            await self._change_or(seconds)

    def _rest_of_window(self) -> float:
        """Seconds to the end of the window that was begun; 0 where there is none."""
        return 0.0 if self._remaining is None else max(0.0, self._reset - self._server.earliest())

    def _is_used_up(self) -> bool:
        """Whether it is the server that has to be waited for, and not only an answer that is under way or the next start."""
        return not self._running and (self._left() <= 0 or self._closed_until > self._clock.monotonic())

    def _left(self) -> float:
        return math.inf if self._remaining is None else self._remaining - self._running - self._held_back

    def _roll_window(self) -> None:
        """Where the window is over, or none was begun, begin one by what is known."""
        if self.limit is None:
            return
        now = self._server.earliest()
        if self._remaining is None:
            self._remaining, self._reset = self.limit.requests, now + self.limit.seconds
        elif now >= self._reset:
            over = math.floor((now - self._reset) / self.limit.seconds) + 1
            self._begin(self.limit.requests, self._reset + over * self.limit.seconds)

    def _learn_window(self, limit: Limit, remaining: int, told_reset: float) -> None:
        before = self._told_reset
        if before is not None and told_reset < before:
            return  # of a window that is over
        if before is None or told_reset > before:
            if before is not None:
                # Windows follow one another, so none is longer than what lies between the ends of two of them.
                self.limit = replace(limit, seconds=min(limit.seconds, told_reset - before))
                self._server.began(before)
            if told_reset != self._reset:
                self._begin(remaining, told_reset)
            self._told_reset = told_reset
        if told_reset == self._reset:  # not so where a new window was begun here meanwhile
            self._remaining = remaining if self._remaining is None else min(self._remaining, remaining)

    def _begin(self, remaining: int, reset: float) -> None:
        """Begin a window; what earlier ones brought upon the lane is taken back in small steps."""
        self._remaining, self._reset = remaining, reset
        self._held_back = max(0, self._held_back - 1)
        if self._narrowed is not None and self.limit:
            self._narrowed = None if self._narrowed + 1 >= self.limit.concurrency else self._narrowed + 1

    def _begin_spacing(self, seconds: float) -> None:
        if self.limit is not None and self._server.doubt > MOST_DOUBT * self.limit.seconds:
            self._next_start = self._clock.monotonic() + seconds

    def _space(self) -> None:
        """Where starts are spaced: the next one is due one step after this one was due; what was late is made up for."""
        if self._next_start is None or self.limit is None:
            return
        step = self.limit.seconds / self.limit.requests
        self._next_start = max(self._next_start, self._clock.monotonic() - MOST_LATE * step) + step

    def _end_spacing(self) -> None:
        """Where nobody wanted to start for a whole window, there is room for many at once again."""
        if self._next_start is not None and self.limit is not None:
            idle = self._clock.monotonic() - self._next_start
            self._next_start = None if idle > self.limit.seconds else self._next_start

    async def _change_or(self, seconds: float) -> None:
        """Come back when a request has ended, at the latest after so many seconds."""
        self._changed.clear()
        change = asyncio.ensure_future(self._changed.wait())
        both: list[asyncio.Future[Any]] = [change]
        if seconds < math.inf:
            both.insert(0, asyncio.ensure_future(self._clock.sleep(seconds)))
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in both:
                one.cancel()


def _window(reset: float | None, limit: Limit | None) -> tuple[float, float] | None:
    """The window, by the server's clock, in which an answer was written that tells its end."""
    return None if reset is None or limit is None else (reset - limit.seconds, reset)


def _corrected(known: Limit, told: RateLimitHeaders) -> Limit:
    """The limit with the numbers that the server tells.

    It does not tell how long a window is. Where its number of requests is that of another published limit, so is the window:
    some families have two limits, for people and for integrations.
    """
    if told.requests is not None and told.requests != known.requests:
        same = (limit for limit in PUBLISHED.values() if limit.requests == told.requests)
        known = next(same, replace(known, requests=told.requests))
    return known if told.concurrency is None else replace(known, concurrency=max(1, told.concurrency))


class Breaker:
    """Keeps a host that fails from being asked by all at once: after `FAILURES` in a row one request at a time tries it."""

    def __init__(self) -> None:
        self._failures = 0
        self._trying = False
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def passed(self) -> AsyncIterator[None]:
        """Hold a place among those who may ask the host."""
        while self._failures >= FAILURES and self._trying:
            self._changed.clear()
            await self._changed.wait()
        tries = self._failures >= FAILURES
        self._trying = self._trying or tries
        try:
            yield
        finally:
            if tries:
                self._trying = False
            self._changed.set()

    def failed(self) -> None:
        """The host did not answer, or with an error of its own."""
        self._failures += 1

    def answered(self) -> None:
        """The host is well."""
        self._failures = 0
        self._changed.set()


@dataclass(slots=True)
class Place:
    """A request's place in its lane."""

    budget: Budget
    family: str
    sent: float  # on the monotonic scale
    counted: bool = False

    def learn(self, status: int, headers: Mapping[str, str]) -> float | None:
        """As `Budget.learn`, of the request that holds the place."""
        self.counted = RateLimitHeaders.of(headers) is not None
        return self.budget.learn(self.family, status, headers, sent=self.sent)


class Budget:
    """All lanes of one identity on one host.

    Args:
        host: whose limits they are.
        clock: time.
        concurrency: requests at once where the host enforces no limits.
        turn: makes a family's turn among processes; None where there are none to share with.
    """

    def __init__(
        self,
        host: str,
        *,
        clock: Clock,
        concurrency: int = SELF_HOSTED_CONCURRENCY,
        turn: Callable[[str], Turn] | None = None,
    ) -> None:
        self.server_clock = ServerClock(clock)
        self.enforced = has_limits(host)
        self.breaker = Breaker()
        self._clock = clock
        self._concurrency = concurrency
        self._turn = turn
        self._lanes: dict[str, Lane] = {}

    def lane(self, family: str) -> Lane:
        """The lane of a family; families without a published limit of their own share one."""
        family = lane_of(family)
        if family not in self._lanes:
            limit = PUBLISHED[family] if self.enforced else None
            turn = self._turn(family) if self._turn is not None else None
            self._lanes[family] = Lane(limit, self._clock, self.server_clock, unlimited=self._concurrency, turn=turn)
        return self._lanes[family]

    def limit(self, family: str) -> Limit | None:
        """What is known of a family's limit; None where the host enforces none."""
        return self.lane(family).limit

    def concurrency(self, family: str) -> int:
        """How many requests of a family may run at once now."""
        return self.lane(family).concurrency

    @asynccontextmanager
    async def slot(
        self, family: str, *, max_wait: float = math.inf, observer: Observer | None = None
    ) -> AsyncIterator[Place]:
        """Hold a place in the family's lane, having waited for it.

        Args:
            family: whose lane.
            max_wait: no single wait is longer, in seconds.
            observer: told of every wait.

        Raises:
            RateLimited: a wait would be longer than `max_wait`.
        """

        def wait(seconds: float) -> None:
            check_patience(seconds, max_wait)
            if observer is not None:
                observer("rate limit", seconds)

        async with self.breaker.passed():
            lane = self.lane(family)
            await lane.enter(wait)
            place = Place(self, family, self._clock.monotonic())
            try:
                yield place
            finally:
                lane.leave(counted=place.counted)

    def learn(self, family: str, status: int, headers: Mapping[str, str], *, sent: float | None = None) -> float | None:
        """Correct the family's lane by an answer.

        Args:
            family: whose request it was.
            status: HTTP status of the answer.
            headers: of the answer, names in lower case.
            sent: when the request was sent, on the monotonic scale; None: just now.

        Returns:
            For a 429 that says how long: the seconds for which the lane is now closed. Else None.
        """
        limits = RateLimitHeaders.of(headers)
        lane = self.lane(family)
        if limits:
            self._enforce()
        self.server_clock.observe(
            http_date(headers.get("date")), sent, _window(limits.reset, lane.limit) if limits else None
        )
        if limits:
            lane.learn(limits)
        if status != 429:  # noqa: PLR2004  # HTTP's own number
            return None
        if limits and limits.too_many_at_once:
            lane.narrow()
            return None
        lane.hold_back()
        seconds = retry_after(headers, self.server_clock.earliest())
        told_window = limits is not None and limits.remaining is not None and limits.reset is not None
        if seconds and ("retry-after" in headers or not told_window):
            lane.close(seconds)
        return seconds or None

    def close(self) -> None:
        """Leave all families to other processes."""
        for lane in self._lanes.values():
            lane.close_turn()

    def _enforce(self) -> None:
        """The server turns out to enforce limits: let all lanes know the published ones."""
        if not self.enforced:
            self.enforced = True
            for family, lane in self._lanes.items():
                lane.limit = PUBLISHED[family]


class Budgets:
    """The budgets of a process: whoever asks a host as the same identity shares one, whichever client it uses.

    The limits are the identity's: more tokens of one person are not more room.

    Args:
        clock: time.
        concurrency: requests at once where a host enforces no limits.
        turn: makes the turn among processes of a host's identity and family; None where each process stands alone.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        concurrency: int = SELF_HOSTED_CONCURRENCY,
        turn: Callable[[Origin, str, str], Turn] | None = None,
    ) -> None:
        self._clock = clock
        self._concurrency = concurrency
        self._turn = turn
        self._budgets: dict[tuple[Origin, str], Budget] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def of(self, place: Origin, identity: str) -> Budget:
        """The budget of an identity on a host; to be asked for within the event loop that uses it."""
        self._forget_what_another_loop_waits_for()
        if (place, identity) not in self._budgets:
            turn = None if self._turn is None else partial(self._turn, place, identity)
            self._budgets[place, identity] = Budget(
                place[1], clock=self._clock, concurrency=self._concurrency, turn=turn
            )
        return self._budgets[place, identity]

    def close(self) -> None:
        """Leave all that is shared to other processes."""
        for budget in self._budgets.values():
            budget.close()
        self._budgets.clear()

    def _forget_what_another_loop_waits_for(self) -> None:
        loop = None
        with contextlib.suppress(RuntimeError):
            loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self.close()
            self._loop = loop


def check_patience(seconds: float, max_wait: float) -> None:
    """Refuse a wait that is longer than a run's patience.

    Raises:
        RateLimited: longer than `max_wait`; nothing was waited.
    """
    if seconds > max_wait:
        raise RateLimited(
            f"Sentry wants to be left alone for {seconds:.0f} s, and a run waits {max_wait:.0f} s at most.",
            retry_after=seconds,
        )


def lane_of(family: str) -> str:
    """The lane that a family of endpoints draws from."""
    return family if family in PUBLISHED else "default"


def _number(text: str | None) -> float | None:
    """A header's number, None for anything else; some versions write seconds with a fraction."""
    match = re.fullmatch(r"\d{1,15}(\.\d+)?", (text or "").strip(), re.ASCII)
    return float(match[0]) if match else None
