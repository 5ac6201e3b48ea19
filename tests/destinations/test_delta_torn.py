"""A loss of power in the middle of a commit: the table is what it was before, and the next run finds it in order."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sentry_connector.destinations import delta_log, delta_torn
from sentry_connector.destinations.delta import Delta
from sentry_connector.destinations.delta_commits import Note
from sentry_connector.destinations.delta_merge import Change
from sentry_connector.destinations.model import Commit, Days, UpdateMethod
from sentry_connector.errors import DestinationRefused
from tests.destinations.tables import commit_of, day_of, row, stored, table_in, without_day

METHODS = pytest.mark.parametrize("method", list(UpdateMethod))
BEFORE = [row(1), row(2), row(3, day=1)]


def first(table: Delta, method: UpdateMethod) -> Commit:
    days = Days(whole=frozenset({day_of(0), day_of(1)}))
    return commit_of(table, 1, method, BEFORE, days=days, watermarks={"project:1": 10, "project:2": 10})


def second(table: Delta, method: UpdateMethod) -> Commit:
    days = Days(whole=frozenset({day_of(0)}))
    rows = [row(7), row(2, "b")] if method is not UpdateMethod.APPEND else [row(7)]
    return commit_of(table, 2, method, rows, days=days, watermarks={"project:1": 20, "project:2": 20})


def entry_of(table: Delta, version: int) -> Path:
    return Path(table.log.folder.absolute(f"_delta_log/{version:020}.json"))


def looks_of(table: Delta) -> tuple[object, ...]:
    """All that can be seen of a table."""
    versions = [(one.version, one.rows, one.run_id) for one in table.versions()]
    return without_day(stored(table)), versions, table.watermarks(), table.epoch(), table.rows(), table.size()


def cuts_of(content: bytes) -> list[bytes]:
    """Kinds of what may be left of an entry: nothing, a half, all but the last line, zeros for what is missing."""
    last_line = content.rindex(b"\n")
    half = content[: len(content) // 2]
    return [b"", half, content[:last_line], content[: last_line + 1], half + bytes(len(content) - len(half))]


@METHODS
def test_an_entry_is_known_for_torn_wherever_it_was_cut(tmp_path: Path, method: UpdateMethod) -> None:
    table = table_in(tmp_path)
    for number, commit in enumerate([first(table, method), second(table, method)]):
        table.commit(commit)
        content = entry_of(table, number).read_bytes()
        assert delta_log.is_whole(content)
        for length in range(len(content)):
            assert not delta_log.is_whole(content[:length])
            assert not delta_log.is_whole(content[:length] + bytes(len(content) - length))


@METHODS
def test_a_torn_newest_entry_is_no_version_and_the_next_run_takes_its_place(
    tmp_path: Path, method: UpdateMethod
) -> None:
    table = table_in(tmp_path)
    table.commit(first(table, method))
    before = looks_of(table)
    commit = second(table, method)
    table.commit(commit)
    after, path = looks_of(table), entry_of(table, 1)
    content = path.read_bytes()
    for number, cut in enumerate(cuts_of(content), start=1):
        path.write_bytes(cut)
        assert looks_of(table) == before
        assert table.committed(2) is None
        table.mend()
        assert looks_of(table) == before
        table.commit(commit)
        assert looks_of(table) == after
        assert table.committed(2) is not None
        assert len(list(Path(table.log.folder.absolute("_torn")).iterdir())) == number


@METHODS
def test_a_torn_first_entry_leaves_a_table_that_was_never_committed_to(tmp_path: Path, method: UpdateMethod) -> None:
    table = table_in(tmp_path)
    commit = first(table, method)
    table.commit(commit)
    after, path = looks_of(table), entry_of(table, 0)
    for cut in cuts_of(path.read_bytes()):
        path.write_bytes(cut)
        assert (table.exists(), table.epoch(), table.watermarks(), table.versions()) == (False, 0, {}, [])
        table.mend()
        table.commit(commit)
        assert looks_of(table) == after


def test_a_revert_puts_a_torn_entry_aside_too(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    table.commit(first(table, UpdateMethod.UPSERT))
    table.commit(commit_of(table, 2, UpdateMethod.UPSERT, [row(8)]))
    table.commit(commit_of(table, 3, UpdateMethod.UPSERT, [row(9)]))
    os.truncate(entry_of(table, 2), 100)
    table.revert(0, epoch=4)
    assert without_day(stored(table)) == BEFORE


def test_an_entry_that_is_not_the_newest_or_says_something_unknown_stays_where_it_is(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    table.commit(first(table, UpdateMethod.APPEND))
    table.commit(second(table, UpdateMethod.APPEND))
    whole = entry_of(table, 0).read_bytes()
    entry_of(table, 0).write_bytes(whole[:100])
    table.mend()
    with pytest.raises(DestinationRefused):
        table.rows()
    entry_of(table, 0).write_bytes(whole)
    entry_of(table, 2).write_text('{"commitInfo": {"operation": "WRITE"}}\n{"add": "of another kind"}')
    table.mend()
    assert entry_of(table, 2).exists()


@pytest.mark.parametrize("left", [0, 4, 500])
@pytest.mark.parametrize("hint", ["with a hint", "without"])
def test_a_torn_checkpoint_is_put_aside_as_long_as_the_entries_it_repeats_are_there(
    tmp_path: Path, left: int, hint: str
) -> None:
    table = table_in(tmp_path)
    table.commit(first(table, UpdateMethod.UPSERT))
    table.commit(second(table, UpdateMethod.UPSERT))
    before, handle = looks_of(table), table.log.open()
    assert handle is not None
    handle.create_checkpoint()
    os.truncate(table.log.folder.absolute("_delta_log/00000000000000000001.checkpoint.parquet"), left)
    if hint == "without":
        table.log.folder.delete("_delta_log/_last_checkpoint")
    table.mend()
    assert looks_of(table) == before
    table.commit(commit_of(table, 3, UpdateMethod.UPSERT, [row(9)]))
    assert table.rows() == len(before[0]) + 1  # type: ignore[arg-type]


def test_one_who_lost_the_lease_cannot_put_aside_what_another_has_committed_meanwhile(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    table.commit(first(table, UpdateMethod.APPEND))
    path, folder = entry_of(table, 0), table.log.folder
    delta_torn._put_aside(folder, path.relative_to(folder.root).as_posix(), lambda _: True)
    assert table.rows() == len(BEFORE)


# ---- on the disk before it is told


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files and folders that the system was told to write to the disk, in order."""
    seen: list[str] = []
    real: Callable[[int], None] = os.fsync

    def fsync(descriptor: int) -> None:
        seen.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return seen


