"""DuckDB, through its own module, which takes Arrow batches as they are.

One process at a time has a DuckDB file open, so that it is opened for each transaction and no longer.
"""

from __future__ import annotations

import datetime as dt
import functools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from sentry_connector.destinations.delta_errors import destination_errors
from sentry_connector.destinations.sql_model import BATCH_ROWS, Dialect, Session, records, text
from sentry_connector.destinations.sql_text import literal, quoted, sql_type
from sentry_connector.destinations.stopping import stopped_after
from sentry_connector.errors import DestinationRefused, DestinationUnavailable

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "512MB",
    "python_enable_replacements": "false",
}
"""The same for all who open a file in this process: DuckDB refuses others."""

_LONGEST_TURN = 600.0
"""Seconds to wait for others of this process."""

_ROWS = "_sentry_connector_rows"

_KINDS = (pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.date32(), pa.timestamp("us", tz="UTC"))
_SPELLED = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}


def _instant(at: dt.datetime) -> str:
    return f"{literal(at.isoformat())}::TIMESTAMPTZ"


def _columns(schema: str, table: str) -> str:
    return (
        "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database()"
        f" AND schema_name = {text(schema)} AND table_name = {text(table)} ORDER BY column_index"
    )


def _is_json(column: str) -> str:
    """Whether DuckDB can look into a JSON text: half of a pair of escapes, which JSON may hold, is none to it."""
    halves = " OR ".join(f"contains({column}, '\\u{letter}')" for letter in "dD")
    return f"(NOT ({halves}) OR json_valid({column}))"


def _tag(column: str, key: str) -> str:
    keys, values = (f"json_extract_string({column}, '$[*].{part}')" for part in ("key", "value"))
    return f"CASE WHEN {_is_json(column)} THEN list_extract({values}, list_position({keys}, {literal(key)})) END"


def _keys(table: str, column: str) -> str:
    readable = f"CASE WHEN {_is_json(column)} THEN {column} END"
    return f"SELECT unnest(json_keys({readable})) AS key FROM {table} WHERE {column} IS NOT NULL"


DIALECT = Dialect(
    name="DuckDB",
    types={kind: _SPELLED.get(sql_type(kind), sql_type(kind)) for kind in _KINDS},
    place="rowid",
    same="IS NOT DISTINCT FROM",
    instant=_instant,
    day=lambda day: f"DATE {literal(day.isoformat())}",
    hour=lambda time: f"CAST(epoch(date_trunc('hour', {time})) AS BIGINT)",
    columns=_columns,
    contains=lambda text, part: f"contains(lower({text}), lower({part}))",
    tag=_tag,
    keys=_keys,
    distinct=lambda what: f"approx_count_distinct({what})",
    estimates=True,
    folds_case=True,
    keeps_comments=True,
)


@functools.cache
def _turn(_path: str) -> threading.Lock:
    """Who writes to a file. A process has one instance of it, whoever asks DuckDB for it; so it has one turn."""
    return threading.Lock()


@dataclass(frozen=True, kw_only=True, slots=True)
class DuckDB:
    """A DuckDB file."""

    path: str

    @property
    def address(self) -> str:
        """Where it is."""
        return f"duckdb:///{self.path}"

    @contextmanager
    def session(self, *, writing: bool = False, seconds: float | None = None) -> Iterator[Session]:
        """A transaction; those that write come one after another."""
        with self._alone() if writing else nullcontext():
            connection = self._connect()
            try:
                session = DuckSession(connection, self.path)
                session.execute("SET TimeZone = 'UTC'")
                session.execute("BEGIN TRANSACTION")
                with stopped_after(seconds, connection.interrupt):
                    yield session
            finally:
                with suppress(duckdb.Error):  # one that failed is over already
                    connection.rollback()
                connection.close()

    def version(self, session: Session) -> str:
        """What database it is, for people."""
        (found,) = records(session, "SELECT version()", pa.schema([("version", pa.string())]))
        return f"DuckDB {found['version']}"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        turn = _turn(self.path)
        if not turn.acquire(timeout=_LONGEST_TURN):
            raise DestinationUnavailable(f"Others of this process write to {self.address} for very long.")
        try:
            yield
        finally:
            turn.release()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        """Open the file.

        Raises:
            DestinationUnavailable: another process has it open.
            DestinationRefused: it is no DuckDB file.
        """
        if not _is_duckdb(Path(self.path)):
            raise DestinationRefused(f"{self.path} is no DuckDB file.", remedy="Name another file, or one that is new.")
        try:
            return duckdb.connect(self.path, config=_CONFIG)
        except (duckdb.IOException, duckdb.ConnectionException) as error:
            raise DestinationUnavailable(
                f"{self.address} cannot be opened: {' '.join(str(error).split())}",
                remedy="One process at a time has a DuckDB file open: close it in the other one, then run again.",
            ) from error


class DuckSession:
    """A transaction of a DuckDB file."""

    dialect = DIALECT
    schema = "main"

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: str) -> None:
        self._connection = connection
        self._path = path

    def lock(self, name: str) -> None:
        """Whoever writes is alone: in this process by its turn, and no other one has the file open."""

    def execute(self, sql: str) -> int:
        """Run one statement; how many rows it changed."""
        with self._errors():
            found = self._connection.execute(sql).fetchone()
            return found[0] if found and isinstance(found[0], int) else 0

    def select(self, sql: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The rows of a SELECT."""
        with self._errors():
            for batch in self._connection.sql(sql).to_arrow_reader(BATCH_ROWS):
                columns = [column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)

    def load(self, name: str, rows: pa.RecordBatchReader) -> None:
        """Make a temporary table of these rows."""
        with self._errors():
            self._connection.register(_ROWS, rows)
            self._connection.execute(f"CREATE TEMPORARY TABLE {quoted(name)} AS SELECT * FROM {quoted(_ROWS)}")
            self._connection.unregister(_ROWS)

    def ready(self, name: str, *joined: Sequence[str]) -> None:
        """It makes hash tables by itself."""

    def commit(self) -> None:
        """Commit."""
        self.execute("COMMIT")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Say in our words what DuckDB raises, by its class."""
        try:
            with destination_errors(str(Path(self._path).parent), needed=0):
                yield
        except (duckdb.TransactionException, duckdb.ConstraintException) as error:
            raise DestinationUnavailable(f"Another transaction was first: {_one_line(error)}") from error
        except duckdb.Error as error:
            raise DestinationRefused(f"{self._path} refuses: {_one_line(error)}") from error


def _one_line(error: duckdb.Error) -> str:
    return " ".join(str(error).split())


def _is_duckdb(path: Path) -> bool:
    """Whether DuckDB may open it: it is one of its files, or is not there yet.

    https://duckdb.org/docs/stable/internals/storage
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(12)
    except OSError:
        return True  # who opens it tells what is in the way
    return not head or head[8:] == b"DUCK"
