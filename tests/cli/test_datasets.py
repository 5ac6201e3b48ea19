"""`datasets`: made, run, looked at, changed, reverted, deleted and restored from the command line."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentry_connector.cli.dataset_runs import End, most_severe
from sentry_connector.simulator import Simulation, World, start_in_thread
from tests.cli.shell import Shell, Vanishing

ISSUES = ("--report", "projects-issues", "--organization", "acme", "--project", "acme/shop")


@pytest.fixture
def changing(shell: Shell) -> Iterator[tuple[Shell, Simulation]]:
    """A Sentry of the test's own, whose world may change, and lags behind so far that what is new is read at once."""
    now = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=10)
    with start_in_thread(World.build(now=now, events=60, issues=12)) as simulation:
        yield shell.with_env(SENTRY_URL=simulation.url), simulation


def rows(shell: Shell, slug: str) -> int:
    return int(shell.json("query", f"SELECT count(*) AS n FROM {slug}")[0]["n"])


def test_a_dataset_is_told_when_it_is_made(shell: Shell) -> None:
    result = shell.ok("datasets", "create", "--name", "Events", "--report", "Project Events", "--project", "acme/shop",
                      "--last-days", "7")  # fmt: skip
    assert "A run now reads: " in result.stderr
    assert "(7 days, UTC)" in result.stderr
    assert "--accept-loss" in result.stderr
    assert "project-events" in result.stdout


def test_tags_are_replaced_and_taken_away(shell: Shell) -> None:
    shell.ok("datasets", "create", "--name", "P", "--report", "projects", "--tag", "a", "--tag", "b")
    assert shell.json("datasets", "edit", "P", "--tag", "c")["tags"] == ["c"]
    refused = shell("datasets", "edit", "P", "--tag", "d", "--no-tags")
    assert (refused.exit_code, shell.json("datasets", "show", "P")["tags"]) == (2, ["c"])
    assert shell.json("datasets", "edit", "P", "--no-tags")["tags"] == []


def test_a_backfill_is_a_chain_of_runs(changing: tuple[Shell, Simulation]) -> None:
    shell, _ = changing
    shell.ok("datasets", "create", "--name", "E", "--report", "project-events", "--project", "acme/shop",
             "--since-last-run", "--update-method", "upsert")  # fmt: skip
    runs = shell.json("datasets", "backfill", "E", "--start", "today-9", "--end", "today")
    assert [(run["verdict"], run["trigger"]) for run in runs] == [("COMPLETE", "backfill")] * 2
    assert runs[0]["part"]["start"] > runs[1]["part"]["end"]
    assert rows(shell, "e") == sum(run["rows_written"] for run in runs) > 0
    assert shell("datasets", "backfill", "E", "--start", "2030-01-01", "--end", "2030-01-02").exit_code == 2
    assert shell("datasets", "backfill", "E", "--start", "today").exit_code == 2


def test_a_backfill_of_replace_is_one_run_and_says_so(changing: tuple[Shell, Simulation]) -> None:
    shell, _ = changing
    shell.ok(
        "datasets", "create", "--name", "E", "--report", "project-events", "--project", "acme/shop", "--last-days", "1"
    )
    told = shell.ok("datasets", "backfill", "E", "--start", "today-29", "--end", "today")
    assert "one run reads all days" in told.stderr
    assert len(shell.json("runs", "list")) == 1


def test_the_life_of_a_dataset(changing: tuple[Shell, Simulation]) -> None:
    shell, sentry = changing
    made = shell.json("datasets", "create", "--name", "Issues", *ISSUES, "--update-method", "upsert", "--tag", "a")
    assert (made["slug"], made["rows"], made["version"], made["tags"]) == ("issues", 0, None, ["a"])

    first = shell.json("datasets", "run", "Issues")[0]
    assert first["verdict"] == "COMPLETE"
    assert rows(shell, "issues") == first["rows_written"] > 0

    sentry.world.add_issues("acme", "shop", 3)
    second = shell.json("datasets", "run", "issues")[0]
    assert second["rows_written"] >= 3
    assert rows(shell, "issues") == first["rows_written"] + 3

    edited = shell.json("datasets", "edit", "Issues", "--name", "All issues", "--description", "Of the shop.")
    assert (edited["name"], edited["description"], edited["slug"]) == ("All issues", "Of the shop.", "issues")
    assert edited["details"]["projects"] == ["acme/shop"]

    versions = shell.json("datasets", "versions", "all issues")
    assert [one["version"] for one in versions] == sorted((one["version"] for one in versions), reverse=True)
    oldest = versions[-1]["version"]
    reverted = shell.json("datasets", "revert", "all issues", "--to-version", str(oldest))
    assert reverted["rows"] == rows(shell, "issues") == first["rows_written"]

    assert "Days: everything (UTC) up to " in shell.ok("datasets", "preview", "all issues").stderr
    assert "All issues: everything (UTC) up to " in shell.ok("datasets", "run", "all issues").stderr

    assert shell("datasets", "delete", "all issues").exit_code == 2
    shell.ok("datasets", "delete", "all issues", "--yes")
    assert shell.json("datasets", "list") == []
    assert [one["name"] for one in shell.json("datasets", "list", "--deleted")] == ["All issues"]
    assert shell.json("datasets", "restore", "all issues")["rows"] == first["rows_written"] + 3
    assert [run["verdict"] for run in shell.json("runs", "list", "all issues")] == ["COMPLETE"] * 3

    shell.ok("datasets", "delete", "all issues", "--yes")
    assert shell("datasets", "purge", "all issues").exit_code == 2
    said = shell.ok("datasets", "purge", "all issues", "--leave-table", "--yes").stderr
    assert "its table stays.\nLeft behind: " in said
    assert shell.json("datasets", "list", "--deleted") == []


