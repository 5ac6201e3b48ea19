from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from tests.sentry.support import client_of, json_answer, link, serving

from sentry_connector.errors import ConnectorError, DetailsError, MalformedAnswer, NotFound, ScopeMissing
from sentry_connector.sentry.directory import Directory, IssueReference, Organization, parse_issue

ACME = {"id": "2", "slug": "acme", "name": "Acme", "links": {"regionUrl": "https://us.sentry.io"}, "features": []}
GLOBEX = {"id": "3", "slug": "globex", "name": None, "status": {"id": "active"}}
SHOP = {
    "id": "10",
    "slug": "shop",
    "name": "Shop",
    "platform": "python",
    "teams": [{"id": "5", "slug": "web", "name": "w"}],
}
BLOG: dict[str, Any] = {"id": "11", "slug": "blog", "name": "blog", "platform": None, "teams": []}
BULK = {"id": "12", "slug": "bulk", "name": "bulk"}
ISSUE = {
    "id": "77",
    "shortId": "SHOP-2A",
    "title": "Boom",
    "count": "3",
    "project": {"id": "10", "slug": "shop", "name": "Shop"},
}
NOT_A_MEMBER = 403
BASE = "http://127.0.0.1"

OPEN = {
    "/": {
        "version": "0",
        "auth": {"scopes": ["org:read"]},
        "user": {"id": "1", "name": "Ada", "email": "a@example.com"},
    },
    "/organizations/": [GLOBEX, ACME],
    "/organizations/acme/": ACME,
    "/organizations/acme/projects/": [SHOP, BLOG],
    "/organizations/globex/projects/": [BULK],
    "/organizations/acme/teams/": [
        {"id": "5", "slug": "web", "name": "Web", "projects": [SHOP, BLOG]},
        {"id": "4", "slug": "empty", "name": None, "projects": []},
    ],
    "/teams/acme/web/projects/": [SHOP, BLOG],
    "/projects/": [SHOP | {"organization": ACME}, BULK | {"organization": GLOBEX}],
    "/organizations/acme/issues/77/": ISSUE,
    "/organizations/acme/shortids/SHOP-2A/": {"shortId": "SHOP-2A", "groupId": "77", "group": ISSUE},
}
ORGANIZATIONS_REFUSED = {"/organizations/": 403, "/organizations/acme/": 403, "/organizations/acme/projects/": 403}


