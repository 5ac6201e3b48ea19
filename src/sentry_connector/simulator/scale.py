"""Worlds of a chosen scale: one organization of like projects, for benchmarks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from sentry_connector.simulator import texts
from sentry_connector.simulator.model import Issue, Organization, Project, Team
from sentry_connector.simulator.population import DAY, new_issue, people_of, repositories_of, spread
from sentry_connector.simulator.world import World

ORGANIZATION = "acme"
KINDS = ("python", "python", "javascript", "message")
"""What the issues are: the errors that most projects have most of. All of them are error events."""

PLATFORM = "python"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """How much there is.

    Attributes:
        projects: of the organization.
        events: error events of each project.
        issues: issues of each project, each with an event at least; never more than events.
        days: how far back events go.
        skew: how unequal issues are: 1 = alike, 2 = ordinary, 4 = a few hold most events.
        people: whom the events of a project can name.
        teams: of the organization, each with its share of the projects.
        repositories: of the organization.
        feedback: user reports of each project.
    """

    projects: int = 1
    events: int = 1000
    issues: int = 100
    days: float = 30
    skew: float = 2
    people: int = 40
    teams: int = 1
    repositories: int = 0
    feedback: int = 0


def world_of(scale: Scale, *, now: dt.datetime, seed: int = 1) -> World:
    """A world of that scale; the same seed, scale and instant make the same one.

    Nothing was refused in it, so that its event counts are those of its events.
    """
    world = World(seed=seed, now=now)
    organization = _organization(world, scale)
    for number in range(scale.projects):
        project = _project(world, organization, number)
        random = Random(f"{seed}:{project.slug}")
        _fill(world, project, scale, random)
        for _ in range(scale.feedback if project.events else 0):
            words, name = random.choice(texts.COMMENTS), random.choice(texts.PEOPLE)
            world.add_feedback(random.choice(project.events), comments=words, name=name)
    return world


def slug_of(number: int) -> str:
    """The slug of the project of that number, which counts from 0."""
    return f"project-{number:03}"


def _organization(world: World, scale: Scale) -> Organization:
    born = world.time - 400 * DAY
    organization = Organization(world.next_id(), ORGANIZATION, ORGANIZATION.capitalize(), "us", born)
    for number in range(scale.teams):
        slug = f"team-{number:03}"
        team = Team(world.next_id(), slug, slug.capitalize(), organization, born + number, member=True, member_count=3)
        organization.teams.append(team)
    organization.repositories = repositories_of(scale.repositories, born)
    world.organizations.append(organization)
    return organization


def _project(world: World, organization: Organization, number: int) -> Project:
    slug, team = slug_of(number), organization.teams[number % len(organization.teams)]
    born = organization.created + 1000 + number
    project = Project(world.next_id(), slug, slug.capitalize(), PLATFORM, organization, born, [team])
    organization.projects.append(project)
    return project


def _fill(world: World, project: Project, scale: Scale, random: Random) -> None:
    """Give a project its issues and its events."""
    issues = [new_issue(world, project, random.choice(KINDS), random) for _ in range(min(scale.issues, scale.events))]
    people, length = people_of(scale.people, random), scale.days * DAY
    times = sorted(int(world.time - 1 - random.random() * length) for _ in range(scale.events))
    for time, issue in zip(times, _of_events(issues, scale, random), strict=True):
        world.append_event(issue, time, people[int(random.random() * len(people))])


def _of_events(issues: Sequence[Issue], scale: Scale, random: Random) -> Sequence[Issue]:
    return spread(issues, scale.events, random, skew=scale.skew) if issues else ()
