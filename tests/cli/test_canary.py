"""A token goes through every command; afterwards it stands nowhere, in none of the forms that a text takes on its way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from sentry_connector.cli.root import COMMANDS
from sentry_connector.simulator import TOKEN, Simulation
from tests.canary import Canaries, forms
from tests.cli.shell import Shell
from tests.cli.test_serve import serving

CANARY = TOKEN

CALLS: tuple[tuple[str, ...], ...] = (
    ("accounts", "list"),
    ("accounts", "show", "Main"),
    ("accounts", "check", "Main"),
    ("accounts", "rename", "Main", "Main"),
    ("accounts", "add", "Main"),
    ("accounts", "replace-token", "Main", "--url", "ftp://nowhere"),
    ("doctor", "--account", "Main"),
    ("doctor",),
    ("choices", "projects", "--account", "Main"),
    ("reports", "list"),
    ("reports", "show", "projects"),
    ("settings",),
    ("schedule", "show", "hourly"),
    ("datasets", "list"),
    ("datasets", "show", "E"),
    ("datasets", "preview", "E"),
    ("datasets", "schema", "E"),
    ("datasets", "stats", "E"),
    ("datasets", "versions", "E"),
    ("datasets", "next", "E"),
    ("datasets", "run", "E"),
    ("datasets", "run", "Lost"),
    ("datasets", "backfill", "E", "--start", "today-3", "--end", "today"),
    ("datasets", "edit", "E", "--description", "x"),
    ("datasets", "pause", "E"),
    ("datasets", "resume", "E"),
    ("datasets", "revert", "E", "--to-version", "0"),
    ("datasets", "delete", "Lost", "--yes"),
    ("datasets", "restore", "Lost"),
    ("runs", "list"),
    ("runs", "show", "E"),
    ("runs", "show", "Lost"),
    ("runs", "logs", "E"),
    ("runs", "logs", "Lost"),
    ("runs", "cancel", "E"),
    ("query", "SELECT * FROM connector.runs"),
    ("query", "SELECT * FROM connector.datasets"),
    ("query", "SELECT * FROM e"),
    ("query", "SELECT nothing FROM nowhere"),
    ("queries", "save", "Q", "SELECT * FROM e"),
    ("queries", "list"),
    ("queries", "show", "Q"),
    ("queries", "run", "Q"),
    ("queries", "run", "Lost"),
    ("queries", "delete", "Q", "--yes"),
    ("plan", "-"),
    ("apply", "-", "--yes"),
    ("export-config",),
    ("export-config",),
    ("pull", "organizations", "--account", "Main"),
    ("pull", "project-events", "--project", "acme/shop", "--account", "Main", "--explain"),
    ("pull", "project-events", "--project", "acme/none", "--account", "Main"),
    ("notices", "list"),
    ("notices", "show", "hook"),
    ("notices", "add", "hook"),
    ("notices", "test", "hook"),
    ("notices", "test", "mail"),
    ("notices", "edit", "mail", "--kind", "failed"),
    ("notices", "sent"),
    ("workers",),
    ("users", "list"),
    ("users", "add", "Ada", "--role", "admin"),
    ("users", "add", "Bob", "--role", "editor"),
    ("users", "show", "Ada"),
    ("users", "set-role", "Bob", "viewer"),
    ("users", "set-password", "Bob"),
    ("users", "sessions", "Bob"),
    ("users", "new-factor", "Bob"),
    ("users", "confirm-factor", "Bob"),
    ("users", "reset-factor", "Bob"),
    ("users", "sign-out", "Bob"),
    ("users", "deactivate", "Bob"),
    ("users", "activate", "Bob"),
    ("api-keys", "add", "key", "--user", "Ada"),
    ("api-keys", "list"),
    ("api-keys", "revoke", "key"),
    ("accounts", "share", "Main", "Bob", "--level", "use"),
    ("datasets", "share", "E"),
    ("origins", "add", "https://sentry.example"),
    ("origins", "list"),
    ("origins", "remove", "https://sentry.example"),
    ("users", "sign-out-all", "--yes"),
    ("users", "delete", "Bob", "--yes"),
    ("destinations", "list"),
    ("audit", "list"),
    ("audit", "verify"),
    ("audit", "export"),
    ("vault", "rotate"),
    ("notices", "delete", "hook", "--yes"),
    ("accounts", "delete", "Main", "--yes"),
)
ELSEWHERE = {"serve", "worker", "simulate", "demo", "backup"}
"""Commands that work until they are stopped, or are called below; the demo makes a token of its own."""


CANARIES = Canaries([CANARY])


def test_every_form_is_seen() -> None:
    """Otherwise the search below would find nothing, whatever there is."""
    assert len(forms(CANARY)) >= 12
    for name, form in CANARIES.forms.items():
        assert name in CANARIES.found_in(b"before " + form + b" after")


def test_every_command_is_called() -> None:
    assert {call[0] for call in CALLS} | ELSEWHERE == set(COMMANDS)


@pytest.mark.scenario("5")
def test_a_token_stands_in_no_output_and_no_file(shell: Shell, sentry: Simulation, tmp_path: Path) -> None:
    canary = shell.without("SENTRY_AUTH_TOKEN")
    told: list[tuple[tuple[str, ...], bytes]] = []

    canary.ok("accounts", "add", "Main", stdin=CANARY)
    canary.ok("notices", "add", "hook", stdin=f"http://127.0.0.1:9/{CANARY}?key={CANARY}")
    canary.ok("notices", "add", "mail", stdin=f"mailto://ops:{CANARY}@example.com:9?smtp=127.0.0.1&to=me@example.com")
    events = ("--project", "acme/shop", "--update-method", "append", "--all-available")
    canary.ok("datasets", "create", "--name", "E", "--report", "project-events", "--account", "Main", *events)
    lost = ("--project", "acme/none", "--schedule", "hourly")
    canary.ok("datasets", "create", "--name", "Lost", "--report", "project-events", "--account", "Main", *lost)
    canary.ok("datasets", "run", "E")
    for suffix in ("jsonl", "csv", "parquet", "arrow", "xlsx"):
        canary.ok("datasets", "export", "E", "--output", str(tmp_path / f"rows.{suffix}"))
    canary.ok("backup", str(tmp_path / "copy.db"))
    with serving(canary) as server:
        document = json.loads(_ask("GET", server.url + "/api/v1/openapi.json"))
        paths = list(_paths(document, canary.json("runs", "list")[0]["id"]))
        assert len(paths) >= 30
        told += [((method, path), _ask(method, server.url + path)) for method, path in paths]
    for number, args in enumerate(CALLS):  # one for people, the next for programs
        result = canary(*args, *(("--json",) if number % 2 else ()), stdin=CANARY)
        told.append((args, result.stdout.encode() + result.stderr.encode()))
    assert [(args, found) for args, content in told if (found := CANARIES.found_in(content))] == []
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {".db", ".key", ".jsonl", ".parquet", ".json", ".csv", ".arrow", ".xlsx"} <= {path.suffix for path in files}
    assert CANARIES.found_in_files(tmp_path) == []


def _paths(openapi: dict[str, Any], run: str) -> Iterator[tuple[str, str]]:
    """Every route, with names that there are; those that would stop something, or take it away, with others."""
    for template, methods in openapi["paths"].items():
        for method in methods:
            name = "Main" if template.startswith("/api/v1/accounts") else "E"
            path = template.replace("{run_id}", run).replace("{name}", name if method == "get" else "none")
            yield method.upper(), re.sub(r"\{.*?\}", "none", path)


def _ask(method: str, url: str) -> bytes:
    request = Request(url, method=method, data=None if method == "GET" else b"{}")  # noqa: S310  # this machine's own server
    request.add_header("Content-Type", "application/json")
    try:
        with urlopen(request) as response:  # noqa: S310
            content: bytes = response.read()
    except HTTPError as error:
        content = error.read()
    return content
