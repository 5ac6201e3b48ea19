"""A connector that can die at any point, as if by `kill -9`: from then on nothing that it does reaches anything."""
# ruff: noqa: S311  # seeded worlds, not cryptography

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import errno
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from unittest import mock

import pyarrow as pa
import pyarrow.fs as pafs

from sentry_connector.app import App
from sentry_connector.destinations.delta import Delta
from sentry_connector.destinations.delta_commits import Log
from sentry_connector.destinations.model import Commit, Committed
from sentry_connector.errors import Locked, TableChanged
from sentry_connector.extraction.journal import Note
from sentry_connector.extraction.spool import Spool
from sentry_connector.notices.channels import Address
from sentry_connector.notices.message import Message
from sentry_connector.sentry.budget import Observer
from sentry_connector.sentry.client import Connection, SentryClient
from sentry_connector.sentry.reply import Transport
from sentry_connector.settings import from_environment
from sentry_connector.simulator import TOKEN
from sentry_connector.store.store import Store
from tests.faults.kinds import OF_FULL_DISKS, Fault, Ledger
from tests.faults.line import URL_OF_SENTRY

Value = TypeVar("Value")

POINTS = {
    Fault.KILLED_ASKING: "request",
    Fault.KILLED_ANSWERED: "answer",
    Fault.KILLED_LOOKING: "look",
    Fault.KILLED_AT_STORE: "store",
    Fault.KILLED_IN_JOURNAL: "journal",
    Fault.KILLED_IN_PART: "part",
    Fault.KILLED_AFTER_PART: "part written",
    Fault.KILLED_BEFORE_MANIFEST: "manifest",
    Fault.KILLED_AFTER_MANIFEST: "manifest written",
    Fault.KILLED_BEFORE_COMMIT: "commit",
    Fault.KILLED_IN_COMMIT: "log",
    Fault.KILLED_AFTER_COMMIT: "committed",
}
"""Where a process is killed."""

FULL = {
    Fault.FULL_IN_JOURNAL: "journal",
    Fault.FULL_IN_PART: "part",
    Fault.FULL_IN_MANIFEST: "manifest",
    Fault.FULL_IN_COMMIT: "log",
}
"""Where a disk has no room."""


class Killed(BaseException):
    """The process is dead."""


@dataclass(frozen=True)
class Strike:
    """A fault at the n-th time that a point is passed."""

    fault: Fault
    point: str
    number: int


@dataclass
class Time:
    """The world's time, as it passes in the running loop."""

    start: float

    def now(self) -> float:
        return self.start + asyncio.get_running_loop().time()


