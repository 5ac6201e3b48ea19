"""Asynchronous work for callers who have no event loop, or are in the middle of one, as in a notebook."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, wait
from typing import Any, Self, TypeVar

Value = TypeVar("Value")


class Loop:
    """An event loop in a thread of its own, begun with the first work. All work of one connector shares what is bound to it."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def run(self, work: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
        """Do the work and answer what it does; where the caller is interrupted, it is cancelled and comes to its rest first."""
        loop, done, tasks = self._started(), Future[Value](), list[asyncio.Task[Value]]()

        def begin() -> None:
            task = loop.create_task(work())
            tasks.append(task)  # the loop itself holds tasks weakly
            task.add_done_callback(lambda ended: _hand_over(ended, done))

        def leave() -> None:
            for task in tasks:
                task.cancel()
            if not tasks:  # it was never begun, and is not any more: the loop keeps the order
                done.set_exception(asyncio.CancelledError())

        try:
            loop.call_soon_threadsafe(begin)  # the work may be under way before this returns
            return done.result()
        except BaseException:
            if not done.done():  # it is the caller who was interrupted
                loop.call_soon_threadsafe(leave)
                wait([done])
            raise

    def close(self) -> None:
        """End the loop and its thread."""
        with self._starting:
            if self._loop is not None and self._thread is not None:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join()
            self._loop = self._thread = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=_serve, args=(self._loop,), name="sentry-connector", daemon=True)
                self._thread.start()
            return self._loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()


def _hand_over(ended: asyncio.Task[Value], to: Future[Value]) -> None:
    if ended.cancelled():
        to.set_exception(asyncio.CancelledError())
    elif (error := ended.exception()) is not None:
        to.set_exception(error)
    else:
        to.set_result(ended.result())
