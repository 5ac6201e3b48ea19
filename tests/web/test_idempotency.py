"""A POST that is sent again is not done again."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Any

import aiohttp
import pytest

from sentry_connector.simulator import Simulation
from tests.cli.shell import Shell
from tests.cli.test_serve import Served, locked, serving
from tests.web.asking import asked, ended


async def test_every_post_may_have_a_key(http: aiohttp.ClientSession) -> None:
    document = await asked(http, "GET", "openapi.json")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            named = [one["name"] for one in operation.get("parameters", ())]
            keyed = method == "post" and operation["tags"] != ["sign in"]  # of whose answers nothing may be kept
            assert ("Idempotency-Key" in named) is keyed, path


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
    await ended(http, run["id"])
    for wrong in ("", "x" * 256):
        await asked(http, "POST", "datasets/later/pause", 422, headers={"Idempotency-Key": wrong})


DYING = """
import os
from sentry_connector.store.request_keys import RequestKeys
whole = RequestKeys.{step}
def dying(self, *args):
    if {after}:
        whole(self, *args)
    os._exit(9)
RequestKeys.{step} = dying
from sentry_connector.cli import main
main()
"""


@pytest.mark.parametrize(
    ("step", "after", "paths"),
    [
        ("keep", False, ("datasets", "runs")),
        pytest.param("keep", False, ("accounts", "notices/channels"), marks=pytest.mark.long),
        pytest.param("keep", True, ("datasets", "accounts", "notices/channels", "runs"), marks=pytest.mark.long),
        pytest.param("claim", True, ("datasets", "accounts", "notices/channels", "runs"), marks=pytest.mark.long),
    ],
)
async def test_where_the_server_dies_in_between_it_is_done_once(
    sentry: Simulation, tmp_path: Path, step: str, paths: tuple[str, ...], *, after: bool
) -> None:
    """Before the deed, between the deed and its answer, and after both; then another server is asked the same."""
    env = {"SENTRY_URL": sentry.url, "SENTRY_AUTH_TOKEN": sentry.token}
    there = Shell(
        env | {"SENTRY_CONNECTOR_HOME": str(tmp_path), "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    )
    there.ok("datasets", "create", "--name", "There", "--report", "organizations", "--schedule", "daily 03:00")
    bodies: dict[str, dict[str, Any]] = {
        "datasets": {"name": "New", "report": "organizations"},
        "accounts": {"name": "New", "token": sentry.token},
        "notices/channels": {"name": "New", "address": "https://hooks.example/x"},
        "runs": {"dataset": "There"},
    }
    requests = [(path, bodies[path]) for path in paths]
    for number, (path, body) in enumerate(requests):
        with dying(there, DYING.format(step=step, after=after)) as url:
            async with aiohttp.ClientSession(url) as http:
                with pytest.raises(aiohttp.ClientError):
                    await http.post(f"/api/v1/{path}", json=body, headers={"Idempotency-Key": str(number)})
    with serving(there) as server:
        async with aiohttp.ClientSession(f"{server.url}/api/v1/") as http:
            for number, (path, body) in enumerate(requests):
                status = 202 if path == "runs" else 201
                made = await asked(http, "POST", path, status, json=body, headers={"Idempotency-Key": str(number)})
                same = [one for one in await asked(http, "GET", path) if one.get("name", "New") == "New"]
                assert [one["id"] for one in same] == [made["id"]], path


@contextmanager
def dying(shell: Shell, program: str) -> Iterator[str]:
    """A server that runs this program, and dies of it."""
    command = [sys.executable, "-c", program, "serve", "--port", "0", "--json"]
    with subprocess.Popen(command, env={**os.environ, **shell.env}, stdout=PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
        assert process.wait() == 9


async def test_nothing_of_a_secret_is_kept_with_a_key(http: aiohttp.ClientSession, shell: Shell) -> None:
    new = {"name": "Sealed hook", "address": "https://user:pass-word-9@hooks.example/x"}
    made = await asked(http, "POST", "notices/channels", 201, json=new, headers={"Idempotency-Key": "sealed"})
    everything = b"".join(path.read_bytes() for path in shell.home.glob("connector.db*"))
    assert b"sealed" in everything
    assert b"pass-word-9" not in everything
    assert made["secret"].encode() not in everything
    assert made["secret"].removeprefix("whsec_").encode() not in everything


async def test_while_another_process_holds_the_store_requests_wait_and_others_are_answered(
    http: aiohttp.ClientSession, server: Served, shell: Shell
) -> None:
    """No request keeps the loop waiting: each of these would."""
    await asked(http, "POST", "datasets", 201, json={"name": "Waited for", "report": "organizations"})
    with locked(shell.home):
        waiting = [
            asyncio.create_task(asked(http, method, path, status, json=body, headers={"Idempotency-Key": path}))
            for method, path, status, body in (
                ("POST", "datasets", 201, {"name": "Waits", "report": "organizations"}),
                ("POST", "datasets/waited_for/pause", 200, None),
                ("POST", "notices/channels", 201, {"name": "Waits", "address": "https://hooks.example/x"}),
                ("POST", "runs", 202, {"dataset": "waited_for"}),
                ("PATCH", "datasets/waited_for", 200, {"description": "x"}),
            )
        ]
        for path in ("/livez", "datasets", "reports", "choices/organizations", "datasets/waited_for/next"):
            async with http.get(path) as answer:
                assert answer.status == 200
        assert not any(task.done() for task in waiting)
    answers = await asyncio.gather(*waiting)
    await ended(http, answers[3]["id"])
