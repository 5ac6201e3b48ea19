"""How fast Sentry may be asked: one budget per host and identity, with a lane for each family of endpoints.

A lane bounds how many requests run at once and how many start within one of Sentry's fixed windows. It starts from the
published limits (`PUBLISHED`) where the server enforces limits at all, and every answer's `X-Sentry-Rate-Limit-*`
headers correct it. Self-hosted servers have no limits and send no headers; they get `SELF_HOSTED_CONCURRENCY` requests
at once.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from sentry_connector.errors import RateLimited
from sentry_connector.sentry.wire import http_date, retry_after

Observer = Callable[[str, float], None]
"""Told of every wait before it begins: the reason (`rate limit`, `retry`) and its length in seconds."""


class Clock(Protocol):
    """Time, as an argument."""

    def time(self) -> float:
        """Unix time in seconds."""

    def monotonic(self) -> float:
        """Seconds that never go back, from an arbitrary start."""

    async def sleep(self, seconds: float) -> None:
        """Come back after so many seconds."""


class SystemClock:
    """The machine's clock."""

    def time(self) -> float:
        """Unix time in seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let other tasks run for so many seconds."""
        await asyncio.sleep(seconds)


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
"""Limits of sentry.io for one user, from Sentry's source as of 2026; Sentry publishes them nowhere else."""
SELF_HOSTED_CONCURRENCY = 8
DATE_LAG = 5.0
"""Seconds by which an answer's Date may lie behind: it is a whole second, and the body comes after it."""
DATE_LIFE = 60.0
"""Seconds after which what earlier Dates told is measured anew: a run lasts longer than clocks stay right."""
_PREFIX = "x-sentry-rate-limit-"


def has_limits(host: str) -> bool:
    """Whether a host enforces Sentry's rate limits from the start: sentry.io and its regions."""
    return host == "sentry.io" or host.endswith(".sentry.io")


class ServerClock:
    """The server's clock, learnt from Date headers and told on the local monotonic scale.

    A Date header is a whole second and was written before it arrived, so each one gives a lower bound of how far the
    server's clock is ahead; the highest bound of the last `DATE_LIFE` is the best, and errs only towards waiting too long.
    Where it is more than `DATE_LAG` above the newest, one of the two is wrong, and the newest is believed: the instants that
    an answer tells are by that answer's own Date.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead: float | None = None
        self._learnt = 0.0  # when, on the monotonic scale

    def observe(self, date: str | None) -> None:
        """Learn from a Date header that has just arrived."""
        if (instant := http_date(date)) is None:
            return
        now = self._clock.monotonic()
        ahead = instant - now
        if self._ahead is None or not ahead < self._ahead <= ahead + DATE_LAG or now - self._learnt > DATE_LIFE:
            self._ahead, self._learnt = ahead, now

    def now(self) -> float:
        """Unix time by the server's clock, by the local one where the server never told."""
        return self._clock.time() if self._ahead is None else self._clock.monotonic() + self._ahead

    def skew(self) -> float | None:
        """Seconds by which the server's clock is ahead of the local one, None where the server never told."""
        return None if self._ahead is None else self.now() - self._clock.time()


