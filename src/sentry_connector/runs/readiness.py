"""Whether a server does what it is there for, and if not, why."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from sentry_connector.errors import ConnectorError
from sentry_connector.runs.engine import Engine
from sentry_connector.runs.house import House

LEAST_FREE = 0.05
"""The share of a disk that has to be free."""


def wrong(engine: Engine) -> list[str]:
    """What is wrong, a sentence each; empty where the server is ready."""
    return [*engine.troubles(), *_store(engine.house), *_disks(engine.house)]


def _store(house: House) -> Iterator[str]:
    try:
        house.store.check()
    except ConnectorError as error:
        yield error.message


def _disks(house: House) -> Iterator[str]:
    """Those of the store and of the tables, where they are of this machine."""
    for place in house.settings.folders.values():
        try:
            disk = shutil.disk_usage(place)
        except OSError:
            continue  # the tables' folder is made by the first commit
        if disk.free < LEAST_FREE * disk.total:
            yield f"Less than {LEAST_FREE:.0%} of the disk of {place} is free: {disk.free // 2**20:,} MiB."
