"""An event loop whose time passes only while nobody has anything to do: an hour of waiting takes no time, and always the same."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Value = TypeVar("Value")


class _NoWaiting(selectors.SelectSelector):
    """Instead of waiting for input, lets the loop's time pass."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("Everybody waits for something that will never happen.")
        self.loop.passed += max(timeout, 0.0)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs coroutines that do no real input or output. `passed` is its time in seconds."""

    def __init__(self) -> None:
        selector = _NoWaiting()
        selector.loop = self
        self.passed = 0.0
        super().__init__(selector)

    def time(self) -> float:
        return self.passed


class LoopClock:
    """The time of the running loop; `start` is the unix time at its beginning."""

    def __init__(self, start: float) -> None:
        self.start = start

    def time(self) -> float:
        return self.start + self.monotonic()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run(work: Coroutine[Any, Any, Value]) -> Value:
    """Run the coroutine to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
