"""What people do with their own and others' things, by names that bodies, lists and queries hold and no path does."""

from __future__ import annotations

from typing import Any

import pytest

from sentry_connector.store.rights import Level, Right, Role, Thing
from tests.web.town import Town, Visitor

DATASETS, ACCOUNTS = "/api/v1/datasets", "/api/v1/accounts"


@pytest.fixture
def visitors(town: Town) -> dict[str, Visitor]:
    """Ada has an account and a DataSet, Bob has the use of both, and Cy has nothing."""
    ada, bob, cy = (town.person(name, Role.EDITOR) for name in ("Ada", "Bob", "Cy"))
    town.dataset("Shop", ada, town.account("Main", ada))
    town.dataset("Ledger", None, town.account("Hidden"))
    for thing, name in ((Thing.DATASET, "Shop"), (Thing.ACCOUNT, "Main")):
        town.share(thing, name, bob, Level.USE)
    root = town.person("Root", Role.ADMIN)
    return {user.name: town.with_key(user, *Right) for user in (ada, bob, cy, root)}


async def names(visitor: Visitor, path: str) -> list[str]:
    return sorted(one["name"] for one in (await visitor("GET", path)).json)


async def test_lists_hold_what_one_may_see(visitors: dict[str, Visitor]) -> None:
    for name, seen in (("Ada", ["Shop"]), ("Bob", ["Shop"]), ("Cy", []), ("Root", ["Ledger", "Shop"])):
        assert await names(visitors[name], DATASETS) == seen
    assert await names(visitors["Bob"], ACCOUNTS) == ["Main"]
    assert await names(visitors["Root"], ACCOUNTS) == ["Hidden", "Main"]
    shop = (await visitors["Bob"]("GET", f"{DATASETS}/Shop")).json
    assert (shop["owner"], shop["account"]) == ("Ada", "Main")


async def test_a_query_knows_the_views_that_one_may_read(visitors: dict[str, Visitor]) -> None:
    async def query(name: str, sql: str) -> tuple[int, str]:
        answer = await visitors[name]("POST", "/api/v1/query", {"sql": sql})
        return answer.status, answer.body.decode()

    assert (await query("Bob", "SELECT count(*) AS n FROM shop"))[1] == '{"n":0}\n'
    assert (await query("Root", "SELECT count(*) AS n FROM ledger"))[0] == 200
    for sql in ("SELECT * FROM ledger", "SELECT * FROM 'vault.key'", "SELECT * FROM read_text('/etc/passwd')"):
        assert (await query("Bob", sql))[0] == 422, sql
    told = [(await query(name, "SELECT slug FROM connector.datasets ORDER BY 1"))[1] for name in ("Bob", "Cy", "Root")]
    assert told == ['{"slug":"shop"}\n', "", '{"slug":"ledger"}\n{"slug":"shop"}\n']
    assert (await query("Bob", "SELECT id FROM connector.runs"))[1] == '{"id":"run-shop"}\n'
    assert (await query("Cy", "SELECT id FROM connector.runs"))[1] == ""


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", DATASETS, {"name": "New", "report": "projects", "account": "Hidden"}, 404),
        ("POST", DATASETS, {"name": "New", "report": "projects"}, 403),  # the token of the server's environment
        ("POST", "/api/v1/pull", {"report": "projects", "account": "Hidden"}, 404),
        ("POST", "/api/v1/pull", {"report": "projects"}, 403),
        ("GET", "/api/v1/choices/projects?account=Hidden", None, 404),
        ("GET", "/api/v1/choices/projects", None, 403),
        ("POST", "/api/v1/exports", {"dataset": "Ledger"}, 404),
        ("POST", "/api/v1/exports", {"sql": "SELECT * FROM ledger"}, 422),
        ("POST", "/api/v1/runs", {"dataset": "Ledger"}, 404),
        ("POST", "/api/v1/runs", {"dataset": "Shop"}, 403),
        ("GET", f"{DATASETS}?account=Hidden", None, 404),
        ("POST", f"{DATASETS}/Ledger/restore", None, 404),
        ("POST", f"{DATASETS}/Ledger/purge", {}, 404),
        ("POST", f"{DATASETS}/Shop/restore", None, 404),
    ],
)
async def test_names_of_others_things_lead_nowhere(
    visitors: dict[str, Visitor], method: str, path: str, body: Any, status: int
) -> None:
    answer = await visitors["Bob"](method, path, body)
    assert answer.status == status, answer.body
    assert "Ledger" not in str(answer.json.get("nearest", "")) + answer.json["remedy"]
    assert "Hidden" not in str(answer.json.get("nearest", "")) + answer.json["remedy"]


async def test_whoever_makes_a_thing_owns_it(town: Town, visitors: dict[str, Visitor]) -> None:
    made = await visitors["Bob"]("POST", DATASETS, {"name": "New", "report": "projects", "account": "Main"})
    assert (made.status, made.json["owner"]) == (201, "Bob")
    assert await names(visitors["Ada"], DATASETS) == ["Shop"], "others do not see it"
    assert (await visitors["Bob"]("DELETE", f"{DATASETS}/New")).status == 200
    assert (await visitors["Bob"]("GET", f"{DATASETS}/New")).status == 404
    assert (await visitors["Ada"]("POST", f"{DATASETS}/New/restore")).status == 404
    assert (await visitors["Bob"]("POST", f"{DATASETS}/New/restore")).status == 200
    entries = [(one.actor, one.action, one.object) for one in town.house.store.audit.recent(limit=3)]
    assert entries == [("Bob", f"datasets {word}", "New") for word in ("restore", "delete", "create")]
    assert (await visitors["Bob"]("DELETE", f"{DATASETS}/New")).status == 200
    assert (await visitors["Ada"]("POST", f"{DATASETS}/New/purge", {})).status == 404
    purged = await visitors["Bob"]("POST", f"{DATASETS}/New/purge", {})
    assert purged.json == {"id": made.json["id"], "name": "New", "left": None}


