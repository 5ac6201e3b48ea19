"""What a DataSet's page offers to whom, without a browser."""

from __future__ import annotations

import pytest

from sentry_connector.runs.watch import LOOK
from sentry_connector.store.rights import Level, Role, Thing
from sentry_connector.web.api_runs import POLL
from tests.web.town import Town

HTML = {"accept": "text/html"}
SIDES = ("", "/data", "/schema", "/stats", "/history", "/lineage", "/export")


@pytest.fixture
def town_of_two(town: Town) -> Town:
    """Ada owns Shop, which Vera may look at."""
    ada, vera = town.person("ada", Role.ADMIN), town.person("vera", Role.VIEWER)
    town.dataset("Shop", ada)
    town.dataset("Hidden", ada)
    town.share(Thing.DATASET, "Shop", vera, Level.USE)
    return town


async def test_72_a_viewer_sees_the_data_and_can_change_nothing(town_of_two: Town) -> None:
    for name, may_change in (("ada", True), ("vera", False)):
        person = await town_of_two.signed_in(name)
        for side in SIDES:
            answer = await person("GET", f"/datasets/shop{side}", headers=HTML)
            assert answer.status == 200, (name, side)
            text = answer.body.decode()
            assert ("data-action=" in text.replace('data-action="/api/v1/logout"', "")) is may_change
            assert ("/datasets/shop/settings" in text) is may_change
            assert (str(town_of_two.house.settings.home) in text) <= may_change
        settings = await person("GET", "/datasets/shop/settings", headers=HTML)
        assert settings.status == (200 if may_change else 403)


async def test_a_run_is_shown_to_who_sees_its_dataset(town_of_two: Town) -> None:
    ada, vera = [await town_of_two.signed_in(name) for name in ("ada", "vera")]
    assert (await vera("GET", "/runs/run-shop", headers=HTML)).status == 200
    assert (await ada("GET", "/runs/run-hidden", headers=HTML)).status == 200
    assert (await vera("GET", "/runs/run-hidden", headers=HTML)).status == 404
    assert (await vera("GET", "/datasets/hidden", headers=HTML)).status == 404


async def test_names_are_text(town_of_two: Town) -> None:
    """Scenario 68."""
    town_of_two.dataset("<script>alert(1)</script>")
    ada = await town_of_two.signed_in("ada")
    slug = next(one["slug"] for one in (await ada("GET", "/api/v1/datasets")).json if "script" in one["name"])
    for side in (*SIDES, "/settings"):
        text = (await ada("GET", f"/datasets/{slug}{side}", headers=HTML)).body.decode()
        assert "&lt;script&gt;alert(1)" in text
        assert "<script>alert(1)" not in text


def test_what_is_told_of_a_run_is_less_than_a_second_old() -> None:
    """As long as it takes to be stored, and then to be seen."""
    assert LOOK + POLL < 1.0
