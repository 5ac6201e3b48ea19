"""The one way to the store's database: an engine set up right, transactions, and its errors in our words."""

from __future__ import annotations

import datetime as dt
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, func, make_url, select
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    OperationalError,
    PendingRollbackError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from sentry_connector.errors import ConnectorError, DiskFull, Locked, StoreUnreachable, StoreUnusable, UsageError
from sentry_connector.store import postgresql
from sentry_connector.store.private_files import FILE_MODE, is_private, private_file

WAIT_FOR_LOCK = 30.0
"""Seconds that a statement waits for another process's transaction, and whoever begins one for a server that was there before."""

PAUSE = 0.25
"""Seconds between two attempts to reach that server."""

SQLITE, POSTGRESQL = "sqlite", "postgresql"

_IN_MEMORY = (None, "", ":memory:")

SHARED_MEMORY = 32 * 1024
"""Bytes that SQLite needs beside a database with a write-ahead log, also to read it (https://www.sqlite.org/walformat.html)."""

_ROOM_OR_ELSE = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
"""What SQLite says where there is no room for that."""


class Database:
    """An engine with two kinds of transactions."""

    def __init__(self, url: str, *, wait: float = WAIT_FOR_LOCK, own_time: bool = True) -> None:
        """Prepare the way; nothing is opened yet, but SQLite's file is made where it is missing.

        Args:
            url: of SQLAlchemy.
            wait: seconds that a statement waits for another process's transaction.
            own_time: whether leases go by PostgreSQL's clock; else by that of whoever asks, as on SQLite.

        Raises:
            StoreUnusable: the URL is none, its driver is not installed, or the file cannot be made.
        """
        self._file: tuple[int, int] | None = None
        self._wait = wait
        self._was_there = False
        parsed = _parsed(url)
        self.kind = parsed.get_backend_name()
        self.name = postgresql.name_of(parsed) if self.kind == POSTGRESQL else str(parsed.database or _IN_MEMORY[-1])
        self._own_time = own_time and self.kind == POSTGRESQL
        try:
            if self.kind == SQLITE and parsed.database not in _IN_MEMORY:
                self._file = _make_private(Path(self.name))
            self.engine = _sqlite(url, wait) if self.kind == SQLITE else postgresql.engine_of(parsed, wait)
        except ModuleNotFoundError as error:
            raise StoreUnusable(
                f"The database {self.name} needs the Python module {error.name}.",
                remedy="pip install 'sentry-connector[postgres]'",
            ) from error
        except OSError as error:
            raise StoreUnusable(f"The database {self.name} cannot be made: {error.strerror}.") from error

    def check(self) -> None:
        """See to it that the database can be read, and is where it was: open connections go on in a file that was moved away.

        Raises:
            Locked, StoreUnusable: it cannot, or is not.
        """
        with self.reading() as connection:
            connection.exec_driver_sql("SELECT 1")
        if self._file is not None and self._file != _identity(Path(self.name)):
            raise StoreUnusable(
                f"The file of the database {self.name} was moved away or replaced while it was open.",
                remedy="Put it back, or stop the server and start it again.",
            )

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database and changes nothing."""
        options = {"begin": "BEGIN"} if self.kind == SQLITE else postgresql.READING
        with self._transaction(options) as connection:
            yield connection

    @contextmanager
    def writing(self, *, alone: bool = True) -> Iterator[Connection]:
        """A transaction that is done whole when the block ends, and not at all when it raises.

        Args:
            alone: no other such transaction is under way, so that what it reads is still so when it writes. One whose every
                statement is right by itself, whatever others do between them, need not be; on SQLite it is all the same.
        """
        options = {"begin": "BEGIN IMMEDIATE"} if self.kind == SQLITE else postgresql.WRITING
        with self._transaction(options) as connection:
            if alone and self.kind == POSTGRESQL:
                postgresql.be_alone(connection)
            yield connection

    def copy(self, target: Path) -> None:
        """Write one state of an SQLite database into a new file for its owner alone, whoever writes to the database meanwhile.

        Raises:
            FileExistsError: the file is there already; it stays as it is.
            OSError, StoreUnusable: it cannot be written, or the database cannot be read.
        """
        private_file(target)
        try:
            with self.reading() as connection, closing(sqlite3.connect(target)) as copy:
                source: Any = connection.connection.driver_connection
                source.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")  # one file, whole by itself
        except BaseException:
            target.unlink()
            raise

    def present(self, connection: Connection, now: dt.datetime) -> dt.datetime:
        """The time that leases go by: PostgreSQL's, so that no machine with a wrong clock takes what others have; else `now`."""
        if not self._own_time:
            return now
        found: dt.datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return found.astimezone(dt.UTC)

    @contextmanager
    def _transaction(self, options: dict[str, Any]) -> Iterator[Connection]:
        try:
            with self._connected().execution_options(**options) as connection, connection.begin():
                yield connection
        except (SQLAlchemyError, msgspec.MsgspecError) as error:
            raise self._translated(error) from error

    def _connected(self) -> Connection:
        """A connection. A server that was there before is waited for: it may be started again at this very moment."""
        give_up = time.monotonic() + self._wait
        while True:
            try:
                connection = self.engine.connect()
            except OperationalError:
                if not self._was_there or self.kind == SQLITE or time.monotonic() >= give_up:
                    raise
                time.sleep(PAUSE)
            else:
                self._was_there = True
                return connection

    def _translated(self, error: SQLAlchemyError | msgspec.MsgspecError) -> ConnectorError:
        """The database's error in our words."""
        if isinstance(error, NoConnectionFree):
            return StoreUnreachable(f"No connection to the database {self.name} became free within {self._wait:.0f} s.")
        if isinstance(error, PendingRollbackError):  # the one before it is not heard any more
            return StoreUnreachable(f"The connection to the database {self.name} was lost.")
        cause = error.orig if isinstance(error, DBAPIError) else error
        of_postgresql = postgresql.meaning(error, self.name) if isinstance(error, DBAPIError) else None
        known = of_postgresql if self.kind == POSTGRESQL else self._meaning_of_sqlite(cause)
        if known is not None:
            return known
        if isinstance(error, IntegrityError):
            return UsageError("Somebody else made or deleted the same thing meanwhile.", remedy="Look, and try again.")
        if isinstance(error, msgspec.MsgspecError):
            return self._damaged()
        return StoreUnusable(f"The database {self.name} cannot be used: {postgresql.one_line(cause)}.")

    def _meaning_of_sqlite(self, cause: BaseException | None) -> ConnectorError | None:
        """What SQLite's own result codes mean, where they are well known: https://www.sqlite.org/rescode.html."""
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # the primary code
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return Locked(f"Another process is writing to the database {self.name}.")
        if code == sqlite3.SQLITE_FULL or (code in _ROOM_OR_ELSE and self._has_no_room()):
            return DiskFull(f"No space is left for the database {self.name}.")
        return self._damaged() if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) else None

    def _damaged(self) -> StoreUnusable:
        return StoreUnusable(
            f"The database {self.name} is damaged.", remedy="Put a backup in its place; the tables are not affected."
        )

    def _has_no_room(self) -> bool:
        return self._file is not None and shutil.disk_usage(Path(self.name).parent).free < SHARED_MEMORY


