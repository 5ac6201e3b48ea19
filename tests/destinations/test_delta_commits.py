"""Watermarks, versions, going back to them, other writers: what `tests/conformance` does not hold against every destination."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable, QueryBuilder
from deltalake.exceptions import CommitFailedError

from sentry_connector.destinations.delta import DeltaDestination
from sentry_connector.destinations.delta_commits import Note
from sentry_connector.destinations.delta_merge import Change
from sentry_connector.destinations.model import Days, UpdateMethod
from sentry_connector.errors import TableChanged, UnknownName
from tests.destinations.tables import SCHEMA, commit_of, day_of, ordered, row, stored, table_in, without_day

REPLACE, APPEND, UPSERT, PARTITION = UpdateMethod


def test_rows_that_are_staged_and_not_committed_are_not_in_the_table(tmp_path: Path) -> None:
    """A run that is killed between staging and commit."""
    table = table_in(tmp_path)
    table.commit(commit_of(table, 1, APPEND, [row(1)]))
    commit_of(table, 2, APPEND, [row(2)])
    assert (stored(table), table.epoch()) == ([row(1)], 1)


def test_a_stale_handle_cannot_commit(tmp_path: Path) -> None:
    """A zombie that looked before another run committed."""
    table = table_in(tmp_path)
    table.commit(commit_of(table, 1, APPEND, [row(1)]))
    stale = table.log.open()
    assert stale is not None
    table.commit(commit_of(table, 2, APPEND, [row(2)]))
    with pytest.raises(CommitFailedError):
        table.log.write(stale, Change(), Note(operation="append", epoch=3))
    assert (table.epoch(), table.rows()) == (2, 2)


def test_a_writer_that_comes_between_is_noticed_and_looked_at_again(tmp_path: Path) -> None:
    """Another tool that adds rows without an epoch: this run's commit is made on what it left."""
    table = table_in(tmp_path)
    table.commit(commit_of(table, 1, UPSERT, [row(1)]))
    other = table.log.open()
    assert other is not None
    later = commit_of(table, 2, UPSERT, [row(1, "b")])
    table.log.write(other, Change(), Note(operation="other"))
    assert table.commit(later).updated == 1


