"""A process that runs a DataSet and gets a signal (`kill -9`, or a long sleep) at the n-th time that it looks at the clock.

python -m tests.runs.child HOME URL NAME N SIGNAL VARIABLES
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from sentry_connector.errors import Locked
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import datasets
from sentry_connector.simulator import TOKEN
from tests.parts import NOW, StandingApp

SLICES_AT_ONCE = 2
ROOT = Path(__file__).parents[2]


class MortalApp(StandingApp):
    """The connector on a standing clock, with so many looks at it until the signal comes; 0 = it never comes."""

    looks_left: int = 0
    signal: int = signal.SIGKILL

    def now(self) -> dt.datetime:
        self.looks_left -= 1
        if self.looks_left == 0:
            os.kill(os.getpid(), self.signal)
        return NOW


def start(
    home: Path,
    url: str,
    name: str,
    at_look: int = 0,
    send: int = signal.SIGKILL,
    variables: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    """Start the process; it prints the run's verdict, or `locked`."""
    where = [str(home), url, name, str(at_look), str(int(send)), json.dumps(dict(variables or {}))]
    command = [sys.executable, "-m", "tests.runs.child", *where]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def main(home: str, url: str, name: str, at_look: str, send: str, variables: str) -> None:
    given = {"SENTRY_CONNECTOR_CONCURRENCY": str(SLICES_AT_ONCE)} | json.loads(variables)
    with MortalApp(Path(home), url, TOKEN, **given) as app:
        app.looks_left, app.signal = int(at_look), int(send)
        try:
            run = asyncio.run(datasets.run(app, name, progress=Progress()))
        except Locked:
            sys.stdout.write("locked\n")
        else:
            sys.stdout.write(f"{run.verdict}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
