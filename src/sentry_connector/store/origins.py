"""Servers in a private network that an admin has allowed to be asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import delete, select

from sentry_connector.store.database import Database
from sentry_connector.store.rows import insert_once
from sentry_connector.store.tables import origins


class Origins:
    """The allowed origins of one store, each as `scheme://host:port`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self) -> Sequence[str]:
        """All of them."""
        with self._database.reading() as connection:
            return connection.scalars(select(origins.c.origin).order_by(origins.c.origin)).all()

    def add(self, origin: str, now: dt.datetime) -> None:
        """Allow one."""
        with self._database.writing() as connection:
            insert_once(connection, origins, {"origin": origin, "added_at": now})

    def remove(self, origin: str) -> bool:
        """Allow one no more; whether it was allowed."""
        with self._database.writing() as connection:
            return bool(connection.execute(delete(origins).where(origins.c.origin == origin)).rowcount)
