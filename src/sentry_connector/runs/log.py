"""Logs, of a run each or of processes: JSON lines in a file, without secrets and without control characters."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias, cast

import msgspec

from sentry_connector.redact import Redactor

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    import structlog

Log: TypeAlias = "structlog.typing.FilteringBoundLogger"


def log_path(folder: Path, run_id: str) -> Path:
    """Where the log of a run lies."""
    return folder / f"{run_id}.jsonl"


MOST_BYTES = 5 * 2**20
"""Of a process's own log; a full one is put aside, in place of the one that was put aside before."""


class Lines:
    """Writes whole lines to a file; those that it does not take, as on a full disk, are dropped and counted.

    What a run does is worth more than what is told of it.

    Attributes:
        dropped: how many.
        also: told of each line, whether or not the file takes it.
    """

    def __init__(self, path: Path) -> None:
        self.dropped = 0
        self.also: Callable[[str], object] | None = None
        self._descriptor: int | None = None
        with contextlib.suppress(OSError):
            self._descriptor = _opened(path)

    def write(self, text: str) -> None:
        """Append it."""
        if self.also is not None:
            self.also(text)
        try:
            whole = self._append(text.encode())
        except OSError:
            whole = False
        self.dropped += not whole

    def _append(self, line: bytes) -> bool:
        return self._descriptor is not None and _append(self._descriptor, line)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """The file takes no more lines."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class ProcessLines(Lines):
    """As `Lines`, for a log without an end, which several processes may write to: it stays small, and tells what it dropped."""

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        self.dropped, self.also = 0, None
        self._descriptor = None  # nobody holds the file, so that anybody may put it aside
        self._path, self._most_bytes, self._told = path, most_bytes, 0

    def _append(self, line: bytes) -> bool:
        if self.dropped > self._told:
            line = msgspec.json.encode({"event": "lines dropped", "lines": self.dropped - self._told}) + b"\n" + line
        with _alone(self._path.with_suffix(".lock")):
            if self._path.exists() and self._path.stat().st_size + len(line) > self._most_bytes:
                self._path.replace(self._path.with_suffix(f".1{self._path.suffix}"))
            descriptor = _opened(self._path)
            try:
                whole = _append(descriptor, line)
            finally:
                os.close(descriptor)
        self._told = self.dropped if whole else self._told
        return whole


def _opened(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)


def _append(descriptor: int, line: bytes) -> bool:
    """Append a line, apart from one that was cut off; says whether the file took it whole."""
    if os.lseek(descriptor, 0, os.SEEK_END):
        os.lseek(descriptor, -1, os.SEEK_END)
        if os.read(descriptor, 1) != b"\n":
            line = b"\n" + line
    return os.write(descriptor, line) == len(line)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """While no other process is within such a block; Windows knows no such locks, and there two lines may meet."""
    descriptor = _opened(path)
    try:
        if sys.platform != "win32":
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def process_log(folder: Path, name: str, redactor: Redactor) -> Iterator[Log]:
    """A logger that appends to a log of processes.

    Raises:
        OSError: at the end, where a line could not be written.
    """
    lines = ProcessLines(log_path(folder, name))
    yield bound_log(lines, redactor, name)
    if lines.dropped:
        raise OSError(f"{log_path(folder, name)} could not be written")


@contextlib.contextmanager
def run_lines(folder: Path, run_id: str) -> Iterator[Lines]:
    """The file of a run's log; all attempts of a run share it."""
    lines = Lines(log_path(folder, run_id))
    try:
        yield lines
    finally:
        lines.close()


def bound_log(lines: Lines, redactor: Redactor, run_id: str) -> Log:
    """A logger of a run that writes one JSON object per line."""
    import structlog  # it loads Rich, which only those need who log

    def render(_logger: Any, _method: str, event: structlog.typing.EventDict) -> str:
        return redactor.redact(msgspec.json.encode(event, enc_hook=str).decode())

    log: Log = structlog.wrap_logger(
        structlog.WriteLogger(cast("TextIO", lines)),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(0),
    )
    return log.bind(run=run_id)


def read_log(folder: Path, run_id: str) -> list[dict[str, Any]]:
    """The lines of a run's log; empty where there is none. A line cut off by a crash is left out."""
    path = log_path(folder, run_id)
    if not path.exists():
        return []
    lines = []
    for line in path.read_bytes().splitlines():
        with contextlib.suppress(msgspec.DecodeError):
            lines.append(msgspec.json.decode(line, type=dict[str, Any]))
    return lines
