"""Who is meant: the values of the menus become scopes, by asking Sentry what there is."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sentry_connector.errors import ConnectorError, DetailsError, NotFound, ScopeMissing, nearest
from sentry_connector.extraction.incomplete import ONE_SCOPE_ONLY
from sentry_connector.extraction.lists import together
from sentry_connector.reports.details import ALL, Details
from sentry_connector.reports.model import Grain, Menu, Report, Shape
from sentry_connector.reports.scopes import Scope
from sentry_connector.sentry.directory import Directory, Organization, Project, Team

Choice = TypeVar("Choice", str, Organization, Team)
Thing = TypeVar("Thing")


@dataclass(frozen=True, kw_only=True, slots=True)
class Unresolved:
    """A choice that stands for nothing (any more), or that the token may not look up.

    Attributes:
        label: as it was chosen.
        named: somebody chose just this, not all that there is.
        error: why.
    """

    label: str
    named: bool
    error: ConnectorError


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """The scopes of a run, and the choices that brought none; `named`: what single choices stand for, to be remembered."""

    scopes: tuple[Scope, ...]
    unresolved: tuple[Unresolved, ...] = ()
    named: Mapping[str, Scope] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """What single choices stood for when they were last looked up.

    Attributes:
        scopes: choice → scope.
        is_fresh: they are taken as they are, without asking. Otherwise their ids help where their names have changed.
    """

    scopes: Mapping[str, Scope] = field(default_factory=dict)
    is_fresh: bool = True

    def of(self, choice: str) -> Scope | None:
        """The scope that a choice stands for, where nobody needs to be asked."""
        return self.scopes.get(choice) if self.is_fresh else None


async def resolve(
    report: Report, details: Details, directory: Directory, base_url: str, memory: Memory | None = None
) -> Resolved:
    """The scopes that the details stand for, each once, in a stable order.

    One of several choices that is gone or refused is told in `unresolved`; the others keep their chance.

    Args:
        report, details: what was chosen.
        directory: asks Sentry what there is.
        base_url: the account's.
        memory: of earlier runs.

    Raises:
        NotFound: nothing that was chosen is there for this token.
        ScopeMissing: the token may not list what would have to be listed.
        DetailsError: a slug is there more than once and does not say which is meant.
    """
    finder = _Finder(report, details, directory, base_url, memory or Memory())
    scopes = await finder.scopes()
    if finder.unresolved and not scopes:
        raise finder.unresolved[0].error
    distinct = {(scope.url, scope.id): scope for scope in scopes}  # a project may be chosen by its slug and by its id
    return Resolved(scopes=tuple(distinct.values()), unresolved=tuple(finder.unresolved), named=finder.named)


@dataclass
class _Finder:
    """Looks up the choices of one run."""

    report: Report
    details: Details
    directory: Directory
    base_url: str
    memory: Memory
    unresolved: list[Unresolved] = field(default_factory=list)
    named: dict[str, Scope] = field(default_factory=dict)

    async def scopes(self) -> list[Scope]:
        match self.report.grain:
            case Grain.ACCOUNT:
                return [self._account()]
            case Grain.ORGANIZATION:
                return await self._organization_scopes()
            case Grain.PROJECT:
                return await self._project_scopes()
            case Grain.TEAM:
                return await self._team_scopes()
            case Grain.ISSUE:
                return [await self._issue_scope()]

    async def _each(
        self, choices: Iterable[Choice], find: Callable[[Choice], Coroutine[Any, Any, Iterable[Thing]]]
    ) -> list[Thing]:
        """What the choices stand for, all looked up at once; those that stand for nothing are kept in `unresolved`."""

        async def one(choice: Choice) -> list[Thing]:
            try:
                return list(await find(choice))
            except ONE_SCOPE_ONLY as error:
                named = isinstance(choice, str)
                label = choice if isinstance(choice, str) else choice.slug
                self.unresolved.append(Unresolved(label=label, named=named, error=error))
                return []

        return [thing for found in await together(one(choice) for choice in choices) for thing in found]

    async def _organizations(self) -> list[Organization]:
        """The chosen organizations; all where none or `ALL` is chosen."""
        chosen = self.details.organizations
        if chosen and chosen != (ALL,):
            return await self._each(chosen, self._organization)
        everyone = list(await self.directory.organizations())
        if not everyone:
            raise NotFound(
                "This token is shown no organization.",
                remedy="Name it with --organization SLUG; tokens of an integration are not shown their own.",
                kind="organization",
            )
        return everyone

    async def _organization(self, given: str) -> list[Organization]:
        return [await self.directory.organization(given)]

    async def _organization_scopes(self) -> list[Scope]:
        if self.details.organizations not in {(), (ALL,)}:
            return await self._each(self.details.organizations, self._organization_scope)
        try:
            return [_organization_scope(one) for one in await self._organizations()]
        except (ScopeMissing, NotFound):
            # Without a menu everything is meant; a list that needs no organization says what it lacks itself.
            if self.report.menus or all("{" in endpoint.path for endpoint in self.report.endpoints):
                raise
        return [self._account()]

    async def _organization_scope(self, given: str) -> list[Scope]:
        return [await self._remembered(given, lambda: self._looked_up_organization(given))]

    async def _looked_up_organization(self, given: str) -> Scope:
        """The organization of that name, or where there is none any more, the one that had it."""
        try:
            return _organization_scope(await self.directory.organization(given))
        except NotFound:
            former = self.memory.scopes.get(given)
            if former is None or former.organization_id is None:
                raise
        return _organization_scope(await self.directory.organization(former.organization_id))

    async def _project_scopes(self) -> list[Scope]:
        if self.details.projects == (ALL,):
            found = await self._each(await self._organizations(), self.directory.projects)
            return [_project_scope(project) for project in found]
        await self._expect_projects()
        return await self._each(self.details.projects, self._project_scope)

    async def _expect_projects(self) -> None:
        """Look up together the projects whose organization was chosen with them."""
        of: dict[str, list[str]] = {}
        for given in self.details.projects:
            organization, project = self._parted(given)
            if organization != ALL and self._known(given) is None:
                of.setdefault(organization, []).append(project)

        async def expect(given: str) -> list[None]:
            await self.directory.expect_projects(await self.directory.organization(given), of[given])
            return []

        await self._each([organization for organization, projects in of.items() if len(projects) > 1], expect)

    async def _project_scope(self, given: str) -> list[Scope]:
        return [await self._remembered(given, lambda: self._looked_up_project(given))]

    async def _looked_up_project(self, given: str) -> Scope:
        """The project of that name, or where there is none any more, the one that had it."""
        try:
            return _project_scope(await self._project(given))
        except NotFound:
            former = self.memory.scopes.get(given)
            if former is None or former.organization_id is None or former.project_id is None:
                raise
        organization = await self.directory.organization(former.organization_id)
        return _project_scope(await self.directory.project(organization, former.project_id))

    async def _remembered(self, choice: str, look_up: Callable[[], Awaitable[Scope]]) -> Scope:
        """What a choice stands for, as an earlier run found it, or now."""
        scope = self._known(choice) or await look_up()
        self.named[choice] = scope
        return scope

    def _known(self, choice: str) -> Scope | None:
        """What a choice stood for in an earlier run, where the token is for that host."""
        scope = self.memory.of(choice)
        return scope if scope is not None and self.directory.trusted(scope.url) == scope.url else None

    async def _project(self, given: str) -> Project:
        organization, project = self._parted(given)
        if organization != ALL:
            return await self.directory.project(await self.directory.organization(organization), project)
        return _the_one(given, await self._all_projects())

    def _parted(self, given: str) -> tuple[str, str]:
        """Organization and project of a choice; the one organization that was chosen, or `ALL`, where it names none."""
        named, _, project = given.rpartition("/")
        only = self.details.organizations if len(self.details.organizations) == 1 else (ALL,)
        return named or only[0], project

    async def _all_projects(self) -> Sequence[Project]:
        """All projects of the chosen organizations, or those of the token's own teams where it may list no more."""
        try:
            organizations = await self._organizations()
            lists = await together(self.directory.projects(one) for one in organizations)
            return list(itertools.chain.from_iterable(lists))
        except ScopeMissing:
            return await self.directory.projects_seen()

    async def _team_scopes(self) -> list[Scope]:
        teams = await self._each(await self._organizations(), self.directory.teams)
        if self.details.teams != (ALL,):
            teams = await self._each(self.details.teams, _teams_named(teams))
        return await self._each(teams, self._team_scope)

    async def _team_scope(self, team: Team) -> list[Scope]:
        members = await self.directory.team_projects(team) if self.report.shape is Shape.POINTS else ()
        scope = Scope(
            grain=Grain.TEAM,
            url=team.url,
            organization=team.organization,
            organization_id=team.organization_id,
            team=team.slug,
            team_id=team.id,
            members=tuple((project.id, project.slug) for project in members),
        )
        return [scope]

    async def _issue_scope(self) -> Scope:
        narrowed = self.details.organizations not in {(), (ALL,)}
        issue = await self.directory.issue(self.details.issue or "", await self._organizations() if narrowed else ())
        return Scope(
            grain=Grain.ISSUE,
            url=issue.url,
            organization=issue.organization,
            organization_id=issue.organization_id,
            project=issue.project,
            project_id=issue.project_id,
            issue_id=issue.id,
        )

    def _account(self) -> Scope:
        return Scope(grain=Grain.ACCOUNT, url=self.base_url)


