"""A slice is done when its files are whole and its manifest says so; doubled keys leave one row, the one read last."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentry_connector.extraction import spool as spooling
from sentry_connector.extraction.spool import Layout, Spool

SCHEMA = pa.schema(
    [pa.field("id", pa.string()), pa.field("value", pa.int64()), pa.field("at", pa.timestamp("us", tz="UTC"))]
)
NOON = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)


def spool(root: Path, nonce: str = "one", **layout: object) -> Spool:
    facts: dict[str, object] = {"key": ("id",)}
    return Spool(
        filesystem=pafs.LocalFileSystem(),
        root=str(root),
        nonce=nonce,
        epoch=7,
        schema=SCHEMA,
        layout=Layout(**(facts | layout)),  # type: ignore[arg-type]
    )


def batch(*rows: tuple[str | None, int], at: dt.datetime | None = NOON) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([{"id": key, "value": value, "at": at} for key, value in rows], SCHEMA)


def rows_of(one: Spool, slice_id: str = "s") -> list[tuple[str | None, int]]:
    record = one.record(slice_id)
    assert record is not None
    return sorted(((row["id"], row["value"]) for part in one.batches(record) for row in part.to_pylist()), key=repr)


def test_a_finished_slice_is_found_again(tmp_path: Path) -> None:
    """Another process that goes on with the run reads nothing twice."""
    writer = spool(tmp_path).writer("s", "project:1")
    writer.add(batch(("a", 1), ("b", 2)))
    record = writer.finish(rows_read=2, pages=1)
    assert spool(tmp_path).record("s") == record
    assert record.rows == 2
    assert rows_of(spool(tmp_path)) == [("a", 1), ("b", 2)]


def test_an_attempt_that_was_thought_dead_writes_over_nothing(tmp_path: Path) -> None:
    """It wakes up and reads the same slice: what another attempt has finished, and perhaps committed, stays as it is."""
    finished = {}
    for nonce in ("one", "other"):
        writer = spool(tmp_path, nonce).writer("s", "project:1")
        writer.add(batch((nonce, 1)))
        finished[nonce] = writer.finish().files[0].path
    assert finished["one"] != finished["other"]
    assert spool(tmp_path).read(finished["one"])["id"].to_pylist() == ["one"]


def test_an_unfinished_slice_is_not_there(tmp_path: Path) -> None:
    writer = spool(tmp_path).writer("s", "project:1")
    writer.add(batch(("a", 1)))
    assert spool(tmp_path).record("s") is None


@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_a_damaged_file_has_its_slice_read_again(tmp_path: Path, damage: str) -> None:
    """Size and hash are looked at, not the name alone."""
    writer = spool(tmp_path).writer("s", "project:1")
    writer.add(batch(("a", 1)))
    path = tmp_path / writer.finish().files[0].path
    content = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[:-1])
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    assert spool(tmp_path).record("s") is None


def test_an_empty_slice_is_done_too(tmp_path: Path) -> None:
    record = spool(tmp_path).writer("s", "project:1").finish()
    assert record.files == ()
    assert spool(tmp_path).record("s") == record


def test_rows_without_a_key_are_all_kept(tmp_path: Path) -> None:
    """Two rows whose key is null are not the same row."""
    one = spool(tmp_path)
    writer = one.writer("s", "project:1")
    writer.add(batch((None, 1), (None, 2), ("a", 3)))
    writer.finish()
    assert rows_of(one) == [("a", 3), (None, 1), (None, 2)]


@settings(max_examples=60, deadline=None)
@given(
    pages=st.lists(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 99)), max_size=5), max_size=8),
    part_rows=st.integers(1, 6),
)
def test_of_doubled_keys_the_row_read_last_stays(
    tmp_path_factory: pytest.TempPathFactory, pages: list[list[tuple[str, int]]], part_rows: int
) -> None:
    """Whether the doubles meet on a page, in a part or across parts."""
    one = spool(tmp_path_factory.mktemp("spool"))
    writer = one.writer("s", "project:1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spooling, "PART_ROWS", part_rows)
        for page in pages:
            writer.add(batch(*page))
        writer.finish()
    last = {key: value for page in pages for key, value in page}
    assert rows_of(one) == sorted(last.items(), key=repr)


def test_each_day_has_its_own_files(tmp_path: Path) -> None:
    """Days are counted in the DataSet's zone, so that 23:30 UTC is the next day in Tokyo."""
    one = spool(tmp_path, day_column="at", timezone="Asia/Tokyo")
    writer = one.writer("s", "project:1")
    writer.add(batch(("a", 1), at=dt.datetime(2026, 3, 10, 14, 30, tzinfo=dt.UTC)))
    writer.add(batch(("b", 2), at=dt.datetime(2026, 3, 10, 15, 30, tzinfo=dt.UTC)))
    files = writer.finish().files
    assert {file.day: file.rows for file in files} == {dt.date(2026, 3, 10): 1, dt.date(2026, 3, 11): 1}
    assert all(file.path.startswith(f"_day={file.day}/e00000007-") for file in files)


@pytest.mark.parametrize("content", [b"", b"{", b'{"slice_id": 1}'])
def test_a_manifest_that_was_cut_off_is_none(tmp_path: Path, content: bytes) -> None:
    """As after a loss of power: the slice is read again."""
    one = spool(tmp_path)
    one.writer("s", "project:1").finish()
    (manifest,) = tmp_path.rglob("*.json")
    manifest.write_bytes(content)
    assert one.record("s") is None
