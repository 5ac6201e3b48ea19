"""How the simulated world is filled: everything follows from one seeded random generator, in one order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from sentry_connector.simulator import texts
from sentry_connector.simulator.model import Issue, Organization, Outcome, Person, Project, Repository, Team

if TYPE_CHECKING:
    from sentry_connector.simulator.world import World

DAY = 86400
FILTER_REASONS = (
    "ip-address", "release-version", "error-message", "browser-extensions", "legacy-browsers", "localhost",
    "web-crawlers", "invalid-csp", "cors", "discarded-hash", "filtered-transaction",
)  # fmt: skip
"""Why an event was not taken, also choices of `stat` on project counts; `filtered-transaction` counts no errors."""

HOSTILE_EACH = 7
LONGEST_TITLE = 256
STATES = (
    ("unresolved", "ongoing"), ("unresolved", "ongoing"), ("unresolved", "new"), ("unresolved", "escalating"),
    ("resolved", None), ("ignored", "archived_until_escalating"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plot:
    """What a project is like.

    Attributes:
        share: its part of the world's events; 0 = a quiet project.
        kinds: what its issues look like.
    """

    organization: str
    slug: str
    platform: str
    teams: tuple[str, ...]
    share: float
    kinds: tuple[str, ...]
    name: str | None = None
    former_slug: str | None = None
    bookmarked: bool = False

    @property
    def path(self) -> str:
        """`acme/shop`."""
        return f"{self.organization}/{self.slug}"


ODD_NAME = "<b>Odd</b> & \U0001f600 =1+1"
PLOTS = (
    Plot(
        "acme", "shop", "python", ("web",), 0.42, ("python", "python", "message", "template", "csp", "security", "bare")
    ),
    Plot("acme", "blog", "javascript", ("web", "mobile"), 0.2, ("javascript", "javascript", "csp")),
    Plot("acme", "quiet", "go", ("web",), 0, ()),
    Plot("acme", "ios-app", "cocoa", ("mobile",), 0.1, ("native",), bookmarked=True),
    Plot("acme", "payments", "python", ("billing",), 0.1, ("python", "message"), former_slug="invoices"),
    Plot("acme", "odd-name", "other", ("billing",), 0.03, ("message", "bare", "python"), name=ODD_NAME),
    Plot("globex", "api", "python", ("core",), 0.1, ("python", "transaction", "message")),
    Plot("globex", "shop", "ruby", ("core",), 0.05, ("python",)),
)
TEAMS = {"acme": ("web", "mobile", "billing", "empty-team"), "globex": ("core",)}
MEMBER_TEAMS = {"web", "mobile", "core"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How much there is.

    Attributes:
        events: error events and transactions in all, or by project (`{"acme/shop": 100_000}`).
        issues: issues in all; never more than events.
        days: how far back events go.
        repositories: of acme.
        people: of each project.
        feedback: of all projects.
        bulk: further quiet projects and teams of globex, for lists of many pages.
    """

    events: int | Mapping[str, int] = 2000
    issues: int = 150
    days: float = 30
    repositories: int = 230
    people: int = 40
    feedback: int = 120
    bulk: int = 0

    def events_of(self, plot: Plot) -> int:
        """How many events a project gets."""
        if isinstance(self.events, Mapping):
            return self.events.get(plot.path, 0)
        return round(self.events * plot.share)

    def issues_of(self, plot: Plot, events: int) -> int:
        """How many issues a project's events fall into."""
        share = plot.share or 0.1
        return min(events, max(1, round(self.issues * share))) if plot.kinds or events else 0


def populate(world: World, size: Size, random: Random, *, regions: bool) -> None:
    """Fill an empty world."""
    for slug in ("acme", "globex"):
        world.organizations.append(
            _organization(world, slug, size, region="de" if regions and slug == "globex" else "us")
        )
    for plot in PLOTS:
        _fill(world, _project(world, plot), plot, size, random)
    for number in range(1, size.bulk + 1):
        _bulk(world, number)
    _merge_one(world)
    _feedback(world, size.feedback, random)


def _organization(world: World, slug: str, size: Size, region: str) -> Organization:
    born = world.time - 400 * DAY + len(world.organizations) * 3.5
    organization = Organization(world.next_id(), slug, slug.capitalize(), region, born)
    for number, team in enumerate(TEAMS[slug]):
        organization.teams.append(
            Team(
                world.next_id(), team, team.capitalize(), organization, born + number, team in MEMBER_TEAMS, number + 1
            )
        )
    if slug == "acme":
        organization.repositories = repositories_of(size.repositories, born)
    return organization


def repositories_of(count: int, born: float) -> list[Repository]:
    """So many repositories, and one that was deleted."""
    active = [
        Repository(
            str(n), f"acme/{texts.PEOPLE[n % len(texts.PEOPLE)]}-{n:03}", "integrations:github", "active", born + n
        )
        for n in range(1, count + 1)
    ]
    gone = Repository(str(count + 1), "acme/gone", "integrations:github", "deleted", born)
    return [*active, gone]


def _project(world: World, plot: Plot) -> Project:
    organization = world.organization(plot.organization)
    teams = [team for team in organization.teams if team.slug in plot.teams]
    born = organization.created + 100.123456 + len(organization.projects)
    name = plot.name or plot.slug.replace("-", " ").title()
    project = Project(world.next_id(), plot.slug, name, plot.platform, organization, born, teams)
    project.bookmarked = plot.bookmarked
    if plot.former_slug:
        project.former_slugs.append(plot.former_slug)
    organization.projects.append(project)
    return project


