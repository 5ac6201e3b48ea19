"""The one way to the store's database: an engine set up right, transactions, and its errors in our words."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError

from sentry_connector.errors import ConnectorError, DiskFull, Locked, StoreUnusable, UsageError
from sentry_connector.store.private_files import FILE_MODE, is_private, private_file

WAIT_FOR_LOCK = 30.0
"""Seconds that a statement waits for another process's transaction on SQLite."""

_IN_MEMORY = (None, "", ":memory:")

SHARED_MEMORY = 32 * 1024
"""Bytes that SQLite needs beside a database with a write-ahead log, also to read it (https://www.sqlite.org/walformat.html)."""

_ROOM_OR_ELSE = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
"""What SQLite says where there is no room for that."""


class Database:
    """An engine with two kinds of transactions."""

    def __init__(self, url: str, *, wait: float = WAIT_FOR_LOCK) -> None:
        """Prepare the way; nothing is opened yet, but SQLite's file is made where it is missing.

        Args:
            url: of SQLAlchemy.
            wait: seconds that a statement waits for another process's transaction on SQLite.

        Raises:
            StoreUnusable: the URL is none, its driver is not installed, or the file cannot be made.
        """
        self._file: tuple[int, int] | None = None
        try:
            parsed = make_url(url)
            self.name = parsed.render_as_string(hide_password=True)
            if parsed.get_backend_name() == "sqlite" and parsed.database not in _IN_MEMORY:
                self.name = str(parsed.database)
                self._file = _make_private(Path(self.name))
            self.engine = _engine(url, wait)
        except ArgumentError as error:
            raise StoreUnusable("SENTRY_CONNECTOR_DATABASE_URL is no database URL.") from error
        except ModuleNotFoundError as error:
            raise StoreUnusable(
                f"The database {self.name} needs the Python module {error.name}.", remedy=f"Install {error.name}."
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
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is done whole when the block ends, and not at all when it raises.

        On SQLite it takes the write lock at once, so that what it reads is still so when it writes.
        """
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        try:
            with self.engine.connect().execution_options(begin=begin) as connection, connection.begin():
                yield connection
        except (SQLAlchemyError, msgspec.MsgspecError) as error:
            raise self._translated(error) from error

    def _translated(self, error: SQLAlchemyError | msgspec.MsgspecError) -> ConnectorError:
        """The database's error in our words; SQLite's own result codes decide: https://www.sqlite.org/rescode.html."""
        cause = error.orig if isinstance(error, DBAPIError) else error
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # the primary code
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return Locked(f"Another process is writing to the database {self.name}.")
        if code == sqlite3.SQLITE_FULL or (code in _ROOM_OR_ELSE and self._has_no_room()):
            return DiskFull(f"No space is left for the database {self.name}.")
        if isinstance(error, IntegrityError):
            return UsageError("Somebody else made or deleted the same thing meanwhile.", remedy="Look, and try again.")
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or isinstance(error, msgspec.MsgspecError):
            return StoreUnusable(
                f"The database {self.name} is damaged.",
                remedy="Put a backup in its place; the tables are not affected.",
            )
        return StoreUnusable(f"The database {self.name} cannot be used: {cause}.")

    def _has_no_room(self) -> bool:
        return self._file is not None and shutil.disk_usage(Path(self.name).parent).free < SHARED_MEMORY


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


def _engine(url: str, wait: float) -> Engine:
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
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
