"""The root command: help, versions, names that come close, and nothing imported before it is needed."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from sentry_connector import __version__
from sentry_connector.cli.root import COMMANDS, module_of
from sentry_connector.store.store import Store
from tests.cli.shell import Shell

HEAVY = ("pyarrow", "duckdb", "deltalake", "aiohttp", "sqlalchemy")


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words that call it."""
    for name in COMMANDS:
        command = get_command(importlib.import_module(module_of(name)).app)
        inner: dict[str, Any] = getattr(command, "commands", {})
        yield from (((name, sub), one) for sub, one in inner.items())
        if not inner:
            yield (name,), command


@pytest.mark.parametrize("words", [pytest.param(words, id=" ".join(words)) for words, _ in commands()])
def test_every_command_and_option_has_help(shell: Shell, words: tuple[str, ...]) -> None:
    command = dict(commands())[words]
    assert command.help
    assert all(option.help for option in command.params)
    assert "Usage: sentry-connector" in shell.ok(*words, "--help").stdout.replace("root", "sentry-connector")


def test_every_command_has_json() -> None:
    without = {words for words, command in commands() if not any("--json" in one.opts for one in command.params)}
    assert without == set()


def test_the_version_is_the_packages(shell: Shell) -> None:
    assert shell.ok("--version").stdout == f"sentry-connector {__version__}\n"


def test_without_a_command_there_is_help(shell: Shell) -> None:
    output = shell.ok().stdout
    assert all(f"\n  {name} " in output for name in COMMANDS)


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_what_answers_at_once_imports_no_heavy_library(argument: str) -> None:
    code = (
        "import sys; from sentry_connector.cli.root import app\n"
        f"try: app([{argument!r}])\n"
        f"except SystemExit: print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_a_pull_asks_its_first_question_without_arrow() -> None:
    """Arrow and what stands on it are loaded while Sentry is asked who is there."""
    code = f"import sys, sentry_connector.cli.pull; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


NOT_FOR_RECORDS = (*HEAVY[:-1], "numpy", "alembic", "structlog", "fastapi", "sqlalchemy.dialects.postgresql")
"""What no command loads that looks at the store and at no table: together half of such a command's time."""


def test_what_looks_at_the_store_alone_loads_nothing_for_rows_runs_or_sentry(tmp_path: Path) -> None:
    Store(f"sqlite:///{tmp_path / 'connector.db'}").close()  # by Alembic
    calls = [
        *(
            [group, "list"]
            for group in ("datasets", "runs", "accounts", "notices", "destinations", "users", "audit", "queries")
        ),
        ["export-config"],
    ]
    code = (
        "import sys; from sentry_connector.cli.root import app\n"
        f"for call in {calls}:\n"
        "    try: app(call)\n"
        "    except SystemExit as done: assert not done.code, call\n"
        f"    loaded = [name for name in {NOT_FOR_RECORDS} if name in sys.modules]\n"
        "    assert not loaded, (call, loaded)"
    )
    env = os.environ | {"SENTRY_CONNECTOR_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("call", "near"),
    [
        (["pul"], "pull"),
        (["datasets", "crate"], "create"),
        (["pull", "projects", "--organisation", "acme"], "--organization"),
        (["pull", "project event"], "Project Events"),
        (["pull", "projects", "--format", "parket"], "parquet"),
        (["query", "SELECT 1", "--format", "cvs"], "csv"),
        (["choices", "project"], "projects"),
        (["datasets", "create", "--name", "x", "--report", "projects", "--update-method", "apend"], "append"),
        (["simulate", "--limits", "sentry"], "sentry.io"),
    ],
)
def test_a_wrong_word_is_refused_with_the_nearest(shell: Shell, call: list[str], near: str) -> None:
    result = shell(*call)
    assert result.exit_code == 2
    assert near in result.stderr
    assert result.stdout == ""


def test_a_group_without_a_command_is_a_usage_error(shell: Shell) -> None:
    result = shell("datasets")
    assert result.exit_code == 2
    assert "`sentry-connector datasets --help`" in result.stderr


def test_a_usage_error_is_json_where_json_is_wanted(shell: Shell) -> None:
    result = shell("datasets", "run", "--json", "--nonsense")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["name"] == "usage.invalid"


@pytest.mark.parametrize("name", ["bash", "zsh", "fish", "pwsh"])
def test_there_is_completion_for_each_shell(name: str, shell: Shell) -> None:
    completing = shell.with_env(_SENTRY_CONNECTOR_COMPLETE=f"source_{name}")
    assert "SENTRY_CONNECTOR_COMPLETE" in completing.ok().stdout.upper()


def test_bash_completes_commands(shell: Shell) -> None:
    completing = shell.with_env(
        _SENTRY_CONNECTOR_COMPLETE="complete_bash", COMP_WORDS="sentry-connector da", COMP_CWORD="1"
    )
    assert completing.ok().stdout.split() == ["datasets"]
