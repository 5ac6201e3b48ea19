"""Configuration and destinations over HTTP: as on the command line, but that nothing of the server's machine is read."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from sentry_connector.simulator import Simulation
from tests.postgres import Server
from tests.web.asking import asked

ACCOUNT = """
accounts:
- name: By request
  url: {url}
  token: {{env: TOKEN}}
datasets:
- name: By request
  account: By request
  report: projects
"""


def files(text: str, **more: Any) -> dict[str, Any]:
    return {"files": {"connector.yaml": text}, **more}


async def test_a_configuration_is_planned_applied_and_then_there_is_nothing_to_do(
    http: aiohttp.ClientSession, sentry: Simulation
) -> None:
    wanted = files(ACCOUNT.format(url=sentry.url), secrets={"TOKEN": sentry.token})
    plan = await asked(http, "POST", "config/plan", json=wanted)
    assert [(one["action"], one["section"]) for one in plan["steps"]] == [
        ("create", "accounts"),
        ("create", "datasets"),
    ]
    assert sentry.token not in str(plan)
    done = await asked(http, "POST", "config/apply", json=wanted)
    assert [one["state"] for one in done["steps"]] == ["done", "done"]
    assert (await asked(http, "POST", "config/plan", json=wanted))["steps"] == []
    stored = await asked(http, "GET", "config")
    assert "By request" in stored["text"]
    assert sentry.token not in str(stored)
    again = await asked(http, "POST", "config/plan", json=files(stored["text"]))
    assert "By request" not in [one["name"] for one in again["steps"]], "what is exported is what is there"


async def test_a_secret_is_in_the_request_and_never_the_servers(
    http: aiohttp.ClientSession, sentry: Simulation
) -> None:
    of_the_server = ACCOUNT.replace("By request", "Stolen").replace("TOKEN", "SENTRY_AUTH_TOKEN")
    told = await asked(http, "POST", "config/apply", 422, json=files(of_the_server.format(url=sentry.url)))
    assert "SENTRY_AUTH_TOKEN is not set" in told["message"]
    from_a_file = of_the_server.replace("{{env: SENTRY_AUTH_TOKEN}}", "{{file: /etc/hostname}}")
    told = await asked(http, "POST", "config/plan", 422, json=files(from_a_file.format(url=sentry.url)))
    assert "is no file of the server" in told["message"]


async def test_a_step_that_fails_is_a_refusal_that_says_what_was_done(
    http: aiohttp.ClientSession, sentry: Simulation
) -> None:
    bad = ACCOUNT.replace("By request", "Bad").format(url=sentry.url)
    told = await asked(http, "POST", "config/apply", 422, json=files(bad, secrets={"TOKEN": "sntryu_" + "0" * 64}))
    assert told["name"] == "token.rejected"
    assert [one["state"] for one in told["steps"]] == ["failed", "not done"]
    assert await asked(http, "GET", "accounts/Bad", 404)


@pytest.mark.parametrize("url", ["sqlite:////tmp/rows.db", "duckdb:////tmp/rows.duckdb"])
async def test_no_file_of_the_server_is_written_by_a_wish_from_elsewhere(http: aiohttp.ClientSession, url: str) -> None:
    told = await asked(http, "POST", "destinations", 422, json={"name": "A file of the server", "url": url})
    assert "own machine" in told["message"]
    text = f"destinations:\n- name: A file of the server\n  url: {url}\n"
    assert "own machine" in (await asked(http, "POST", "config/apply", 422, json=files(text)))["message"]


async def test_a_database_is_added_tried_given_another_password_and_forgotten(
    http: aiohttp.ClientSession, postgres: Server
) -> None:
    url = postgres.fresh_database()
    made = await asked(http, "POST", "destinations", 201, json={"name": "Warehouse", "url": url})
    assert (made["kind"], made["used_by"]) == ("PostgreSQL", [])
    assert "Warehouse" in [one["name"] for one in await asked(http, "GET", "destinations")]
    assert await asked(http, "GET", "destinations/warehouse") == made
    assert await asked(http, "POST", "destinations/Warehouse/check") == made
    changed = await asked(http, "POST", "destinations/Warehouse/replace-password", json={"password": "kept to oneself"})
    assert changed["password_since"] is not None
    assert "kept to oneself" not in str(changed)
    await asked(http, "DELETE", "destinations/Warehouse")
    await asked(http, "GET", "destinations/Warehouse", 404)


async def test_tokens_are_sealed_with_a_new_key_and_open(http: aiohttp.ClientSession, sentry: Simulation) -> None:
    await asked(http, "POST", "accounts", 201, json={"name": "Sealed anew", "token": sentry.token})
    done = await asked(http, "POST", "vault/rotate")
    assert done["secrets"] >= 1
    assert (await asked(http, "POST", "accounts/Sealed anew/check"))["status"] == "valid"
