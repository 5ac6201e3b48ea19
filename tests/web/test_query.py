"""SQL over HTTP: the first rows of a result, stopping, what may be named; and saved queries, with everybody's own rights."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sentry_connector.operations.query import MOST_SHOWN
from sentry_connector.store.rights import Level, Right, Role, Thing
from tests.queries.asking import ENDLESS
from tests.web.test_matrix import signed_in
from tests.web.town import Answer, Town, Visitor

LOOK = "/api/v1/query/first-rows"


@pytest.fixture
async def people(town: Town) -> dict[str, Visitor]:
    """An admin, two editors and a viewer; the DataSet Shop is the first editor's, who shares it with the viewer."""
    for name, role in {"ada": Role.ADMIN, "ed": Role.EDITOR, "eve": Role.EDITOR, "vi": Role.VIEWER}.items():
        town.person(name, role)
    town.dataset("Shop", town.house.store.people.find("ed"), town.account("Main"))
    town.share(Thing.DATASET, "Shop", town.house.store.people.find("vi"), Level.USE)
    return {name: await signed_in(town, name) for name in ("ada", "ed", "eve", "vi")}


async def looked(who: Visitor, sql: str, status: int = 200, **more: Any) -> Any:
    answer = await who("POST", LOOK, {"sql": sql, **more})
    assert answer.status == status, answer.json
    return answer.json


async def test_the_first_rows_have_their_types_and_tell_of_more(people: dict[str, Visitor]) -> None:
    sql = """SELECT 9007199254740993 AS large, 7 AS small, NULL AS nothing, TIMESTAMPTZ '2026-03-01 00:00:00Z' AS moment,
        'x' AS word, 'NaN'::DOUBLE AS real, [1, 2] AS many FROM range(3)"""
    found = await looked(people["vi"], sql, limit=2)
    assert [one["type"] for one in found["columns"]] == [
        "BIGINT", "INTEGER", "NULL", "TIMESTAMPTZ", "VARCHAR", "DOUBLE", "list<l: int32>",
    ]  # fmt: skip
    assert found["rows"] == [["9007199254740993", 7, None, "2026-03-01T00:00:00Z", "x", None, [1, 2]]] * 2
    assert found["more"] is True
    assert (await looked(people["vi"], sql, limit=3))["more"] is False
    assert (await looked(people["vi"], "SELECT 1 AS one WHERE false")) | {"seconds": 0} == {
        "columns": [{"name": "one", "type": "INTEGER"}], "rows": [], "more": False, "seconds": 0,
    }  # fmt: skip


async def test_large_rows_are_fewer(people: dict[str, Visitor]) -> None:
    found = await looked(people["vi"], "SELECT repeat('x', 1000000) AS text FROM range(200)")
    assert 0 < len(found["rows"]) < 200
    assert found["more"] is True
    assert (await people["vi"]("POST", LOOK, {"sql": "SELECT 1", "limit": MOST_SHOWN + 1})).status == 422


async def test_a_refusal_says_where(people: dict[str, Visitor]) -> None:
    problem = await looked(people["vi"], "SELECT 1\n  FORM x y", 422)
    assert (problem["name"], problem["line"], problem["column"]) == ("usage.sql", 2, 8)


async def test_each_person_queries_what_they_may_read(people: dict[str, Visitor]) -> None:
    """Also where somebody else has written the statement."""
    await people["ed"]("PUT", "/api/v1/queries/Shop", {"sql": "SELECT count(*) AS n FROM shop", "shared": True})
    for name, status in {"ada": 200, "ed": 200, "vi": 200, "eve": 422}.items():
        saved = (await people[name]("GET", "/api/v1/queries/shop")).json
        await looked(people[name], saved["sql"], status)
        names = {one["name"] for one in (await people[name]("GET", "/api/v1/query/names")).json["tables"]}
        assert ("shop" in names) is (status == 200)
    assert (await looked(people["eve"], "SELECT * FROM connector.datasets"))["rows"] == []


async def test_what_may_be_named(people: dict[str, Visitor]) -> None:
    found = (await people["vi"]("GET", "/api/v1/query/names")).json
    tables = {one["name"]: {column["name"]: column["type"] for column in one["columns"]} for one in found["tables"]}
    assert set(tables) == {"shop", "connector.datasets", "connector.runs", "connector.slots", "connector.notices"}
    assert tables["shop"]["_extracted_at"] == "TIMESTAMPTZ"
    assert {"count", "date_trunc", "json_extract_string"} <= set(found["functions"])


