"""Roles × routes × own and others' things: the table below says what each may, and the application is asked for all of it.

A row is a route as the application has it. Each letter is what one kind of visitor gets, in the order of KINDS:
`y` it is done, `n` refused (403), `-` it is not there for them (404).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from sentry_connector.operations.sign_in import begin_session
from sentry_connector.runs.log import log_path
from sentry_connector.store.rights import Level, Right, Role, Thing
from sentry_connector.web.access import Access
from sentry_connector.web.place import Place
from sentry_connector.web.policy import POLICY, Policy
from tests.web.town import Answer, Town, Visitor, path_of

KINDS = (
    "viewer", "viewer use", "viewer owner",
    "editor", "editor use", "editor share", "editor edit", "editor owner",
    "admin", "admin's key to read", "owner's key to read", "owner's key to run", "owner's key to edit",
)  # fmt: skip
"""Role, and the level of the thing that the path names."""

PUBLIC = {
    ("GET", "/livez"),
    ("POST", "/api/v1/login"),
    ("POST", "/api/v1/first-admin"),
    ("GET", "/api/v1/oidc/start"),
    ("GET", "/api/v1/oidc/callback"),
    ("GET", "/sign-in"),
    ("GET", "/first-admin"),
    ("GET", "/static/{digest}/{path:path}"),
}
"""What nobody needs to be signed in for: all of it."""

ADMINS_READ = "nnn nnnnn yynnn"
ADMINS = "nnn nnnnn ynnnn"
EDITED = "nnn -nnyy ynnny"
RUN_BY = "nnn -nnyy ynnyn"
SEEN = "-yy -yyyy yyynn"
TABLE = {
    "GET /": "yyy yyyyy yyynn",
    "GET /datasets": "yyy yyyyy yyynn",
    "GET /bin": "yyy yyyyy yyynn",
    "GET /runs": "yyy yyyyy yyynn",
    "GET /runs/{run_id}": SEEN,
    "GET /notices": "yyy yyyyy yyynn",
    "GET /notices/channels": ADMINS_READ,
    "GET /notices/channels/{name}": ADMINS_READ,
    "GET /people": ADMINS_READ,
    "GET /people/{name}": ADMINS_READ,
    "GET /audit": ADMINS_READ,
    "GET /audit/proof": ADMINS_READ,
    "GET /api/v1/audit/proof": ADMINS_READ,
    "GET /api/v1/audit/export": ADMINS_READ,
    "GET /health": ADMINS_READ,
    "GET /me": "yyy yyyyy yyynn",
    "GET /accounts": "yyy yyyyy yyynn",
    "GET /accounts/new": "nnn yyyyy ynnny",
    "GET /accounts/{name}": SEEN,
    "GET /query": "yyy yyyyy yyynn",
    **{
        f"GET /datasets/{{name}}{tab}": SEEN
        for tab in ("", "/data", "/schema", "/stats", "/history", "/lineage", "/export")
    },
    "GET /datasets/new": "nnn yyyyy ynnny",
    "GET /datasets/{name}/settings": EDITED,
    "GET /version": "yyy yyyyy yyynn",
    "GET /readyz": ADMINS_READ,
    "GET /metrics": ADMINS_READ,
    "GET /api/v1/openapi.json": "yyy yyyyy yyynn",
    "POST /api/v1/logout": "yyy yyyyy yyynn",
    "GET /api/v1/me": "yyy yyyyy yyynn",
    "GET /api/v1/me/sessions": "yyy yyyyy yyynn",
    "DELETE /api/v1/me/sessions": "yyy yyyyy ynnnn",
    "DELETE /api/v1/me/sessions/{session}": "yyy yyyyy ynnnn",
    "GET /api/v1/me/factor": "yyy yyyyy yyynn",
    "POST /api/v1/me/factor": "yyy yyyyy ynnnn",
    "POST /api/v1/me/factor/confirm": "yyy yyyyy ynnnn",
    "POST /api/v1/me/factor/remove": "yyy yyyyy ynnnn",
    "POST /api/v1/me/password": "yyy yyyyy ynnnn",
    "GET /api/v1/users": ADMINS_READ,
    "POST /api/v1/users": ADMINS,
    "GET /api/v1/users/{name}": ADMINS_READ,
    "PATCH /api/v1/users/{name}": ADMINS,
    "DELETE /api/v1/users/{name}": ADMINS,
    "POST /api/v1/users/{name}/password": ADMINS,
    "POST /api/v1/users/{name}/sign-out": ADMINS,
    "DELETE /api/v1/users/{name}/factor": ADMINS,
    "GET /api/v1/api-keys": "yyy yyyyy yyynn",
    "POST /api/v1/api-keys": "yyy yyyyy ynnny",
    "DELETE /api/v1/api-keys/{key}": "yyy yyyyy ynnny",
    "GET /api/v1/origins": ADMINS_READ,
    "POST /api/v1/origins": ADMINS,
    "DELETE /api/v1/origins/{origin:path}": ADMINS,
    "GET /api/v1/audit": ADMINS_READ,
    "GET /api/v1/reports": "yyy yyyyy yyynn",
    "GET /api/v1/config": ADMINS_READ,
    "POST /api/v1/config/plan": ADMINS_READ,
    "POST /api/v1/config/apply": ADMINS,
    "POST /api/v1/vault/rotate": ADMINS,
    "POST /api/v1/destinations": ADMINS,
    "GET /api/v1/destinations/{name}": ADMINS_READ,
    "DELETE /api/v1/destinations/{name}": ADMINS,
    "POST /api/v1/destinations/{name}/check": ADMINS,
    "POST /api/v1/destinations/{name}/replace-password": ADMINS,
    "GET /api/v1/destinations": "yyy yyyyy yyynn",
    "GET /api/v1/reports/{report}": "yyy yyyyy yyynn",
    "GET /api/v1/choices/{menu}": "nnn yyyyy yyynn",
    "GET /api/v1/days": "yyy yyyyy yyynn",
    "GET /api/v1/update-methods": "yyy yyyyy yyynn",
    "POST /api/v1/preview": "nnn yyyyy ynnyn",
    "POST /api/v1/plan": "nnn yyyyy ynnyn",
    "GET /api/v1/schedule": "yyy yyyyy yyynn",
    "GET /api/v1/settings": ADMINS_READ,
    "GET /api/v1/workers": ADMINS_READ,
    "GET /api/v1/doctor": ADMINS_READ,
    "POST /api/v1/query": "yyy yyyyy yyynn",
    "POST /api/v1/query/first-rows": "yyy yyyyy yyynn",
    "POST /api/v1/query/{ticket}/cancel": "yyy yyyyy yyynn",
    "GET /api/v1/query/names": "yyy yyyyy yyynn",
    "GET /api/v1/queries": "yyy yyyyy yyynn",
    "GET /api/v1/queries/{name:path}": "yyy yyyyy yyynn",
    "PUT /api/v1/queries/{name:path}": "yyy yyyyy ynnny",
    "DELETE /api/v1/queries/{name:path}": "yyy yyyyy ynnny",
    "POST /api/v1/exports": "yyy yyyyy yyynn",
    "POST /api/v1/pull": "nnn yyyyy ynnyn",
    "GET /api/v1/accounts": "yyy yyyyy yyynn",
    "POST /api/v1/accounts": "nnn yyyyy ynnny",
    "GET /api/v1/accounts/{name}": SEEN,
    "PATCH /api/v1/accounts/{name}": EDITED,
    "DELETE /api/v1/accounts/{name}": "nnn -nnny ynnny",
    "GET /api/v1/accounts/{name}/checks": "nnn -yyyy ynnyn",
    "POST /api/v1/accounts/{name}/check": RUN_BY,
    "POST /api/v1/accounts/{name}/replace-token": EDITED,
    "GET /api/v1/overview": "yyy yyyyy yyynn",
    "GET /api/v1/datasets": "yyy yyyyy yyynn",
    "POST /api/v1/datasets": "nnn yyyyy ynnny",
    "GET /api/v1/datasets/{name}": SEEN,
    "PATCH /api/v1/datasets/{name}": EDITED,
    "DELETE /api/v1/datasets/{name}": "nnn -nnny ynnny",
    "POST /api/v1/datasets/{name}/restore": "nnn yyyyy ynnny",
    "POST /api/v1/datasets/{name}/purge": "nnn yyyyy ynnny",
    "POST /api/v1/datasets/{name}/pause": EDITED,
    "POST /api/v1/datasets/{name}/resume": EDITED,
    "POST /api/v1/datasets/{name}/mute": EDITED,
    "POST /api/v1/datasets/{name}/unmute": EDITED,
    "GET /api/v1/datasets/{name}/rows": SEEN,
    "GET /api/v1/datasets/{name}/schema": SEEN,
    "GET /api/v1/datasets/{name}/stats": SEEN,
    **{
        f"GET /api/v1/datasets/{{name}}/{word}": SEEN
        for word in (
            *("rows/page", "stats/columns", "stats/columns/{column}", "charts/{number}"),
            *("drift", "history", "lineage"),
        )
    },
    "GET /api/v1/datasets/{name}/versions": SEEN,
    "GET /api/v1/datasets/{name}/next": SEEN,
    "GET /api/v1/datasets/{name}/preview": RUN_BY,
    "POST /api/v1/datasets/{name}/revert": EDITED,
    "POST /api/v1/datasets/{name}/delete-update": EDITED,
    "POST /api/v1/datasets/{name}/backfill": RUN_BY,
    "GET /api/v1/notices": "yyy yyyyy yyynn",
    "GET /api/v1/notices/channels": ADMINS_READ,
    "POST /api/v1/notices/channels": ADMINS,
    "GET /api/v1/notices/channels/{name}": ADMINS_READ,
    "PATCH /api/v1/notices/channels/{name}": ADMINS,
    "DELETE /api/v1/notices/channels/{name}": ADMINS,
    "POST /api/v1/notices/channels/{name}/test": ADMINS,
    "GET /api/v1/runs": "yyy yyyyy yyynn",
    "POST /api/v1/runs": "nnn yyyyy ynnyn",
    "GET /api/v1/runs/{run_id}": SEEN,
    "GET /api/v1/runs/{run_id}/log": SEEN,
    "GET /api/v1/runs/{run_id}/log/events": SEEN,
    "GET /api/v1/runs/{run_id}/events": SEEN,
    "POST /api/v1/runs/{run_id}/cancel": "nnn -nnyy ynnyn",
    "GET /api/v1/datasets/{name}/shares": "nnn -nyyy yyynn",
    "PUT /api/v1/datasets/{name}/shares/{person}": "nnn -nyyy ynnny",
    "DELETE /api/v1/datasets/{name}/shares/{person}": "nnn -nyyy ynnny",
    "GET /api/v1/accounts/{name}/shares": "nnn -nyyy yyynn",
    "PUT /api/v1/accounts/{name}/shares/{person}": "nnn -nyyy ynnny",
    "DELETE /api/v1/accounts/{name}/shares/{person}": "nnn -nyyy ynnny",
    "GET /api/v1/destinations/{name}/shares": "nnn -nyyy yyynn",
    "PUT /api/v1/destinations/{name}/shares/{person}": "nnn -nyyy ynnny",
    "DELETE /api/v1/destinations/{name}/shares/{person}": "nnn -nyyy ynnny",
}
STATUS = {"n": 403, "-": 404}
DONE = 299


def routes_of(town: Town) -> set[tuple[str, str]]:
    """What the application has, whatever the table says."""
    return {
        (method, route.path)
        for route in _all(town.app.routes)
        for method in route.methods or ()
        if method != "HEAD"  # which is as GET
    }


def _all(routes: Iterable[BaseRoute]) -> Iterator[Route]:
    """Those of routers that were included too."""
    for route in routes:
        if isinstance(route, Route):
            yield route
        else:
            yield from _all(route.original_router.routes)  # type: ignore[attr-defined]  # FastAPI keeps it to itself


@pytest.fixture
async def visitors(town: Town) -> dict[str, Visitor]:
    admin, owner = town.person("admin", Role.ADMIN), town.person("owner", Role.EDITOR)
    account = town.account("Main", owner)
    town.dataset("Shop", owner, account)
    town.destination("Db")
    town.share(Thing.DESTINATION, "Db", owner, Level.OWNER)
    found = {}
    for kind in KINDS:
        role, _, level = kind.partition(" ")
        if role in {"viewer", "editor"}:
            user = town.person(kind, Role(role))
            if level:
                town.share(Thing.DATASET, "Shop", user, Level(level))
                town.share(Thing.ACCOUNT, "Main", user, Level(level))
                town.share(Thing.DESTINATION, "Db", user, Level(level))
            found[kind] = await signed_in(town, kind)
    found["admin"] = await signed_in(town, "admin")
    found["admin's key to read"] = town.with_key(admin, Right.READ)
    for right in (Right.READ, Right.RUN, Right.EDIT):
        found[f"owner's key to {right}"] = town.with_key(owner, right)
    return found


async def signed_in(town: Town, name: str) -> Visitor:
    """Without the password's cost."""
    secret = begin_session(town.house, town.house.store.people.find(name), "127.0.0.1", by="password")
    return Visitor(town.app, {"cookie": f"session={secret}"})


