"""Pictures of all pages, in both themes: `python -m tools.screenshots` writes `docs/screenshots/PAGE-THEME.png`.

They are of a home that has something on every page, filled from the simulated Sentry, in a folder that is gone afterwards.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, ViewportSize

from tools import pages, served

FOLDER = Path(__file__).parent.parent / "docs" / "screenshots"
SIZE: ViewportSize = {"width": 1280, "height": 800}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
MOST_BYTES = 150 * 1024
SETTLED = 500
"""Milliseconds after which charts that a script draws are there."""

IS_THERE = "() => !document.querySelector('[aria-busy=true]')"
"""Whether a page waits for no answer any more."""


def name_of(template: str) -> str:
    """`/datasets/{name}/history` → `datasets-name-history`; the first page is `home`."""
    return template.strip("/").translate({ord("/"): "-", ord("{"): None, ord("}"): None}) or "home"


def main() -> int:
    """Take all pictures; the exit code says whether each is small enough for a page that shows many."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    with served.filled() as (url, values), served.chromium() as browser:
        taken = [path for theme in THEMES for path in _taken(browser, url, values, theme)]
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
        page.wait_for_function(IS_THERE)
        page.wait_for_timeout(SETTLED)
        taken.append(FOLDER / f"{name_of(template)}-{theme}.png")
        page.screenshot(path=taken[-1], animations="disabled")
    context.close()
    return taken


if __name__ == "__main__":
    sys.exit(main())
