"""The log of one run: JSON lines in a file of its own, without secrets and without control characters."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO, cast

import msgspec
import structlog

from sentry_connector.redact import Redactor

Log = structlog.typing.FilteringBoundLogger


def log_path(folder: Path, run_id: str) -> Path:
    """Where the log of a run lies."""
    return folder / f"{run_id}.jsonl"


class Lines:
    """Writes whole lines to a file; those that it does not take, as on a full disk, are dropped and counted.

    What a run does is worth more than what is told of it.
    """

    def __init__(self, path: Path) -> None:
        self.dropped = 0
        self._descriptor: int | None = None
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, text: str) -> None:
        """Append it."""
        line = text.encode()
        try:
            written = 0 if self._descriptor is None else os.write(self._descriptor, line)
        except OSError:
            written = 0
        self.dropped += written < len(line)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """The file takes no more lines."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


@contextlib.contextmanager
def run_log(folder: Path, run_id: str, redactor: Redactor) -> Iterator[Log]:
    """A logger that appends to a file.

    Raises:
        OSError: at the end, where a line could not be written.
    """
    with run_lines(folder, run_id) as lines:
        yield bound_log(lines, redactor, run_id)
    if lines.dropped:
        raise OSError(f"{log_path(folder, run_id)} could not be written")


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
