"""From nothing to the first DataSet with data, as somebody does it who has read no documentation."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.panes import following

CLICKS = """addEventListener("click", (event) => {
  if (event.detail) sessionStorage.clicks = Number(sessionStorage.clicks ?? 0) + 1; }, true)"""
"""Counts what a mouse does; the click that a key makes has no detail."""

A_RUN = 60_000
"""Milliseconds after which its first run has surely ended."""


def first_dataset(page: Page, url: str, token: str) -> int:
    """Connect, choose, save, and see the rows, on a server that has nothing yet; answer how many clicks it took."""
    page.add_init_script(CLICKS)
    page.goto(f"{url}/datasets/new")
    page.get_by_label("API Auth Token").click()
    page.keyboard.insert_text(token)
    page.get_by_role("button", name="Connect", exact=True).click()
    report = page.get_by_label("Report", exact=True)
    expect(report).to_be_focused()
    report.click()
    report.select_option("project-events")
    page.get_by_role("combobox", name="Projects").click()
    page.keyboard.type("acme/shop")
    page.get_by_role("listbox", name="Projects").get_by_role("option").click()
    following(page, "Scheduling")
    following(page, "Name & Describe")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page).to_have_url(re.compile("/datasets/project_events"))
    page.get_by_role("link", name="Data", exact=True).click()
    expect(page.get_by_role("button", name="Row 1", exact=True)).to_be_visible(timeout=A_RUN)
    return int(page.evaluate("sessionStorage.clicks")) + 1  # an option of a select is chosen by a click too
