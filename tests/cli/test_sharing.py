"""Processes that ask one Sentry as one person share its limits, through the store of their home."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

import sentry_connector
from sentry_connector.sentry.address import origin
from sentry_connector.simulator import Simulation, World, start_in_thread
from sentry_connector.store.store import Store
from sentry_connector.store.turns import lease_name
from tests.cli.shell import Shell
from tests.postgres import Server

ENTRIES = ("pull", "project-events-entries", "--organization", "acme", "--project", "*", "--output")
PATIENCE = 250.0
"""Seconds after which a pull that takes ten hangs.

By chance it may wait for a minute or two: until a server was heard of twice, its windows are taken to be as long as sentry.io's.
"""
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def limited() -> Iterator[Simulation]:
    """A Sentry with the limits of sentry.io, whose windows are ten times shorter."""
    world = World.build(now=dt.datetime.now(dt.UTC), events=4000, issues=60)
    with start_in_thread(world, limits="sentry.io", window_divisor=10, latency_ms=20) as simulation:
        yield simulation


@pytest.fixture
def person(shell: Shell, limited: Simulation) -> Shell:
    """A person with a home in which there is a store."""
    shell = shell.with_env(SENTRY_URL=limited.url, SENTRY_AUTH_TOKEN=limited.token)
    shell.ok("datasets", "list")
    return shell


def summary(process: subprocess.Popen[bytes]) -> Any:
    """What a pull said at its end; where it does not end, what it was doing."""
    try:
        output, said = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        output, said = process.communicate()
    assert process.returncode == 0, said.decode()
    return json.loads(output)


def begun(person: Shell, name: str) -> subprocess.Popen[bytes]:
    shell = person.with_env(PYTHONFAULTHANDLER="1")
    return shell.process(*ENTRIES, f"{person.home}/{name}.jsonl", "--json", stdout=PIPE, stderr=PIPE)


def who_asks(person: Shell) -> str:
    """Who had the last turn, as the store tells it."""
    with closing(sqlite3.connect(person.home / "connector.db")) as store:
        turns = (
            "SELECT holder FROM leases WHERE name LIKE 'budget/%' AND name NOT LIKE '%/next' ORDER BY expires_at DESC"
        )
        return str((store.execute(turns).fetchone() or ("nobody",))[0])


def test_two_processes_finish_and_are_seldom_refused(person: Shell, limited: Simulation) -> None:
    both = [begun(person, name) for name in "ab"]
    first, second = (summary(process) for process in both)
    assert first["rows"] == second["rows"] > 0
    assert {first["verdict"], second["verdict"]} == {"COMPLETE"}
    assert limited.refused <= 0.02 * limited.requests


@pytest.mark.long
def test_two_machines_on_one_postgresql_finish_and_are_seldom_refused(
    person: Shell, limited: Simulation, postgres: Server, tmp_path: Path
) -> None:
    url = postgres.fresh_database()
    homes = [tmp_path / name for name in ("one", "two")]
    machines = [person.with_env(SENTRY_CONNECTOR_HOME=str(home), SENTRY_CONNECTOR_DATABASE_URL=url) for home in homes]
    machines[0].ok("datasets", "list")
    for home in homes:
        home.mkdir(exist_ok=True)
    first, second = (summary(process) for process in [begun(one, "pulled") for one in machines])
    assert first["rows"] == second["rows"] > 0
    assert {first["verdict"], second["verdict"]} == {"COMPLETE"}
    assert limited.refused <= 0.02 * limited.requests
    with Store(url, own_time=False) as store:
        turns = store.leases.living("budget/", dt.datetime(2000, 1, 1, tzinfo=dt.UTC))
    assert turns, "they took turns"


def test_when_the_one_that_asks_is_killed_the_other_goes_on(person: Shell, limited: Simulation) -> None:
    both = [begun(person, name) for name in "ab"]
    asks = None
    while asks is None:
        assert all(process.poll() is None for process in both)
        if limited.requests > 100:
            asks = next((one for one in both if f"process {one.pid} " in who_asks(person)), None)
    asks.send_signal(signal.SIGKILL)
    asks.communicate()
    both.remove(asks)
    assert summary(both[0])["verdict"] == "COMPLETE"
    assert limited.refused <= 0.02 * limited.requests


def test_a_pull_from_python_leaves_its_turns_when_it_is_done(person: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second one, as in a notebook, would wait for them else."""
    for name, value in person.env.items():
        monkeypatch.setenv(name, value)
    with sentry_connector.pull("Projects") as pulled:
        assert pulled.rows
    now = dt.datetime.now(dt.UTC)
    with Store(f"sqlite:///{person.home / 'connector.db'}") as store:
        place, identity = origin(person.env["SENTRY_URL"]), person.env["SENTRY_AUTH_TOKEN"]
        name = lease_name(place, hashlib.sha256(identity.encode()).hexdigest(), "default")
        assert store.leases.holder_of(name, dt.datetime.min.replace(tzinfo=dt.UTC)), "it had its turn"
        assert store.leases.holder_of(name, now + dt.timedelta(seconds=1)) is None
