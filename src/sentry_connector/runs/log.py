"""The log of one run: JSON lines in a file of its own, without secrets and without control characters."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import msgspec
import structlog

from sentry_connector.redact import Redactor

Log = structlog.typing.FilteringBoundLogger


def log_path(folder: Path, run_id: str) -> Path:
    """Where the log of a run lies."""
    return folder / f"{run_id}.jsonl"


@contextlib.contextmanager
def run_log(folder: Path, run_id: str, redactor: Redactor) -> Iterator[Log]:
    """A logger that appends to the run's file; all attempts of a run share it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(log_path(folder, run_id), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as stream:
        yield bound_log(stream, redactor).bind(run=run_id)


def bound_log(stream: TextIO, redactor: Redactor) -> Log:
    """A logger that writes one JSON object per line to the stream."""

    def render(_logger: Any, _method: str, event: structlog.typing.EventDict) -> str:
        return redactor.redact(msgspec.json.encode(event, enc_hook=str).decode())

    log: Log = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(0),
    )
    return log


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
