"""Everything that the command line can do is done over HTTP, with the same words and the same objects."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sentry_connector.formats.model import FORMATS
from sentry_connector.reports.catalogue import CATALOGUE
from sentry_connector.simulator import TOKEN, Simulation
from sentry_connector.web import schemas
from tests.cli.listening import listening
from tests.cli.shell import Shell
from tests.web.asking import EVENTS, asked, ended, ran

# ---- DataSets


async def test_a_dataset_is_made_shown_changed_and_found(http: aiohttp.ClientSession) -> None:
    new = {**EVENTS, "name": "Shop / événements", "tags": ["Ops"], "schedule": "every 2h", "update_method": "upsert"}
    async with http.post("datasets", json=new) as answer:
        made = await answer.json()
        assert (answer.status, answer.headers["Location"]) == (201, f"/api/v1/datasets/{made['id']}")
        tag = answer.headers["ETag"]
    assert (made["slug"], made["schedule"], made["tags"]) == ("shop_evenements", "every 2h", ["Ops"])
    for name in ("shop_evenements", made["id"]):
        assert (await asked(http, "GET", f"datasets/{name}"))["id"] == made["id"]
    changes = {"details": {"projects": ["acme/shop", "acme/web"]}, "description": "all of them", "retry": None}
    changed = await asked(http, "PATCH", f"datasets/{made['id']}", json=changes, headers={"If-Match": tag})
    assert changed["details"] == made["details"] | {"projects": ["acme/shop", "acme/web"]}
    assert (changed["retry"], changed["description"], changed["schedule"]) == (None, "all of them", "every 2h")
    late = await asked(http, "PATCH", f"datasets/{made['id']}", 412, json={"tags": []}, headers={"If-Match": tag})
    assert late["name"] == "usage.edited"
    assert await asked(http, "PATCH", f"datasets/{made['id']}", json={}) == changed
    for wanted in (
        "search=ÉVÉNEMENTS",
        "search=all of",
        "tag=ops",
        "report=Project Events&tag=OPS",
        "health=never run",
    ):
        found = await asked(http, "GET", f"datasets?{wanted}")
        assert [one["id"] for one in found] == [made["id"]], wanted
    for wanted in ("search=nothing of", "tag=op", "health=COMPLETE", "report=projects"):
        assert await asked(http, "GET", f"datasets?{wanted}") == [], wanted
    await asked(http, "DELETE", f"datasets/{made['id']}")


async def test_datasets_are_listed_page_by_page(http: aiohttp.ClientSession) -> None:
    for number in range(5):
        await asked(http, "POST", "datasets", 201, json={"name": f"Page {number}", "report": "organizations"})
    pages, path = list[list[str]](), "datasets?search=page&limit=2"
    while path:
        async with http.get(path) as answer:
            pages.append([one["name"] for one in await answer.json()])
            path = str(answer.links["next"]["url"]) if answer.links else ""
        if len(pages) == 1:  # what is deleted meanwhile moves nothing
            await asked(http, "DELETE", "datasets/Page 1")
    assert pages == [["Page 0", "Page 1"], ["Page 2", "Page 3"], ["Page 4"]]


async def test_a_dataset_is_deleted_with_its_table_and_restored(http: aiohttp.ClientSession) -> None:
    await asked(http, "POST", "datasets", 201, json={"name": "Gone", "report": "organizations"})
    assert (await ran(http, "Gone"))["verdict"] == "COMPLETE"
    gone = await asked(http, "DELETE", "datasets/gone")
    await asked(http, "GET", "datasets/gone", 404)
    assert gone["id"] in [one["id"] for one in await asked(http, "GET", "datasets?deleted=true")]
    back = await asked(http, "POST", "datasets/gone/restore")
    assert (back["id"], back["deleted_at"]) == (gone["id"], None)
    assert back["rows"] > 0


async def test_a_dataset_is_purged_with_its_table_or_without(http: aiohttp.ClientSession) -> None:
    for leave in (False, True):
        await asked(http, "POST", "datasets", 201, json={"name": "Purged", "report": "organizations"})
        assert (await ran(http, "Purged"))["verdict"] == "COMPLETE"
        await asked(http, "POST", "datasets/purged/purge", 404, json={})  # it is to be deleted first
        gone = await asked(http, "DELETE", "datasets/purged")
        done = await asked(http, "POST", "datasets/purged/purge", json={"leave_table": leave})
        assert (done["id"], done["name"], done["left"] is not None) == (gone["id"], "Purged", leave)
        assert gone["id"] not in [one["id"] for one in await asked(http, "GET", "datasets?deleted=true")]
        if leave:
            assert done["left"]["address"].endswith(gone["id"])


async def test_a_dataset_is_paused_and_muted_and_let_go_on(http: aiohttp.ClientSession) -> None:
    new = {"name": "Resting", "report": "organizations", "schedule": "daily 06:30"}
    await asked(http, "POST", "datasets", 201, json=new)
    for word, field, value in (
        ("pause", "paused", True), ("resume", "paused", False), ("mute", "muted", True), ("unmute", "muted", False),
    ):  # fmt: skip
        assert (await asked(http, "POST", f"datasets/resting/{word}"))[field] is value
    coming = await asked(http, "GET", "datasets/resting/next?count=3")
    assert [one["at"][11:] for one in coming["slots"]] == ["06:30:00Z"] * 3
    assert coming["served"] is True


async def test_a_table_is_looked_at_and_reverted(http: aiohttp.ClientSession) -> None:
    await asked(http, "POST", "datasets", 201, json={"name": "History", "report": "organizations"})
    assert (await asked(http, "GET", "datasets/history/stats"))["rows"] == 0
    assert await asked(http, "GET", "datasets/history/versions") == []
    assert (await asked(http, "POST", "datasets/history/revert", 404, json={"to_version": 0}))["code"] == 2
    first, second = await ran(http, "History"), await ran(http, "History")
    assert second["verdict"] == "COMPLETE"
    versions = await asked(http, "GET", "datasets/history/versions")
    assert {first["id"]} <= {one["run"] for one in versions}
    oldest = versions[-1]["version"]
    reverted = await asked(http, "POST", "datasets/history/revert", json={"to_version": oldest})
    assert (reverted["reverted_to"], reverted["rows"]) == (oldest, first["rows_written"])
    await asked(http, "POST", "datasets/history/revert", 404, json={"to_version": 10**9})
    columns = await asked(http, "GET", "datasets/history/schema")
    assert {"organization_id", "_run_id"} <= {one["name"] for one in columns}
    rows = await asked(http, "GET", "datasets/history/preview")
    assert {row["slug"] for row in rows} >= {"acme"}


async def test_a_dataset_whose_table_lies_in_a_database(
    http: aiohttp.ClientSession, shell: Shell, tmp_path: Path
) -> None:
    """The database is named on the server's machine, and used by its name."""
    url = f"sqlite:///{tmp_path / 'tables.sqlite'}"
    await asyncio.to_thread(shell.ok, "destinations", "add", "File", "--url", url)
    offered = await asked(http, "GET", "destinations")
    assert offered == [{"name": "delta", "kind": "Delta tables"}, {"name": "File", "kind": "SQLite"}]
    new = {"name": "Elsewhere", "report": "organizations", "destination": "file"}
    made = await asked(http, "POST", "datasets", 201, json=new)
    assert made["destination"] == "File"
    run = await ran(http, "Elsewhere")
    assert (await asked(http, "GET", "datasets/elsewhere"))["rows"] == run["rows_written"] > 0
    stats = await asked(http, "GET", "datasets/elsewhere/stats")
    assert stats == {"rows": run["rows_written"], "files": None, "bytes": None, "versions": 1}
    refused = await asked(http, "POST", "datasets/elsewhere/revert", 422, json={"to_version": 1})
    assert refused["name"] == "usage.invalid"
    nowhere = await asked(http, "POST", "datasets", 404, json=new | {"name": "Nowhere", "destination": "nowhere"})
    assert nowhere["name"] == "usage.unknown_name"


