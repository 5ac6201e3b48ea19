"""Each mistake that one could make in the connector is found by some seed: the simulation looks where it should."""

from __future__ import annotations

import os
from multiprocessing import Pool

import pytest

from tests.faults.ground import ground
from tests.faults.mutants import MUTANTS, Mutant, found_by, is_found_by

BY_NAME = {mutant.name: mutant for mutant in MUTANTS}
SAMPLE = ("cursor off by one", "no dedupe", "watermark too far", "a full disk goes unnoticed")
FEW_SEEDS = range(100)
"""A change of the connector moves what happens under a seed; these mistakes show under several of a hundred."""


def first_seed(name: str) -> int | None:
    with ground() as place:
        return found_by(BY_NAME[name], place)


def test_there_are_thirty_and_each_has_a_name() -> None:
    assert len(BY_NAME) == len(MUTANTS) >= 30


@pytest.mark.parametrize("name", SAMPLE)
def test_some_seed_finds_the_mistake(name: str) -> None:
    with ground() as place:
        seed = found_by(BY_NAME[name], place, FEW_SEEDS)
        assert seed is not None
        assert not is_found_by(Mutant("none", ()), seed, place)


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.timeout(5400)
def test_every_mistake_is_found_within_a_thousand_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    with Pool(os.cpu_count()) as pool:
        found = dict(zip(BY_NAME, pool.map(first_seed, BY_NAME, chunksize=1), strict=True))
    with capsys.disabled():
        print(found)  # noqa: T201  # figures to be told
    assert [name for name, seed in found.items() if seed is None] == []