@METHODS
def test_rows_are_on_the_disk_before_the_entry_and_the_entry_before_the_commit_is_told(
    tmp_path: Path, method: UpdateMethod, synced: list[str]
) -> None:
    table = table_in(tmp_path)
    for number, commit in enumerate([first(table, method), second(table, method)]):
        synced.clear()
        table.commit(commit)
        entry, places = entry_of(table, number), {path: place for place, path in reversed(list(enumerate(synced)))}
        added = {path for path in table.files() if path in places}
        assert added
        assert {str(Path(path).parent) for path in added} <= set(synced)
        assert max(places[path] for path in added) < places[str(entry)]
        assert {str(entry.parent), str(entry.parent.parent), str(tmp_path)} <= set(synced[places[str(entry)] :])


def test_a_commit_that_is_found_when_a_run_goes_on_is_on_the_disk_before_it_is_told(
    tmp_path: Path, synced: list[str]
) -> None:
    table = table_in(tmp_path)
    table.commit(first(table, UpdateMethod.APPEND))
    synced.clear()
    assert table.committed(1) is not None
    assert synced[0] == str(entry_of(table, 0))


def test_a_checkpoint_is_on_the_disk_before_the_entries_it_repeats_go(tmp_path: Path, synced: list[str]) -> None:
    table = table_in(tmp_path)
    table.commit(first(table, UpdateMethod.APPEND))
    for _ in range(30):
        handle = table.log.open()
        assert handle is not None
        table.log.write(handle, Change(), Note(operation="other"))
    synced.clear()
    table.maintain(now=table.versions()[0].at, keep_versions=1)
    written = {path for path in table.log.folder.listing("_delta_log") if path.endswith(".checkpoint.parquet")}
    assert written
    assert {table.log.folder.absolute(path) for path in written} <= set(synced)
