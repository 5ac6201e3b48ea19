"""F41: a store of objects refuses, loses answers, lists what was: each commit is there once, and nothing is left over."""

# ruff: noqa: S311  # seeded weather, not cryptography

from __future__ import annotations

import random
import tempfile
from collections import Counter
from http import HTTPStatus
from multiprocessing import Pool
from pathlib import Path

import pytest

from sentry_connector.destinations.delta import Delta
from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.errors import ConnectorError
from tests.conformance.grounds import OBJECTS, Ground, ground_of
from tests.conformance.matrix import STORIES, state, wanted
from tests.object_storage import Request, Storage, running_storage
from tests.parts import NOW

SAMPLE, ALL, AT_ONCE = range(4), range(1000), 10
BATCHES = [ALL[start : start + 20] for start in ALL[::20]]
RATE = 0.12
ATTEMPTS = 4
"""After which the store is well again: a run that fails for ever is another test's."""


class Weather:
    """What goes wrong under a seed. It goes by the how-manieth request of its kind one is, so that threads change nothing."""

    def __init__(self, seed: int) -> None:
        self._seed, self._counts = seed, Counter[str]()
        self.fired = Counter[str]()

    def refused(self, request: Request) -> HTTPStatus | None:
        """The store is busy, and has done nothing."""
        return self._struck(request, "refused", HTTPStatus.SERVICE_UNAVAILABLE)

    def forgotten(self, request: Request) -> HTTPStatus | None:
        """It has done what was asked, and its answer is lost."""
        return None if request.method == "GET" else self._struck(request, "forgotten", HTTPStatus.INTERNAL_SERVER_ERROR)

    def hidden(self, name: str) -> bool:
        """A list of a moment ago lacks it."""
        return self._strikes("stale", name.rpartition("/")[0])

    def _struck(self, request: Request, what: str, status: HTTPStatus) -> HTTPStatus | None:
        kind = "log" if "_delta_log" in request.name else "file"
        return status if self._strikes(what, f"{request.method} {kind}") else None

    def _strikes(self, what: str, where: str) -> bool:
        key = f"{what} {where}"
        self._counts[key] += 1
        strikes = random.Random(f"{self._seed} {key} {self._counts[key]}").random() < RATE
        self.fired[what] += strikes
        return strikes


def played(seed: int, storage: Storage, folder: Path) -> Counter[str]:
    """Two commits in that weather, each tried until it is there; what has gone wrong."""
    ground, weather = ground_of(OBJECTS, folder / str(seed), None, storage), Weather(seed)
    story = STORIES[random.Random(seed).choice(list(STORIES))]
    for number in (1, 2):
        committed(ground, storage, weather, number, story.method)
        assert state(ground.table()) == wanted(story, ground.folder, number), f"seed {seed}"
    table = ground.table()
    assert table.commit(story.commit(table, 2)).repeated
    table.sweep(3)
    table.maintain(now=NOW)
    assert left_over(ground, storage) == set(), f"seed {seed}"
    assert state(table) == wanted(story, ground.folder, 2), f"seed {seed}"
    return weather.fired


def committed(ground: Ground, storage: Storage, weather: Weather, number: int, method: UpdateMethod) -> None:
    """A commit, by as many processes as it takes; between them the table is as before or as after."""
    story = STORIES[method]
    allowed = [wanted(story, ground.folder, one) for one in (number - 1, number)]
    for _ in range(ATTEMPTS):
        storage.fault, storage.after, storage.hides = weather.refused, weather.forgotten, weather.hidden
        table = ground.table()
        try:
            table.commit(story.commit(table, number))
        except (ConnectorError, OSError):
            storage.mend()
            assert state(ground.table()) in allowed
        else:
            storage.mend()
            return
    table = ground.table()
    table.commit(story.commit(table, number))


def left_over(ground: Ground, storage: Storage) -> set[str]:
    """Files that no version of the table has."""
    table = ground.table()
    assert isinstance(table, Delta)
    folder = table.log.folder
    there = {name for name in storage.names(folder.address) if name.endswith(".parquet") and "_delta_log" not in name}
    needed = {file for one in table.versions() for file in table.files(one.version)}
    return there - {file.removeprefix(f"{folder.root}/") for file in needed}


def test_whatever_the_store_does_each_commit_is_there_once(storage: Storage, tmp_path: Path) -> None:
    fired = sum((played(seed, storage, tmp_path) for seed in SAMPLE), Counter[str]())
    assert fired.keys() == {"refused", "forgotten", "stale"}


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.timeout(3600)
def test_a_thousand_kinds_of_weather_lose_and_double_nothing() -> None:
    with Pool(AT_ONCE) as pool:  # what takes the time is waiting for the next try
        fired = sum(pool.imap_unordered(_played_alone, BATCHES), Counter[str]())
    assert min(fired.values()) >= 200, fired


def _played_alone(seeds: range) -> Counter[str]:
    with running_storage() as storage, tempfile.TemporaryDirectory() as folder:
        return sum((played(seed, storage, Path(folder)) for seed in seeds), Counter[str]())
