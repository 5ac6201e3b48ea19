"""`python -m tests.faults.fleet`: two workers on one PostgreSQL, all three killed while a thousand runs go through.

Half-way one worker stays dead for a while, and one is stopped past its lease and woken. In the end every run has ended once,
no run has committed twice, every slot is accounted for once, and every table is what a reading without faults brings.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from sentry_connector.app import App, app
from sentry_connector.datasets.definition import Definition
from sentry_connector.operations import datasets
from sentry_connector.runs.lease import TTL
from sentry_connector.store.records import Run, RunState, Trigger, Verdict
from tests.faults.siege import SUBJECTS, Outcome, compare, sentry
from tests.postgres import Server, running_postgres

WORKERS = ("one", "two")
PAST_THE_LEASE = TTL.total_seconds() + 10
LOOK = 0.2


@dataclass
class Report:
    """What a siege of workers came to."""

    outcome: Outcome = field(default_factory=Outcome)
    kills: Counter[str] = field(default_factory=Counter)
    shares: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    seconds: float = 0.0
    quiet_runs: int = 0
    quiet_seconds: float = 0.0
    own_seconds: float = 0.0
    woken: str = "nobody was stopped"

    def lines(self) -> list[str]:
        """The report."""
        kills = ", ".join(f"{name} {count}" for name, count in sorted(self.kills.items()))
        done = sum(self.shares.values())
        shares = ", ".join(f"{name} {count / done:.0%}" for name, count in sorted(self.shares.items()))
        each = 1000 * self.quiet_seconds / max(1, self.quiet_runs)
        quiet = (
            f"while nobody was killed: {self.quiet_runs} runs, {each:.0f} ms each;"
            f" from its beginning to its end a run took {1000 * self.own_seconds:.0f} ms (median)"
        )
        return [
            f"{self.runs} runs in {self.seconds:.0f} s; killed: {kills}",
            f"verdicts: {dict(self.outcome.ended)}; taken up by another process: {self.outcome.taken_up}",
            f"slots: {self.outcome.slots}; passed over: {dict(self.outcome.passed)}",
            f"share of each worker: {shares}",
            f"stopped past its lease: {self.woken}",
            quiet,
            *(self.outcome.differences or ["no difference"]),
        ]


class Fleet:
    """Workers on one PostgreSQL, each with a home of its own, and a person who asks for runs."""

    def __init__(self, folder: Path, server: Server, url: str, token: str, *, runs_at_once: int) -> None:
        self.folder, self.server, self.runs_at_once = folder, server, runs_at_once
        self.shared = {
            "SENTRY_URL": url,
            "SENTRY_AUTH_TOKEN": token,
            "SENTRY_CONNECTOR_DATABASE_URL": server.fresh_database(),
            "SENTRY_CONNECTOR_STORAGE": str(folder / "tables"),
            "SENTRY_CONNECTOR_KEY": base64.b64encode(os.urandom(32)).decode(),
            "SENTRY_CONNECTOR_KEEP_VERSIONS": "10000",
        }
        self.alive: dict[str, subprocess.Popen[bytes]] = {}
        self.names: dict[int, str] = {}
        self.asked = 0

    def environment(self, name: str) -> dict[str, str]:
        return {**self.shared, "SENTRY_CONNECTOR_HOME": str(self.folder / name)}

    def begin(self, name: str) -> None:
        command = [
            sys.executable,
            "-m",
            "sentry_connector",
            "worker",
            "--json",
            "--runs-at-once",
            str(self.runs_at_once),
        ]
        env = {**os.environ, **self.environment(name)}
        self.alive[name] = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.names[self.alive[name].pid] = name

    def is_at_work(self, name: str) -> None:
        """Return once others see the worker at work: on a slow machine all would be killed before they are, again and again."""
        told = self.alive[name].stdout
        assert told is not None
        assert told.readline(), f"{name} ended with {self.alive[name].wait()}"

    def kill(self, name: str) -> None:
        if name == "PostgreSQL":
            self.server.kill()
            return
        process = self.alive.pop(name)
        process.kill()
        process.communicate()

    def start(self, name: str) -> None:
        if name == "PostgreSQL":
            self.server.start()
        else:
            self.begin(name)
            self.is_at_work(name)

    @contextmanager
    def gone_at_the_end(self) -> Iterator[None]:
        """Whatever happens inside the block, no worker outlives it."""
        try:
            yield
        finally:
            for process in self.alive.values():
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.communicate()

    def rest(self, report: Report) -> None:
        """All come to rest in time."""
        for name, process in self.alive.items():
            process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            if process.wait() != 128 + signal.SIGTERM or time.monotonic() - began > 10:
                report.outcome.differences.append(f"{name} came to rest with {process.returncode}")

    def ask(self, house: App, most: int) -> int:
        """Ask for a run of each DataSet that has none which is not done, so many in all; says how many have ended."""
        unfinished = house.store.runs.unfinished()
        busy = {run.dataset_id for run in unfinished}
        before = self.asked
        for dataset in house.store.datasets.list():
            if self.asked < most and dataset.id not in busy:
                _, is_new = datasets.ask(house, dataset.name)
                self.asked += is_new
        return before - sum(run.trigger is Trigger.MANUAL for run in unfinished)

    def worker_of(self, run: Run) -> str:
        found = re.match(r"process (\d+) on", (run.attempts[-1].worker if run.attempts else None) or "")
        return self.names.get(int(found[1]), "a stranger") if found else "nobody"


def every_seconds(seconds: float) -> Callable[[int], bool]:
    """Kills that come by the clock."""
    due = [time.monotonic() + seconds]

    def is_due(_done: int) -> bool:
        if time.monotonic() < due[0]:
            return False
        due[0] = time.monotonic() + seconds
        return True

    return is_due


def at_runs(*numbers: int) -> Callable[[int], bool]:
    """Kills that come when so many runs have ended, so that they are as many on a slow machine as on a fast one."""
    left = list(numbers)

    def is_due(done: int) -> bool:
        if not left or done < left[0]:
            return False
        del left[0]
        return True

    return is_due


def besieged(
    folder: Path, *, count: int, runs: int, is_due: Callable[[int], bool], stop: bool, runs_at_once: int = 4
) -> Report:
    """Lay siege.

    Args:
        folder: an empty one.
        count: DataSets.
        runs: how many are asked for.
        is_due: given how many have ended, whether it is time for the next kill.
        stop: whether half-way one worker stays dead, and one is stopped past its lease.
        runs_at_once: of each worker.
    """
    report, victims = Report(), itertools.cycle((WORKERS[0], "PostgreSQL", WORKERS[1]))
    with running_postgres() as server, sentry(latency_ms=20) as (url, token):
        fleet = Fleet(folder, server, url, token, runs_at_once=runs_at_once)
        with app(fleet.environment("desk")) as house, fleet.gone_at_the_end():
            for number in range(count):
                report_name, details, method = SUBJECTS[number % len(SUBJECTS)]
                schedule = "every 1m" if number % 2 else "manual"
                definition = Definition(
                    name=f"{number}", report=report_name, details=details, update_method=method, schedule=schedule
                )
                datasets.create(house, definition, None)
            for name in WORKERS:
                fleet.begin(name)
            for name in WORKERS:
                fleet.is_at_work(name)
            began = time.monotonic()

            def kills_until(done: int) -> None:
                """Each kill that is due comes, also where many runs ended between two looks."""
                while True:
                    ended = fleet.ask(house, runs)
                    if is_due(ended):
                        whom = next(victims)
                        fleet.kill(whom)
                        report.kills[whom] += 1
                        fleet.start(whom)
                    elif ended >= done:
                        return
                    else:
                        time.sleep(LOOK)

            kills_until(runs // 2)
            if stop:
                _one_dead_one_stopped(fleet, house, runs, report)
                kills_until(runs - runs // 10)
            _until(lambda: fleet.ask(house, runs) >= runs, house)
            report.seconds = time.monotonic() - began
            _quietly(fleet, house, count, report)
            fleet.rest(report)
            _compare(fleet, house, report)
    return report


def _one_dead_one_stopped(fleet: Fleet, house: App, runs: int, report: Report) -> None:
    """One worker stays dead while the other does its share; then that one is stopped in the midst of a run, and woken."""
    still, other = WORKERS
    fleet.kill(other)
    report.kills[other] += 1
    done = fleet.ask(house, runs)
    _until(lambda: fleet.ask(house, runs) >= done + runs // 20, house)
    fleet.start(other)
    mine = str(fleet.alive[still].pid)
    held: list[str] = []

    def at_work() -> bool:
        fleet.ask(house, runs)
        leases = house.store.leases.living("dataset/", house.now())
        held[:] = [one.name for one in leases if f"process {mine} " in one.holder]
        return bool(held)

    _until(at_work, house, every=0.01)
    fleet.alive[still].send_signal(signal.SIGSTOP)
    end = time.monotonic() + PAST_THE_LEASE
    _until(lambda: fleet.ask(house, runs) >= runs or time.monotonic() >= end, house)
    taken = [one.name for one in house.store.leases.living("dataset/", house.now()) if f"process {mine} " in one.holder]
    report.woken = f"held {len(held)} leases, then {len(taken)}"
    fleet.alive[still].send_signal(signal.SIGCONT)


def _quietly(fleet: Fleet, house: App, count: int, report: Report) -> None:
    """What runs cost while nobody is killed: twice as many as there are DataSets."""
    _until(lambda: not house.store.runs.unfinished(), house)
    most, since = fleet.asked + 2 * count, house.now()
    began = time.monotonic()
    _until(lambda: fleet.ask(house, most) >= most, house)
    report.quiet_seconds = time.monotonic() - began
    ended = [
        run for run in house.store.runs.recent(limit=4 * count) if run.queued_at >= since and run.seconds is not None
    ]
    report.quiet_runs, report.own_seconds = len(ended), median(run.seconds or 0.0 for run in ended)


def _compare(fleet: Fleet, house: App, report: Report) -> None:
    compare(house, report.outcome)
    history = house.store.runs.recent(limit=None)
    report.runs = len(history)
    report.shares.update(fleet.worker_of(run) for run in history)
    for run in history:
        if run.state is RunState.DONE and run.verdict is not Verdict.COMPLETE:
            report.outcome.differences.append(f"{run.id} is {run.state}, {run.verdict}: {run.error}")
    for dataset in house.store.datasets.list():
        commits = Counter(one.run_id for one in datasets.versions(house, dataset.name))
        if twice := [run_id for run_id, times in commits.items() if times > 1]:
            report.outcome.differences.append(f"{dataset.name}: committed twice: {twice}")


def _until(condition: Callable[[], bool], house: App, *, every: float = LOOK) -> None:
    """Wait for it; who waits for ten minutes for what should be there waits in vain."""
    give_up = time.monotonic() + 600
    while not condition():
        if time.monotonic() > give_up:
            raise TimeoutError(f"not done: {house.store.runs.unfinished()}")
        time.sleep(every)


def main() -> int:
    """Lay siege as asked for, and print what it came to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=60)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--every", type=float, default=5.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = besieged(
            Path(folder), count=asked.datasets, runs=asked.runs, is_due=every_seconds(asked.every), stop=True
        )
    sys.stdout.write("\n".join(report.lines()) + "\n")
    return 1 if report.outcome.differences else 0


if __name__ == "__main__":
    sys.exit(main())
