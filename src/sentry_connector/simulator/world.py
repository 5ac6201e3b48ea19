"""The simulated world: organizations, projects, issues and events that know their own truth and can change."""

from __future__ import annotations

import bisect
import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any, TypeVar

from sentry_connector.simulator.model import Event, Feedback, Issue, Organization, Outcome, Person, Project, event_order
from sentry_connector.simulator.population import Size, new_issue, populate

FIRST_SHARED_ID = 4_500_000_000_000_001
SHARE_OF_NEW_ISSUES = 0.1
_Thing = TypeVar("_Thing", Organization, Project)


class World:
    """Everything that a simulated Sentry holds; the same seed, size and instant make the same world.

    Attributes:
        seed: what all randomness comes from.
        time: the world's instant, unix seconds. Events after it do not exist.
        organizations: in the order of their making.
        merged: ids of merged issues, by region and id, with the issue that survived.
    """

    def __init__(self, *, seed: int, now: dt.datetime) -> None:
        self.seed = seed
        self.time = now.timestamp()
        self.organizations: list[Organization] = []
        self.merged: dict[tuple[str, str], Issue] = {}
        self._issues: dict[tuple[str, str], Issue] = {}
        self._issue_ids: dict[str, int] = {}
        self._shared_id = FIRST_SHARED_ID
        self._events = 0
        self._feedback: dict[str, int] = {}
        self._random = Random(f"{seed}:changes")

    @classmethod
    def build(
        cls,
        *,
        now: dt.datetime,
        seed: int = 1,
        events: int | Mapping[str, int] = 2000,
        issues: int = 150,
        days: float = 30,
        repositories: int = 230,
        people: int = 40,
        feedback: int = 120,
        bulk: int = 0,
        regions: bool = False,
    ) -> World:
        """A filled world; the numbers are those of `Size`.

        Args:
            now: the world's instant, with a time zone.
            seed: what all randomness comes from.
            events: error events and transactions in all, or by project (`{"acme/shop": 100_000}`).
            issues: issues in all.
            days: how far back events go.
            repositories: repositories of acme.
            people: people of each project.
            feedback: user reports of all projects.
            bulk: further quiet projects and teams of globex, for lists of many pages.
            regions: globex lives in another region than acme, on another host, and repeats the issue ids of acme.
        """
        world = cls(seed=seed, now=now)
        size = Size(
            events=events,
            issues=issues,
            days=days,
            repositories=repositories,
            people=people,
            feedback=feedback,
            bulk=bulk,
        )
        populate(world, size, Random(f"{seed}:population"), regions=regions)
        return world

    # ---- finding

    @property
    def now(self) -> dt.datetime:
        """The world's instant in UTC."""
        return dt.datetime.fromtimestamp(self.time, dt.UTC)

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions that hold organizations, the first one being that of the control host."""
        return tuple(dict.fromkeys(organization.region for organization in self.organizations))

    @property
    def projects(self) -> Iterator[Project]:
        """All projects of all organizations."""
        return (project for organization in self.organizations for project in organization.projects)

    def organization(self, slug_or_id: str) -> Organization:
        """The organization of that slug or id.

        Raises:
            KeyError: there is none.
        """
        return _find(self.organizations, slug_or_id)

    def project(self, organization: str, slug_or_id: str) -> Project:
        """The project of that slug or id.

        Raises:
            KeyError: there is none, or it has another slug now.
        """
        return _find(self.organization(organization).projects, slug_or_id)

    def issue(self, issue_id: str, region: str | None = None) -> Issue:
        """The issue of that id, or the one that it was merged into.

        Raises:
            KeyError: there is none in that region (without a region: in the first that has organizations).
        """
        key = region or self.regions[0], issue_id
        return self.merged[key] if key in self.merged else self._issues[key]

    def feedback_of(self, event: Event) -> Feedback | None:
        """The user report about an event."""
        return next((report for report in event.project.feedback if report.event is event), None)

    # ---- making ids

    def next_id(self) -> str:
        """An id of the scheme that organizations, teams and projects share over all regions."""
        self._shared_id += 1
        return str(self._shared_id)

    def next_issue_id(self, region: str) -> str:
        """Issue ids count up by region, so that two regions have equal ones."""
        self._issue_ids[region] = self._issue_ids.get(region, 0) + 1
        return str(self._issue_ids[region])

    # ---- changing

    def advance(self, seconds: float) -> None:
        """Let time go on."""
        self.time += seconds

    def add_issue(self, issue: Issue) -> None:
        """Make an issue known."""
        self._issues[issue.project.organization.region, issue.id] = issue
        issue.project.issues.append(issue)

    def append_event(self, issue: Issue, time: int, person: Person | None, delay: float = 0.25) -> Event:
        """Add an event to an issue, at its place in time; `time` is unix seconds."""
        digest = hashlib.blake2b(f"{self.seed}:{self._events}".encode(), digest_size=16).hexdigest()
        event = Event(self._events, digest, time, issue, person, delay)
        self._events += 1
        _insert(issue.events, event)
        if not issue.is_transaction:
            _insert(issue.project.events, event)
        return event

    def add_events(
        self, organization: str, project: str, count: int, *, start: float | None = None, end: float | None = None
    ) -> list[Event]:
        """Let events arrive now in issues of the project that are there already.

        Args:
            organization: slug or id.
            project: slug or id.
            count: how many.
            start: earliest time of the events, unix seconds; default one minute ago.
            end: the time they all lie before; default now. A past span makes late events, whose `dateReceived` is now.
        """
        place = self.project(organization, project)
        first, last = start or self.time - 60, end or self.time
        added = []
        for _ in range(count):
            issue = (
                self._random.choice(place.issues) if place.issues else new_issue(self, place, "message", self._random)
            )
            time = int(first + self._random.random() * (last - first))
            added.append(self.append_event(issue, time, None, delay=max(0.25, self.time - time)))
        return added

    def add_issues(self, organization: str, project: str, count: int = 1) -> list[Issue]:
        """New issues with one event each, now."""
        place = self.project(organization, project)
        issues = [new_issue(self, place, "message", self._random) for _ in range(count)]
        for issue in issues:
            self.append_event(issue, int(self.time), None)
        return issues

    def set_status(self, issue_id: str, status: str, region: str | None = None) -> None:
        """Resolve, ignore or reopen an issue; its last-seen time stays."""
        issue = self.issue(issue_id, region)
        issue.status, issue.substatus = status, "ongoing" if status == "unresolved" else None

    def merge_issues(self, old_id: str, *, into: str, region: str | None = None) -> None:
        """Move an issue's events to another issue of its project; the old id answers with the survivor from then on."""
        old, survivor = self.issue(old_id, region), self.issue(into, region)
        for event in old.events:
            event.issue, event.slim = survivor, None
        survivor.events = sorted([*survivor.events, *old.events], key=event_order)
        self._forget(old)
        self.merged = {key: survivor if target is old else target for key, target in self.merged.items()}
        self.merged[old.project.organization.region, old.id] = survivor

    def delete_issue(self, issue_id: str, region: str | None = None) -> None:
        """Take an issue away, with its events and the words about them."""
        issue = self.issue(issue_id, region)
        project = issue.project
        project.events = [event for event in project.events if event.issue is not issue]
        project.feedback = [report for report in project.feedback if report.event.issue is not issue]
        self._forget(issue)
        self.merged = {key: target for key, target in self.merged.items() if target is not issue}

    def lose_event(self, event: Event) -> None:
        """Let an event be counted, and listed nowhere: what counts and lists say need not be the same."""
        event.issue.events.remove(event)
        event.project.events.remove(event)
        event.project.outcomes.append(Outcome(event.time, "lost", ""))

    def rename_project(self, organization: str, project: str, slug: str) -> None:
        """Give a project another slug; the old one is answered with a redirect from then on."""
        place = self.project(organization, project)
        place.former_slugs.append(place.slug)
        place.slug = slug
        for issue in place.issues:
            for event in issue.events:
                event.slim = None

    def add_feedback(self, event: Event, *, comments: str, name: str = "ana") -> Feedback:
        """Let a user write about an event, half an hour after it or now, whichever comes first."""
        region = event.project.organization.region
        self._feedback[region] = number = self._feedback.get(region, 0) + 1
        created = min(self.time, event.time + 1800 + number / 1000)
        report = Feedback(str(number), event, name, f"{name}@example.com", comments, created)
        event.project.feedback.append(report)
        return report

    def drift(self, count: int) -> None:
        """Let `count` events arrive at random projects, and for each tenth of them a new issue."""
        busy = [project for project in self.projects if project.events]
        for _ in range(count if busy else 0):
            place = self._random.choice(busy)
            if self._random.random() < SHARE_OF_NEW_ISSUES:
                self.add_issues(place.organization.slug, place.slug)
            else:
                self.add_events(place.organization.slug, place.slug, 1)

    def _forget(self, issue: Issue) -> None:
        issue.project.issues.remove(issue)
        del self._issues[issue.project.organization.region, issue.id]

    # ---- the truth

    def truth(self) -> dict[str, Any]:
        """What a connector must find: ids and counts of everything, by organization and project."""
        return {"now": self.time, "organizations": [_truth_of_organization(one) for one in self.organizations]}


