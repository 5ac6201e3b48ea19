"""Requests that the OpenAPI document allows, and others: no answer is a defect, and each is one that it describes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from sentry_connector.simulator import Simulation
from tests.cli.shell import Shell
from tests.cli.test_serve import Served, serving
from tests.web.asking import asked

CONFIGURATION = Path(__file__).parent / "schemathesis.toml"
NAMES = ("0", "a", "b", "null", "name")
"""Names that are often made up, so that some paths lead to something."""


@pytest.fixture(scope="module")
def server(sentry: Simulation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of its own: what is made up is run and deleted behind the other tests' backs."""
    env = {"SENTRY_URL": sentry.url, "SENTRY_AUTH_TOKEN": sentry.token}
    home = str(tmp_path_factory.mktemp("made-up"))
    shell = Shell(env | {"SENTRY_CONNECTOR_HOME": home, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"})
    with serving(shell) as served:
        yield served


async def made_up(server: Served, http: aiohttp.ClientSession, folder: Path, phases: str, examples: int) -> None:
    """Ask for what is made up in these phases."""
    known = {one["name"] for one in await asked(http, "GET", "datasets")}
    for name in set(NAMES) - known:
        await asked(http, "POST", "datasets", 201, json={"name": name, "report": "organizations"})
    command = [
        *(str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(CONFIGURATION), "run"),
        *(f"{server.url}/api/v1/openapi.json", "--generation-deterministic", "--phases", phases),
        *("--max-examples", str(examples), "--continue-on-failure", "--no-color", "--warnings", "off"),
        *("--request-timeout", "60"),
    ]
    done = await asyncio.to_thread(subprocess.run, command, cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(300)
async def test_made_up_requests_are_answered_as_described(
    server: Served, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    await made_up(server, http, tmp_path, "fuzzing", examples=1)


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_many_made_up_requests_are_answered_as_described(
    server: Served, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    await made_up(server, http, tmp_path, "examples,coverage,fuzzing,stateful", examples=100)
