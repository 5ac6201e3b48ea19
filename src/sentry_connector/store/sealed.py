"""Everything that the vault's key seals: tokens, addresses of channels, passwords, seeds, and what shows which key it is."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, exists, or_, select, update

from sentry_connector.store.database import Database
from sentry_connector.store.facts import KEY
from sentry_connector.store.tables import accounts, channels, destinations, factors, facts


class Sealed:
    """What is sealed in one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_empty(self) -> bool:
        """Whether nothing is: then a key may be made."""
        any_of = (
            exists().select_from(accounts),
            exists().select_from(channels),
            exists().where(destinations.c.sealed_password.is_not(None)),
            exists().where(facts.c.name == KEY),
            exists().select_from(factors),
        )
        with self._database.reading() as connection:
            return not connection.scalar(select(or_(*any_of)))

    def change(self, change: Callable[[str, str, str | None], str]) -> int:
        """Replace everything sealed by `change(sealed, owner's id, url)`: all of it or, where one fails, none.

        Returns:
            How many secrets there are. What shows which key it is goes with them.
        """
        with self._database.writing() as connection:
            tokens = connection.execute(select(accounts.c.id, accounts.c.sealed_token, accounts.c.url)).all()
            for id_, sealed, url in tokens:
                token = change(sealed, id_, url)
                connection.execute(update(accounts).where(accounts.c.id == id_).values(sealed_token=token))
            addresses = connection.execute(select(channels.c.id, channels.c.sealed_address)).all()
            for id_, sealed in addresses:
                address = change(sealed, id_, None)
                connection.execute(update(channels).where(channels.c.id == id_).values(sealed_address=address))
            known = connection.scalar(select(facts.c.value).where(facts.c.name == KEY))
            if known is not None:
                connection.execute(update(facts).where(facts.c.name == KEY).values(value=change(known, KEY, None)))
            query = select(destinations.c.id, destinations.c.sealed_password, destinations.c.url)
            passwords = connection.execute(query.where(destinations.c.sealed_password.is_not(None))).all()
            for id_, sealed, url in passwords:
                password = change(sealed, destination_owner(id_, url), None)
                connection.execute(
                    update(destinations).where(destinations.c.id == id_).values(sealed_password=password)
                )
            seeds = _change_seeds(connection, change)
        return len(tokens) + len(addresses) + len(passwords) + seeds


def _change_seeds(connection: Connection, change: Callable[[str, str, str | None], str]) -> int:
    """Those of second factors, in use and not yet; how many there are."""
    count = 0
    for column in (factors.c.sealed, factors.c.pending):
        for id_, sealed in connection.execute(select(factors.c.user_id, column).where(column.is_not(None))).all():
            values = {column: change(sealed, id_, None)}
            connection.execute(update(factors).where(factors.c.user_id == id_).values(values))
            count += 1
    return count


def destination_owner(id_: str, url: str) -> str:
    """What a destination's password is bound to: pointed at another address, it does not open."""
    return f"{id_} {url}"
