"""What lists are made of: the newest run of each DataSet, and how large each table is, in one question each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sentry_connector.store.records import RunState, Verdict
from sentry_connector.store.sizes import Measured, Size
from sentry_connector.store.store import Store
from tests.many import fill
from tests.parts import NOW

COUNT = 60


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store(database_url) as made:
        fill(made, NOW, count=COUNT, runs_of_each=6)
        yield made


def test_of_each_dataset_the_newest_run_and_the_newest_complete_one(store: Store) -> None:
    latest, ids = store.runs.latest(), [one.id for one in store.datasets.list()]
    fresh = store.runs.fresh(ids)
    assert len(ids) == COUNT
    for id_ in ids:
        history = store.runs.history(id_)
        assert (latest[id_].id if id_ in latest else None) == (history[0].id if history else None)
        complete = [run.finished_at for run in history if run.verdict is Verdict.COMPLETE]
        assert fresh.get(id_) == (complete[0] if complete else None)
    assert store.runs.fresh([]) == {}


def test_of_each_dataset_the_rows_of_its_newest_runs_that_have_ended(store: Store) -> None:
    ids = [one.id for one in store.datasets.list()]
    for most in (4, 6, 9):
        found = store.runs.rows_of_each(ids[:30], most=most)
        for id_ in ids[:30]:
            newest = store.runs.history(id_, limit=most)
            ended = [run.rows_read for run in reversed(newest) if run.state is RunState.DONE]
            assert found.get(id_, []) == ended
        assert found.keys() <= set(ids[:30])


def test_a_slot_whose_run_has_not_begun_is_known_by_its_dataset(store: Store) -> None:
    queued = store.runs.search(state=RunState.QUEUED)
    assert store.runs.oldest_queued() == {run.dataset_id: run.slot for run in queued} != {}


def test_a_size_is_current_until_another_epoch_is_taken(store: Store) -> None:
    id_ = store.datasets.list()[0].id
    store.sizes.keep(id_, Size(epoch=1, rows=5, columns=2))
    assert store.sizes.all()[id_] == Measured(epoch=1, size=Size(epoch=1, rows=5, columns=2))
    assert store.sizes.all()[id_].is_current
    assert store.datasets.next_epoch(id_, 0) == store.sizes.epoch(id_) == 2
    assert not store.sizes.all()[id_].is_current
    store.datasets.forget(id_)
    assert id_ not in store.sizes.all()
    assert store.facts.get(f"size/{id_}") is None


def test_up_to_when_slots_are_accounted_for_is_as_the_schedules_say(store: Store) -> None:
    assert store.slots.accounted() == {one.dataset_id: one.until for one in store.slots.scheduled()}
