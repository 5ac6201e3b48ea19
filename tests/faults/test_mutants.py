"""Each mistake that one could make in the connector is found by some seed: the simulation looks where it should."""

from __future__ import annotations

import os
from multiprocessing import Pool

import pytest

from tests.faults.mutants import MUTANTS, Mutant, found_by, is_found_by
from tests.faults.simulation import ground

BY_NAME = {mutant.name: mutant for mutant in MUTANTS}
KNOWN = {
    "cursor off by one": 0,
    "no dedupe": 4,
    "watermark too far": 8,
    "a full disk goes unnoticed": 14,
}
"""Mistake → a seed that finds it."""


def first_seed(name: str) -> int | None:
    with ground() as place:
        return found_by(BY_NAME[name], place)


def test_there_are_thirty_and_each_has_a_name() -> None:
    assert len(BY_NAME) == len(MUTANTS) >= 30


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_seed_finds_the_mistake(name: str) -> None:
    with ground() as place:
        assert is_found_by(BY_NAME[name], KNOWN[name], place)
        assert not is_found_by(Mutant("none", ()), KNOWN[name], place)


@pytest.mark.long
@pytest.mark.timeout(5400)
def test_every_mistake_is_found_within_a_thousand_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    with Pool(os.cpu_count()) as pool:
        found = dict(zip(BY_NAME, pool.map(first_seed, BY_NAME, chunksize=1), strict=True))
    with capsys.disabled():
        print(found)  # noqa: T201  # figures to be told
    assert [name for name, seed in found.items() if seed is None] == []
