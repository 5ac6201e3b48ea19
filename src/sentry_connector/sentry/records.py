"""The records of who is there, and how they are read from Sentry's rows. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from sentry_connector.errors import MalformedAnswer
from sentry_connector.sentry.client import Answer
from sentry_connector.sentry.wire import Request, clean

Value = TypeVar("Value")


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What the server says about itself and the token.

    Attributes:
        version: of the API; old and new servers say "0".
        scopes: of the token; None where the server does not know the token or does not tell.
        user_id: whose token it is, which is what rate limits count by; None for tokens of an organization.
        name: of that user.
    """

    version: str
    scopes: tuple[str, ...] | None
    user_id: str | None
    name: str | None


class Organization(msgspec.Struct, frozen=True, kw_only=True):
    """An organization; `id` is None where the token may not read it, `url` is the host that answers for it."""

    id: str | None
    slug: str
    name: str
    url: str


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A project, with its organization; `teams` are (id, slug)."""

    id: str
    slug: str
    name: str
    platform: str | None
    organization: str
    organization_id: str | None
    teams: tuple[tuple[str, str], ...]
    url: str


class Team(msgspec.Struct, frozen=True, kw_only=True):
    """A team, with its organization; `projects` are (id, slug)."""

    id: str
    slug: str
    name: str
    organization: str
    organization_id: str | None
    projects: tuple[tuple[str, str], ...]
    url: str


class Issue(msgspec.Struct, frozen=True, kw_only=True):
    """An issue, with its project; after a merge `id` is the surviving issue's."""

    id: str
    short_id: str | None
    title: str
    organization: str
    organization_id: str | None
    project: str
    project_id: str
    url: str


class IssueReference(msgspec.Struct, frozen=True, kw_only=True):
    """What a person typed for an issue: its id or its short id, and the organization where an address names it."""

    id: str | None = None
    short_id: str | None = None
    organization: str | None = None


# What Sentry sends: only the fields that are needed, so that new ones and odd ones elsewhere do no harm.


class Links(msgspec.Struct, rename="camel"):
    """The addresses that belong to an organization."""

    region_url: str | None = None


class Row(msgspec.Struct):
    """What every thing of a list has."""

    id: str
    slug: str


AnyRow = TypeVar("AnyRow", bound=Row)


class OrganizationRow(Row):
    """An organization as Sentry sends it."""

    name: str | None = None
    links: Links | None = None


class ProjectRow(Row):
    """A project as Sentry sends it; only the legacy list names the organization."""

    name: str | None = None
    platform: str | None = None
    teams: tuple[Row, ...] | None = None
    organization: OrganizationRow | None = None


class TeamRow(Row):
    """A team as Sentry sends it."""

    name: str | None = None
    projects: tuple[Row, ...] | None = None


class IssueRow(msgspec.Struct, rename="camel"):
    """An issue as Sentry sends it."""

    id: str
    project: Row
    short_id: str | None = None
    title: str | None = None


class ShortIdRow(msgspec.Struct):
    """What a short id leads to."""

    group: IssueRow


class AuthRow(msgspec.Struct):
    """The token, in the API's root."""

    scopes: tuple[str, ...] | None = None


class UserRow(msgspec.Struct):
    """The token's user, in the API's root."""

    id: str | None = None
    name: str | None = None


class RootRow(msgspec.Struct):
    """The root of the API (`GET /api/0/`)."""

    version: str
    auth: AuthRow | None = None
    user: UserRow | None = None


def decode(answer: Answer, kind: type[Value]) -> Value:
    """The answer's JSON as records.

    Raises:
        MalformedAnswer: it is not JSON, or not of this shape.
    """
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedAnswer(
            f"The {answer.request.about} is not as Sentry's API gives it: {clean(str(error))}."
        ) from None


def present(row: OrganizationRow | None, request: Request) -> OrganizationRow:
    """The organization of a legacy row.

    Raises:
        MalformedAnswer: the row has none.
    """
    if row is None:
        raise MalformedAnswer(f"The {request.about} has a project without an organization.")
    return row


def project_of(row: ProjectRow, owner: Organization) -> Project:
    """The project of a row and its organization."""
    return Project(
        id=row.id,
        slug=row.slug,
        name=row.name or row.slug,
        platform=row.platform,
        organization=owner.slug,
        organization_id=owner.id,
        teams=_pairs(row.teams),
        url=owner.url,
    )


def team_of(row: TeamRow, owner: Organization) -> Team:
    """The team of a row and its organization."""
    return Team(
        id=row.id,
        slug=row.slug,
        name=row.name or row.slug,
        organization=owner.slug,
        organization_id=owner.id,
        projects=_pairs(row.projects),
        url=owner.url,
    )


def issue_of(row: IssueRow, owner: Organization) -> Issue:
    """The issue of a row and its organization."""
    return Issue(
        id=row.id,
        short_id=row.short_id,
        title=row.title or "",
        organization=owner.slug,
        organization_id=owner.id,
        project=row.project.slug,
        project_id=row.project.id,
        url=owner.url,
    )


def _pairs(rows: Iterable[Row] | None) -> tuple[tuple[str, str], ...]:
    """(id, slug) of each, by slug."""
    return tuple(sorted(((row.id, row.slug) for row in rows or ()), key=lambda pair: (pair[1], pair[0])))


def owner_of(project: Project) -> Organization:
    """The organization of a project, as far as its row tells."""
    slug = project.organization
    return Organization(id=project.organization_id, slug=slug, name=slug, url=project.url)


def owners_of(projects: Iterable[Project]) -> tuple[Organization, ...]:
    """The organizations of projects, each once."""
    return tuple({owner_of(project): None for project in projects})
