"""The processes that run statements: a few at a time, each for one statement at a time, stopped by being ended."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pyarrow as pa

from sentry_connector.destinations.query import MORE_MEMORY
from sentry_connector.errors import Cancelled, ConnectorError, QueriesBusy, QueryTimeout, SqlError, UsageError
from sentry_connector.queries.messages import Broken, Kind, Refusal, Statement, receive, send

AT_ONCE = 4
"""Statements that are run at one time."""

PATIENCE = 10.0
"""Seconds for which a statement waits until others have ended."""

STALLED = 30.0
"""Seconds after which a statement whose rows nobody takes makes room for others."""

THREADS = 4
"""Processors that one statement uses at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one statement may take.

    Attributes:
        seconds: for how long its rows are waited for, all in all; the time in which nobody takes them does not count.
        memory_mib: what the engine holds at most.
        folders: below them are the files of all tables.
    """

    seconds: float
    memory_mib: int
    folders: tuple[Path, ...]


@dataclass(eq=False, slots=True)
class _Running:
    """A statement from when it is asked for until it has ended.

    Attributes:
        left: seconds for which its rows are still waited for.
        process: where it is run; None = it waits for its turn.
        given_at: when its last rows were handed over; None = more are waited for.
        why: why it was stopped.
    """

    left: float
    process: _Process | None = None
    given_at: float | None = None
    why: ConnectorError | None = None

    def stop(self, why: ConnectorError) -> None:
        """End it, whatever it is at."""
        self.why = self.why or why
        if self.process is not None:
            self.process.kill()


class Queries:
    """Runs statements. Safe to use from several threads.

    Attributes:
        place: a folder for files that are made for a statement alone.
    """

    def __init__(self, limits: Limits, monotonic: Callable[[], float]) -> None:
        """Begin with no process: the first one is started when it is needed, or by `warm`.

        Args:
            limits: what one statement may take.
            monotonic: seconds.
        """
        self.place = Path(tempfile.mkdtemp(prefix="sentry-connector-"))
        self._limits, self._monotonic = limits, monotonic
        self._arguments = (str(limits.memory_mib), str(_threads()), *map(str, (*limits.folders, self.place)))
        self._changed = threading.Condition()
        self._running: dict[str, _Running] = {}
        self._unnamed = 0
        self._idle: list[_Process] = []
        self._is_warm = False
        self._forget = weakref.finalize(self, _forget, self._idle, self.place)  # also where nobody closes it

    def warm(self) -> None:
        """Have a process wait for the next statement from now on, so that none waits for one to start."""
        with self._changed:
            self._is_warm = True
            self._refill()

    @contextlib.contextmanager
    def rows(self, statement: Statement, *, ticket: str | None = None) -> Iterator[pa.RecordBatchReader]:
        """The rows of a statement, as they come.

        Args:
            statement: what is run.
            ticket: by what `cancel` finds it.

        Raises:
            SqlError: the engine refuses it, or it takes more memory than it may.
            QueryTimeout: it takes longer than it may.
            Cancelled: somebody has stopped it.
            QueriesBusy: too many others are run.
            UsageError: a statement with that ticket is run.
        """
        running = _Running(left=self._limits.seconds)
        key = self._enter(running, ticket)
        try:
            yield self._read(running, statement)
        finally:
            self._leave(key, running)

    def cancel(self, ticket: str) -> bool:
        """Stop the statement with that ticket; whether there is one."""
        with self._changed:
            running = self._running.get(_named(ticket))
            if running is not None:
                running.stop(Cancelled("The statement was stopped.", remedy="Run it again when wanted."))
                self._changed.notify_all()
            return running is not None

    def close(self) -> None:
        """End all processes, for good."""
        with self._changed:
            self._is_warm = False
            for running in self._running.values():
                running.stop(Cancelled("The server ends.", remedy="Run it again when wanted."))
            self._forget()

    def _enter(self, running: _Running, ticket: str | None) -> str:
        """Wait for a turn."""
        with self._changed:
            self._unnamed += 1
            key = f"#{self._unnamed}" if ticket is None else _named(ticket)
            if key in self._running:
                raise UsageError(
                    "A statement with that ticket is run.", remedy="Choose another one for each statement."
                )
            self._running[key] = running
            try:
                self._wait_for_room(running)
                running.process = self._taken()
            except BaseException:
                del self._running[key]
                raise
        return key

    def _wait_for_room(self, running: _Running) -> None:
        has_room = self._changed.wait_for(lambda: running.why is not None or self._has_room(), PATIENCE)
        if running.why is not None:
            raise running.why
        if not has_room:
            raise QueriesBusy(f"{AT_ONCE} statements are run already.")

    def _has_room(self) -> bool:
        at_work = [one for one in self._running.values() if one.process is not None and one.why is None]
        if len(at_work) < AT_ONCE:
            return True
        now = self._monotonic()
        given = [one for one in at_work if one.given_at is not None and now - one.given_at >= STALLED]
        if not given:
            return False
        longest = min(given, key=lambda one: one.given_at or now)
        longest.stop(SqlError("Nobody took its rows, and others waited.", remedy="Run it again."))
        return True

    def _taken(self) -> _Process:
        while self._idle:
            found = self._idle.pop()
            if found.lives():
                return found
            found.end()
        return _Process(self._arguments)

    def _leave(self, key: str, running: _Running) -> None:
        with self._changed:
            del self._running[key]
            process = running.process
            if process is not None and process.is_free and running.why is None and not self._idle:
                self._idle.append(process)
            elif process is not None:
                process.end()
            self._refill()
            self._changed.notify_all()

    def _refill(self) -> None:
        if self._is_warm and not self._idle:
            self._idle.append(_Process(self._arguments))

    def _read(self, running: _Running, statement: Statement) -> pa.RecordBatchReader:
        process = running.process
        assert process is not None  # noqa: S101  # it was taken
        process.tell(Kind.STATEMENT, msgspec.msgpack.encode(statement))
        streams = self._streams(running, process)
        first = next(streams, None)
        if first is None:
            raise _crashed(process)
        with pa.ipc.open_stream(first) as reader:
            schema = reader.schema
        return pa.RecordBatchReader.from_batches(schema, self._batches(running, streams))

    def _batches(self, running: _Running, streams: Iterator[bytes]) -> Iterator[pa.RecordBatch]:
        for stream in streams:
            with pa.ipc.open_stream(stream) as reader:
                for batch in reader:
                    batch.validate(full=True)  # the engine is written in C++, and works on what strangers have sent
                    running.given_at = self._monotonic()
                    yield batch
                    running.given_at = None

    def _streams(self, running: _Running, process: _Process) -> Iterator[bytes]:
        while True:
            kind, payload = self._waited_for(running, process)
            if kind is Kind.ROWS:
                yield payload
            elif kind in (Kind.END, Kind.REFUSED):
                process.is_free = True
                if kind is Kind.REFUSED:
                    raise _sql_error(msgspec.msgpack.decode(payload, type=Refusal))
                return
            else:
                raise _crashed(process)

    def _waited_for(self, running: _Running, process: _Process) -> tuple[Kind, bytes]:
        """The next frame; the process is ended where it takes too long."""
        began = self._monotonic()
        guard = threading.Timer(running.left, running.stop, [_too_long(self._limits)])
        guard.daemon = True
        guard.start()
        try:
            return process.told()
        except Broken:
            raise (running.why or _crashed(process)) from None
        finally:
            guard.cancel()
            running.left = max(running.left - (self._monotonic() - began), 0.0)


_PYTHON = (sys.executable, "-s", "-P", "-m", "sentry_connector.queries.process")


@dataclass(slots=True)
class _Process:
    """One process.

    Attributes:
        is_free: the last statement was told to its end.
    """

    arguments: tuple[str, ...]
    is_free: bool = True
    _process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # our own module
            [*_PYTHON, *self.arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(os.sep).absolute(),
            env=_environment(),
            start_new_session=True,  # who asks says when it ends, not a key on the terminal
        )

    def lives(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def tell(self, kind: Kind, payload: bytes) -> None:
        """Send a frame; where it is gone, that shows when its answer is waited for."""
        self.is_free = False
        with contextlib.suppress(Broken):
            send(self._process.stdin, kind, payload)  # type: ignore[arg-type]  # it is a pipe

    def told(self) -> tuple[Kind, bytes]:
        """The next frame.

        Raises:
            Broken: it is gone.
        """
        return receive(self._process.stdout)  # type: ignore[arg-type]  # so too

    def kill(self) -> None:
        """Have it end, whatever it is at; whoever waits for it learns of that."""
        self._process.kill()

    def end(self) -> None:
        """Wait for its end, and forget it."""
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what was not sent any more
                    pipe.close()

    def died_of(self) -> str:
        """In words, what its end was that nobody here has asked for."""
        try:
            code = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return "it said what nobody understands"
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def _end(processes: list[_Process]) -> None:
    while processes:
        processes.pop().end()


def _forget(processes: list[_Process], place: Path) -> None:
    _end(processes)
    shutil.rmtree(place, ignore_errors=True)


def _threads() -> int:
    return min(THREADS, os.cpu_count() or 1)


def _environment() -> dict[str, str]:
    """Where Python finds what is imported, and no more: no token, no key, no address."""
    paths = [str(Path(path).absolute()) for path in sys.path]
    ours = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return ours | {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}  # which Windows needs


def _named(ticket: str) -> str:
    return f"ticket {ticket}"


def _sql_error(refusal: Refusal) -> SqlError:
    place = {} if refusal.line is None else {"line": refusal.line, "column": refusal.column}
    return SqlError(refusal.message, remedy=refusal.remedy, **place)


def _too_long(limits: Limits) -> QueryTimeout:
    return QueryTimeout(
        f"The statement was stopped after {limits.seconds:g} seconds.",
        remedy="Select less, or raise SENTRY_CONNECTOR_QUERY_SECONDS.",
    )


def _crashed(process: _Process) -> SqlError:
    return SqlError(f"The process that ran the statement has died ({process.died_of()}).", remedy=MORE_MEMORY)
