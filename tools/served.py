"""The connector as a person has it: a server of the command line, on a home of its own that has something on every page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE

from playwright.sync_api import Browser, sync_playwright

from sentry_connector.simulator import TOKEN
from tools import pages
from tools.machine import browser_program

SEED = 1
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
)
"""Chromium asks nobody but the server."""


@contextmanager
def serving(environment: Mapping[str, str], *args: str) -> Iterator[str]:
    """A server of the command line, while the block lasts: its address."""
    command = [sys.executable, "-m", "sentry_connector", *args, "--port", "0", "--json"]
    with subprocess.Popen(command, env=environment, stdout=PIPE) as process:
        try:
            yield json.loads(process.stdout.readline())["url"] if process.stdout else ""
        finally:
            process.terminate()


@contextmanager
def simulating() -> Iterator[str]:
    """The simulated Sentry in a process of its own: its address."""
    with serving(os.environ, "simulate", "--seed", str(SEED)) as url:
        yield url


def environment_of(home: Path, sentry: str) -> dict[str, str]:
    """What a process of the connector has in its environment: that home, that Sentry, and no keyring of somebody's own."""
    rest = {name: value for name, value in os.environ.items() if not name.startswith("SENTRY_")}
    return {
        **rest,
        "SENTRY_CONNECTOR_HOME": str(home),
        "SENTRY_URL": sentry,
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }


def call(environment: Mapping[str, str], args: Sequence[str], stdin: str = "") -> int:
    """Do a command; answer its exit code."""
    command = [sys.executable, "-m", "sentry_connector", *args]
    return subprocess.run(command, env=environment, input=stdin.encode(), capture_output=True, check=False).returncode


@contextmanager
def filled() -> Iterator[tuple[str, pages.Values]]:
    """A server on a home that has something on every page: its address, and what the parts of the pages' addresses stand for."""
    with tempfile.TemporaryDirectory() as folder, simulating() as sentry:
        environment = environment_of(Path(folder) / "home", sentry)
        pages.fill(lambda args, stdin: call(environment, args, stdin), TOKEN)
        command = [sys.executable, "-m", "sentry_connector", "runs", "list", "Shop events", "--json"]
        values = pages.values_with(json.loads(subprocess.check_output(command, env=environment))[0]["id"])
        with serving(environment, "serve") as url:
            yield url, values


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a screen.

    Raises:
        RuntimeError: there is none on this machine.
    """
    program = browser_program()
    if program is None:
        raise RuntimeError("no Chrome or Chromium: python -m tools.machine")
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu", *QUIET])
        try:
            yield made
        finally:
            made.close()
