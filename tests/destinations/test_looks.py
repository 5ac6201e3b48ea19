"""What a run asks of its table, against plain Python."""
# ruff: noqa: S311  # seeded sequences, not cryptography

from __future__ import annotations

import datetime as dt
import random
from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pytest

from sentry_connector.destinations.looks import absent, by_hour, rows_of
from sentry_connector.destinations.model import Selection, UpdateMethod
from sentry_connector.destinations.query import Snapshot
from tests.destinations.tables import SCHEMA, commit_of, day_of, ordered, row, stage, stored, table_in

SEEDS = range(5)
MIDNIGHT = dt.datetime.combine(day_of(1), dt.time(), dt.UTC)
OF_PROJECT_1 = Selection(marks={"project_id": "1"}, time="at", start=MIDNIGHT, end=MIDNIGHT + dt.timedelta(days=2))
WITH_MARK = SCHEMA.append(pa.field("gone", pa.string()))


def random_rows(rng: random.Random) -> list[dict[str, object]]:
    """Rows of several hours and projects, with ids that need quoting."""
    return [
        row(event * 700, project=str(event % 2), day=event % 4) | {"event_id": f"e'{event // 3}"}
        for event in rng.sample(range(60), 40)
    ]


def inside(one: dict[str, object]) -> bool:
    at = one["at"]
    assert isinstance(at, dt.datetime)
    return one["project_id"] == "1" and MIDNIGHT <= at < MIDNIGHT + dt.timedelta(days=2)


@pytest.mark.parametrize("seed", SEEDS)
def test_items_are_counted_once_in_each_hour(tmp_path: Path, seed: int) -> None:
    table, rows = table_in(tmp_path), random_rows(random.Random(seed))
    table.commit(commit_of(table, 1, UpdateMethod.APPEND, rows, key=()))
    hours: dict[int, set[object]] = defaultdict(set)
    for one in filter(inside, rows):
        hours[int(one["at"].timestamp() // 3600 * 3600)].add(one["event_id"])  # type: ignore[attr-defined]
    snapshot = table.snapshot()
    assert snapshot is not None
    assert by_hour(snapshot, OF_PROJECT_1, "event_id") == {hour: len(items) for hour, items in hours.items()}


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_not_read_is_found_with_its_rows(tmp_path: Path, seed: int) -> None:
    """Also in a table that lacks a column which it is about to get."""
    rng, table = random.Random(seed), table_in(tmp_path)
    rows = random_rows(rng)
    table.commit(commit_of(table, 1, UpdateMethod.APPEND, rows, key=()))
    read = rng.sample(rows, 10)
    file = stage(table, 2, [one | {"gone": None} for one in read], schema=WITH_MARK)
    files = (table.log.folder.absolute(file.path),)
    snapshot = table.snapshot()
    assert snapshot is not None
    found = absent(snapshot, Snapshot(files=files, schema=WITH_MARK), OF_PROJECT_1, "event_id", "gone")
    seen = {one["event_id"] for one in read}
    wanted = [one for one in rows if inside(one) and one["event_id"] not in seen]
    assert found == sorted({one["event_id"] for one in wanted})  # type: ignore[type-var]
    batches = rows_of(snapshot, OF_PROJECT_1, "event_id", found, WITH_MARK)
    assert all(batch.schema == WITH_MARK for batch in batches)
    assert ordered(one for batch in batches for one in batch.to_pylist()) == ordered(
        one | {"gone": None} for one in wanted
    )


def test_what_is_marked_already_is_not_found_again(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    rows = [row(1, project="1", day=1) | {"gone": "yes"}, row(2, project="1", day=1) | {"gone": None}]
    table.commit(commit_of(table, 1, UpdateMethod.APPEND, rows, key=(), schema=WITH_MARK))
    snapshot = table.snapshot()
    assert snapshot is not None
    assert absent(snapshot, Snapshot(files=(), schema=WITH_MARK), OF_PROJECT_1, "event_id", "gone") == ["e2"]
    assert rows_of(snapshot, OF_PROJECT_1, "event_id", [], WITH_MARK) == []
    assert len(stored(table)) == 2
