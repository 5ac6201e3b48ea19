"""What the SQL destinations have in common: a database, a session of it that is one transaction, and how its SQL differs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from sentry_connector.destinations.sql_text import literal, quoted

BATCH_ROWS = 8192


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """Where one database's SQL differs from another's.

    Attributes:
        name: of the database, for people.
        types: the columns' types; as its catalogue spells them.
        place: the name of the column that tells where a row lies; it holds within one transaction.
        same: the operator for "equal, or both null".
        instant: a time as a literal.
        day: a day as a literal.
        hour: of an expression for a time: the beginning of its hour in unix seconds.
        columns: given a schema and a table, the statement that answers the names and types of its columns.
        contains: given two texts, whether the first holds the second, upper and lower case alike.
        tag: given a column with Sentry's tags (JSON text) and a key, the value of that tag.
        keys: given a table and a column with JSON objects, a SELECT with a row (`key`) for each key of each of them.
        distinct: how many different values an expression has.
        estimates: `distinct` is an estimate.
        longest_name: bytes of the longest identifier; None where any length does.
        folds_case: names that differ in case alone are one.
        keeps_comments: columns can carry a description.
    """

    name: str
    types: Mapping[pa.DataType, str]
    place: str
    same: str
    instant: Callable[[dt.datetime], str]
    day: Callable[[dt.date], str]
    hour: Callable[[str], str]
    columns: Callable[[str, str], str]
    contains: Callable[[str, str], str]
    tag: Callable[[str, str], str]
    keys: Callable[[str, str], str]
    distinct: Callable[[str], str] = lambda what: f"count(DISTINCT {what})"
    estimates: bool = False
    longest_name: int | None = None
    folds_case: bool = False
    keeps_comments: bool = False


Value = str | int | float | bool | dt.datetime | dt.date


@dataclass(frozen=True, kw_only=True, slots=True)
class Sql:
    """How a statement about one table is written for whoever answers it.

    Attributes:
        dialect: their SQL.
        table: stands for the rows.
        value: stands for a value, whatever it holds.
    """

    dialect: Dialect
    table: str
    value: Callable[[Value], str]


Statement = Callable[[Sql], str]
"""One SELECT over one table, as each database wants it."""


class Session(Protocol):
    """One transaction. What is wrong with a statement is raised as `DestinationError`, never as the library's own."""

    @property
    def dialect(self) -> Dialect:
        """How its SQL differs."""

    @property
    def schema(self) -> str:
        """The schema that tables are made in."""

    def lock(self, name: str) -> None:
        """Nobody else who asks for the same name goes on until the transaction has ended."""

    def execute(self, sql: str) -> int:
        """Run one statement; how many rows it changed, where it changes rows."""

    def select(self, sql: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The rows of a SELECT; its columns are those of `schema`, in their order."""

    def load(self, name: str, rows: pa.RecordBatchReader) -> None:
        """Make a temporary table of these rows."""

    def ready(self, name: str, *joined: Sequence[str]) -> None:
        """Make a temporary table, now that it is filled, fast to join by each of these groups of columns."""

    def commit(self) -> None:
        """Make what was done last.

        Raises:
            DestinationUnavailable: whether it does is not known: look once more.
        """


class Database(Protocol):
    """A database that tables lie in."""

    @property
    def address(self) -> str:
        """Where it is, without anything secret."""

    def session(self, *, writing: bool = False, seconds: float | None = None) -> AbstractContextManager[Session]:
        """A transaction; unless it is committed, nothing of it stays.

        Args:
            writing: it changes something.
            seconds: after which a statement is stopped; None = never.

        Raises:
            QueryTimeout: a statement was stopped.
            DestinationUnavailable: the database cannot be reached, or another process keeps it locked.
            DestinationRefused: it lets nobody in.
            UsageError: its driver is not installed.
        """

    def version(self, session: Session) -> str:
        """What database it is, for people."""


def text(value: str | None) -> str:
    """A text as a literal of any of the databases: one that holds NUL ends there in some of them."""
    return "NULL" if value is None else literal(value.replace("\0", "\ufffd"))


def written(dialect: Dialect, value: Value) -> str:
    """A value as a literal."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return dialect.instant(value)
    if isinstance(value, dt.date):
        return dialect.day(value)
    return text(value) if isinstance(value, str) else repr(value)


def qualified(session: Session, name: str) -> str:
    """A table's name with its schema, so that no temporary table or other schema comes in its place."""
    return f"{quoted(session.schema)}.{quoted(name)}"


def listing(names: Iterable[str], alias: str | None = None) -> str:
    """Columns, one after another."""
    prefix = "" if alias is None else f"{alias}."
    return ", ".join(f"{prefix}{quoted(name)}" for name in names)


def records(session: Session, sql: str, schema: pa.Schema) -> list[dict[str, Any]]:
    """The rows of a SELECT that answers a few."""
    return [row for batch in session.select(sql, schema) for row in batch.to_pylist()]


def integers(session: Session, sql: str, count: int = 1) -> list[int]:
    """The one row of a SELECT of integers."""
    schema = pa.schema([(f"n{number}", pa.int64()) for number in range(count)])
    (row,) = records(session, sql, schema)
    return list(row.values())


_COLUMN = pa.schema([("name", pa.string()), ("type", pa.string())])


def column_types(session: Session, name: str) -> dict[str, str]:
    """The columns of a table, or of whatever bears its name, with their types; empty where there is none."""
    sql = session.dialect.columns(session.schema, name)
    return {one["name"]: one["type"] for one in records(session, sql, _COLUMN)}
