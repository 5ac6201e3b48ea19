"""Looking into tables over HTTP: pages of rows, figures, charts, drift, lineage; and an update that is deleted."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Hashable
from typing import Any

import aiohttp
import pyarrow as pa
import pytest
from fastapi import FastAPI

from sentry_connector.destinations.paging import Finds, Kept
from sentry_connector.reports.catalogue import CATALOGUE
from sentry_connector.store.rights import Level, Role, Thing
from sentry_connector.web.api_looks import look_routes
from sentry_connector.web.streaming import AT_ONCE, RowStreams
from tests.cli.shell import Shell
from tests.web.asking import EVENTS, asked, ran
from tests.web.town import Town, Visitor

DETAILS: dict[str, Any] = {"projects": ["acme/shop"], "duration": {"duration": "all_available"}}
APPENDED: dict[str, Any] = {"report": EVENTS["report"], "details": DETAILS, "update_method": "append"}


@pytest.fixture
async def looked_at(http: aiohttp.ClientSession) -> dict[str, Any]:
    """A DataSet with two updates, each of all events."""
    async with http.get("datasets/looked_at") as answer:
        if answer.status == 404:
            body = {**APPENDED, "name": "Looked at"}
            await asked(http, "POST", "datasets", 201, json=body)
            for _ in range(2):
                assert (await ran(http, "looked_at"))["verdict"] == "COMPLETE"
    found: dict[str, Any] = await asked(http, "GET", "datasets/looked_at")
    return found


async def page(http: aiohttp.ClientSession, **params: Any) -> Any:
    return await asked(http, "GET", "datasets/looked_at/rows/page", params=params)


async def test_rows_come_page_by_page(http: aiohttp.ClientSession, looked_at: dict[str, Any]) -> None:
    first = await page(http, limit=3)
    assert (first["total"], first["offset"], len(first["rows"])) == (looked_at["rows"], 0, 3)
    assert [one["name"] for one in first["columns"]] == list(first["rows"][0])
    newest = await page(http, sort="-date_created", column=["date_created", "tags"], limit=1000)
    times = [one["date_created"] for one in newest["rows"]]
    assert times == sorted(times, reverse=True)
    assert isinstance(newest["rows"][0]["tags"], list)  # JSON is JSON
    title = newest["rows"][0]["date_created"]
    same = await page(http, where=f"date_created:equals:{title}")
    assert same["total"] == times.count(title)
    some = await page(http, where=f"date_created:in:{json.dumps(times[:2])}", find="e", sort="title")
    assert 0 < some["total"] <= times.count(times[0]) + times.count(times[1])
    assert (await page(http, where="date_created:empty"))["total"] == 0


@pytest.mark.parametrize(
    "query",
    ["sort=nowhere", "column=nowhere", "where=title", "where=title:like:x", "where=title:in:a,b", "where=size:equals:x",
     "limit=0", "limit=1001", "offset=-1", "unknown=1"],
)  # fmt: skip
async def test_what_is_not_understood_is_refused(
    http: aiohttp.ClientSession, looked_at: dict[str, Any], query: str
) -> None:
    assert looked_at["rows"]
    async with http.get(f"datasets/looked_at/rows/page?{query}") as answer:
        assert answer.status in (404, 422)  # 404: no such column
        assert (await answer.json())["code"] == 2


async def test_columns_have_figures_and_sources(http: aiohttp.ClientSession, looked_at: dict[str, Any]) -> None:
    figures = {one["name"]: one for one in await asked(http, "GET", "datasets/looked_at/stats/columns")}
    assert figures["event_id"]["rows"] == looked_at["rows"]
    assert (figures["event_id"]["nulls"], figures["event_id"]["min_length"]) == (0, 32)
    assert figures["date_created"]["min"] < figures["date_created"]["max"]
    assert figures["entries"]["nulls"] == looked_at["rows"]
    one = await asked(http, "GET", "datasets/looked_at/stats/columns?column=title")
    assert [each["name"] for each in one] == ["title"]
    common = await asked(http, "GET", "datasets/looked_at/stats/columns/platform")
    assert sum(each["rows"] for each in common) == looked_at["rows"]
    await asked(http, "GET", "datasets/looked_at/stats/columns/nowhere", 404)
    schema = {each["name"]: each for each in await asked(http, "GET", "datasets/looked_at/schema")}
    assert (schema["event_id"]["source"], schema["event_id"]["key"]) == ("eventID", True)
    assert (schema["_run_id"]["source"], schema["_run_id"]["key"]) == ("found out by the connector", False)
    assert await asked(http, "GET", "datasets/looked_at/drift") == []


async def test_charts_are_those_of_the_report(http: aiohttp.ClientSession, looked_at: dict[str, Any]) -> None:
    report = await asked(http, "GET", "reports/project-events")
    for number, one in enumerate(report["charts"]):
        chart = await asked(http, "GET", f"datasets/looked_at/charts/{number}")
        assert (chart["title"], chart["kind"]) == (one["title"], one["kind"])
        assert sum(bar["rows"] for bar in chart["bars"]) + chart["rest"] == looked_at["rows"]
        assert chart["bars"]
    by_level = next(n for n, one in enumerate(report["charts"]) if one["title"] == "Events by level")
    assert {bar["value"] for bar in (await asked(http, "GET", f"datasets/looked_at/charts/{by_level}"))["bars"]} & {
        "error", "warning"
    }  # fmt: skip
    await asked(http, "GET", f"datasets/looked_at/charts/{len(report['charts'])}", 404)


def test_a_chart_is_about_columns_that_its_report_has() -> None:
    for report in CATALOGUE:
        assert report.charts, report.slug
        for chart in report.charts:
            for name in (getattr(chart, field, None) for field in ("time", "by", "label", "sum")):
                assert name is None or report.column(name), (report.slug, chart.title)


async def test_what_was_never_run_has_nothing_to_show(http: aiohttp.ClientSession) -> None:
    body = {"name": "Never run", "report": "projects-issues", "details": {**DETAILS, "organizations": ["acme"]}}
    await asked(http, "POST", "datasets", 201, json=body)
    for number in (0, 2, 3):
        chart = await asked(http, "GET", f"datasets/never_run/charts/{number}")
        assert (chart["bars"], chart["rest"]) == ([], 0)
    assert (await asked(http, "GET", "datasets/never_run/rows/page?sort=_run_id"))["total"] == 0
    assert (await asked(http, "GET", "datasets/never_run/rows/page"))["rows"] == []
    assert {one["rows"] for one in await asked(http, "GET", "datasets/never_run/stats/columns")} == {0}
    assert await asked(http, "GET", "datasets/never_run/drift") == []


async def test_lineage_tells_where_rows_come_from_and_how_they_are_read(
    http: aiohttp.ClientSession, shell: Shell, looked_at: dict[str, Any]
) -> None:
    found = await asked(http, "GET", "datasets/looked_at/lineage")
    assert (found["report"], found["projects"], found["kind"]) == ("project-events", ["acme/shop"], "Delta")
    assert found["address"].endswith(looked_at["id"])
    readers = {one["reader"]: one["code"] for one in found["readers"]}
    assert {"Python", "DuckDB", "Spark"} <= readers.keys()
    assert found["address"] in readers["Spark"]
    (sql,) = (one["code"] for one in found["readers"] if one["language"] == "shell")
    done = shell("query", sql.split("'")[1], "--format", "jsonl")
    assert done.stdout.count("\n") == min(100, looked_at["rows"])


async def test_a_place_is_told_to_admins_alone(town: Town) -> None:
    ada, bob = town.person("Ada", Role.ADMIN), town.person("Bob", Role.EDITOR)
    town.dataset("Shop", ada)
    town.share(Thing.DATASET, "Shop", bob, Level.USE)
    for user, told in ((ada, True), (bob, False)):
        visitor = town.with_key(user)
        answer = await visitor("GET", "/api/v1/datasets/Shop/lineage")
        assert (answer.json["address"] is not None) is told
        assert (str(town.house.settings.home) in answer.body.decode()) is told


async def test_an_update_is_deleted_by_its_run(http: aiohttp.ClientSession) -> None:
    """Scenario 74: only that batch; its version can be reverted to."""
    body = {**APPENDED, "name": "Batches"}
    await asked(http, "POST", "datasets", 201, json=body)
    first, second = [await ran(http, "batches") for _ in range(2)]
    done = await asked(http, "POST", "datasets/batches/delete-update", json={"run": first["id"]})
    assert done["rows_deleted"] == first["rows_written"]
    left = await asked(http, "GET", "datasets/batches/stats/columns/_run_id")
    assert [(one["value"], one["rows"]) for one in left] == [(second["id"], second["rows_written"])]
    versions = await asked(http, "GET", "datasets/batches/versions")
    assert [one["operation"] for one in versions] == ["delete-update", "append", "append"]
    await asked(http, "POST", "datasets/batches/delete-update", 404, json={"run": first["id"]})
    await asked(http, "POST", "datasets/batches/revert", json={"to_version": versions[1]["version"]})
    third = await ran(http, "batches")
    assert (third["verdict"], third["rows_written"]) == ("COMPLETE", first["rows_written"])


async def test_where_runs_replace_rows_no_update_can_be_deleted(http: aiohttp.ClientSession) -> None:
    await asked(http, "POST", "datasets", 201, json={"name": "Replaced", "report": "organizations"})
    run = await ran(http, "replaced")
    refused = await asked(http, "POST", "datasets/replaced/delete-update", 422, json={"run": run["id"]})
    assert "Revert" in refused["remedy"]


class Held(Kept[pa.ChunkedArray]):
    """Holds whoever looks for an order, until all may go on."""

    def __init__(self) -> None:
        super().__init__(0)
        self.all_may_go = threading.Event()

    def get(self, of: Hashable) -> pa.ChunkedArray | None:
        self.all_may_go.wait(60)
        return super().get(of)


async def test_a_few_look_at_a_time_and_the_others_wait(town: Town) -> None:
    """Each may take the memory of a statement, however many ask."""
    made, held, streams, app = town.dataset("Shop"), Held(), RowStreams(), FastAPI()
    app.include_router(look_routes(town.house, Finds(orders=held), streams))
    path = f"/api/v1/datasets/{made.slug}/rows/page?sort=slug"
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        answers = [group.create_task(Visitor(app)("GET", path)) for _ in range(AT_ONCE + 3)]
        while streams._room.statistics().tasks_waiting < 3:  # noqa: ASYNC110  # it tells nobody when that is
            await asyncio.sleep(0)
        held.all_may_go.set()
    assert [one.result().status for one in answers] == [200] * (AT_ONCE + 3)