async def test_dates_that_would_lose_rows_need_a_consent(http: aiohttp.ClientSession) -> None:
    days = {"duration": {"duration": "date_range", "start": 20, "end": 0}}
    new = {**EVENTS, "name": "Shrinking", "details": EVENTS["details"] | days}  # type: ignore[operator]  # both are objects
    await asked(http, "POST", "datasets", 201, json=new)
    held = (await ran(http, "Shrinking"))["rows_written"]
    shorter: dict[str, Any] = {"details": {"duration": {"duration": "single_date", "day": 1}}}
    problem = await asked(http, "PATCH", "datasets/shrinking", 422, json=shorter)
    assert problem["name"] == "usage.loss"
    assert 0 < problem["rows"] <= held
    changed = await asked(http, "PATCH", "datasets/shrinking", json=shorter | {"accept_loss": True})
    assert changed["details"]["duration"] == shorter["details"]["duration"]


async def test_a_backfill_is_a_chain_of_runs_that_goes_on(http: aiohttp.ClientSession) -> None:
    await asked(http, "POST", "datasets", 201, json={**EVENTS, "name": "Earlier", "update_method": "upsert"})
    days = {"start": "today-20", "end": "yesterday"}
    key = {"Idempotency-Key": "earlier days"}
    chain = await asked(http, "POST", "datasets/earlier/backfill", 202, json=days, headers=key)
    assert len(chain) == 3
    assert {run["trigger"] for run in chain} == {"backfill"}
    assert await asked(http, "POST", "datasets/earlier/backfill", 202, json=days, headers=key) == chain
    for run in chain:
        assert (await ended(http, run["id"]))["verdict"] == "COMPLETE"
    await asked(http, "POST", "datasets/earlier/backfill", 422, json={"start": "never", "end": "today"})