@dataclass
class Fate:
    """What a process meets on its way. `overtake` is called where it is stopped past its lease."""

    ledger: Ledger
    strikes: tuple[Strike, ...] = ()
    overtake: Callable[[], None] = lambda: None
    dead: bool = False
    passed: Counter[str] = field(default_factory=Counter)
    met: set[Fault] = field(default_factory=set)

    def point(self, name: str) -> None:
        """The process comes by.

        Raises:
            Killed: it is dead, or dies here.
            Locked, TableChanged, OSError: the fault that lies here.
        """
        if self.dead:
            raise Killed
        self.passed[name] += 1
        for strike in self.strikes:
            if (strike.point, strike.number) == (name, self.passed[name]):
                self._meet(strike)

    def _meet(self, strike: Strike) -> None:
        self.ledger.note(strike.fault, f"{strike.point} {strike.number}")
        self.met.add(strike.fault)
        match strike.fault:
            case Fault.STORE_LOCKED:
                raise Locked("Another process is writing to the database.")
            case Fault.CONFLICT:
                raise TableChanged("Another writer changed the table meanwhile.")
            case one if one in OF_FULL_DISKS:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            case Fault.OVERTAKEN | Fault.OVERTAKEN_BY_FAILURE:
                self.overtake()
            case _:
                self.dead = True
                raise Killed

    def writev(self, descriptor: int, buffers: Sequence[bytes]) -> int:
        """`os.writev` of a file that is appended to: where a fault comes between, the half of it is on the disk.

        A full disk takes a part without a word.
        """
        content = b"".join(buffers)
        half = os.write(descriptor, content[: len(content) // 2])
        try:
            self.point("journal")
        except OSError:
            return half
        return half + os.write(descriptor, content[half:])


KEEP = Spool.keep


async def _keep(spool: Spool, note: Note, packed: bytes) -> None:
    with mock.patch.object(os, "writev", spool.filesystem.fate.writev):
        await KEEP(spool, note, packed)


@contextlib.contextmanager
def passing_journals() -> Iterator[None]:
    """Inside the block processes come by a point when they keep an answer."""
    with mock.patch.object(Spool, "keep", _keep):
        yield


class Disk(pafs.LocalFileSystem):  # type: ignore[misc]  # Arrow has no types
    """The disk that the process writes parts and manifests to."""

    fate: Fate

    def __new__(cls, fate: Fate) -> Self:
        disk: Self = super().__new__(cls)
        disk.fate = fate
        return disk

    def __init__(self, fate: Fate) -> None:
        super().__init__()

    def open_output_stream(self, path: str, *args: Any, **more: Any) -> Any:
        if self.fate.dead:
            raise Killed
        stream = super().open_output_stream(path, *args, **more)
        return Stream(stream, self.fate, "part") if path.endswith(".parquet") else stream

    def move(self, src: str, dest: str) -> None:
        self.fate.point("manifest")
        super().move(src, dest)
        self.fate.point("manifest written")


@dataclass
class Stream:
    """A file that is being written; where a fault comes between, the half of it is on the disk."""

    stream: pa.NativeFile
    fate: Fate
    name: str

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stream.close()
        if error is None:
            self.fate.point(f"{self.name} written")

    def write(self, content: pa.Buffer) -> None:
        half = content.size // 2
        self.stream.write(content.slice(0, half))
        self.fate.point(self.name)
        self.stream.write(content.slice(half))


class Table:
    """The process's way to a table."""

    def __init__(self, inner: Any, fate: Fate) -> None:
        self._inner = inner
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        if self._fate.dead:
            raise Killed
        return getattr(self._inner, name)

    def location(self) -> tuple[pafs.FileSystem, str]:
        return Disk(self._fate), self._inner.location()[1]

    def commit(self, commit: Commit) -> Committed:
        self._fate.point("commit")
        if not isinstance(self._inner, Delta):
            self._fate.point("log")
        committed: Committed = self._inner.commit(commit)
        self._fate.point("committed")
        return committed


@dataclass(frozen=True, kw_only=True, slots=True)
class PassingLog(Log):
    """A table's log; the process comes by a point when its files are written and the log's entry is not."""

    fate: Fate

    def _surely(self, commit: Callable[[], None], note: Any, *, after: int) -> Committed:
        def passing() -> None:
            self.fate.point("log")
            commit()

        return Log._surely(self, passing, note, after=after)


@dataclass
class Destination:
    """The tables, as a process sees them."""

    table_of: Callable[[str], Any]
    fate: Fate

    def table(self, dataset_id: str) -> Table:
        table = self.table_of(dataset_id)
        if isinstance(table, Delta):
            log = table.log
            table = Delta(PassingLog(dataset_id=log.dataset_id, uri=log.uri, clock=log.clock, fate=self.fate))
        return Table(table, self.fate)


@dataclass
class ProcessClock:
    """The machine's clock: `skew` seconds ahead of the world's."""

    world: Time
    skew: float = 0.0

    def time(self) -> float:
        return self.world.now() + self.skew

    def monotonic(self) -> float:
        return self.world.now()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Process(App):
    """The connector in one process of its own, on the world's time."""

    def __init__(
        self, store: Store, home: Path, *, clock: ProcessClock, seed: str, fate: Fate, table_of: Callable[[str], Any]
    ) -> None:
        environment = {"SENTRY_CONNECTOR_HOME": str(home), "SENTRY_URL": URL_OF_SENTRY, "SENTRY_AUTH_TOKEN": TOKEN}
        super().__init__(from_environment(environment))
        self.clock = clock
        self.rng = random.Random(seed)
        self.fate = fate
        self._store = store
        self.line: Transport | None = None
        self.mailbox: Callable[[Message], None] = lambda _message: None
        self.__dict__["destination"] = Destination(table_of, fate)

    def now(self) -> dt.datetime:
        self.fate.point("look")
        return dt.datetime.fromtimestamp(self.clock.time(), dt.UTC)

    async def aside(self, work: Callable[[], Value]) -> Value:
        return work()

    @property
    def store(self) -> Store:
        self.fate.point("store")
        return self._store

    async def send(self, address: Address, message: Message) -> None:
        """The service takes it, or does not; the process may die before and after."""
        self.fate.point("send")
        await self.clock.sleep(0.2)
        self.mailbox(message)
        self.fate.point("sent")

    def client(self, connection: Connection, observer: Observer | None = None) -> SentryClient:
        return SentryClient(
            connection, clock=self.clock, rng=self.rng, observer=observer, budgets=self.budgets, transport=self.line
        )
