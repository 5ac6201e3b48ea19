from __future__ import annotations

import pytest
from tests.simulator.asking import Asking
from tests.simulator.conftest import Serving

from sentry_connector.simulator import (
    EXPIRED_TOKEN,
    INTEGRATION_TOKEN,
    ORG_TOKEN,
    PROJECT_TOKEN,
    SSO_TOKEN,
    TOKEN,
    World,
)

NO_PERMISSION = {"detail": "You do not have permission to perform this action."}
NOT_THERE = {"detail": "The requested resource does not exist"}
BY_SCOPE = {
    "org:read": ("organizations/", "organizations/acme/", "organizations/acme/projects/", "organizations/acme/teams/",
                 "organizations/acme/stats/"),
    "org:ci": ("organizations/acme/repos/",),
    "team:read": ("teams/acme/web/stats/",),
    "event:read": ("organizations/acme/issues/", "organizations/acme/issues/2/", "issues/2/events/",
                   "projects/acme/shop/issues/"),
    "project:read": ("projects/", "projects/acme/shop/", "projects/acme/shop/stats/", "projects/acme/shop/events/",
                     "projects/acme/shop/users/", "projects/acme/shop/user-feedback/", "teams/acme/web/projects/"),
}  # fmt: skip
SCOPES = [(scope, path) for scope, paths in BY_SCOPE.items() for path in paths]


@pytest.mark.parametrize(("scope", "path"), SCOPES)
async def test_each_endpoint_wants_its_scope(sentry: Asking, scope: str, path: str) -> None:
    expected = {TOKEN: 200, PROJECT_TOKEN: 403, ORG_TOKEN: 403}
    expected |= {"project:read": {PROJECT_TOKEN: 200}, "org:ci": {ORG_TOKEN: 200}}.get(scope, {})
    assert {token: (await sentry.get(path, token)).status for token in expected} == expected


async def test_a_missing_scope_is_not_named(sentry: Asking) -> None:
    assert (await sentry.get("organizations/", PROJECT_TOKEN)).json == NO_PERMISSION


@pytest.mark.parametrize(
    ("token", "detail"),
    [
        (None, "Authentication credentials were not provided."),
        ("wrong", "Invalid token"),
        (EXPIRED_TOKEN, "Token expired"),
        (
            SSO_TOKEN,
            {"code": "sso-required", "message": "Must login via SSO", "extra": {"loginUrl": "/auth/login/acme/"}},
        ),
    ],
)
async def test_401_gives_its_detail_as_text_or_as_object(sentry: Asking, token: str | None, detail: object) -> None:
    told = await sentry.get("organizations/", token)
    assert (told.status, told.json) == (401, {"detail": detail})


async def test_the_root_names_scopes_and_user(sentry: Asking) -> None:
    told = (await sentry.get("")).json
    assert set(told["auth"]["scopes"]) == {"org:read", "project:read", "team:read", "event:read"}
    assert told["user"]["id"] == "1"
    assert (await sentry.get("", ORG_TOKEN)).json["user"] is None
    assert (await sentry.get("", None)).json == {"version": "0", "auth": None, "user": None}


async def test_an_integration_belongs_to_one_organization_and_to_no_team(sentry: Asking) -> None:
    for path in ("organizations/", "projects/"):
        assert (await sentry.get(path, INTEGRATION_TOKEN)).json == []
    assert len((await sentry.get("organizations/acme/projects/", INTEGRATION_TOKEN)).json) == 6
    assert (await sentry.get("organizations/globex/projects/", INTEGRATION_TOKEN)).json == NO_PERMISSION
    assert len((await sentry.get("organizations/acme/issues/?query=", INTEGRATION_TOKEN)).json) > 0


@pytest.mark.parametrize(
    "path",
    [
        "organizations/nope/",
        "projects/acme/nope/events/",
        "teams/acme/nope/stats/",
        "organizations/acme/issues/999999/",
        "organizations/globex/issues/1/",
        "organizations/acme/issues/1/events/0000/",
        "projects/acme/shop/events/0000/",
        "organizations/acme/shortids/NOPE-1/",
    ],
)
async def test_what_is_not_there_is_404(sentry: Asking, path: str) -> None:
    told = await sentry.get(path)
    assert (told.status, told.json) == (404, NOT_THERE)


@pytest.mark.parametrize("path", ["organizations", "organizations/acme/projects", "nope/"])
async def test_a_missing_slash_is_a_plain_404(sentry: Asking, path: str) -> None:
    told = await sentry.get(path)
    assert told.status == 404
    assert told.headers["Content-Type"].startswith("text/plain")


async def test_an_old_server_answers_an_unknown_path_with_nothing_that_calls_itself_html(
    world: World, serving: Serving
) -> None:
    async with serving(world, era="old") as sentry:
        told = await sentry.get("organizations/acme/issues/2/events/")
    assert (told.status, told.text) == (404, "")
    assert told.headers["Content-Type"].startswith("text/html")


async def test_a_renamed_project_is_a_redirect_with_its_new_slug(sentry: Asking, world: World) -> None:
    world.rename_project("acme", "blog", "journal")
    told = await sentry.get("projects/acme/blog/events/")
    assert (told.status, told.headers["Location"]) == (302, "/api/0/projects/acme/journal/events/")
    extra = {"url": "/api/0/projects/acme/journal/events/", "slug": "journal"}
    detail = {"code": "resource-moved", "message": "Resource has been moved", "extra": extra}
    assert told.json == {"slug": "journal", "detail": detail}
    assert (await sentry.get("projects/acme/journal/events/")).status == 200
    assert (await sentry.get("projects/acme/invoices/events/")).status == 302


async def test_project_lists_refuse_a_period_in_an_envelope_of_their_own(sentry: Asking) -> None:
    for path in ("organizations/acme/projects/", "teams/acme/web/projects/"):
        told = await sentry.get(f"{path}?statsPeriod=3d")
        assert told.status == 400
        assert "Invalid stats_period" in told.json["error"]["params"]["stats_period"]["message"]
        assert (await sentry.get(f"{path}?statsPeriod=14d")).json[0]["stats"]


async def test_pages_and_cursors_that_are_none_are_400(sentry: Asking) -> None:
    for query, detail in (
        ("per_page=101", "Invalid per_page value. Cannot exceed 100."),
        ("cursor=1:2", "Invalid cursor parameter."),
        ("cursor=100:-1:0", "Pagination offset cannot be negative"),
    ):
        told = await sentry.get(f"organizations/acme/projects/?{query}")
        assert (told.status, told.json) == (400, {"detail": detail})
    assert (await sentry.get("projects/acme/shop/events/?cursor=0:-1:0")).status == 500


async def test_nothing_can_be_written(sentry: Asking) -> None:
    async with sentry.session.post(f"{sentry.simulation.url}/api/0/organizations/") as response:
        assert response.status == 405
