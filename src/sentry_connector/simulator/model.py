"""The things of the simulated world: plain records that know one another and change only through `World`."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

_TIME = attrgetter("time")


class Outcome(NamedTuple):
    """An event that was sent but is not listed.

    Attributes:
        time: unix seconds.
        kind: `rate_limited` or `filtered`; `lost`: it was stored and counted.
        reason: which filter, for `filtered`.
    """

    time: int
    kind: str
    reason: str


class Person(NamedTuple):
    """Somebody who met an error; any of the four identities may be missing."""

    id: str | None
    username: str | None
    email: str | None
    ip_address: str | None
    name: str | None

    @property
    def identity(self) -> str:
        """Sentry's tag value: kind and value of the first identity that is present (id, username, email, ip)."""
        if self.id:
            return f"id:{self.id}"
        if self.username:
            return f"username:{self.username}"
        return f"email:{self.email}" if self.email else f"ip:{self.ip_address}"


@dataclass(slots=True, eq=False)
class Organization:
    """An organization and what hangs below it. `created` is unix seconds with a fraction, here and below."""

    id: str
    slug: str
    name: str
    region: str
    created: float
    projects: list[Project] = field(default_factory=list)
    teams: list[Team] = field(default_factory=list)
    repositories: list[Repository] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Team:
    """A team. `member` says whether the personal token's user is in it."""

    id: str
    slug: str
    name: str
    organization: Organization
    created: float
    member: bool
    member_count: int

    @property
    def projects(self) -> list[Project]:
        """The projects that this team looks after."""
        return [project for project in self.organization.projects if self in project.teams]


@dataclass(slots=True, eq=False)
class Repository:
    """A source code repository that an organization has connected."""

    id: str
    name: str
    provider: str
    status: str
    created: float


@dataclass(slots=True, eq=False)
class Event:
    """One event; its texts follow from its number (see `events.py`), so that a million of them stay small.

    Attributes:
        number: counts up through the world; the seed of the body.
        id: 32 hexadecimal digits.
        time: when it happened, unix seconds; Sentry's lists know it to the second only.
        delay: seconds with a fraction until Sentry received it.
        slim: the list row as JSON, where it is kept.
    """

    number: int
    id: str
    time: int
    issue: Issue
    person: Person | None
    delay: float = 0.25
    slim: bytes | None = None

    @property
    def project(self) -> Project:
        """The project it was sent to."""
        return self.issue.project


@dataclass(slots=True, eq=False)
class Issue:
    """Events that Sentry holds to be one problem.

    Attributes:
        number: the last part of the short id, as a plain number.
        kind: what its events look like, a key of `events.KINDS`.
        events: oldest first.
    """

    id: str
    number: int
    project: Project
    kind: str
    title: str
    message: str
    culprit: str
    level: str
    status: str = "unresolved"
    substatus: str | None = "ongoing"
    assignee: str | None = None
    priority: str = "medium"
    comments: int = 0
    events: list[Event] = field(default_factory=list)

    @property
    def short_id(self) -> str:
        """`SHOP-1K`: the project's slug and the number in base 32 (Crockford), as Sentry counts."""
        return f"{self.project.slug.upper()}-{base32(self.number)}"

    @property
    def is_transaction(self) -> bool:
        """Performance problems hold transactions, which are no error events and stand in no project event list."""
        return self.kind == "transaction"

    @property
    def first_seen(self) -> int:
        """Time of its first event, unix seconds."""
        return self.events[0].time

    @property
    def last_seen(self) -> int:
        """Time of its newest event, unix seconds."""
        return self.events[-1].time


@dataclass(slots=True, eq=False)
class Feedback:
    """A user's words about an event (the old User Report)."""

    id: str
    event: Event
    name: str
    email: str
    comments: str
    created: float


@dataclass(slots=True, eq=False)
class Project:
    """A project and its data.

    Attributes:
        events: error events, oldest first (ties by id).
        outcomes: events that were not stored, oldest first.
        former_slugs: names it once had; Sentry answers them with a redirect.
        issue_count: how many issues it has ever had, for short ids.
        bookmarked: starred by the personal token's user; comes first in lists.
    """

    id: str
    slug: str
    name: str
    platform: str
    organization: Organization
    created: float
    teams: list[Team]
    events: list[Event] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    feedback: list[Feedback] = field(default_factory=list)
    former_slugs: list[str] = field(default_factory=list)
    issue_count: int = 0
    bookmarked: bool = False

    @property
    def member(self) -> bool:
        """Whether the personal token's user is in one of its teams."""
        return any(team.member for team in self.teams)


def event_order(event: Event) -> tuple[int, str]:
    """How Sentry sorts events: by time, then by id."""
    return event.time, event.id


def span(events: Sequence[Event], start: float | None, end: float | None) -> range:
    """The places in a sorted list of the events in [start, end), unix seconds; None = no bound."""
    if not events:
        return range(0)
    low = 0 if start is None or start <= events[0].time else bisect.bisect_left(events, start, key=_TIME)
    high = len(events) if end is None or events[-1].time < end else bisect.bisect_left(events, end, key=_TIME)
    return range(low, high)


def between(events: Sequence[Event], start: float | None, end: float | None) -> Sequence[Event]:
    """The events of a sorted list in [start, end), unix seconds; None = no bound. The list itself where it is all of them."""
    if not events or ((start is None or start <= events[0].time) and (end is None or events[-1].time < end)):
        return events
    places = span(events, start, end)
    return events[places.start : places.stop]


def newest_first(events: Sequence[Event], places: range, offset: int, count: int) -> Sequence[Event]:
    """Some of the events at these places of a sorted list, counted from the newest of them."""
    stop = max(places.start, places.stop - offset)
    return events[max(places.start, stop - count) : stop][::-1]


def base32(number: int) -> str:
    """Crockford's base 32, as in Sentry's short ids."""
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    digits = ""
    while number:
        number, rest = divmod(number, 32)
        digits = alphabet[rest] + digits
    return digits or "0"
