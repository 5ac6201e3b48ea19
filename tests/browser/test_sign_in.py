"""Coming in, in the browser: the first admin, signing in and out, and what somebody is led to meanwhile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import pytest
from playwright.sync_api import Page, expect

from tests.browser.looks import in_all_looks
from tests.cli.shell import Shell
from tests.cli.test_serve import Served, serving

PASSWORD = "seven quiet herons by the mill"


@pytest.fixture(scope="module")
def server(shell: Shell) -> Iterator[Served]:
    """One that asks everybody who they are."""
    shell.ok("users", "add", "ada", "--role", "admin", stdin=PASSWORD)
    with serving(shell) as served:
        yield served


@pytest.fixture
def unclaimed(shell: Shell, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The address of a server for people, of whom there are none yet, and the code that it has printed."""
    own = Shell({**shell.env, "SENTRY_CONNECTOR_HOME": str(tmp_path / "home")})
    process = own.process("serve", "--port", "0", "--people", stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    code = process.stderr.readline().decode().rpartition(" ")[2].strip()
    yield process.stdout.readline().decode().strip(), code
    process.kill()
    process.communicate()


def sign_in(page: Page, name: str, password: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_nobody_comes_in_before_the_first_admin_who_needs_the_code(page: Page, unclaimed: tuple[str, str]) -> None:
    url, code = unclaimed
    page.goto(f"{url}/accounts")
    expect(page).to_have_url(f"{url}/first-admin")
    assert in_all_looks(page, f"{url}/first-admin") == []
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Code").fill("not the code")
    page.get_by_role("button", name="Become the first admin").click()
    expect(page.get_by_role("alert")).to_contain_text("That is not the code")
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Become the first admin").click()
    expect(page).to_have_url(f"{url}/")
    page.goto(f"{url}/accounts")
    expect(page.get_by_text("ada", exact=True)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{url}/sign-in")
    page.goto(f"{url}/first-admin")
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()


def test_signing_in_leads_to_where_one_was_going(page: Page) -> None:
    page.goto("/accounts?sort=used")
    expect(page).to_have_url(re.compile(r"/sign-in\?next="))
    sign_in(page, "ada", PASSWORD)
    expect(page).to_have_url("/accounts?sort=used")
    assert "session" not in page.evaluate("document.cookie"), "no script can read it"


def test_a_session_that_has_ended_leads_to_signing_in_from_wherever_one_is(page: Page) -> None:
    page.goto("/sign-in?next=%2Faccounts%2Fnew")
    sign_in(page, "ada", PASSWORD)
    expect(page).to_have_url("/accounts/new")
    page.context.clear_cookies()
    page.get_by_label("API Auth Token").fill("sntryu_" + "0" * 64)
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page).to_have_url("/sign-in?next=%2Faccounts%2Fnew")


def test_theme_and_language_are_kept(page: Page) -> None:
    assert in_all_looks(page, "/sign-in") == []
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto("/sign-in?next=%2Faccounts")
    sign_in(page, "ada", PASSWORD)
    page.get_by_label("Theme").select_option("dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_label("Language").select_option("de")
    expect(page.get_by_role("heading", name="Konten")).to_be_visible()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("html")).to_have_attribute("lang", "de")


def test_a_wrong_password_is_told_without_saying_what_was_wrong_and_the_next_one_has_to_wait(page: Page) -> None:
    page.goto("/sign-in")
    sign_in(page, "ada", "a wrong password")
    expect(page.get_by_role("alert")).to_contain_text("The name or the password is wrong.")
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_label("Name")).to_have_value("ada")
    sign_in(page, "ada", PASSWORD)
    expect(page.get_by_role("alert")).to_contain_text(re.compile(r"Try again in \d+ seconds"))
