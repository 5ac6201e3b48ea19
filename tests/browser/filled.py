"""A server on a home that has something on every page, and its admin, who is signed in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from playwright.sync_api import BrowserContext
from tools import pages

from tests.cli.shell import Shell


def filled(shell: Shell, token: str) -> pages.Values:
    """Fill a home; answer what the parts of the pages' addresses stand for in it."""

    def made() -> pages.Values:
        pages.fill(lambda args, stdin: shell(*args, stdin=stdin).exit_code, token)
        return pages.values_with(shell.json("runs", "list", "Shop events")[0]["id"])

    # Playwright's event loop may run in this thread, and a command has its own.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(made).result()


def sign_in(context: BrowserContext, name: str = pages.ADMIN, password: str = pages.PASSWORD) -> None:
    """Sign somebody in, in this browser."""
    answer = context.request.post("/api/v1/login", data={"name": name, "password": password})
    assert answer.ok, answer.text()
