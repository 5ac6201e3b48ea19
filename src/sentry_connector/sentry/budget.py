"""How fast Sentry may be asked: one budget per host and identity, with a lane for each family of endpoints (`lane.py`).

Self-hosted servers have no limits and send no headers; they get as many requests at once as the settings say. `Budgets` keeps
the budgets of a process, so that all its slices and runs share them.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from sentry_connector.errors import RateLimited
from sentry_connector.sentry.address import Origin
from sentry_connector.sentry.lane import (
    PUBLISHED,
    SELF_HOSTED_CONCURRENCY,
    Lane,
    Limit,
    RateLimitHeaders,
    Turn,
    has_limits,
    lane_of,
)
from sentry_connector.sentry.server_clock import Clock, ServerClock
from sentry_connector.sentry.wire import http_date, retry_after

Observer = Callable[[str, float], None]
"""Told of every wait before it begins: the reason (`rate limit`, `retry` …) and its length in seconds."""

FAILURES = 5
"""Failures of a host in a row after which one request at a time tries whether it is well again."""


def _window(reset: float | None, limit: Limit | None) -> tuple[float, float] | None:
    """The window, by the server's clock, in which an answer was written that tells its end."""
    return None if reset is None or limit is None else (reset - limit.seconds, reset)


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
