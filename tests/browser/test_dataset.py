"""A DataSet's page in the browser. The numbers are those of the acceptance scenarios."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from subprocess import DEVNULL

import pytest
from playwright.sync_api import Page, expect

from sentry_connector.extraction.progress import Progress
from sentry_connector.store.processes import this_process
from sentry_connector.store.store import Store
from tests.cli.shell import Shell

HOSTILE = "<img src=x onerror=alert(1)>"
LONG = dt.timedelta(minutes=5)


@pytest.fixture(scope="module")
def events(shell: Shell) -> int:
    """`Shop events`, a DataSet with two updates of all events; how many rows it has."""
    made = ("datasets", "create", "--report", "project-events", "--project", "acme/shop", "--all-available")
    shell.ok(*made, "--name", "Shop events", "--update-method", "append", "--description", HOSTILE, "--tag", HOSTILE)
    shell.ok("datasets", "create", "--name", "Never run", "--report", "organizations")
    for _ in range(2):
        ran(shell, "Shop events")
    return int(shell.json("datasets", "show", "Shop events")["rows"])


def ran(shell: Shell, name: str) -> None:
    """Run a DataSet, in a process of its own: Playwright has this one's event loop."""
    assert shell.process("datasets", "run", name, stdout=DEVNULL, stderr=DEVNULL).wait() == 0


@contextmanager
def somebody_at_work(shell: Shell, name: str) -> Iterator[Store]:
    """Another process holds a DataSet, so that its run waits."""
    made = shell.json("datasets", "show", name)
    with closing(Store(f"sqlite:///{shell.home}/connector.db")) as store:
        now = dt.datetime.now(dt.UTC)
        lease = store.leases.acquire(f"dataset/{made['id']}", this_process(), now, LONG)
        try:
            yield store
        finally:
            store.leases.release(lease)


def titles(page: Page) -> list[str]:
    """What is shown in the column `title`."""
    expect(page.locator("#rows-box:not([aria-busy])")).to_be_visible()
    place = page.locator("table.rows thead th").all_inner_texts()
    column = next(number for number, text in enumerate(place) if text.startswith("title"))
    return page.locator(f"table.rows tbody tr td:nth-child({column + 1})").all_inner_texts()


def test_each_side_has_an_address(page: Page, events: int) -> None:
    page.goto("/datasets/shop_events")
    expect(page.get_by_role("heading", level=1)).to_have_text("Shop events")
    expect(page.get_by_text(f"{events:,} rows")).to_be_visible()
    sides = page.get_by_label("Sides of the DataSet")
    for side in ("Data", "Schema", "Stats", "History", "Settings", "Lineage", "Export"):
        sides.get_by_role("link", name=side).click()
        expect(page).to_have_url(re.compile(f"/datasets/shop_events/{side.lower()}$"))
        expect(sides.get_by_role("link", name=side)).to_have_attribute("aria-current", "page")
    page.go_back()
    expect(sides.get_by_role("link", name="Lineage")).to_have_attribute("aria-current", "page")


def test_charts_are_drawn_with_a_table_each(page: Page, events: int) -> None:
    page.goto("/datasets/shop_events")
    chart = page.locator("figure", has_text="Events by platform")
    chart.scroll_into_view_if_needed()
    expect(chart.locator("canvas")).to_be_visible()
    chart.get_by_text("As a table").click()
    expect(chart.get_by_role("row").last.get_by_role("cell")).to_have_text(f"{events:,}")
    with page.expect_download() as download:
        chart.get_by_role("button", name="Save as CSV").click()
    assert download.value.suggested_filename == "Events by platform.csv"


