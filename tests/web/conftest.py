"""A server for all tests of the API, on a simulated Sentry; what a test makes has a name of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from sentry_connector.simulator import Simulation
from tests.cli.conftest import sentry  # noqa: F401  # a fixture
from tests.cli.shell import Shell, shell_on
from tests.cli.test_serve import Served, serving
from tests.web.town import Town


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """People and their things, for each test."""
    made = Town(tmp_path / "home")
    yield made
    made.close()


@pytest.fixture(scope="session")
def shell(sentry: Simulation, tmp_path_factory: pytest.TempPathFactory) -> Shell:  # noqa: F811  # the fixture
    """The command line on the server's home."""
    return shell_on(sentry, tmp_path_factory.mktemp("web") / "home")


@pytest.fixture(scope="session")
def server(shell: Shell) -> Iterator[Served]:
    with serving(shell) as served:
        yield served


@pytest.fixture
async def http(server: Served) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"{server.url}/api/v1/") as session:
        yield session
