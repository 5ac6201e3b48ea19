"""The world of a seed, and what happens in it while runs come and go."""
# ruff: noqa: S311  # seeded worlds, not cryptography

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.reports.details import SinceLastRun
from sentry_connector.simulator import World
from sentry_connector.simulator.call import RETENTION
from sentry_connector.simulator.model import Person, Project, Team
from tests.faults import subjects
from tests.faults.kinds import Fault, Ledger
from tests.faults.process import Time
from tests.faults.scenario import PROJECTS, Round, Scenario
from tests.faults.subjects import COUNTS, FEEDBACK, ISSUES, SUBJECTS, TEAM_PROJECTS, TEAMS, USERS, Key, by_bucket
from tests.parts import NOW

HOUR, DAY = 3600.0, 86400.0
OVERLAP = 1.9 * HOUR


@dataclass(frozen=True)
class Known:
    """What there was when a run began, and when that was; of counts, how many there were of each bucket."""

    time: float
    things: dict[Key, float] = field(default_factory=dict)
    counts: dict[Key, int] = field(default_factory=dict)


class Life:
    """The world of a seed. It goes on with the clock of whoever looks at it, and things come and go in it.

    Attributes:
        world: what the simulated Sentry tells of.
        random: what all choices follow from.
        renamed: a project has had another slug.
        names_are_known: a run has seen what the chosen slugs stand for, so that they may change.
        absent: thing → when it was last seen to be gone; it may have come back.
        ever: all things that there were.
    """

    def __init__(self, scenario: Scenario, ledger: Ledger, time: Time) -> None:
        self.scenario = scenario
        self.subject = SUBJECTS[scenario.report]
        self.random = Random(f"world:{scenario.seed}")
        self.world = self._world()
        self.renamed = False
        self.names_are_known = False
        self.absent: dict[Key, float] = {}
        self.ever: set[Key] = set()
        self._ledger = ledger
        self._time = time
        if scenario.report in {TEAMS, TEAM_PROJECTS}:
            for _ in range(4):
                self._found_team()

    def tick(self, time: Time | None = None) -> float:
        """The server's clock, with which the world goes on."""
        self.world.time = max(self.world.time, (time or self._time).now())
        return self.world.time

    def known(self) -> Known:
        """What there is now of what was chosen."""
        things = dict(self.subject.things(self.world, self.scenario.details))
        self.ever.update(things)
        return Known(self.world.time, things, self.counts())

    def counts(self) -> dict[Key, int]:
        """Scope and bucket → how many there are."""
        if self.subject.counts is None:
            return {}
        scopes = self.subject.counts(self.world, self.scenario.details).items()
        return {(scope, bucket): count for scope, times in scopes for bucket, count in by_bucket(times).items()}

    def arrive(self, count: int, late: float) -> None:
        """Events, late by up to so many seconds, some of people who were never seen before.

        A count that is appended is never corrected: there nothing is late.
        """
        late = 0.0 if self.scenario.report == COUNTS and self.scenario.method is UpdateMethod.APPEND else late
        for _ in range(count):
            project = subjects.project(self.world, self.random.choice(PROJECTS))
            start = self.world.time - 59 - late * self.random.random()
            (event,) = self.world.add_events("acme", project.slug, 1, start=start, end=min(start + 59, self.world.time))
            if self.scenario.report == USERS and self.random.random() < 0.5:
                event.person = Person(f"new-{event.number}", None, None, None, None)

    def drift(self) -> None:
        """Something happens while a list is read."""
        self.tick()
        self.arrive(self.random.randint(1, 3), 1.5 * HOUR)
        self._turn_over()

    def _turn_over(self) -> None:
        """Teams and their projects come and go, where they are what is read."""
        if self.scenario.report in {TEAMS, TEAM_PROJECTS}:
            before = self.known().things
            self._found_and_dissolve()
            gone = before.keys() - self.known().things.keys()
            self.absent |= dict.fromkeys(gone, self.world.time)

    def _found_and_dissolve(self) -> None:
        organization = self.world.organization("acme")
        young = [team for team in organization.teams if "-young-" in team.slug]
        if len(young) > 2 and self.random.random() < 0.6:
            gone = self.random.choice(young)
            organization.teams.remove(gone)
            for project in gone.projects:
                project.teams.remove(gone)
        else:
            self._found_team()
        web = next(team for team in organization.teams if team.slug == "web")
        project = self.random.choice(organization.projects)
        (project.teams.remove if web in project.teams else project.teams.append)(web)

    def _found_team(self) -> None:
        """A team that may stand anywhere in the list, which goes by slug."""
        organization, number = self.world.organization("acme"), self.random.randrange(10_000)
        slug = f"{self.random.choice('acmw')}-young-{number}"
        team = Team(self.world.next_id(), slug, slug, organization, self.world.time, member=True, member_count=number)
        organization.teams.append(team)
        for project in self.random.sample(organization.projects, 2):
            project.teams.append(team)

    def change(self, one: Round) -> None:
        """What comes before a round."""
        self.arrive(one.events, OVERLAP)
        for _ in range(one.changes):
            project = subjects.project(self.world, self.random.choice(PROJECTS))
            status = self.random.choice(["resolved", "ignored", "unresolved"])
            self.world.set_status(self.random.choice(project.issues).id, status)
            self._say(project)
            self.world.add_issues("acme", project.slug)
            self._turn_over()
            if self.scenario.report == ISSUES:
                self.world.delete_issue(self.random.choice(project.issues).id)
        if one.renamed is not None and self._may_rename():
            project = subjects.project(self.world, one.renamed)
            self.world.rename_project("acme", project.slug, f"{project.slug}-anew")
            self.renamed = True
            self._ledger.note(Fault.RENAMED, project.slug)

    def _say(self, project: Project) -> None:
        """Somebody writes about an event; about a young one, where older words would not be looked for."""
        events = project.events
        if self.scenario.report == FEEDBACK and isinstance(self.scenario.details.duration, SinceLastRun):
            events = [event for event in events if event.time > self.world.time - OVERLAP]
        if events:
            self.world.add_feedback(self.random.choice(events), comments=f"word {self.random.random()}")

    def _may_rename(self) -> bool:
        """Where a project was named by its slug, a run must have seen what that stands for."""
        return self.scenario.details.projects in {(), ("*",)} or self.names_are_known

    def _world(self) -> World:
        scenario = self.scenario
        world = World.build(
            now=NOW,
            seed=scenario.seed,
            events=scenario.events,
            issues=60 if scenario.report == ISSUES else 24,
            people=40 if scenario.report == USERS else 6,
            repositories=1,
            feedback=30,
            days=6,
        )
        if scenario.aged:
            edge = world.time - RETENTION
            for slug in PROJECTS:
                world.add_events("acme", slug, 20, start=edge - 2 * DAY, end=edge + 5 * DAY)
        return world