class Sentry:
    """A server of fixed answers by path: JSON, or a status; `asked` counts the requests of each path."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: dict[str, int] = {}

    async def __call__(self, request: web.Request) -> web.Response:
        path = request.path.replace("//", "/").removeprefix("/api/0")
        self.asked[path] = self.asked.get(path, 0) + 1
        answer = self.answers.get(path, 404)
        if isinstance(answer, int):
            return web.Response(status=answer, text='{"detail": "no"}')
        return json_answer(json.dumps(answer))


@contextlib.asynccontextmanager
async def directory_of(sentry: Sentry) -> AsyncIterator[Directory]:
    async with serving(sentry) as port, client_of(port) as client:
        yield Directory(client)


def organization(slug: str, url: str) -> Organization:
    return Organization(id=None, slug=slug, name=slug, url=url)


async def test_who_am_i_tells_the_scopes_and_the_user() -> None:
    async with directory_of(Sentry(OPEN)) as directory:
        identity = await directory.who_am_i()
    assert (identity.version, identity.scopes, identity.user_id, identity.name) == ("0", ("org:read",), "1", "Ada")


async def test_an_unknown_token_has_no_scopes_and_no_user() -> None:
    async with directory_of(Sentry({"/": {"version": "0", "auth": None, "user": None}})) as directory:
        identity = await directory.who_am_i()
    assert (identity.scopes, identity.user_id) == (None, None)


async def test_lists_are_sorted_by_slug_and_say_to_whom_each_thing_belongs() -> None:
    async with directory_of(Sentry(OPEN)) as directory:
        acme, globex = await directory.organizations()
        projects, teams = await directory.projects(acme), await directory.teams(acme)
        of_team = await directory.team_projects(teams[1])
    assert (acme.slug, acme.id, acme.name, globex.name) == ("acme", "2", "Acme", "globex")
    assert [(row.id, row.slug, row.organization, row.organization_id) for row in projects] == [
        ("11", "blog", "acme", "2"),
        ("10", "shop", "acme", "2"),
    ]
    assert projects[1].teams == (("5", "web"),)
    assert [(row.slug, row.name, row.projects) for row in teams] == [
        ("empty", "empty", ()),
        ("web", "Web", (("11", "blog"), ("10", "shop"))),
    ]
    assert of_team == projects


async def test_each_list_is_asked_once_even_by_many_at_the_same_time() -> None:
    sentry = Sentry(OPEN)
    async with directory_of(sentry) as directory:
        acme = (await asyncio.gather(*(directory.organization("acme") for _ in range(5))))[0]
        await asyncio.gather(*(directory.projects(acme) for _ in range(5)), directory.projects_seen())
    assert set(sentry.asked.values()) == {1}


async def test_an_error_is_not_kept() -> None:
    sentry = Sentry(OPEN | {"/organizations/": 403})
    async with directory_of(sentry) as directory:
        with pytest.raises(ScopeMissing):
            await directory.organizations()
        sentry.answers = OPEN
        assert len(await directory.organizations()) == 2


async def test_all_pages_are_read_and_a_row_that_shifted_between_them_is_there_once() -> None:
    pages = {None: [BLOG, SHOP], "100:1:0": [SHOP, BULK]}

    async def paged(request: web.Request) -> web.Response:
        assert request.query["per_page"] == "100"
        cursor = request.query.get("cursor")
        return json_answer(json.dumps(pages[cursor]), Link=link("100:1:0", results=cursor is None))

    async with serving(paged) as port, client_of(port) as client:
        projects = await Directory(client).projects(organization("acme", client.base_url))
    assert [project.slug for project in projects] == ["blog", "bulk", "shop"]


async def test_a_self_hosted_servers_other_name_is_not_where_the_token_goes() -> None:
    async with directory_of(Sentry(OPEN)) as directory:
        assert {row.url[: len(BASE)] for row in await directory.organizations()} == {BASE}


@pytest.mark.parametrize("given", ["acme", "2"])
async def test_an_organization_is_found_by_slug_and_by_id(given: str) -> None:
    async with directory_of(Sentry(OPEN)) as directory:
        assert (await directory.organization(given)).name == "Acme"


async def test_an_organization_that_the_list_lacks_is_asked_for_itself() -> None:
    async with directory_of(Sentry(OPEN | {"/organizations/": []})) as directory:
        assert (await directory.organization("acme")).id == "2"
        with pytest.raises(NotFound):
            await directory.organization("nobody")


async def test_an_organization_that_others_own_is_refused_where_the_token_reads_organizations() -> None:
    async with directory_of(Sentry(OPEN | {"/organizations/others/": NOT_A_MEMBER})) as directory:
        with pytest.raises(ScopeMissing):
            await directory.organization("others")


async def test_a_token_for_projects_alone_learns_an_organizations_id_from_the_projects_it_sees() -> None:
    async with directory_of(Sentry(OPEN | ORGANIZATIONS_REFUSED)) as directory:
        assert (await directory.organization("acme")).id == "2"
        assert [(row.slug, row.organization, row.organization_id) for row in await directory.projects_seen()] == [
            ("bulk", "globex", "3"),
            ("shop", "acme", "2"),
        ]


async def test_where_everything_is_refused_the_slug_is_taken_at_its_word() -> None:
    async with directory_of(Sentry(OPEN | ORGANIZATIONS_REFUSED | {"/projects/": 403})) as directory:
        acme = await directory.organization("acme")
    assert (acme.id, acme.slug) == (None, "acme")


@pytest.mark.parametrize(
    "body", ["{}", '[{"slug": "a"}]', '[{"id": 1, "slug": "a"}]', "[1]", '["a]"]', '[{"id":"1","slug":"\\ud8"}]']
)
async def test_rows_of_another_shape_are_an_error_and_not_an_empty_list(body: str) -> None:
    async def odd(request: web.Request) -> web.Response:
        return json_answer(body)

    async with serving(odd) as port, client_of(port) as client:
        with pytest.raises(MalformedAnswer):
            await Directory(client).organizations()


async def test_a_project_of_the_legacy_list_without_an_organization_is_an_error() -> None:
    async with directory_of(Sentry({"/projects/": [SHOP]})) as directory:
        with pytest.raises(MalformedAnswer):
            await directory.projects_seen()


# --- issues -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reference",
    ["77", "SHOP-2A", "shop-2a", "{base}/organizations/acme/issues/77/events/", "{base}/acme/shop/issues/77/"],
)
async def test_an_issue_is_found_by_id_short_id_and_address(reference: str) -> None:
    async with serving(Sentry(OPEN)) as port, client_of(port) as client:
        issue = await Directory(client).issue(reference.format(base=client.base_url))
    assert (issue.id, issue.short_id, issue.title) == ("77", "SHOP-2A", "Boom")
    assert (issue.organization, issue.organization_id, issue.project, issue.project_id) == ("acme", "2", "shop", "10")


async def test_an_old_server_is_asked_by_the_unscoped_address_and_the_project_tells_the_organization() -> None:
    old = {path: answer for path, answer in OPEN.items() if "/issues/" not in path} | {"/issues/77/": ISSUE}
    async with directory_of(Sentry(old)) as directory:
        assert (await directory.issue("77")).organization == "acme"
        globex = (await directory.organizations())[1]
        with pytest.raises(NotFound):
            await directory.issue("77", [globex])


async def test_a_token_without_org_read_finds_a_short_id_through_the_project_of_its_name() -> None:
    refused = OPEN | ORGANIZATIONS_REFUSED | {"/organizations/globex/projects/": 403}
    refused |= {"/organizations/acme/shortids/SHOP-2A/": 403, "/organizations/globex/shortids/SHOP-2A/": 403}
    refused["/projects/acme/shop/issues/"] = [ISSUE | {"id": "1", "shortId": "SHOP-1"}, ISSUE]
    async with directory_of(Sentry(refused)) as directory:
        assert (await directory.issue("shop-2a")).id == "77"


@pytest.mark.parametrize("reference", ["78", "SHOP-ZZ", "NOBODY-1"])
async def test_an_issue_that_is_nowhere_is_not_found(reference: str) -> None:
    async with directory_of(Sentry(OPEN)) as directory:
        with pytest.raises(NotFound):
            await directory.issue(reference)


async def test_a_token_without_event_read_is_told_so_and_not_that_there_is_no_issue() -> None:
    async with directory_of(Sentry(OPEN | {"/organizations/acme/issues/77/": 403})) as directory:
        with pytest.raises(ScopeMissing):
            await directory.issue("77")


async def test_equal_ids_in_two_regions_are_not_guessed_between() -> None:
    async with serving(Sentry(OPEN)) as port, client_of(port) as client:
        here, elsewhere = organization("acme", client.base_url), organization("acme", f"{client.base_url}/")
        with pytest.raises(DetailsError):
            await Directory(client).issue("77", [here, elsewhere])


async def test_one_hit_on_a_host_is_enough_since_ids_are_unique_there() -> None:
    sentry = Sentry(OPEN)
    async with serving(sentry) as port, client_of(port) as client:
        places = [organization("acme", client.base_url), organization("globex", client.base_url)]
        assert (await Directory(client).issue("77", places)).organization == "acme"
    assert list(sentry.asked) == ["/organizations/acme/issues/77/"]


@pytest.mark.parametrize(
    ("reference", "parsed"),
    [
        (" 42 ", IssueReference(id="42")),
        ("shop-1a", IssueReference(short_id="SHOP-1A")),
        ("MY-SHOP_2-1A", IssueReference(short_id="MY-SHOP_2-1A")),
        ("https://sentry.io/organizations/acme/issues/42/?project=1", IssueReference(id="42", organization="acme")),
        ("https://sentry.io/organizations/acme/issues/42", IssueReference(id="42", organization="acme")),
        ("sentry.io/acme/shop/issues/42/events/1f/", IssueReference(id="42", organization="acme")),
        ("https://acme.sentry.io/issues/42/", IssueReference(id="42", organization="acme")),
        ("https://acme.sentry.io/issues/SHOP-1A/", IssueReference(short_id="SHOP-1A", organization="acme")),
        ("https://sentry.io/issues/42/", IssueReference(id="42")),
    ],
)
def test_a_reference_is_told_apart(reference: str, parsed: IssueReference) -> None:
    assert parse_issue(reference, "https://sentry.io") == parsed


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "shop",
        "-1",
        "4 2",
        "٤٢",
        "1" * 40,
        "../42",
        "https://evil.example/organizations/acme/issues/42/",
        "https://notsentry.io/issues/42/",
        "https://sentry.io/organizations/acme/",
        "https://sentry.io/issues//",
        "https://[/issues/1/",
    ],
)
def test_a_reference_that_is_none_is_refused(reference: str) -> None:
    with pytest.raises(DetailsError):
        parse_issue(reference, "https://sentry.io")


async def test_hostile_slugs_of_a_reference_stay_one_path_segment() -> None:
    sentry = Sentry(OPEN)
    async with serving(sentry) as port, client_of(port) as client:
        with pytest.raises(ConnectorError):
            await Directory(client).issue(f"http://127.0.0.1:{port}/organizations/..%2F..%2Fadmin/issues/42/")
    assert all(path.startswith(("/organizations/", "/issues/")) for path in sentry.asked)
