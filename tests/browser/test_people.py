"""People, one's own page, the audit log, notices and health in the browser, as an admin and as a viewer."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from sentry_connector.people.totp import code_of
from tests.cli.shell import Shell
from tests.cli.test_serve import Served, serving

PASSWORD = "seven quiet herons by the mill"


@pytest.fixture(scope="module")
def server(shell: Shell) -> Iterator[Served]:
    shell.ok("users", "add", "ada", "--role", "admin", stdin=PASSWORD)
    shell.ok("users", "add", "vera", "--role", "viewer", stdin=PASSWORD)
    shell.ok("users", "add", "<script>alert(1)</script>", "--role", "editor", stdin=PASSWORD)
    with serving(shell) as served:
        yield served


def sign_in(page: Page, name: str, there: str) -> None:
    page.goto(f"/sign-in?next={there}")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(there)


def test_an_admin_adds_a_person_gives_another_role_and_deletes_it(page: Page, shell: Shell) -> None:
    sign_in(page, "ada", "/people")
    page.get_by_role("button", name="Add person").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Grace")
    dialog.get_by_label("Role").select_option("editor")
    dialog.get_by_label("First password").fill("short")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    dialog.get_by_label("First password").fill(PASSWORD)
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Grace")
    page.get_by_label("Another role").select_option("viewer")
    page.get_by_role("button", name="Change role").click()
    expect(page.locator("dd", has_text="viewer")).to_be_visible()
    page.get_by_role("button", name="Deactivate").click()
    expect(page.get_by_role("button", name="Activate", exact=True)).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete the person").click()
    expect(page).to_have_url("/people")
    assert "Grace" not in {one["name"] for one in shell.json("users", "list")}


def test_an_api_key_is_shown_once_and_ended(page: Page) -> None:
    sign_in(page, "ada", "/me")
    page.get_by_role("button", name="Make API key").first.click()
    dialog = page.get_by_role("dialog", name="Make API key")
    dialog.get_by_label("Name").fill("notebook")
    dialog.get_by_role("button", name="Make API key").click()
    shown = page.get_by_role("dialog", name="The new API key")
    key = shown.locator("pre").inner_text()
    assert key.startswith("sck_")
    shown.get_by_role("button", name="I have kept it").click()
    expect(page.get_by_role("rowheader", name="notebook")).to_be_visible()
    assert key not in page.content()
    page.get_by_role("button", name="End notebook").click()
    expect(page.get_by_role("rowheader", name="notebook")).to_be_hidden()


def test_a_second_factor_is_made_and_asked_for(page: Page, shell: Shell) -> None:
    shell.ok("users", "add", "fay", "--role", "viewer", stdin=PASSWORD)
    sign_in(page, "fay", "/me")
    page.get_by_role("button", name="Make a second factor").click()
    dialog = page.get_by_role("dialog", name="Make a second factor")
    dialog.get_by_label("Your password").fill(PASSWORD)
    dialog.get_by_role("button", name="Go on").click()
    dialog = page.get_by_role("dialog", name="Give it to your authenticator")
    seed = dialog.locator("pre").inner_text()
    dialog.get_by_label("Code of your authenticator").fill(code_of(seed, time.time()))
    dialog.get_by_role("button", name="Ask for it from now on").click()
    codes = page.get_by_role("dialog", name="Recovery codes")
    spare = codes.locator("pre").inner_text().split()[0]
    codes.get_by_role("button", name="I have kept them").click()
    expect(page.get_by_text("recovery codes are left")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Name").fill("fay")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Code").fill(spare)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url("/")


def test_the_audit_log_is_searched_and_proved(page: Page) -> None:
    sign_in(page, "ada", "/audit")
    expect(page.get_by_role("row", name="users add").first).to_be_visible()
    page.get_by_label("What", exact=True).press_sequentially("sign-in")
    expect(page.get_by_role("row", name="users add")).to_have_count(0)
    page.get_by_role("link", name="Prove").click()
    expect(page.get_by_text("entries are as they were written")).to_be_visible()


def test_a_channel_is_added_its_secret_shown_once_and_a_test_that_fails_is_told(page: Page) -> None:
    sign_in(page, "ada", "/notices/channels")
    page.get_by_role("button", name="Add channel").click()
    dialog = page.get_by_role("dialog", name="Add channel")
    dialog.get_by_label("Name").fill("Hook")
    dialog.get_by_label("Address").fill("https://127.0.0.1:1/hook")
    dialog.get_by_label("failed").check()
    dialog.get_by_role("button", name="Add", exact=True).click()
    shown = page.get_by_role("dialog", name="The channel is added")
    expect(shown.locator("pre")).to_contain_text("whsec_")
    shown.get_by_role("button", name="I have kept it").click()
    page.get_by_role("link", name="Hook").click()
    expect(page.get_by_label("failed")).to_be_checked()
    page.get_by_role("button", name="Send a test").click()
    expect(page.locator(".toast.bad")).to_be_visible()
    page.get_by_label("Name").fill("Renamed hook")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Renamed hook")


def test_health_says_how_it_is_and_what_sentry_answers(page: Page) -> None:
    sign_in(page, "ada", "/health")
    page.get_by_role("button", name="Examine Sentry").click()
    expect(page.get_by_text("token", exact=True)).to_be_visible()
    assert "sntryu_" not in page.content()


def test_a_viewer_is_offered_nothing_that_would_be_refused(page: Page) -> None:
    sign_in(page, "vera", "/notices")
    expect(page.get_by_label("Sections").get_by_role("link", name="People")).to_be_hidden()
    page.goto("/people")
    expect(page.get_by_text("That needs the role 'admin'")).to_be_visible()
