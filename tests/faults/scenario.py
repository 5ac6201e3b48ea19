"""One seed becomes a DataSet, a number of runs, what changes between them, and what goes wrong."""
# ruff: noqa: S311  # seeded worlds, not cryptography

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from random import Random

import msgspec

from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.reports.details import ALL, AllAvailable, DateRange, Details, Duration, SinceLastRun
from tests.faults.kinds import OF_ANSWERS, OF_SCOPES, Fault
from tests.faults.process import FULL, POINTS, Strike
from tests.faults.subjects import (
    ALL_COUNTS,
    COUNTS,
    ENTRIES,
    EVENTS,
    FEEDBACK,
    ISSUES,
    TEAM_COUNTS,
    TEAM_PROJECTS,
    TEAMS,
    USERS,
)

ALL_DATES, SINCE, LAST_DAYS = AllAvailable(), SinceLastRun(), DateRange(start=2, end=0)
REPLACE, APPEND, UPSERT, PARTITION = UpdateMethod
AGED = dt.date(2025, 12, 10)
"""The day, 90 days before the first run, of which Sentry has forgotten the half."""


@dataclass(frozen=True)
class Kind:
    """What kind of DataSet it is: `aged`: its dates, or some of its rows, lie where Sentry's retention ends."""

    report: str
    method: UpdateMethod
    duration: Duration | None = None
    aged: bool = False


KINDS = (
    *(Kind(EVENTS, method, SINCE) for method in (UPSERT, APPEND, PARTITION)),
    *(Kind(EVENTS, method, ALL_DATES) for method in (UPSERT, REPLACE, APPEND)),
    *(Kind(EVENTS, method, None, aged=True) for method in UpdateMethod),
    Kind(EVENTS, PARTITION, ALL_DATES, aged=True),
    Kind(ENTRIES, UPSERT, SINCE),
    Kind(ENTRIES, PARTITION, SINCE),
    Kind(ENTRIES, REPLACE, ALL_DATES),
    *(Kind(ISSUES, *how) for how in ((UPSERT, ALL_DATES), (UPSERT, SINCE), (REPLACE, ALL_DATES))),
    *(Kind(FEEDBACK, *how) for how in ((UPSERT, ALL_DATES), (APPEND, SINCE))),
    *(Kind(USERS, method) for method in (UPSERT, REPLACE)),
    *(Kind(TEAMS, method) for method in (REPLACE, APPEND)),
    Kind(TEAM_PROJECTS, UPSERT),
    *(Kind(COUNTS, method, SINCE) for method in (UPSERT, PARTITION, APPEND)),
    Kind(TEAM_COUNTS, UPSERT, SINCE),
    Kind(ALL_COUNTS, REPLACE, LAST_DAYS),
)
PROJECTS = ("shop", "payments", "blog")
MOST_SKEW = 3000.0
FAR = 3.2 * 3600
"""Seconds by which a clock is ahead that is quite wrong: more than the overlap makes good."""
OFTEN_PASSED = {"request": 12, "answer": 12, "look": 26, "store": 26, "journal": 4}
"""How often a run comes by there, about; by the others it comes once or twice."""
ONCE = ("commit", "log", "committed")


@dataclass(frozen=True, kw_only=True)
class Round:
    """One run, and what comes before it.

    Attributes:
        hours: that pass before it.
        events: that arrive before it, late by up to as many hours as the overlap reaches back.
        moving: share of its further pages before which rows arrive.
        renamed: a project that gets another slug before it.
        restored: the store is put back afterwards to what it was before.
        flipped: a byte of what was staged is flipped afterwards.
        retried: an old run is retried before it.
    """

    hours: float
    events: int
    changes: int
    rate: float
    kinds: tuple[Fault, ...]
    moving: float = 0.0
    skew: float = 0.0
    strikes: tuple[Strike, ...] = ()
    refused: tuple[str, Fault] | None = None
    renamed: str | None = None
    restored: bool = False
    flipped: bool = False
    retried: bool = False


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What a seed means. `aged`: there are events on both sides of where Sentry's retention ends."""

    seed: int
    report: str
    method: UpdateMethod
    details: Details
    events: int
    compress: bool
    latency: float
    part_rows: int
    page_rows: int | None
    rounds: tuple[Round, ...]
    aged: bool = False


