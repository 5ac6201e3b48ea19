"""A time limit for what a database in this process does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sentry_connector.errors import DestinationError, QueryTimeout, SqlError

AGAIN = 0.05
"""Seconds after which whoever did not hear of it is told once more: between two statements nothing listens."""


@contextmanager
def stopped_after(seconds: float | None, interrupt: Callable[[], None]) -> Iterator[None]:
    """Stop what is done in the block, if it is not done in time.

    Args:
        seconds: how long it may take; None = for ever.
        interrupt: ends the statement that is run, from another thread.

    Raises:
        QueryTimeout: it was stopped.
    """
    if seconds is None:
        yield
        return
    done, late = threading.Event(), threading.Event()

    def watch() -> None:
        if not done.wait(seconds):
            late.set()
            interrupt()
            while not done.wait(AGAIN):
                interrupt()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    except (SqlError, DestinationError) as error:
        if not late.is_set():
            raise
        raise QueryTimeout(f"It was stopped after {seconds:g} seconds.") from error
    finally:
        done.set()
        watcher.join()  # nobody interrupts what comes next
