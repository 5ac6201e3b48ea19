"""The four update methods, against plain Python that says what each promises."""
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
from sentry_connector.errors import DestinationRefused, KeyViolated
from tests.destinations.tables import (
    FIRST_DAY,
    KEY,
    SCHEMA,
    Row,
    commit_of,
    day_of,
    ordered,
    row,
    stage,
    stored,
    table_in,
    without_day,
)

REPLACE, APPEND, UPSERT, PARTITION = UpdateMethod
SEEDS = range(20)


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


@pytest.mark.parametrize("seed", SEEDS)
def test_replace_holds_exactly_the_last_runs_rows(tmp_path: Path, seed: int) -> None:
    rng, table = random.Random(seed), table_in(tmp_path)
    before = 0
    for epoch in range(1, 5):
        rows = random_rows(rng, epoch)
        done = table.commit(commit_of(table, epoch, REPLACE, rows))
        assert stored(table) == ordered(rows)
        assert (done.written, done.deleted) == (len(rows), before)
        before = len(rows)


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


@pytest.mark.parametrize("seed", SEEDS)
def test_append_adds_all_rows_or_those_whose_key_is_not_stored(tmp_path: Path, seed: int) -> None:
    rng, table = random.Random(seed), table_in(tmp_path)
    oracle: list[Row] = []
    for epoch in range(1, 6):
        rows, skip = random_rows(rng, epoch), rng.random() < 0.6
        known = {key_of(one) for one in oracle}
        new = [one for one in rows if not (skip and key_of(one) in known)]
        time = rng.choice(["at", None])
        done = table.commit(commit_of(table, epoch, APPEND, rows, skip_stored=skip, immutable_time=time))
        oracle += new
        assert stored(table) == ordered(oracle)
        assert done.written == len(new)


@pytest.mark.parametrize("seed", SEEDS)
def test_upsert_writes_new_and_changed_rows_and_leaves_the_others_untouched(tmp_path: Path, seed: int) -> None:
    rng, table = random.Random(seed), table_in(tmp_path)
    oracle: dict[tuple[Any, ...], Row] = {}
    for epoch in range(1, 7):
        rows = random_rows(rng, epoch)
        new = [one for one in rows if key_of(one) not in oracle]
        changed = [one for one in rows if key_of(one) in oracle and oracle[key_of(one)]["value"] != one["value"]]
        done = table.commit(commit_of(table, epoch, UPSERT, rows, immutable_time=rng.choice(["at", None])))
        oracle |= {key_of(one): one for one in [*new, *changed]}
        assert stored(table) == ordered(oracle.values())
        assert (done.written, done.updated, done.deleted) == (len(new), len(changed), 0)


@pytest.mark.parametrize("seed", SEEDS)
def test_upsert_replaces_a_group_together(tmp_path: Path, seed: int) -> None:
    """The entries of an event: those that the event no longer has go."""
    rng, table = random.Random(seed), table_in(tmp_path)
    oracle: dict[tuple[Any, ...], Row] = {}
    for epoch in range(1, 6):
        events = rng.sample(range(6), rng.randint(0, 4))
        rows = [
            row(entry, rng.choice("ab"), project=str(event), run=f"run{epoch}")
            for event in events
            for entry in range(rng.randint(1, 4))
        ]
        incoming = {key_of(one): one for one in rows}
        gone = [key for key, one in oracle.items() if one["project_id"] in map(str, events) and key not in incoming]
        changed = [key for key, one in incoming.items() if key in oracle and oracle[key]["value"] != one["value"]]
        new = [key for key in incoming if key not in oracle]
        done = table.commit(commit_of(table, epoch, UPSERT, rows, replace_together=("project_id",)))
        oracle = {key: one for key, one in oracle.items() if key not in gone} | {
            key: incoming[key] for key in [*new, *changed]
        }
        assert stored(table) == ordered(oracle.values())
        assert (done.written, done.updated, done.deleted) == (len(new), len(changed), len(gone))


