"""A request that is sent again has the run of the first for its answer, for a day."""

from __future__ import annotations

import datetime as dt

import pytest

from sentry_connector.errors import UnknownName, UsageError
from sentry_connector.store.records import RequestKey, Run
from sentry_connector.store.request_keys import KEPT
from sentry_connector.store.store import Store
from tests.store.examples import NOW, dataset, run

KEY = RequestKey(key="a", digest="of this")
OTHER = RequestKey(key="a", digest="of that")
SECOND = dt.timedelta(seconds=1)


def ask(store: Store, fresh: Run) -> Run:
    return store.runs.add_unless(fresh, lambda _: None, KEY)


def test_a_key_stands_for_one_run(store: Store) -> None:
    stored = store.datasets.add(dataset())
    assert store.runs.answer_to(KEY, NOW) is None
    assert ask(store, run(stored.id, "first")).id == ask(store, run(stored.id, "second")).id == "first"
    assert store.runs.recent() == [run(stored.id, "first")]
    assert store.runs.answer_to(KEY, NOW) == run(stored.id, "first")


def test_a_key_is_not_that_of_another_request(store: Store) -> None:
    stored = store.datasets.add(dataset())
    ask(store, run(stored.id))
    with pytest.raises(UsageError, match="another request"):
        store.runs.answer_to(OTHER, NOW)
    with pytest.raises(UsageError, match="another request"):
        store.runs.remember(OTHER, "run-1", NOW)


def test_a_key_is_known_for_a_day(store: Store) -> None:
    stored = store.datasets.add(dataset())
    ask(store, run(stored.id))
    assert store.runs.answer_to(KEY, NOW + KEPT - SECOND) is not None
    assert store.runs.answer_to(KEY, NOW + KEPT) is None
    assert ask(store, run(stored.id, "early", queued_at=NOW + KEPT - SECOND)).id == "run-1"
    assert ask(store, run(stored.id, "late", queued_at=NOW + KEPT)).id == "late"


def test_a_run_that_cannot_be_stored_leaves_no_key(store: Store) -> None:
    with pytest.raises(UnknownName):
        ask(store, run("none"))
    assert store.runs.answer_to(KEY, NOW) is None
    stored = store.datasets.add(dataset())
    under_way = run(stored.id, "under way")
    store.runs.add(under_way)
    assert store.runs.add_unless(run(stored.id), lambda _: under_way, KEY) is under_way
    assert store.runs.answer_to(KEY, NOW) is None, "what is refused can be tried again with its key"


def test_a_request_to_stop_has_a_key_too(store: Store) -> None:
    stored = store.datasets.add(dataset())
    store.runs.add(run(stored.id))
    store.runs.ask_to_stop("run-1", NOW, KEY)
    assert store.runs.answer_to(KEY, NOW) == run(stored.id)
