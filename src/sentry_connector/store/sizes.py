"""How large tables are, as they were when last measured: a list of a thousand DataSets opens none of their tables.

They stand among the facts, under a name for each DataSet.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import select

from sentry_connector.store.database import Database
from sentry_connector.store.facts import Facts
from sentry_connector.store.tables import datasets

PREFIX = "size/"


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large a table is.

    Attributes:
        epoch: the DataSet's epoch before it was measured; where that has moved on, the table may have changed.
        rows, columns: of the newest version; no columns where nothing was ever committed.
        version: that version; None where there is none.
    """

    epoch: int
    rows: int
    columns: int
    version: int | None = None


NOTHING = Size(epoch=0, rows=0, columns=0)
"""Where nothing was ever committed."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the size of a DataSet's table.

    Attributes:
        epoch: the DataSet's, now.
        size: as last measured; None where it never was.
    """

    epoch: int
    size: Size | None

    @property
    def is_current(self) -> bool:
        """Whether nothing can have been committed since it was measured."""
        return self.epoch == (self.size.epoch if self.size else 0)


class Sizes:
    """The sizes of the tables of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def epoch(self, dataset_id: str) -> int:
        """The epoch of a DataSet, to be asked before its table is measured; 0 where there is no such DataSet (any more)."""
        with self._database.reading() as connection:
            return connection.scalar(select(datasets.c.epoch).where(datasets.c.id == dataset_id)) or 0

    def keep(self, dataset_id: str, size: Size) -> None:
        """Store what was measured."""
        Facts(self._database).change(PREFIX + dataset_id, msgspec.json.encode(size).decode())
