"""What the menus' values stand for, asked of a simulated Sentry."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sentry_connector.errors import DetailsError, NotFound
from sentry_connector.extraction.scopes import Resolved, resolve
from sentry_connector.reports import catalogue
from sentry_connector.reports.details import Details
from sentry_connector.sentry.client import Connection, SentryClient
from sentry_connector.sentry.directory import Directory
from sentry_connector.simulator import INTEGRATION_TOKEN, TOKEN, Simulation, World, running
from tests.parts import NOW


@pytest.fixture
async def sentry() -> AsyncIterator[Simulation]:
    async with running(World.build(now=NOW, events=100)) as simulation:
        yield simulation


async def resolved(sentry: Simulation, slug: str, details: Details, token: str = TOKEN) -> Resolved:
    async with SentryClient(Connection(url=sentry.url, token=token)) as client:
        return await resolve(catalogue.find(slug), details, Directory(client), client.base_url)


def labels(result: Resolved) -> list[str]:
    return [scope.label for scope in result.scopes]


async def test_a_named_project_costs_no_list_of_projects(sentry: Simulation) -> None:
    """However many projects an organization has: the organizations and the project itself are asked, nothing else."""
    assert labels(await resolved(sentry, "project-events", Details(projects=("acme/shop",)))) == ["acme/shop"]
    assert sentry.requests == 2


async def test_many_named_projects_are_looked_up_together(sentry: Simulation) -> None:
    """The organizations and one search; whoever is not found by it is asked for alone."""
    projects = [project for project in sentry.world.projects if project.organization.slug == "acme"]
    chosen = tuple(f"acme/{project.slug}" for project in projects)
    assert len(chosen) > 2
    found = await resolved(sentry, "project-events", Details(projects=chosen))
    assert sentry.requests == 2
    assert [scope.project_id for scope in found.scopes] == [project.id for project in projects]


async def test_of_projects_looked_up_together_those_that_are_not_found_are_asked_for_alone(sentry: Simulation) -> None:
    """A former name is known to the project's own address only."""
    chosen = ("acme/shop", "acme/ios-app", "acme/invoices")
    assert labels(await resolved(sentry, "project-events", Details(projects=chosen))) == [
        "acme/shop",
        "acme/ios-app",
        "acme/payments",
    ]
    assert sentry.requests == 4


async def test_a_project_is_found_by_slug_id_and_former_name(sentry: Simulation) -> None:
    """And chosen twice it is one scope."""
    shop = sentry.world.project("acme", "shop").id
    choices = ("acme/shop", f"acme/{shop}", "acme/invoices", "ios-app")
    assert labels(await resolved(sentry, "project-events", Details(projects=choices))) == [
        "acme/shop",
        "acme/payments",
        "acme/ios-app",
    ]


async def test_all_projects_are_those_of_all_organizations_or_the_chosen_ones(sentry: Simulation) -> None:
    everything = await resolved(sentry, "project-events", Details(projects=("*",)))
    assert len(everything.scopes) == len(list(sentry.world.projects))
    narrowed = await resolved(sentry, "project-events", Details(projects=("*",), organizations=("globex",)))
    assert {scope.organization for scope in narrowed.scopes} == {"globex"}


async def test_one_of_several_that_is_gone_leaves_the_others_their_chance(sentry: Simulation) -> None:
    result = await resolved(sentry, "project-events", Details(projects=("acme/shop", "acme/gone")))
    assert labels(result) == ["acme/shop"]
    (gone,) = result.unresolved
    assert (gone.label, gone.named) == ("acme/gone", True)
    assert isinstance(gone.error, NotFound)


async def test_a_slug_in_two_organizations_says_which_it_could_be(sentry: Simulation) -> None:
    with pytest.raises(DetailsError, match="acme/shop and globex/shop"):
        await resolved(sentry, "project-events", Details(projects=("shop",)))
    narrowed = await resolved(sentry, "project-events", Details(projects=("shop",), organizations=("globex",)))
    assert labels(narrowed) == ["globex/shop"]


async def test_teams_are_those_of_the_chosen_organizations(sentry: Simulation) -> None:
    details = Details(organizations=("acme",), teams=("web", "nobody"))
    result = await resolved(sentry, "team-projects", details)
    assert labels(result) == ["acme/web"]
    assert [one.label for one in result.unresolved] == ["nobody"]


async def test_a_token_that_is_shown_no_organization_is_told_to_name_one(sentry: Simulation) -> None:
    """Tokens of an integration get an empty list; an empty table would look like an empty Sentry."""
    with pytest.raises(NotFound, match="shown no organization"):
        await resolved(sentry, "organization-projects", Details(organizations=("*",)), INTEGRATION_TOKEN)
    named = await resolved(sentry, "organization-projects", Details(organizations=("acme",)), INTEGRATION_TOKEN)
    assert labels(named) == ["acme"]
