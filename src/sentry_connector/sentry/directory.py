"""Who is there: organizations, projects, teams and issues that a token sees, for menus and for planning."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from sentry_connector.errors import CredentialError, DetailsError, NotFound, ScopeMissing
from sentry_connector.sentry.address import origin
from sentry_connector.sentry.client import SentryClient
from sentry_connector.sentry.records import (
    AnyRow,
    Identity,
    Issue,
    IssueReference,
    IssueRow,
    Organization,
    OrganizationRow,
    Project,
    ProjectRow,
    RootRow,
    ShortIdRow,
    Team,
    TeamRow,
    UserRow,
    decode,
    issue_of,
    owner_of,
    owners_of,
    present,
    project_of,
    team_of,
)
from sentry_connector.sentry.wire import CursorKind, Request, api_path, cursor_kind

__all__ = ["Directory", "Identity", "Issue", "IssueReference", "Organization", "Project", "Team", "parse_issue"]

Value = TypeVar("Value")
PAGE_SIZE = 100
PAGE = (("per_page", str(PAGE_SIZE)),)
SLUGS_AT_ONCE = 60
"""Projects that one request searches for; their slugs, of 50 characters at most, must fit into an address."""
MOST_READINGS = 5
"""How often a list that moves is read."""


class Directory:
    """Lists of one account, each asked once per instance; every list is whole, without doubles, sorted by slug.

    Args:
        client: an open client.
        report: the report that the lists are asked for, named when Sentry refuses.
    """

    def __init__(self, client: SentryClient, *, report: str | None = None) -> None:
        self._client = client
        self._report = report
        self._known: dict[str, Any] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    def trusted(self, url: str) -> str:
        """The URL of a region that Sentry named earlier, or the account's own where the token is not for it."""
        return self._client.trust(url)

    async def who_am_i(self) -> Identity:
        """The server's version and the token's scopes and user, from the root of the API."""
        root = await self._one(Request(base_url=self._client.base_url, path="/", subject="API root"), RootRow)
        user = root.user or UserRow()
        return Identity(
            version=root.version, scopes=root.auth.scopes if root.auth else None, user_id=user.id, name=user.name
        )

    async def organizations(self) -> tuple[Organization, ...]:
        """The organizations of the token's user. An integration's token may get an empty list.

        Raises:
            ScopeMissing: the token has no org:read; `organization` may still find a named one.
        """
        request = self._request("/organizations/", "organizations", "org:read")
        return await self._once("organizations", lambda: self._organizations(request))

    async def organization(self, given: str) -> Organization:
        """The organization of a slug or id, known as well as the token allows.

        Asked are the list, then the organization itself, then the projects that the token sees. Where all of these are
        refused, the slug is taken at its word and the id is None.

        Raises:
            NotFound: there is no such organization for this token.
            ScopeMissing: the token reads organizations, but not this one.
        """
        listed = await _unless(ScopeMissing, self.organizations())
        for organization in listed or ():
            if given in {organization.id, organization.slug}:
                return organization
        try:
            return await self._once(f"organization {given}", lambda: self._organization(given))
        except ScopeMissing:
            if listed is not None:
                raise
        for project in await _unless(ScopeMissing, self.projects_seen()) or ():
            if given in {project.organization, project.organization_id}:
                return owner_of(project)
        return Organization(id=None, slug=given, name=given, url=self._client.base_url)

    async def projects(self, organization: Organization) -> tuple[Project, ...]:
        """All projects of an organization.

        Raises:
            ScopeMissing: the token has no org:read; `projects_seen` may do.
        """
        path = api_path("/organizations/{organization}/projects/", organization=organization.slug)
        request = self._request(path, f"organization {organization.slug}", "org:read", url=organization.url)
        return await self._once(f"projects {organization.url}{path}", lambda: self._projects(request, organization))

    async def project(self, organization: Organization, given: str) -> Project:
        """One project of an organization by its slug or id, in one request however many projects there are.

        A project that was renamed is found by its former slug, as long as Sentry remembers it.

        Raises:
            NotFound: there is no such project for this token.
            ScopeMissing: the token has no project:read.
        """
        try:
            return await self._project_named(organization, given)
        except NotFound as error:
            renamed = error.data.get("moved_to")
            if renamed is None:
                raise
        return await self._project_named(organization, renamed)

    async def expect_projects(self, organization: Organization, slugs: Sequence[str]) -> None:
        """Look up several projects of an organization in few requests; `project` then asks for none of them.

        Those that are not found thus, whatever the reason, are left to `project`: old servers do not search by slug.
        """
        path = api_path("/organizations/{organization}/projects/", organization=organization.slug)
        for start in range(0, len(slugs), SLUGS_AT_ONCE):
            query = ("query", " ".join(f"slug:{slug}" for slug in slugs[start : start + SLUGS_AT_ONCE]))
            request = self._request(
                path, f"organization {organization.slug}", "org:read", (*PAGE, query), url=organization.url
            )
            rows = await _unless(CredentialError, self._one(request, tuple[ProjectRow, ...]))
            if not rows:
                return
            for row in rows:
                self._known.setdefault(_key_of_project(organization, row.slug), project_of(row, organization))

    async def projects_seen(self) -> tuple[Project, ...]:
        """The projects of the teams that the token's user is in, by the legacy list: what a project:read token can ask.

        It answers for one region and lacks the projects of other teams, so `projects` is better wherever it is allowed.
        Sentry is about to drop it.

        Raises:
            ScopeMissing: the token has no project:read.
            NotFound: the server has dropped the list.
        """
        request = self._request("/projects/", "projects", "project:read")
        return await self._once("projects seen", lambda: self._projects(request, None))

    async def teams(self, organization: Organization) -> tuple[Team, ...]:
        """All teams of an organization.

        Raises:
            ScopeMissing: the token has no org:read.
        """
        path = api_path("/organizations/{organization}/teams/", organization=organization.slug)
        request = self._request(path, f"organization {organization.slug}", "org:read", url=organization.url)
        return await self._once(f"teams {organization.url}{path}", lambda: self._teams(request, organization))

    async def team_projects(self, team: Team) -> tuple[Project, ...]:
        """The active projects of a team.

        Raises:
            ScopeMissing: the token has no project:read.
        """
        path = api_path("/teams/{organization}/{team}/projects/", organization=team.organization, team=team.slug)
        request = self._request(path, f"team {team.organization}/{team.slug}", "project:read", url=team.url)
        owner = Organization(id=team.organization_id, slug=team.organization, name=team.organization, url=team.url)
        return await self._once(f"team projects {team.url}{path}", lambda: self._projects(request, owner))

    async def issue(self, reference: str, organizations: Sequence[Organization] = ()) -> Issue:
        """The issue of an id, a short id (`SHOP-1A`) or an address of its page.

        Args:
            reference: as a person typed it.
            organizations: where to look; if empty, the one that the address names, else all that the token sees.

        Raises:
            DetailsError: the reference is none of these, or there is such an issue on several hosts.
            NotFound: there is no such issue in these organizations.
            ScopeMissing: the token has no event:read.
        """
        parsed = parse_issue(reference, self._client.base_url)
        organizations = organizations or await self._where_to_look(parsed.organization)
        found = await self._matches(parsed, organizations)
        if not found and parsed.id:
            found = await self._legacy_matches(parsed.id, organizations)
        if len(found) > 1:
            raise DetailsError(
                "issue", f"{reference!r} is an issue on {len(found)} hosts; choose its organization too."
            )
        if not found:
            raise NotFound(f"There is no issue {reference!r} in the chosen organizations.", given=reference)
        return found[0]

    async def _where_to_look(self, named: str | None) -> Sequence[Organization]:
        """The organization that an issue's address names, else all that the token sees."""
        if named:
            return (await self.organization(named),)
        listed = await _unless(ScopeMissing, self.organizations())
        return listed if listed is not None else owners_of(await self.projects_seen())

    async def _matches(self, parsed: IssueReference, organizations: Sequence[Organization]) -> list[Issue]:
        """The issue on each host; ids are unique on a host, so that one hit there is enough."""
        hits: dict[str, Issue] = {}
        for organization in organizations:
            if organization.url not in hits and (row := await self._look_up(parsed, organization)):
                hits[organization.url] = issue_of(row, organization)
        return list(hits.values())

    async def _look_up(self, parsed: IssueReference, organization: Organization) -> IssueRow | None:
        if parsed.id:
            return await self._by_id(parsed.id, organization)
        return await self._by_short_id(parsed.short_id or "", organization)

    async def _by_id(self, issue_id: str, organization: Organization) -> IssueRow | None:
        """The issue by its id within an organization; old servers do not know this address."""
        path = api_path("/organizations/{organization}/issues/{issue}/", organization=organization.slug, issue=issue_id)
        request = self._issue_request(path, issue_id, organization.url)
        return await _unless(NotFound, self._one(request, IssueRow))

    async def _by_short_id(self, short_id: str, organization: Organization) -> IssueRow | None:
        """By the organization's short ids; where a token without org:read is refused, by the project of that name."""
        path = api_path(
            "/organizations/{organization}/shortids/{issue}/", organization=organization.slug, issue=short_id
        )
        try:
            return (await self._one(self._issue_request(path, short_id, organization.url), ShortIdRow)).group
        except NotFound:
            return None
        except ScopeMissing:
            return await self._by_project(short_id, organization)

    async def _by_project(self, short_id: str, organization: Organization) -> IssueRow | None:
        """Short ids begin with the slug of their project, in capitals, as long as nobody renamed it."""
        for project in await self._projects_of(organization):
            if short_id.upper().startswith(f"{project.slug.upper()}-"):
                path = api_path("/projects/{o}/{p}/issues/", o=organization.slug, p=project.slug)
                params = (("shortIdLookup", "1"), ("query", short_id))
                request = self._request(
                    path, f"issue {short_id}", "event:read", params, url=project.url, family="project-issues"
                )
                rows = await self._one(request, tuple[IssueRow, ...])
                return next((row for row in rows if (row.short_id or "").upper() == short_id.upper()), None)
        return None

    async def _legacy_matches(self, issue_id: str, organizations: Sequence[Organization]) -> list[Issue]:
        """The issue by the unscoped address of old servers, if its project is one of the organizations'."""
        request = self._issue_request(api_path("/issues/{issue}/", issue=issue_id), issue_id, self._client.base_url)
        row = await _unless(NotFound, self._one(request, IssueRow))
        for organization in organizations if row else ():
            if row and any(project.id == row.project.id for project in await self._projects_of(organization)):
                return [issue_of(row, organization)]
        return []

    async def _projects_of(self, organization: Organization) -> Sequence[Project]:
        """The organization's projects, where that list is refused those of them that the token's user sees."""
        listed = await _unless(ScopeMissing, self.projects(organization))
        if listed is not None:
            return listed
        return [row for row in await self.projects_seen() if row.organization == organization.slug]

    # --- asking ------------------------------------------------------------------------------------------------------

    def _request(
        self,
        path: str,
        subject: str,
        scope: str,
        params: tuple[tuple[str, str], ...] = PAGE,
        *,
        url: str | None = None,
        family: str = "default",
    ) -> Request:
        return Request(
            base_url=url or self._client.base_url,
            path=path,
            params=params,
            family=family,
            subject=subject,
            scope=scope,
            report=self._report,
        )

    def _issue_request(self, path: str, name: str, url: str) -> Request:
        return self._request(path, f"issue {name}", "event:read", (), url=url, family="issue-detail")

    async def _organizations(self, request: Request) -> tuple[Organization, ...]:
        rows = await self._all(request, list[OrganizationRow])
        return tuple(self._organization_of(row) for row in rows)

    async def _organization(self, given: str) -> Organization:
        path = api_path("/organizations/{organization}/", organization=given)
        return self._organization_of(
            await self._one(self._request(path, f"organization {given}", "org:read", ()), OrganizationRow)
        )

    async def _projects(self, request: Request, owner: Organization | None) -> tuple[Project, ...]:
        """Projects of a list; those of the legacy list name their organization themselves."""
        rows = await self._all(request, list[ProjectRow])
        return tuple(
            project_of(row, owner or self._organization_of(present(row.organization, request))) for row in rows
        )

    async def _project_named(self, organization: Organization, slug: str) -> Project:
        """A project, which names its organization itself."""
        path = api_path("/projects/{organization}/{project}/", organization=organization.slug, project=slug)
        request = self._request(path, f"project {organization.slug}/{slug}", "project:read", (), url=organization.url)

        async def read() -> Project:
            row = await self._one(request, ProjectRow)
            return project_of(row, self._organization_of(present(row.organization, request)))

        return await self._once(_key_of_project(organization, slug), read)

    async def _teams(self, request: Request, owner: Organization) -> tuple[Team, ...]:
        return tuple(team_of(row, owner) for row in await self._all(request, list[TeamRow]))

    def _organization_of(self, row: OrganizationRow) -> Organization:
        url = self._client.trust(row.links.region_url if row.links else None)
        return Organization(id=row.id, slug=row.slug, name=row.name or row.slug, url=url)

    async def _one(self, request: Request, kind: type[Value]) -> Value:
        return decode(await self._client.get(request), kind)

    async def _all(self, request: Request, kind: type[list[AnyRow]]) -> list[AnyRow]:
        """All rows of all pages by slug, each once.

        A list whose pages are counted shifts where something comes or goes before the place of reading: it is read until two
        readings agree, and whatever one of them showed is taken.
        """
        rows, counted = await self._reading(request, kind)
        before = rows
        for _ in range(MOST_READINGS - 1 if counted else 0):
            again, _ = await self._reading(request, kind)
            rows = rows | again
            if again.keys() == before.keys():
                break
            before = again
        return sorted(rows.values(), key=lambda row: (row.slug, row.id))

    async def _reading(self, request: Request, kind: type[list[AnyRow]]) -> tuple[dict[str, AnyRow], bool]:
        """The rows of all pages by id; whether there are several pages, and they are counted."""
        rows: dict[str, AnyRow] = {}
        kinds = set()
        async for page in self._client.pages(request):
            rows |= {row.id: row for row in decode(page, kind)}
            if page.next_cursor is not None:
                kinds.add(cursor_kind(page.next_cursor, PAGE_SIZE))
        return rows, CursorKind.PAGES in kinds

    async def _once(self, key: str, read: Callable[[], Awaitable[Value]]) -> Value:
        """What `read` gave when it was first asked for under this key; an error is not kept."""
        async with self._locks.setdefault(key, asyncio.Lock()):
            if key not in self._known:
                self._known[key] = await read()
            value: Value = self._known[key]
            return value


