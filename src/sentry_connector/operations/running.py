"""Runs are brought to their end: by a server that shares the store, where one lives, else here.

What a run takes is loaded only where it is done here.
"""

from __future__ import annotations

import contextlib

from sentry_connector.errors import ConnectorError, Locked, UnknownName
from sentry_connector.extraction.progress import Progress
from sentry_connector.runs import outbox
from sentry_connector.runs.house import House
from sentry_connector.runs.lease import TTL, WORKERS
from sentry_connector.store.processes import is_dead
from sentry_connector.store.records import Run, RunState

A_LEASE = 2 * TTL.total_seconds()
"""Seconds, longer than the lease of a process that died lasts."""

PATIENCE = 30.0
"""Seconds for which another process that sends notices is waited for."""

POLL = 0.5
"""Seconds between two looks at a run that a server does."""


def is_served(house: House) -> bool:
    """Whether an engine lives that takes up what waits."""
    return any(not is_dead(lease.holder) for lease in house.store.leases.living(WORKERS, house.now()))


async def to_its_end(
    house: House, run: Run, *, progress: Progress, wait_lock: float = 0.0, patience: float | None = None
) -> Run:
    """Bring a run to its end, or to its next retry.

    Args:
        house: the parts.
        run: as it is stored.
        progress: told how far it is.
        wait_lock: seconds to wait for another process that is at work on the DataSet.
        patience: seconds for which a server's run is waited for; None = for ever.

    Raises:
        Locked: another process is at work on the DataSet, or patience was not enough.
    """
    if not is_served(house):
        return await do_here(house, run, progress=progress, wait_lock=wait_lock)
    if run.not_before is not None:
        house.store.runs.hurry(run.id)
    give_up = None if patience is None else house.clock.monotonic() + patience
    while True:
        now = house.store.runs.get(run.id)
        if now is None:
            raise UnknownName("run", run.id)
        if now.state is RunState.DONE or (now.state is RunState.RETRYING and now.not_before is not None):
            return now
        if not is_served(house):  # it died; what it was doing is gone on with here, once its lease has lapsed
            return await do_here(house, run, progress=progress, wait_lock=max(wait_lock, A_LEASE))
        if give_up is not None and house.clock.monotonic() >= give_up:
            raise Locked(f"The server is at work on the run {run.id}.")
        snapshot = house.store.runs.progress(run.id)
        if snapshot is not None:
            progress.show(snapshot)
        await house.clock.sleep(POLL)


async def do_here(house: House, run: Run, *, progress: Progress, wait_lock: float = 0.0) -> Run:
    """Bring a run to its end in this process; as `runs.execute`."""
    from sentry_connector.runs.execute import execute

    return await execute(run.id, house, progress=progress, wait_lock=wait_lock)


async def tell_others(house: House) -> None:
    """Send the notices that wait, when all runs of a command are at their end; a server that lives does so by itself.

    Whatever becomes of notices, the runs have ended as they have.
    """
    if not is_served(house):  # nobody else may come by for long
        with contextlib.suppress(ConnectorError):
            await outbox.deliver(house, wait=PATIENCE)
