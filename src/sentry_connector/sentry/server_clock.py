"""Time as an argument, and the server's clock as its answers tell it."""

from __future__ import annotations

import asyncio
import math
import time
from typing import Protocol


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


DRIFT = 0.001
"""Seconds by which two clocks may part in a second."""


class ServerClock:
    """The server's clock, as an interval that every answer narrows.

    A Date header names the whole second in which the answer was written, which was between the sending of the request and the
    coming of the answer. So it bounds from both sides how far the server's clock is ahead of the local monotonic one. The
    bounds part again with time (`DRIFT`). Where they contradict one another, somebody has set a clock: the newest is believed.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._least, self._most = -math.inf, math.inf  # seconds that the server is ahead of the monotonic clock
        self._learnt = 0.0  # when, on the monotonic scale

    def observe(self, date: float | None, sent: float | None = None, window: tuple[float, float] | None = None) -> None:
        """Learn from an answer that has just arrived.

        Args:
            date: unix time in its Date header.
            sent: when the request was sent, on the monotonic scale; None: just now.
            window: of a rate limit, in which the answer was written: unix times of its start and its end.
        """
        if date is None:
            return
        now = self._clock.monotonic()
        sent = now if sent is None else sent
        least, most = date - now, date + 1 - sent
        if window is not None:
            within = max(least, window[0] - now), min(most, window[1] - sent)
            least, most = within if within[0] < within[1] else (least, most)
        aged = DRIFT * (now - self._learnt)
        both = max(least, self._least - aged), min(most, self._most + aged)
        self._least, self._most = both if both[0] < both[1] else (least, most)
        self._learnt = now

    def began(self, instant: float) -> None:
        """An answer that has just arrived was written at that instant of the server's clock or after it."""
        least = instant - self._clock.monotonic()
        if self._least < least < self._most:
            self._least = least

    @property
    def is_known(self) -> bool:
        """Whether the server ever told its time."""
        return self._least > -math.inf

    @property
    def doubt(self) -> float:
        """Seconds between the earliest and the latest time that the server's clock may show; 0 where it never told."""
        return self._most - self._least if self.is_known else 0.0

    def earliest(self) -> float:
        """Unix time that the server's clock shows at least; the local one's where the server never told."""
        return self._clock.monotonic() + self._least if self.is_known else self._clock.time()

    def at(self, monotonic: float) -> float | None:
        """Unix time that the server's clock showed at least at an instant of the monotonic scale; None where it never told."""
        return monotonic + self._least if self.is_known else None

    def skew(self) -> float | None:
        """Seconds by which the server's clock is ahead of the local one, None where the server never told.

        Where the two may agree within what is known, they do.
        """
        if not self.is_known:
            return None
        local = self._clock.time() - self._clock.monotonic()
        return 0.0 if self._least <= local <= self._most else self._least - local
