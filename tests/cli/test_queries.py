"""`queries`: SQL is saved under a name, shown, run and forgotten."""

from __future__ import annotations

from pathlib import Path

from tests.cli.shell import Shell

SQL = "SELECT 1 AS one,\n  2 AS two"


def test_a_query_is_saved_shown_run_and_deleted(shell: Shell, tmp_path: Path) -> None:
    assert "queries save NAME SQL" in shell.ok("queries", "list").stderr
    saved = shell.json("queries", "save", "Both", "-", "--shared", stdin=SQL)
    assert (saved["name"], saved["sql"], saved["shared"], saved["owner"]) == ("Both", SQL, True, None)
    assert shell.ok("queries", "show", "both").stdout == SQL + "\n"
    assert shell.ok("queries", "run", "BOTH").stdout.split() == ["one", "two", "1", "2"]
    file = tmp_path / "rows.csv"
    assert shell.json("queries", "run", "Both", "--output", str(file))["rows"] == 1
    assert file.read_text().splitlines() == ['"one","two"', "1,2"]
    assert shell.json("queries", "save", "both", "SELECT 3 AS three")["id"] == saved["id"], "in its place"
    assert shell.json("queries", "run", saved["id"]) == [{"three": 3}]
    assert [one["name"] for one in shell.json("queries", "list")] == ["both"]
    shell.ok("queries", "delete", "Both", "--yes")
    assert shell.json("queries", "list") == []


def test_an_unknown_query_is_refused_with_the_nearest_names(shell: Shell) -> None:
    shell.ok("queries", "save", "Errors a day", "SELECT 1")
    refused = shell("queries", "run", "Error a day")
    assert (refused.exit_code, "Errors a day" in refused.stderr) == (2, True)
