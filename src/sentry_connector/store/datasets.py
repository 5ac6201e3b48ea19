"""DataSets in the store."""

from __future__ import annotations

import datetime as dt
import itertools
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, case, delete, insert, or_, select, update

from sentry_connector.errors import EditedMeanwhile, UnknownName
from sentry_connector.reports.scopes import Scope
from sentry_connector.store.database import Database
from sentry_connector.store.grants import add_owner, forget_grants
from sentry_connector.store.outlines import Outline, outlines
from sentry_connector.store.records import DataSet, Passed, Scheduled
from sentry_connector.store.rights import Thing
from sentry_connector.store.rows import (
    columns_of,
    fold,
    hold_dataset,
    read_all,
    read_record,
    refuse_taken,
    select_records,
)
from sentry_connector.store.sizes import PREFIX as SIZE
from sentry_connector.store.slots import add_passed, scheduled
from sentry_connector.store.tables import LIVE, datasets, facts

RESTORABLE = dt.timedelta(days=30)
"""How long a deleted DataSet can be restored."""

LONGEST_SLUG = 48

_BY_NAME = (datasets.c.name_fold, datasets.c.id)

RESERVED = frozenset({"new"})
"""Words that stand where an address has a slug."""


class DataSets:
    """The DataSets of one store. Deleted ones are out of sight, except for `deleted` and `restore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, dataset: DataSet, *, owner: str | None = None) -> DataSet:
        """Store a new DataSet; the slug is made here, and the DataSet is returned with it. One that has its id stays as it is.

        Args:
            dataset: the DataSet.
            owner: id of the person whose it is.

        Raises:
            UsageError: there is a DataSet of that name.
        """
        with self._database.writing() as connection:
            known = connection.execute(select_records(datasets, DataSet).where(datasets.c.id == dataset.id)).mappings()
            if (row := known.first()) is not None:
                return read_record(DataSet, row)
            refuse_taken(connection, datasets, "a DataSet", dataset.name, but=dataset.id, among=LIVE)
            dataset = msgspec.structs.replace(dataset, slug=_free_slug(connection, dataset.name))
            connection.execute(insert(datasets).values(**_values(dataset)))
            add_owner(connection, owner, Thing.DATASET, dataset.id, dataset.created_at)
        return dataset

    def list(self) -> Sequence[DataSet]:
        """All DataSets, by name."""
        return self._seen(LIVE)

    def outlines(self, ids: Collection[str] | None = None) -> Sequence[Outline]:
        """All DataSets in outline, by name; or those with these ids, deleted or not."""
        which, seen = LIVE if ids is None else datasets.c.id.in_(ids), self._sees() if ids is None else None
        with self._database.reading() as connection:
            found = outlines(connection, which)
        return [one for one in found if seen is None or one.dataset.id in seen]

    def names(self) -> dict[str, str]:
        """Id → name of all DataSets, by name: for choices of one among many, of which nothing else is asked."""
        query, seen = select(datasets.c.id, datasets.c.name).where(LIVE).order_by(*_BY_NAME), self._sees()
        with self._database.reading() as connection:
            return {id_: name for id_, name in connection.execute(query).all() if seen is None or id_ in seen}

    def of_account(self, account_id: str) -> Sequence[DataSet]:
        """All DataSets that use an account, those that were deleted too."""
        return self._select(datasets.c.account_id == account_id)

    def deleted(self) -> Sequence[DataSet]:
        """The DataSets that were deleted and not yet purged, by name."""
        return self._select(datasets.c.deleted_at.is_not(None))

    def get(self, id: str) -> DataSet | None:  # noqa: A002  # the field's name
        """The DataSet with that id, deleted or not; None where there is none."""
        found = self._select(datasets.c.id == id)
        return found[0] if found else None

    def some(self, ids: Collection[str]) -> dict[str, DataSet]:
        """Id → the DataSet, of those with these ids, deleted or not."""
        return {one.id: one for one in self._select(datasets.c.id.in_(ids))}

    def find(self, name: str) -> DataSet:
        """The DataSet of that name, compared without case, or of that slug or id.

        Raises:
            UnknownName: there is none; the nearest names are given.
        """
        is_meant = or_(datasets.c.name_fold == fold(name), datasets.c.slug == name, datasets.c.id == name)
        found = _named(self._seen(and_(LIVE, is_meant)), name)
        if found is None:
            raise UnknownName("DataSet", name, list(self.names().values()))
        return found

    def change(
        self,
        id: str,  # noqa: A002  # the field's name
        changes: Mapping[str, Any],
        passed: Callable[[Scheduled], Iterable[Passed]] = lambda _one: (),
        *,
        as_of: dt.datetime | None = None,
    ) -> DataSet:
        """Store new values of some fields; the others stay, whoever changes them meanwhile. So does the slug.

        Slots of another schedule count from the change on.

        Args:
            id: the DataSet's.
            changes: field of `DataSet` → new value; with another schedule or zone `updated_at`, the time of the change.
            passed: given the schedule that was until then: its slots that have come due and were not accounted for.
            as_of: the `updated_at` that the DataSet must have; None = any.

        Returns:
            The DataSet as it is now.

        Raises:
            UnknownName: there is no such DataSet (any more).
            EditedMeanwhile: it was changed since then.
            UsageError: another DataSet has that name.
        """
        with self._database.writing() as connection:
            hold_dataset(connection, id)
            found = connection.scalar(select(datasets.c.updated_at).where(datasets.c.id == id))
            if as_of is not None and found != as_of:
                raise EditedMeanwhile(
                    f"Somebody else has changed the DataSet meanwhile, at {found:%Y-%m-%d %H:%M:%S}Z."
                )
            return _changed(connection, id, changes, passed)

    def remember(self, id: str, scopes: dict[str, Scope]) -> None:  # noqa: A002  # the field's name
        """Keep what the DataSet's single choices stand for; that is no change of the DataSet."""
        with self._database.writing() as connection:
            connection.execute(update(datasets).where(datasets.c.id == id).values(scopes=scopes))

    def restore(
        self, name: str, now: dt.datetime, passed: Callable[[Scheduled], Iterable[Passed]] = lambda _one: ()
    ) -> DataSet:
        """Bring the DataSet of that name or slug back, the one deleted last where there are several.

        Args:
            name: its name or slug.
            now: the present.
            passed: as for `change`: the slots of the time between.

        Raises:
            UnknownName: no DataSet that was deleted in the last 30 days has that name.
            UsageError: another DataSet has taken the name meanwhile.
        """
        dataset = _last_deleted([each for each in self.deleted() if _is_restorable(each, now)], name)
        with self._database.writing() as connection:
            _hold_deleted(connection, dataset)
            back = {"name": dataset.name, "deleted_at": None, "updated_at": now}
            return _changed(connection, dataset.id, back, passed)

    def find_deleted(self, name: str) -> DataSet:
        """The deleted DataSet of that name, slug or id, the one deleted last where there are several; restorable or not.

        Raises:
            UnknownName: there is none.
        """
        return _last_deleted(self.deleted(), name)

    def condemn(self, deleted: DataSet, now: dt.datetime) -> None:
        """Let a deleted DataSet be restored no more, as if it had been deleted long ago.

        Raises:
            UnknownName: it was restored or forgotten meanwhile.
        """
        long_ago = now - RESTORABLE - dt.timedelta(seconds=1)
        with self._database.writing() as connection:
            _hold_deleted(connection, deleted)
            connection.execute(update(datasets).where(datasets.c.id == deleted.id).values(deleted_at=long_ago))

    def expired(self, now: dt.datetime) -> Sequence[DataSet]:
        """The DataSets that were deleted too long ago to be restored; each is to be forgotten once its table is dropped."""
        return [each for each in self.deleted() if not _is_restorable(each, now)]

    def forget(self, id: str, *, found: DataSet | None = None) -> None:  # noqa: A002  # the field's name
        """Remove a DataSet with its runs for good.

        Args:
            id: the DataSet's.
            found: how it was found among the deleted ones, where it may have been restored since.

        Raises:
            UnknownName: it is not so any more.
        """
        with self._database.writing() as connection:
            if found is not None:
                _hold_deleted(connection, found)
            connection.execute(delete(datasets).where(datasets.c.id == id))
            forget_grants(connection, Thing.DATASET, id)
            connection.execute(delete(facts).where(facts.c.name == SIZE + id))

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

    def _sees(self) -> Collection[str] | None:
        """The ids of the DataSets that whoever asks may see; None = all."""
        return None

    def _seen(self, condition: ColumnElement[bool]) -> Sequence[DataSet]:
        found, seen = self._select(condition), self._sees()
        return found if seen is None else [one for one in found if one.id in seen]

    def _select(self, condition: ColumnElement[bool]) -> Sequence[DataSet]:
        query = select_records(datasets, DataSet).where(condition).order_by(*_BY_NAME)
        with self._database.reading() as connection:
            return read_all(connection, query, DataSet)


