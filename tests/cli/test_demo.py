"""`demo` and `simulate`: all reports from a simulated Sentry, all complete."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from subprocess import DEVNULL, PIPE

import aiohttp
import pytest

from sentry_connector.reports.catalogue import CATALOGUE
from sentry_connector.simulator import Simulation
from tests.cli.shell import Shell


def test_the_demo_ends_with_sixteen_complete_reports_and_a_query(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    alone = shell.without("SENTRY_AUTH_TOKEN").without("SENTRY_URL")
    result = alone.ok("demo")
    table, _, rest = result.stdout.partition("\n\n")
    assert {report.name for report in CATALOGUE} == {line.partition("  ")[0] for line in table.splitlines()[1:]}
    assert all(line.endswith("COMPLETE") for line in table.splitlines()[1:])
    assert "acme/shop" in rest
    assert "SENTRY_CONNECTOR_HOME=demo-home" in result.stderr
    there = shell.with_env(SENTRY_CONNECTOR_HOME=str(tmp_path / "demo-home"))
    assert len(there.json("datasets", "list")) == 16
    assert not shell.home.exists()  # nothing is stored elsewhere


def test_the_demo_asks_the_sentry_of_the_environment(shell: Shell, sentry: Simulation, tmp_path: Path) -> None:
    before = sentry.requests
    home = tmp_path / "mine"
    runs = json.loads(shell("demo", "--home", str(home), "--json").stdout)
    assert sentry.requests > before
    assert {run["verdict"] for run in runs} == {"COMPLETE"}
    assert len(runs) == 16
    assert all(run["rows_read"] for run in runs), "it shows a project that has something to show"


def test_the_demo_empties_nobodys_folder(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    assert shell("demo", "--home", str(tmp_path / "mine")).exit_code == 2
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


async def test_the_demo_goes_on_as_a_server_with_its_sentry(shell: Shell, tmp_path: Path) -> None:
    alone = shell.without("SENTRY_AUTH_TOKEN").without("SENTRY_URL")
    options = ("--home", str(tmp_path / "demo"), "--serve", "--port", "0")
    process = alone.process("demo", *options, stdout=PIPE, stderr=DEVNULL)
    try:
        assert process.stdout is not None
        url = next(line for line in process.stdout if line.startswith(b"http")).decode().strip()
        token = next(line for line in process.stdout if b"made-up token" in line).decode().rpartition(" ")[2].strip()
        async with aiohttp.ClientSession(url) as http:
            async with http.get("/api/v1/datasets") as answer:
                assert len(await answer.json()) == 16
            async with http.get("/datasets/new") as page:
                assert "New DataSet" in await page.text()
            async with http.post("/api/v1/accounts", json={"token": token}) as made:
                assert (await made.json())["status"] == "valid", "the form's address is that of the simulated Sentry"
        process.send_signal(signal.SIGINT)
        assert process.wait() == 128 + signal.SIGINT
    finally:
        process.kill()
        process.communicate()
