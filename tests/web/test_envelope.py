"""What holds for every route: headers, limits, methods, and failures that tell nothing of the inside."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from subprocess import PIPE
from typing import Any

import aiohttp
import pytest

from sentry_connector.web.envelope import HEADERS
from tests.cli.shell import Shell
from tests.cli.test_serve import Served
from tests.web.asking import asked, ended, ran

JSON = {"Content-Type": "application/json"}


async def routes(http: aiohttp.ClientSession) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Each operation of the document: its method, a path with names in it, and what is said of it."""
    document = await asked(http, "GET", "/api/v1/openapi.json")
    return [
        (method.upper(), path.replace("{menu}", "stats").replace("{", "").replace("}", ""), operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]


async def test_every_answer_has_the_headers_that_keep_browsers_safe(http: aiohttp.ClientSession) -> None:
    found = await routes(http)
    assert len(found) > 50
    asked_for = [(method, path) for method, path, _ in found] + [("GET", "/nowhere"), ("TRACE", "/livez")]
    for method, path in asked_for:
        if path.endswith("/doctor"):
            continue  # it asks Sentry, and has its own test
        async with http.request(method, path) as answer:
            assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, path
            assert not [name for name in answer.headers if name.lower().startswith("access-control")]
            assert "Server" not in answer.headers or "sentry" not in answer.headers["Server"].lower()
    async with http.get("/livez", headers={"Host": "attacker.example"}) as answer:
        assert answer.status == 421
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_page_from_elsewhere_asks_for_nothing_and_a_link_of_it_leads_here(http: aiohttp.ClientSession) -> None:
    for site in ("cross-site", "same-site"):
        for kind in ("image", "script", "iframe", "empty"):
            headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": kind}
            await asked(http, "GET", "choices/organizations", 403, headers=headers)
        link = {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate"}
        await asked(http, "GET", "reports", headers=link)
    for site in ("same-origin", "none"):
        await asked(http, "GET", "reports", headers={"Sec-Fetch-Site": site, "Sec-Fetch-Dest": "empty"})


async def test_head_is_get_without_a_body(http: aiohttp.ClientSession) -> None:
    for path in ("datasets", "reports", "settings", "/livez", "openapi.json", "datasets/none"):
        async with http.get(path) as got, http.head(path) as head:
            assert (head.status, head.content_type) == (got.status, got.content_type), path
            assert await head.read() == b""
    await asked(http, "POST", "datasets", 201, json={"name": "Headed", "report": "organizations"})
    async with http.head("datasets/headed/rows?format=csv") as head:
        assert (head.status, head.content_type) == (200, "text/csv")
    run = await asked(http, "POST", "runs", 202, json={"dataset": "Headed"})
    async with http.head(f"runs/{run['id']}/events") as head:  # it does not wait for the run
        assert (head.status, head.content_type) == (200, "text/event-stream")
    await ended(http, run["id"])


async def test_a_method_that_there_is_not_is_told_with_those_that_there_are(http: aiohttp.ClientSession) -> None:
    for path, allowed in {
        "datasets": "GET, HEAD, POST",
        "datasets/x": "DELETE, GET, HEAD, PATCH",
        "accounts/x/check": "POST",
        "/livez": "GET, HEAD",
    }.items():
        for method in ("PUT", "OPTIONS", "BREW"):
            async with http.request(method, path) as answer:
                assert (answer.status, answer.headers["Allow"]) == (405, allowed), (method, path)
                assert answer.content_type == "application/problem+json"


async def test_bodies_are_json_of_a_bounded_size(http: aiohttp.ClientSession) -> None:
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        for method, path, operation in await routes(http):
            if "requestBody" in operation:
                await asked(http, method, path, 415, data=b"{}", headers={"Content-Type": media_type})
    spelt = {"Content-Type": "Application/JSON; charset=utf-8"}
    await asked(http, "POST", "datasets", 201, data=b'{"name":"Spelt","report":"organizations"}', headers=spelt)
    large = json.dumps({"name": "Large", "report": "organizations", "description": "x" * 2**20})
    await asked(http, "POST", "datasets", 413, data=io.BytesIO(large.encode()), headers=JSON)

    async def in_pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 2**15

    await asked(http, "POST", "datasets", 413, data=in_pieces(), headers=JSON)
    for data in (
        b"",
        b"{",
        b"\xff",
        b"null",
        b"[]",
        b'{"name":"\\ud800"}',
        b'{"details":' + b"[" * 100_000,
        b"1e999999",
    ):
        await asked(http, "POST", "datasets", 422, data=data, headers=JSON)
    for path in ("datasets?search=%00", "runs?before=%00", "datasets/%00"):
        await asked(http, "GET", path, 400)


@pytest.mark.parametrize(
    ("headers", "body", "statuses"),
    [
        ("Content-Length: 2\r\nContent-Length: 30", "{}", [400]),
        ("Transfer-Encoding: identity, chunked", "0\r\n\r\n", [400]),
        (
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "2\r\n{}\r\n0\r\n\r\nGET /livez HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
            [422, 200],
        ),
    ],
    ids=["two lengths", "an unknown coding", "a length beside chunks, which counts for nothing"],
)
async def test_a_request_whose_length_is_told_twice_is_refused(
    server: Served, headers: str, body: str, statuses: list[int]
) -> None:
    """Otherwise a proxy and the server could take what follows for something else."""
    host = server.url.removeprefix("http://")
    reader, writer = await asyncio.open_connection(*host.split(":"))
    head = f"POST /api/v1/query HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n{headers}\r\n\r\n"
    writer.write((head + body.replace("{host}", host)).encode())
    told = (await asyncio.wait_for(reader.read(), 30)).decode()
    writer.close()
    assert [int(one) for one in re.findall(r"HTTP/1\.1 (\d{3})", told)] == statuses


BROKEN = """
import pathlib
from sentry_connector.store.database import Database
whole = Database._transaction
def broken(self, begin):
    if pathlib.Path({trigger!r}).exists():
        raise RuntimeError("SELECT canary FROM accounts at /canary/path")
    return whole(self, begin)
Database._transaction = broken
from sentry_connector.cli import main
main()
"""


@pytest.fixture
def broken(shell: Shell, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server whose store fails in a way that nobody has foreseen, once the file is there; and that file."""
    trigger = tmp_path / "broken"
    there = shell.with_env(SENTRY_CONNECTOR_HOME=str(tmp_path / "home"))
    program = BROKEN.format(trigger=str(trigger))
    command = [sys.executable, "-c", program, "serve", "--port", "0", "--json"]
    with subprocess.Popen(command, env={**os.environ, **there.env}, stdout=PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["url"], trigger
        finally:
            process.kill()


async def test_a_failure_tells_an_id_and_nothing_of_the_inside(broken: tuple[str, Path]) -> None:
    url, trigger = broken
    async with aiohttp.ClientSession(url) as http:
        found = await routes(http)
        trigger.touch()
        ids = []
        for method, path, operation in found:
            options: dict[str, Any] = {"json": EXAMPLES.get(path, {})} if "requestBody" in operation else {}
            if method == "POST":
                options["headers"] = {"Idempotency-Key": path}
            async with http.request(method, path, **options) as answer:
                said = await answer.text()
            assert "canary" not in said, path
            assert "Traceback" not in said
            if answer.status == 500:
                problem = json.loads(said)
                assert problem["id"] in problem["message"]
                ids.append(problem["id"])
    assert len(ids) > 35
    log = (trigger.parent / "home" / "logs" / "server.jsonl").read_text()
    assert all(one in log for one in ids)
    assert "/canary/path" in log


async def test_a_store_that_cannot_be_read_tells_no_place(http: aiohttp.ClientSession, shell: Shell) -> None:
    await asked(http, "POST", "datasets", 201, json={"name": "Damaged", "report": "organizations"})
    run = await ran(http, "Damaged")
    with closing(sqlite3.connect(shell.home / "connector.db")) as connection:
        connection.execute("UPDATE runs SET windows = '{' WHERE id = ?", (run["id"],))
        connection.commit()
        problem = await asked(http, "GET", f"runs/{run['id']}", 503)
        connection.execute("UPDATE runs SET windows = '[]' WHERE id = ?", (run["id"],))
        connection.commit()
    assert (problem["name"], problem["code"]) == ("store.unusable", 51)
    assert str(shell.home) not in json.dumps(problem)
    log = (shell.home / "logs" / "server.jsonl").read_text()
    (line,) = [line for line in log.splitlines() if problem["id"] in line]
    assert "damaged" in line


EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "/api/v1/runs": {"dataset": "x"},
    "/api/v1/accounts": {"token": "x", "name": "x"},
    "/api/v1/accounts/name": {"name": "x"},
    "/api/v1/accounts/name/replace-token": {"token": "x"},
    "/api/v1/datasets": {"name": "x", "report": "organizations"},
    "/api/v1/datasets/name": {"description": "x"},
    "/api/v1/datasets/name/revert": {"to_version": 1},
    "/api/v1/datasets/name/backfill": {"start": "today-3", "end": "today"},
    "/api/v1/query": {"sql": "SELECT 1"},
    "/api/v1/exports": {"dataset": "x"},
    "/api/v1/pull": {"report": "organizations", "account": "x"},
    "/api/v1/notices/channels": {"name": "x", "address": "https://hooks.example/x"},
    "/api/v1/notices/channels/name": {"name": "y"},
}
"""A body for each path that takes one."""