def test_the_table_is_of_all_routes(town: Town) -> None:
    """A new route that nobody has thought of who may use it is found here, and answers nobody until then."""
    told = {tuple(row.split(" ")) for row in TABLE} | PUBLIC
    assert routes_of(town) == told == set(POLICY)
    assert {(method, path) for (method, path), rule in POLICY.items() if rule.right is None} == PUBLIC
    assert {len(letters.replace(" ", "")) for letters in TABLE.values()} == {len(KINDS)}


@pytest.mark.parametrize("login", [{}, {"authorization": "Bearer sck_none"}, {"cookie": "session=none"}])
async def test_without_a_login_every_route_is_refused(town: Town, login: dict[str, str]) -> None:
    town.person("admin", Role.ADMIN)
    asked = Visitor(town.app, login)
    refused = {}
    for method, template in routes_of(town) - PUBLIC:
        answer = await asked(method, template)
        refused[method, template] = (answer.status, *answer.all("www-authenticate"))
    assert set(refused.values()) == {(401, 'Bearer realm="Sentry Connector"')}
    assert (await asked("GET", "/api/v1/nothing")).status == 401, "nobody learns what there is"
    assert (await asked("GET", "/livez")).status == 200


async def test_everybody_may_what_the_table_says(town: Town, visitors: dict[str, Visitor]) -> None:
    """Refusals are those of the application itself; what is let through ends at a stand-in, so that nothing is changed."""

    async def done(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": DONE, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    access = Access(done, town.house, town.place, Policy(), town.app.state.desk)

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await access({**scope, "app": town.app}, receive, send)

    wrong, asked = [], 0
    for row, letters in TABLE.items():
        method, template = row.split(" ")
        name = {"accounts": "Main", "destinations": "Db"}.get(template.removeprefix("/api/v1").split("/")[1], "Shop")
        path = path_of(template, run_id="run-shop", name=name, person="admin")
        for kind, letter in zip(KINDS, letters.replace(" ", ""), strict=True):
            asked += 1
            through = await Visitor(inner, visitors[kind].headers)(method, path)
            answer = through if letter == "y" else await visitors[kind](method, path)
            expected = DONE if letter == "y" else STATUS[letter]
            if {answer.status, through.status} != {expected}:
                wrong.append((row, kind, letter, answer.status, through.status))
    assert wrong == []
    assert asked == len(TABLE) * len(KINDS) >= 900


async def test_a_route_that_is_not_in_the_policy_answers_nobody(town: Town) -> None:
    @town.app.get("/api/v1/forgotten")
    def forgotten() -> str:
        return "anything"

    town.person("admin", Role.ADMIN)
    admin = await signed_in(town, "admin")
    assert (await admin("GET", "/api/v1/forgotten")).status == 404
    assert (await admin("PUT", "/api/v1/me")).status == 405
    assert (await admin("HEAD", "/version")).status == 200


async def test_without_people_the_machines_user_may_do_all_and_paths_are_still_those_of_the_policy(
    tmp_path: Path,
) -> None:
    town = Town(tmp_path / "home", Place())
    town.dataset("Shop")
    assert [one["id"] for one in (await town.nobody("GET", "/api/v1/runs")).json] == ["run-shop"]
    assert (await town.nobody("GET", "/api/v1/me")).json["user"] is None
    assert (await town.nobody("GET", "/api/v1/forgotten")).status == 404
    town.person("admin", Role.ADMIN)
    assert (await town.nobody("GET", "/api/v1/runs")).status == 401, "from the first person on"
    town.close()


async def test_what_a_body_names_is_refused_like_what_a_path_names(town: Town, visitors: dict[str, Visitor]) -> None:
    async def run(kind: str) -> Answer:
        return await visitors[kind]("POST", "/api/v1/runs", {"dataset": "Shop"})

    statuses = {kind: (await run(kind)).status for kind in KINDS}
    assert statuses["editor"] == 404, "not there for whom it was not shared with"
    assert statuses["editor use"] == statuses["editor share"] == 403
    assert statuses["viewer use"] == statuses["viewer owner"] == 403
    assert statuses["owner's key to read"] == statuses["owner's key to edit"] == 403
    assert statuses["editor edit"] == 202
    assert statuses["owner's key to run"] in {202, 409}
    problem = (await run("editor")).json
    assert "Shop" not in problem["remedy"], "no name is suggested that they may not see"


async def test_lists_hold_what_the_person_may_see(town: Town, visitors: dict[str, Visitor]) -> None:
    town.dataset("Other")
    seen = {}
    for kind in KINDS[:-2]:
        answer = await visitors[kind]("GET", "/api/v1/runs")
        seen[kind] = {one["id"] for one in answer.json}
    assert seen["viewer"] == seen["editor"] == set()
    assert seen["viewer use"] == seen["editor owner"] == seen["owner's key to read"] == {"run-shop"}
    assert seen["admin"] == seen["admin's key to read"] == {"run-shop", "run-other"}
    assert (await visitors["editor use"]("GET", "/api/v1/runs?dataset=Other")).status == 404
    assert (await visitors["editor use"]("GET", "/api/v1/runs?before=run-other")).status == 404


async def test_nobody_gives_more_than_they_have_and_the_last_owner_stays(
    town: Town, visitors: dict[str, Visitor]
) -> None:
    path = "/api/v1/datasets/Shop/shares"
    share, edit = visitors["editor share"], visitors["editor edit"]
    assert (await share("PUT", f"{path}/editor", {"level": "edit"})).status == 403
    assert (await share("PUT", f"{path}/editor", {"level": "share"})).status == 200
    assert (await share("DELETE", f"{path}/owner")).status == 403, "nor take more"
    assert (await edit("PUT", f"{path}/editor%20edit", {"level": "owner"})).status == 403, "not to oneself either"
    for kind in ("viewer owner", "editor owner"):
        assert (await visitors["admin"]("DELETE", f"{path}/{kind.replace(' ', '%20')}")).status == 200
    last = await visitors["admin"]("DELETE", f"{path}/owner")
    assert (last.status, "last owner" in last.json["message"]) == (422, True)


async def test_who_is_not_let_in_with_what_they_send_is_in_the_servers_log(town: Town) -> None:
    town.person("admin", Role.ADMIN)
    secret = "sck_" + "x" * 43
    await Visitor(town.app, {"authorization": f"Bearer {secret}"}, address="192.0.2.7")("GET", "/api/v1/runs/any/log")
    await town.nobody("GET", "/api/v1/runs")
    lines = log_path(town.house.logs, "server").read_text()
    assert lines.count("not let in") == 1
    assert '"address":"192.0.2.7"' in lines
    assert '"path":"/api/v1/runs/{run_id}/log"' in lines
    assert secret not in lines


async def test_refusals_are_written_down(town: Town, visitors: dict[str, Visitor]) -> None:
    await visitors["editor use"]("POST", "/api/v1/runs/run-shop/cancel")
    entry = town.house.store.audit.recent(limit=1)[0]
    assert (entry.actor, entry.via, entry.outcome) == ("editor use", "session", "refused")
    assert entry.facts["path"] == "/api/v1/runs/{run_id}/cancel"