@pytest.mark.parametrize("seed", SEEDS)
def test_partition_replaces_whole_days_and_lets_others_gain(tmp_path: Path, seed: int) -> None:
    rng, table = random.Random(seed), table_in(tmp_path)
    oracle: list[Row] = []
    for epoch in range(1, 6):
        kinds = {number: rng.choice(["whole", "gaining", "untouched"]) for number in range(5)}
        whole, gaining = ({day_of(n) for n, kind in kinds.items() if kind == wanted} for wanted in ("whole", "gaining"))
        unread = rng.random() < 0.3
        read = [{"project_id": project} for project in ("0", "1")] if unread else None
        rows = [
            one
            for one in random_rows(rng, epoch, days=[n for n, kind in kinds.items() if kind != "untouched"])
            if not unread or one["project_id"] != "2"
        ]
        oldest = day_of(rng.choice([0, 0, 1]))
        days = Days(whole=frozenset(whole), gaining=frozenset(gaining), drop_before=rng.choice([None, oldest]))
        known = {key_of(one) for one in oracle}
        kept = [one for one in oracle if one["at"].date() not in whole or (unread and one["project_id"] == "2")]
        new = [one for one in rows if one["at"].date() in whole or key_of(one) not in known]
        oracle = [one for one in [*kept, *new] if not days.drops(one["at"].date())]
        table.commit(commit_of(table, epoch, PARTITION, rows, days=days, read=read))
        assert without_day(stored(table)) == ordered(oracle)
        assert all(one["_day"] == one["at"].date() for one in stored(table))


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


@pytest.mark.parametrize("method", [REPLACE, APPEND, UPSERT, PARTITION])
def test_a_null_in_a_key_column_is_refused_and_named(tmp_path: Path, method: UpdateMethod) -> None:
    table, days = table_in(tmp_path), Days(whole=frozenset({day_of(0)}))
    table.commit(commit_of(table, 1, method, [row(1)], days=days))
    with pytest.raises(KeyViolated, match="event_id"):
        table.commit(commit_of(table, 2, method, [row(2), {**row(3), "event_id": None}], days=days))
    assert (table.rows(), table.epoch()) == (1, 1)


@pytest.mark.parametrize("method", [REPLACE, APPEND, UPSERT, PARTITION])
def test_a_doubled_key_is_refused_and_named(tmp_path: Path, method: UpdateMethod) -> None:
    table, days = table_in(tmp_path), Days(whole=frozenset({day_of(0)}))
    with pytest.raises(KeyViolated, match="event_id='e4'"):
        table.commit(commit_of(table, 1, method, [row(number % 9) for number in range(4, 14)], days=days))
    assert not table.exists()


