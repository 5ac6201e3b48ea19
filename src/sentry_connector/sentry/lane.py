"""The limits of Sentry's endpoint families, and the lane that keeps within one: so many requests at once, so many in a window.

A lane starts from the published limits (`PUBLISHED`) where the server enforces limits at all, and every answer's
`X-Sentry-Rate-Limit-*` headers correct it. Processes that share an identity ask one after another, by a `Turn`: who has it uses
whole windows, so that the next one begins with a window that nobody has used.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from sentry_connector.sentry.server_clock import Clock, ServerClock


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
_PREFIX = "x-sentry-rate-limit-"


def has_limits(host: str) -> bool:
    """Whether a host enforces Sentry's rate limits from the start: sentry.io and its regions."""
    return host == "sentry.io" or host.endswith(".sentry.io")


def lane_of(family: str) -> str:
    """The lane that a family of endpoints draws from."""
    return family if family in PUBLISHED else "default"


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
        if seconds == math.inf:
            await self._changed.wait()  # by itself, for a task around it would wake up two turns of the loop later
            return
        both = [asyncio.ensure_future(self._clock.sleep(seconds)), asyncio.ensure_future(self._changed.wait())]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in both:
                one.cancel()


def _corrected(known: Limit, told: RateLimitHeaders) -> Limit:
    """The limit with the numbers that the server tells.

    It does not tell how long a window is. Where its number of requests is that of another published limit, so is the window:
    some families have two limits, for people and for integrations.
    """
    if told.requests is not None and told.requests != known.requests:
        same = (limit for limit in PUBLISHED.values() if limit.requests == told.requests)
        known = next(same, replace(known, requests=told.requests))
    return known if told.concurrency is None else replace(known, concurrency=max(1, told.concurrency))


def _number(text: str | None) -> float | None:
    """A header's number, None for anything else; some versions write seconds with a fraction."""
    match = None if text is None else re.fullmatch(r"\d{1,15}(\.\d+)?", text.strip(), re.ASCII)
    return float(match[0]) if match else None
