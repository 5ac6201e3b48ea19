"""The log of a run where several machines share the store: its lines go there too, so that `runs logs` shows them everywhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from sentry_connector.errors import ConnectorError
from sentry_connector.runs.house import House, wholly
from sentry_connector.runs.log import Lines, read_log
from sentry_connector.store.records import Run

BEAT = 1.0
"""Seconds between two looks at what is new."""


@contextlib.asynccontextmanager
async def shown_to_all(house: House, run_id: str, lines: Lines) -> AsyncIterator[None]:
    """Inside the block, and at its end, put what is written to a run's log into the store, where others share that.

    What the store does not take stands in the file of this machine all the same.
    """
    if not house.settings.is_shared:
        yield
        return
    fresh: list[str] = []
    lines.also = fresh.append
    beat = asyncio.create_task(_beat(house, run_id, fresh))
    try:
        yield
    finally:
        beat.cancel()
        try:
            await asyncio.wait([beat])
        finally:  # also where the process comes to rest at this very moment
            await _put(house, run_id, fresh)


async def _beat(house: House, run_id: str, fresh: list[str]) -> None:
    while True:
        await house.clock.sleep(BEAT)
        await _put(house, run_id, fresh)


async def _put(house: House, run_id: str, fresh: list[str]) -> None:
    taken = list(fresh)
    if not taken:
        return
    del fresh[: len(taken)]

    def put() -> None:
        try:
            house.store.log_lines.add(run_id, [line.rstrip("\n") for line in taken])
        except ConnectorError:
            fresh[:0] = taken  # they are put there with the next ones, or stand in the file alone

    await wholly(house, put)


def lines_of(house: House, run: Run) -> list[dict[str, Any]]:
    """The lines of a run's log, oldest first: those in the store, where it is shared and has any, else those in the file."""
    shared = house.store.log_lines.of(run.id) if house.settings.is_shared else ()
    return [msgspec.json.decode(line, type=dict[str, Any]) for line in shared] or read_log(house.logs, run.id)