def _last_deleted(among: Iterable[DataSet], name: str) -> DataSet:
    """The one of that name, slug or id that was deleted last.

    Raises:
        UnknownName: there is none.
    """
    by_age = sorted(among, key=lambda each: each.deleted_at or each.updated_at, reverse=True)
    found = _named(by_age, name)
    if found is None:
        raise UnknownName("DataSet", name, [each.name for each in by_age])
    return found


def _hold_deleted(connection: Connection, deleted: DataSet) -> None:
    """Nobody else restores or condemns a deleted DataSet until the transaction has ended.

    Raises:
        UnknownName: it is not as it was found: somebody has restored, condemned or forgotten it meanwhile.
    """
    query = select(datasets.c.deleted_at).where(datasets.c.id == deleted.id).with_for_update()
    if connection.scalar(query) != deleted.deleted_at:
        raise UnknownName("DataSet", deleted.name, remedy="Somebody else has restored or purged it meanwhile.")


def _is_restorable(deleted: DataSet, now: dt.datetime) -> bool:
    return deleted.deleted_at is not None and now - deleted.deleted_at <= RESTORABLE


def slug_of(name: str) -> str:
    """A name as lower-case ASCII letters, digits and `_`, for SQL without quotes: `Événements 2` → `evenements_2`."""
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "_", ascii_only).strip("_")[:LONGEST_SLUG].strip("_") or "dataset"
    return f"_{slug}" if slug[0].isdigit() else slug


