"""Runs in the store."""

from __future__ import annotations

import msgspec
from sqlalchemy import ColumnElement, update

from sentry_connector.errors import UnknownName
from sentry_connector.store.database import Database
from sentry_connector.store.records import Run, RunState
from sentry_connector.store.rows import insert_once, read_record, select_records
from sentry_connector.store.tables import runs


class Runs:
    """The runs of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, run: Run) -> bool:
        """Store a new run, unless one with its id is there: so each slot of a schedule is one run.

        Returns:
            Whether it is new.

        Raises:
            UnknownName: there is no such DataSet.
        """
        with self._database.writing() as connection:
            if insert_once(connection, runs, msgspec.structs.asdict(run)):
                return True
        if self.get(run.id) is None:
            raise UnknownName("DataSet", run.dataset_id)
        return False

    def save(self, run: Run) -> None:
        """Store the run's new state."""
        with self._database.writing() as connection:
            connection.execute(update(runs).where(runs.c.id == run.id).values(**msgspec.structs.asdict(run)))

    def get(self, id: str) -> Run | None:  # noqa: A002  # the field's name
        """The run with that id, or None."""
        found = self._select(runs.c.id == id)
        return found[0] if found else None

    def history(self, dataset_id: str, *, limit: int | None = 100) -> list[Run]:
        """The DataSet's runs, newest first; all of them without a limit."""
        return self._select(runs.c.dataset_id == dataset_id, limit=limit)

    def recent(self, *, limit: int | None = 100) -> list[Run]:
        """The runs of all DataSets, newest first; all of them without a limit."""
        return self._select(limit=limit)

    def unfinished(self) -> list[Run]:
        """The runs that are not done, newest first."""
        return self._select(runs.c.state != RunState.DONE)

    def _select(self, *conditions: ColumnElement[bool], limit: int | None = None) -> list[Run]:
        newest_first = (runs.c.queued_at.desc(), runs.c.id.desc())
        query = select_records(runs, Run).where(*conditions).order_by(*newest_first).limit(limit)
        with self._database.reading() as connection:
            return [read_record(Run, row) for row in connection.execute(query).mappings()]
