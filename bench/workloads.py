"""The workloads as data: what the simulated Sentry holds, how it answers, and how soon all of it could be read at best."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.bounds import BODIES_PAGE, Budget, bodies, limited, pages, unlimited

CONNECTIONS = 25
LATENCY_MS = 50
WINDOW_DIVISOR = 10
"""How many times shorter than sentry.io's the windows of the limits are: nobody waits for minutes."""

ORGANIZATION = "acme"

PROJECT_EVENTS = Budget(60, 60, 1)
ISSUE_LISTS = Budget(10, 1)
DEFAULT_LISTS = Budget(40, 1, 25)
"""Limits of sentry.io."""

EVENTS, ISSUES, BODIES = "project-events", "projects-issues", "bodies"
METADATA = (
    "organization-projects",
    "organization-teams",
    "organization-repositories",
    "projects-users",
    "project-feedback",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What a simulated Sentry says about itself when it begins.

    Attributes:
        sizes: how many events each issue of the first project has.
        people: how many people each project's events name.
    """

    sizes: Sequence[int]
    people: Sequence[int]


Bound = Callable[["Workload", Facts, float], float]
"""Seconds at best, from the instant (unix seconds) of the first request on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Workload:
    """What is to be read.

    Attributes:
        about: for the table's foot.
        scale: the fields of the simulator's `Scale`.
        reads: which lists: reports' slugs, or `BODIES`.
        latency_ms: what each request takes.
        window_divisor: how many times shorter than sentry.io's the windows of the limits are; None = there are no limits.
        bound: how soon it could be done; None = nothing but the processors bounds it.
        share: which part this is of what the name promises (0.1 = a tenth).
    """

    about: str
    scale: Mapping[str, Any]
    reads: tuple[str, ...]
    latency_ms: int = LATENCY_MS
    window_divisor: int | None = None
    bound: Bound | None = None
    share: float = 1

    @property
    def projects(self) -> tuple[str, ...]:
        """The projects' slugs."""
        return tuple(f"project-{number:03}" for number in range(self.scale["projects"]))

    def budget(self, published: Budget) -> Budget:
        """A limit of sentry.io with the workload's windows."""
        return replace(published, window=published.window / (self.window_divisor or 1))

    @property
    def latency(self) -> float:
        """What each request takes, seconds."""
        return self.latency_ms / 1000

    def rows(self, facts: Facts) -> int:
        """How many rows all its lists have."""
        count, scale = self.scale["projects"], self.scale
        known = {
            EVENTS: count * scale["events"],
            BODIES: count * scale["events"],
            ISSUES: count * scale["issues"],
            "organization-projects": count,
            "organization-teams": scale.get("teams", 1),
            "organization-repositories": scale.get("repositories", 0),
            "projects-users": sum(facts.people),
            "project-feedback": count * scale.get("feedback", 0),
        }
        return sum(known[one] for one in self.reads)

    def part(self, share: float) -> Workload:
        """A part of it, with proportionally fewer events and issues in each project."""
        fewer = {name: round(self.scale[name] * share) for name in ("events", "issues")}
        return replace(self, scale={**self.scale, **fewer}, share=self.share * share)


# ---- the bounds


def both_lists(workload: Workload, _facts: Facts, _start: float) -> float:
    """Events and issues without limits: max(requests × latency / 25, chain × latency).

    Requests: projects × (⌈events / 100⌉ + ⌈issues / 100⌉). An issue list's pages follow one another, since its cursor is a key;
    event lists can be read in windows at once.
    """
    return unlimited(_both(workload), latency=workload.latency, connections=CONNECTIONS)


def both_lists_limited(workload: Workload, _facts: Facts, start: float) -> float:
    """The same under limits, each list by a budget of its own: the later of the two ends."""
    lists = ((_events(workload), PROJECT_EVENTS), (_issues(workload), ISSUE_LISTS))
    return max(
        limited(chains, workload.budget(budget), latency=workload.latency, connections=CONNECTIONS, start=start)
        for chains, budget in lists
    )


def quiet_lists(workload: Workload, _facts: Facts, _start: float) -> float:
    """One request for each list of each project: requests × latency / 25."""
    chains = [1] * (len(workload.projects) * len(workload.reads))
    return unlimited(chains, latency=workload.latency, connections=CONNECTIONS)


def full_events(workload: Workload, _facts: Facts, _start: float) -> float:
    """Full events without limits, by the project's list of ten: ⌈events / 10⌉ × latency / 25."""
    chains = [1] * (len(workload.projects) * pages(workload.scale["events"], BODIES_PAGE))
    return unlimited(chains, latency=workload.latency, connections=CONNECTIONS)


def full_events_limited(workload: Workload, facts: Facts, start: float) -> float:
    """Full events under limits, the cheapest way: see `bounds.bodies`."""
    return bodies(
        facts.sizes,
        workload.budget(DEFAULT_LISTS),
        latency=workload.latency,
        connections=CONNECTIONS,
        start=start,
    )


def metadata(workload: Workload, facts: Facts, _start: float) -> float:
    """Each page of each list as often as a list that may move has to be read: pages that are counted twice, if there are several.

    A single reading cannot tell whether a row slipped to a page that was read before, and two that agree can. Only the first
    page of the first reading has to be waited for.
    Requests: ⌈projects / 100⌉ + ⌈teams / 100⌉ + ⌈repositories / 100⌉ + Σ ⌈people / 100⌉, those above one doubled,
    + Σ ⌈feedback / 100⌉.
    """
    scale = workload.scale
    counted = [scale["projects"], scale["teams"], scale["repositories"], *facts.people]
    chains = [chain for rows in counted for chain in _read_twice(pages(rows))]
    chains += [1] * (len(workload.projects) * pages(scale["feedback"]))
    return unlimited(chains, latency=workload.latency, connections=CONNECTIONS)


def _read_twice(count: int) -> list[int]:
    """The chains of a list of so many pages that is read twice where it has more than one."""
    return [1] if count == 1 else [2, *[1] * (2 * count - 2)]


def _both(workload: Workload) -> list[int]:
    return _events(workload) + _issues(workload)


def _events(workload: Workload) -> list[int]:
    return [1] * (len(workload.projects) * pages(workload.scale["events"]))


def _issues(workload: Workload) -> list[int]:
    return [pages(workload.scale["issues"])] * len(workload.projects)


# ---- the workloads

_BOTH = {"projects": 10, "events": 2000, "issues": 1000}
_BODIES = {"projects": 1, "events": 5000, "issues": 300, "skew": 4}
_MANY = {"projects": 8, "events": 125_000, "issues": 500}
_METADATA = {
    "projects": 120, "events": 300, "issues": 30, "people": 150, "teams": 40, "repositories": 300, "feedback": 20,
}  # fmt: skip

WORKLOADS: Mapping[str, Workload] = {
    "W1": Workload(
        about="ten projects × (2,000 events + 1,000 issues), both lists, 50 ms latency, no limits",
        scale=_BOTH,
        reads=(EVENTS, ISSUES),
        bound=both_lists,
    ),
    "W1x": Workload(
        about="W1 ten times over: a hundred projects",
        scale={**_BOTH, "projects": 100},
        reads=(EVENTS, ISSUES),
        bound=both_lists,
    ),
    "W2": Workload(
        about="W1 under sentry.io's limits, with windows ten times shorter",
        scale=_BOTH,
        reads=(EVENTS, ISSUES),
        window_divisor=WINDOW_DIVISOR,
        bound=both_lists_limited,
    ),
    "W2 whole": Workload(
        about="W2 with sentry.io's own windows",
        scale=_BOTH,
        reads=(EVENTS, ISSUES),
        window_divisor=1,
        bound=both_lists_limited,
    ),
    "W3": Workload(
        about="5,000 full events of one project over 300 issues, 50 ms latency, no limits",
        scale=_BODIES,
        reads=(BODIES,),
        bound=full_events,
    ),
    "W3 limited": Workload(
        about="W3 under sentry.io's limits, with windows ten times shorter",
        scale=_BODIES,
        reads=(BODIES,),
        window_divisor=WINDOW_DIVISOR,
        bound=full_events_limited,
    ),
    "W3 whole": Workload(
        about="W3 under sentry.io's limits, with its own windows",
        scale=_BODIES,
        reads=(BODIES,),
        window_divisor=1,
        bound=full_events_limited,
    ),
    "W4": Workload(
        about="a second run over W1 without activity",
        scale=_BOTH,
        reads=(EVENTS, ISSUES),
        bound=quiet_lists,
    ),
    "W5": Workload(
        about="projects, teams, repositories, users and feedback of 120 projects, 50 ms latency, no limits",
        scale=_METADATA,
        reads=METADATA,
        bound=metadata,
    ),
    "W6": Workload(
        about="1,000,000 events of eight projects, list form, no latency, no limits",
        scale=_MANY,
        reads=(EVENTS,),
        latency_ms=0,
    ),
    "W7": Workload(
        about="a fortieth of W6",
        scale={**_MANY, "events": 3125},
        reads=(EVENTS,),
        latency_ms=0,
    ),
}