def parse_issue(reference: str, base_url: str) -> IssueReference:
    """Tell an issue's id, short id and address apart.

    Addresses are `…/organizations/acme/issues/42/`, `…/acme/shop/issues/42/` and `https://acme.sentry.io/issues/42/`,
    with anything after the number; instead of the number there may be a short id.

    Args:
        reference: as a person typed it.
        base_url: the account's; an address of another host is refused.

    Raises:
        DetailsError: it is none of these.
    """
    reference = reference.strip()
    if "/" in reference:
        return _parse_address(reference, base_url)
    if re.fullmatch(r"[0-9]{1,20}", reference):
        return IssueReference(id=reference)
    if re.fullmatch(r"[A-Za-z0-9_-]{1,200}-[A-Za-z0-9]{1,20}", reference):
        return IssueReference(short_id=reference.upper())
    raise DetailsError("issue", f"{reference[:100]!r} is no issue's id, short id or address.")


def _parse_address(address: str, base_url: str) -> IssueReference:
    host, path = _host_and_path(address if "://" in address else f"https://{address}")
    account = origin(base_url)[1]
    before, _, after = path.partition("/issues/")
    name = after.split("/")[0]
    if not name or not (host == account or host.endswith(f".{account}")):
        raise DetailsError("issue", f"{address[:200]!r} is no address of an issue on {account}.")
    named = [segment for segment in before.removeprefix(urlsplit(base_url).path).split("/") if segment]
    if named[:1] == ["organizations"]:
        named = named[1:]
    named.append(host.removesuffix(account).rstrip("."))
    return msgspec.structs.replace(parse_issue(name, base_url), organization=named[0] or None)


def _host_and_path(url: str) -> tuple[str, str]:
    """The parts of an address that tell an issue, empty where it is no address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.hostname or "", parts.path


def _key_of_project(organization: Organization, slug: str) -> str:
    return f"project {organization.url} {organization.slug}/{slug}"


async def _unless(kind: type[Exception], answer: Awaitable[Value]) -> Value | None:
    """The answer, or None where it is this error."""
    try:
        return await answer
    except kind:
        return None
