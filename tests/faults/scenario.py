"""One seed becomes a DataSet, a number of runs, what changes between them, and what goes wrong."""
# ruff: noqa: S311  # seeded worlds, not cryptography

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.reports.details import ALL, AllAvailable, Details, Duration, SinceLastRun
from tests.faults.kinds import OF_ANSWERS, OF_SCOPES, Fault
from tests.faults.process import POINTS, Strike

EVENTS, ISSUES, FEEDBACK = "project-events", "projects-issues", "project-feedback"
ALL_DATES, SINCE = AllAvailable(), SinceLastRun()
REPLACE, APPEND, UPSERT, PARTITION = UpdateMethod

KINDS: tuple[tuple[str, UpdateMethod, Duration], ...] = (
    (EVENTS, UPSERT, SINCE),
    (EVENTS, APPEND, SINCE),
    (EVENTS, PARTITION, SINCE),
    (EVENTS, UPSERT, ALL_DATES),
    (EVENTS, REPLACE, ALL_DATES),
    (EVENTS, APPEND, ALL_DATES),
    (ISSUES, UPSERT, ALL_DATES),
    (ISSUES, UPSERT, SINCE),
    (ISSUES, REPLACE, ALL_DATES),
    (FEEDBACK, UPSERT, ALL_DATES),
)
PROJECTS = ("shop", "payments", "blog")
MOST_SKEW = 3000.0
FAR = 3.2 * 3600
"""Seconds by which a clock is ahead that is quite wrong: more than the overlap makes good."""
OFTEN_PASSED = {"request": 14, "answer": 14, "look": 30, "store": 30}
"""How often a run comes by there, about; by the others it comes once to thrice."""


@dataclass(frozen=True, kw_only=True)
class Round:
    """One run, and what comes before it.

    Attributes:
        hours: that pass before it.
        events: that arrive before it, late by up to as many hours as the overlap reaches back.
        renamed: a project that gets another slug before it.
        restored: the store is put back afterwards to what it was before.
        flipped: a byte of what was staged is flipped afterwards.
    """

    hours: float
    events: int
    changes: int
    rate: float
    kinds: tuple[Fault, ...]
    skew: float = 0.0
    strikes: tuple[Strike, ...] = ()
    refused: tuple[str, Fault] | None = None
    renamed: str | None = None
    restored: bool = False
    flipped: bool = False


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What a seed means."""

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


def scenario_of(seed: int) -> Scenario:
    """The scenario of a seed."""
    random = Random(f"scenario:{seed}")
    report, method, duration = random.choice(KINDS)
    projects = (ALL,) if random.random() < 0.25 else tuple(f"acme/{slug}" for slug in PROJECTS[: random.randint(1, 3)])
    organizations = ("acme",) if report == ISSUES or projects == (ALL,) else ()
    bodies = report == EVENTS and random.random() < 0.15
    return Scenario(
        seed=seed,
        report=report,
        method=method,
        details=Details(organizations=organizations, projects=projects, duration=duration, bodies=bodies),
        events=random.randint(60, 90) if bodies else random.randint(100, 320),
        compress=random.random() < 0.4,
        latency=random.choice([0.01, 0.05, 0.4]),
        part_rows=random.choice([60, 150, 50_000]),
        page_rows=random.choice([None, 15, 20, 45]),
        rounds=tuple(_round(random) for _ in range(random.randint(2, 4))),
    )


def _round(random: Random) -> Round:
    rough = random.random() < 0.5
    return Round(
        hours=random.uniform(1.2, 4.0),
        events=random.randint(0, 25),
        changes=random.randint(0, 4),
        rate=random.uniform(0.05, 0.35) if rough else random.choice([0.0, 0.0, 0.05]),
        kinds=tuple(random.sample(OF_ANSWERS, random.randint(3, len(OF_ANSWERS)))),
        skew=random.choice([0.0, 0.0, 0.0, random.uniform(-MOST_SKEW, MOST_SKEW), random.uniform(0, FAR)]),
        strikes=_strikes(random),
        refused=(random.choice(PROJECTS), random.choice(OF_SCOPES)) if random.random() < 0.12 else None,
        renamed=random.choice(PROJECTS) if random.random() < 0.06 else None,
        restored=random.random() < 0.06,
        flipped=random.random() < 0.3,
    )


def _strikes(random: Random) -> tuple[Strike, ...]:
    if random.random() < 0.35:
        return ()
    chosen = random.random()
    if chosen < 0.6:
        fault = random.choice(list(POINTS))
        return (Strike(fault, POINTS[fault], _number(random, POINTS[fault])),)
    if chosen < 0.72:
        point = random.choice([*POINTS.values()])
        return (Strike(Fault.OVERTAKEN, point, _number(random, point)),)
    if chosen < 0.82:
        return (Strike(Fault.STORE_LOCKED, "store", _number(random, "store")),)
    if chosen < 0.91:
        point = random.choice(["part", "manifest"])
        return (Strike(Fault.DISK_FULL, point, _number(random, point)),)
    return (Strike(Fault.CONFLICT, "commit", 1),)


def _number(random: Random, point: str) -> int:
    return random.randint(1, OFTEN_PASSED.get(point, 1 if "commit" in point else 3))
