"""A server that counts requests as Sentry does, in virtual time."""

from __future__ import annotations

import math

from tests.sentry.support import http_date
from tests.virtual_time import LoopClock

from sentry_connector.sentry.budget import Budget
from sentry_connector.sentry.lane import Limit


def limit_headers(limit: int, remaining: int, reset: float, **more: object) -> dict[str, str]:
    headers = {"limit": limit, "remaining": remaining, "reset": f"{reset:.15g}"} | more
    return {f"x-sentry-rate-limit-{name}": str(value) for name, value in headers.items()}


class Counting:
    """A server with a fixed window and a limit of requests at once, whose clock is `ahead`; `refused` counts its 429s."""

    def __init__(self, limit: Limit, clock: LoopClock, *, ahead: float, latency: float) -> None:
        self.limit = limit
        self.clock = clock
        self.ahead = ahead
        self.latency = latency
        self.used: dict[int, int] = {}
        self.running = self.refused = 0

    async def answer(self) -> tuple[int, dict[str, str]]:
        await self.clock.sleep(self.latency / 4)
        window = math.floor(self.now / self.limit.seconds)
        self.used[window] = self.used.get(window, 0) + 1
        good = self.used[window] <= self.limit.requests and self.running < self.limit.concurrency
        remaining = max(0, self.limit.requests - self.used[window])
        self.refused += not good
        told = limit_headers(
            self.limit.requests,
            remaining,
            round((window + 1) * self.limit.seconds, 3),
            concurrentlimit=self.limit.concurrency,
            concurrentremaining=max(0, self.limit.concurrency - self.running - 1),
        )
        self.running += 1
        try:
            await self.clock.sleep(self.latency / 2)
        finally:
            self.running -= 1
        headers = {"date": http_date(float(math.floor(self.now))), **told}
        await self.clock.sleep(self.latency / 4)
        return (200 if good else 429), headers

    @property
    def now(self) -> float:
        return self.clock.time() + self.ahead


async def ask_until_answered(budget: Budget, server: Counting, family: str) -> None:
    while True:
        async with budget.slot(family) as place:
            status, headers = await server.answer()
            place.learn(status, headers)
        if status == 200:
            return