def test_a_table_can_be_looked_at(shell: Shell, tmp_path: Path) -> None:
    shell.ok("datasets", "create", "--name", "P", "--report", "projects")
    assert len(shell.json("datasets", "preview", "P")) == 8
    assert shell.json("datasets", "stats", "P")["rows"] == 0
    shell.ok("datasets", "run", "P")
    assert shell.json("datasets", "stats", "P")["rows"] == 8
    schema = {one["name"]: one for one in shell.json("datasets", "schema", "P")}
    assert schema["project_id"]["about"]
    assert "project_id" in shell.ok("datasets", "schema", "P").stdout
    assert "slug" in shell.ok("datasets", "preview", "P").stdout
    shell.ok("datasets", "export", "P", "--output", str(tmp_path / "p.jsonl"))
    exported = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert len(exported) == 8
    assert isinstance(exported[0]["teams"], list)  # JSON columns are JSON again


def test_an_old_version_can_be_exported(changing: tuple[Shell, Simulation]) -> None:
    shell, sentry = changing
    shell.ok("datasets", "create", "--name", "I", *ISSUES)
    before = shell.json("datasets", "run", "I")[0]
    sentry.world.add_issues("acme", "shop", 2)
    shell.ok("datasets", "run", "I")
    old = shell.ok("datasets", "export", "I", "--version", str(before["table_version"]))
    assert len(old.stdout.splitlines()) == before["rows_written"]
    assert rows(shell, "i") == before["rows_written"] + 2


def test_several_are_run_and_the_most_severe_end_is_the_exit_code(shell: Shell) -> None:
    for name, project in (("Good", "acme/blog"), ("Bad", "acme/gone")):
        shell.ok("datasets", "create", "--name", name, "--report", "projects-users", "--project", project)
    result = shell("datasets", "run", "--all")
    assert result.exit_code == 12
    table = {line.split()[0]: line.split()[1] for line in result.stdout.splitlines()[1:]}
    assert table == {"Good": "COMPLETE", "Bad": "FAILED"}
    assert "Bad: error sentry.not_found" in result.stderr
    assert shell("datasets", "run", "Good", "Bad").exit_code == 12
    assert shell("datasets", "run", "Good").exit_code == 0


@pytest.mark.parametrize(
    ("ends", "code"),
    [([], 0), ([(0, False)], 0), ([(0, False), (40, False)], 40), ([(40, False), (12, True), (10, True)], 12)],
)
def test_a_failure_weighs_more_than_incomplete(ends: list[tuple[int, bool]], code: int) -> None:
    made = [End(dataset="x", view={}, seconds=0.0, code=one, failed=failed) for one, failed in ends]
    assert most_severe(made) == code


def test_an_incomplete_run_is_40(shell: Shell) -> None:
    shell.ok("datasets", "create", "--name", "U", "--report", "projects-users", "--project", "acme/shop",
             "--project", "acme/blog", "--update-method", "upsert")  # fmt: skip
    world = World.build(now=dt.datetime.now(dt.UTC), events=50)
    with start_in_thread(world, faults=Vanishing(world, "acme", "shop", "/acme/shop/users/")) as broken:
        result = shell.with_env(SENTRY_URL=broken.url)("datasets", "run", "U")
    assert result.exit_code == 40
    assert "U: missing acme/shop: " in result.stderr
    assert rows(shell, "u") > 0


@pytest.mark.parametrize(
    "call",
    [
        ("run",),
        ("run", "P", "--all"),
        ("run", "Q"),
        ("run", "P", "--wait-lock", "soon"),
        ("revert", "P", "--to-version", "7"),
        ("create", "--name", "p", "--report", "projects"),
        ("create", "--name", "X", "--report", "projects", "--project", "a"),
        ("create", "--name", "X", *ISSUES, "--since-last-run"),
        ("create", "--name", "X", *ISSUES, "--update-method", "partition"),
        ("edit", "P"),
        ("edit", "P", "--keep-days", "3"),
        ("export", "P", "--format", "xml"),
        ("export", "P", "--profile", "person"),
    ],
)
def test_wrong_calls_are_refused_and_change_nothing(shell: Shell, call: tuple[str, ...]) -> None:
    shell.ok("datasets", "create", "--name", "P", "--report", "projects")
    before = shell.json("datasets", "list")
    assert shell("datasets", *call).exit_code == 2
    assert shell.json("datasets", "list") == before


def test_running_nothing_is_no_failure(shell: Shell) -> None:
    assert shell.json("datasets", "run", "--all") == []


def test_tables_hold_no_escapes_though_the_data_do(shell: Shell) -> None:
    shell.ok(
        "datasets", "create", "--name", "I", "--report", "projects-issues", "--organization", "*", "--project", "*"
    )
    shell.ok("datasets", "run", "I")
    calls = [
        ("query", "SELECT title, culprit FROM i"),
        ("query", "SELECT * FROM i"),
        ("query", "SELECT * FROM i", "--json"),
        ("query", "SELECT * FROM i", "--format", "jsonl"),
        ("datasets", "preview", "I"),
        ("datasets", "show", "I"),
    ]
    printed = [shell.with_env(FORCE_COLOR="1").ok(*call) for call in calls]
    assert r"\x1b" in printed[0].stdout
    assert all(b"\x1b" not in result.output_bytes for result in printed)