def test_77_rows_are_sorted_filtered_found_and_each_look_has_an_address(page: Page, events: int) -> None:
    page.goto("/datasets/shop_events/data")
    expect(page.get_by_role("status").filter(has_text=f"of {events:,} rows")).to_be_visible()
    page.get_by_role("button", name="Sort by title").click()
    expect(page.get_by_role("columnheader", name="Sort by title")).to_have_attribute("aria-sort", "ascending")
    expect(page.locator("table.rows tbody tr").first).to_be_visible()
    assert titles(page) == sorted(titles(page))
    page.get_by_role("button", name="Sort by type").click(modifiers=["Shift"])
    expect(page).to_have_url(re.compile("sort=title&sort=type"))

    page.get_by_role("button", name="Filter").click()
    dialog = page.get_by_role("dialog", name="Filter rows")
    dialog.get_by_label("Column").select_option("type")
    dialog.get_by_label("Value").fill("error")
    dialog.get_by_role("button", name="Filter").click()
    chip = page.get_by_role("button", name="Remove the filter: type equal to error")
    expect(chip).to_be_visible()
    expect(page.locator("#counted")).not_to_contain_text(f"of {events:,} rows")
    filtered = page.locator("#counted").inner_text()

    page.get_by_role("searchbox").fill("no row has this text")
    expect(page.get_by_text("No row is like that.")).to_be_visible()
    page.reload()
    expect(page.get_by_role("searchbox")).to_have_value("no row has this text")
    expect(page.get_by_text("No row is like that.")).to_be_visible()
    page.go_back()
    expect(page.locator("#counted")).to_have_text(filtered)
    chip.click()
    expect(page.locator("#counted")).to_contain_text(f"of {events:,} rows")


