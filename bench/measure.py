"""A command as its own process, and what the kernel says that it used.

This process stays small on purpose and imports nothing of the connector: Linux counts the memory of a process before its `exec`,
which is its parent's, towards its peak.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median, median_low
from typing import Any, TypeVar

BYTES_PER_MAXRSS = 1 if sys.platform == "darwin" else 1024
"""In what getrusage(2) counts `ru_maxrss`."""

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """One line of the table; of several runs each figure is the median.

    Attributes:
        name: what was done.
        seconds: wall time of the work.
        cpu_seconds: user and system time of the work, of all its processes.
        rows, requests, refused: how many, where there are any; refused = answered with 429.
        expected: how many rows there are.
        peak_mib: the most memory that the process (of several the largest) held, MiB.
        most_mib: what `peak_mib` is promised to stay under.
        until_first: seconds from the start of the process to its first request.
        bound: how long the work takes at best, seconds.
        counted: what was counted beside the time; the name says what.
        runs: how often it was done.
        note: what else the table says.
    """

    name: str
    seconds: float
    cpu_seconds: float
    rows: int | None = None
    requests: int | None = None
    refused: int | None = None
    expected: int | None = None
    peak_mib: float | None = None
    most_mib: float | None = None
    until_first: float | None = None
    bound: float | None = None
    counted: float | None = None
    runs: int = 1
    note: str = ""

    @property
    def kept(self) -> bool:
        """Whether the promise about memory is kept, where there is one, and every row is there."""
        small = self.most_mib is None or self.peak_mib is None or self.peak_mib < self.most_mib
        return small and self.expected in (None, self.rows)

    @property
    def times_bound(self) -> float | None:
        """How many times the bound it took, from the start of the process to its end."""
        return self.seconds / self.bound if self.bound else None

    @property
    def times_bound_started(self) -> float | None:
        """How many times the bound it took, from the first request to the end of the process."""
        return (self.seconds - self.until_first) / self.bound if self.bound and self.until_first is not None else None

    @property
    def cpu_ms_per_1000(self) -> float | None:
        """Milliseconds of processor time for a thousand rows."""
        return self.cpu_seconds * 1e6 / self.rows if self.rows else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """A process that has ended: what it said, when it began (unix seconds), and what it used (seconds, MiB)."""

    output: str
    began: float
    seconds: float
    cpu_seconds: float
    peak_mib: float

    @property
    def said(self) -> Any:
        """Its output as JSON."""
        return json.loads(self.output)


def run(*arguments: object, environment: Mapping[str, str] | None = None, python: str = sys.executable) -> Process:
    """Run Python with these arguments (`-m`, module, …) to its end. Its time and memory are those of its children, too.

    Raises:
        RuntimeError: it failed; with what it had to say.
    """
    command = [python, *map(str, arguments)]
    with tempfile.TemporaryFile("w+") as said:
        at, began = time.time(), time.perf_counter()
        with subprocess.Popen(  # noqa: S603  # our own command
            command, stdout=subprocess.PIPE, stderr=said, text=True, env=_with(environment)
        ) as process:
            output = process.stdout.read() if process.stdout else ""
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{' '.join(command[1:4])} … ended with {process.returncode}: {output}\n{said.read()}")
    return Process(
        output=output,
        began=at,
        seconds=seconds,
        cpu_seconds=used.ru_utime + used.ru_stime,
        peak_mib=used.ru_maxrss * BYTES_PER_MAXRSS / 2**20,
    )


@dataclass(frozen=True, slots=True)
class Server:
    """A process that serves: what it said when it was ready, and what it answers to a word."""

    facts: Any
    _process: subprocess.Popen[str]

    def ask(self, word: str) -> Any:
        """Its answer, as JSON.

        Raises:
            RuntimeError: it is no longer there.
        """
        asked, told = self._process.stdin, self._process.stdout
        if asked is None or told is None or self._process.poll() is not None:
            raise RuntimeError("The simulated Sentry has ended.")
        asked.write(f"{word}\n")
        asked.flush()
        return json.loads(told.readline())


@contextmanager
def serving(*arguments: object) -> Iterator[Server]:
    """Run Python with these arguments while the block lasts. It prints a line of JSON when it is ready and one for each word."""
    command = [sys.executable, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  # our own command
        try:
            yield Server(json.loads(process.stdout.readline() if process.stdout else ""), process)
        finally:
            process.terminate()


def in_the_middle(runs: int, work: Callable[[], Process]) -> Process:
    """The run of median length among several."""
    done = [work() for _ in range(runs)]
    middle = median([one.seconds for one in done])
    return min(done, key=lambda one: abs(one.seconds - middle))


def medians(results: Sequence[Result]) -> Result:
    """Several runs of one work as one result: the medians, but rows of a run that lacks some where there is one.

    Wall time and bound are those of one run, the one in the middle by their ratio: under limits both follow from its start.
    """
    middle = sorted(results, key=lambda one: one.times_bound or one.seconds)[(len(results) - 1) // 2]
    short = next((one for one in results if one.expected not in (None, one.rows)), middle)
    return replace(
        middle,
        cpu_seconds=median_low([one.cpu_seconds for one in results]),
        peak_mib=_middle([one.peak_mib for one in results]),
        requests=_middle([one.requests for one in results]),
        refused=_middle([one.refused for one in results]),
        rows=short.rows,
        runs=len(results),
    )


def _middle(values: Sequence[Number | None]) -> Number | None:
    known = [value for value in values if value is not None]
    return median_low(known) if known else None


def _with(environment: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, **(environment or {})}
