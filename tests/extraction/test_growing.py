"""Lists that grow while they are read: what was there when the reading began is there once, however often it is tried."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sentry_connector.reports import catalogue
from sentry_connector.reports.details import Details
from sentry_connector.simulator import TOKEN, World, running
from tests.parts import NOW, StandingApp, pulled

EVENTS_PER_SECOND = 20
"""In each project."""
SECONDS_PER_LOOK = 0.02
"""How far the server's clock moves whenever it is read, some times a request."""
SETTLE = 60
LATEST = 300
"""Seconds by which an event may arrive late, so that it comes to lie in the middle of what is read."""
TIMES = 20


@dataclass
class Growing:
    """A server's clock, with which events arrive in every project of an organization; late ones among them."""

    world: World
    seed: int
    arrived: int = 0
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311  # a seeded world

    def __call__(self) -> float:
        self.world.advance(SECONDS_PER_LOOK)
        due = int((self.world.time - NOW.timestamp()) * EVENTS_PER_SECOND)
        for _ in range(due - self.arrived):
            for project in self.world.organization("acme").projects:
                at = self.world.time - self._random.random() * LATEST
                self.world.add_events("acme", project.slug, 1, start=at - 1, end=at)
        self.arrived = max(self.arrived, due)
        return self.world.time


async def read_while_growing(folder: Path, seed: int, era: str, *, bodies: bool) -> None:
    world = World.build(now=NOW, seed=seed, events=500, issues=20, days=1)
    projects = world.organization("acme").projects
    settled = {event.id for project in projects for event in project.events if event.time < NOW.timestamp() - SETTLE}
    clock = Growing(world, seed)
    async with running(world, era=era, clock=clock) as sentry:
        app = StandingApp(folder, sentry.url, TOKEN)
        details = Details(projects=("*",), organizations=("acme",), bodies=bodies)
        rows = (await pulled(app, catalogue.find("project-events"), details)).rows
    found = Counter(row["event_id"] for row in rows)
    assert clock.arrived > 5
    assert settled <= found.keys()
    assert set(found.values()) == {1}


@pytest.mark.parametrize("seed", range(TIMES))
async def test_every_event_that_was_settled_is_there_once(seed: int, tmp_path: Path) -> None:
    await read_while_growing(tmp_path, seed, "new", bodies=False)


@pytest.mark.parametrize(("era", "bodies"), [("old", False), ("old", True), ("new", True)])
async def test_so_it_is_with_full_events_and_on_old_servers(era: str, bodies: bool, tmp_path: Path) -> None:  # noqa: FBT001
    await read_while_growing(tmp_path, 1, era, bodies=bodies)
