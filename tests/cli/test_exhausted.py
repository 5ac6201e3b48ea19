"""A process that may open few files, have little memory, or write nowhere: it says so, and the next one brings all."""

from __future__ import annotations

import json
import resource
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from subprocess import PIPE

import pytest

from sentry_connector.errors import DestinationRefused, OutOfResources, StoreUnusable
from sentry_connector.simulator import Simulation, World, start_in_thread
from tests.cli.shell import Shell
from tests.parts import NOW
from tests.runs.acme import events_in

FEW_FILES = range(7, 27)
LITTLE_MEMORY = range(400, 1600, 120)
"""Open files, and MiB of address space: some too few to begin with, some enough."""

PATIENCE = 40.0
"""Seconds after which somebody kills a run that takes three."""

TOLD = {OutOfResources.name, DestinationRefused.name, StoreUnusable.name}


@pytest.fixture
def world() -> World:
    return World.build(now=NOW, events=400, issues=40)


@pytest.fixture
def sentry(world: World) -> Iterator[Simulation]:
    with start_in_thread(world, clock=lambda: world.time) as simulation:
        yield simulation


@pytest.fixture
def person(shell: Shell, sentry: Simulation) -> Shell:
    """A person with a DataSet whose table holds something that must not be harmed."""
    shell = shell.with_env(SENTRY_URL=sentry.url, SENTRY_AUTH_TOKEN=sentry.token)
    shell.ok(
        *("datasets", "create", "--name", "Events", "--report", "project-events", "--project", "acme/shop"),
        *("--update-method", "upsert", "--all-available"),
    )
    shell.ok("datasets", "run", "Events")
    return shell


def limited(person: Shell, limit: Callable[[], None]) -> tuple[int, str]:
    """The exit code of a run by a process of its own, and what it printed as JSON."""
    process = person.process("datasets", "run", "Events", "--json", stdout=PIPE, stderr=PIPE, preexec_fn=limit)
    try:
        output, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
    return process.returncode, output.decode()


def few_files(number: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, number))


def little_memory(mib: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (mib << 20, mib << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def events_of(person: Shell) -> list[str]:
    return [row["event_id"] for row in person.json("query", "SELECT event_id FROM events ORDER BY event_id")]


def heals(person: Shell, world: World) -> bool:
    """With the limit gone, a run ends complete; the lease of a process that died has lapsed by then."""
    with closing(sqlite3.connect(person.home / "connector.db")) as store, store:
        store.execute("UPDATE leases SET expires_at = acquired_at WHERE name LIKE 'dataset/%'")
    person.ok("datasets", "run", "Events")
    return events_of(person) == events_in(world)


def errors_in(printed: str) -> set[str]:
    found = json.loads(printed)
    return {one["error"]["name"] for one in (found if isinstance(found, list) else [found]) if one["error"]}


def check_files(person: Shell, world: World, number: int) -> None:
    before = events_of(person)
    world.add_events("acme", "shop", 3)
    world.advance(7200)
    code, printed = limited(person, partial(few_files, number))
    assert code in {0, OutOfResources.exit_code, DestinationRefused.exit_code, StoreUnusable.exit_code}, printed
    assert errors_in(printed) <= TOLD
    assert events_of(person) == (events_in(world) if code == 0 else before)
    assert heals(person, world)


def check_memory(person: Shell, world: World, mib: int) -> None:
    """A library may end the process without a word, or wait for ever for a thread that it got none for: then it is killed."""
    before = events_of(person)
    world.add_events("acme", "shop", 3)
    world.advance(7200)
    code, _ = limited(person, partial(little_memory, mib))
    assert events_of(person) == (events_in(world) if code == 0 else before)
    assert heals(person, world)


@pytest.mark.parametrize("number", FEW_FILES[3::8])
def test_too_few_files_are_told_and_the_next_run_brings_all(person: Shell, world: World, number: int) -> None:
    check_files(person, world, number)


def test_too_little_memory_leaves_the_table_and_the_next_run_brings_all(person: Shell, world: World) -> None:
    check_memory(person, world, 600)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_whatever_few_files_there_are_the_next_run_brings_all(person: Shell, world: World) -> None:
    for number in FEW_FILES:
        check_files(person, world, number)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_whatever_little_memory_there_is_the_next_run_brings_all(person: Shell, world: World) -> None:
    for mib in LITTLE_MEMORY:
        check_memory(person, world, mib)
