"""Destinations in the store. Sealed passwords go through here as they are; only the vault opens them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select, update

from sentry_connector.errors import UnknownName, UsageError
from sentry_connector.store.database import Database
from sentry_connector.store.grants import forget_grants
from sentry_connector.store.records import Destination
from sentry_connector.store.rights import Thing
from sentry_connector.store.rows import columns_of, find_named, fold, read_record, refuse_taken, select_records
from sentry_connector.store.tables import datasets, destinations


class Destinations:
    """The destinations of one store, but for Delta tables, which need no record."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, destination: Destination, sealed_password: str | None) -> None:
        """Store a new destination with its sealed password.

        Raises:
            UsageError: there is a destination of that name.
        """
        values: dict[str, Any] = {**msgspec.structs.asdict(destination), "name_fold": fold(destination.name)}
        with self._database.writing() as connection:
            refuse_taken(connection, destinations, "a destination", destination.name, but=destination.id)
            connection.execute(insert(destinations).values(**values, sealed_password=sealed_password))

    def list(self) -> Sequence[Destination]:
        """All destinations, by name."""
        query = select_records(destinations, Destination).order_by(destinations.c.name_fold)
        with self._database.reading() as connection:
            return [read_record(Destination, row) for row in connection.execute(query).mappings()]

    def find(self, name: str) -> Destination:
        """The destination of that name, compared without case.

        Raises:
            UnknownName: there is none; the nearest names are given.
        """
        return find_named("destination", name, self.list())

    def replace_password(self, destination: Destination, sealed_password: str | None, now: dt.datetime) -> Destination:
        """Store another sealed password, or none any more; the destination as it is then.

        Raises:
            UnknownName: it was deleted meanwhile.
        """
        values = {
            "sealed_password": sealed_password,
            "password_since": now if sealed_password is not None else None,
            "updated_at": now,
        }
        change = (
            update(destinations)
            .where(destinations.c.id == destination.id)
            .values(**values)
            .returning(*columns_of(destinations, Destination))
        )
        with self._database.writing() as connection:
            row = connection.execute(change).mappings().first()
        if row is None:
            raise UnknownName("destination", destination.name)
        return read_record(Destination, row)

    def sealed_password(self, id: str) -> str | None:  # noqa: A002  # the field's name
        """The sealed password of the destination with that id; None where it has none."""
        with self._database.reading() as connection:
            return connection.scalar(select(destinations.c.sealed_password).where(destinations.c.id == id))

    def delete(self, destination: Destination) -> None:
        """Delete a destination with its sealed password.

        Raises:
            UsageError: DataSets name it; deleted ones too, as long as they can be restored.
        """
        with self._database.writing() as connection:
            query = select(datasets.c.name).where(datasets.c.destination == destination.name).order_by(datasets.c.name)
            users = list(connection.scalars(query))
            if users:
                raise UsageError(
                    f"The tables of {', '.join(users)} lie in {destination.name!r}.",
                    remedy="Delete these DataSets, then purge them (`datasets purge`) or wait for 30 days: their tables go then.",
                )
            connection.execute(delete(destinations).where(destinations.c.id == destination.id))
            forget_grants(connection, Thing.DESTINATION, destination.id)
