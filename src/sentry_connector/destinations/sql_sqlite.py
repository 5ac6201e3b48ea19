"""SQLite, through Python's own module: two copies of its library in one process would take each other's locks away.

https://www.sqlite.org/howtocorrupt.html#multiple_copies_of_sqlite_linked_into_the_same_application
"""

from __future__ import annotations

import datetime as dt
import itertools
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sentry_connector.destinations.sql_model import BATCH_ROWS, Dialect, Session, listing, text
from sentry_connector.destinations.sql_text import literal, quoted
from sentry_connector.destinations.stopping import stopped_after
from sentry_connector.errors import DestinationError, DestinationRefused, DestinationUnavailable, DiskFull

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_KINDS = 0xFF
"""The lowest byte of an error's number is its kind: https://www.sqlite.org/rescode.html"""

_INSTANT, _DAY = pa.timestamp("us", tz="UTC"), pa.date32()


def _instant(at: dt.datetime) -> str:
    utc = at.astimezone(dt.UTC).replace(tzinfo=None)
    return literal(f"{utc.isoformat(timespec='microseconds')}Z")


def _columns(_schema: str, table: str) -> str:
    return f"SELECT name, type FROM pragma_table_info({text(table)}, 'main')"


def _readable(column: str) -> str:
    """A JSON text that Python can read the parts of; SQLite does not tell a pair of escapes from half of one."""
    return f"CASE WHEN instr(lower({column}), '\\ud') = 0 THEN {column} END"


def _tag(column: str, key: str) -> str:
    found, value = (f"json_extract(value, '$.{part}')" for part in ("key", "value"))
    one = f"SELECT CAST({value} AS TEXT) FROM json_each({_readable(column)}) WHERE {found} = {text(key)} LIMIT 1"
    return f"({one})"


def _keys(table: str, column: str) -> str:
    return f"SELECT one.key FROM {table}, json_each({_readable(column)}) AS one WHERE {column} IS NOT NULL"


DIALECT = Dialect(
    name="SQLite",
    types={
        pa.string(): "TEXT",
        pa.int64(): "INTEGER",
        pa.float64(): "REAL",
        pa.bool_(): "BOOLEAN",
        _DAY: "DATE TEXT",
        _INSTANT: "TIMESTAMP TEXT",
    },
    place="rowid",
    same="IS",
    instant=_instant,
    day=lambda day: literal(day.isoformat()),
    hour=lambda time: f"CAST(strftime('%s', substr({time}, 1, 19)) AS INTEGER) / 3600 * 3600",
    columns=_columns,
    contains=lambda text, part: f"instr(lower({text}), lower({part})) > 0",
    tag=_tag,
    keys=_keys,
    folds_case=True,
)
"""A type's name says what a column is of, and its last word that SQLite keeps texts as they are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sqlite:
    """An SQLite file.

    Attributes:
        path: where it is.
        patience: seconds to wait for another process that has the file locked, before an attempt is over.
    """

    path: str
    patience: float = 10.0

    @property
    def address(self) -> str:
        """Where it is."""
        return f"sqlite:///{self.path}"

    @contextmanager
    def session(self, *, writing: bool = False, seconds: float | None = None) -> Iterator[Session]:
        """A transaction; from its beginning no other one writes, where it does."""
        with _errors(self.address):
            connection = sqlite3.connect(
                self.path, timeout=self.patience, isolation_level=None, check_same_thread=False
            )
        with closing(connection):  # what is not committed is taken back
            session = SqliteSession(connection, self.address)
            session.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
            with stopped_after(seconds, connection.interrupt):
                yield session

    def version(self, session: Session) -> str:  # noqa: ARG002  # it is in this process
        """What database it is, for people."""
        return f"SQLite {sqlite3.sqlite_version}"


class SqliteSession:
    """A transaction of an SQLite file."""

    dialect = DIALECT
    schema = "main"

    def __init__(self, connection: sqlite3.Connection, address: str) -> None:
        self._connection = connection
        self._address = address

    def lock(self, name: str) -> None:
        """Whoever writes is alone."""

    def execute(self, sql: str) -> int:
        """Run one statement; how many rows it changed."""
        with _errors(self._address):
            return self._connection.execute(sql).rowcount

    def select(self, sql: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The rows of a SELECT."""
        with _errors(self._address), closing(self._connection.execute(sql)) as cursor:
            while rows := cursor.fetchmany(BATCH_ROWS):
                columns = zip(zip(*rows, strict=True), schema, strict=True)
                yield pa.RecordBatch.from_arrays([_read(values, field) for values, field in columns], schema=schema)

    def load(self, name: str, rows: pa.RecordBatchReader) -> None:
        """Make a temporary table of these rows."""
        columns = ", ".join(f"{quoted(one.name)} {DIALECT.types[one.type]}" for one in rows.schema)
        self.execute(f"CREATE TEMPORARY TABLE {quoted(name)} ({columns})")
        places = ", ".join("?" * len(rows.schema))
        values = itertools.chain.from_iterable(zip(*map(_written, batch.columns), strict=True) for batch in rows)
        with _errors(self._address):
            self._connection.executemany(f"INSERT INTO {quoted(name)} VALUES ({places})", values)

    def ready(self, name: str, *joined: Sequence[str]) -> None:
        """Make an index for each join: SQLite goes row by row."""
        for number, columns in enumerate(joined):
            index = quoted(f"{name}_{number}")
            self.execute(f"CREATE INDEX temp.{index} ON {quoted(name)} ({listing(columns)})")

    def commit(self) -> None:
        """Commit."""
        self.execute("COMMIT")


def _written(column: pa.Array) -> list[Any]:
    """Values as SQLite keeps them: times as text, all with microseconds, so that they sort as they are."""
    if column.type == _INSTANT:
        words = pc.replace_substring(pc.local_timestamp(column).cast(pa.string()), " ", "T", max_replacements=1)
        column = pc.binary_join_element_wise(words, "Z", "")
    elif column.type == _DAY:
        column = column.cast(pa.string())
    values: list[Any] = column.to_pylist()
    return values


_READ: Mapping[pa.DataType, Callable[[Sequence[Any]], pa.Array]] = {
    _INSTANT: lambda values: pa.array(values, pa.string()).cast(_INSTANT),
    _DAY: lambda values: pa.array(values, pa.string()).cast(_DAY),
    pa.bool_(): lambda values: pa.array([None if one is None else bool(one) for one in values], pa.bool_()),
}


def _read(values: Sequence[Any], field: pa.Field) -> pa.Array:
    """Values as the column's type has them.

    Raises:
        DestinationRefused: somebody else has stored one that is none.
    """
    try:
        return _READ[field.type](values) if field.type in _READ else pa.array(values, field.type)
    except (pa.ArrowException, TypeError) as error:
        raise DestinationRefused(f"The column {field.name!r} holds what is no {field.type}: {error}") from error


@contextmanager
def _errors(address: str) -> Iterator[None]:
    """Say in our words what SQLite raises, by its number."""
    try:
        yield
    except sqlite3.Error as error:
        raise _meaning(error, address) from error


def _meaning(error: sqlite3.Error, address: str) -> DestinationError:
    kind = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _KINDS
    if kind in _BUSY:
        return DestinationUnavailable(
            f"{address} is locked by another process.",
            remedy="Let the other process end its transaction, then run again.",
        )
    if kind == sqlite3.SQLITE_FULL:
        return DiskFull(f"No space is left where {address} lies; the table is as it was.")
    return DestinationRefused(f"{address} refuses: {error}")
