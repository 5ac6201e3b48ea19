"""Pages over a thousand DataSets with a hundred runs each, from a server: how long a browser waits for the answer.

The server finds runs that wait, as after a restart, and does them first: what is promised is about the time after that, and how
long the list of all takes meanwhile is told beside it.

`python -m bench.lists measure` serves and asks.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from statistics import median, quantiles

from bench.measure import Result, run

LOADS, RUNS_OF_EACH = 50, 100
BUSY = "1,000 DataSets: the list of all beside runs"
WAITING = ("queued", "running")
PATHS = (
    "/",
    "/?sort=rows&down=true&page=7",
    "/?search=culprit",
    "/?group=report",
    "/bin",
    "/runs",
    "/runs?verdict=FAILED",
    "/runs/many-0001-0000",
    "/accounts",
    "/api/v1/overview?search=shop&limit=8",
    "/api/v1/datasets",
)


def results() -> Iterator[Result]:
    """The 95th percentile of all pages together, and that of the slowest one."""
    done = run("-m", "bench.lists", "measure")
    asked: dict[str, list[float]] = done.said
    busy = asked.pop(BUSY)
    note = f"as long as the server does the runs that waited; in the middle {median(busy) * 1000:.0f} ms"
    name = f"{BUSY}, 95th percentile"
    yield Result(name=name, runs=len(busy), seconds=_percentile(busy), cpu_seconds=done.cpu_seconds, note=note)
    every = list(chain.from_iterable(asked.values()))
    note = f"{len(PATHS)} pages, {LOADS} times; in the middle {median(every) * 1000:.0f} ms"
    name = "1,000 DataSets: pages, 95th percentile"
    yield Result(name=name, runs=len(every), seconds=_percentile(every), cpu_seconds=done.cpu_seconds, note=note)
    slowest = max(asked, key=lambda path: _percentile(asked[path]))
    note = f"{slowest}; in the middle {median(asked[slowest]) * 1000:.0f} ms"
    name = "1,000 DataSets: the slowest page, 95th percentile"
    yield Result(name=name, runs=LOADS, seconds=_percentile(asked[slowest]), cpu_seconds=done.cpu_seconds, note=note)


def _percentile(seconds: Sequence[float]) -> float:
    return quantiles(seconds, n=20)[-1]


def measure() -> dict[str, list[float]]:
    """Path → seconds of each load, once its template is compiled."""
    from tests.many import fill  # noqa: PLC0415  # as above

    from sentry_connector.app import App  # noqa: PLC0415  # the measuring process must stay small
    from sentry_connector.settings import from_environment  # noqa: PLC0415  # as above

    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "SENTRY_CONNECTOR_HOME": str(Path(folder, "home")),
            "SENTRY_AUTH_TOKEN": "sntryu_" + "0" * 64,
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        }
        app = App(from_environment(environment))
        fill(app.store, dt.datetime.now(dt.UTC), runs_of_each=RUNS_OF_EACH)
        app.close()
        command = [sys.executable, "-m", "sentry_connector", "serve", "--port", "0", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **environment}) as server:  # noqa: S603  # our own command
            try:
                url = json.loads(server.stdout.readline() if server.stdout else "")["url"]
                busy = {BUSY: [_load(url) for _ in range(2)]}
                while any(_answer(f"{url}/api/v1/runs?state={state}&limit=1") != "[]" for state in WAITING):
                    busy[BUSY].append(_load(url))
                return busy | {path: [_load(url + path) for _ in range(LOADS + 1)][1:] for path in PATHS}
            finally:
                server.terminate()


def _load(url: str) -> float:
    began = time.perf_counter()
    _answer(url)
    return time.perf_counter() - began


def _answer(url: str) -> str:
    with urllib.request.urlopen(url) as answer:  # noqa: S310  # our own server
        return str(answer.read().decode())


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure()))
