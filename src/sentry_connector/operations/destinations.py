"""Destinations: databases that tables lie in, each given once and used by any number of DataSets."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sentry_connector.datasets.definition import LONGEST_NAME, plain_text
from sentry_connector.destinations import sql_addresses
from sentry_connector.errors import UsageError
from sentry_connector.operations.audited import audited
from sentry_connector.operations.vault import sealing
from sentry_connector.runs.house import House
from sentry_connector.store.ids import new_id
from sentry_connector.store.records import DELTA, DataSet, Destination
from sentry_connector.store.sealed import destination_owner

TRIED = "_sentry_connector_check"
"""A table that a check makes and drops."""


@audited("destinations add", "url")
async def add(house: House, name: str, url: str, password: str | None) -> tuple[Destination, str]:
    """Store a destination, once a table can be made there; its password is sealed as tokens are.

    Args:
        house: the parts.
        name: what to call it.
        url: where the database is, without a password.
        password: None or empty = it needs none, or its library finds one by itself.

    Returns:
        The destination, and what database answered.

    Raises:
        UsageError: the name is empty or taken, the address is none, or its driver is not installed.
        DestinationUnavailable, DestinationRefused: no table can be made there; nothing is stored.
    """
    now, name = house.now(), plain_text("name", name, LONGEST_NAME)
    if name.casefold() == DELTA or any(one.name.casefold() == name.casefold() for one in everything(house)):
        raise UsageError(f"There is a destination named {name!r} already.", remedy="Choose another name.")
    destination = Destination(
        id=new_id(now, house.rng),
        name=name,
        url=sql_addresses.checked(url),
        password_since=now if password else None,
        created_at=now,
        updated_at=now,
    )
    version = await house.aside(lambda: tried(house, destination, password or ""))
    async with sealing(house):
        house.store.destinations.add(destination, _sealed(house, destination, password))
    return destination, version


def refuse_file(url: str) -> None:
    """Refuse a database that is a file, where the wish comes from elsewhere: it would be written wherever the server can write.

    Raises:
        UsageError: it is one.
    """
    if not sql_addresses.takes_password(url):
        raise UsageError(
            "A database that is a file of the server is added on the server's own machine.",
            remedy="sentry-connector destinations add NAME --url URL",
        )


def everything(house: House) -> Sequence[Destination]:
    """All databases, by name."""
    return house.store.destinations.list()


def offered(house: House) -> list[dict[str, str]]:
    """What a DataSet can name as its destination: the name, and what it is."""
    databases = [{"name": one.name, "kind": sql_addresses.kind_of(one.url)} for one in everything(house)]
    return [{"name": DELTA, "kind": "Delta tables"}, *databases]


def find(house: House, name: str) -> Destination:
    """The destination of that name.

    Raises:
        UnknownName: there is none; the nearest names are given.
    """
    return house.store.destinations.find(name)


def used_by(house: House, destination: Destination) -> list[DataSet]:
    """The DataSets whose tables lie there, among those that whoever asks may see."""
    return with_users(house, [destination])[0][1]


def with_users(house: House, destinations: Sequence[Destination]) -> list[tuple[Destination, list[DataSet]]]:
    """Destinations, each with what `used_by` says; the DataSets are looked at once, however many destinations there are."""
    users: dict[str, list[DataSet]] = {one.name: [] for one in destinations}
    for dataset in house.store.datasets.list():
        if dataset.destination in users:
            users[dataset.destination].append(dataset)
    return [(one, users[one.name]) for one in destinations]


@audited("destinations check")
async def check(house: House, name: str) -> tuple[Destination, str]:
    """Connect, make a table and drop it.

    Returns:
        The destination, and what database answered.

    Raises:
        UnknownName: there is no such destination.
        DestinationUnavailable, DestinationRefused, VaultUnusable: what is in the way.
    """
    destination = find(house, name)
    return destination, await house.aside(lambda: tried(house, destination))


@audited("destinations replace-password")
async def replace_password(house: House, name: str, password: str | None) -> Destination:
    """Give a destination another password, or none any more; one that the database does not take changes nothing.

    Raises:
        UnknownName: there is no such destination.
        UsageError: its address takes no password.
        DestinationUnavailable, DestinationRefused: no table can be made there with it.
    """
    destination = find(house, name)
    if not sql_addresses.takes_password(destination.url):
        raise UsageError(f"{destination.name} is a file, which has no password.")
    now = house.now()
    changed = msgspec.structs.replace(destination, password_since=now if password else None)
    await house.aside(lambda: tried(house, changed, password or ""))
    async with sealing(house):
        return house.store.destinations.replace_password(destination, _sealed(house, destination, password), now)


@audited("destinations delete")
def delete(house: House, name: str) -> Destination:
    """Forget a destination and its password. Nothing in the database changes.

    Raises:
        UnknownName: there is no such destination.
        UsageError: tables of DataSets lie there.
    """
    destination = find(house, name)
    house.store.destinations.delete(destination)
    return destination


def password_of(house: House, destination: Destination) -> str | None:
    """The password that is stored for a destination; None where it has none.

    Raises:
        VaultUnusable: it cannot be opened.
    """
    sealed = house.store.destinations.sealed_password(destination.id)
    return (
        None if sealed is None else house.vault.open(sealed, destination_owner(destination.id, destination.url), None)
    )


def tried(house: House, destination: Destination, password: str | None = None) -> str:
    """What database answers; a table was made in it and dropped.

    Args:
        house: the parts.
        destination: where.
        password: stands for the stored one; empty = none.

    Raises:
        DestinationUnavailable, DestinationRefused, VaultUnusable: what is in the way.
    """
    from sentry_connector.destinations.sql_model import qualified

    database = house.database(destination, password)
    with database.session(writing=True) as session:
        table = qualified(session, TRIED)
        session.execute(f"DROP TABLE IF EXISTS {table}")
        session.execute(f"CREATE TABLE {table} (tried integer)")
        session.execute(f"DROP TABLE {table}")
        session.commit()
    with database.session() as session:
        return database.version(session)


def _sealed(house: House, destination: Destination, password: str | None) -> str | None:
    if not password:
        return None
    return house.vault.seal(password, destination_owner(destination.id, destination.url), None)
