"""While a run is at work: how far it is goes into the store, where others see it, and somebody who asks it to stop is heard."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from sentry_connector.errors import Cancelled, ConnectorError
from sentry_connector.extraction.progress import Progress
from sentry_connector.runs.house import House, wholly
from sentry_connector.store.records import Run

LOOK = 0.5
"""Seconds between two looks."""


@contextlib.asynccontextmanager
async def watched(house: House, run: Run, progress: Progress) -> AsyncIterator[None]:
    """Watch over a run inside the block.

    Args:
        house: the parts.
        run: as it was when this attempt began; what it had asked for before is added to.
        progress: of this attempt.

    Raises:
        Cancelled: somebody has asked the run to stop; the block was cancelled.
    """
    heard: list[bool] = []
    task = asyncio.current_task()
    watch = asyncio.create_task(_watch(house, run, progress, task, heard))
    try:
        yield
    except asyncio.CancelledError:
        if not heard or task is None or task.uncancel():
            raise
        raise Cancelled("The run was cancelled.") from None
    finally:
        watch.cancel()
        await asyncio.wait([watch])


async def _watch(
    house: House, run: Run, progress: Progress, task: asyncio.Task[object] | None, heard: list[bool]
) -> None:
    told = progress.snapshot()
    while True:
        await house.clock.sleep(LOOK)
        with contextlib.suppress(ConnectorError):  # a store that is busy or broken is asked again
            now, figures = progress.snapshot(), figures_of(run, progress)
            if now == told:
                asked = await wholly(house, lambda: house.store.runs.is_to_stop(run.id))
            else:
                asked = await wholly(house, partial(house.store.runs.note, run.id, now, **figures))
                told = now
            if asked and task is not None:
                heard.append(True)
                task.cancel()
                return


def figures_of(run: Run, progress: Progress) -> dict[str, Any]:
    """What a run has cost, with the attempts before this one."""
    return {
        "requests": run.requests + progress.requests,
        "requests_refused": run.requests_refused + progress.requests_refused,
        "waited_seconds": run.waited_seconds + progress.waited_seconds,
        "bytes": run.bytes + progress.bytes,
    }
