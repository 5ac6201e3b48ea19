"""A POST that is sent again is not done again."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import aiohttp

from sentry_connector.store.records import RequestKey
from sentry_connector.store.store import Store
from sentry_connector.web.idempotency import _digest
from tests.cli.shell import Shell
from tests.web.asking import asked

DEAD = "process 4000000 on nowhere [{space} 1]"


async def test_every_post_may_have_a_key(http: aiohttp.ClientSession) -> None:
    document = await asked(http, "GET", "openapi.json")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            named = [one["name"] for one in operation.get("parameters", ())]
            assert ("Idempotency-Key" in named) is (method == "post"), path


async def test_of_equal_requests_at_once_one_is_done(http: aiohttp.ClientSession) -> None:
    new = {"name": "Once", "report": "organizations"}

    async def ask() -> tuple[Any, bool, str | None]:
        async with http.post("datasets", json=new, headers={"Idempotency-Key": "once"}) as answer:
            assert answer.status == 201, await answer.text()
            return await answer.json(), "Idempotent-Replayed" in answer.headers, answer.headers.get("Location")

    answers = await asyncio.gather(*(ask() for _ in range(8)))
    assert sum(not replayed for _, replayed, _ in answers) == 1
    assert all((made, place) == (answers[0][0], answers[0][2]) for made, _, place in answers)
    other = new | {"name": "Twice"}
    reused = await asked(http, "POST", "datasets", 422, json=other, headers={"Idempotency-Key": "once"})
    assert "another request" in reused["message"]
    elsewhere = await asked(http, "POST", "datasets/once/pause", 422, headers={"Idempotency-Key": "once"})
    assert "another request" in elsewhere["message"]
    spelt = '{ "report":"organizations",\n"name":"Once"}'
    same = {"Idempotency-Key": "once", "Content-Type": "application/json"}
    assert (await asked(http, "POST", "datasets", 201, data=spelt, headers=same))["name"] == "Once"
    await asked(http, "POST", "datasets", 422, json=new)


async def test_what_is_refused_can_be_tried_again_with_its_key(http: aiohttp.ClientSession) -> None:
    key = {"Idempotency-Key": "later"}
    await asked(http, "POST", "runs", 404, json={"dataset": "Later"}, headers=key)
    await asked(http, "POST", "datasets", 201, json={"name": "Later", "report": "organizations"})
    run = await asked(http, "POST", "runs", 202, json={"dataset": "Later"}, headers=key)
    assert (await asked(http, "POST", "runs", 202, json={"dataset": "Later"}, headers=key))["id"] == run["id"]
    for wrong in ("", "x" * 256):
        await asked(http, "POST", "datasets/later/pause", 422, headers={"Idempotency-Key": wrong})


async def test_a_request_whose_server_died_makes_what_it_had_begun_to_make(
    http: aiohttp.ClientSession, shell: Shell
) -> None:
    """The dataset is there, its answer is not: as if the process had been killed in between."""
    made = await asked(http, "POST", "datasets", 201, json={"name": "Half done", "report": "organizations"})
    with Store(f"sqlite:///{shell.home / 'connector.db'}") as store:
        key = {"Idempotency-Key": "half"}
        await asked(http, "POST", "datasets", 422, json={"name": "Half done", "report": "organizations"}, headers=key)
        digest = _digest_of_post("/api/v1/datasets", b'{"name":"Half done","report":"organizations"}')
        claimed = store.request_keys.claim(
            RequestKey(key="half", digest=digest), made["id"], "nobody", dt.datetime.now(dt.UTC)
        )
        assert claimed.answer is None
        store.request_keys.leave(RequestKey(key="half", digest=digest))
    again = await asked(
        http, "POST", "datasets", 201, json={"name": "Half done", "report": "organizations"}, headers=key
    )
    assert again["id"] == made["id"]


def _digest_of_post(path: str, body: bytes) -> str:
    from starlette.requests import Request  # noqa: PLC0415

    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": [(b"host", b"x")]}
    return _digest(Request(scope), body)


async def test_nothing_of_a_secret_is_kept_with_a_key(http: aiohttp.ClientSession, shell: Shell) -> None:
    new = {"name": "Sealed hook", "address": "https://user:pass-word-9@hooks.example/x"}
    made = await asked(http, "POST", "notices/channels", 201, json=new, headers={"Idempotency-Key": "sealed"})
    everything = b"".join(path.read_bytes() for path in shell.home.glob("connector.db*"))
    assert b"sealed" in everything
    assert b"pass-word-9" not in everything
    assert made["secret"].encode() not in everything
    assert made["secret"].removeprefix("whsec_").encode() not in everything
