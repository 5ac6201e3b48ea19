"""A small simulated Sentry and a house on it; what breaks, breaks through `faults`. A file that needs others has its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sentry_connector.simulator.running import Simulation, start_in_thread
from sentry_connector.simulator.world import World
from tests.runs.acme import Broken, HastyApp, app_in, small_world


@pytest.fixture
def world() -> World:
    return small_world()


@pytest.fixture
def faults() -> Broken:
    return Broken()


@pytest.fixture
def sentry(world: World, faults: Broken) -> Iterator[Simulation]:
    with start_in_thread(world, clock=lambda: world.time, faults=faults) as simulation:
        yield simulation


@pytest.fixture
def app(tmp_path: Path, sentry: Simulation) -> HastyApp:
    return app_in(tmp_path, sentry)
