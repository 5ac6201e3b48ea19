"""A simulated Sentry for all tests of the command line, and a home for each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentry_connector.simulator import Simulation, World, start_in_thread
from tests.cli.shell import Shell, shell_on


@pytest.fixture(scope="session")
def sentry() -> Iterator[Simulation]:
    """A world that no test changes."""
    world = World.build(now=dt.datetime.now(dt.UTC), events=400, issues=40, repositories=120, people=10, feedback=20)
    with start_in_thread(world) as simulation:
        yield simulation


@pytest.fixture
def shell(sentry: Simulation, tmp_path: Path) -> Shell:
    """The command line with a token of that Sentry, and a home of its own."""
    return shell_on(sentry, tmp_path / "home")
