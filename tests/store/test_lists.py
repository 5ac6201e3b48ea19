"""What lists are made of: the newest run of each DataSet, and how large each table is, in one question each."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from sentry_connector.store.records import Latest, RunState, Verdict
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
    found = store.datasets.outlines()
    assert [one.dataset for one in found] == store.datasets.list()
    assert len(found) == COUNT
    for one in found:
        history = store.runs.history(one.dataset.id)
        last = {name: getattr(history[0], name) for name in Latest.__struct_fields__} if history else None
        assert (msgspec.structs.asdict(one.last) if one.last else None) == last
        complete = [run.finished_at for run in history if run.verdict is Verdict.COMPLETE]
        assert one.fresh_at == (complete[0] if complete else None)


def test_some_datasets_in_outline_are_found_by_their_ids_also_when_they_were_deleted(store: Store) -> None:
    ids = [one.id for one in store.datasets.list()][3:5]
    store.datasets.change(ids[0], {"deleted_at": NOW, "updated_at": NOW})
    assert [one.dataset.id for one in store.datasets.outlines(ids)] == ids
    assert [one.dataset.id for one in store.datasets.outlines()] == [one.id for one in store.datasets.list()]
    assert store.datasets.outlines([]) == []


def test_of_each_dataset_its_newest_runs(store: Store) -> None:
    ids = [one.id for one in store.datasets.list()]
    for most in (4, 9):
        found = store.runs.histories(ids[:30], most=most)
        assert found == {id_: known for id_ in ids[:30] if (known := store.runs.history(id_, limit=most))}


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
    assert measured(store, id_) == Measured(epoch=1, size=Size(epoch=1, rows=5, columns=2))
    assert measured(store, id_).is_current
    assert store.datasets.next_epoch(id_, 0) == store.sizes.epoch(id_) == 2
    assert not measured(store, id_).is_current
    store.datasets.forget(id_)
    assert store.facts.get(f"size/{id_}") is None


def measured(store: Store, id_: str) -> Measured:
    (found,) = store.datasets.outlines([id_])
    return found.measured


def test_up_to_when_slots_are_accounted_for_is_as_the_schedules_say(store: Store) -> None:
    until = {one.dataset.id: one.until for one in store.datasets.outlines()}
    scheduled = store.slots.scheduled()
    assert {one.dataset_id: one.until for one in scheduled} == {
        one.dataset_id: until[one.dataset_id] for one in scheduled
    }
