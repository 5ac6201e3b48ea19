"""All DataSets, where people sign in: what is offered to whom, and what is given to somebody else."""

from __future__ import annotations

from collections.abc import Iterator
from subprocess import DEVNULL, PIPE

import pytest
from playwright.sync_api import Page, expect

from sentry_connector.simulator import Simulation
from tests.browser.looks import in_all_looks
from tests.browser.test_sign_in import PASSWORD, sign_in
from tests.cli.shell import Shell
from tests.cli.test_serve import Served, serving


@pytest.fixture(scope="module")
def server(shell: Shell, sentry: Simulation) -> Iterator[Served]:
    """With an admin, two editors and a viewer; eve owns what the viewer may look at."""
    for name, role in {"ada": "admin", "eve": "editor", "max": "editor", "vera": "viewer"}.items():
        shell.ok("users", "add", name, "--role", role, stdin=PASSWORD)
    adding = shell.process(
        "accounts", "add", "Ours", stdin=PIPE, stdout=DEVNULL
    )  # which asks Sentry, in a loop of its own
    adding.communicate(sentry.token.encode())
    shell.ok("accounts", "share", "Ours", "eve", "--level", "owner")
    for name in ("Ponds", "Lakes"):
        shell.ok("datasets", "create", "--name", name, "--report", "projects", "--account", "Ours")
        shell.ok("datasets", "share", name, "eve", "--level", "owner")
    shell.ok("datasets", "share", "Lakes", "vera", "--level", "use")
    with serving(shell) as served:
        yield served


def levels(shell: Shell, kind: str, name: str) -> dict[str, str]:
    return {one["person"]: one["level"] for one in shell.json(kind, "share", name)}


def test_72_a_viewer_sees_and_is_offered_nothing_that_would_be_refused(page: Page) -> None:
    page.goto("/sign-in")
    sign_in(page, "vera", PASSWORD)
    expect(page.get_by_role("link", name="Lakes")).to_be_visible()
    expect(page.get_by_role("link", name="Ponds")).to_be_hidden()
    expect(page.get_by_role("checkbox", name="Choose Lakes")).to_be_hidden()
    expect(page.get_by_role("link", name="New DataSet")).to_be_hidden()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("option", name="Bin")).to_be_visible()
    expect(page.get_by_role("option", name="New DataSet")).to_be_hidden()


def test_80_an_owner_gives_a_dataset_to_somebody_else_with_the_use_of_its_account(page: Page, shell: Shell) -> None:
    page.goto("/sign-in")
    sign_in(page, "max", PASSWORD)
    expect(page.get_by_role("heading", name="No DataSet yet")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, "eve", PASSWORD)
    page.get_by_role("link", name="Owned by me").click()
    page.get_by_role("checkbox", name="Choose Ponds").check()
    page.get_by_role("button", name="Change owner").click()
    dialog = page.get_by_role("dialog", name="Change the owner of the chosen DataSets")
    expect(dialog.get_by_role("listitem")).to_have_text(["Ponds"])
    dialog.get_by_label("New owner").fill("nobody here")
    dialog.get_by_role("button", name="Change owner").click()
    refused = page.get_by_role("dialog", name="Some were refused")
    expect(refused).to_contain_text("nobody here")
    refused.get_by_role("button", name="Close").click()
    assert levels(shell, "datasets", "Ponds") == {"eve": "owner"}

    page.get_by_role("button", name="Change owner").click()
    dialog.get_by_label("New owner").fill("max")
    dialog.get_by_role("button", name="Change owner").click()
    expect(page.get_by_text("Done: 1", exact=True)).to_be_visible()
    assert levels(shell, "datasets", "Ponds") == {"eve": "edit", "max": "owner"}
    assert levels(shell, "accounts", "Ours") == {"eve": "owner", "max": "use"}
    expect(page.get_by_role("link", name="Ponds")).to_be_hidden()
    page.goto("/?owner=max")
    expect(page.get_by_role("row").filter(has_text="Ponds")).to_contain_text("max")
    assert in_all_looks(page, "/") == []


def test_13_who_may_use_an_account_may_not_change_it_and_its_last_owner_stays(page: Page, shell: Shell) -> None:
    shell.ok("accounts", "share", "Ours", "max", "--level", "use")
    page.goto("/sign-in")
    sign_in(page, "max", PASSWORD)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.goto("/datasets/new")
    expect(page.get_by_label("Account", exact=True)).to_contain_text("Ours")
    page.goto("/accounts")
    page.get_by_role("link", name="Ours").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ours")
    for button in ("Rename", "Replace token", "Share", "Delete"):
        expect(page.get_by_role("button", name=button)).to_be_hidden()
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, "eve", PASSWORD)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.goto("/accounts")
    page.get_by_role("link", name="Ours").click()
    page.get_by_role("button", name="Share").click()
    dialog = page.get_by_role("dialog", name="Share the account")
    dialog.get_by_label("Person").fill("eve")
    dialog.get_by_label("What they may").select_option("use")
    dialog.get_by_role("button", name="Share").click()
    expect(dialog.get_by_role("alert")).to_contain_text("last owner")
    assert levels(shell, "accounts", "Ours")["eve"] == "owner"
