"""Workers: processes that do the runs of one store, as many as are wanted, on as many machines."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from sentry_connector.errors import UsageError
from sentry_connector.runs.engine import TTL
from sentry_connector.runs.house import House
from sentry_connector.runs.lease import WORKERS
from sentry_connector.runs.service import engine_of
from sentry_connector.store.ids import new_id
from sentry_connector.store.processes import for_people, is_dead
from sentry_connector.store.records import Run
from sentry_connector.store.sharing import move_storage

LOG = "worker"
"""Name of a worker's own log, among the runs' logs."""

_OF_DATASET = "dataset/"


@dataclass(frozen=True, kw_only=True, slots=True)
class Worker:
    """A process that does runs: a server, or a worker.

    Attributes:
        name: of its engine.
        process: which process on which host it is.
        since: when it began.
        heartbeat: when it last said that it lives.
        datasets: the names of those whose runs it is at work on.
    """

    name: str
    process: str
    since: dt.datetime
    heartbeat: dt.datetime
    datasets: tuple[str, ...]


def living(house: House) -> list[Worker]:
    """The workers that live, the oldest first."""
    now = house.now()
    names = {one.id: one.name for one in house.store.datasets.list()}
    at_work: dict[str, list[str]] = {}
    for lease in house.store.leases.living(_OF_DATASET, now):
        dataset_id = lease.name.removeprefix(_OF_DATASET)
        at_work.setdefault(lease.holder, []).append(names.get(dataset_id, dataset_id))
    return [
        Worker(
            name=lease.name.removeprefix(WORKERS),
            process=for_people(lease.holder),
            since=lease.acquired_at,
            heartbeat=lease.expires_at - TTL,
            datasets=tuple(sorted(at_work.get(lease.holder, []))),
        )
        for lease in house.store.leases.living(WORKERS, now)
        if not is_dead(lease.holder)
    ]


def enter(house: House, *, storage_moved: bool = False) -> None:
    """See to it that a worker here does the same as all others: it has their store, their tables and their key.

    Args:
        house: the parts.
        storage_moved: the tables were moved to where this machine has them; the others are to follow.

    Raises:
        UsageError: the store is one of this machine alone.
        StorageDiffers, VaultUnusable: this machine has other tables, or another key.
        StoreUnusable: the store cannot be used.
    """
    if not house.settings.is_shared:
        raise UsageError(
            "The store is SQLite's, of this machine alone, and `sentry-connector serve` has the worker that it needs.",
            remedy="Set SENTRY_CONNECTOR_DATABASE_URL to a PostgreSQL database that all workers share"
            " (postgresql://HOST/NAME), or let `serve` do more at a time: --runs-at-once.",
        )
    if storage_moved:
        move_storage(house.store.facts, house.settings.storage_place, lambda: new_id(house.now(), house.rng))
    _ = house.destination, house.vault  # each looks whether it is the others' too


async def work(
    house: House,
    *,
    runs_at_once: int,
    ready: Callable[[], None],
    told: Callable[[Run], None],
    stopping: Callable[[], None],
) -> None:
    """Do runs, and keep schedules, until cancelled; then come to rest.

    Args:
        house: the parts, after `enter`.
        runs_at_once: how many runs are under way at most.
        ready: called when others see that it is at work.
        told: told of each run that ends, and of each attempt that is followed by another.
        stopping: called when it begins to come to rest.

    Raises:
        StoreUnusable, Locked: the store cannot even be told of it, or a newer version of this program has changed it.
    """
    engine, _ = engine_of(house, runs_at_once, LOG)
    engine.told = told
    stop = asyncio.Event()
    at_work, begun = asyncio.create_task(engine.run(stop)), asyncio.create_task(engine.begun.wait())
    try:
        await asyncio.wait([at_work, begun], return_when=asyncio.FIRST_COMPLETED)
        if engine.begun.is_set():
            ready()
            await asyncio.wait([at_work])
    finally:
        stopping()
        begun.cancel()
        stop.set()
        await asyncio.wait([at_work])
    at_work.result()