@pytest.mark.parametrize("path", [LOOK, "/api/v1/query", "/api/v1/exports"])
async def test_a_statement_is_stopped_by_whoever_runs_it(people: dict[str, Visitor], path: str) -> None:
    running = asyncio.create_task(people["vi"]("POST", path, {"sql": ENDLESS, "ticket": "t-1"}))

    async def stopped(name: str) -> Answer:
        return await people[name]("POST", "/api/v1/query/t-1/cancel")

    assert (await stopped("ada")).status == 404, "tickets are everybody's own"
    while (await stopped("vi")).status != 200:
        assert not running.done()
    answer = await running
    assert (answer.status, answer.json["name"]) == (409, "run.cancelled")
    assert (await stopped("vi")).status == 404, "it has ended"


async def test_saved_queries_are_ones_own_until_they_are_shared(people: dict[str, Visitor]) -> None:
    path = "/api/v1/queries/Errors%20%2F%20day"

    async def seen(name: str) -> list[str]:
        return [one["name"] for one in (await people[name]("GET", "/api/v1/queries")).json]

    saved = await people["ed"]("PUT", path, {"sql": "SELECT 1"})
    assert (saved.status, saved.json["owner"], saved.json["shared"]) == (200, "ed", False)
    assert [await seen(name) for name in people] == [["Errors / day"], ["Errors / day"], [], []]
    assert (await people["vi"]("GET", path)).status == 404
    again = await people["ed"]("PUT", path, {"sql": "SELECT 2", "shared": True})
    assert (again.json["id"], again.json["sql"]) == (saved.json["id"], "SELECT 2")
    found = (await people["vi"]("GET", path)).json
    assert (found["sql"], found["may_change"], found["owner"]) == ("SELECT 2", False, "ed")
    for name in ("eve", "vi"):
        assert (await people[name]("PUT", path, {"sql": "SELECT 3"})).status == 403
        assert (await people[name]("DELETE", path)).status == 403
    by_admin = await people["ada"]("PUT", path, {"sql": "SELECT 4", "shared": True})
    assert (by_admin.json["owner"], by_admin.json["sql"]) == ("ed", "SELECT 4")
    assert (await people["ed"]("DELETE", path)).status == 200
    assert [await seen(name) for name in people] == [[], [], [], []]


async def test_viewers_save_for_themselves_alone(people: dict[str, Visitor]) -> None:
    path = "/api/v1/queries/Mine"
    assert (await people["vi"]("PUT", path, {"sql": "SELECT 1", "shared": True})).status == 403
    assert (await people["vi"]("PUT", path, {"sql": "SELECT 1"})).status == 200


async def test_a_query_outlives_its_owner(town: Town, people: dict[str, Visitor]) -> None:
    """As their DataSets do: others use it."""
    await people["ed"]("PUT", "/api/v1/queries/Kept", {"sql": "SELECT 1", "shared": True})
    assert (await people["ada"]("DELETE", "/api/v1/users/ed")).status == 204
    kept = (await people["vi"]("GET", "/api/v1/queries/Kept")).json
    assert (kept["owner"], kept["may_change"]) == (None, False)


@pytest.mark.parametrize(
    ("name", "body"),
    [("x" * 256, {"sql": "SELECT 1"}), ("%07", {"sql": "SELECT 1"}), ("x", {"sql": " "}), ("x", {"sql": "a\0b"})],
)
async def test_what_is_no_query_is_not_saved(people: dict[str, Visitor], name: str, body: dict[str, str]) -> None:
    assert (await people["ed"]("PUT", f"/api/v1/queries/{name}", body)).status == 422
    assert (await people["ed"]("GET", "/api/v1/queries")).json == []


async def test_a_key_that_reads_saves_nothing(town: Town, people: dict[str, Visitor]) -> None:
    reads = town.with_key(town.house.store.people.find("ed"), Right.READ)
    assert (await reads("PUT", "/api/v1/queries/x", {"sql": "SELECT 1"})).status == 403
    assert (await looked(reads, "SELECT count(*) AS n FROM shop"))["rows"] == [[0]]


async def test_saving_is_written_down(town: Town, people: dict[str, Visitor]) -> None:
    await people["ed"]("PUT", "/api/v1/queries/Shop", {"sql": "SELECT 1", "shared": True})
    entry = town.house.store.audit.recent(limit=1)[0]
    assert (entry.actor, entry.action, entry.object, entry.facts) == ("ed", "queries save", "Shop", {"shared": "True"})
