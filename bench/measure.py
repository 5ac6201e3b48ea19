"""A command as its own process, and what the kernel says that it used.

This process stays small on purpose and imports nothing of the connector: Linux counts the memory of a process before its `exec`,
which is its parent's, towards its peak.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

BYTES_PER_MAXRSS = 1 if sys.platform == "darwin" else 1024
"""In what getrusage(2) counts `ru_maxrss`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """One line of the table.

    Attributes:
        name: what was done.
        seconds: wall time of the work.
        cpu_seconds: user and system time of the work.
        rows, requests: how many, where there are any.
        peak_mib: the most memory that the process held, MiB.
        most_mib: what `peak_mib` is promised to stay under.
    """

    name: str
    seconds: float
    cpu_seconds: float
    rows: int | None = None
    requests: int | None = None
    peak_mib: float | None = None
    most_mib: float | None = None

    @property
    def kept(self) -> bool:
        """Whether the promise about memory is kept, where there is one."""
        return self.most_mib is None or self.peak_mib is None or self.peak_mib < self.most_mib


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """A process that has ended: what it said, and what it used (seconds, MiB)."""

    output: str
    seconds: float
    cpu_seconds: float
    peak_mib: float

    @property
    def said(self) -> Any:
        """Its output as JSON."""
        return json.loads(self.output)


def run(*arguments: object, environment: Mapping[str, str] | None = None) -> Process:
    """Run Python with these arguments (`-m`, module, …) to its end.

    Raises:
        RuntimeError: it failed; what it has to say stands on standard error.
    """
    began = time.perf_counter()
    with subprocess.Popen(_command(arguments), stdout=subprocess.PIPE, text=True, env=_with(environment)) as process:  # noqa: S603  # our own command
        output = process.stdout.read() if process.stdout else ""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{arguments} ended with {process.returncode}")
    return Process(
        output=output,
        seconds=time.perf_counter() - began,
        cpu_seconds=used.ru_utime + used.ru_stime,
        peak_mib=used.ru_maxrss * BYTES_PER_MAXRSS / 2**20,
    )


@contextmanager
def serving(*arguments: object) -> Iterator[Any]:
    """Run Python with these arguments while the block lasts; gives the first line that it prints, as JSON."""
    with subprocess.Popen(_command(arguments), stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  # our own command
        try:
            yield json.loads(process.stdout.readline() if process.stdout else "")
        finally:
            process.terminate()


def in_the_middle(runs: int, work: Callable[[], Process]) -> Process:
    """The run of median length among several."""
    done = [work() for _ in range(runs)]
    middle = median([one.seconds for one in done])
    return min(done, key=lambda one: abs(one.seconds - middle))


def _command(arguments: Sequence[object]) -> list[str]:
    return [sys.executable, *map(str, arguments)]


def _with(environment: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, **(environment or {})}
