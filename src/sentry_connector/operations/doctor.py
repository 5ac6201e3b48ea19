"""Doctor: everything that a pull or a run needs, looked at piece by piece."""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sentry_connector.destinations.objects import holds_objects
from sentry_connector.destinations.proof import prove
from sentry_connector.errors import ConnectorError, DestinationRefused, DiskFull
from sentry_connector.operations import accounts, destinations, workers
from sentry_connector.reports.catalogue import CATALOGUE
from sentry_connector.runs.engine import WRONG_CLOCK, wrong_clock
from sentry_connector.runs.house import House
from sentry_connector.sentry.client import Connection
from sentry_connector.sentry.doctor import Check, examine
from sentry_connector.store.records import Destination

LEAST_FREE_BYTES = 256 * 2**20
"""Below this much free space the doctor warns."""


async def doctor(house: House, connection: Connection) -> list[Check]:
    """The checks of the connection, then those of this machine; a failure is a result, not an error."""
    checks = await of_connection(house, connection)
    local = [("store", _store), ("tokens", _tokens), ("storage", _storage)]
    if house.settings.is_shared:
        local.append(("sharing", _sharing))
    for name, look in (*local, *await house.aside(lambda: _destinations(house))):
        checks.append(await house.aside(partial(_local, name, partial(look, house), house)))
    return checks


async def of_connection(house: House, connection: Connection) -> list[Check]:
    """Whether Sentry can be reached, and what its token may; a failure is a result, not an error."""
    scopes = {report.name: report.scope for report in CATALOGUE}
    return [*await examine(connection, scopes, clock=house.clock, rng=house.rng)]


async def doctor_of_storage(house: House) -> list[Check]:
    """The check of where the tables lie, alone: it needs no Sentry."""
    return [await house.aside(lambda: _local("storage", partial(_storage, house), house))]


def checks_view(checks: Sequence[Check]) -> dict[str, Any]:
    """What the doctor found, as JSON."""
    return {"ok": all(check.ok for check in checks), "checks": [dataclasses.asdict(check) for check in checks]}


def _local(name: str, look: Callable[[], tuple[str, str]], house: House) -> Check:
    began = house.clock.monotonic()
    try:
        message, remedy = look()
    except ConnectorError as error:
        check = Check(name=name, ok=False, error=error.name, message=error.message, remedy=error.remedy)
    else:
        check = Check(name=name, ok=True, message=message, remedy=remedy)
    return dataclasses.replace(check, seconds=house.clock.monotonic() - began)


def _store(house: House) -> tuple[str, str]:
    accounts, datasets = len(house.store.accounts.list()), len(house.store.datasets.list())
    return f"The store opens; it holds {accounts} accounts and {datasets} DataSets.", ""


def _tokens(house: House) -> tuple[str, str]:
    """Whether a token is so old that it is to be replaced; Sentry itself tells nobody."""
    old = [account.name for account in accounts.with_old_tokens(house)]
    if not old:
        return "No stored token is older than a year.", ""
    remedy = "Make new ones in Sentry, then `accounts replace-token NAME`, and revoke the old ones."
    return f"In use for more than a year: the token of {', '.join(old)}.", remedy


def _destinations(house: House) -> list[tuple[str, Callable[[House], tuple[str, str]]]]:
    """A check for each database that tables lie in; none where the store does not open, which is told as such."""
    try:
        known = destinations.everything(house)
    except ConnectorError:
        return []

    def look(house: House, destination: Destination) -> tuple[str, str]:
        return f"{destinations.tried(house, destination)} answers, and a table can be made in it.", ""

    return [(f"destination {one.name}", partial(look, destination=one)) for one in known]


def _sharing(house: House) -> tuple[str, str]:
    """Whether this machine has the tables, the key and the time of all who share its store."""
    workers.enter(house)
    ahead = house.shared_now() - house.now()
    if abs(ahead) > WRONG_CLOCK:
        return wrong_clock(ahead), "Let this machine's clock be set by NTP."
    return f"It has the others' tables, key and time; {len(workers.living(house))} workers live.", ""


def _storage(house: House) -> tuple[str, str]:
    storage = house.settings.storage
    if holds_objects(storage):
        prove(storage, house.settings.storage_options)
        return f"{house.settings.storage_place} can be written, and keeps writers apart.", ""
    folder = Path(storage)
    probe = folder / f".doctor-{uuid.uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe.write_bytes(os.urandom(4096))
        probe.unlink()
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(f"No space is left at {folder}.") from error
        raise DestinationRefused(f"{folder} cannot be written: {error.strerror}.") from error
    prove(storage)
    free = shutil.disk_usage(folder).free
    remedy = "Free space soon; a run needs room for its rows twice." if free < LEAST_FREE_BYTES else ""
    return f"{folder} can be written, and keeps writers apart; {free // 2**20:,} MiB are free.", remedy
