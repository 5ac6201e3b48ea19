"""A real browser on a real server. What a page does wrong by itself, such as a script that fails, fails its test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, expect
from tools.served import chromium

from sentry_connector.simulator import Simulation
from tests.browser.looks import SIZES
from tests.cli.conftest import sentry  # noqa: F401  # a fixture
from tests.cli.shell import Shell
from tests.cli.test_serve import Served, serving

expect.set_options(timeout=30_000)  # ms; a machine that does much else is slow, and nothing here is about speed


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for each module: Playwright has an event loop run meanwhile, beside which no other test could have its own."""
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def shell(sentry: Simulation, tmp_path_factory: pytest.TempPathFactory) -> Shell:  # noqa: F811  # the fixture
    """The command line on the server's home; a module's tests share it."""
    return Shell(
        {
            "SENTRY_CONNECTOR_HOME": str(tmp_path_factory.mktemp("browser") / "home"),
            "SENTRY_URL": sentry.url,
            "SENTRY_AUTH_TOKEN": sentry.token,
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        }
    )


@pytest.fixture(scope="module")
def server(shell: Shell) -> Iterator[Served]:
    with serving(shell) as served:
        yield served


@pytest.fixture
def context(browser: Browser, server: Served) -> Iterator[BrowserContext]:
    width, height = SIZES["wide"]
    made = browser.new_context(
        base_url=server.url, viewport={"width": width, "height": height}, locale="en-GB", timezone_id="UTC"
    )
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that is watched."""
    wrong: list[str] = []
    made = context.new_page()

    def heard(message: ConsoleMessage) -> None:
        # A refusal by the server is told by the browser too, and is what some tests are about.
        if message.type == "error" and "Failed to load resource" not in message.text:
            wrong.append(message.text)

    def asked(dialog: Dialog) -> None:
        wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    made.on("console", heard)
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on("dialog", asked)
    yield made
    assert wrong == []