def test_append_without_a_key_takes_doubles(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    table.commit(commit_of(table, 1, APPEND, [row(1), row(1), {**row(2), "event_id": None}], key=()))
    assert table.rows() == 3


def test_an_empty_replace_empties_the_table_and_keeps_its_columns(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    table.commit(commit_of(table, 1, REPLACE, [row(1)]))
    assert table.commit(commit_of(table, 2, REPLACE, [])).deleted == 1
    assert (table.rows(), stored(table)) == (0, [])
    schema = table.schema()
    assert schema is not None
    assert schema.names == SCHEMA.names


def test_keep_when_empty_keeps_the_rows_and_moves_the_watermark(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    table.commit(commit_of(table, 1, REPLACE, [row(1)], watermarks={"project:1": 5}))
    table.commit(commit_of(table, 2, REPLACE, [], keep_when_empty=True, watermarks={"project:1": 6}))
    assert (table.rows(), table.epoch(), table.watermarks().get("project:1")) == (1, 2, 6)


def test_new_columns_are_null_in_old_rows_and_missing_ones_null_in_new_rows(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    added = pa.field("added", pa.string(), metadata={"comment": "New."})
    wide = pa.schema([one for one in SCHEMA if one.name != "noise"]).append(added)
    table.commit(commit_of(table, 1, UPSERT, [row(1), row(2)]))
    table.commit(commit_of(table, 2, UPSERT, [{**row(2, "b"), "added": "x"}, {**row(3), "added": "y"}], schema=wide))
    seen = {one["event_id"]: (one["value"], one["added"], one["noise"]) for one in stored(table)}
    assert seen == {"e1": ("a", None, 0), "e2": ("b", "x", None), "e3": ("a", "y", None)}
    schema = table.schema()
    assert schema is not None
    assert schema.field("added").metadata == {b"comment": b"New."}


def test_a_new_column_counts_as_a_change_only_where_it_has_a_value(tmp_path: Path) -> None:
    table, wide = table_in(tmp_path), SCHEMA.append(pa.field("added", pa.string()))
    table.commit(commit_of(table, 1, UPSERT, [row(1), row(2)]))
    rows = [{**row(1), "added": None}, {**row(2), "added": "x"}]
    assert table.commit(commit_of(table, 2, UPSERT, rows, schema=wide, compared=("value", "added"))).updated == 1


def test_a_column_never_changes_its_type(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    table.commit(commit_of(table, 1, APPEND, [row(1)]))
    other = SCHEMA.set(SCHEMA.get_field_index("noise"), pa.field("noise", pa.float64()))
    with pytest.raises(DestinationRefused, match="noise"):
        table.commit(commit_of(table, 2, APPEND, [row(2)], schema=other))
    assert table.rows() == 1


def test_rows_staged_for_a_day_that_is_not_touched_are_a_defect(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    with pytest.raises(ValueError, match="2026, 3, 2"):
        table.commit(commit_of(table, 1, PARTITION, [row(1, day=1)], days=Days(whole=frozenset({day_of(0)}))))


def test_a_day_that_returned_nothing_is_emptied(tmp_path: Path) -> None:
    table, days = table_in(tmp_path), Days(whole=frozenset({day_of(0)}))
    table.commit(commit_of(table, 1, PARTITION, [row(1)], days=days))
    assert table.commit(commit_of(table, 2, PARTITION, [], days=days)).deleted == 1
    assert table.rows() == 0


def test_a_filled_table_is_partitioned_only_after_it_was_emptied(tmp_path: Path) -> None:
    table, days = table_in(tmp_path), Days(whole=frozenset({day_of(0)}))
    table.commit(commit_of(table, 1, REPLACE, [row(1)], watermarks={"project:1": 5}))
    with pytest.raises(DestinationRefused, match="not partitioned") as refused:
        table.commit(commit_of(table, 2, PARTITION, [row(2)], days=days))
    assert "Replace" in refused.value.remedy
    table.commit(commit_of(table, 3, REPLACE, []))
    table.commit(commit_of(table, 4, PARTITION, [row(2)], days=days))
    assert [one["_day"] for one in stored(table)] == [dt.date(2026, 3, 1)]
    assert (table.epoch(), table.watermarks().get("project:1")) == (4, 5)


def test_replace_takes_the_partitions_away_and_other_methods_are_refused(tmp_path: Path) -> None:
    table, days = table_in(tmp_path), Days(whole=frozenset({day_of(0)}))
    table.commit(commit_of(table, 1, PARTITION, [row(1)], days=days))
    for method in (APPEND, UPSERT):
        with pytest.raises(DestinationRefused, match="partitioned by day"):
            table.commit(commit_of(table, 2, method, [row(2)]))
    table.commit(commit_of(table, 3, REPLACE, [row(3)]))
    assert stored(table) == [row(3)]


def test_a_staged_file_that_is_not_what_was_written_is_refused(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    commit = commit_of(table, 1, APPEND, [row(1)])
    stage(table, 1, [row(number) for number in range(50)])
    _, root = table.location()
    Path(root, commit.files[0].path).write_bytes(b"PAR1 something else")
    with pytest.raises(DestinationRefused, match="not what was written"):
        table.commit(commit)
    assert not table.exists()


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
