"""A thousand DataSets, the bin and the palette in the browser. The numbers are those of the acceptance scenarios."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from sentry_connector.store.store import Store
from tests.browser.looks import in_all_looks
from tests.cli.shell import Shell
from tests.cli.test_serve import Served, serving
from tests.many import fill

HOSTILE = "<script>alert(1)</script> \u202egnirts\u202c 🦉 " + "W" * 200


@pytest.fixture(scope="module")
def server(shell: Shell) -> Iterator[Served]:
    """With a thousand DataSets that no run belongs to but those that were put there."""
    shell.ok("accounts", "list")
    with Store(f"sqlite:///{shell.home / 'connector.db'}") as store:
        fill(store, dt.datetime.now(dt.UTC), runs_of_each=3)
    with serving(shell) as served:
        yield served


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


def make(shell: Shell, *names: str) -> None:
    for name in names:
        shell.ok("datasets", "create", "--name", name, "--report", "organizations")


def choose(page: Page, search: str, *names: str) -> Locator:
    """The bar of what can be done with these DataSets, which a search finds."""
    page.goto(f"/?search={search}")
    for name in names:
        page.get_by_role("checkbox", name=f"Choose {name}", exact=True).check()
    bar = page.get_by_role("region", name="With the chosen ones")
    expect(bar).to_contain_text(f"{len(names)} chosen")
    return bar


def test_78_broken_ones_come_first_and_they_are_found_sorted_and_paged(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_text("page 1 of 10").first).to_be_visible()
    expect(page.get_by_role("row").nth(1)).to_contain_text("Needs attention")
    expect(page.get_by_role("row")).to_have_count(101)

    page.get_by_role("link", name="Next", exact=True).click()
    expect(page).to_have_url("/?page=2")
    page.get_by_role("searchbox").press_sequentially("culprit 0011")
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.reload()
    expect(page.get_by_role("searchbox")).to_have_value("culprit 0011")
    expect(page.get_by_role("row")).to_have_count(2)

    page.goto("/")
    page.get_by_role("link", name=re.compile("^Needs attention")).click()
    expect(page).to_have_url("/?show=attention")
    page.get_by_label("Any report").select_option("projects")
    expect(page.get_by_role("row").nth(1)).to_contain_text("Projects")
    page.get_by_role("link", name="Rows", exact=True).click()
    expect(page.get_by_role("columnheader", name="Rows", exact=True)).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("link", name="Rows", exact=True).click()
    expect(page.get_by_role("columnheader", name="Rows", exact=True)).to_have_attribute("aria-sort", "descending")
    page.get_by_label("No groups").select_option("account")
    expect(page.get_by_role("region", name="Groups").get_by_role("link", name="Account 4")).to_be_visible()


def test_54_75_79_what_is_chosen_is_run_paused_deleted_and_restored(page: Page, shell: Shell) -> None:
    make(shell, "Herons one", "Herons two", "Herons three")
    names = ("Herons one", "Herons two", "Herons three")
    bar = choose(page, "herons", *names)
    bar.get_by_role("button", name="Run now").click()
    expect(page.get_by_text("Done: 3", exact=True)).to_be_visible()
    for name in names:
        expect(row(page, name)).to_contain_text("Success")

    bar = choose(page, "herons", *names)
    bar.get_by_role("button", name="Pause").click()
    for name in names:
        expect(row(page, name)).to_contain_text("Paused")
    bar = choose(page, "herons", *names)
    bar.get_by_role("button", name="Resume").click()
    expect(row(page, names[0])).to_contain_text("Success")

    bar = choose(page, "herons", names[0], names[1])
    shell.ok("datasets", "delete", names[1], "--yes")
    bar.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete the chosen DataSets")
    expect(dialog.get_by_role("listitem")).to_have_text([names[0], names[1]])
    dialog.get_by_role("button", name="Delete").click()
    refused = page.get_by_role("dialog", name="Some were refused")
    expect(refused).to_contain_text("Not done: 1")
    expect(refused.get_by_role("term")).to_have_text([names[1]])
    refused.get_by_role("button", name="Close").click()
    expect(row(page, names[0])).to_be_hidden()
    assert shell("datasets", "show", names[0]).exit_code != 0

    page.get_by_role("link", name="Bin").click()
    page.get_by_role("button", name=f"Restore {names[0]}").click()
    expect(page.get_by_role("row").filter(has_text=names[0])).to_be_hidden()
    found = shell.json("datasets", "show", names[0])
    assert found["rows"] > 0, "with its table"
    assert len(shell.json("runs", "list", names[0])) == 1, "and its history"

    page.get_by_role("button", name=f"Purge {names[1]}").click()
    dialog = page.get_by_role("dialog", name=f"Purge {names[1]}")
    dialog.get_by_label("Leave its table where it is").check()
    dialog.get_by_role("button", name="Purge").click()
    expect(page.get_by_text("Purged.", exact=True)).to_be_visible()
    expect(page.get_by_role("row").filter(has_text=names[1])).to_be_hidden()
    assert names[1] not in {one["name"] for one in shell.json("datasets", "list", "--deleted")}


def test_70_tags_are_added_to_those_there_are_shown_and_found(page: Page, shell: Shell) -> None:
    make(shell, "Geese one")
    shell.ok("datasets", "edit", "Geese one", "--tag", "lake")
    bar = choose(page, "geese", "Geese one")
    bar.get_by_role("button", name="Tag").click()
    page.get_by_role("dialog").get_by_label("Tags").fill("Lake\nquiet water")
    page.get_by_role("dialog").get_by_role("button", name="Tag").click()
    expect(row(page, "Geese one").get_by_role("link", name="quiet water")).to_be_visible()
    assert shell.json("datasets", "show", "Geese one")["tags"] == ["lake", "quiet water"]
    page.get_by_role("link", name="quiet water").click()
    expect(page.get_by_role("row")).to_have_count(2)
    page.goto("/?search=quiet+geese")
    expect(row(page, "Geese one")).to_be_visible()


def test_what_is_chosen_stays_chosen_while_the_list_is_renewed_and_views_are_kept(page: Page) -> None:
    page.goto("/?search=organizations+0008")
    page.get_by_role("checkbox", name="Choose Organizations 0008").check()
    page.get_by_label("Any status").select_option("")
    page.get_by_label("Sort by").select_option("name")
    expect(page).to_have_url(re.compile("sort=name"))
    expect(page.get_by_role("checkbox", name="Choose Organizations 0008")).to_be_checked()
    page.get_by_text("Saved views").click()
    page.get_by_label("Name of the view").fill("<b>Mine</b>")
    page.get_by_role("button", name="Save this view").click()
    page.goto("/")
    page.get_by_text("Saved views").click()
    page.get_by_role("link", name="<b>Mine</b>").click()
    expect(page.get_by_role("searchbox")).to_have_value("organizations 0008")
    page.get_by_text("Saved views").click()
    page.get_by_role("button", name="Delete the view: <b>Mine</b>").click()
    expect(page.get_by_role("link", name="<b>Mine</b>")).to_be_hidden()


def test_the_palette_is_for_the_keyboard_alone(page: Page) -> None:
    page.goto("/runs")
    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Go to a section or a DataSet, or do something")
    expect(field).to_be_focused()
    page.keyboard.type("0123")
    found = page.get_by_role("option", name=re.compile("0123"))
    expect(found).to_have_attribute("aria-selected", "true")
    assert found.get_attribute("id") == field.get_attribute("aria-activedescendant")
    page.keyboard.press("Escape")
    expect(field).to_be_hidden()
    page.keyboard.press("Control+k")
    page.keyboard.type("no such thing")
    expect(page.get_by_text("Nothing is called so.")).to_be_visible()
    for _ in "no such thing":
        page.keyboard.press("Backspace")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("listbox", name="What is found").get_by_role("option", selected=True)).to_contain_text(
        "Runs"
    )
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("DataSets")


def test_68_a_hostile_name_is_text_wherever_it_is_shown(page: Page, shell: Shell) -> None:
    make(shell, HOSTILE)
    bar = choose(page, "gnirts", HOSTILE)
    bar.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog").get_by_role("listitem")).to_have_text([HOSTILE])
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.keyboard.type("gnirts")
    expect(page.get_by_role("option", name="<script>alert(1)</script>")).to_be_visible()
    page.keyboard.press("Escape")
    assert in_all_looks(page, "/?search=gnirts") == []
    shell.ok("datasets", "delete", HOSTILE, "--yes")
    page.goto("/bin")
    expect(page.get_by_role("rowheader").get_by_text(HOSTILE)).to_be_visible()


@pytest.mark.parametrize("path", ["/?search=001", "/?group=report", "/?search=nothing+is+so"])
def test_every_page_is_for_everyone(page: Page, path: str) -> None:
    assert in_all_looks(page, path) == []


def test_the_palette_and_the_bin_are_for_everyone(page: Page, shell: Shell) -> None:
    make(shell, "To be deleted")
    shell.ok("datasets", "delete", "To be deleted", "--yes")
    assert in_all_looks(page, "/bin") == []