def scenario_of(seed: int) -> Scenario:
    """The scenario of a seed."""
    random = Random(f"scenario:{seed}")
    kind = random.choice(KINDS)
    details = _details(random, kind)
    has_bodies = details.bodies or kind.report == ENTRIES
    return Scenario(
        seed=seed,
        report=kind.report,
        method=kind.method,
        details=details,
        events=random.randint(40, 70) if has_bodies else random.randint(100, 320),
        compress=random.random() < 0.4,
        latency=random.choice([0.01, 0.05, 0.4]),
        part_rows=random.choice([60, 150, 50_000]),
        page_rows=random.choice(SHORT_PAGES.get(kind.report, (None, 15, 20, 45))),
        rounds=tuple(_round(random, kind) for _ in range(random.randint(2, 4))),
        aged=kind.aged,
    )


SHORT_PAGES = {ISSUES: (None, 3, 8), TEAMS: (None, 1, 2, 3), TEAM_PROJECTS: (None, 1, 2)}
"""Rows of a page where there are few: a list of several pages is what goes wrong."""


def _details(random: Random, kind: Kind) -> Details:
    everything = random.random() < 0.25
    duration = kind.duration or (_aged(random) if kind.aged else None)
    if kind.report in {TEAMS, TEAM_PROJECTS, TEAM_COUNTS, ALL_COUNTS}:
        some = (ALL,) if everything else ("web", "billing")[: random.randint(1, 2)]
        teams = some if kind.report in {TEAM_PROJECTS, TEAM_COUNTS} else ()
        details = Details(organizations=("acme",), teams=teams, duration=duration)
    else:
        projects = (ALL,) if everything else tuple(f"acme/{slug}" for slug in PROJECTS[: random.randint(1, 3)])
        organizations = ("acme",) if kind.report == ISSUES or everything else ()
        bodies = kind.report == EVENTS and not kind.aged and random.random() < 0.15
        details = Details(organizations=organizations, projects=projects, duration=duration, bodies=bodies)
    if kind.report in {COUNTS, TEAM_COUNTS, ALL_COUNTS}:
        return msgspec.structs.replace(details, stat="received", resolution="1h")
    return details


def _aged(random: Random) -> DateRange:
    """Days that begin before what Sentry keeps."""
    start = AGED - dt.timedelta(days=random.randint(0, 2))
    return DateRange(start=start, end=start + dt.timedelta(days=random.randint(1, 5)))


def _round(random: Random, kind: Kind) -> Round:
    rough = random.random() < 0.5
    return Round(
        hours=random.uniform(1.2, 4.0) * (10 if kind.aged else 1) + _weeks(random, kind),
        events=random.randint(0, 25),
        changes=random.randint(0, 4),
        rate=random.uniform(0.05, 0.35) if rough else random.choice([0.0, 0.0, 0.05]),
        kinds=tuple(random.sample(OF_ANSWERS, random.randint(3, len(OF_ANSWERS)))),
        moving=random.choice([0.0, 0.4] if kind.report == ISSUES else [0.0, 0.0, 0.05, 0.3]),
        skew=random.choice([0.0, 0.0, 0.0, random.uniform(-MOST_SKEW, MOST_SKEW), random.uniform(0, FAR)]),
        strikes=_strikes(random),
        refused=(random.choice(PROJECTS), random.choice(OF_SCOPES))
        if random.random() < (0.35 if kind.report == ISSUES else 0.14)
        else None,
        renamed=random.choice(PROJECTS) if random.random() < 0.06 else None,
        restored=random.random() < 0.06,
        flipped=random.random() < 0.3,
        retried=random.random() < 0.07,
    )


def _weeks(random: Random, kind: Kind) -> float:
    """Issues are all read again once a week."""
    return 7 * 24 if kind.report == ISSUES and random.random() < 0.4 else 0


def _strikes(random: Random) -> tuple[Strike, ...]:
    if random.random() < 0.3:
        return ()
    chosen = random.random()
    if chosen < 0.56:
        fault = random.choice(list(POINTS))
        return (Strike(fault, POINTS[fault], _number(random, POINTS[fault])),)
    if chosen < 0.7:
        fault = random.choice([Fault.OVERTAKEN, Fault.OVERTAKEN_BY_FAILURE])
        point = random.choice([*POINTS.values()])
        return (Strike(fault, point, _number(random, point)),)
    if chosen < 0.77:
        return (Strike(Fault.STORE_LOCKED, "store", _number(random, "store")),)
    if chosen < 0.93:
        fault = random.choice(list(FULL))
        return (Strike(fault, FULL[fault], _number(random, FULL[fault])),)
    return (Strike(Fault.CONFLICT, "commit", 1),)


def _number(random: Random, point: str) -> int:
    return random.randint(1, OFTEN_PASSED.get(point, 1 if point in ONCE else 2))
