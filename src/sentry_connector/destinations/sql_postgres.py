"""PostgreSQL, through its ADBC driver: Arrow batches go in by a binary COPY, and come out as Arrow batches.

SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import pyarrow as pa
import pyarrow.compute as pc

from sentry_connector.destinations.sql_model import Dialect, Session, records, text
from sentry_connector.destinations.sql_text import literal, quoted
from sentry_connector.errors import (
    DestinationError,
    DestinationRefused,
    DestinationUnavailable,
    DiskFull,
    QueryTimeout,
    UsageError,
)

_SETTINGS = {
    "standard_conforming_strings": "on",
    "TimeZone": "UTC",
    "client_min_messages": "error",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",  # whose client is gone without a word keeps its locks no longer
}
_CONNECT_TIMEOUT = 10
"""Seconds for each of the host's addresses."""

_USER = re.compile(r"^(\w+://)[^/@]*@")

_FULL = "53100"
_STOPPED = "57014"
"""A statement was stopped: by its time limit, or by somebody."""
_PASSING = ("08", "40", "53", "57")
"""Classes of SQLSTATE that say nothing against the statement: a lost connection, a deadlock, too many clients, a shutdown."""
_PASSING_STATES = {"55P03", "25P03"}
"""A lock that others keep, a transaction that was idle for too long."""


def _instant(at: dt.datetime) -> str:
    return f"{literal(at.isoformat())}::timestamptz"


def _day(day: dt.date) -> str:
    return f"DATE {literal(day.isoformat())}"


def _columns(schema: str, table: str) -> str:
    return (
        "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a"
        " JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname = {text(schema)} AND c.relname = {text(table)}"
        " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
    )


_PAIRS, _UNREADABLE = r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}", r"\\u(0000|d[89a-f])"


def _is_json(column: str) -> str:
    """Whether PostgreSQL can look into a JSON text: it takes no escaped NUL, and no half of a pair of escapes."""
    return f"regexp_replace({column}, {literal(_PAIRS)}, '', 'gi') !~* {literal(_UNREADABLE)}"


def _tag(column: str, key: str) -> str:
    values = f"SELECT one ->> 'value' FROM json_array_elements({column}::json) AS one WHERE one ->> 'key' = {text(key)}"
    return f"CASE WHEN {_is_json(column)} THEN ({values} LIMIT 1) END"


def _keys(table: str, column: str) -> str:
    readable = f"CASE WHEN {_is_json(column)} THEN {column}::json END"
    return f"SELECT json_object_keys({readable}) AS key FROM {table} WHERE {column} IS NOT NULL"


