"""Engines come and go, Sentry goes down, people pause and cancel: every slot is accounted for once, every table is right."""

from __future__ import annotations

import os
from collections import Counter
from multiprocessing import Pool

import pytest

from tests.faults.ground import ground
from tests.faults.kinds import Fault
from tests.faults.town import play

SAMPLE, ALL, BATCH = range(2), range(500), 10


def played(seeds: range) -> tuple[dict[int, list[str]], Counter[Fault]]:
    """Seed → what differs under it, and what fired under all of them."""
    different, fired = {}, Counter[Fault]()
    with ground() as place:
        for seed in seeds:
            town = play(seed, place)
            fired += town.ledger.fired
            if town.differences:
                different[seed] = town.differences
    return different, fired


def test_every_slot_is_accounted_for_once() -> None:
    different, fired = played(SAMPLE)
    assert different == {}
    assert fired[Fault.KILLED_AT_STORE] + fired[Fault.KILLED_LOOKING] > 1, "engines really die"


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.timeout(3600)
def test_every_slot_is_accounted_for_once_whatever_the_seed() -> None:
    batches = [ALL[start : start + BATCH] for start in ALL[::BATCH]]
    with Pool(os.cpu_count()) as pool:
        results = pool.map(played, batches, chunksize=1)
    assert [different for different, _ in results if different] == []


def test_a_seed_is_the_same_each_time() -> None:
    with ground() as place:
        first, second = play(2, place), play(2, place)
    assert first.ledger.trace == second.ledger.trace
