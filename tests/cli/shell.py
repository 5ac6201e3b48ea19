"""The command line as the tests call it: in this process, or as a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from sentry_connector.cli.root import app
from sentry_connector.simulator import Fault, Faults, Simulation, World

VARIABLES = ("SENTRY_", "AWS_", "AZURE_STORAGE_", "OTEL_", "NO_COLOR", "FORCE_COLOR")
"""What the environment of whoever runs the tests must not decide."""


@dataclass(frozen=True)
class Shell:
    """Calls `sentry-connector` with an environment of its own."""

    env: Mapping[str, str]

    @property
    def home(self) -> Path:
        return Path(self.env["SENTRY_CONNECTOR_HOME"])

    def with_env(self, **env: str) -> Shell:
        return Shell({**self.env, **env})

    def without(self, name: str) -> Shell:
        return Shell({key: value for key, value in self.env.items() if key != name})

    def __call__(self, *args: str, stdin: str = "") -> Result:
        """Run in this process."""
        cleared: dict[str, str | None] = {name: None for name in os.environ if name.startswith(VARIABLES)}
        return CliRunner().invoke(app, list(args), input=stdin, env={**cleared, **self.env}, catch_exceptions=False)

    def ok(self, *args: str, stdin: str = "") -> Result:
        """Run, and insist on exit code 0."""
        result = self(*args, stdin=stdin)
        assert result.exit_code == 0, result.output
        return result

    def json(self, *args: str, stdin: str = "") -> Any:
        """Run with --json, insist on exit code 0, and answer what standard output holds."""
        return json.loads(self.ok(*args, "--json", stdin=stdin).stdout)

    def process(self, *args: str, **options: Any) -> subprocess.Popen[bytes]:
        """Run as a process of its own."""
        rest = {name: value for name, value in os.environ.items() if not name.startswith(VARIABLES)}
        return subprocess.Popen([sys.executable, "-m", "sentry_connector", *args], env={**rest, **self.env}, **options)

    def on_terminal(self, *args: str) -> tuple[int, bytes]:
        """Run as a process whose three streams are a terminal; answer the exit code and what stood on the screen."""
        screen, terminal = os.openpty()
        process = self.process(*args, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True)
        os.close(terminal)
        seen = b"".join(_until_closed(screen))
        os.close(screen)
        return process.wait(), seen


def _until_closed(screen: int) -> Iterator[bytes]:
    """What is written to a terminal until its last writer has gone, which Linux tells by an error."""
    with contextlib.suppress(OSError):
        while data := os.read(screen, 65_536):
            yield data


def shell_on(sentry: Simulation, home: Path) -> Shell:
    """The command line with a token of a simulated Sentry, and a home of its own."""
    return Shell(
        {
            "SENTRY_CONNECTOR_HOME": str(home),
            "SENTRY_URL": sentry.url,
            "SENTRY_AUTH_TOKEN": sentry.token,
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        }
    )


class NoSentry(Faults):
    """A server whose answers about one path are a web page, each time."""

    def __init__(self, path: str) -> None:
        super().__init__(0.0)
        self._path = path

    def strike(self, target: str) -> Fault | None:
        return Fault.HTML if self._path in target else None


class Vanishing(Faults):
    """A server on which a project is deleted in the moment when the given path is asked for."""

    def __init__(self, world: World, organization: str, project: str, path: str) -> None:
        super().__init__(0.0)
        self._projects = world.organization(organization).projects
        self._project = world.project(organization, project)
        self._path = path

    def strike(self, target: str) -> Fault | None:
        if self._path in target and self._project in self._projects:
            self._projects.remove(self._project)
        return None
