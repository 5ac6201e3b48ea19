"""What a DataSet would be, asked before it is made: its days, its rows, its plan; and the checks of an account."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sentry_connector.errors import NotSentry
from sentry_connector.operations import accounts, choices
from sentry_connector.simulator import Simulation, World, start_in_thread
from sentry_connector.store.rights import Level, Role, Thing
from tests.cli.shell import NoSentry, Shell
from tests.parts import NOW, StandingApp
from tests.web.asking import asked
from tests.web.town import Town, Visitor


@pytest.fixture
async def ada(town: Town) -> Visitor:
    town.person("ada", Role.EDITOR)
    return await town.signed_in("ada")


async def days(visitor: Visitor, query: str, report: str = "project-events") -> Any:
    return (await visitor("GET", f"/api/v1/days?report={report}&{query}")).json


async def test_30_32_the_days_are_told_as_one_types(ada: Visitor) -> None:
    assert NOW.isoformat() == "2026-03-10T12:00:00+00:00"
    told = await days(ada, "start_days_back=10&end_days_back=5")
    assert (told["first_day"], told["last_day"]) == ("2026-02-28", "2026-03-05")
    assert told["days"].startswith("2026-02-28 to 2026-03-05 (6 days, UTC)")
    assert told["duration"] == {"duration": "date_range", "start": 10, "end": 5}
    for back, day in ((0, "2026-03-10"), (1, "2026-03-09")):
        one = await days(ada, f"days_back={back}")
        assert (one["first_day"], one["last_day"]) == (day, day)
    there = await days(ada, "days_back=0&timezone=Pacific/Auckland")
    assert there["first_day"] == "2026-03-11"


async def test_31_33_dates_that_make_no_window_are_refused(ada: Visitor) -> None:
    for query in (
        "start_days_back=5&end_days_back=10", "days_back=-1", "days_back=1.5", "days_back=abc",
        "start=2026-03-02&end=2026-03-01", "date=2026-02-30", "date=2027-01-01", "date=", "days_back=1&date=today",
    ):  # fmt: skip
        assert (await days(ada, query))["name"] == "usage.dates", query
    assert (await days(ada, "start_days_back=5&end_days_back=5"))["first_day"] == "2026-03-05"
    assert (await days(ada, "timezone=Mars"))["field"] == "timezone"


async def test_a_report_without_dates_has_none_and_each_other_its_default(ada: Visitor) -> None:
    assert (await days(ada, "", "organizations"))["days"] is None
    assert (await days(ada, "days_back=1", "organizations"))["menu"] == "dates"
    assert (await days(ada, ""))["duration"] == {"duration": "all_available"}
    assert (await days(ada, "", "events-counts-project"))["last_day"] == "2026-03-09"
    assert (await days(ada, "all_available=true", "events-counts-project"))["name"] == "usage.details"


async def test_methods_are_told_with_the_reason_against_them(ada: Visitor) -> None:
    answer = await ada("GET", "/api/v1/update-methods?report=projects-issues&since_last_run=true")
    told = {one["method"]: one for one in answer.json}
    assert {method for method, one in told.items() if one["refused"] is None} == {"append", "upsert"}
    assert told["upsert"]["recommended"]


async def test_who_may_use_an_account_may_see_how_it_does(town: Town, ada: Visitor) -> None:
    town.account("Main")
    assert (await ada("GET", "/api/v1/accounts/Main/checks")).status == 404
    town.share(Thing.ACCOUNT, "Main", town.house.store.people.find("ada"), Level.USE)
    assert (await ada("GET", "/api/v1/accounts/Main/checks")).status != 404
    refused = await ada("POST", "/api/v1/preview", {"report": "projects"})
    assert refused.status == 403, "the token of the server's own environment is the admins'"


async def test_27_a_preview_is_a_hundred_rows_with_types_and_is_stored_nowhere(
    http: aiohttp.ClientSession, shell: Shell
) -> None:
    before = await asyncio.to_thread(shell.json, "runs", "list")
    draft = {"report": "project-events", "details": {"projects": ["*"], "duration": {"duration": "since_last_run"}}}
    found = await asked(http, "POST", "preview", json=draft)
    assert len(found["rows"]) == 100
    assert [one["name"] for one in found["columns"]] == list(found["rows"][0])
    assert {"timestamp[us, tz=UTC]", "string"} <= {one["type"] for one in found["columns"]}
    assert await asyncio.to_thread(shell.json, "runs", "list") == before
    plan = await asked(http, "POST", "plan", json=draft)
    assert plan["requests"] > 0
    assert plan["slices"]


async def test_a_preview_of_what_cannot_be_is_refused(http: aiohttp.ClientSession) -> None:
    for path in ("preview", "plan"):
        problem = await asked(http, "POST", path, 422, json={"report": "project-events"})
        assert (problem["name"], problem["menu"]) == ("usage.details", "projects")


async def test_an_account_is_looked_at_piece_by_piece(
    http: aiohttp.ClientSession, shell: Shell, sentry: Simulation
) -> None:
    await asyncio.to_thread(shell.ok, "accounts", "add", "Examined", "--url", sentry.url, stdin=sentry.token)
    found = await asked(http, "GET", "accounts/examined/checks")
    names = [one["name"] for one in found["checks"]]
    assert names[:5] == ["url", "dns", "connection", "api", "token"]
    assert "scope Project Events" in names
    assert not {"store", "storage"} & set(names), "nothing of this machine"


async def test_who_waits_for_a_menu_is_told_soon_that_sentry_does_not_answer(tmp_path: Path) -> None:
    with start_in_thread(World.build(now=NOW, events=0), faults=NoSentry("/teams/")) as proxy:
        house = StandingApp(tmp_path / "home", proxy.url, proxy.token)
        connection = accounts.connection(house, None)
        with pytest.raises(NotSentry):
            await choices.choices(house, connection, "teams", ())
        asked_often = proxy.requests
        with pytest.raises(NotSentry):
            await choices.choices(house, connection, "teams", ())
        house.close()
    assert proxy.requests - asked_often <= 4, "the organizations, and twice the teams of one"