DIALECT = Dialect(
    name="PostgreSQL",
    types={
        pa.string(): "text",
        pa.int64(): "bigint",
        pa.float64(): "double precision",
        pa.bool_(): "boolean",
        pa.date32(): "date",
        pa.timestamp("us", tz="UTC"): "timestamp with time zone",
    },
    place="ctid",
    same="IS NOT DISTINCT FROM",
    instant=_instant,
    day=_day,
    hour=lambda time: f"CAST(floor(extract(epoch FROM {time}) / 3600) * 3600 AS bigint)",
    columns=_columns,
    contains=lambda text, part: f"strpos(lower({text}), lower({part})) > 0",
    tag=_tag,
    keys=_keys,
    longest_name=63,
    keeps_comments=True,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Postgres:
    """A PostgreSQL database.

    Attributes:
        url: as libpq takes it, without a password.
        password: answers it when it is needed; None leaves it to libpq (`PGPASSWORD`, `~/.pgpass`).
    """

    url: str
    password: Callable[[], str | None] = field(default=lambda: None, repr=False)
    _drivers: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def address(self) -> str:
        """Where it is, without who comes in and how."""
        return _USER.sub(r"\1", self.url.partition("?")[0])

    @contextmanager
    def session(self, *, writing: bool = False, seconds: float | None = None) -> Iterator[Session]:
        """A transaction. Each statement sees what others have committed until it begins; `lock` keeps them out."""
        dbapi = _driver()
        password = self.password()
        with _errors(self.address, password):
            connection = self._connection(dbapi, self._with(password))
        try:
            session = PostgresSession(connection, self.address, password, seconds)
            session.execute(_setting(writing=writing, seconds=seconds))
            yield session
        finally:
            with suppress(dbapi.Error):  # a connection that is lost has nothing to take back
                connection.rollback()
            with suppress(dbapi.Error):
                connection.close()

    def version(self, session: Session) -> str:
        """What database it is, for people."""
        (found,) = records(session, "SELECT current_setting('server_version')", pa.schema([("version", pa.string())]))
        return f"PostgreSQL {found['version']}"

    def _connection(self, dbapi: Any, address: str) -> Any:
        """A connection. The driver asks the server for all its types when it is made, so that one is kept for many of them."""
        import adbc_driver_manager  # noqa: PLC0415  # comes with the driver
        import adbc_driver_postgresql  # noqa: PLC0415

        driver = self._drivers.get(address)
        if driver is None:
            driver = self._drivers[address] = adbc_driver_postgresql.connect(address)
        return dbapi.Connection(_Kept(), adbc_driver_manager.AdbcConnection(driver), autocommit=False)

    def _with(self, password: str | None) -> str:
        options = {"connect_timeout": str(_CONNECT_TIMEOUT), "application_name": "sentry-connector"}
        missing = {name: value for name, value in options.items() if f"{name}=" not in self.url}
        if password is not None:
            missing["password"] = password
        return (
            f"{self.url}{'&' if '?' in self.url else '?'}{urlencode(missing, quote_via=quote)}" if missing else self.url
        )


def _setting(*, writing: bool, seconds: float | None) -> str:
    """How a session goes, all in one statement, which is one way to the server and back."""
    settings = dict(_SETTINGS)
    if not writing:
        settings["transaction_read_only"] = "on"
    if seconds is not None:
        settings["statement_timeout"] = str(max(1, round(seconds * 1000)))  # 0 is none
    return "SELECT " + ", ".join(
        f"set_config({literal(name)}, {literal(value)}, false)" for name, value in settings.items()
    )


class _Kept:
    """Stands for the driver in a connection, which closes it at its own end."""

    def close(self) -> None:
        """Not yet."""


class PostgresSession:
    """A transaction of a PostgreSQL database."""

    dialect = DIALECT

    def __init__(self, connection: Any, address: str, password: str | None, seconds: float | None) -> None:
        self._connection = connection
        self._address = address
        self._password = password
        self._seconds = seconds
        self._schema: str | None = None

    @property
    def schema(self) -> str:
        """The first schema of the search path."""
        if self._schema is None:
            (found,) = records(self, "SELECT current_schema()::text", pa.schema([("schema", pa.string())]))
            if found["schema"] is None:
                raise DestinationRefused(
                    f"{self._address} names no schema that tables can be made in.",
                    remedy="Set the search path, as with ?options=-csearch_path%3Dpublic at the end of the address.",
                )
            self._schema = str(found["schema"])
        return self._schema

    def lock(self, name: str) -> None:
        """An advisory lock, which the end of the transaction lets go."""
        key = f"hashtextextended({text(f'sentry-connector/{self.schema}/{name}')}, 0)"
        self.execute(f"SELECT count(*) FROM pg_advisory_xact_lock({key})")

    def execute(self, sql: str) -> int:
        """Run one statement; how many rows it changed."""
        with self._errors(), self._connection.cursor() as cursor:
            cursor.execute(sql)
            return int(cursor.rowcount)

    def select(self, sql: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The rows of a SELECT."""
        with self._errors(), self._connection.cursor() as cursor:
            cursor.execute(sql)
            for batch in _batches(cursor):
                columns = [column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)

    def load(self, name: str, rows: pa.RecordBatchReader) -> None:
        """Make a temporary table of these rows. NUL, which PostgreSQL takes in no text, is U+FFFD in it."""
        told = pa.RecordBatchReader.from_batches(rows.schema, map(_without_nul, rows))
        with self._errors(), self._connection.cursor() as cursor:
            cursor.adbc_ingest(name, told, mode="create", temporary=True)

    def ready(self, name: str, *joined: Sequence[str]) -> None:  # noqa: ARG002  # it makes hash tables by itself
        """Tell the planner how large it is."""
        self.execute(f"ANALYZE {quoted(name)}")

    def commit(self) -> None:
        """Commit; what is not known of it is `DestinationUnavailable`."""
        with self._errors():
            self._connection.commit()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Say in our words what the driver raises."""
        with _errors(self._address, self._password, self._seconds):
            yield


def _batches(cursor: Any) -> Iterator[pa.RecordBatch]:
    """The rows as they come. The reader that the cursor itself gives is Arrow's own, whose errors know no SQLSTATE."""
    from adbc_driver_manager._reader import AdbcRecordBatchReader  # noqa: PLC0415  # comes with the driver

    rows = cursor.fetch_arrow()
    yield from AdbcRecordBatchReader._import_from_c(rows.address)  # noqa: SLF001  # Arrow's own way in


def _without_nul(batch: pa.RecordBatch) -> pa.RecordBatch:
    def plain(column: pa.Array) -> pa.Array:
        if not pa.types.is_string(column.type) or not pc.any(pc.match_substring(column, "\0")).as_py():
            return column
        return pc.replace_substring(column, "\0", "\ufffd")

    return pa.RecordBatch.from_arrays([plain(column) for column in batch.columns], schema=batch.schema)


def _driver() -> Any:
    try:
        from adbc_driver_postgresql import dbapi  # noqa: PLC0415  # an extra
    except ModuleNotFoundError:
        raise UsageError(
            "PostgreSQL needs its driver, which is not installed.", remedy="pip install 'sentry-connector[postgres]'"
        ) from None
    return dbapi


@contextmanager
def _errors(address: str, password: str | None, seconds: float | None = None) -> Iterator[None]:
    """Say in our words what the driver raises, by the server's SQLSTATE; without one, the connection itself is in trouble."""
    dbapi = _driver()
    try:
        yield
    except dbapi.Error as error:
        # Without its cause: the driver's own words may repeat the whole address.
        raise _meaning(error, address, password, seconds) from None


def _meaning(error: Any, address: str, password: str | None, seconds: float | None) -> DestinationError | QueryTimeout:
    if error.sqlstate == _STOPPED and seconds is not None:
        return QueryTimeout(f"It was stopped after {seconds:g} seconds.")
    said = " ".join(str(error).split())
    for secret in {password, quote(password, safe="")} if password else ():
        said = said.replace(secret, "…")
    state = error.sqlstate or ""
    if state == _FULL:
        return DiskFull(f"No space is left where {address} lies; the table is as it was.")
    if state.startswith(_PASSING) or state in _PASSING_STATES or (not state and _is_of_the_connection(error)):
        return DestinationUnavailable(f"{address} cannot be reached, or is busy: {said}")
    return DestinationRefused(f"{address} refuses: {said}")


def _is_of_the_connection(error: Any) -> bool:
    import adbc_driver_manager  # noqa: PLC0415  # comes with the driver

    code = adbc_driver_manager.AdbcStatusCode
    return error.status_code in {code.IO, code.UNKNOWN, code.CANCELLED, code.TIMEOUT}
