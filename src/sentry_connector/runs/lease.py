"""One run at a time per DataSet: a lease with a heartbeat, given back when the run ends and lapsing when its process dies."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from sentry_connector.errors import ConnectorError, LeaseLost, Locked
from sentry_connector.runs.house import House, wholly
from sentry_connector.store.processes import this_process
from sentry_connector.store.records import Lease

TTL = dt.timedelta(seconds=60)
"""How long a lease holds without a heartbeat."""

BEAT = 15.0
"""Seconds between two heartbeats."""

POLL = 0.5
"""Seconds between two looks at a lease that somebody else holds."""

WORKERS = "worker/"
"""Engines hold a lease each whose name begins so: others see that somebody takes up what waits."""

Result = TypeVar("Result")


@dataclass
class Holding:
    """A lease that this process has, as far as it knows; without a heartbeat it holds for `ttl`.

    Attributes:
        renewed_at: when the store last took a heartbeat, on the monotonic scale.
    """

    house: House
    lease: Lease
    ttl: dt.timedelta
    renewed_at: float

    def renew(self) -> None:
        """Hold it for longer. Also the way to make sure, before something is stored, that nobody has taken it over.

        Raises:
            LeaseLost: somebody else has it now.
            Locked, StoreUnusable: the store cannot be asked.
        """
        self.lease = self.house.store.leases.renew(self.lease, self.house.now(), self.ttl)

    async def aside(self, work: Callable[[], Result]) -> Result:
        """Do blocking work in a thread, so that the heartbeat goes on meanwhile; never is the lease given back under it.

        Raises:
            LeaseLost: somebody else has it now; nothing was done.
        """

        def renewed() -> Result:
            self.renew()
            return work()

        return await wholly(self.house, renewed)


@contextlib.asynccontextmanager
async def held(
    house: House, name: str, *, wait: float = 0.0, ttl: dt.timedelta = TTL, beat: float = BEAT
) -> AsyncIterator[Holding]:
    """Hold the lease `name` inside the block, with a heartbeat; the block is cancelled when the lease is lost.

    Args:
        house: the parts.
        name: what is locked.
        wait: seconds to wait for another holder.
        ttl: how long it holds without a heartbeat.
        beat: seconds between two heartbeats.

    Raises:
        Locked: somebody else holds it (longer than `wait`); the message names the holder.
        LeaseLost: somebody else has taken it over meanwhile.
    """
    holding = Holding(house, await _acquire(house, name, wait, ttl), ttl, house.clock.monotonic())
    lost: list[LeaseLost] = []
    heart = asyncio.create_task(_beat(holding, beat, asyncio.current_task(), lost))
    try:
        yield holding
    except asyncio.CancelledError:
        if lost:
            raise lost[0] from None
        raise
    finally:
        heart.cancel()
        try:
            await asyncio.wait([heart])  # not `await heart`: its cancellation could not be told from the task's own
        finally:
            await wholly(house, lambda: house.store.leases.release(holding.lease))


async def _acquire(house: House, name: str, wait: float, ttl: dt.timedelta) -> Lease:
    give_up = house.clock.monotonic() + wait
    taken: list[Lease] = []
    while True:
        try:
            await wholly(
                house, lambda: taken.append(house.store.leases.acquire(name, this_process(), house.now(), ttl))
            )
            return taken[0]
        except Locked:
            if house.clock.monotonic() >= give_up:
                raise
        except asyncio.CancelledError:
            for lease in taken:  # it was there before the cancellation was heard
                await wholly(house, partial(house.store.leases.release, lease))
            raise
        await house.clock.sleep(POLL)


async def _beat(holding: Holding, seconds: float, work: asyncio.Task[object] | None, lost: list[LeaseLost]) -> None:
    """Renew the lease until cancelled; when it is gone, stop the work that relied on it."""
    while True:
        await holding.house.clock.sleep(seconds)
        try:
            await wholly(holding.house, holding.renew)
            holding.renewed_at = holding.house.clock.monotonic()
        except LeaseLost as error:
            lost.append(error)
            if work is not None:
                work.cancel()
            return
        except ConnectorError:
            # A store that is busy or broken says nothing of the lease. The next beat tries again; whoever takes the lease over
            # meanwhile is told apart by its epoch.
            continue
