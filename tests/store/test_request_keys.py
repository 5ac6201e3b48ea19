"""A request that is sent again has the answer of the first, for a day; what it makes has an id that was chosen before."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from sentry_connector.errors import Locked, UsageError
from sentry_connector.store.processes import this_process
from sentry_connector.store.records import Answer, RequestKey
from sentry_connector.store.request_keys import KEPT, LONGEST_WORK
from sentry_connector.store.store import Store
from tests.store.examples import NOW, account, dataset, run

KEY = RequestKey(key="a", digest="of this")
OTHER = RequestKey(key="a", digest="of that")
SECOND = dt.timedelta(seconds=1)
ANSWER = Answer(status=201, location="/api/v1/datasets/first", body='{"id":"first"}')
ME = this_process()


def test_a_key_stands_for_one_answer(store: Store) -> None:
    claimed = store.request_keys.claim(KEY, "first", ME, NOW)
    assert (claimed.made, claimed.answer) == ("first", None)
    store.request_keys.keep(KEY, ANSWER)
    again = store.request_keys.claim(KEY, "second", ME, NOW)
    assert (again.made, again.answer) == ("first", ANSWER)


def test_a_key_is_not_that_of_another_request(store: Store) -> None:
    store.request_keys.claim(KEY, "first", ME, NOW)
    with pytest.raises(UsageError, match="another request"):
        store.request_keys.claim(OTHER, "second", ME, NOW)


def test_a_key_is_known_for_a_day(store: Store) -> None:
    store.request_keys.claim(KEY, "first", ME, NOW)
    store.request_keys.keep(KEY, ANSWER)
    assert store.request_keys.claim(KEY, "second", ME, NOW + KEPT - SECOND).answer == ANSWER
    assert store.request_keys.claim(KEY, "third", ME, NOW + KEPT).made == "third"


def test_what_is_refused_can_be_tried_again_with_its_key(store: Store) -> None:
    store.request_keys.claim(KEY, "first", ME, NOW)
    store.request_keys.release(KEY)
    assert store.request_keys.claim(OTHER, "second", ME, NOW).made == "second"
    store.request_keys.keep(OTHER, ANSWER)
    store.request_keys.release(OTHER)
    assert store.request_keys.claim(OTHER, "third", ME, NOW).answer == ANSWER, "an answer is not taken back"


def test_who_is_at_work_is_waited_for_and_who_died_is_followed(store: Store) -> None:
    store.request_keys.claim(KEY, "first", ME, NOW)
    with pytest.raises(Locked):
        store.request_keys.claim(KEY, "second", ME, NOW + SECOND)
    store.request_keys.leave(KEY)
    assert store.request_keys.claim(KEY, "third", ME, NOW + SECOND).made == "first"
    code = "from sentry_connector.store.processes import this_process; print(this_process())"
    dead = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    store.request_keys.release(KEY)
    store.request_keys.claim(KEY, "fourth", dead, NOW)
    assert store.request_keys.claim(KEY, "fifth", ME, NOW).made == "fourth"
    with pytest.raises(Locked):
        store.request_keys.claim(KEY, "sixth", ME, NOW)


def test_of_another_machine_nobody_can_tell_and_ten_minutes_are_enough(store: Store) -> None:
    store.request_keys.claim(KEY, "first", "process 1 on elsewhere", NOW)
    with pytest.raises(Locked):
        store.request_keys.claim(KEY, "second", ME, NOW + LONGEST_WORK - SECOND)
    assert store.request_keys.claim(KEY, "third", ME, NOW + LONGEST_WORK).made == "first"


def test_of_several_at_once_one_has_it(store: Store) -> None:
    def claim(number: int) -> str | None:
        try:
            return store.request_keys.claim(KEY, f"id {number}", ME, NOW).made
        except Locked:
            return None

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(claim, range(8)))
    assert len([one for one in made if one is not None]) == 1


def test_what_has_its_id_is_not_made_twice(store: Store) -> None:
    made = store.datasets.add(dataset())
    assert store.datasets.add(dataset(name="another name", id=made.id)) == made
    connected = store.accounts.add(account(), "sealed")
    assert store.accounts.add(account(name="another name", id=connected.id), "again") == connected
    assert store.accounts.sealed_token(connected.id) == "sealed"
    first = run(made.id)
    for add in (partial(store.runs.add_unless, first, lambda _: None),) * 2:
        assert add() == first
    assert store.runs.recent() == [first]
