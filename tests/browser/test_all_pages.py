"""What holds for all pages, which the table of who may use which path names: a page that is new is looked at by itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle

import pytest
from playwright.sync_api import BrowserContext, Page
from tools import pages

from sentry_connector.simulator import Simulation
from sentry_connector.web.envelope import HEADERS
from tests.browser.filled import filled, sign_in
from tests.browser.looks import LOOKS, Look, in_look
from tests.cli.shell import Shell
from tests.cli.test_serve import Served, serving

POLICY_OF_CONTENT = (
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'", "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
)  # fmt: skip
EVERY_PAGE = pages.templates()
SAMPLE = list(zip(EVERY_PAGE, cycle(LOOKS), strict=False))
"""Each page once, in one look after another."""

STILL = """() => [...document.querySelectorAll("*")].filter(one => {
  const styles = ["", "::before", "::after"].map(part => getComputedStyle(one, part));
  const times = styles.flatMap(style => [style.animationDuration, style.transitionDuration].join(",").split(","));
  return times.some(time => parseFloat(time) > 0);
}).map(one => one.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def values(shell: Shell, sentry: Simulation) -> pages.Values:
    return filled(shell, sentry.token)


@pytest.fixture(scope="module")
def server(shell: Shell, values: pages.Values) -> Iterator[Served]:
    with serving(shell) as served:
        yield served


@pytest.fixture
def admin(context: BrowserContext, page: Page) -> Page:
    sign_in(context)
    return page


@pytest.mark.parametrize(("template", "look"), SAMPLE, ids=str)
def test_a_page_is_for_everyone(admin: Page, values: pages.Values, template: str, look: Look) -> None:
    assert in_look(admin, pages.address(template, values), look) == []


@pytest.mark.long
@pytest.mark.parametrize("template", EVERY_PAGE)
def test_a_page_is_for_everyone_in_every_look(admin: Page, values: pages.Values, template: str) -> None:
    assert [one for look in LOOKS for one in in_look(admin, pages.address(template, values), look)] == []


def test_every_page_is_there_with_the_headers_that_keep_it_safe(
    admin: Page, context: BrowserContext, values: pages.Values
) -> None:
    of_all = {name.lower(): value for name, value in HEADERS.items() if name != "Content-Security-Policy"}
    for template in EVERY_PAGE:
        answer = context.request.get(pages.address(template, values), headers={"Accept": "text/html"})
        assert answer.status == 200, template
        assert answer.headers["content-type"] == "text/html; charset=utf-8", template
        assert of_all.items() <= answer.headers.items(), template
        parts = [one.strip() for one in answer.headers["content-security-policy"].split(";")]
        assert set(POLICY_OF_CONTENT) <= set(parts), template
        assert "unsafe" not in answer.headers["content-security-policy"], template


def test_nothing_moves_for_who_wants_no_motion(admin: Page, values: pages.Values) -> None:
    admin.goto("/accounts")
    admin.get_by_role("button", name="Sign out").evaluate("one => one.setAttribute('aria-busy', 'true')")
    assert admin.evaluate(STILL), "a button that waits turns for the others"
    admin.emulate_media(reduced_motion="reduce")
    for template in EVERY_PAGE:
        admin.goto(pages.address(template, values))
        admin.evaluate("document.querySelectorAll('.button').forEach(one => one.setAttribute('aria-busy', 'true'))")
        assert admin.evaluate(STILL) == [], template