def _bulk(world: World, number: int) -> None:
    """One more team with one quiet project."""
    organization = world.organization("globex")
    slug, born = f"bulk-{number:03}", organization.created + 200 + number
    team = Team(world.next_id(), slug, slug, organization, born, member=False, member_count=0)
    organization.teams.append(team)
    organization.projects.append(Project(world.next_id(), slug, slug, "other", organization, born, [team]))


def _fill(world: World, project: Project, plot: Plot, size: Size, random: Random) -> None:
    """Give a project its issues, its events and what was refused."""
    count = size.events_of(plot)
    issues = [
        new_issue(world, project, random.choice(plot.kinds or ("message",)), random)
        for _ in range(size.issues_of(plot, count))
    ]
    if not issues:
        return
    people = people_of(size.people, random)
    span = size.days * DAY
    times = sorted(int(world.time - 1 - random.random() * span) for _ in range(count))
    for time, issue in zip(times, spread(issues, count, random), strict=True):
        world.append_event(issue, time, random.choice(people))
    project.outcomes = refused(times, random)


def new_issue(world: World, project: Project, kind: str, random: Random) -> Issue:
    """An issue without events; one in seven, and each of the project with the odd name, has a hostile message."""
    number = project.issue_count = project.issue_count + 1
    status, substatus = random.choice(STATES)
    id_ = world.next_issue_id(project.organization.region)
    message = _words(int(id_), random, hostile=project.name == ODD_NAME)
    title = (
        message if kind in ("message", "bare", "csp", "security") else f"{random.choice(texts.ERROR_TYPES)}: {message}"
    )
    issue = Issue(
        id=id_,
        number=number,
        project=project,
        kind=kind,
        title=_short(f"GET /api/{random.choice(texts.FUNCTIONS)}/{number}" if kind == "transaction" else title),
        message="" if kind == "transaction" else message,
        culprit=f"{random.choice(texts.MODULES)}.{random.choice(texts.FUNCTIONS)}",
        level="error" if kind in ("python", "native", "javascript") else random.choice(("error", "warning", "info")),
        status=status,
        substatus=substatus,
        assignee=random.choice((None, None, *texts.PEOPLE[:2])),
        priority=random.choice(("low", "medium", "high")),
        comments=random.choice((0, 0, 0, 1, 3)),
    )
    world.add_issue(issue)
    return issue


def _words(number: int, random: Random, *, hostile: bool) -> str:
    """The message of an issue; the hostile ones take turns, the longest first."""
    ordinary = f"The {random.choice(texts.NOUNS)} {random.choice(texts.PROBLEMS)}"
    evil = (texts.LONG, *texts.HOSTILE)
    turn, rest = divmod(number, HOSTILE_EACH)
    return evil[turn % len(evil)] if hostile or rest == 1 else ordinary


def _short(title: str) -> str:
    """Cut as Sentry cuts titles."""
    return title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 3] + "..."


def people_of(count: int, random: Random) -> Sequence[Person | None]:
    """People known by id, by user name only, by email only, by address only, and nobody."""
    people: list[Person | None] = [None]
    for number in range(1, count + 1):
        name = f"{random.choice(texts.PEOPLE)}{number}"
        address = f"203.0.113.{number % 250 + 1}" if number % 3 else f"2001:db8::{number:x}"
        whole = Person(str(1000 + number), name, f"{name}@example.com", address, name.capitalize())
        forms = (
            whole,
            whole,
            Person(None, name, None, None, None),
            Person(None, None, f"{name}@example.com", None, None),
        )
        people.append((*forms, Person(None, None, None, address, None))[number % 5])
    return people


def spread(issues: Sequence[Issue], count: int, random: Random, *, skew: float = 2) -> list[Issue]:
    """Which issue each event belongs to: each issue at least once, the first ones the more often the larger the skew."""
    chosen = [*issues, *(issues[int(random.random() ** skew * len(issues))] for _ in range(count - len(issues)))]
    random.shuffle(chosen)
    return chosen


def refused(times: Sequence[int], random: Random) -> list[Outcome]:
    """Events that were sent but not kept: to twelve stored ones one over the limit, to eight one filtered."""
    limited = [Outcome(time, "rate_limited", "key_quota") for time in times[::12]]
    filtered = [Outcome(time, "filtered", random.choice(FILTER_REASONS)) for time in times[::8]]
    return sorted([*limited, *filtered])


def _merge_one(world: World) -> None:
    """Two issues of the shop become one: the old id answers with the survivor from then on."""
    issues = world.project("acme", "shop").issues
    if len(issues) > 1:
        world.merge_issues(issues[-1].id, into=issues[0].id)


def _feedback(world: World, count: int, random: Random) -> None:
    """Feedback on the events of the projects in turn, some of it hostile."""
    projects = [project for project in world.projects if project.events]
    for number in range(count if projects else 0):
        project = projects[number % len(projects)] if number % 2 else projects[0]
        words = random.choice(texts.HOSTILE if number % 6 == 0 else texts.COMMENTS)
        world.add_feedback(random.choice(project.events), comments=words, name=random.choice(texts.PEOPLE))
