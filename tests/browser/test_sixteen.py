"""All reports in the browser, on what the demo leaves. The numbers are those of the acceptance scenarios."""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect
from python_calamine import CalamineWorkbook

from sentry_connector.reports import catalogue
from tests.browser.panes import counted
from tests.cli.shell import Shell
from tests.cli.test_serve import Served, serving


@pytest.fixture(scope="module")
def told(shell: Shell) -> list[dict[str, Any]]:
    """What the demo says of each report, in the server's home."""
    demo = shell.without("SENTRY_AUTH_TOKEN").process(
        "demo", "--home", str(shell.home), "--json", stdout=PIPE, stderr=DEVNULL
    )
    output, _ = demo.communicate()
    assert demo.returncode == 0
    ends: list[dict[str, Any]] = json.loads(output)
    return ends


@pytest.fixture(scope="module")
def server(shell: Shell, told: list[dict[str, Any]]) -> Iterator[Served]:
    assert told
    with serving(shell) as served:
        yield served


def cells(page: Page, slug: str, *columns: str, where: str = "", sort: str = "") -> list[tuple[str, ...]]:
    """What the Data tab shows of these columns, in its first rows."""
    look = [("column", name) for name in columns] + [("where", where)] * bool(where) + [("sort", sort)] * bool(sort)
    page.goto(f"/datasets/{slug}/data?{urlencode(look)}")
    expect(page.locator("#rows-box:not([aria-busy])")).to_be_visible()
    rows = page.locator("table.rows tbody tr")
    expect(rows.first).to_be_visible()
    return [tuple(row.get_by_role("cell").all_inner_texts()) for row in rows.all()]


def test_37_sixteen_reports_are_there_with_their_rows(page: Page, told: list[dict[str, Any]]) -> None:
    page.goto("/")
    assert [one["dataset"] for one in told] == [report.name for report in catalogue.CATALOGUE]
    for one in told:
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name=one["dataset"], exact=True))
        expect(row).to_contain_text("Success")
        expect(row).to_contain_text(f"{one['rows_written']:,}")
        assert one["rows_written"] > 0


def test_38_counts_are_a_row_an_hour_zeros_too(page: Page) -> None:
    columns = ("timestamp", "timestamp_epoch", "events")
    shown = cells(page, "events_counts_organization", *columns, where="events:equals:0", sort="timestamp")
    assert {events for _, _, events in shown} == {"0"}
    for at, epoch, _ in shown:
        assert dt.datetime.fromisoformat(at).timestamp() == int(epoch.replace(",", ""))


def test_39_entries_are_a_row_each(page: Page, told: list[dict[str, Any]]) -> None:
    for name, slug in (
        ("Issues Events Entries", "issues_events_entries"),
        ("Project Events Entries", "project_events_entries"),
    ):
        shown = cells(page, slug, "event_id", "entry_index", "entry_type", sort="event_id")
        assert len(set(shown)) == len(shown)
        assert all(kind for _, _, kind in shown)
        assert counted(page) == next(one["rows_written"] for one in told if one["dataset"] == name)


def test_40_issues_that_are_resolved_are_among_them(page: Page) -> None:
    assert set(cells(page, "projects_issues", "status", where="status:equals:resolved")) == {("resolved",)}
    assert counted(page) > 0


def test_41_what_is_nested_has_columns_and_texts_are_whole(page: Page) -> None:
    shown = cells(page, "organizations", "organization_id", "links_organization_url", "status_id")
    assert all(re.fullmatch(r"\d{16}", number) for number, _, _ in shown)
    assert all(url.startswith("http") for _, url, _ in shown)


def test_65_what_sentry_sends_beyond_the_columns_is_kept_and_told(page: Page) -> None:
    page.goto("/datasets/project_events/schema")
    expect(
        page.get_by_role("rowheader", name="_extra").or_(page.get_by_role("cell", name="_extra")).first
    ).to_be_visible()


def test_76_files_hold_every_row(page: Page, told: list[dict[str, Any]], tmp_path: Path) -> None:
    rows = next(one["rows_written"] for one in told if one["dataset"] == "Projects Issues")
    page.goto("/datasets/projects_issues/export")
    for label, name in (("CSV", "issues.csv"), ("Excel", "issues.xlsx")):
        with page.expect_download() as download:
            page.get_by_role("link", name=label, exact=True).click()
        download.value.save_as(tmp_path / name)
    with (tmp_path / "issues.csv").open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert len({row["issue_id"] for row in read}) == len(read) == rows
    names, *sheet = CalamineWorkbook.from_path(tmp_path / "issues.xlsx").get_sheet_by_index(0).to_python()
    assert [dict(zip(names, row, strict=True))["issue_id"] for row in sheet] == [row["issue_id"] for row in read]


def test_20_of_several_teams_each_one_s_rows_bear_its_name(page: Page) -> None:
    assert len(set(cells(page, "team_projects", "team"))) > 1
