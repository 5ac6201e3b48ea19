"""What a person does on the panes of a DataSet."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect


def pane(page: Page, name: str) -> Locator:
    return page.locator(f".pane[data-pane={name}]")


def details(page: Page, report: str | None = None, account: str = "Main") -> None:
    """The wizard at its second pane, with a report."""
    page.goto("/datasets/new")
    offered = page.get_by_label("Account", exact=True)
    offered.select_option(offered.locator("option", has_text=account).get_attribute("value"))
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_label("Report", exact=True)).to_be_focused()
    if report:
        page.get_by_label("Report", exact=True).select_option(report)


def pick(page: Page, menu: str, text: str) -> None:
    """Search and choose, by keys."""
    box = page.get_by_role("combobox", name=menu)
    expect(box).to_be_enabled()
    box.fill(text)
    expect(page.get_by_role("listbox", name=menu).get_by_role("option").first).to_be_visible()
    box.press("ArrowDown")
    box.press("Enter")
    box.press("Escape")


def counted(page: Page) -> int:
    """How many rows the Data tab says that there are."""
    said = page.locator("#counted")
    expect(said).not_to_be_empty()
    return int(said.inner_text().split(" of ")[-1].split()[0].replace(",", ""))


def following(page: Page, name: str) -> None:
    """Go on to the pane of that name."""
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("button", name=name)).to_have_attribute("aria-expanded", "true")
