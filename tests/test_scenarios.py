"""Every acceptance scenario has its tests, in a browser where a page can show it."""

from __future__ import annotations

from tools import scenarios

ON_NO_PAGE = {"36", "36d", "53"}
"""What Sentry answered and was left out; where reading goes on after a change; a server that died."""


def test_every_scenario_is_shown_and_nothing_else_is() -> None:
    shown = [number for one in scenarios.found() for number in one.numbers]
    assert set(shown) == set(scenarios.SENTENCES)


def test_what_a_page_can_show_is_shown_by_one() -> None:
    shown = {number for one in scenarios.found() if one.in_browser for number in one.numbers}
    assert set(scenarios.SENTENCES) - shown == ON_NO_PAGE
