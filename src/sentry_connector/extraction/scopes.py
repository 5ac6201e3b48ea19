"""Who is meant: the values of the menus become scopes, by asking Sentry what there is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sentry_connector.errors import DetailsError, NotFound, ScopeMissing, nearest
from sentry_connector.reports.details import ALL, Details
from sentry_connector.reports.model import Grain, Menu, Report, Shape
from sentry_connector.reports.scopes import Scope
from sentry_connector.sentry.directory import Directory, Organization, Project, Team


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """The scopes of a run, and what should be said about how they were found."""

    scopes: tuple[Scope, ...]
    warnings: tuple[str, ...] = ()


async def resolve(report: Report, details: Details, directory: Directory, base_url: str) -> Resolved:
    """The scopes that the details stand for, each once, in a stable order.

    Raises:
        NotFound: a chosen organization, project, team or issue is not there for this token; it is named.
        ScopeMissing: the token may not list what would have to be listed.
        DetailsError: a slug is there more than once and does not say which is meant.
    """
    match report.grain:
        case Grain.ACCOUNT:
            return Resolved(scopes=(Scope(grain=Grain.ACCOUNT, url=base_url),))
        case Grain.ORGANIZATION:
            return await _organization_scopes(report, details, directory, base_url)
        case Grain.PROJECT:
            projects = await _projects(details, directory)
            return Resolved(scopes=tuple(_unique(_project_scope(project) for project in projects)))
        case Grain.TEAM:
            return Resolved(scopes=tuple(_unique(await _team_scopes(report, details, directory))))
        case Grain.ISSUE:
            return Resolved(scopes=(await _issue_scope(details, directory),))


async def _organization_scopes(report: Report, details: Details, directory: Directory, base_url: str) -> Resolved:
    if Menu.ORGANIZATIONS in report.menus:
        chosen = await _organizations(details.organizations, directory)
        return Resolved(scopes=tuple(_unique(_organization_scope(one) for one in chosen)))
    try:
        everyone = await directory.organizations()
    except ScopeMissing:
        if not any("{" not in endpoint.path for endpoint in report.endpoints):
            raise
        warning = "The token may not list organizations: only the projects of its own teams are read."
        return Resolved(scopes=(Scope(grain=Grain.ACCOUNT, url=base_url),), warnings=(warning,))
    return Resolved(scopes=tuple(_organization_scope(one) for one in everyone))


async def _organizations(chosen: Sequence[str], directory: Directory) -> list[Organization]:
    """The chosen organizations; all where none or `ALL` is chosen."""
    if not chosen or chosen == (ALL,):
        return list(await directory.organizations())
    return [await directory.organization(one) for one in chosen]


async def _projects(details: Details, directory: Directory) -> list[Project]:
    if details.projects == (ALL,):
        return [
            project
            for one in await _organizations(details.organizations, directory)
            for project in await directory.projects(one)
        ]
    found: list[Project] = []
    for given in details.projects:
        organization, _, project = given.rpartition("/")
        if organization:
            found.append(await directory.project(await directory.organization(organization), project))
        elif len(details.organizations) == 1 and details.organizations != (ALL,):
            found.append(await directory.project(await directory.organization(details.organizations[0]), project))
        else:
            found.append(await _project_anywhere(project, details, directory))
    return found


async def _project_anywhere(given: str, details: Details, directory: Directory) -> Project:
    """The one project of that slug or id in the organizations that the token sees."""
    try:
        everywhere = [
            p for one in await _organizations(details.organizations, directory) for p in await directory.projects(one)
        ]
    except ScopeMissing:
        everywhere = list(await directory.projects_seen())
    matching = [project for project in everywhere if given in (project.slug, project.id)]
    if not matching:
        near = nearest(given, [project.slug for project in everywhere])
        hint = f"Did you mean: {', '.join(near)}? " if near else ""
        raise NotFound(
            f"There is no project {given!r} for this token.",
            remedy=f"{hint}`sentry-connector choices projects` lists them.",
            kind="project",
            given=given,
        )
    if len(matching) > 1:
        names = " and ".join(f"{project.organization}/{project.slug}" for project in matching)
        raise DetailsError(
            "projects",
            f"The project {given!r} is there more than once: {names}.",
            remedy="Write --project ORGANIZATION/PROJECT.",
        )
    return matching[0]


async def _team_scopes(report: Report, details: Details, directory: Directory) -> list[Scope]:
    scopes: list[Scope] = []
    missing = set(details.teams) - {ALL}
    known: list[str] = []
    for organization in await _organizations(details.organizations, directory):
        teams = await directory.teams(organization)
        known += [team.slug for team in teams]
        for team in teams:
            if details.teams == (ALL,) or {team.slug, team.id} & set(details.teams):
                missing -= {team.slug, team.id}
                scopes.append(await _team_scope(report, team, directory))
    for given in sorted(missing):
        near = nearest(given, known)
        hint = f"Did you mean: {', '.join(near)}? " if near else ""
        raise NotFound(
            f"There is no team {given!r} in {', '.join(details.organizations)} for this token.",
            remedy=f"{hint}`sentry-connector choices teams` lists them.",
            kind="team",
            given=given,
        )
    return scopes


async def _team_scope(report: Report, team: Team, directory: Directory) -> Scope:
    members = await directory.team_projects(team) if report.shape is Shape.POINTS else ()
    return Scope(
        grain=Grain.TEAM,
        url=team.url,
        organization=team.organization,
        organization_id=team.organization_id,
        team=team.slug,
        team_id=team.id,
        members=tuple((project.id, project.slug) for project in members),
    )


async def _issue_scope(details: Details, directory: Directory) -> Scope:
    narrowed = details.organizations not in {(), (ALL,)}
    organizations = await _organizations(details.organizations, directory) if narrowed else ()
    issue = await directory.issue(details.issue or "", organizations)
    return Scope(
        grain=Grain.ISSUE,
        url=issue.url,
        organization=issue.organization,
        organization_id=issue.organization_id,
        project=issue.project,
        project_id=issue.project_id,
        issue_id=issue.id,
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


def _unique(scopes: Iterable[Scope]) -> list[Scope]:
    """Each scope once; the same project may have been chosen by slug and by id."""
    return list({(scope.url, scope.id): scope for scope in scopes}.values())
