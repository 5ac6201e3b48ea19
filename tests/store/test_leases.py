"""Leases: one holder at a time, between processes too."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import uuid

import pytest

from sentry_connector.errors import LeaseLost, Locked
from sentry_connector.store.processes import for_people, is_dead, this_process
from sentry_connector.store.store import Store
from tests.store.examples import dataset

TTL = dt.timedelta(seconds=60)


def test_a_second_holder_is_refused_and_told_who_holds_it_since_when(store: Store, now: dt.datetime) -> None:
    store.leases.acquire("dataset/1", "process 7 on alpha", now, TTL)
    with pytest.raises(Locked) as caught:
        store.leases.acquire("dataset/1", "process 8 on beta", now + TTL / 2, TTL)
    assert caught.value.data == {
        "lease": "dataset/1",
        "holder": "process 7 on alpha",
        "since": "2026-03-01T12:30:15+00:00",
    }
    assert "process 7 on alpha" in caught.value.message


def test_not_even_the_same_process_gets_it_twice(store: Store, now: dt.datetime) -> None:
    store.leases.acquire("a", "me", now, TTL)
    with pytest.raises(Locked):
        store.leases.acquire("a", "me", now, TTL)


def test_different_names_are_different_leases(store: Store, now: dt.datetime) -> None:
    store.leases.acquire("a", "me", now, TTL)
    assert store.leases.acquire("b", "you", now, TTL).holder == "you"


def test_a_released_lease_is_free_and_its_epoch_goes_on(store: Store, now: dt.datetime) -> None:
    first = store.leases.acquire("a", "me", now, TTL)
    store.leases.release(first)
    assert store.leases.holder_of("a", now) is None
    assert store.leases.acquire("a", "you", now, TTL).epoch == first.epoch + 1


def test_a_lease_can_be_given_back_from_a_later_time_on(store: Store, now: dt.datetime) -> None:
    first = store.leases.acquire("a", "me", now, TTL)
    store.leases.leave(first, now, TTL / 4)
    assert store.leases.try_acquire("a", "you", now, TTL) is None
    assert store.leases.try_acquire("a", "you", now + TTL / 4, TTL) is not None


def test_an_expired_lease_can_be_taken_over_and_the_old_holder_cannot_get_it_back(
    store: Store, now: dt.datetime
) -> None:
    old = store.leases.acquire("a", "sleeper", now, TTL)
    assert store.leases.holder_of("a", now + TTL) is None
    new = store.leases.acquire("a", "waker", now + TTL, TTL)
    with pytest.raises(LeaseLost, match="waker"):
        store.leases.renew(old, now + TTL, TTL)
    store.leases.release(old)
    assert store.leases.holder_of("a", now + TTL) == new


def test_a_renewed_lease_lasts_from_then_on(store: Store, now: dt.datetime) -> None:
    lease = store.leases.acquire("a", "me", now, TTL)
    renewed = store.leases.renew(lease, now + TTL / 2, TTL)
    assert renewed.expires_at == now + TTL / 2 + TTL
    assert store.leases.holder_of("a", now + TTL) == renewed
    with pytest.raises(Locked):
        store.leases.acquire("a", "you", now + TTL, TTL)


def test_this_process_signs_with_its_number_and_host() -> None:
    assert str(os.getpid()) in this_process()


HOLD = """
import datetime as dt, sys
from sentry_connector.store.processes import this_process
from sentry_connector.store.store import Store

with Store(sys.argv[1]) as store:
    store.leases.acquire("a", this_process(), dt.datetime.fromisoformat(sys.argv[2]), dt.timedelta(seconds=60))
print("holds", flush=True)
sys.stdin.readline()
"""


def test_what_a_killed_process_of_this_machine_held_is_free_at_once_and_not_before(
    store: Store, database_url: str, now: dt.datetime
) -> None:
    command = [sys.executable, "-c", HOLD, database_url, now.isoformat()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "holds\n"
        with pytest.raises(Locked, match=rf"in use by process {process.pid} on \S+ since"):
            store.leases.acquire("a", "me", now, TTL)
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(Locked):
            store.leases.acquire("a", "me", now, TTL)
        process.kill()
    assert store.leases.acquire("a", "me", now, TTL).epoch == 2


def test_only_what_is_known_of_the_very_same_process_makes_it_dead() -> None:
    mine = this_process()
    host, _, proof = mine.partition(" [")
    *space, start = proof.removesuffix("]").split()
    signed = {
        "alive": mine,
        "of a later process with the same id": f"{host} [{' '.join(space)} {int(start) - 1}]",
        "of another boot": f"{host} [{uuid.UUID(int=1)} {space[1]} 1]",
        "of another container": f"{host} [{space[0]} pid:[1] 1]",
        "of a copy of this machine": f"{host}-2 [{' '.join(space)} {int(start) - 1}]",
        "without a proof": for_people(mine),
        "of a machine that tells less": "process 4194305 on alpha",
    }
    assert [which for which, holder in signed.items() if is_dead(holder)] == ["of a later process with the same id"]


RACE = """
import datetime as dt, sys
from sentry_connector.errors import Locked
from sentry_connector.store.store import Store

now = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
with Store(sys.argv[1]) as store:
    print("ready", flush=True)
    sys.stdin.readline()
    won = 0
    for number in range(50):
        try:
            store.leases.acquire(f"race/{number}", sys.argv[2], now, dt.timedelta(seconds=60))
        except Locked:
            continue
        won += 1
    epochs = [store.datasets.next_epoch("d", 0) for _ in range(50)]
print(won, *epochs)
"""


def test_of_racing_processes_exactly_one_gets_each_lease_and_each_epoch(store: Store, database_url: str) -> None:
    store.datasets.add(dataset(id="d"))
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, database_url, f"racer {number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    answers = []
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for racer in racers:
        out, _ = racer.communicate()
        assert racer.returncode == 0
        answers.append([int(word) for word in out.split()])
    assert sum(answer[0] for answer in answers) == 50
    assert sorted(epoch for answer in answers for epoch in answer[1:]) == list(range(1, 151))