class Lane:
    """The budget of one family: who comes first goes first, and nobody starts before the window allows.

    Attributes:
        limit: what is known of the server's limit, None where it enforces none.
        concurrency: how many requests may run at once now.
    """

    def __init__(self, limit: Limit | None, clock: Clock) -> None:
        self.limit = limit
        self.concurrency = limit.concurrency if limit else SELF_HOSTED_CONCURRENCY
        self._clock = clock
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()
        self._running = 0
        self._remaining: int | None = None  # starts left in the window, None before the first window
        self._reset = 0.0  # when the window ends, on the monotonic scale
        self._told_reset = 0.0  # the server's name for that window: the unix time of its end
        self._guessed = False  # the window was opened here and no answer has named it yet

    async def enter(self, wait: Callable[[float], Awaitable[None]]) -> None:
        """Come back when a request may start, and count it; `wait` sleeps, or raises where that is too long."""
        async with self._turn:
            while self._running >= self.concurrency or self.pause() > 0:
                if self._running >= self.concurrency:
                    self._freed.clear()
                    await self._freed.wait()
                else:
                    await wait(self.pause())
            self._open_window()
            self._running += 1
            if self._remaining is not None:
                self._remaining -= 1

    def leave(self) -> None:
        """A request has ended."""
        self._running -= 1
        self._freed.set()

    def pause(self) -> float:
        """Seconds until the window lets the next request start; 0 = now."""
        if self._remaining is None or self._remaining > 0:
            return 0.0
        return max(0.0, self._reset - self._clock.monotonic())

    def close(self, seconds: float) -> None:
        """Let no request start for so many seconds."""
        self._remaining = 0
        self._reset = max(self._reset, self._clock.monotonic() + seconds)

    def narrow(self) -> None:
        """Run fewer requests at once: the server said that there are too many."""
        self.concurrency = max(1, self.concurrency // 2)

    def learn(self, limits: RateLimitHeaders, now: float) -> None:
        """Correct the lane by what an answer tells; `now` is the server's unix time."""
        known = self.limit or PUBLISHED["default"]
        most = limits.concurrency or known.concurrency
        self.limit = Limit(limits.requests or known.requests, known.seconds, most)
        self.concurrency = min(self.concurrency, most)
        if limits.remaining is not None and limits.reset is not None:
            self._learn_window(limits.remaining, limits.reset, self._clock.monotonic() + limits.reset - now)

    def _open_window(self) -> None:
        """Where the window is over, or none was begun, begin one by what is known."""
        now = self._clock.monotonic()
        if self._remaining is not None and now < self._reset:
            return
        self._remaining = self.limit.requests if self.limit else None
        self._reset = now + self.limit.seconds if self.limit else 0.0
        self._guessed = True

    def _learn_window(self, remaining: int, told_reset: float, reset: float) -> None:
        if told_reset < self._told_reset:
            return  # an answer that a later window's overtook
        if told_reset == self._told_reset:
            reset = max(reset, self._reset)
        elif not self._guessed:  # the server is in a new window before we are: others in flight may count in it
            remaining = max(0, remaining - self._running + 1)
            self._remaining = None
        if told_reset > self._told_reset and self.limit:
            self.concurrency = min(self.limit.concurrency, self.concurrency + 1)  # after `narrow`, back in small steps
        self._remaining = remaining if self._remaining is None else min(self._remaining, remaining)
        self._reset, self._told_reset, self._guessed = reset, told_reset, False


@dataclass(frozen=True, slots=True)
class RateLimitHeaders:
    """What an answer's `X-Sentry-Rate-Limit-*` headers tell; None for each that is missing.

    Attributes:
        requests: starts allowed in a window. remaining: those left. reset: unix time of the window's end.
        concurrency: requests allowed at once. concurrency_remaining: those left.
    """

    requests: int | None
    remaining: int | None
    reset: int | None
    concurrency: int | None
    concurrency_remaining: int | None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> RateLimitHeaders | None:
        """Read the headers (names in lower case); None where there are none, as from a server without limits."""
        names = ("limit", "remaining", "reset", "concurrentlimit", "concurrentremaining")
        values = [_count(headers.get(_PREFIX + name)) for name in names]
        return None if all(value is None for value in values) else cls(*values)

    @property
    def too_many_at_once(self) -> bool:
        """Whether a 429 with these headers is about concurrency and not about the rate."""
        return self.concurrency_remaining == 0 and self.remaining != 0


class Budget:
    """All lanes of one identity on one host.

    Args:
        host: whose limits they are.
        clock: time.
        max_wait: no single wait is longer, in seconds; where the server wants more, `RateLimited` is raised at once.
        observer: told of every wait.
    """

    def __init__(self, host: str, *, clock: Clock, max_wait: float = 900.0, observer: Observer | None = None) -> None:
        self.server_clock = ServerClock(clock)
        self.enforced = has_limits(host)
        self._clock = clock
        self._max_wait = max_wait
        self._observer = observer
        self._lanes: dict[str, Lane] = {}

    def lane(self, family: str) -> Lane:
        """The lane of a family; families without a published limit of their own share one."""
        family = family if family in PUBLISHED else "default"
        if family not in self._lanes:
            self._lanes[family] = Lane(PUBLISHED[family] if self.enforced else None, self._clock)
        return self._lanes[family]

    @asynccontextmanager
    async def slot(self, family: str) -> AsyncIterator[None]:
        """Hold a place in the family's lane, having waited for it.

        Raises:
            RateLimited: the wait would be longer than `max_wait`.
        """
        lane = self.lane(family)
        await lane.enter(lambda seconds: self.wait("rate limit", seconds))
        try:
            yield
        finally:
            lane.leave()

    async def wait(self, reason: str, seconds: float) -> None:
        """Sleep, having told the observer why.

        Raises:
            RateLimited: longer than `max_wait`; nothing was waited.
        """
        if seconds > self._max_wait:
            raise RateLimited(
                f"Sentry wants to be left alone for {seconds:.0f} s, and a run waits {self._max_wait:.0f} s at most.",
                retry_after=seconds,
            )
        if self._observer:
            self._observer(reason, seconds)
        await self._clock.sleep(seconds)

    def learn(self, family: str, status: int, headers: Mapping[str, str]) -> float | None:
        """Correct the family's lane by an answer.

        Args:
            family: whose request it was.
            status: HTTP status of the answer.
            headers: of the answer, names in lower case.

        Returns:
            For a 429 that says how long: the seconds for which the lane is now closed. Else None.
        """
        self.server_clock.observe(headers.get("date"))
        limits = RateLimitHeaders.of(headers)
        if limits:
            self._enforce()
            self.lane(family).learn(limits, self.server_clock.now())
        if status != 429:  # noqa: PLR2004  # HTTP's own number
            return None
        if limits and limits.too_many_at_once:
            self.lane(family).narrow()
            return None
        seconds = retry_after(headers, self.server_clock.now())
        if seconds:
            self.lane(family).close(seconds)
        return seconds or None

    def _enforce(self) -> None:
        """The server turns out to enforce limits: let all lanes know the published ones."""
        if not self.enforced:
            self.enforced = True
            for family, lane in self._lanes.items():
                lane.limit = PUBLISHED[family]
                lane.concurrency = min(lane.concurrency, lane.limit.concurrency)


def _count(text: str | None) -> int | None:
    """A header's whole number, None for anything else; some versions write seconds with a fraction."""
    match = re.fullmatch(r"(\d{1,15})(\.\d+)?", (text or "").strip(), re.ASCII)
    return int(match[1]) if match else None
