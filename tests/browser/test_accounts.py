"""Accounts in the browser. The numbers are those of the acceptance scenarios."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from sentry_connector.simulator import PROJECT_TOKEN, Simulation
from tests.browser.looks import in_all_looks
from tests.browser.panes import details, pane
from tests.cli.shell import Shell


def connect(page: Page, token: str, name: str = "") -> None:
    page.goto("/accounts/new")
    page.get_by_label("API Auth Token").fill(token)
    page.get_by_label("Account name").fill(name)
    page.get_by_role("button", name="Connect", exact=True).click()


def test_01_an_empty_token_is_refused_beside_the_field(page: Page, shell: Shell) -> None:
    before = shell.json("accounts", "list")
    connect(page, "   ")
    expect(page.get_by_role("alert")).to_be_visible()
    assert shell.json("accounts", "list") == before


def test_02_a_wrong_token_is_refused_and_nothing_is_stored(page: Page, shell: Shell) -> None:
    before = shell.json("accounts", "list")
    connect(page, "sntryu_" + "0" * 64)
    expect(page.get_by_role("alert")).to_contain_text("token")
    expect(page.get_by_role("alert")).to_be_focused()
    assert shell.json("accounts", "list") == before


def test_03_06_a_right_token_is_connected_and_names_never_collide(page: Page, sentry: Simulation, shell: Shell) -> None:
    for name in ("Sentry Account", "Sentry Account 2"):
        connect(page, sentry.token)
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        expect(page.get_by_text("Valid", exact=True)).to_be_visible()
        expect(page.get_by_text("No DataSet uses it yet.")).to_be_visible()
    page.get_by_label("Sections").get_by_role("link", name="Accounts").click()
    expect(page.get_by_role("row")).to_have_count(1 + len(shell.json("accounts", "list")))
    assert sentry.token not in page.content()


def test_07_08_10_an_account_is_renamed_keeps_its_token_and_is_deleted_with_its_impact_shown(
    page: Page, sentry: Simulation, shell: Shell
) -> None:
    connect(page, sentry.token, "Old name")
    expect(page.get_by_role("heading", level=1)).to_have_text("Old name")
    shell.ok("datasets", "create", "--name", "Of the account", "--report", "projects", "--account", "Old name")
    page.get_by_role("button", name="Rename").first.click()
    page.get_by_role("dialog").get_by_label("Account name").fill("New name")
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("New name")
    expect(page.get_by_role("link", name="Of the account")).to_be_visible()

    page.get_by_role("button", name="Replace token").click()
    dialog = page.get_by_role("dialog", name="Replace the token")
    dialog.get_by_label("API Auth Token").fill("sntryu_" + "0" * 64)
    dialog.get_by_role("button", name="Replace").click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_text("Checked.")).to_be_visible()
    expect(page.get_by_text("Valid", exact=True)).to_be_visible()

    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete the account")
    expect(dialog).to_contain_text("Of the account")
    dialog.get_by_role("button", name="Delete the account").click()
    expect(page).to_have_url("/accounts")
    assert "New name" not in {one["name"] for one in shell.json("accounts", "list")}
    assert shell.json("datasets", "show", "Of the account")["account"] is None


def test_04_an_account_that_is_there_asks_for_no_token(page: Page, sentry: Simulation, shell: Shell) -> None:
    connect(page, sentry.token, "There already")
    expect(page.get_by_role("heading", level=1)).to_have_text("There already")
    details(page, account="There already")
    expect(page.get_by_label("API Auth Token")).to_be_hidden()


def test_05_09_datasets_are_counted_and_linked_and_no_page_has_the_token(
    page: Page, sentry: Simulation, shell: Shell
) -> None:
    connect(page, sentry.token, "Of two")
    expect(page.get_by_role("heading", level=1)).to_have_text("Of two")
    for name in ("One of two", "Two of two"):
        shell.ok("datasets", "create", "--name", name, "--report", "projects", "--account", "Of two")
    page.goto("/accounts")
    expect(page.get_by_role("row").filter(has_text="Of two").get_by_role("cell", name="2", exact=True)).to_be_visible()
    page.get_by_role("link", name="Of two").click()
    page.get_by_role("link", name="One of two").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("One of two")
    for path in ("/accounts", "/datasets/one_of_two/settings", "/datasets/one_of_two/lineage", "/audit", "/health"):
        page.goto(path)
        assert sentry.token not in page.content()


def test_14_a_token_that_may_too_little_is_told_by_what_it_lacks(page: Page) -> None:
    connect(page, PROJECT_TOKEN, "Little")
    expect(page.get_by_role("heading", level=1)).to_have_text("Little")
    expect(page.get_by_text("Valid", exact=True)).to_be_visible()
    details(page, "organization-teams", "Little")
    menu = pane(page, "details").locator("[data-menu=organizations]")
    expect(menu).to_contain_text("The token may not read organizations. It needs the scope org:read")
    page.get_by_role("button", name="Credentials").click()
    expect(pane(page, "credentials")).to_contain_text(re.compile(r"\d+ of 16 may be read"))


def test_accounts_are_searched_as_one_types(page: Page, sentry: Simulation) -> None:
    for name in ("Team blue", "Team green"):
        connect(page, sentry.token, name)
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
    page.goto("/accounts")
    search = page.get_by_role("searchbox")
    search.press_sequentially("gree")
    expect(page.get_by_role("link", name="Team blue")).to_be_hidden()
    expect(page.get_by_role("link", name="Team green")).to_be_visible()
    expect(search).to_be_focused()
    page.reload()
    expect(page.get_by_role("link", name="Team blue")).to_be_hidden()
    expect(search).to_have_value("gree")


def test_a_page_that_is_not_there_is_for_everyone(page: Page) -> None:
    assert in_all_looks(page, "/no-such-page") == []
