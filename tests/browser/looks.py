"""What holds for how every page looks: nothing that axe finds, nothing wider than the window."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Literal, NamedTuple

from playwright.sync_api import Page

SIZES = {"wide": (1440, 900), "middle": (768, 1024), "small": (320, 640)}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Look(NamedTuple):
    """A size of the window, and a theme."""

    size: str
    theme: Literal["light", "dark"]


LOOKS = tuple(Look(size, theme) for size, theme in product(SIZES, THEMES))


def violations(page: Page) -> list[str]:
    """What axe finds on a page as it stands: the rule, and where."""
    # Run as the browser's own, and not as a script of the page, which its policy would refuse.
    page.evaluate(f"() => {{ {AXE.read_text()} ; window.axe = axe ?? window.axe; }}")
    found = page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}, resultTypes: ['violations']})", RULES
    )
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def too_wide(page: Page) -> int:
    """By how many pixels a page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def in_look(page: Page, path: str, look: Look) -> list[str]:
    """What is wrong with a page in one theme at one width."""
    width, height = SIZES[look.size]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=look.theme)
    page.goto(path)
    wrong = violations(page)
    if (more := too_wide(page)) > 0:
        wrong.append(f"{more} pixels too wide")
    return [f"{path}, {look.size}, {look.theme}: {one}" for one in wrong]


def in_all_looks(page: Page, path: str) -> list[str]:
    """What is wrong with a page in any theme at any width."""
    return [one for look in LOOKS for one in in_look(page, path, look)]