def test_watermarks_travel_with_the_commit(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    table.commit(commit_of(table, 1, APPEND, [row(1)], watermarks={"project:1": 10, "project:2": 20}))
    table.commit(commit_of(table, 2, APPEND, [row(2)], watermarks={"project:2": 21, "project:3": 30}))
    assert table.watermarks() == {"project:1": 10, "project:2": 21, "project:3": 30}
    assert [table.watermarks().get(f"project:{number}") for number in range(1, 5)] == [10, 21, 30, None]


def test_another_datasets_watermarks_are_not_mine(tmp_path: Path) -> None:
    destination = DeltaDestination(str(tmp_path))
    one, other = destination.table("ds1"), destination.table("ds10")
    one.commit(commit_of(one, 1, APPEND, [row(1)], watermarks={"project:1": 10}))
    assert (other.exists(), other.watermarks().get("project:1")) == (False, None)


def test_revert_brings_rows_and_watermarks_back_in_one_commit(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    table.commit(commit_of(table, 1, UPSERT, [row(1), row(2)], watermarks={"project:1": 10}))
    first = table.versions()[0].version
    table.commit(commit_of(table, 2, UPSERT, [row(1, "b"), row(3)], watermarks={"project:1": 11, "project:2": 20}))
    before = table.versions()[0].version
    done = table.revert(first, epoch=3)
    assert done.version == before + 1
    assert stored(table) == [row(1), row(2)]
    assert table.watermarks() == {"project:1": 10}
    assert (table.watermarks().get("project:2"), table.epoch()) == (None, 3)
    assert [one.operation for one in table.versions()] == ["revert", "upsert", "upsert"]
    table.revert(before, epoch=4)
    assert stored(table) == ordered([row(1, "b"), row(2), row(3)])
    assert table.watermarks() == {"project:1": 11, "project:2": 20}


def test_revert_is_done_once_and_never_late(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    for epoch in (1, 2):
        table.commit(commit_of(table, epoch, REPLACE, [row(epoch)]))
    assert table.revert(0, epoch=3).repeated is False
    assert table.revert(0, epoch=3).repeated is True
    with pytest.raises(TableChanged):
        table.revert(1, epoch=2)
    assert stored(table) == [row(1)]


def test_revert_over_a_new_column_leaves_it_null(tmp_path: Path) -> None:
    table, wide = table_in(tmp_path), SCHEMA.append(pa.field("added", pa.string()))
    table.commit(commit_of(table, 1, REPLACE, [row(1)]))
    table.commit(commit_of(table, 2, REPLACE, [{**row(2), "added": "x"}], schema=wide))
    table.revert(0, epoch=3)
    assert stored(table) == [{**row(1), "added": None}]


def test_revert_to_a_version_that_is_not_offered_is_refused(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    table.commit(commit_of(table, 1, APPEND, [row(1)]))
    table.commit(commit_of(table, 2, APPEND, []))
    for version in (1, 7):
        with pytest.raises(UnknownName):
            table.revert(version, epoch=3)
    with pytest.raises(UnknownName):
        table.files(7)


def test_versions_tell_who_made_them_and_what_they_hold(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    table.commit(commit_of(table, 1, APPEND, [row(1)]))
    table.commit(commit_of(table, 2, APPEND, []))
    table.commit(commit_of(table, 3, REPLACE, [row(2), row(3)]))
    found = [(one.version, one.operation, one.run_id, one.rows) for one in table.versions()]
    assert found == [(2, "replace", "run3", 2), (0, "append", "run1", 1)]
    assert table.versions()[0].bytes == table.size() == sum(Path(path).stat().st_size for path in table.files())
    assert [len(stored(table, version)) for version in (2, 0)] == [2, 1]


def test_a_version_from_before_the_table_was_partitioned_is_not_offered(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    table.commit(commit_of(table, 1, PARTITION, [row(1)], days=Days(whole=frozenset({day_of(0)}))))
    table.commit(commit_of(table, 2, REPLACE, [row(2)]))
    assert [one.run_id for one in table.versions()] == ["run2"]


def test_other_tools_read_the_same_rows(tmp_path: Path) -> None:
    table, days = table_in(tmp_path), Days(whole=frozenset({day_of(0), day_of(1)}))
    rows = [row(number, day=number % 2) for number in range(20)]
    table.commit(commit_of(table, 1, PARTITION, rows, days=days))
    table.commit(commit_of(table, 2, PARTITION, rows[:5], days=Days(gaining=days.whole)))
    _, root = table.location()
    delta = DeltaTable(root)
    by_arrow = without_day(delta.to_pyarrow_table().to_pylist())
    by_polars = without_day(pl.read_delta(root).to_dicts())
    by_datafusion = without_day(
        pa.table(QueryBuilder().register("t", delta).execute("SELECT * FROM t").read_all()).to_pylist()
    )
    with duckdb.connect() as connection:
        files = connection.from_parquet(delta.file_uris(), hive_partitioning=True)
        by_duckdb = without_day(files.to_arrow_table().to_pylist())
    assert by_arrow == by_polars == by_datafusion == by_duckdb == without_day(stored(table)) == ordered(rows)


def test_readers_skip_files_by_the_statistics_and_lose_no_row(tmp_path: Path) -> None:
    """Times in the statistics have milliseconds; a row in between must still be found."""
    table = table_in(tmp_path)
    late = {**row(1), "at": dt.datetime(2026, 3, 1, 0, 0, 1, 999_999, tzinfo=dt.UTC)}
    table.commit(commit_of(table, 1, APPEND, [late]))
    table.commit(commit_of(table, 2, APPEND, [row(9)]))
    _, root = table.location()
    found = DeltaTable(root).to_pyarrow_table(filters=[("at", ">=", late["at"]), ("at", "<=", late["at"])])
    assert [one["event_id"] for one in found.to_pylist()] == ["e1"]
    assert len(DeltaTable(root).file_uris(file_pruning_predicate="event_id = 'e9'")) == 1


def test_count_outside_counts_what_a_narrower_replace_would_drop(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    table.commit(commit_of(table, 1, APPEND, [*(row(day, day=day) for day in range(5)), {**row(7), "at": None}]))
    start, end = (dt.datetime(2026, 3, day, tzinfo=dt.UTC) for day in (2, 4))
    assert table.count_outside("at", start, end) == 3
    assert table.count_outside("nothing", start, end) == 0


def test_storage_options_are_never_shown() -> None:
    table = DeltaDestination("s3://bucket/x", storage_options={"aws_secret_access_key": "hush"}).table("ds1")
    assert "hush" not in repr(table)