@pytest.mark.parametrize(
    ("changes", "status", "name"),
    [
        ({"report": "none"}, 404, "usage.unknown_name"),
        ({"account": "none"}, 404, "usage.unknown_name"),
        ({"details": {}}, 422, "usage.details"),
        ({"details": {"projects": ["acme/shop"], "sort": "up"}}, 422, "usage.invalid"),
        ({"details": {"projects": ["acme/shop"], "duration": {"duration": "forever"}}}, 422, "usage.invalid"),
        (
            {"details": {"projects": ["acme/shop"], "duration": {"duration": "single_date", "day": -1}}},
            422,
            "usage.dates",
        ),
        ({"schedule": "now and then"}, 422, "usage.schedule"),
        ({"keep_days": 10**30}, 422, "usage.invalid"),
        ({"keep_days": 7}, 422, "usage.invalid"),
        ({"description": "\0"}, 422, "usage.invalid"),
        ({"name": "  "}, 422, "usage.invalid"),
        ({"owner": "me"}, 422, "usage.invalid"),
        ({"retry": {"every": 900, "until": 3}}, 422, "usage.invalid"),
    ],
)
async def test_a_dataset_that_does_not_fit_is_refused(
    http: aiohttp.ClientSession, changes: dict[str, Any], status: int, name: str
) -> None:
    problem = await asked(http, "POST", "datasets", status, json={**EVENTS, "name": "Wrong"} | changes)
    assert problem["name"] == name
    assert problem["remedy"]


# ---- accounts


async def test_an_account_is_connected_and_its_token_is_never_answered(
    http: aiohttp.ClientSession, sentry: Simulation
) -> None:
    new = {"name": "Mine", "token": f" {sentry.token}\n", "url": sentry.url}
    made = await asked(http, "POST", "accounts", 201, json=new)
    assert (made["name"], made["status"]) == ("Mine", "valid")
    await asked(http, "POST", "datasets", 201, json={"name": "Its own", "report": "organizations", "account": "mine"})
    shown = await asked(http, "GET", "accounts/mine")
    assert shown["used_by"] == ["Its own"]
    assert (await asked(http, "PATCH", "accounts/mine", json={"name": "Ours"}))["name"] == "Ours"
    assert (await asked(http, "POST", "accounts/ours/check"))["status"] == "valid"
    replaced = await asked(http, "POST", "accounts/ours/replace-token", json={"token": sentry.token})
    assert replaced["token_since"] > made["token_since"]
    refused = await asked(http, "POST", "accounts/ours/replace-token", 422, json={"token": f"sntryu_{'0' * 64}"})
    assert refused["name"] == "token.rejected"
    assert "Ours" in [one["name"] for one in await asked(http, "GET", "accounts")]
    listed = await asked(http, "GET", "datasets?account=ours")
    assert [one["name"] for one in listed] == ["Its own"]
    for account in (None, "ours"):
        assert (await asked(http, "PATCH", "datasets/its_own", json={"account": account}))["account"] == (
            account and "Ours"
        )
    gone = await asked(http, "DELETE", f"accounts/{made['id']}")
    assert gone["used_by"] == ["Its own"]
    assert (await asked(http, "GET", "datasets/its_own"))["health"] == "account missing"
    everything = json.dumps([made, shown, replaced, refused, gone])
    assert TOKEN not in everything
    assert TOKEN[20:] not in everything


