"""`kill -9` of a real process, at every point of its way and at any moment; then one more run, and the table is whole."""
# ruff: noqa: S311  # seeded kills, not cryptography

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest

from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import datasets
from sentry_connector.reports.details import ALL, Details, SinceLastRun
from sentry_connector.runs.lease import TTL
from sentry_connector.simulator import start_in_thread
from sentry_connector.store.records import Verdict
from tests.faults import victim
from tests.faults.process import POINTS, Strike
from tests.parts import NOW
from tests.runs.acme import HOUR, app_in, column, events_in, made, small_world

KILLS, SAMPLE = 300, 6
METHODS = ("append", "upsert", "partition")
EVERYTHING = Details(organizations=("acme",), projects=(ALL,), duration=SinceLastRun())
OFTEN_PASSED = {"request": 12, "answer": 12, "look": 24, "store": 24}
LONGEST = 0.6
"""Seconds within which a process is killed that is killed at any moment; a run takes about as long."""
PATIENCE = 60.0


def strike_of(number: int) -> Strike | None:
    """Two kills of three lie at a point, one at any moment."""
    random, points = Random(f"kill:{number}"), list(POINTS.items())
    if number % 3 == 2:
        return None
    fault, point = points[number % len(points)]
    return Strike(fault, point, random.randint(1, OFTEN_PASSED.get(point, 1)))


def killed(number: int, folder: Path) -> bool:
    """Kill a process, go on with its run, and hold the table to the truth; whether it was killed before its end."""
    world, random = small_world(events=600), Random(f"moment:{number}")
    with start_in_thread(world, clock=lambda: world.time) as sentry:
        app = app_in(folder, sentry)
        dataset = made(app, METHODS[number % len(METHODS)], EVERYTHING)
        if number % 2:
            asyncio.run(datasets.run(app, dataset.name, progress=Progress()))
        for slug in ("shop", "payments"):
            world.add_events("acme", slug, 130)
        world.advance(HOUR.total_seconds())
        asked_at, strike = NOW + HOUR, strike_of(number)
        process, begun = victim.start(folder, sentry.url, dataset.name, asked_at, strike)
        assert begun.wait(PATIENCE)
        if strike is None:
            process.join(random.uniform(0, LONGEST))
            process.kill()
        process.join(PATIENCE)
        assert process.exitcode in (0, -signal.SIGKILL)
        app.moment = asked_at + 2 * TTL
        run = asyncio.run(datasets.run(app, dataset.name, progress=Progress()))
        assert run.verdict is Verdict.COMPLETE, run
        slugs = [project.slug for project in world.organization("acme").projects]
        wanted = sorted(event for slug in slugs for event in events_in(world, slug, run.windows[0].end))
        assert column(app, dataset) == wanted, f"kill {number}"
        app.close()
    return process.exitcode != 0


def test_a_process_that_was_killed_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """A sample: a kill before a request, after an answer, at the store, in a part, at any moment …"""
    assert sum(killed(number, tmp_path / str(number)) for number in range(SAMPLE)) >= SAMPLE // 2


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_three_hundred_kills_lose_and_double_nothing() -> None:
    def one(number: int) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            return killed(number, Path(folder, "home"))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        kills = sum(pool.map(one, range(KILLS)))
    assert kills > KILLS * 2 // 3
