"""Between records and rows: what the repositories share."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, FromClause, RowMapping, Select, Table, select
from sqlalchemy.exc import IntegrityError

from sentry_connector.errors import UnknownName, UsageError
from sentry_connector.store.tables import LIVE, datasets

Record = TypeVar("Record", bound=msgspec.Struct)


def columns_of(table: Table, record: type[msgspec.Struct]) -> list[ColumnElement[Any]]:
    """The columns that the record's fields stand in; other columns are never read into it."""
    return [table.c[name] for name in record.__struct_fields__]


def select_records(table: Table, record: type[msgspec.Struct]) -> Select[Any]:
    """A query for the record's fields."""
    return select(*columns_of(table, record))


def read_record(record: type[Record], row: RowMapping) -> Record:
    """The record that a row holds."""
    return record(**row)


def read_all(connection: Connection, query: Select[Any], record: type[Record]) -> list[Record]:
    """All records of a query that `select_records` began; for many of them, quicker than one by one."""
    names = record.__struct_fields__
    return [record(**dict(zip(names, row, strict=True))) for row in connection.execute(query).all()]


def read_some(connection: Connection, table: Table, record: type[Record], ids: Collection[str]) -> dict[str, Record]:
    """Id → the record, of those with these ids."""
    found = connection.execute(select_records(table, record).where(table.c.id.in_(ids))).mappings()
    return {row["id"]: read_record(record, row) for row in found}


def fold(name: str) -> str:
    """The name as names are compared: without case, without blanks around it."""
    return name.strip().casefold()


class Named(Protocol):
    """A record with a name."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def name(self) -> str:
        """Its name."""


AnyNamed = TypeVar("AnyNamed", bound=Named)


def find_named(kind: str, name: str, known: Sequence[AnyNamed]) -> AnyNamed:
    """The record of that name, or of that id.

    Raises:
        UnknownName: there is none; the nearest names are given.
    """
    for one in known:
        if fold(one.name) == fold(name):
            return one
    for one in known:
        if one.id == name:
            return one
    raise UnknownName(kind, name, [one.name for one in known])


def insert_once(connection: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert a row, unless one with its key is there, or what it belongs to is not; says whether it did.

    Safe between processes.
    """
    insert = import_module(f"sqlalchemy.dialects.{connection.dialect.name}").insert  # the other dialect is never loaded
    key = next(iter(table.primary_key))
    statement = insert(table).values(**values).on_conflict_do_nothing().returning(key)
    if not table.foreign_keys:
        return connection.execute(statement).first() is not None
    try:
        with connection.begin_nested():
            return connection.execute(statement).first() is not None
    except IntegrityError:
        return False


def hold_dataset(connection: Connection, id_: str) -> None:
    """Nobody else changes a DataSet, or what is to be done for it, until the transaction has ended.

    Raises:
        UnknownName: there is no such DataSet (any more).
    """
    # SQLite knows no locks of rows, and needs none: who writes to it is alone.
    if connection.scalar(select(datasets.c.id).where(datasets.c.id == id_, LIVE).with_for_update()) is None:
        raise UnknownName("DataSet", id_)


def refuse_taken(
    connection: Connection,
    table: FromClause,
    kind: str,
    name: str,
    *,
    but: str,
    among: ColumnElement[bool] | None = None,
) -> None:
    """Check that no other row than the one with the id `but` has the name.

    Raises:
        UsageError: another one has it.
    """
    query = select(table.c.name).where(table.c.name_fold == fold(name), table.c.id != but)
    taken = connection.scalar(query if among is None else query.where(among))
    if taken is not None:
        raise UsageError(
            f"There is already {kind} named {taken!r}.", remedy="Choose another; case does not count.", field="name"
        )
