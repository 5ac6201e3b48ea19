"""Maintenance changes no row and keeps what `versions` offers."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from sentry_connector.destinations import delta_commits
from sentry_connector.destinations.delta import Delta
from sentry_connector.destinations.delta_maintenance import GRACE, LONGEST_LOG, binned
from sentry_connector.destinations.model import Days, UpdateMethod
from tests.destinations.tables import commit_of, day_of, ordered, row, stored, table_in, without_day

REPLACE, APPEND, UPSERT, PARTITION = UpdateMethod
LATER = dt.datetime.now(dt.UTC) + 2 * GRACE
"""So late that no version is kept for being young."""


def on_disk(table: Delta, pattern: str) -> set[Path]:
    return set(Path(table.location()[1]).glob(pattern))


def filled(folder: Path, epochs: int, *, marks: bool = True) -> Delta:
    table = table_in(folder)
    for epoch in range(1, epochs + 1):
        watermarks = {"project:1": epoch, f"project:x{epoch % 3}": epoch} if marks else {}
        table.commit(commit_of(table, epoch, APPEND, [row(epoch)], watermarks=watermarks))
    return table


def test_small_files_become_one_and_the_rows_stay(tmp_path: Path) -> None:
    table = filled(tmp_path, 12)
    before = stored(table)
    table.maintain(now=LATER)
    assert len(table.files()) == 1
    assert stored(table) == before
    assert (table.epoch(), table.watermarks().get("project:1")) == (12, 12)


def test_compaction_is_no_version_and_versions_before_it_can_be_reverted_to(tmp_path: Path) -> None:
    table = filled(tmp_path, 12)
    table.maintain(now=LATER, keep_versions=10)
    offered = table.versions()
    assert [one.run_id for one in offered][:10] == [f"run{epoch}" for epoch in range(12, 2, -1)]
    for one in offered:
        assert len(stored(table, one.version)) == one.rows
    table.revert(offered[9].version, epoch=13)
    assert stored(table) == ordered([row(1), row(2), row(3)])


def test_the_newest_version_is_known_without_the_others(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    assert table.version() is None
    table = filled(tmp_path, 3)
    steps = (
        lambda: table.maintain(now=LATER),
        lambda: table.revert(0, epoch=4),
        lambda: table.maintain(now=LATER),
        lambda: table.commit(commit_of(table, 5, REPLACE, [])),
    )
    for step in steps:
        step()
        assert table.version() == table.versions()[0].version


def test_days_are_merged_each_for_itself(tmp_path: Path) -> None:
    table, both = table_in(tmp_path), frozenset({day_of(0), day_of(1)})
    rows = [row(number, day=number % 2) for number in range(20)]
    for epoch, one in enumerate(rows, start=1):
        table.commit(commit_of(table, epoch, PARTITION, [one], days=Days(gaining=both)))
    table.maintain(now=LATER)
    assert len(table.files()) == 2
    assert without_day(stored(table)) == ordered(rows)
    assert all(one["_day"] == one["at"].date() for one in stored(table))


def test_files_merged_from_before_and_after_a_new_column_keep_it(tmp_path: Path) -> None:
    table = filled(tmp_path, 8)
    schema = table.schema()
    assert schema is not None
    wide = schema.append(schema.field("value").with_name("added"))
    table.commit(commit_of(table, 9, APPEND, [{**row(9), "added": "x"}], schema=wide))
    table.maintain(now=LATER)
    assert len(table.files()) == 1
    assert [one["added"] for one in stored(table) if one["event_id"] in {"e1", "e9"}] == [None, "x"]


def test_what_no_kept_version_needs_is_deleted(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    for epoch in range(1, 16):
        table.commit(commit_of(table, epoch, REPLACE, [row(epoch)]))
    table.maintain(now=LATER, keep_versions=10)
    assert len(on_disk(table, "e*/*.parquet")) == 10
    assert [one.run_id for one in table.versions()] == [f"run{epoch}" for epoch in range(15, 5, -1)]
    table.revert(table.versions()[-1].version, epoch=16)
    assert stored(table) == [row(6)]


def test_young_versions_are_kept_for_those_who_read_them(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    for epoch in range(1, 6):
        table.commit(commit_of(table, epoch, REPLACE, [row(epoch)]))
    table.maintain(now=dt.datetime.now(dt.UTC), keep_versions=2)
    assert len(table.versions()) == 5
    table.maintain(now=LATER, keep_versions=2)
    assert len(table.versions()) == 2


def test_epoch_and_watermarks_outlive_checkpoint_and_log_cleanup(tmp_path: Path) -> None:
    table = filled(tmp_path, LONGEST_LOG + 5)
    marks, rows = table.watermarks(), stored(table)
    table.maintain(now=LATER, keep_versions=1)
    for epoch in range(LONGEST_LOG + 6, 2 * LONGEST_LOG + 12):
        table.commit(commit_of(table, epoch, APPEND, []))
    table.maintain(now=LATER, keep_versions=1)
    assert not on_disk(table, f"_delta_log/{0:020}.json")
    assert on_disk(table, "_delta_log/*.checkpoint.parquet")
    assert (table.watermarks(), table.epoch(), stored(table)) == (marks, 2 * LONGEST_LOG + 11, rows)
    assert table.watermarks().get("project:1") == marks["project:1"]
    done = table.commit(commit_of(table, 2 * LONGEST_LOG + 11, APPEND, [row(1)]))
    assert done.repeated


def test_the_log_keeps_what_the_kept_versions_need(tmp_path: Path) -> None:
    table = filled(tmp_path, 2 * LONGEST_LOG)
    table.maintain(now=LATER, keep_versions=30)
    offered = table.versions()
    assert len(offered) == 30
    assert not on_disk(table, f"_delta_log/{0:020}.json")
    assert [len(stored(table, one.version)) for one in offered] == [one.rows for one in offered]


def test_sweep_deletes_what_earlier_runs_staged_and_spares_the_current_one(tmp_path: Path) -> None:
    table = filled(tmp_path, 1)
    abandoned, current = (commit_of(table, epoch, APPEND, [row(epoch)]) for epoch in (2, 3))
    root = Path(table.location()[1])
    for epoch in (2, 3):
        manifest = root / f"_spool/{epoch:08d}/slice.json"
        manifest.parent.mkdir(parents=True)
        manifest.write_text("{}")
    (root / "notes.txt").write_text("somebody's")
    table.sweep(3)
    assert not (root / abandoned.files[0].path).parent.exists(), "the folder that became empty goes too"
    assert not (root / "_spool/00000002").exists()
    assert (root / "_spool/00000003/slice.json").exists()
    assert (root / "notes.txt").exists()
    table.commit(current)
    assert stored(table) == ordered([row(1), row(3)])


def test_sweep_of_a_table_that_was_never_committed_spares_the_current_run(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    old, current = (commit_of(table, epoch, APPEND, [row(epoch)]) for epoch in (1, 2))
    table.sweep(2)
    assert not (Path(table.location()[1]) / old.files[0].path).exists()
    table.commit(current)
    assert stored(table) == [row(2)]


def test_maintaining_nothing_is_nothing(tmp_path: Path) -> None:
    table_in(tmp_path).maintain(now=LATER)
    assert list(tmp_path.iterdir()) == []


def test_files_are_merged_up_to_the_target(tmp_path: Path) -> None:
    table = filled(tmp_path, 9)
    size = table.size() // 9
    table.maintain(now=LATER, target_bytes=4 * size)
    assert 2 <= len(table.files()) < 9
    assert table.rows() == 9


def test_nothing_to_bin_is_no_bin() -> None:
    assert binned([], 100) == []


@pytest.mark.parametrize("versions", [3, 12])
def test_a_table_is_opened_as_often_however_many_versions_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, versions: int
) -> None:
    """A DataSet that runs every minute keeps the sixty versions of the last hour: to open each took longer than the run."""
    table = table_in(tmp_path)
    for epoch in range(1, versions + 1):
        table.commit(commit_of(table, epoch, REPLACE, [row(epoch)]))
    opened: list[object] = []

    class Counted(DeltaTable):
        def __init__(self, *args: Any, **more: Any) -> None:
            opened.append(args)
            super().__init__(*args, **more)

    monkeypatch.setattr(delta_commits, "DeltaTable", Counted)
    assert len(table.versions()) == versions
    table.maintain(now=LATER, keep_versions=versions)
    table.sweep(versions + 1)
    assert len(opened) == 3, "once for each of the three"


def test_a_version_without_a_base_in_the_log_is_not_offered(tmp_path: Path) -> None:
    """Another tool may clean the log: what is left of the entries before a checkpoint leads nowhere."""
    table = filled(tmp_path, 6)
    newest = table.log.open()
    assert newest is not None
    newest.create_checkpoint()
    for version in (0, 1, 2):
        (Path(table.location()[1]) / f"_delta_log/{version:020}.json").unlink()
    assert [one.version for one in table.versions()] == [newest.version()]
    assert len(stored(table, newest.version())) == 6