@pytest.mark.parametrize(
    ("changes", "status", "name"),
    [
        ({"url": "ftp://nowhere"}, 422, "usage.invalid"),
        ({"token": "two words"}, 422, "usage.invalid"),
        ({"token": "sntryu_" + "1" * 64}, 422, "token.rejected"),
        ({"name": ""}, 422, "usage.invalid"),
    ],
)
async def test_an_account_that_does_not_work_is_not_stored(
    http: aiohttp.ClientSession, sentry: Simulation, changes: dict[str, Any], status: int, name: str
) -> None:
    new = {"name": "Broken", "token": sentry.token, "url": sentry.url} | changes
    problem = await asked(http, "POST", "accounts", status, json=new)
    assert problem["name"] == name
    assert str(new["token"]) not in json.dumps(problem)
    await asked(http, "GET", "accounts/broken", 404)


# ---- notices


async def test_a_channel_is_added_tested_changed_and_forgotten(http: aiohttp.ClientSession) -> None:
    posted: list[str] = []

    def answer(path: str, _headers: object, _body: bytes) -> int:
        posted.append(path)
        return 200

    await asked(http, "POST", "datasets", 201, json={"name": "Told of", "report": "organizations"})
    with listening(answer) as url:
        key = {"Idempotency-Key": "a channel"}
        new = {"name": "Hook", "address": f"{url}/first-path", "kinds": ["failed"], "datasets": ["told_of"]}
        made = await asked(http, "POST", "notices/channels", 201, json=new, headers=key)
        assert made.pop("secret").startswith("whsec_")
        again = await asked(http, "POST", "notices/channels", 201, json=new, headers=key)
        assert again == made, "a secret is told once"
        await asked(http, "POST", "notices/channels/hook/test")
        changes = {"name": "Ops", "address": f"{url}/other", "kinds": [], "datasets": []}
        changed = await asked(http, "PATCH", "notices/channels/hook", json=changes)
        assert (changed["name"], changed["kinds"], changed["datasets"]) == ("Ops", [], [])
        await asked(http, "POST", "notices/channels/ops/test")
    assert posted == ["/first-path", "/other"]
    assert (await asked(http, "POST", "notices/channels/ops/test", 502))["name"] == "notice.not_delivered"
    assert "Ops" in [one["name"] for one in await asked(http, "GET", "notices/channels")]
    assert "first-path" not in json.dumps([made, changed, await asked(http, "GET", "notices/channels/ops")])
    await asked(http, "DELETE", "notices/channels/ops")
    assert "Ops" not in [one["name"] for one in await asked(http, "GET", "notices/channels")]
    assert await asked(http, "GET", "notices?dataset=told_of") == []


# ---- reports, menus, schedules, settings


async def test_the_catalogue_and_its_menus_are_told(http: aiohttp.ClientSession) -> None:
    assert [one["slug"] for one in await asked(http, "GET", "reports")] == [one.slug for one in CATALOGUE]
    assert (await asked(http, "GET", "reports/Project Events"))["slug"] == "project-events"
    await asked(http, "GET", "reports/none", 404)
    assert "acme" in [one["value"] for one in await asked(http, "GET", "choices/organizations")]
    projects = await asked(http, "GET", "choices/projects?organization=acme")
    assert {one["parent"] for one in projects} == {"acme"}
    stats = await asked(http, "GET", "choices/stats?report=events-counts-team")
    assert stats[0]["value"] == "received"
    await asked(http, "GET", "choices/stats", 422)
    await asked(http, "GET", "choices/colours", 422)
    await asked(http, "GET", "choices/teams?account=none", 404)


async def test_schedules_settings_and_the_doctor(http: aiohttp.ClientSession) -> None:
    wanted = {"rule": "weekdays  06:30", "timezone": "America/New_York", "from": "2026-03-07", "count": "2"}
    meaning = await asked(http, "GET", "schedule", params=wanted)
    assert (meaning["rule"], [one["at"] for one in meaning["slots"]]) == (
        "weekdays 06:30", ["2026-03-09T10:30:00Z", "2026-03-10T10:30:00Z"],
    )  # fmt: skip
    await asked(http, "GET", "schedule", 422, params={"rule": "never"})
    settings = {one["variable"]: one for one in await asked(http, "GET", "settings")}
    assert settings["SENTRY_AUTH_TOKEN"]["value"] == "***"
    diagnosis = await asked(http, "GET", "doctor")
    assert diagnosis["ok"] is True
    assert {"token", "store", "storage"} <= {one["name"] for one in diagnosis["checks"]}


# ---- the document


