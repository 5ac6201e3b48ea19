"""Whatever fails on the way, the table is at last what a reading without faults brings; a seed is the same each time."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Iterator

import pytest

from sentry_connector.reports.details import ALL, Details, SinceLastRun
from tests.faults.__main__ import played, report
from tests.faults.ground import Ground, ground
from tests.faults.kinds import Fault
from tests.faults.mutants import MUTANTS, made
from tests.faults.process import Strike
from tests.faults.scenario import REPLACE, UPSERT, Round, scenario_of
from tests.faults.simulation import Result, play
from tests.faults.subjects import EVENTS, TEAMS

BY_NAME = {mutant.name: mutant for mutant in MUTANTS}
INCREMENTAL = Details(organizations=("acme",), projects=(ALL,), duration=SinceLastRun())
AHEAD = Round(
    hours=1.9,
    events=5,
    changes=2,
    rate=0.0,
    kinds=(),
    skew=9366.0,
    strikes=(Strike(Fault.KILLED_AFTER_MANIFEST, "manifest written", 3),),
)
IN_MEMORY, IN_DELTA = range(50), range(6)
ALL_IN_MEMORY, ALL_IN_DELTA = range(10_000), range(300)
FEWEST = 200
"""How often each class of faults must have fired in all of them."""


@pytest.fixture
def place() -> Iterator[Ground]:
    with ground() as made:
        yield made


def differences(results: list[Result]) -> dict[int, list[str]]:
    return {result.seed: result.differences for result in results if result.differences}


def test_tables_in_memory_are_at_last_what_they_should_be() -> None:
    results = played(IN_MEMORY, delta=False, processes=1)
    assert differences(results) == {}
    fired = sum((result.ledger.fired for result in results), Counter[Fault]())
    assert len(fired) > len(Fault) - 4, "hardly a fault is so rare that a sample lacks it"


def test_delta_tables_are_at_last_what_they_should_be() -> None:
    assert differences(played(IN_DELTA, delta=True, processes=1)) == {}


def test_a_run_that_is_gone_on_with_saw_no_more_than_its_first_attempt(place: Ground) -> None:
    """Its clock was far ahead and it died; the next attempt's is right, and what came between is not marked as read."""
    rounds = (
        AHEAD,
        Round(hours=1.3, events=25, changes=3, rate=0.0, kinds=()),
        Round(hours=2.3, events=24, changes=4, rate=0.0, kinds=()),
    )
    scenario = dataclasses.replace(scenario_of(0), report=EVENTS, method=UPSERT, details=INCREMENTAL, rounds=rounds)
    assert play(0, place, scenario=scenario).differences == []
    with made(BY_NAME["watermark by a clock that is ahead"]):
        assert play(0, place, scenario=scenario).differences


def test_a_new_run_does_not_go_on_with_what_a_forgotten_one_read(place: Ground) -> None:
    """The store was restored to before that run: what it had read is old, and the next run has its number."""
    forgotten = Strike(Fault.KILLED_AFTER_MANIFEST, "manifest written", 2)
    rounds = (
        Round(hours=1.6, events=14, changes=4, rate=0.0, kinds=(), strikes=(forgotten,), restored=True),
        Round(hours=3.6, events=23, changes=8, rate=0.0, kinds=()),
    )
    details = Details(organizations=("acme",))
    # the names of attempts are drawn by lot: under this seed the new run's comes after the old one's
    scenario = dataclasses.replace(scenario_of(1), report=TEAMS, method=REPLACE, details=details, rounds=rounds)
    assert play(1, place, delta=True, scenario=scenario).differences == []
    with made(BY_NAME["a forgotten run's answers are a new one's"]):
        assert play(1, place, delta=True, scenario=scenario).differences


@pytest.mark.parametrize("seed", [9, 10, 27])
def test_a_seed_is_played_the_same_each_time(seed: int, place: Ground) -> None:
    first, second = play(seed, place), play(seed, place)
    assert first.ledger.trace == second.ledger.trace != []
    assert (first.ledger.fired, first.verdicts) == (second.ledger.fired, second.verdicts)


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.timeout(5400)
def test_every_seed_ends_with_the_table_as_it_should_be(capsys: pytest.CaptureFixture[str]) -> None:
    results = played(ALL_IN_MEMORY, delta=False, processes=os.cpu_count() or 1)
    with capsys.disabled():
        print(report(results))  # noqa: T201  # figures to be told
    assert differences(results) == {}
    fired = sum((result.ledger.fired for result in results), Counter[Fault]())
    assert {fault: fired[fault] for fault in Fault if fired[fault] < FEWEST} == {}


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.timeout(1800)
def test_every_seed_in_delta_ends_with_the_table_as_it_should_be() -> None:
    assert differences(played(ALL_IN_DELTA, delta=True, processes=os.cpu_count() or 1)) == {}