def _the_one(given: str, projects: Sequence[Project]) -> Project:
    """The one project of that slug or id."""
    matching = [project for project in projects if given in {project.slug, project.id}]
    if len(matching) > 1:
        names = " and ".join(f"{project.organization}/{project.slug}" for project in matching)
        raise DetailsError(
            Menu.PROJECTS,
            f"The project {given!r} is there more than once: {names}.",
            remedy="Write --project ORGANIZATION/PROJECT.",
        )
    if not matching:
        raise _not_found("project", given, [project.slug for project in projects])
    return matching[0]


def _teams_named(teams: Sequence[Team]) -> Callable[[str], Coroutine[Any, Any, list[Team]]]:
    """A lookup among these teams; several organizations may have a team of one name, and all of them are meant."""

    async def find(given: str) -> list[Team]:
        matching = [team for team in teams if given in {team.slug, team.id}]
        if not matching:
            raise _not_found("team", given, [team.slug for team in teams])
        return matching

    return find


def _not_found(kind: str, given: str, known: Sequence[str]) -> NotFound:
    near = nearest(given, known)
    hint = f"Did you mean: {', '.join(near)}? " if near else ""
    return NotFound(
        f"There is no {kind} {given!r} for this token.",
        remedy=f"{hint}`sentry-connector choices {kind}s` lists them.",
        kind=kind,
        given=given,
    )


def _organization_scope(one: Organization) -> Scope:
    return Scope(grain=Grain.ORGANIZATION, url=one.url, organization=one.slug, organization_id=one.id)


def _project_scope(project: Project) -> Scope:
    return Scope(
        grain=Grain.PROJECT,
        url=project.url,
        organization=project.organization,
        organization_id=project.organization_id,
        project=project.slug,
        project_id=project.id,
    )
