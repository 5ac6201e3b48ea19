"""The command line and HTTP are two faces of one thing: what is made by one is what the other would have made."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

from sentry_connector.simulator import Simulation
from tests.cli.shell import Shell
from tests.web.asking import asked, ran

ITS_OWN = {"id", "name", "slug", "created_at", "updated_at"}
"""What two DataSets never share."""

TEAMS = {"teams": ["*"], "organizations": ["acme"]}

MADE: Mapping[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "plain": (("--report", "organizations"), {"report": "organizations"}),
    "by another name": (
        ("--report", "Project Events", "--project", " acme/shop ", "--last-days", "7", "--timezone", "Europe/Berlin"),
        {
            "report": "Project Events",
            "details": {
                "projects": [" acme/shop "],
                "duration": {"duration": "date_range", "start": 6, "end": 0},
                "timezone": "Europe/Berlin",
            },
        },
    ),
    "scheduled": (
        (
            *("--report", "projects-issues", "--project", "acme/shop", "--since-last-run", "--overlap", "30m"),
            *(
                "--update-method",
                "upsert",
                "--schedule",
                "weekdays  06:30",
                "--retry-every",
                "5m",
                "--retry-times",
                "2",
            ),
            *("--catch-up", "all", "--tag", "ops", "--tag", "OPS", "--tag", "b", "--description", " for us "),
        ),
        {
            "report": "projects-issues",
            "details": {"projects": ["acme/shop"], "duration": {"duration": "since_last_run", "overlap": 1800}},
            "update_method": "upsert",
            "schedule": "weekdays  06:30",
            "retry": {"every": 300, "times": 2},
            "catch_up": "all",
            "tags": ["ops", "OPS", "b"],
            "description": " for us ",
        },
    ),
    "partitioned": (
        (
            *(
                "--report",
                "events-counts-project",
                "--project",
                "acme/shop",
                "--stat",
                "generated",
                "--resolution",
                "1h",
            ),
            *("--start", "2026-01-01", "--end", "yesterday", "--update-method", "partition", "--keep-days", "90"),
            "--no-retry",
        ),
        {
            "report": "events-counts-project",
            "details": {
                "projects": ["acme/shop"],
                "stat": "generated",
                "resolution": "1h",
                "duration": {"duration": "date_range", "start": "2026-01-01", "end": 1},
            },
            "update_method": "partition",
            "keep_days": 90,
            "retry": None,
        },
    ),
    "consenting": (
        ("--report", "team-projects", "--team", "*", "--organization", "acme", "--keep-when-empty", "--accept-loss"),
        {
            "report": "team-projects",
            "details": TEAMS,
            "keep_when_empty": True,
            "accept_loss": True,
        },
    ),
    "keyed": (
        (
            *("--report", "issues-events", "--issue", "SHOP-1", "--organization", "acme", "--all-available"),
            *("--update-method", "append", "--key", "event_id", "--with-bodies"),
        ),
        {
            "report": "issues-events",
            "details": {
                "issue": "SHOP-1",
                "organizations": ["acme"],
                "duration": {"duration": "all_available"},
                "bodies": True,
            },
            "update_method": "append",
            "key": ["event_id"],
        },
    ),
}


@pytest.mark.parametrize("kind", list(MADE))
async def test_a_dataset_made_by_either_is_the_same(http: aiohttp.ClientSession, shell: Shell, kind: str) -> None:
    options, body = MADE[kind]
    by_command = shell.json("datasets", "create", "--name", f"{kind} by command", *options)
    by_request = await asked(http, "POST", "datasets", 201, json={"name": f"{kind} by request", **body})
    assert {k: v for k, v in by_command.items() if k not in ITS_OWN} == {
        k: v for k, v in by_request.items() if k not in ITS_OWN
    }
    for made in (by_command, by_request):
        assert (
            shell.json("datasets", "show", made["slug"]) == await asked(http, "GET", f"datasets/{made['slug']}") == made
        )


async def test_a_dataset_changed_by_either_is_the_same(http: aiohttp.ClientSession, shell: Shell) -> None:
    for name in ("one", "other"):
        shell.ok("datasets", "create", "--name", name, "--report", "project-events", "--project", "acme/shop")
    options = ("--update-method", "upsert", "--since-last-run", "--schedule", "hourly", "--retry-every", "10m")
    by_command = shell.json("datasets", "edit", "one", *options)
    body = {
        "update_method": "upsert",
        "details": {"duration": {"duration": "since_last_run"}},
        "schedule": "hourly",
        "retry": {"every": 600},
    }
    by_request = await asked(http, "PATCH", "datasets/other", json=body)
    assert {k: v for k, v in by_command.items() if k not in ITS_OWN} == {
        k: v for k, v in by_request.items() if k not in ITS_OWN
    }


def without_run(row: dict[str, Any]) -> dict[str, Any]:
    """A row of a preview, without which preview it is of."""
    return {name: value for name, value in row.items() if name not in {"_run_id", "_extracted_at"}}


async def test_both_answer_the_same_about_everything(
    http: aiohttp.ClientSession, shell: Shell, sentry: Simulation
) -> None:
    await asyncio.to_thread(shell.ok, "accounts", "add", "Main", "--url", sentry.url, stdin=sentry.token)
    await asyncio.to_thread(shell.ok, "notices", "add", "Both", "--kind", "failed", stdin="https://hooks.example/x")
    options = ("--project", "acme/shop", "--account", "Main", "--schedule", "daily 06:30")
    shell.ok("datasets", "create", "--name", "Shop", "--report", "project-events", *options)
    run = await ran(http, "Shop")
    shell.ok("queries", "save", "Shop / all", "SELECT count(*) AS n FROM shop", "--shared")
    for command, path in {
        ("reports", "list"): "reports",
        ("reports", "show", "projects"): "reports/projects",
        ("choices", "projects", "--organization", "acme"): "choices/projects?organization=acme",
        ("choices", "teams", "--account", "Main"): "choices/teams?account=Main",
        ("choices", "stats", "--report", "events-counts-team"): "choices/stats?report=events-counts-team",
        ("settings",): "settings",
        ("schedule", "show", "hourly 8-17", "--from", "2026-01-01"): "schedule?rule=hourly 8-17&from=2026-01-01",
        ("accounts", "list"): "accounts",
        ("accounts", "show", "main"): "accounts/main",
        ("datasets", "list"): "datasets",
        ("datasets", "list", "--search", "sho", "--account", "main"): "datasets?search=sho&account=main",
        ("datasets", "list", "--deleted"): "datasets?deleted=true",
        ("datasets", "show", "Shop"): "datasets/Shop",
        ("datasets", "next", "shop"): "datasets/shop/next",
        ("datasets", "schema", "shop"): "datasets/shop/schema",
        ("datasets", "stats", "shop"): "datasets/shop/stats",
        ("datasets", "versions", "shop"): "datasets/shop/versions",
        ("runs", "list"): "runs",
        ("runs", "list", "shop", "--verdict", "complete"): "runs?dataset=shop&verdict=COMPLETE",
        ("runs", "show", run["id"]): f"runs/{run['id']}",
        ("runs", "logs", run["id"]): f"runs/{run['id']}/log",
        ("queries", "list"): "queries",
        ("queries", "show", "shop / all"): "queries/shop / all",
        ("notices", "list"): "notices/channels",
        ("notices", "show", "Both"): "notices/channels/both",
        ("notices", "sent"): "notices",
    }.items():
        assert await asyncio.to_thread(shell.json, *command) == await asked(http, "GET", path), path
    previewed = await asyncio.to_thread(shell.json, "datasets", "preview", "shop")
    assert list(map(without_run, previewed)) == list(
        map(without_run, await asked(http, "GET", "datasets/shop/preview"))
    )
    (worker,) = await asyncio.to_thread(shell.json, "workers")
    (seen,) = await asked(http, "GET", "workers")
    assert {**worker, "heartbeat": None} == {**seen, "heartbeat": None}, "the server itself"
    said = await asyncio.to_thread(shell.json, "doctor", "--account", "Main")
    diagnosis = await asked(http, "GET", "doctor?account=Main")
    assert [one["name"] for one in diagnosis["checks"]] == [one["name"] for one in said["checks"]]
    (alone,) = (await asyncio.to_thread(shell.json, "doctor", "--storage"))["checks"]
    (looked,) = (await asked(http, "GET", "doctor?storage=true"))["checks"]
    assert {**alone, "seconds": 0, "message": ""} == {**looked, "seconds": 0, "message": ""}
    plan = await asked(http, "POST", "pull", json={"report": "team-projects", "details": TEAMS, "explain": True})
    told = await asyncio.to_thread(
        shell.json, "pull", "team-projects", "--team", "*", "--organization", "acme", "--explain"
    )
    assert plan.keys() == told.keys()
    assert [one["scope"] for one in plan["slices"]] == [one["scope"] for one in told["slices"]]
    assert plan["requests_by_budget"] == told["requests_by_budget"]
    async with http.post("query", json={"sql": "SELECT * FROM shop ORDER BY event_id"}) as answer:
        rows = await answer.text()
    assert rows == shell.ok("query", "SELECT * FROM shop ORDER BY event_id", "--format", "jsonl").stdout
    async with http.get("datasets/shop/rows?format=csv") as answer:
        lines = (await answer.text()).splitlines()
    assert sorted(lines) == sorted(shell.ok("datasets", "export", "shop", "--format", "csv").stdout.splitlines())


@pytest.mark.parametrize(
    ("command", "method", "path", "body"),
    [
        (("datasets", "show", "none"), "GET", "datasets/none", None),
        (("datasets", "create", "--name", " ", "--report", "projects"), "POST", "datasets",
         {"name": " ", "report": "projects"}),
        (("datasets", "create", "--name", "x", "--report", "prjects"), "POST", "datasets",
         {"name": "x", "report": "prjects"}),
        (("datasets", "create", "--name", "x", "--report", "projects", "--keep-days", "7"), "POST", "datasets",
         {"name": "x", "report": "projects", "keep_days": 7}),
        (("schedule", "show", "hourly 25"), "GET", "schedule?rule=hourly 25", None),
        (("runs", "show", "none"), "GET", "runs/none", None),
        (("query", "SELEC 1"), "POST", "query", {"sql": "SELEC 1"}),
        (("accounts", "rename", "none", "x"), "PATCH", "accounts/none", {"name": "x"}),
        (("notices", "test", "none"), "POST", "notices/channels/none/test", None),
    ],
)  # fmt: skip
async def test_both_refuse_with_the_same_name(
    http: aiohttp.ClientSession, shell: Shell, command: tuple[str, ...], method: str, path: str, body: Any
) -> None:
    refused = await asyncio.to_thread(shell, *command, "--json")
    async with http.request(method, path, json=body) as answer:
        problem = await answer.json()
    error = json.loads(refused.stdout)["error"]
    assert (problem["name"], problem["code"]) == (error["name"], error["code"]) == (error["name"], refused.exit_code)