async def test_what_a_dataset_reads_changes_only_who_may_use_its_account(
    town: Town, visitors: dict[str, Visitor]
) -> None:
    town.share(Thing.DATASET, "Shop", town.house.store.people.find("Cy"), Level.EDIT)
    cy = visitors["Cy"]
    assert (await cy("PATCH", f"{DATASETS}/Shop", {"description": "x"})).status == 200
    other = {"report": "organizations"}
    refused = await cy("PATCH", f"{DATASETS}/Shop", other)
    assert (refused.status, "account" in refused.json["message"]) == (403, True)
    town.share(Thing.ACCOUNT, "Main", town.house.store.people.find("Cy"), Level.USE)
    assert (await cy("PATCH", f"{DATASETS}/Shop", other)).status == 200
    assert (await cy("PATCH", f"{DATASETS}/Shop", {"account": "Hidden"})).status == 404


async def test_a_shared_account_is_used_and_not_changed(visitors: dict[str, Visitor]) -> None:
    bob, ada = visitors["Bob"], visitors["Ada"]
    assert (await bob("GET", f"{ACCOUNTS}/Main")).status == 200
    assert (await bob("PATCH", f"{ACCOUNTS}/Main", {"name": "Mine"})).status == 403
    assert (await bob("DELETE", f"{ACCOUNTS}/Main")).status == 403
    assert (await bob("GET", f"{ACCOUNTS}/Main/shares")).status == 403
    last = await ada("DELETE", f"{ACCOUNTS}/Main/shares/Ada")
    assert (last.status, "last owner" in last.json["message"]) == (422, True)
    assert (await ada("DELETE", f"{ACCOUNTS}/Main/shares/Bob")).status == 200
    assert (await bob("GET", f"{ACCOUNTS}/Main")).status == 404
    assert (await ada("PATCH", f"{ACCOUNTS}/Main", {"name": "Mine"})).status == 200


async def test_a_destination_takes_the_tables_of_those_whom_an_admin_lets(
    town: Town, visitors: dict[str, Visitor]
) -> None:
    town.destination("Db")
    bob, root = visitors["Bob"], visitors["Root"]
    new = {"name": "There", "report": "projects", "account": "Main", "destination": "db"}
    refused = await bob("POST", DATASETS, new)
    assert (refused.status, "Db" in refused.json["remedy"]) == (404, False), "it is not there for them"
    assert [one["name"] for one in (await bob("GET", "/api/v1/destinations")).json] == ["delta"]
    path = "/api/v1/destinations/Db/shares"
    assert (await bob("PUT", f"{path}/Bob", {"level": "use"})).status == 404
    assert (await root("PUT", f"{path}/Bob", {"level": "use"})).status == 200
    assert [one["name"] for one in (await bob("GET", "/api/v1/destinations")).json] == ["delta", "Db"]
    assert (await bob("PUT", f"{path}/Cy", {"level": "use"})).status == 403, "who may use it gives it to nobody"
    made = await bob("POST", DATASETS, new)
    assert (made.status, made.json["destination"]) == (201, "Db")
    assert (await root("DELETE", f"{path}/Bob")).status == 200
    assert (await bob("PATCH", f"{DATASETS}/There", {"description": "x"})).status == 200, "what lies there stays"
    assert (await bob("PATCH", f"{DATASETS}/There", {"destination": "delta"})).status == 200
    assert (await bob("PATCH", f"{DATASETS}/There", {"destination": "Db"})).status == 404
    town.dataset("Other", None)
    assert (await root("PATCH", f"{DATASETS}/Other", {"destination": "Db"})).status == 200, "admins may use all"
    entry = town.house.store.audit.recent(limit=20)
    assert ("Root", "destinations share", "Db") in [(one.actor, one.action, one.object) for one in entry]


async def test_an_account_tells_of_the_datasets_that_one_may_see_and_holds_what_it_holds_for_all(
    town: Town, visitors: dict[str, Visitor]
) -> None:
    town.dataset("Theirs", None, town.house.store.accounts.find("Main"))
    assert (await visitors["Bob"]("GET", f"{ACCOUNTS}/Main")).json["used_by"] == ["Shop"]
    assert sorted((await visitors["Root"]("GET", f"{ACCOUNTS}/Main")).json["used_by"]) == ["Shop", "Theirs"]


async def test_requests_that_are_sent_again_are_each_persons_own(visitors: dict[str, Visitor]) -> None:
    body, key = {"name": "Again", "report": "projects", "account": "Main"}, {"Idempotency-Key": "one"}
    first = await visitors["Ada"]("POST", DATASETS, body, headers=key)
    again = await visitors["Ada"]("POST", DATASETS, body, headers=key)
    assert (first.status, again.status, again.json) == (201, 201, first.json)
    theirs = await visitors["Bob"]("POST", DATASETS, body, headers=key)
    assert theirs.status == 422, "the name is taken, and the answer to somebody else is none to them"


async def test_a_key_that_was_made_is_answered_once(visitors: dict[str, Visitor]) -> None:
    body, key = {"name": "ci", "scopes": ["read"]}, {"Idempotency-Key": "one"}
    first = await visitors["Ada"]("POST", "/api/v1/api-keys", body, headers=key)
    again = await visitors["Ada"]("POST", "/api/v1/api-keys", body, headers=key)
    assert "key" in first.json
    assert again.json == {name: value for name, value in first.json.items() if name != "key"}
