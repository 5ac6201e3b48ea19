"""`runs` tells what happened; `query` answers one SELECT and nothing else."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sentry_connector.store.records import Becoming, Kind, Notice, Passed, Run, Trigger
from sentry_connector.store.store import Store
from tests.cli.shell import Shell


@pytest.fixture
def projects(shell: Shell) -> Shell:
    shell.ok("datasets", "create", "--name", "My projects", "--report", "projects")
    shell.ok("datasets", "run", "My projects")
    return shell


def test_a_run_is_found_by_id_and_by_name(projects: Shell) -> None:
    listed = projects.json("runs", "list")
    assert [run["dataset"] for run in listed] == ["My projects"]
    assert projects.json("runs", "show", listed[0]["id"]) == projects.json("runs", "show", "my projects") == listed[0]
    assert listed[0]["id"] in projects.ok("runs", "list", "My projects").stdout
    assert "COMPLETE" in projects.ok("runs", "show", "My projects").stdout


def test_the_log_of_a_run_is_told(projects: Shell) -> None:
    lines = projects.json("runs", "logs", "My projects")
    assert [line["event"] for line in lines][0::2][:1] == ["run begins"]
    assert "run ends verdict=COMPLETE" in projects.ok("runs", "logs", "My projects").stdout


def test_a_run_without_a_log_says_why(projects: Shell) -> None:
    (finished,) = projects.json("runs", "list")
    (projects.home / "logs" / f"{finished['id']}.jsonl").unlink()
    assert projects.ok("runs", "logs", finished["id"]).stderr == "No log of it is kept any more.\n"
    with Store(f"sqlite:///{projects.home / 'connector.db'}") as store:
        dataset = store.datasets.find("My projects")
        store.runs.add(Run(id="r", dataset_id=dataset.id, trigger=Trigger.MANUAL, queued_at=dt.datetime.now(dt.UTC)))
    told = projects.ok("runs", "logs", "r")
    assert (told.stdout, told.stderr) == ("", "No log yet: the run is queued.\n")


@pytest.mark.parametrize("call", [("show", "nope"), ("logs", "nope"), ("list", "nope")])
def test_an_unknown_run_is_refused(projects: Shell, call: tuple[str, ...]) -> None:
    assert projects("runs", *call).exit_code == 2


def test_a_dataset_that_has_not_run_has_no_latest_run(shell: Shell) -> None:
    shell.ok("datasets", "create", "--name", "P", "--report", "projects")
    assert shell("runs", "show", "P").exit_code == 2
    assert shell.json("runs", "list", "P") == []


def test_rows_are_a_table_or_json(projects: Shell) -> None:
    sql = "SELECT slug, 1 AS one FROM my_projects WHERE slug IN ('blog', 'api') ORDER BY slug"
    assert projects.ok("query", sql).stdout.splitlines() == ["slug  one", "api     1", "blog    1"]
    assert projects.json("query", sql) == [{"slug": "api", "one": 1}, {"slug": "blog", "one": 1}]


def test_runs_and_datasets_are_tables_too(projects: Shell) -> None:
    for name, project in (("Lost", "acme/nope"), ("Gone", "acme/shop")):
        made = ("--name", name, "--report", "project-events", "--project", project, "--all-available")
        projects.ok("datasets", "create", *made)
        projects("datasets", "run", name)
    projects.ok("datasets", "delete", "Gone", "--yes")
    sql = """
        SELECT d.name, r.verdict, r.error, r.rows_read, r.trigger, r.seconds >= 0 AS timed, r.finished_at IS NOT NULL AS ended
        FROM connector.datasets d LEFT JOIN connector.runs r ON r.dataset = d.slug ORDER BY d.name
    """
    common = {"trigger": "manual", "timed": True, "ended": True}
    assert projects.json("query", sql) == [
        {"name": "Lost", "verdict": "FAILED", "error": "sentry.not_found", "rows_read": 0, **common},
        {"name": "My projects", "verdict": "COMPLETE", "error": None, "rows_read": 8, **common},
    ]


def test_what_a_run_knows_can_be_asked_for(projects: Shell) -> None:
    sql = """
        SELECT dataset, windows, requests_refused, drift, error_remedy, json_array_length(attempts) AS attempts,
               CAST(attempts->>'$[0].rows_written' AS BIGINT) = rows_written AS same
        FROM connector.runs
    """
    (run,) = projects.json("query", sql)
    nothing = {"requests_refused": 0, "drift": None, "error_remedy": None}
    assert run == {"dataset": "my_projects", "windows": run["windows"], **nothing, "attempts": 1, "same": True}


def test_health_slots_and_notices_are_tables_too(projects: Shell) -> None:
    projects.ok("datasets", "edit", "My projects", "--schedule", "hourly")
    projects.ok("datasets", "mute", "My projects")
    projects.ok("datasets", "pause", "My projects")
    with Store(f"sqlite:///{projects.home / 'connector.db'}") as store:
        (one,) = store.slots.scheduled()
        last = one.until + dt.timedelta(hours=1)
        passed = Passed(dataset_id=one.dataset_id, first=last, last=last, count=1, reason="It was paused.")
        assert store.slots.account(one, last, lambda _: Becoming(passed=(passed,)))
        dataset = store.datasets.find("My projects")
        told = Notice(
            id="n", kind=Kind.PAUSED, recovered=False, subject_id=dataset.id, subject=dataset.name, dataset_id=dataset.id,
            message="It rests.", since=last, at=last,
        )  # fmt: skip
        store.notices.add([told])
    asked = projects.json("query", "SELECT name, health, muted, paused, catch_up FROM connector.datasets")
    assert asked == [{"name": "My projects", "health": "paused", "muted": True, "paused": True, "catch_up": "one"}]
    (slot,) = projects.json("query", 'SELECT dataset, "count", reason, run_id, merged FROM connector.slots')
    assert slot == {"dataset": "my_projects", "count": 1, "reason": "It was paused.", "run_id": None, "merged": False}
    (notice,) = projects.json("query", "SELECT kind, dataset, message, recovered, deliveries FROM connector.notices")
    wanted = {"kind": "paused", "dataset": "my_projects", "message": "It rests.", "recovered": False}
    assert notice == {**wanted, "deliveries": None}


def test_rows_go_to_files_in_every_format(projects: Shell, tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    summary = projects.json("query", "SELECT slug FROM my_projects", "--output", str(file))
    assert summary == {"rows": 8, "format": "parquet", "output": str(file)}
    assert pq.read_table(file).num_rows == 8
    csv = projects.ok("query", "SELECT slug FROM my_projects ORDER BY 1", "--format", "csv").stdout
    assert csv.splitlines()[:2] == ['"slug"', '"api"']


def test_a_table_without_rows_says_so(projects: Shell) -> None:
    """Rows of many columns stand below one another: without any of them there would be nothing to see at all."""
    assert "No rows." in projects.ok("query", "SELECT * FROM my_projects LIMIT 0").stderr
    assert projects.ok("query", "SELECT slug FROM my_projects LIMIT 1").stderr == ""


def test_a_long_table_says_that_it_is_cut(projects: Shell) -> None:
    result = projects.ok("query", "SELECT * FROM range(1500)")
    assert len(result.stdout.splitlines()) == 1001
    assert "first 1000 rows" in result.stderr


@pytest.mark.parametrize(
    "sql", ["DROP TABLE my_projects", "SELECT * FROM my_project", "SELECT 1; SELECT 2", "nonsense"]
)
def test_other_sql_is_refused(projects: Shell, sql: str) -> None:
    result = projects("query", sql, "--json")
    assert (result.exit_code, json.loads(result.stdout)["error"]["name"]) == (2, "usage.sql")