def test_formats_are_those_of_the_writer() -> None:
    assert schemas.Format.__args__ == FORMATS  # type: ignore[attr-defined]  # of a Literal


def differing(schema: Any, value: Any, known: dict[str, Any], where: str = "") -> list[str]:
    """Where an answer has a field that its schema does not name, or lacks one that it promises."""
    schema = known[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if value is not None and "anyOf" in schema:
        schema = next(one for one in schema["anyOf"] if one.get("type") != "null")
        return differing(schema, value, known, where)
    if isinstance(value, list):
        return [found for one in value[:1] for found in differing(schema.get("items", {}), one, known, f"{where}[]")]
    if not isinstance(value, dict) or "properties" not in schema:
        return []
    named, promised = schema["properties"], set(schema.get("required", ()))
    wrong = [f"{where}.{name}" for name in {*(value.keys() - named), *(promised - value.keys())}]
    return wrong + [
        found
        for name in value.keys() & named
        for found in differing(named[name], value[name], known, f"{where}.{name}")
    ]


OPEN = {"rows", "sections", "[]"}
"""Objects whose fields are a report's columns, a configuration's, or a log line's own."""


async def test_nothing_in_the_document_is_without_a_description(http: aiohttp.ClientSession) -> None:
    document = await asked(http, "GET", "openapi.json")
    known, bare = document["components"]["schemas"], set()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            parameters = [one for one in operation.get("parameters", ()) if one["in"] != "path"]
            bare |= {f"{method} {path} {one['name']}" for one in parameters if not one.get("description")}
            bare |= {f"{method} {path}"} if not operation.get("summary") else set()
            schemas_of = [
                answer["content"].get("application/json", {}).get("schema", {})
                for status, answer in operation["responses"].items()
                if status.startswith("2") and "content" in answer
            ]
            bare |= {f"{method} {path} []" for one in schemas_of if one.get("items", {}) == {"type": "object"}}
    for name, schema in known.items():
        for field, one in schema.get("properties", {}).items():
            inner = one.get("items", one)
            if inner.get("type") == "object" and not inner.keys() & {"properties", "additionalProperties", "$ref"}:
                bare.add(f"{name}.{field}")
    assert {one for one in bare if one.rpartition(".")[2] not in OPEN and one.rpartition(" ")[2] not in OPEN} == set()


async def test_answers_have_the_fields_that_the_document_names(http: aiohttp.ClientSession, shell: Shell) -> None:
    await asked(http, "POST", "datasets", 201, json={"name": "Described", "report": "organizations"})
    await ran(http, "Described")
    document = await asked(http, "GET", "openapi.json")
    known = document["components"]["schemas"]
    for path, name in {
        "datasets/described": "DataSet",
        "datasets": "DataSet",
        "datasets/described/versions": "Version",
        "datasets/described/stats": "Stats",
        "datasets/described/schema": "TableColumn",
        "datasets/described/next": "Coming",
        "overview": "Overview",
        "runs": "Run",
        "reports": "Report",
        "choices/organizations": "Choice",
        "schedule?rule=hourly": "Schedule",
        "settings": "Setting",
        "workers": "Worker",
        "destinations": "OfferedDestination",
        "doctor": "Diagnosis",
        "/readyz": "Readiness",
    }.items():
        answer = await asked(http, "GET", path)
        answer = answer[0] if isinstance(answer, list) else answer
        assert set(answer) == set(known[name]["properties"]) == set(known[name]["required"]), path
        assert differing(known[name], answer, known) == [], path
    plan = await asked(http, "POST", "plan", json=EVENTS)
    assert plan["slices"][0]["ways"]
    assert differing(known["Plan"], plan, known) == []
    text = "datasets:\n- name: Described by a file\n  report: projects\n"
    for word in ("plan", "apply"):
        steps = (await asked(http, "POST", f"config/{word}", json={"files": {"connector.yaml": text}}))["steps"]
        assert differing({"items": {"$ref": "#/ConfigurationStep"}}, steps, known) == []
    assert document["openapi"].startswith("3.1")
    ids = [one["operationId"] for operations in document["paths"].values() for one in operations.values()]
    assert len(ids) == len(set(ids))
    assert {
        "datasets_create",
        "datasets_list",
        "datasets_backfill",
        "datasets_pause",
        "runs_start",
        "accounts_add",
    } <= set(ids)
    named = set(json.dumps(document["paths"]).split('"#/components/schemas/')[1:])
    assert {one.partition('"')[0] for one in named} <= set(known)
