"""`pull`: rows to files and pipes, whole or not at all, and an exit code for each way to fail."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from python_calamine import CalamineWorkbook
from typer.testing import Result

from sentry_connector.simulator import EXPIRED_TOKEN, PROJECT_TOKEN, Simulation, World, start_in_thread
from tests.cli.shell import NoSentry, Shell, Vanishing

EVENTS = ("pull", "Project Events", "--project", "acme/shop", "--all-available")


def lines(result: Result) -> list[Any]:
    """The rows on standard output; JSON Lines end with a line feed only, whatever else a text may hold."""
    return [json.loads(line) for line in result.stdout_bytes.split(b"\n") if line]


@pytest.fixture
def count(sentry: Simulation) -> int:
    """How many rows `EVENTS` has: those that were there a minute ago, since reading stops there."""
    settled = dt.datetime.now(dt.UTC).timestamp() - 60
    project = sentry.world.project("acme", "shop")
    return sum(1 for event in project.events if event.time <= settled)


def test_rows_go_to_standard_output_and_all_else_to_standard_error(shell: Shell, count: int) -> None:
    result = shell.ok(*EVENTS)
    rows = lines(result)
    assert len(rows) == count
    assert {row["project"] for row in rows} == {"shop"}
    first, *_, last = result.stderr.splitlines()
    assert first.startswith("Days: everything (UTC) up to ")
    assert last.startswith(f"{count} rows, ")
    assert last.endswith(", COMPLETE")


def test_the_extension_names_the_format(shell: Shell, count: int, tmp_path: Path) -> None:
    for extension in ("jsonl", "csv", "parquet", "arrow", "xlsx"):
        shell.ok(*EVENTS, "--output", str(tmp_path / f"rows.{extension}"))
    assert len((tmp_path / "rows.jsonl").read_bytes().splitlines()) == count
    assert len(list(csv.reader(io.StringIO((tmp_path / "rows.csv").read_text(), newline="")))) == count + 1
    assert pq.read_table(tmp_path / "rows.parquet").num_rows == count
    assert pa.ipc.open_file(tmp_path / "rows.arrow").read_all().num_rows == count
    sheet = CalamineWorkbook.from_path(tmp_path / "rows.xlsx").get_sheet_by_index(0)
    assert len(sheet.to_python()) == count + 1


def test_a_file_of_any_name_takes_the_format_that_is_said(shell: Shell, count: int, tmp_path: Path) -> None:
    refused = shell(*EVENTS, "--output", str(tmp_path / "rows.json"))
    assert (refused.exit_code, "--format: jsonl" in refused.stderr) == (2, True)
    shell.ok(*EVENTS, "--output", str(tmp_path / "rows.json"), "--format", "jsonl")
    shell.ok(*EVENTS, "--output", str(tmp_path / "rows"))
    assert len((tmp_path / "rows.json").read_bytes().splitlines()) == count
    assert (tmp_path / "rows").read_bytes().startswith(b"{")


def test_with_a_file_the_summary_is_json(shell: Shell, count: int, tmp_path: Path) -> None:
    summary = shell.json(*EVENTS, "--output", str(tmp_path / "rows.parquet"))
    assert summary["rows"] == count
    assert summary["verdict"] == "COMPLETE"
    assert summary["format"] == "parquet"
    assert summary["requests"] > 0


def test_a_limit_is_complete_by_request(shell: Shell, tmp_path: Path) -> None:
    result = shell.ok(*EVENTS, "--limit", "7")
    assert len(lines(result)) == 7
    assert result.stderr.rstrip().endswith("COMPLETE, limited by request")


def test_explain_tells_rows_and_requests_beforehand_and_reads_none(
    shell: Shell, sentry: Simulation, count: int, tmp_path: Path
) -> None:
    before = sentry.requests
    plan = shell.json(*EVENTS, "--explain")
    assert sentry.requests - before == plan["requests_for_plan"] <= 4  # the lists that find the project, and the counts
    counted = len(sentry.world.project("acme", "shop").events)  # Sentry counts the last minute too
    assert count <= plan["rows"] <= counted
    assert len(plan["windows"]) == 1
    (one,) = plan["slices"]
    assert one["scope"] == "acme/shop"
    assert "/api/0/projects/acme/shop/events/" in one["url"]
    assert one["rows"] == one["counted"] == plan["rows"]
    assert [way["taken"] for way in one["ways"]] == [True]
    assert plan["requests_by_budget"] == {"project-events": plan["requests"]}
    assert plan["bound"] is None, "a page after another"
    assert plan["seconds"] > 0
    done = shell.json(*EVENTS, "--output", str(tmp_path / "rows.jsonl"))
    assert done["rows"] == count
    # A page that turns out to be the last one shows it by another, empty one at the most.
    assert plan["requests"] <= done["requests"] - plan["requests_for_plan"] <= 2 * plan["requests"] + 1


def test_explain_shows_equal_ways_by_the_limits_that_bound_them(tmp_path: Path) -> None:
    world = World.build(now=dt.datetime.now(dt.UTC), events=2000, issues=60)
    with start_in_thread(world, limits="sentry.io") as limited:
        shell = Shell(
            {
                "SENTRY_CONNECTOR_HOME": str(tmp_path / "home"),
                "SENTRY_URL": limited.url,
                "SENTRY_AUTH_TOKEN": limited.token,
            }
        )
        result = shell.ok(*EVENTS, "--with-bodies", "--explain")
        view = shell.json(*EVENTS, "--with-bodies", "--explain")
    table, _, summary = result.stdout.partition("\n\n")
    heading, *ways = table.splitlines()
    assert heading.split() == ["scope", "from", "to", "rows", "asked", "budgets", "requests", "seconds", "taken"]
    assert [line.split()[-1] for line in ways] == ["no", "yes", "no"]
    assert "for each of /organizations/{organization}/issues/" in ways[1]
    told = dict(line.split(maxsplit=1) for line in summary.splitlines() if not line.startswith(("bounded", "asked")))
    assert told["slices"] == "1"
    assert told["rows"] == f"{view['rows']:,}"
    assert view["bound"] == {"budget": "default", "requests": 40, "seconds": 1, "at_once": 25}
    assert told["time"].endswith(" s")
    assert "bounded by           default: 40 requests in 1 s, 25 at once" in summary
    assert result.stderr.startswith("Days: ")


def test_explain_does_not_guess_what_nobody_counts(shell: Shell) -> None:
    told = shell.ok("pull", "projects", "--explain").stdout
    assert "rows                 not counted beforehand" in told
    assert "requests             at least 2" in told
    limited = shell.ok(*EVENTS, "--limit", "7", "--explain").stdout
    assert "rows                 7 at the most" in limited


def test_the_environment_fills_menus(shell: Shell, count: int) -> None:
    result = shell.with_env(SENTRY_ORG="acme", SENTRY_PROJECT="shop").ok("pull", "project-events")
    assert len(lines(result)) == count


@pytest.mark.parametrize("profile", ["data", "spreadsheet"])
def test_formulas_are_inert_only_in_spreadsheets(shell: Shell, tmp_path: Path, profile: str) -> None:
    file = tmp_path / "projects.csv"
    shell.ok("pull", "projects", "--output", str(file), "--profile", profile)
    assert file.read_bytes().startswith(b"\xef\xbb\xbf") is (profile == "spreadsheet")


@pytest.mark.parametrize(
    ("changes", "call", "code", "name"),
    [
        ({}, ("pull", "projekt"), 2, "usage.unknown_name"),
        ({}, ("pull", "project-events"), 2, "usage.details"),
        ({}, (*EVENTS, "--last-days", "3"), 2, "usage.dates"),
        ({}, ("pull", "organizations", "--output", "no/such/folder/rows.csv"), 2, "usage.invalid"),
        ({}, ("pull", "organizations", "--output", "rows.xls"), 2, "usage.unknown_name"),
        ({"SENTRY_AUTH_TOKEN": ""}, EVENTS, 10, "token.missing"),
        ({"SENTRY_AUTH_TOKEN": "sntryu_" + "f" * 64}, EVENTS, 10, "token.rejected"),
        ({"SENTRY_AUTH_TOKEN": EXPIRED_TOKEN}, EVENTS, 10, "token.rejected"),
        ({"SENTRY_AUTH_TOKEN": PROJECT_TOKEN}, ("pull", "issues-events", "--issue", "1"), 11, "scope.missing"),
        ({}, ("pull", "project-events", "--project", "acme/none"), 12, "sentry.not_found"),
        ({}, ("pull", "issues-events", "--issue", "999999"), 12, "sentry.not_found"),
    ],
)
def test_each_failure_has_its_code_and_leaves_no_file(
    shell: Shell, tmp_path: Path, changes: dict[str, str], call: tuple[str, ...], code: int, name: str
) -> None:
    output = () if "--output" in call else ("--output", str(tmp_path / "rows.jsonl"))
    result = shell.with_env(**changes)(*call, *output, "--json")
    assert (result.exit_code, json.loads(result.stdout)["error"]["name"]) == (code, name)
    assert json.loads(result.stdout)["error"]["code"] == code
    assert json.loads(result.stdout)["error"]["remedy"]
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == []


def test_an_error_is_two_lines_for_people(shell: Shell) -> None:
    result = shell.without("SENTRY_AUTH_TOKEN")(*EVENTS)
    assert result.stdout == ""
    assert [line[:22] for line in result.stderr.splitlines()] == ["error token.missing: N", "  Set SENTRY_AUTH_TOKE"]


def test_a_page_that_is_not_sentrys_is_21(shell: Shell, tmp_path: Path) -> None:
    world = World.build(now=dt.datetime.now(dt.UTC), events=0)
    with start_in_thread(world, faults=NoSentry("/api/0/")) as proxy:
        result = shell.with_env(SENTRY_URL=proxy.url)("pull", "organizations", "--output", str(tmp_path / "rows.csv"))
    assert result.exit_code == 21
    assert result.stderr.startswith("error sentry.not_sentry: ")
    assert not (tmp_path / "rows.csv").exists()


def test_what_is_incomplete_is_left_as_partial(shell: Shell, tmp_path: Path) -> None:
    world = World.build(now=dt.datetime.now(dt.UTC), events=50)
    file = tmp_path / "users.csv"
    file.write_text("as it was")
    with start_in_thread(world, faults=Vanishing(world, "acme", "shop", "/acme/shop/users/")) as broken:
        result = shell.with_env(SENTRY_URL=broken.url)(
            "pull", "projects-users", "--project", "acme/shop", "--project", "acme/blog", "--output", str(file)
        )
    assert result.exit_code == 40
    assert "Missing: acme/shop: " in result.stderr
    assert result.stderr.rstrip().endswith(", INCOMPLETE")
    assert file.read_text() == "as it was"
    assert "blog" in (tmp_path / "users.csv.partial").read_text()


def test_hostile_text_stays_inert_in_the_output(shell: Shell) -> None:
    result = shell.ok("pull", "projects-issues", "--organization", "*", "--project", "*")
    assert b"\\u001b" in result.stdout_bytes
    assert b"\x1b" not in result.output_bytes