def _parsed(url: str) -> URL:
    """The parts of a URL.

    Raises:
        StoreUnusable: it is none, or one of another kind of database. It is not repeated: it may hold a password.
    """
    try:
        parsed = make_url(url.replace("postgres://", "postgresql://", 1) if url.startswith("postgres://") else url)
    except (ArgumentError, ValueError):  # a port that is no number
        raise StoreUnusable("SENTRY_CONNECTOR_DATABASE_URL is no database URL.", remedy=_AN_URL) from None
    if parsed.get_backend_name() not in {SQLITE, POSTGRESQL}:
        raise StoreUnusable(
            f"{parsed.get_backend_name()!r} is no database that the store can be in.", remedy=_AN_URL
        ) from None
    return parsed


_AN_URL = (
    "Set SENTRY_CONNECTOR_DATABASE_URL to postgresql://HOST:PORT/NAME, with user and password before the host as in any URL"
    " (special characters percent-encoded), or unset it for SQLite under home."
)


def _make_private(path: Path) -> tuple[int, int] | None:
    """Make SQLite's file ourselves, since SQLite would make it by the umask. Its WAL files take its mode.

    Returns:
        Which file it is.
    """
    with suppress(FileExistsError):
        private_file(path)
    if not is_private(path):
        path.chmod(FILE_MODE)
    return _identity(path)


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file lies there; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _sqlite(url: str, wait: float) -> Engine:
    engine = create_engine(url)
    if isinstance(engine.pool, QueuePool):
        # Any number of connections to a file: those that wait for another process's transaction keep nobody from reading.
        engine = create_engine(url, max_overflow=-1)
    event.listen(engine, "connect", partial(_prepare_sqlite, wait))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(wait: float, connection: Any, _record: Any) -> None:
    """Readers beside one writer (WAL), waits for locks, foreign keys."""
    for pragma in (f"busy_timeout = {wait * 1000:.0f}", "journal_mode = WAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Begin by ourselves: sqlite3 would begin at the first change only, after what was read for it."""
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))
