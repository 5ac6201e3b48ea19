"""Facts that all who share a store must agree about: the first one settles them."""

from __future__ import annotations

from sqlalchemy import select, update

from sentry_connector.store.database import Database
from sentry_connector.store.rows import insert_once
from sentry_connector.store.tables import facts

STORAGE = "storage"
"""Which place the tables lie in."""

PROVEN = "storage proven"
"""The store of objects that was seen to keep two writers apart."""

KEY = "key"
"""A known text, sealed: whoever opens it has the vault's key."""


class Facts:
    """The facts of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> str | None:
        """What is known; None where nothing is."""
        with self._database.reading() as connection:
            return connection.scalar(select(facts.c.value).where(facts.c.name == name))

    def settle(self, name: str, value: str) -> str:
        """Keep a fact, unless it is known, and answer what is known from then on: of two who do so at once, one is right."""
        with self._database.writing() as connection:
            insert_once(connection, facts, {"name": name, "value": value})
            known: str = connection.execute(select(facts.c.value).where(facts.c.name == name)).scalar_one()
        return known

    def change(self, name: str, value: str) -> None:
        """Something else is so from now on."""
        with self._database.writing() as connection:
            if not insert_once(connection, facts, {"name": name, "value": value}):
                connection.execute(update(facts).where(facts.c.name == name).values(value=value))
