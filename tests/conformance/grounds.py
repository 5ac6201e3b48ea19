"""The places that tables lie in, each as a connector in one process sees it; and one that dies at the n-th thing that it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from sentry_connector.destinations.delta import Delta, DeltaDestination
from sentry_connector.destinations.delta_commits import Log
from sentry_connector.destinations.model import Committed, Table
from sentry_connector.destinations.sql import SqlDestination
from sentry_connector.destinations.sql_addresses import database
from sentry_connector.destinations.sql_model import Database, Dialect, Session
from tests.object_storage import Storage
from tests.postgres import Server

DELTA, OBJECTS, POSTGRES, DUCKDB, SQLITE = NAMES = ("delta", "objects", "postgresql", "duckdb", "sqlite")
DATABASES = (POSTGRES, DUCKDB, SQLITE)


class Died(BaseException):
    """The process is no more."""


@dataclass
class Fate:
    """Counts what a process does to a table; it dies at the `at`-th, where that is not 0.

    Attributes:
        at: when it dies.
        count: how much it has done.
        passed: what that was.
        die: how; a real process kills itself.
    """

    at: int = 0
    count: int = 0
    passed: list[str] = field(default_factory=list)
    die: Callable[[], None] | None = None

    def point(self, what: str) -> None:
        self.count += 1
        self.passed.append(what)
        if self.count == self.at:
            if self.die is not None:
                self.die()
            raise Died


@dataclass(frozen=True)
class MortalSession:
    """A transaction in a process that may die before and after each statement."""

    inner: Session
    fate: Fate

    @property
    def dialect(self) -> Dialect:
        return self.inner.dialect

    @property
    def schema(self) -> str:
        return self.inner.schema

    def lock(self, name: str) -> None:
        self._around("LOCK", lambda: self.inner.lock(name))

    def execute(self, sql: str) -> int:
        return int(self._around(sql, lambda: self.inner.execute(sql)))

    def select(self, sql: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        return self.inner.select(sql, schema)  # it changes nothing

    def load(self, name: str, rows: pa.RecordBatchReader) -> None:
        self._around("LOAD", lambda: self.inner.load(name, rows))

    def ready(self, name: str, *joined: Sequence[str]) -> None:
        self.inner.ready(name, *joined)

    def commit(self) -> None:
        self._around("COMMIT", self.inner.commit)

    def _around(self, what: str, work: Callable[[], Any]) -> Any:
        words = " ".join(what.split()[:2])
        self.fate.point(f"before {words}")
        done = work()
        self.fate.point(f"after {words}")
        return done


@dataclass(frozen=True)
class MortalDatabase:
    """A database, as a process that may die sees it."""

    inner: Database
    fate: Fate

    @property
    def address(self) -> str:
        return self.inner.address

    @contextmanager
    def session(self, *, writing: bool = False, seconds: float | None = None) -> Iterator[Session]:
        with self.inner.session(writing=writing, seconds=seconds) as session:
            yield MortalSession(session, self.fate)

    def version(self, session: Session) -> str:
        return self.inner.version(session)


@dataclass(frozen=True, kw_only=True, slots=True)
class MortalLog(Log):
    """The log of a Delta table, as a process that may die sees it."""

    fate: Fate

    def _sync(self, paths: Any) -> None:
        self.fate.point("before files are on the disk")
        Log._sync(self, paths)
        self.fate.point("after files are on the disk")

    def _surely(self, commit: Callable[[], None], note: Any, *, after: int) -> Committed:
        def passing() -> None:
            self.fate.point("before COMMIT")
            commit()
            self.fate.point("after COMMIT")

        return Log._surely(self, passing, note, after=after)


@dataclass(frozen=True, kw_only=True)
class Ground:
    """One of the places.

    Attributes:
        name: one of `NAMES`.
        folder: where files lie, and are staged.
        url: of the database, or of the store of objects; None for Delta tables in a folder.
        options: of the store of objects.
    """

    name: str
    folder: Path
    url: str | None
    options: Mapping[str, str] | None = None
    _known: dict[str, Database] = field(default_factory=dict, repr=False)

    def database(self, url: str | None = None) -> Database:
        """It, or the same one by another address."""
        address = url or self.url
        if address is None or self.name == OBJECTS:
            raise ValueError("Delta tables lie in no database")
        return self._known.setdefault(address, database(address, lambda: None))

    def table(self, name: str = "events", *, id_: str = "", fate: Fate | None = None, url: str | None = None) -> Table:
        """The table of a DataSet; with a fate, as a process that may die sees it; by another address where one is given."""
        id_ = id_ or f"id of {name}"
        if self.name in {DELTA, OBJECTS}:
            table = DeltaDestination(self.url or str(self.folder), storage_options=self.options).table(id_)
            if fate is None:
                return table
            log = table.log
            return Delta(
                MortalLog(dataset_id=id_, uri=log.uri, storage_options=log.storage_options, clock=log.clock, fate=fate)
            )
        place = self.database(url)
        place = place if fate is None else MortalDatabase(place, fate)
        return SqlDestination(database=place, staging=str(self.folder), sleep=lambda _seconds: None).table(id_, name)

    def run(self, *statements: str) -> None:
        """What somebody else does to the database."""
        with self.database().session(writing=True) as session:
            for statement in statements:
                session.execute(statement)
            session.commit()


def ground_of(name: str, folder: Path, postgres: Server | None, storage: Storage | None = None) -> Ground:
    """The place of that name, empty."""
    folder.mkdir(parents=True, exist_ok=True)
    if name == DELTA:
        return Ground(name=name, folder=folder, url=None)
    if name == OBJECTS:
        if storage is None:
            raise ValueError("a store of objects needs its server")
        return Ground(name=name, folder=folder, url=storage.place(), options=storage.options)
    if name == POSTGRES:
        if postgres is None:
            raise ValueError("PostgreSQL needs its server")
        return Ground(name=name, folder=folder, url=postgres.fresh_database())
    return Ground(name=name, folder=folder, url=f"{name}:///{folder / f'tables.{name}'}")
