"""DataSets in the store."""

from __future__ import annotations

import datetime as dt
import itertools
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, case, delete, insert, select, update

from sentry_connector.errors import UnknownName
from sentry_connector.reports.scopes import Scope
from sentry_connector.store.database import Database
from sentry_connector.store.records import DataSet
from sentry_connector.store.rows import fold, read_record, refuse_taken, select_records
from sentry_connector.store.tables import LIVE, datasets

RESTORABLE = dt.timedelta(days=30)
"""How long a deleted DataSet can be restored."""

LONGEST_SLUG = 48


class DataSets:
    """The DataSets of one store. Deleted ones are out of sight, except for `deleted` and `restore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, dataset: DataSet) -> DataSet:
        """Store a new DataSet; the slug is made here, and the DataSet is returned with it.

        Raises:
            UsageError: there is a DataSet of that name.
        """
        with self._database.writing() as connection:
            refuse_taken(connection, datasets, "a DataSet", dataset.name, but=dataset.id, among=LIVE)
            dataset = msgspec.structs.replace(dataset, slug=_free_slug(connection, dataset.name))
            connection.execute(insert(datasets).values(**_values(dataset)))
        return dataset

    def list(self) -> Sequence[DataSet]:
        """All DataSets, by name."""
        return self._select(LIVE)

    def deleted(self) -> Sequence[DataSet]:
        """The DataSets that were deleted and not yet purged, by name."""
        return self._select(datasets.c.deleted_at.is_not(None))

    def get(self, id: str) -> DataSet | None:  # noqa: A002  # the field's name
        """The DataSet with that id, deleted or not; None where there is none."""
        found = self._select(datasets.c.id == id)
        return found[0] if found else None

    def find(self, name: str) -> DataSet:
        """The DataSet of that name, compared without case, or of that slug.

        Raises:
            UnknownName: there is none; the nearest names are given.
        """
        return _find(self.list(), name)

    def save(self, dataset: DataSet) -> None:
        """Store the DataSet's new state; its slug stays what it is. Slots of another schedule count from then on.

        Raises:
            UsageError: another DataSet has that name.
        """
        values = _values(dataset)
        del values["slug"]
        with self._database.writing() as connection:
            if dataset.deleted_at is None:
                refuse_taken(connection, datasets, "a DataSet", dataset.name, but=dataset.id, among=LIVE)
            if _when(connection, dataset.id) != (dataset.schedule, dataset.details.timezone, dataset.deleted_at):
                values["slots_until"] = dataset.updated_at
            connection.execute(update(datasets).where(datasets.c.id == dataset.id).values(**values))

    def remember(self, id: str, scopes: dict[str, Scope]) -> None:  # noqa: A002  # the field's name
        """Keep what the DataSet's single choices stand for; that is no change of the DataSet."""
        with self._database.writing() as connection:
            connection.execute(update(datasets).where(datasets.c.id == id).values(scopes=scopes))

    def delete(self, id: str, now: dt.datetime) -> None:  # noqa: A002  # the field's name
        """Put a DataSet out of sight; it can be restored for 30 days."""
        with self._database.writing() as connection:
            statement = update(datasets).where(datasets.c.id == id, LIVE)
            connection.execute(statement.values(deleted_at=now, updated_at=now))

    def restore(self, name: str, now: dt.datetime) -> DataSet:
        """Bring the DataSet of that name or slug back, the one deleted last where there are several.

        Raises:
            UnknownName: no deleted DataSet has that name.
            UsageError: another DataSet has taken the name meanwhile.
        """
        by_age = sorted(self.deleted(), key=lambda each: each.deleted_at or now, reverse=True)
        dataset = msgspec.structs.replace(_find(by_age, name), deleted_at=None, updated_at=now)
        self.save(dataset)
        return dataset

    def purge(self, now: dt.datetime) -> Sequence[DataSet]:
        """Forget the DataSets that were deleted more than 30 days ago, with their runs.

        Returns:
            Those DataSets, so that their tables can be dropped.
        """
        old = [each for each in self.deleted() if each.deleted_at and now - each.deleted_at > RESTORABLE]
        with self._database.writing() as connection:
            still_deleted = datasets.c.deleted_at.is_not(None)
            connection.execute(delete(datasets).where(datasets.c.id.in_([each.id for each in old]), still_deleted))
        return old

    def next_epoch(self, id: str, at_least: int) -> int:  # noqa: A002  # the field's name
        """Take the DataSet's next epoch: one more than the highest of the store's and `at_least` (the table's).

        Raises:
            UnknownName: there is no DataSet with that id.
        """
        highest = case((datasets.c.epoch > at_least, datasets.c.epoch), else_=at_least)
        statement = update(datasets).where(datasets.c.id == id).values(epoch=highest + 1).returning(datasets.c.epoch)
        with self._database.writing() as connection:
            epoch = connection.scalar(statement)
        if epoch is None:
            raise UnknownName("DataSet", id)
        return int(epoch)

    def _select(self, condition: ColumnElement[bool]) -> Sequence[DataSet]:
        query = select_records(datasets, DataSet).where(condition).order_by(datasets.c.name_fold, datasets.c.id)
        with self._database.reading() as connection:
            return [read_record(DataSet, row) for row in connection.execute(query).mappings()]


def slug_of(name: str) -> str:
    """A name as lower-case ASCII letters, digits and `_`, for SQL without quotes: `Événements 2` → `evenements_2`."""
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "_", ascii_only).strip("_")[:LONGEST_SLUG].strip("_") or "dataset"
    return f"_{slug}" if slug[0].isdigit() else slug


def _free_slug(connection: Connection, name: str) -> str:
    """The name's slug, with a number where it is taken; slugs of deleted DataSets stay taken."""
    slug = slug_of(name)
    taken = set(connection.scalars(select(datasets.c.slug).where(datasets.c.slug.startswith(slug, autoescape=True))))
    candidates = itertools.chain([slug], (f"{slug}_{number}" for number in itertools.count(2)))
    return next(candidate for candidate in candidates if candidate not in taken)


def _when(connection: Connection, id_: str) -> tuple[str, str, dt.datetime | None] | None:
    """What the slots of a stored DataSet follow from."""
    query = select(datasets.c.schedule, datasets.c.details, datasets.c.deleted_at).where(datasets.c.id == id_)
    row = connection.execute(query).first()
    return None if row is None else (row.schedule, row.details.timezone, row.deleted_at)


def _find(among: Sequence[DataSet], name: str) -> DataSet:
    for dataset in among:
        if fold(dataset.name) == fold(name):
            return dataset
    for dataset in among:
        if dataset.slug == name:
            return dataset
    raise UnknownName("DataSet", name, [dataset.name for dataset in among])


def _values(dataset: DataSet) -> dict[str, Any]:
    return {**msgspec.structs.asdict(dataset), "name_fold": fold(dataset.name)}
