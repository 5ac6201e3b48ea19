"""The table in memory is what a Delta table is: the same commits make the same rows and the same counts."""
# ruff: noqa: S311  # seeded sequences, not cryptography

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sentry_connector.destinations.model import Commit, Committed, Days, Forgotten, UpdateMethod
from sentry_connector.errors import KeyViolated, TableChanged
from tests.destinations.tables import commit_of, day_of, ordered, row, stored, table_in, without_day
from tests.faults.memory import MemoryTable

METHODS = tuple(UpdateMethod)


def random_commit(rng: random.Random, table: Any, epoch: int, method: UpdateMethod) -> Commit:
    """Some rows, with whatever a commit of the method may have."""
    events = rng.sample(range(30), rng.randint(0, 18))
    kinds = {number: rng.choice(["whole", "gaining", "untouched"]) for number in range(5)}
    rows = [
        row(event, rng.choice("ab"), project=str(event % 3), noise=rng.randint(0, 9), day=event % 5, run=f"run{epoch}")
        for event in events
        if method is not UpdateMethod.PARTITION or kinds[event % 5] != "untouched"
    ]
    more: dict[str, Any] = {"watermarks": {f"project:{number}": rng.randint(-1, 9) for number in range(2)}}
    if method is UpdateMethod.PARTITION:
        whole, gaining = ({day_of(n) for n, kind in kinds.items() if kind == one} for one in ("whole", "gaining"))
        dropped = rng.choice([None, day_of(1)])
        more["days"] = Days(whole=frozenset(whole), gaining=frozenset(gaining), drop_before=dropped)
        more["read"] = rng.choice([None, [{"project_id": str(number)} for number in range(3)]])
    more |= {"skip_stored": rng.random() < 0.6} if method is UpdateMethod.APPEND else {}
    if method is UpdateMethod.REPLACE:
        since = rng.choice([None, row(5)["at"]])
        forgotten = Forgotten(marks={"project_id": "1"}, column="at", since=since, before=row(20)["at"])
        more |= {"keep_when_empty": rng.random() < 0.5, "forgotten": [forgotten] if rng.random() < 0.5 else []}
    more |= {"replace_together": ("project_id",)} if method is UpdateMethod.UPSERT and rng.random() < 0.3 else {}
    return commit_of(table, epoch, method, rows, **more)


def counts(done: Committed) -> tuple[int, int, int]:
    return done.written, done.updated, done.deleted


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("method", METHODS)
def test_the_same_commits_make_the_same_table(method: UpdateMethod, seed: int, tmp_path: Path) -> None:
    rng, delta = random.Random(seed), table_in(tmp_path)
    memory = MemoryTable(delta.location()[1])
    assert (memory.exists(), memory.epoch(), memory.watermarks()) == (False, 0, {})
    for epoch in range(1, 5):
        commit = random_commit(rng, delta, epoch, method)
        assert counts(memory.commit(commit)) == counts(delta.commit(commit))
        assert without_day(memory.state.rows) == without_day(stored(delta))
        assert (memory.watermarks(), memory.epoch()) == (delta.watermarks(), delta.epoch())


def test_an_epoch_is_taken_once_and_a_lower_one_never(tmp_path: Path) -> None:
    delta = table_in(tmp_path)
    memory = MemoryTable(delta.location()[1])
    commits = [commit_of(delta, epoch, UpdateMethod.APPEND, [row(epoch)], skip_stored=True) for epoch in (1, 2)]
    for table in (delta, memory):
        first, second = (table.commit(one) for one in commits)
        assert (first.repeated, second.repeated) == (False, False)
        assert table.commit(commits[1]) == replace(second, repeated=True) == table.committed(2)
        with pytest.raises(TableChanged):
            table.commit(commits[0])
    assert ordered(memory.state.rows) == stored(delta)


@pytest.mark.parametrize("rows", [[row(1), row(1)], [row(1) | {"event_id": None}]])
def test_rows_that_their_key_does_not_tell_apart_are_refused(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    delta = table_in(tmp_path)
    for table in (delta, MemoryTable(delta.location()[1])):
        with pytest.raises(KeyViolated):
            table.commit(commit_of(delta, 1, UpdateMethod.UPSERT, rows))
        assert not table.exists()


def test_rows_outside_dates_are_counted_alike(tmp_path: Path) -> None:
    delta = table_in(tmp_path)
    memory = MemoryTable(delta.location()[1])
    rows = [row(event, day=event % 5) for event in range(10)]
    for table in (delta, memory):
        table.commit(commit_of(delta, 1, UpdateMethod.REPLACE, rows))
    start, end = row(0, day=1)["at"], row(0, day=3)["at"]
    assert memory.count_outside("at", start, end) == delta.count_outside("at", start, end) == 6