def _free_slug(connection: Connection, name: str) -> str:
    """The name's slug, with a number where it is taken or reserved; slugs of deleted DataSets stay taken."""
    slug = slug_of(name)
    taken = RESERVED.union(
        connection.scalars(select(datasets.c.slug).where(datasets.c.slug.startswith(slug, autoescape=True)))
    )
    candidates = itertools.chain([slug], (f"{slug}_{number}" for number in itertools.count(2)))
    return next(candidate for candidate in candidates if candidate not in taken)


def _changed(
    connection: Connection, id_: str, changes: Mapping[str, Any], passed: Callable[[Scheduled], Iterable[Passed]]
) -> DataSet:
    values = dict(changes)
    if "name" in changes:
        refuse_taken(connection, datasets, "a DataSet", changes["name"], but=id_, among=LIVE)
        values["name_fold"] = fold(changes["name"])
    before, schedules = _when(connection, id_), scheduled(connection, datasets.c.id == id_)
    statement = update(datasets).where(datasets.c.id == id_).values(**values).returning(*columns_of(datasets, DataSet))
    row = connection.execute(statement).mappings().first()
    if row is None:
        raise UnknownName("DataSet", id_)
    dataset = read_record(DataSet, row)
    if before != _when(connection, id_):
        for one in schedules:
            add_passed(connection, passed(one), after=one.until)
        connection.execute(update(datasets).where(datasets.c.id == id_).values(slots_until=dataset.updated_at))
    return dataset


def _when(connection: Connection, id_: str) -> tuple[str, str, dt.datetime | None] | None:
    """What the slots of a stored DataSet follow from."""
    query = select(datasets.c.schedule, datasets.c.details, datasets.c.deleted_at).where(datasets.c.id == id_)
    row = connection.execute(query).first()
    return None if row is None else (row.schedule, row.details.timezone, row.deleted_at)


def _named(among: Sequence[DataSet], name: str) -> DataSet | None:
    """The one of that name, else the one of that slug or id."""
    by_name = (one for one in among if fold(one.name) == fold(name))
    return next(by_name, None) or next((one for one in among if name in {one.slug, one.id}), None)


def _values(dataset: DataSet) -> dict[str, Any]:
    return {**msgspec.structs.asdict(dataset), "name_fold": fold(dataset.name)}
