"""Several processes ask for the same at the same moment: it is done once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from sentry_connector.operations import datasets
from sentry_connector.reports.details import Details
from sentry_connector.runs.due import tick
from sentry_connector.store.records import DataSet
from tests.parts import NOW, StandingApp
from tests.runs.acme import HOUR, HastyApp, made

ROUNDS, AT_ONCE = 5, 8
Value = TypeVar("Value")


@pytest.fixture
def apps(tmp_path: Path) -> Iterator[list[HastyApp]]:
    """As many connectors on one store, each with its own way to it."""
    apps = [HastyApp(tmp_path, "http://127.0.0.1:9", "x" * 64) for _ in range(AT_ONCE)]
    for app in apps:
        app.moment = NOW + HOUR
        assert app.store
    yield apps
    for app in apps:
        app.close()


def new(app: StandingApp, name: str, schedule: str = "manual") -> DataSet:
    return made(app, "replace", Details(), "organizations", name=name, schedule=schedule)


def at_once(works: Sequence[Callable[[], Value]]) -> list[Value]:
    """What the works give that begin together, each in a thread of its own."""
    together = threading.Barrier(len(works))

    def one(work: Callable[[], Value]) -> Value:
        together.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(one, works))


def test_of_several_who_ask_for_a_run_one_gets_it_and_the_others_are_told_of_it(apps: list[HastyApp]) -> None:
    for number in range(ROUNDS):
        dataset = new(apps[0], f"Shop {number}")
        asked = at_once([partial(datasets.ask, app, dataset.name) for app in apps])
        assert sum(is_new for _, is_new in asked) == 1
        assert [run.id for run in apps[0].store.runs.unfinished(dataset.id)] == list({run.id for run, _ in asked})


def test_a_slot_and_somebody_who_asks_make_one_run(apps: list[HastyApp]) -> None:
    """Two runs of one moment would append the same rows twice."""
    looking, asking, *_ = apps
    looking.moment = NOW
    made_then = [new(looking, f"Shop {number}", "hourly") for number in range(40)]
    looking.moment = NOW + HOUR

    def ask_for_all() -> None:
        for dataset in made_then:
            datasets.ask(asking, dataset.name)

    at_once([lambda: tick(looking, looking.moment), ask_for_all])
    for dataset in made_then:
        (run,) = looking.store.runs.unfinished(dataset.id)
        if run.slot is None:
            assert [one.run_id for one in datasets.passed(looking, dataset)] == [run.id]
