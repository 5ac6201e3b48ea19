"""Saved queries in the store."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import delete, insert, update

from sentry_connector.errors import NotAllowed
from sentry_connector.store.database import Database
from sentry_connector.store.records import SavedQuery
from sentry_connector.store.rows import find_named, fold, read_record, select_records
from sentry_connector.store.tables import saved_queries


class SavedQueries:
    """The saved queries of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self) -> Sequence[SavedQuery]:
        """All of them, by name."""
        query = select_records(saved_queries, SavedQuery).order_by(saved_queries.c.name_fold)
        with self._database.reading() as connection:
            return [read_record(SavedQuery, row) for row in connection.execute(query).mappings()]

    def find(self, name: str) -> SavedQuery:
        """The one of that name, compared without case, or of that id.

        Raises:
            UnknownName: there is none; the nearest names are given.
        """
        return find_named("saved query", name, self.list())

    def may_change(self, query: SavedQuery) -> bool:
        """Whether whoever asks may change it."""
        return query.id in self.changeable([query])

    def changeable(self, queries: Sequence[SavedQuery]) -> Collection[str]:
        """The ids of those that whoever asks may change: whoever has the whole store, all."""
        return {one.id for one in queries}

    def save(self, query: SavedQuery) -> SavedQuery:
        """Store a query; where there is one of its name, that becomes as this one, and keeps its id and its owner.

        Raises:
            NotAllowed: that one may not be changed.
        """
        of_name = saved_queries.c.name_fold == fold(query.name)
        with self._database.writing() as connection:
            row = connection.execute(select_records(saved_queries, SavedQuery).where(of_name)).mappings().first()
            if row is None:
                values = {**msgspec.structs.asdict(query), "name_fold": fold(query.name)}
                connection.execute(insert(saved_queries).values(**values))
                return query
            before = read_record(SavedQuery, row)
            self._need_change(before)
            changes = {name: getattr(query, name) for name in ("name", "sql", "shared", "updated_at")}
            connection.execute(update(saved_queries).where(saved_queries.c.id == before.id).values(**changes))
            return msgspec.structs.replace(before, **changes)

    def delete(self, query: SavedQuery) -> None:
        """Forget one.

        Raises:
            NotAllowed: it may not be changed.
        """
        self._need_change(query)
        with self._database.writing() as connection:
            connection.execute(delete(saved_queries).where(saved_queries.c.id == query.id))

    def _need_change(self, query: SavedQuery) -> None:
        if not self.may_change(query):
            raise NotAllowed(f"The saved query {query.name!r} is somebody else's.", remedy="Choose another name.")
