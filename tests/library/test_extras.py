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
from typing import NamedTuple

import pytest
from tools import docs

from sentry_connector.simulator import Simulation, World, start_in_thread

PROJECT = docs.DOCS.parent
EXTRAS: Mapping[str, tuple[str, ...]] = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"][
    "optional-dependencies"
]
MODULES: Mapping[str, tuple[str, ...]] = {
    "frames": ("pandas", "polars", "pytz"),
    "server": ("argon2", "fastapi", "joserfc", "prometheus_client", "uvicorn", "zxcvbn"),
    "notify": ("apprise",),
    "postgres": ("adbc_driver_manager", "adbc_driver_postgresql", "psycopg"),
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


class Asked(NamedTuple):
    """What asks for a module: a program, what stands on its standard input, and its settings."""

    module: str
    program: str
    given: str = ""
    settings: Mapping[str, str] = {}


def spoken(module: str, *call: str, given: str = "", **settings: str) -> Asked:
    """A call of the command line."""
    return Asked(module, SPOKEN.format(call=list(call)), given, settings)


NOWHERE = "http://127.0.0.1:9"
ASKED: Mapping[str, tuple[Asked, ...]] = {
    "frames": (Asked("pandas", ROWS.format(form="pandas")), Asked("polars", ROWS.format(form="polars"))),
    "server": (
        spoken("fastapi", "serve"),
        spoken("argon2", "users", "add", "ada", "--role", "admin", given="a rather long passphrase\n"),
    ),
    "notify": (spoken("apprise", "notices", "add", "x", given="mailto://a:b@example.com"),),
    "postgres": (
        spoken("psycopg", "datasets", "list", SENTRY_CONNECTOR_DATABASE_URL="postgresql://nobody@127.0.0.1:9/none"),
        spoken("adbc_driver_postgresql", "destinations", "add", "x", "--url", "postgresql://u@127.0.0.1:9/d"),
    ),
    "telemetry": (spoken("opentelemetry", "pull", "projects", OTEL_EXPORTER_OTLP_ENDPOINT=NOWHERE),),
}


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


@pytest.mark.parametrize(
    ("extra", "asked"), [pytest.param(extra, one, id=one.module) for extra, every in ASKED.items() for one in every]
)
def test_a_missing_extra_is_told_with_its_pip_command(extra: str, asked: Asked, env: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(without=[asked.module]) + asked.program],
        env=env | dict(asked.settings), input=asked.given, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
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