def _insert(events: list[Event], event: Event) -> None:
    """Keep the list sorted; almost always the new one belongs at its end."""
    if events and event_order(event) < event_order(events[-1]):
        bisect.insort(events, event, key=event_order)
    else:
        events.append(event)


def _find(things: list[_Thing], slug_or_id: str) -> _Thing:
    for thing in things:
        if slug_or_id in (thing.slug, thing.id):
            return thing
    raise KeyError(slug_or_id)


def _truth_of_organization(organization: Organization) -> dict[str, Any]:
    return {
        "id": organization.id,
        "slug": organization.slug,
        "region": organization.region,
        "repositories": [one.id for one in organization.repositories if one.status == "active"],
        "teams": [
            {"id": team.id, "slug": team.slug, "member": team.member, "projects": [one.id for one in team.projects]}
            for team in organization.teams
        ],
        "projects": [_truth_of_project(project) for project in organization.projects],
    }


def _truth_of_project(project: Project) -> dict[str, Any]:
    return {
        "id": project.id,
        "slug": project.slug,
        "member": project.member,
        "events": {event.id: {"time": event.time, "issue": event.issue.id} for event in project.events},
        "issues": {issue.id: _truth_of_issue(issue) for issue in project.issues},
        "users": sorted({event.person.identity for event in project.events if event.person}),
        "feedback": [report.id for report in project.feedback],
        "generated": len(project.events),
        "received": len(project.events) + sum(one.reason != "filtered-transaction" for one in project.outcomes),
        "rejected": sum(one.kind == "rate_limited" for one in project.outcomes),
        "blacklisted": sum(one.kind == "filtered" and one.reason != "filtered-transaction" for one in project.outcomes),
    }


def _truth_of_issue(issue: Issue) -> dict[str, Any]:
    return {
        "status": issue.status,
        "short_id": issue.short_id,
        "events": [event.id for event in issue.events],
        "users": len({event.person.identity for event in issue.events if event.person}),
        "first_seen": issue.first_seen,
        "last_seen": issue.last_seen,
    }
