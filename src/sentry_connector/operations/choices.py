"""What a menu offers now: asked of Sentry with the chosen account, or said by the catalogue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from sentry_connector.errors import DetailsError, ScopeMissing, UnknownName
from sentry_connector.reports import catalogue
from sentry_connector.reports.details import ALL
from sentry_connector.runs.house import House
from sentry_connector.sentry.client import Connection
from sentry_connector.sentry.directory import Directory
from sentry_connector.sentry.records import Organization


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a menu offers.

    Attributes:
        value: what is stored and given on the command line.
        label: for people.
        parent: what it belongs to: a project's or team's organization, a stat's report.
    """

    value: str
    label: str
    parent: str | None = None


async def choices(house: House, connection: Connection, menu: str, organizations: Sequence[str]) -> list[Choice]:
    """What the menu offers, sorted by parent and label.

    Args:
        house: the parts.
        connection: where and as whom.
        menu: `organizations`, `projects` or `teams`.
        organizations: narrow projects and teams to these; empty = all that the token sees.

    Raises:
        UnknownName: no such menu.
        ConnectorError: Sentry could not be asked.
    """
    check_menu(menu)
    async with house.client(connection.for_an_onlooker()) as client:
        found = await _MENUS[menu](Directory(client), organizations)
    return sorted(found, key=lambda one: (one.parent or "", one.label.casefold(), one.value))


def check_menu(menu: str) -> None:
    """Refuse a menu whose choices cannot be asked for, before a token is needed.

    Raises:
        UnknownName: no such menu.
    """
    if menu not in _MENUS:
        raise UnknownName("menu", menu, [*_MENUS, "stats"])


def stats(report: str) -> list[Choice]:
    """What the Stat menu of a report offers, the default first.

    Raises:
        UnknownName: no such report.
        DetailsError: the report has no Stat menu.
    """
    found = catalogue.find(report)
    if not found.stats:
        raise DetailsError("stat", f"{found.name} has no Stat menu.", remedy="The Events Counts reports have one.")
    return [Choice(value=stat, label=stat, parent=found.name) for stat in found.stats]


async def _organizations(directory: Directory, _narrowed: Sequence[str]) -> list[Choice]:
    return [Choice(value=one.slug, label=one.name) for one in await directory.organizations()]


async def _projects(directory: Directory, narrowed: Sequence[str]) -> list[Choice]:
    try:
        found = [project for one in await _chosen(directory, narrowed) for project in await directory.projects(one)]
    except ScopeMissing:
        found = [
            project for project in await directory.projects_seen() if not narrowed or project.organization in narrowed
        ]
    return [
        Choice(value=f"{project.organization}/{project.slug}", label=project.name, parent=project.organization)
        for project in found
    ]


async def _teams(directory: Directory, narrowed: Sequence[str]) -> list[Choice]:
    teams = [team for one in await _chosen(directory, narrowed) for team in await directory.teams(one)]
    return [Choice(value=team.slug, label=team.name, parent=team.organization) for team in teams]


async def _chosen(directory: Directory, narrowed: Sequence[str]) -> Sequence[Organization]:
    if not narrowed or tuple(narrowed) == (ALL,):
        return await directory.organizations()
    return [await directory.organization(one) for one in narrowed]


_MENUS: dict[str, Callable[[Directory, Sequence[str]], Awaitable[list[Choice]]]] = {
    "organizations": _organizations,
    "projects": _projects,
    "teams": _teams,
}
