"""A chain of runs whose process is killed by `kill -9`, within its parts and between them: all days come once."""
# ruff: noqa: S311  # seeded kills, not cryptography

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest

from sentry_connector.reports.details import DateRange
from sentry_connector.runs.lease import TTL
from sentry_connector.simulator import World, start_in_thread
from sentry_connector.store.records import DataSet, Verdict
from tests.faults import victim
from tests.faults.kinds import Fault
from tests.faults.process import POINTS, Strike
from tests.parts import NOW
from tests.runs.acme import (
    ALL_OF_SHOP,
    DAY,
    HOUR,
    Broken,
    HastyApp,
    app_in,
    column,
    events_in,
    made,
    pass_time,
    ran,
    small_world,
)

KILLS, SAMPLE = 60, 6
METHODS = ("append", "upsert", "partition")
LAST_TWENTY = DateRange(start=19, end=0)
SMALL_RUNS = {"SENTRY_CONNECTOR_RUN_MIB": "1"}
"""So that a run over everything becomes a chain by itself."""

OFTEN_PASSED = {"request": 12, "answer": 12, "journal": 9, "look": 40, "store": 60}
"""How often a chain comes by there, about; by the others each of its parts comes at least once."""
PARTS = 3
PATIENCE = 60.0


def strike_of(number: int) -> Strike:
    fault, point = list(POINTS.items())[number % len(POINTS)]
    return Strike(fault, point, Random(f"chain:{number}").randint(1, OFTEN_PASSED.get(point, PARTS)))


def killed(number: int, folder: Path) -> bool:
    """Kill a process, go on with its chain, and hold the table to the truth; whether it was killed before its end."""
    days, variables = (LAST_TWENTY, {}) if number % 2 else (None, SMALL_RUNS)
    return killed_at(strike_of(number), METHODS[number % len(METHODS)], folder, days=days, variables=variables)


def killed_at(
    strike: Strike, method: str, folder: Path, *, days: DateRange | None, variables: Mapping[str, str]
) -> bool:
    world = small_world(events={"acme/shop": 1600}, issues=20, days=30)
    with start_in_thread(world, clock=lambda: world.time) as sentry:
        app = app_in(folder, sentry, **variables)
        dataset = made(app, method)
        process, begun = victim.start(folder, sentry.url, dataset.name, NOW, strike, days=days, variables=variables)
        assert begun.wait(PATIENCE)
        process.join(PATIENCE)
        assert process.exitcode in (0, -signal.SIGKILL)
        app.moment = NOW + 2 * TTL
        runs = asyncio.run(victim.gone_through(app, dataset.name, days))
        assert {run.verdict for run in runs} <= {Verdict.COMPLETE}, runs
        check(app, dataset, world, days)
        app.close()
    return process.exitcode != 0


def check(app: HastyApp, dataset: DataSet, world: World, days: DateRange | None) -> None:
    """The days of the chain are there, each event once; and after a further run everything is."""
    wanted = set(events_in(world, until=NOW))
    if days is not None:
        first = (NOW - 19 * DAY).replace(hour=0).timestamp()
        wanted = {event.id for event in world.project("acme", "shop").events if event.time >= first} & wanted
    found = column(app, dataset)
    assert len(set(found)) == len(found)
    assert wanted <= set(found), f"{len(wanted - set(found))} of {len(wanted)} are missing"
    world.add_events("acme", "shop", 7)
    pass_time(app, world, HOUR)
    asyncio.run(ran(app, dataset)) if days is None else asyncio.run(victim.gone_through(app, dataset.name, None))
    assert column(app, dataset) == events_in(world, until=app.moment)


def test_a_chain_that_was_killed_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """A sample: before a request, after an answer, at a look at the clock, at the store, in an answer's keeping, in a part."""
    assert sum(killed(number, tmp_path / str(number)) for number in range(SAMPLE)) >= SAMPLE // 2


@pytest.mark.parametrize("number", range(2, 7))
def test_a_chain_whose_process_dies_while_it_is_stored_lacks_no_days(number: int, tmp_path: Path) -> None:
    """Its runs are stored one by one, before anything is read."""
    strike = Strike(next(iter(POINTS)), "store", number)
    killed_at(strike, "append", tmp_path, days=LAST_TWENTY, variables={})


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("days", [LAST_TWENTY, None], ids=["backfill", "large"])
def test_what_follows_from_a_failed_part_is_stored_with_its_end(
    days: DateRange | None, number: int, tmp_path: Path
) -> None:
    """A backfill reads its days again; the chain of a large run is given up, since the next run has the same days before it."""
    world = small_world(events={"acme/shop": 1600}, issues=20, days=30)
    faults = Broken(path="/projects/acme/shop/events/")
    variables = {} if days else SMALL_RUNS
    with start_in_thread(world, clock=lambda: world.time, faults=faults) as sentry:
        app = app_in(tmp_path, sentry, **variables)
        dataset = made(app, "append", ALL_OF_SHOP)
        strike = Strike(Fault.KILLED_AT_STORE, victim.AFTER_A_FAILURE, number)
        process, _ = victim.start(tmp_path, sentry.url, dataset.name, NOW, strike, days=days, variables=variables)
        process.join(PATIENCE)
        assert process.exitcode == -signal.SIGKILL
        faults.path, app.moment = None, NOW + 2 * TTL
        asyncio.run(victim.gone_through(app, dataset.name, days))
        first = (NOW - 19 * DAY).replace(hour=0).timestamp() if days else 0
        events = world.project("acme", "shop").events
        assert column(app, dataset) == sorted(event.id for event in events if first <= event.time)
        app.close()


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_sixty_chains_that_were_killed_lose_and_double_nothing() -> None:
    def one(number: int) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            return killed(number, Path(folder, "home"))

    assert sum(map(one, range(KILLS))) > KILLS // 2