def asking_for_rows(page: Page) -> list[str]:
    """The addresses of rows that the page asks for from now on."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/rows/page?" in request.url else None)
    return asked


def test_rows_that_have_to_be_looked_for_are_asked_for_once_before_any_script_runs(page: Page, events: int) -> None:
    asked = asking_for_rows(page)
    page.goto("/datasets/never_run/data")
    expect(page.locator("#counted")).to_have_text("There are no rows yet: run the DataSet.")
    assert len(asked) == 1
    assert page.locator('link[rel="preload"][as="fetch"]').evaluate("one => one.href") == asked[0]


def test_the_page_comes_with_the_first_rows_where_they_were_shown_lately(page: Page, events: int) -> None:
    page.goto("/datasets/shop_events/data")
    expect(page.locator("#counted")).to_contain_text(f"of {events:,} rows")
    shown = page.locator("table.rows tbody").inner_text()
    asked = asking_for_rows(page)
    page.reload()
    expect(page.locator("#counted")).to_contain_text(f"of {events:,} rows")
    assert page.locator("table.rows tbody").inner_text() == shown
    assert asked == []


def test_any_row_is_scrolled_to_and_read_whole(page: Page, events: int) -> None:
    page.goto("/datasets/shop_events/data")
    expect(page.get_by_role("button", name="Row 1", exact=True)).to_be_visible()
    page.get_by_role("region", name="Rows").focus()
    page.keyboard.press("End")
    last = page.get_by_role("button", name=f"Row {events}", exact=True)
    expect(last).to_be_visible()
    expect(page).to_have_url(re.compile("row="))
    last.click()
    dialog = page.get_by_role("dialog", name=f"Row {events:,}")
    expect(dialog.locator("dt", has_text="event_id")).to_be_visible()
    tags = dialog.locator("dt", has_text=re.compile("^tags$")).locator("xpath=following-sibling::dd[1]").inner_text()
    assert isinstance(json.loads(tags), list)


def test_columns_are_chosen(page: Page, events: int) -> None:
    assert events
    page.goto("/datasets/shop_events/data?column=event_id")
    heads = page.locator("table.rows thead th")
    expect(heads).to_have_count(2)
    page.get_by_role("button", name="Columns").click()
    page.get_by_role("dialog", name="Columns").get_by_label("user_email").check()
    page.get_by_role("dialog", name="Columns").get_by_role("button", name="Show").click()
    expect(heads).to_have_count(3)
    expect(page).to_have_url(re.compile("column=event_id&.*column=user_email"))


def test_a_wrong_value_is_told_beside_the_rows(page: Page, events: int) -> None:
    assert events
    page.goto("/datasets/shop_events/data?where=size:equals:large")
    expect(page.get_by_role("alert")).to_contain_text("'large' is no value of 'size'")


def test_schema_and_figures_are_there(page: Page, events: int) -> None:
    page.goto("/datasets/shop_events/schema")
    page.get_by_role("searchbox").fill("eventID")
    expect(page.get_by_role("row")).to_have_count(2)
    page.goto("/datasets/shop_events/stats")
    page.get_by_role("button", name="platform").click()
    dialog = page.get_by_role("dialog", name="Most common values of platform")
    expect(dialog.get_by_role("cell", name=f"{events:,}")).to_be_visible()


def test_75_a_run_is_asked_for_followed_and_cancelled(page: Page, shell: Shell, events: int) -> None:
    assert events
    page.goto("/datasets/shop_events")
    with somebody_at_work(shell, "Shop events") as store:
        page.get_by_role("button", name="Run now").click()
        live = page.locator("[data-run]")
        expect(live).to_be_visible()
        run_id = live.get_attribute("data-run")
        assert run_id is not None
        progress = Progress(slices=8, slices_done=2, rows=1234, expected_rows=5000, pages=13, requests=21)
        progress.waiting = ("Sentry's limit", 9.0)
        store.runs.note(run_id, progress.snapshot())
        expect(live).to_contain_text("2 / 8")
        expect(live).to_contain_text("1,234 / 5,000")
        expect(live).to_contain_text("Sentry's limit (9 s)")
        page.get_by_role("button", name="Cancel the run").click()
    expect(live).to_be_hidden()
    expect(page.get_by_role("button", name="Run now")).to_be_visible()
    assert shell.json("runs", "show", run_id)["verdict"] == "CANCELLED"


def test_74_versions_are_reverted_to_and_an_update_is_deleted(page: Page, shell: Shell) -> None:
    made = ("datasets", "create", "--report", "projects", "--all-available")
    shell.ok(*made[:4], "--name", "Batches", "--update-method", "append")
    for _ in range(2):
        ran(shell, "Batches")
    rows = shell.json("datasets", "show", "Batches")["rows"]
    page.goto("/datasets/batches/history")
    page.get_by_role("button", name="Delete this update").last.click()
    page.get_by_role("dialog", name="Delete this update").get_by_role("button", name="Delete its rows").click()
    expect(page.get_by_role("cell", name="Update deleted")).to_be_visible()
    assert shell.json("datasets", "show", "Batches")["rows"] == rows // 2
    page.get_by_role("button", name="Revert to it").first.click()
    page.get_by_role("dialog", name="Revert to version").get_by_role("button", name="Revert", exact=True).click()
    expect(page.get_by_role("cell", name="Revert", exact=True)).to_be_visible()
    assert shell.json("datasets", "show", "Batches")["rows"] == rows


def test_rows_are_there_when_a_run_has_brought_them(page: Page, shell: Shell) -> None:
    """Also those that were looked at before stay in sight."""
    shell.ok("datasets", "create", "--name", "Growing", "--report", "projects", "--update-method", "append")
    page.goto("/datasets/growing/data")
    expect(page.get_by_text("There are no rows yet")).to_be_visible()
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_role("button", name="Row 1", exact=True)).to_be_visible()
    rows = shell.json("datasets", "show", "Growing")["rows"]
    page.get_by_role("button", name="Run now").click()
    expect(page.locator("#counted")).to_contain_text(f"of {2 * rows:,} rows")
    expect(page.get_by_role("button", name="Row 1", exact=True)).to_be_visible()


def test_54_its_schedule_is_paused_and_goes_on(page: Page, shell: Shell, events: int) -> None:
    assert events
    shell.ok("datasets", "create", "--name", "Paused one", "--report", "organizations", "--schedule", "daily 06:30")
    page.goto("/datasets/paused_one")
    page.locator("summary", has_text="Options").click()
    page.get_by_role("button", name="Pause the schedule").click()
    expect(page.get_by_text("Paused", exact=True)).to_be_visible()
    assert shell.json("datasets", "show", "Paused one")["paused"] is True
    page.locator("summary", has_text="Options").click()
    page.get_by_role("button", name="Resume the schedule").click()
    expect(page.get_by_text("Paused", exact=True)).to_be_hidden()


def test_a_run_tells_all_of_itself(page: Page, shell: Shell, events: int) -> None:
    run = next(one for one in shell.json("runs", "list", "Shop events") if one["verdict"] == "COMPLETE")
    page.goto("/datasets/shop_events/history")
    page.locator(f'a[href="/runs/{run["id"]}"]').click()
    expect(page.locator('[data-figure="written"]')).to_have_text(f"{run['rows_written']:,}")
    expect(page.locator(".log-line")).to_have_count(len(shell.json("runs", "logs", run["id"])))
    assert events >= run["rows_written"]
    page.get_by_role("link", name="History").click()
    expect(page).to_have_url(re.compile("/datasets/shop_events/history$"))


@pytest.mark.parametrize("side", ["", "/data", "/stats", "/history"])
def test_what_never_ran_says_so(page: Page, events: int, side: str) -> None:
    assert events
    page.goto(f"/datasets/never_run{side}")
    expect(page.locator("main")).to_contain_text(re.compile("no rows yet|has not run yet|No rows yet", re.IGNORECASE))
