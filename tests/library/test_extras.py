"""The core alone pulls, runs and queries; what an extra brings is asked for by its name."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tools import docs

from sentry_connector.simulator import Simulation, World, start_in_thread

PROJECT = docs.DOCS.parent
EXTRAS: Mapping[str, tuple[str, ...]] = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"][
    "optional-dependencies"
]
MODULES: Mapping[str, tuple[str, ...]] = {
    "frames": ("pandas", "polars", "pytz"),
    "server": ("fastapi", "uvicorn", "prometheus_client"),
    "notify": ("apprise",),
    "postgres": ("psycopg",),
    "telemetry": ("opentelemetry",),
}
"""What each extra brings."""

WITHOUT = """
import sys
from importlib.abc import MetaPathFinder

class Without(MetaPathFinder):
    def find_spec(self, name, *_):
        if name in {without}:
            raise ModuleNotFoundError(name=name)

sys.meta_path.insert(0, Without())
sys.modules.update({{name: None for name in {without} if name != "pandas"}})
"""
"""Python takes a module that is None for one that is not installed; Arrow, which looks for pandas by itself, does not."""

ROWS = """
import sentry_connector as sc
from sentry_connector.errors import UsageError
try:
    sc.pull('projects').to_{form}()
except UsageError as error:
    sys.exit(error.remedy)
"""
SPOKEN = "from sentry_connector.cli import main; sys.argv = ['sentry-connector', *{call}]; main()"
ASKED: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "frames": (("pandas", ROWS.format(form="pandas"), ""), ("polars", ROWS.format(form="polars"), "")),
    "server": (("fastapi", SPOKEN.format(call=["serve"]), ""),),
    "notify": (("apprise", SPOKEN.format(call=["notices", "add", "x"]), "mailto://a:b@example.com"),),
    "postgres": (("psycopg", SPOKEN.format(call=["datasets", "list"]), ""),),
    "telemetry": (("opentelemetry", SPOKEN.format(call=["pull", "projects"]), ""),),
}
"""Extra → a module of it, what asks for it, and what stands on standard input then."""


SETTINGS: Mapping[str, dict[str, str]] = {
    "postgres": {"SENTRY_CONNECTOR_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none"},
    "telemetry": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"},
}
"""Extra → the settings by which it is asked for."""


@pytest.fixture(scope="module")
def sentry() -> Iterator[Simulation]:
    with start_in_thread(World.build(now=dt.datetime.now(dt.UTC), events=200, issues=20)) as simulation:
        yield simulation


@pytest.fixture
def env(sentry: Simulation, tmp_path: Path) -> dict[str, str]:
    others = {
        name: value for name, value in os.environ.items() if not name.startswith(("SENTRY_", "OTEL_", "PYTHONPATH"))
    }
    return others | {
        "SENTRY_CONNECTOR_HOME": str(tmp_path / "home"),
        "SENTRY_URL": sentry.url,
        "SENTRY_AUTH_TOKEN": sentry.token,
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }


def test_every_extra_is_known_here() -> None:
    assert MODULES.keys() == EXTRAS.keys() == ASKED.keys()


@pytest.mark.parametrize("extra", ASKED)
def test_a_missing_extra_is_told_with_its_pip_command(extra: str, env: dict[str, str]) -> None:
    for module, asking, given in ASKED[extra]:
        code = WITHOUT.format(without=[module]) + asking
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=env | SETTINGS.get(extra, {}),
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode != 0
        assert f"pip install 'sentry-connector[{extra}]'" in done.stderr


def test_without_the_extras_everything_of_the_core_is_imported() -> None:
    every = [module for modules in MODULES.values() for module in modules]
    code = WITHOUT.format(without=every) + (
        "import sentry_connector as sc; sc.open, sc.pull\n"
        "import importlib\n"
        "from sentry_connector.cli.root import COMMANDS\n"
        "for name in COMMANDS: importlib.import_module('sentry_connector.cli.' + name.replace('-', '_'))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_wheel_alone_pulls_runs_and_queries(tmp_path: Path, env: dict[str, str]) -> None:
    """Only the wheel and what it depends on, in an environment of its own."""
    uv = shutil.which("uv") or str(PROJECT / ".uv" / "bin" / "uv")
    subprocess.run([uv, "build", "--wheel", "--quiet", "--out-dir", str(tmp_path), str(PROJECT)], check=True)
    [wheel] = tmp_path.glob("*.whl")
    subprocess.run([uv, "venv", "--quiet", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([uv, "pip", "install", "--quiet", "--python", str(python), str(wheel)], check=True)

    def call(*words: str) -> str:
        done = subprocess.run(
            [str(python), "-m", "sentry_connector", *words],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    installed = subprocess.run(
        [uv, "pip", "list", "--python", str(python), "--format", "json"], check=True, capture_output=True
    )
    names = {one["name"] for one in json.loads(installed.stdout)}
    assert not names & {"pandas", "polars", "fastapi", "uvicorn", "apprise", "psycopg", "opentelemetry-sdk"}
    assert len(call("pull", "project-events", "--project", "acme/shop", "--format", "jsonl").splitlines()) > 10
    call("datasets", "create", "--name", "Shop", "--report", "project-events", "--project", "acme/shop")
    call("datasets", "run", "Shop")
    [row] = json.loads(call("query", "SELECT count(*) AS n FROM shop", "--json"))
    assert row["n"] > 10
    assert (
        "Nothing to do"
        in subprocess.run(
            [str(python), "-m", "sentry_connector", "plan", "-"],
            env=env,
            input=call("export-config"),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )
