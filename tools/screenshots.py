"""Pictures of all pages, in both themes: `python -m tools.screenshots` writes `docs/screenshots/PAGE-THEME.png`.

They are of a home that has something on every page, filled from the simulated Sentry, in a folder that is gone afterwards.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Literal

from playwright.sync_api import Browser, ViewportSize, sync_playwright

from sentry_connector.simulator import TOKEN
from tools import pages
from tools.machine import browser_program

FOLDER = Path(__file__).parent.parent / "docs" / "screenshots"
SIZE: ViewportSize = {"width": 1280, "height": 800}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
MOST_BYTES = 150 * 1024
SETTLED = 500
"""Milliseconds after which tables and charts that a script draws are there."""

SEED = 1


@contextmanager
def _serving(environment: Mapping[str, str], *args: str) -> Iterator[str]:
    """A server of the command line: its address."""
    command = [sys.executable, "-m", "sentry_connector", *args, "--port", "0", "--json"]
    with subprocess.Popen(command, env=environment, stdout=PIPE) as process:
        try:
            yield json.loads(process.stdout.readline())["url"] if process.stdout else ""
        finally:
            process.terminate()


def _environment(home: Path, sentry: str) -> dict[str, str]:
    rest = {name: value for name, value in os.environ.items() if not name.startswith("SENTRY_")}
    return {
        **rest,
        "SENTRY_CONNECTOR_HOME": str(home),
        "SENTRY_URL": sentry,
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }


def _fill(environment: Mapping[str, str]) -> pages.Values:
    def call(args: tuple[str, ...], stdin: str) -> int:
        command = [sys.executable, "-m", "sentry_connector", *args]
        return subprocess.run(
            command, env=environment, input=stdin.encode(), capture_output=True, check=False
        ).returncode

    pages.fill(call, TOKEN)
    command = [sys.executable, "-m", "sentry_connector", "runs", "list", "Shop events", "--json"]
    return pages.values_with(json.loads(subprocess.check_output(command, env=environment))[0]["id"])


def name_of(template: str) -> str:
    """`/datasets/{name}/history` → `datasets-name-history`; the first page is `home`."""
    return template.strip("/").translate({ord("/"): "-", ord("{"): None, ord("}"): None}) or "home"


def main() -> int:
    """Take all pictures; the exit code says whether each is small enough for a page that shows many."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    with tempfile.TemporaryDirectory() as folder, _serving(os.environ, "simulate", "--seed", str(SEED)) as sentry:
        environment = _environment(Path(folder) / "home", sentry)
        values = _fill(environment)
        with _serving(environment, "serve") as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_program(), args=["--no-sandbox"])
            taken = [path for theme in THEMES for path in _taken(browser, url, values, theme)]
            browser.close()
    large = [path for path in taken if path.stat().st_size > MOST_BYTES]
    print(f"{len(taken)} pictures, {sum(path.stat().st_size for path in taken) // 1024} KiB, in {FOLDER}")
    for path in large:
        print(f"{path.name} is larger than {MOST_BYTES // 1024} KiB", file=sys.stderr)
    return 1 if large else 0


def _taken(browser: Browser, url: str, values: pages.Values, theme: Literal["light", "dark"]) -> list[Path]:
    context = browser.new_context(base_url=url, viewport=SIZE, color_scheme=theme, locale="en-GB", timezone_id="UTC")
    who = {"name": pages.ADMIN, "password": pages.PASSWORD}
    context.request.post("/api/v1/login", data=who, fail_on_status_code=True)
    page = context.new_page()
    taken = []
    for template in pages.templates():
        page.goto(pages.address(template, values))
        page.wait_for_timeout(SETTLED)
        taken.append(FOLDER / f"{name_of(template)}-{theme}.png")
        page.screenshot(path=taken[-1], animations="disabled")
    context.close()
    return taken


if __name__ == "__main__":
    sys.exit(main())
