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


def test_explain_reads_nothing(shell: Shell, sentry: Simulation) -> None:
    before = sentry.requests
    plan = shell.json(*EVENTS, "--explain")
    asked = sentry.requests - before
    assert all("/api/0/" in one["url"] and one["scope"] == "acme/shop" for one in plan["requests"])
    assert len(plan["windows"]) == 1
    assert asked <= 3  # the lists that find the project


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
