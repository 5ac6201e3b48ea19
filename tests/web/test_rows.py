"""Rows over HTTP: every format, as a file of the DataSet's name, streamed; an answer that breaks off has no end."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import aiohttp
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from python_calamine import CalamineWorkbook

from tests.web.asking import EVENTS, asked, ran

READERS: dict[str, Callable[[bytes], int]] = {
    "jsonl": lambda data: len([json.loads(line) for line in data.splitlines()]),
    "csv": lambda data: int(pyarrow.csv.read_csv(io.BytesIO(data)).num_rows),
    "parquet": lambda data: int(pq.read_table(io.BytesIO(data)).num_rows),
    "arrow": lambda data: int(pa.ipc.open_stream(data).read_all().num_rows),
    "xlsx": lambda data: CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).height - 1,
}
MANY = "SELECT range AS number, repeat('x', 100) AS text FROM range({rows})"


@pytest.fixture
async def filled(http: aiohttp.ClientSession) -> dict[str, Any]:
    """A DataSet with rows, whose name no header can hold as it is."""
    async with http.get("datasets/ventes_2") as answer:
        if answer.status == 200:
            found: dict[str, Any] = await answer.json()
            return found
    await asked(http, "POST", "datasets", 201, json={**EVENTS, "name": 'Ventes "€"/\\2'})
    await asked(http, "PATCH", "datasets/ventes_2", json={"details": {"duration": {"duration": "all_available"}}})
    run = await ran(http, "ventes_2")
    assert run["verdict"] == "COMPLETE"
    made: dict[str, Any] = await asked(http, "GET", "datasets/ventes_2")
    return made


@pytest.mark.parametrize("format_name", list(READERS))
async def test_rows_come_in_every_format(http: aiohttp.ClientSession, filled: dict[str, Any], format_name: str) -> None:
    async with http.get(f"datasets/{filled['id']}/rows", params={"format": format_name}) as answer:
        assert answer.status == 200
        data = await answer.read()
    assert READERS[format_name](data) == filled["rows"] > 0
    extension = "arrows" if format_name == "arrow" else format_name
    assert answer.headers["Content-Disposition"] == (
        f'attachment; filename="{filled["slug"]}.{extension}"; '
        f"filename*=UTF-8''{quote(filled['name'], safe='')}.{extension}"
    )
    for body in (
        {"dataset": filled["slug"], "format": format_name},
        {"sql": f"SELECT * FROM {filled['slug']}", "format": format_name},
    ):
        async with http.post("exports", json=body) as exported:
            assert exported.content_type == answer.content_type
            assert READERS[format_name](await exported.read()) == filled["rows"]


async def test_an_older_version_and_formulas_made_inert(http: aiohttp.ClientSession, filled: dict[str, Any]) -> None:
    async with http.get(f"datasets/{filled['id']}/rows?version={filled['version']}") as answer:
        assert len((await answer.read()).splitlines()) == filled["rows"]
    await asked(http, "GET", f"datasets/{filled['id']}/rows?version=999", 404)
    query = {"sql": "SELECT '=1+1' AS sum", "format": "csv", "profile": "spreadsheet"}
    async with http.post("query", json=query) as answer:
        assert "'=1+1" in await answer.text()


async def test_a_query_is_one_select(http: aiohttp.ClientSession, filled: dict[str, Any]) -> None:
    async with http.post("query", json={"sql": f"SELECT count(*) AS n FROM {filled['slug']}"}) as answer:
        assert (await answer.text()).strip() == f'{{"n":{filled["rows"]}}}'
        assert "Content-Disposition" not in answer.headers
    for sql in ("DROP TABLE x", "SELECT * FROM nowhere", "SELECT 1; SELECT 2", "COPY (SELECT 1) TO 'x'", " "):
        assert (await asked(http, "POST", "query", 422, json={"sql": sql}))["name"] == "usage.sql"
    for wrong in (
        {},
        {"dataset": "x", "sql": "SELECT 1"},
        {"sql": "SELECT 1", "version": 1},
        {"dataset": "x", "ticket": "t"},
    ):
        await asked(http, "POST", "exports", 422, json=wrong)


async def test_what_breaks_off_has_no_end(http: aiohttp.ClientSession) -> None:
    """Whoever reads the answer must not take its beginning for all of it."""
    late = f"{MANY.format(rows=200_000)} WHERE range < 150000 OR error('too late')"
    with pytest.raises(aiohttp.ClientPayloadError):  # noqa: PT012  # the answer begins well
        async with http.post("query", json={"sql": late}) as answer:
            assert answer.status == 200
            await answer.read()
    assert (await asked(http, "POST", "query", 422, json={"sql": "SELECT error('at once')"}))["name"] == "usage.sql"


async def test_rows_are_sent_as_they_are_read_and_whoever_goes_leaves_room_for_others(
    http: aiohttp.ClientSession,
) -> None:
    for _ in range(6):  # more than are read for at a time
        answer = await http.post("query", json={"sql": MANY.format(rows=50_000_000)})
        assert (await answer.content.readline()).startswith(b'{"number":0')
        answer.close()
    async with http.post("query", json={"sql": MANY.format(rows=100_000)}) as answer:
        assert len((await answer.read()).splitlines()) == 100_000


async def test_a_report_is_pulled_without_a_dataset(http: aiohttp.ClientSession) -> None:
    wanted = {**EVENTS, "limit": 7, "format": "csv"}
    async with http.post("pull", json=wanted) as answer:
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="project-events.csv"')
        assert READERS["csv"](await answer.read()) == 7
    missing = {"report": "project-events", "details": {"projects": ["acme/none"]}}
    assert (await asked(http, "POST", "pull", 422, json=missing))["name"] == "sentry.not_found"
    since = {"report": "organizations", "details": {"duration": {"duration": "since_last_run"}}}
    await asked(http, "POST", "pull", 422, json=since)
    await asked(http, "POST", "pull", 404, json={"report": "none"})
