"""Runs in the browser: the list, and one of them as it goes on. The numbers are those of the acceptance scenarios."""

from __future__ import annotations

import datetime as dt
import re

from playwright.sync_api import Page, expect

from sentry_connector.store.records import Problem, Run, RunState, Trigger
from sentry_connector.store.store import Store
from tests.browser.looks import in_all_looks
from tests.cli.shell import Shell


def waiting_run(shell: Shell, name: str) -> str:
    """A run of a schedule whose first attempt has failed; the next one is due in an hour."""
    now = dt.datetime.now(dt.UTC)
    error = Problem(name="sentry.unavailable", code=5, message="Sentry answered 503.", remedy="Wait for it.")
    with Store(f"sqlite:///{shell.home / 'connector.db'}") as store:
        dataset = store.datasets.find(name)
        run = Run(
            id=f"{dataset.id}@waiting", dataset_id=dataset.id, trigger=Trigger.SCHEDULE, slot=now, state=RunState.RETRYING,
            queued_at=now, started_at=now, not_before=now + dt.timedelta(hours=1), error=error,
        )  # fmt: skip
        store.runs.add(run)
    return run.id


def test_where_nothing_is_the_first_dataset_is_offered(page: Page, shell: Shell) -> None:
    for one in shell.json("datasets", "list"):  # of the tests before this one
        shell.ok("datasets", "delete", one["name"], "--yes")
    page.goto("/")
    expect(page.get_by_role("heading", name="No DataSet yet")).to_be_visible()
    expect(page.get_by_role("link", name="Make the first DataSet")).to_have_attribute("href", "/datasets/new")
    assert in_all_looks(page, "/") == []


def test_73_75_a_run_is_asked_for_once_followed_and_has_its_figures_and_its_log(page: Page, shell: Shell) -> None:
    shell.ok("datasets", "create", "--name", "Shop events", "--report", "projects")
    page.goto("/")
    page.get_by_role("checkbox", name="Choose Shop events").check()
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_text("Done: 1", exact=True)).to_be_visible()
    page.get_by_label("Sections").get_by_role("link", name="Runs").click()
    page.get_by_role("link", name="Run of Shop events").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Run of Shop events")
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()
    log = page.get_by_role("log")
    expect(log).to_contain_text("run begins")
    expect(log).to_contain_text("run ends")
    told = shell.json("runs", "logs", shell.json("runs", "list", "Shop events")[0]["id"])
    assert log.locator(".log-line").count() == len(told), "each line once"
    (run,) = shell.json("runs", "list", "Shop events")
    expect(page.get_by_text("Rows written").locator("..")).to_contain_text(str(run["rows_written"]))
    path = re.sub(r"^https?://[^/]+", "", page.url)
    assert in_all_looks(page, path) == []
    assert in_all_looks(page, "/runs") == []


def test_59_a_run_that_waits_for_its_next_attempt_is_cancelled_and_why_it_failed_is_told(
    page: Page, shell: Shell
) -> None:
    shell.ok("datasets", "create", "--name", "Never again", "--report", "projects")
    waiting = waiting_run(shell, "Never again")
    page.goto(f"/runs/{waiting}")
    expect(page.get_by_text("Retrying (2/4)")).to_be_visible()
    expect(page.get_by_text("Sentry answered 503.")).to_be_visible()
    expect(page.get_by_text("It is tried again")).to_be_visible()
    page.goto("/runs?state=retrying")
    page.get_by_role("button", name="Cancel the run of Never again").click()
    expect(page.get_by_text("No run is so.")).to_be_visible()
    page.get_by_role("link", name="Show all of them").click()
    expect(page.get_by_role("row").filter(has_text="Never again")).to_contain_text("Cancelled")
