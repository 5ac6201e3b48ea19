"""Databases as destinations, as a person and a script use them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.shell import Shell
from tests.postgres import Server

PASSWORD = "s3cr3t/with:signs@and 'quotes"


@pytest.fixture
def address(postgres: Server) -> str:
    return postgres.fresh_database()


def create(shell: Shell, place: str, *more: str) -> None:
    shell.ok(
        "datasets", "create", "--name", "Teams", "--report", "organization-teams", "--organization", "acme",
        "--destination", place, *more,
    )  # fmt: skip


def test_from_an_address_to_rows_in_postgres(shell: Shell, address: str) -> None:
    """Every command that looks at a DataSet works as with Delta tables."""
    added = shell.json("destinations", "add", "Warehouse", "--url", address)
    assert (added["kind"], added["version"].split()[0], added["password_since"]) == ("PostgreSQL", "PostgreSQL", None)
    create(shell, "warehouse")
    (end,) = shell.json("datasets", "run", "Teams")
    assert end["verdict"] == "COMPLETE"
    view = shell.json("datasets", "show", "Teams")
    assert (view["destination"], view["rows"], view["version"]) == ("Warehouse", end["rows_written"], 1)
    assert view["rows"] > 0
    (one,) = shell.json("datasets", "versions", "Teams")
    assert (one["version"], one["current"], one["rows"]) == (1, True, view["rows"])
    assert "keeps no earlier versions" in shell.ok("datasets", "versions", "Teams").stderr
    refused = shell("datasets", "revert", "Teams", "--to-version", "1", "--json")
    assert (refused.exit_code, json.loads(refused.stdout)["error"]["name"]) == (2, "usage.invalid")
    stats = shell.json("datasets", "stats", "Teams")
    assert stats == {"rows": view["rows"], "files": None, "bytes": None, "versions": 1}
    columns = {one["name"]: one for one in shell.json("datasets", "schema", "Teams")}
    assert columns["team_id"]["about"]
    exported = [json.loads(line) for line in shell.ok("datasets", "export", "Teams").stdout.splitlines()]
    asked = json.loads(shell.ok("query", "SELECT count(*) AS n FROM teams", "--json").stdout)
    assert len(exported) == view["rows"] == asked[0]["n"]
    assert shell.json("destinations", "list")[0]["used_by"] == ["Teams"]
    used = shell("destinations", "delete", "Warehouse", "--yes")
    assert (used.exit_code, "Teams" in used.stderr) == (2, True)


def test_a_password_is_sealed_and_shown_nowhere(shell: Shell, address: str, tmp_path: Path) -> None:
    where = ("destinations", "add", "Warehouse", "--url", address)
    assert shell("destinations", "add", "W", "--url", address.replace("@", ":pw@")).exit_code == 2
    said = shell.ok(*where, stdin=f"{PASSWORD}\n").output
    said += shell.ok("destinations", "show", "Warehouse").output + shell.ok("destinations", "list", "--json").output
    said += shell.ok("destinations", "check", "Warehouse").output
    said += shell.ok("vault", "rotate").output
    said += shell.ok("destinations", "check", "Warehouse").output
    assert shell.json("destinations", "show", "Warehouse")["password_since"]
    shell.ok("destinations", "replace-password", "Warehouse", stdin="")
    assert shell.json("destinations", "show", "Warehouse")["password_since"] is None
    kept = b"".join(path.read_bytes() for path in shell.home.rglob("*") if path.is_file())
    assert PASSWORD not in said
    assert PASSWORD.encode() not in kept


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://x/y", "no address of a database"),
        ("sqlite:///:memory:", "names no file"),
        ("duckdb://", "names no file"),
        ("sqlite:////no/such/folder/x.db", "no folder"),
        ("postgresql://me:pw@host/db", "holds a password"),
        ("postgresql://me@host/db?password=pw", "holds a password"),
    ],
)
def test_an_address_that_is_none_is_refused_with_a_remedy(shell: Shell, url: str, words: str) -> None:
    told = shell("destinations", "add", "W", "--url", url, "--json")
    error = json.loads(told.stdout)["error"]
    assert told.exit_code == 2
    assert words in error["message"]
    assert error["remedy"]
    assert shell.json("destinations", "list") == []


def test_a_database_that_does_not_answer_is_not_added(shell: Shell) -> None:
    told = shell("destinations", "add", "W", "--url", "postgresql://me@127.0.0.1:9/db", "--json")
    error = json.loads(told.stdout)["error"]
    assert (told.exit_code, error["name"]) == (30, "destination.unavailable")
    assert shell.json("destinations", "list") == []


@pytest.mark.parametrize("kind", ["duckdb", "sqlite"])
def test_a_file_is_a_destination_too_from_any_folder(shell: Shell, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"tables.{kind}"
    shell.ok("destinations", "add", "file", "--url", f"{kind}:///{path}")
    create(shell, "file")
    (end,) = shell.json("datasets", "run", "Teams")
    assert shell.json("query", "SELECT count(*) AS n FROM teams")[0]["n"] == end["rows_written"] > 0
    assert path.exists()


def test_the_doctor_looks_at_each_database(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "tables.sqlite"
    shell.ok("destinations", "add", "file", "--url", f"sqlite:///{path}")

    def look() -> dict[str, object]:
        checks = json.loads(shell("doctor", "--json").stdout)["checks"]
        (found,) = [one for one in checks if one["name"] == "destination file"]
        return dict(found)

    assert (look()["ok"], "SQLite" in str(look()["message"])) == (True, True)
    path.write_bytes(b"no database any more" * 1000)
    assert (look()["ok"], look()["error"]) == (False, "destination.refused")


def test_the_empty_state_and_unknown_names_say_what_to_do(shell: Shell) -> None:
    assert "destinations add --help" in shell.ok("destinations", "list").stderr
    told = shell("datasets", "create", "--name", "x", "--report", "organizations", "--destination", "wharehouse")
    assert (told.exit_code, "no destination named" in told.stderr) == (2, True)


def test_a_database_that_is_gone_hides_no_other_dataset(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "tables.sqlite"
    shell.ok("destinations", "add", "file", "--url", f"sqlite:///{path}")
    create(shell, "file")
    shell.ok("datasets", "run", "Teams")
    path.write_bytes(b"no database any more" * 1000)
    (listed,) = shell.json("datasets", "list")
    assert (listed["rows"] > 0, listed["table_error"]) == (True, None), "a list asks no database"
    shown = shell.json("datasets", "show", "Teams")
    assert shown["rows"] is None
    assert "tables.sqlite" in shown["table_error"]
    assert "tables.sqlite" in shell.ok("datasets", "show", "Teams").stdout
    shell.ok("datasets", "delete", "Teams", "--yes")
