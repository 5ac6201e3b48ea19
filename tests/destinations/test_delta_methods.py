"""The four update methods on Delta, beside what `tests/conformance` holds against every destination."""
# ruff: noqa: S311  # seeded sequences, not cryptography

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pytest

from sentry_connector.destinations.delta_commits import Note
from sentry_connector.destinations.delta_files import Folder, files_of
from sentry_connector.destinations.delta_merge import change_of
from sentry_connector.destinations.model import Days, Forgotten, UpdateMethod
from tests.destinations.tables import (
    FIRST_DAY,
    KEY,
    SCHEMA,
    Row,
    commit_of,
    day_of,
    ordered,
    row,
    stored,
    table_in,
    without_day,
)

REPLACE, APPEND, UPSERT, PARTITION = UpdateMethod
SEEDS = range(4)


def key_of(one: Row) -> tuple[Any, ...]:
    return tuple(one[name] for name in KEY)


def random_rows(rng: random.Random, epoch: int, *, days: Sequence[int] = (0, 1, 2)) -> list[dict[str, Any]]:
    """Rows with distinct keys, whose time never changes, whose value sometimes does and whose noise always does."""
    events = rng.sample(range(30), rng.randint(0, 18))
    return [
        row(event, rng.choice("ab"), project=str(event % 3), noise=rng.randint(0, 9), day=event % 5, run=f"run{epoch}")
        for event in events
        if event % 5 in days
    ]


@pytest.mark.parametrize("before", [REPLACE, PARTITION])
@pytest.mark.parametrize("seed", SEEDS)
def test_replace_keeps_the_rows_that_sentry_has_forgotten(tmp_path: Path, seed: int, before: UpdateMethod) -> None:
    rng, table = random.Random(seed), table_in(tmp_path)
    old, new = random_rows(rng, 1), random_rows(rng, 2, days=(3, 4))
    whole = Days(whole=frozenset(map(day_of, range(5))))
    table.commit(commit_of(table, 1, before, old, days=whole if before is PARTITION else None))
    noon = dt.datetime.combine(day_of(1), dt.time(0, 0, 6), dt.UTC)
    since = rng.choice([None, noon - dt.timedelta(hours=20)])
    forgotten = [Forgotten(marks={"project_id": "1"}, column="at", since=since, before=noon)]
    forgotten.append(Forgotten(marks={"project_id": "7"}, column="at", since=None, before=noon + dt.timedelta(days=9)))
    kept = [one for one in old if one["project_id"] == "1" and (since or one["at"]) <= one["at"] < noon]
    if kept:  # a row that is read again is not kept beside its new self
        new.append(kept.pop() | {"at": noon + dt.timedelta(days=2)})
    done = table.commit(commit_of(table, 2, REPLACE, new, forgotten=forgotten))
    assert without_day(stored(table)) == ordered([*kept, *new])
    assert (done.written, done.deleted) == (len(new), len(old) - len(kept))


def test_an_upsert_that_brings_nothing_new_writes_no_file_and_is_no_version(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    table.commit(commit_of(table, 1, UPSERT, [row(1), row(2)]))
    files = table.files()
    done = table.commit(commit_of(table, 2, UPSERT, [row(1, noise=7), row(2, noise=8)], watermarks={"project:1": 9}))
    assert (done.written, done.updated, done.deleted, done.repeated) == (0, 0, 0, False)
    assert table.files() == files
    assert table.watermarks().get("project:1") == 9
    assert [one.run_id for one in table.versions()] == ["run1"]


@pytest.mark.parametrize(("before", "after"), [(None, None), (None, day_of(8)), (FIRST_DAY, None)])
def test_a_row_that_has_no_time_once_is_not_doubled(
    tmp_path: Path, before: dt.date | None, after: dt.date | None
) -> None:
    """Its file is looked into though its times lie elsewhere: a null says nothing of where the row is."""

    def timed(one: dict[str, Any], day: dt.date | None) -> dict[str, Any]:
        return one | {"at": dt.datetime.combine(day, dt.time(), dt.UTC) if day else None}

    table = table_in(tmp_path)
    for epoch, (day, beside) in enumerate([(before, row(2, day=1)), (after, row(3, day=9))], start=1):
        rows = [timed(row(1, value=str(epoch)), day), beside]
        table.commit(commit_of(table, epoch, UPSERT, rows, immutable_time="at"))
    assert [(one["event_id"], one["value"]) for one in stored(table)] == [("e1", "2"), ("e2", "a"), ("e3", "a")]


def test_without_a_choice_every_column_but_key_and_system_columns_is_compared(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    table.commit(commit_of(table, 1, UPSERT, [row(1), row(2)], compared=()))
    done = table.commit(commit_of(table, 2, UPSERT, [row(1, noise=7), row(2, run="other")], compared=()))
    assert done.updated == 1


def test_upsert_sees_a_value_become_null_and_come_back(tmp_path: Path) -> None:
    table, empty = table_in(tmp_path), {**row(1), "value": None}
    table.commit(commit_of(table, 1, UPSERT, [row(1)]))
    assert table.commit(commit_of(table, 2, UPSERT, [empty])).updated == 1
    assert table.commit(commit_of(table, 3, UPSERT, [empty])).updated == 0
    assert table.commit(commit_of(table, 4, UPSERT, [row(1)])).updated == 1


def test_keep_when_empty_keeps_the_rows_and_moves_the_watermark(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    table.commit(commit_of(table, 1, REPLACE, [row(1)], watermarks={"project:1": 5}))
    table.commit(commit_of(table, 2, REPLACE, [], keep_when_empty=True, watermarks={"project:1": 6}))
    assert (table.rows(), table.epoch(), table.watermarks().get("project:1")) == (1, 2, 6)


def test_a_new_column_counts_as_a_change_only_where_it_has_a_value(tmp_path: Path) -> None:
    table, wide = table_in(tmp_path), SCHEMA.append(pa.field("added", pa.string()))
    table.commit(commit_of(table, 1, UPSERT, [row(1), row(2)]))
    rows = [{**row(1), "added": None}, {**row(2), "added": "x"}]
    assert table.commit(commit_of(table, 2, UPSERT, rows, schema=wide, compared=("value", "added"))).updated == 1


def test_a_day_that_returned_nothing_is_emptied(tmp_path: Path) -> None:
    table, days = table_in(tmp_path), Days(whole=frozenset({day_of(0)}))
    table.commit(commit_of(table, 1, PARTITION, [row(1)], days=days))
    assert table.commit(commit_of(table, 2, PARTITION, [], days=days)).deleted == 1
    assert table.rows() == 0


def test_files_in_an_object_store_are_copied_here_and_new_ones_copied_back(tmp_path: Path) -> None:
    """Stood in for by a file system whose paths mean nothing to DuckDB."""
    table = table_in(tmp_path)
    table.commit(commit_of(table, 1, UPSERT, [row(1), row(2)]))
    there = Folder(filesystem=pafs.SubTreeFileSystem(str(tmp_path), pafs.LocalFileSystem()), root="ds1", address="ds1")
    handle = table.log.open()
    assert handle is not None
    change = change_of(commit_of(table, 2, UPSERT, [row(1, "b"), row(2), row(3)]), files_of(handle), there)
    table.log.write(handle, change, Note(operation="upsert", epoch=2))
    assert stored(table) == ordered([row(1, "b"), row(2), row(3)])
    assert (change.written, change.updated) == (1, 1)
