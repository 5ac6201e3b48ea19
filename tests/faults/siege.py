"""`python -m tests.faults.siege`: a server with many DataSets that run every minute, killed every few seconds and started again.

In the end every slot is accounted for once, and every table is what a reading without faults brings.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE

import msgspec

from sentry_connector.app import App, app
from sentry_connector.datasets import schedule as schedules
from sentry_connector.datasets.definition import Definition
from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.operations import datasets
from sentry_connector.reports import catalogue, windows
from sentry_connector.reports.details import ALL, AllAvailable, Details, SinceLastRun
from sentry_connector.store.records import DataSet, Run, RunState, Verdict
from tests.parts import Row, pulled

SINCE = SinceLastRun()
SUBJECTS: tuple[tuple[str, Details, UpdateMethod], ...] = (
    ("organizations", Details(), UpdateMethod.REPLACE),
    ("projects", Details(), UpdateMethod.UPSERT),
    ("organization-teams", Details(organizations=("acme",)), UpdateMethod.REPLACE),
    ("project-events", Details(projects=("acme/shop",), duration=SINCE), UpdateMethod.UPSERT),
    ("project-events", Details(organizations=("acme",), projects=(ALL,), duration=SINCE), UpdateMethod.APPEND),
    ("project-events", Details(projects=("acme/payments",), duration=SINCE), UpdateMethod.PARTITION),
    ("projects-issues", Details(organizations=("acme",), projects=(ALL,), duration=SINCE), UpdateMethod.UPSERT),
)
OURS = {"_run_id", "_extracted_at", "_extra", "_day"}
QUIET = 150.0
"""Seconds without kills at the end: longer than leases last and a slot may wait."""


@dataclass
class Outcome:
    """What a siege came to."""

    kills: int = 0
    slots: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)
    taken_up: int = 0
    differences: list[str] = field(default_factory=list)


def besieged(home: Path, *, count: int, minutes: float, every: float) -> Outcome:
    """Lay siege.

    Args:
        home: an empty folder.
        count: DataSets.
        minutes: for which there are kills.
        every: seconds between two kills.
    """
    outcome = Outcome()
    with sentry() as (url, token):
        environment = {"SENTRY_URL": url, "SENTRY_AUTH_TOKEN": token, "SENTRY_CONNECTOR_HOME": str(home)}
        with app(environment) as house:
            for number in range(count):
                report, details, method = SUBJECTS[number % len(SUBJECTS)]
                definition = Definition(
                    name=f"{number}", report=report, details=details, update_method=method, schedule="every 1m"
                )
                datasets.create(house, definition, None)
            end = time.monotonic() + minutes * 60
            while time.monotonic() < end:
                server = serve(environment)
                time.sleep(every)
                server.send_signal(signal.SIGKILL)
                server.wait()
                outcome.kills += 1
            server = serve(environment)
            time.sleep(QUIET)
            server.send_signal(signal.SIGTERM)
            began = time.monotonic()
            if server.wait() != 128 + signal.SIGTERM or time.monotonic() - began > 10:
                outcome.differences.append(f"the server came to rest with {server.returncode}")
            compare(house, outcome)
    return outcome


def serve(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "sentry_connector", "serve", "--port", "0", "--json"]
    return subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)


@contextmanager
def sentry(latency_ms: int = 0) -> Iterator[tuple[str, str]]:
    """A simulated Sentry in a process of its own, whose world stands still."""
    options = ["--events", "300", "--latency-ms", str(latency_ms), "--json"]
    command = [sys.executable, "-m", "sentry_connector", "simulate", *options]
    with subprocess.Popen(command, stdout=PIPE) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        try:
            yield told["url"], told["token"]
        finally:
            process.terminate()


def compare(house: App, outcome: Outcome) -> None:
    oracles: dict[str, Counter[str]] = {}
    for dataset in house.store.datasets.list():
        history = house.store.runs.history(dataset.id, limit=None)
        for run in history:
            outcome.ended[str(run.verdict)] += 1
            outcome.taken_up += any(one.begun > 1 for one in run.attempts)
            if run.state is not RunState.DONE and run.queued_at < house.now() - dt.timedelta(seconds=90):
                outcome.differences.append(f"{dataset.name}: {run.id} is {run.state}")
        compare_slots(house, dataset, history, outcome)
        compare_rows(house, dataset, outcome, oracles)


def compare_slots(house: App, dataset: DataSet, history: list[Run], outcome: Outcome) -> None:
    told: Counter[dt.datetime] = Counter(run.slot for run in history if run.slot is not None)
    outcome.slots += len(told)
    rule, zone = schedules.parse(dataset.schedule), windows.zone(dataset.details.timezone)
    for passed in house.store.slots.passed(dataset.id, limit=None):
        slots = schedules.between(rule, zone, passed.first - dt.timedelta(seconds=1), passed.last)
        told.update(slots)
        outcome.slots += len(slots)
        outcome.passed[passed.reason] += passed.count
        if passed.run_id is not None and passed.run_id not in {run.id for run in history}:
            outcome.differences.append(f"{dataset.name}: {passed} names no run")
    due = schedules.between(rule, zone, dataset.created_at, house.now() - dt.timedelta(seconds=70))
    if odd := {slot: told[slot] for slot in {*told, *due} if told[slot] != 1}:
        outcome.differences.append(f"{dataset.name}: slots that are not accounted for once: {odd}")


def compare_rows(house: App, dataset: DataSet, outcome: Outcome, oracles: dict[str, Counter[str]]) -> None:
    kind = f"{dataset.report} {dataset.details}"
    if kind not in oracles:
        dates = AllAvailable() if dataset.details.duration is not None else None
        everything = msgspec.structs.replace(dataset.details, duration=dates)
        oracles[kind] = contents(asyncio.run(pulled(house, catalogue.find(dataset.report), everything)).rows)
    with datasets.rows(house, dataset.slug) as reader:
        found = contents(row for batch in reader for row in batch.to_pylist())
    if found != oracles[kind]:
        lost, more = oracles[kind] - found, found - oracles[kind]
        outcome.differences.append(f"{dataset.name} ({dataset.report}): lost {lost.total()}, too many {more.total()}")


def contents(rows: Iterator[Row] | list[Row]) -> Counter[str]:
    return Counter(repr(sorted((name, value) for name, value in row.items() if name not in OURS)) for row in rows)


def main() -> int:
    """Lay siege as asked for, and print what it came to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--every", type=float, default=20.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        outcome = besieged(Path(home), count=asked.datasets, minutes=asked.minutes, every=asked.every)
    lines = [
        f"{outcome.kills} kills, {outcome.slots} slots",
        f"runs: {dict(outcome.ended)}; taken up after a kill: {outcome.taken_up}",
        f"passed over: {dict(outcome.passed)}",
        *(outcome.differences or ["no difference"]),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if outcome.differences or not outcome.ended[Verdict.COMPLETE] else 0


if __name__ == "__main__":
    sys.exit(main())
