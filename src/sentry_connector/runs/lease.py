"""One run at a time per DataSet: a lease with a heartbeat, given back when the run ends and lapsing when its process dies."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator

from sentry_connector.errors import Locked, StoreUnusable
from sentry_connector.runs.house import House
from sentry_connector.store.leases import this_process
from sentry_connector.store.records import Lease

TTL = dt.timedelta(seconds=60)
"""How long a lease holds without a heartbeat."""

BEAT = 15.0
"""Seconds between two heartbeats."""

POLL = 0.5
"""Seconds between two looks at a lease that somebody else holds."""


@contextlib.asynccontextmanager
async def held(house: House, name: str, *, wait: float = 0.0) -> AsyncIterator[None]:
    """Hold the lease `name` inside the block, with a heartbeat; the block is cancelled when the lease is lost.

    Args:
        house: the parts.
        name: what is locked.
        wait: seconds to wait for another holder.

    Raises:
        Locked: somebody else holds it (longer than `wait`), or has taken it over meanwhile; the message names the holder.
    """
    lease = await _acquire(house, name, wait)
    lost: list[Locked] = []
    beat = asyncio.create_task(_beat(house, lease, asyncio.current_task(), lost))
    try:
        yield
    except asyncio.CancelledError:
        if lost:
            raise lost[0] from None
        raise
    finally:
        beat.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beat
        house.store.leases.release(lease)


async def _acquire(house: House, name: str, wait: float) -> Lease:
    give_up = house.clock.monotonic() + wait
    while True:
        try:
            return house.store.leases.acquire(name, this_process(), house.now(), TTL)
        except Locked:
            if house.clock.monotonic() >= give_up:
                raise
        await house.clock.sleep(POLL)


async def _beat(house: House, lease: Lease, work: asyncio.Task[object] | None, lost: list[Locked]) -> None:
    """Renew the lease until cancelled; when it is gone, stop the work that relied on it."""
    while True:
        await house.clock.sleep(BEAT)
        try:
            lease = house.store.leases.renew(lease, house.now(), TTL)
        except StoreUnusable:
            continue  # the next beat tries again; whoever takes the lease over meanwhile is told apart by its epoch
        except Locked as error:
            lost.append(error)
            if work is not None:
                work.cancel()
            return
