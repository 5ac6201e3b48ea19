"""What a seed's DataSet is about: for each report, which things there are, and what its rows must say of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sentry_connector.reports.details import Details
from sentry_connector.simulator import World
from sentry_connector.simulator.entries import entries
from sentry_connector.simulator.model import Project, Team

ORGANIZATION = "acme"
ALWAYS = float("-inf")
"""The time of what has none."""

BUCKET = 3600
Key = tuple[Any, ...]
Things = Iterator[tuple[Key, float]]
"""The keys of rows, each with its time."""

EVENTS, ISSUES, FEEDBACK, ENTRIES = "project-events", "projects-issues", "project-feedback", "project-events-entries"
USERS, TEAMS, TEAM_PROJECTS = "projects-users", "organization-teams", "team-projects"
COUNTS, TEAM_COUNTS, ALL_COUNTS = "events-counts-project", "events-counts-team", "events-counts-organization"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One report's rows.

    Attributes:
        columns: what tells its things apart in the simulated world, where all ids are different.
        things: what there is now, of what was chosen.
        counts: identity of a scope → the times that are counted in its rows; None where rows are no counts.
    """

    columns: tuple[str, ...]
    things: Callable[[World, Details], Things]
    counts: Callable[[World, Details], dict[str, list[int]]] | None = None


def project(world: World, slug: str) -> Project:
    """The project of that slug, or that once had it."""
    for one in world.organization(ORGANIZATION).projects:
        if slug == one.slug or slug in one.former_slugs:
            return one
    raise KeyError(slug)


def projects(world: World, details: Details) -> list[Project]:
    """The chosen ones."""
    if details.projects == ("*",):
        return list(world.organization(ORGANIZATION).projects)
    return [project(world, one.partition("/")[2]) for one in details.projects]


def teams(world: World, details: Details) -> list[Team]:
    """The chosen ones."""
    everything = world.organization(ORGANIZATION).teams
    return [team for team in everything if details.teams == ("*",) or team.slug in details.teams]


# ---- what there is


def _events(world: World, details: Details) -> Things:
    return (((event.id,), event.time) for one in projects(world, details) for event in one.events)


def _entries(world: World, details: Details) -> Things:
    """Events of a kind have equally many."""
    number: dict[str, int] = {}
    for one in projects(world, details):
        for event in one.events:
            kind = event.issue.kind
            if kind not in number:
                number[kind] = len(entries(event))
            yield from (((event.id, place), event.time) for place in range(number[kind]))


def _issues(world: World, details: Details) -> Things:
    return (((issue.id,), issue.first_seen) for one in projects(world, details) for issue in one.issues)


def _feedback(world: World, details: Details) -> Things:
    return (((said.id,), said.created) for one in projects(world, details) for said in one.feedback)


def _users(world: World, details: Details) -> Things:
    people = ((one, event.person) for one in projects(world, details) for event in one.events)
    return (((one.id, person.identity), ALWAYS) for one, person in people if person is not None)


def _teams(world: World, _details: Details) -> Things:
    return (((team.id,), ALWAYS) for team in world.organization(ORGANIZATION).teams)


def _team_projects(world: World, details: Details) -> Things:
    return (((team.id, one.id), ALWAYS) for team in teams(world, details) for one in team.projects)


def _no_things(_world: World, _details: Details) -> Things:
    return iter(())


# ---- what is counted


def _received(some: Iterable[Project]) -> list[int]:
    """When events came: those that are listed, and those that were refused or filtered."""
    times = []
    for one in some:
        times += [event.time for event in one.events]
        times += [outcome.time for outcome in one.outcomes if outcome.reason != "filtered-transaction"]
    return times


def _of_projects(world: World, details: Details) -> dict[str, list[int]]:
    return {one.id: _received([one]) for one in projects(world, details)}


def _of_teams(world: World, details: Details) -> dict[str, list[int]]:
    return {team.id: _received(team.projects) for team in teams(world, details)}


def _of_organization(world: World, _details: Details) -> dict[str, list[int]]:
    organization = world.organization(ORGANIZATION)
    return {organization.id: _received(organization.projects)}


def by_bucket(times: Iterable[int]) -> Counter[int]:
    """How often each hour is among them, by its beginning."""
    return Counter(time // BUCKET * BUCKET for time in times)


SUBJECTS = {
    EVENTS: Subject(columns=("event_id",), things=_events),
    ENTRIES: Subject(columns=("event_id", "entry_index"), things=_entries),
    ISSUES: Subject(columns=("issue_id",), things=_issues),
    FEEDBACK: Subject(columns=("feedback_id",), things=_feedback),
    USERS: Subject(columns=("project_id", "user_key"), things=_users),
    TEAMS: Subject(columns=("team_id",), things=_teams),
    TEAM_PROJECTS: Subject(columns=("team_id", "project_id"), things=_team_projects),
    COUNTS: Subject(columns=("project_id",), things=_no_things, counts=_of_projects),
    TEAM_COUNTS: Subject(columns=("team_id",), things=_no_things, counts=_of_teams),
    ALL_COUNTS: Subject(columns=("organization_id",), things=_no_things, counts=_of_organization),
}
