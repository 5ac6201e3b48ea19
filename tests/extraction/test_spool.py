"""What was read is found again, whole or not at all; of doubled keys one row stays."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentry_connector.extraction import spool as spooling
from sentry_connector.extraction.journal import Note
from sentry_connector.extraction.parts import Layout, SpoolFile
from sentry_connector.extraction.spool import Spool
from sentry_connector.extraction.survey import Survey

SCHEMA = pa.schema(
    [pa.field("id", pa.string()), pa.field("value", pa.int64()), pa.field("at", pa.timestamp("us", tz="UTC"))]
)
NOON = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
Rows = list[tuple[str | None, int]]


def spool(root: Path, attempt: str = "1-a", **layout: Any) -> Spool:
    one = Spool(
        filesystem=pafs.LocalFileSystem(),
        root=str(root),
        epoch=7,
        schema=SCHEMA,
        layout=Layout(**({"key": ("id",)} | layout)),
        attempt=attempt,
    )
    one.open()
    return one


def batch(*rows: tuple[str | None, int], at: dt.datetime | None = NOON) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([{"id": key, "value": value, "at": at} for key, value in rows], SCHEMA)


async def read_slice(one: Spool, slice_id: str, *pages: pa.RecordBatch) -> None:
    writer = one.writer(slice_id, f"project:{slice_id}")
    for page in pages:
        await writer.add(page)
    writer.finish()


async def staged(one: Spool, *slices: str) -> tuple[SpoolFile, ...]:
    return await one.staged(slices or {"s"})


def rows_in(one: Spool, files: tuple[SpoolFile, ...]) -> Rows:
    return sorted(((row["id"], row["value"]) for part in one.batches(files) for row in part.to_pylist()), key=repr)


def parts_in(root: Path) -> list[Path]:
    return sorted(root.glob("e*/*.parquet"))


# ---- found again


async def test_a_slice_whose_rows_are_in_a_part_is_found_by_the_next_attempt(tmp_path: Path) -> None:
    one = spool(tmp_path)
    await read_slice(one, "s", batch(("a", 1), ("b", 2)))
    await one.flush()
    later = spool(tmp_path, "2-b")
    assert later.record("s") == one.record("s")
    assert rows_in(later, await staged(later)) == [("a", 1), ("b", 2)]


async def test_a_slice_whose_rows_are_in_no_part_yet_is_read_from_the_answers(tmp_path: Path) -> None:
    """They are kept from the first one on, and had again by whoever goes on with the run, however often it is killed."""
    one = spool(tmp_path)
    await one.keep(Note("s", "1 /x", None, "", NOON), b"[]")
    await read_slice(one, "s", batch(("a", 1)))
    for attempt in ("2-b", "3-c"):
        later = spool(tmp_path, attempt)
        assert later.record("s") is None
        kept = await later.recall("s", "1 /x")
        assert kept is not None
        assert kept.packed == b"[]"


async def test_rows_of_a_slice_that_was_not_finished_do_not_count(tmp_path: Path) -> None:
    """They are in a part beside those of a finished slice; the slice is read anew."""
    one = spool(tmp_path)
    await one.writer("half", "project:half").add(batch(("h", 1)))
    await read_slice(one, "s", batch(("a", 1)))
    await one.flush()
    later = spool(tmp_path, "2-b")
    assert (later.record("half"), later.record("s") is not None) == (None, True)
    await read_slice(later, "half", batch(("h", 2)))
    assert rows_in(later, await staged(later, "half", "s")) == [("a", 1), ("h", 2)]


async def test_only_the_rows_of_the_wanted_slices_are_staged(tmp_path: Path) -> None:
    """A scope that failed gives the table nothing, though some of its slices were read."""
    one = spool(tmp_path)
    await read_slice(one, "s", batch(("a", 1)))
    await read_slice(one, "t", batch(("b", 2)))
    await read_slice(one, "u", batch(("c", 3)))
    assert rows_in(one, await staged(one, "s", "u")) == [("a", 1), ("c", 3)]
    assert await staged(one, "none") == ()


async def test_a_slice_that_is_read_by_another_way_forgets_the_first(tmp_path: Path) -> None:
    one = spool(tmp_path)
    first = one.writer("s", "project:1")
    await first.add(batch(("a", 1)))
    await one.flush()
    await first.add(batch(("b", 1)))
    await read_slice(one, "s", batch(("c", 1)))
    assert rows_in(one, await staged(one)) == [("c", 1)]


async def test_an_attempt_that_was_thought_dead_writes_over_nothing(tmp_path: Path) -> None:
    """It wakes up and goes on: what another attempt has staged, and perhaps committed, stays as it is."""
    zombie = spool(tmp_path)
    await read_slice(zombie, "s", batch(("z", 1)))
    await zombie.flush()
    later = spool(tmp_path, "2-b")
    await read_slice(later, "t", batch(("a", 1)))
    files = await staged(later, "s", "t")
    await read_slice(zombie, "t", batch(("z", 2)))
    await read_slice(zombie, "u", batch(("z", 3)))
    await zombie.flush()
    assert rows_in(later, files) == [("a", 1), ("z", 1)]
    third = spool(tmp_path, "3-c")
    assert (third.record("t"), third.record("u")) == (later.record("t"), None)


@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
async def test_a_damaged_file_has_its_slices_read_again(tmp_path: Path, damage: str) -> None:
    """Size and hash are looked at, not the name alone."""
    one = spool(tmp_path)
    await read_slice(one, "s", batch(("a", 1)))
    await one.flush()
    await read_slice(one, "t", batch(("b", 1)))
    await one.flush()
    path = parts_in(tmp_path)[0]
    content = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[:-1])
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    later = spool(tmp_path, "2-b")
    assert (later.record("s"), later.record("t") is not None) == (None, True)
    await read_slice(later, "s", batch(("a", 2)))
    assert rows_in(later, await staged(later, "s", "t")) == [("a", 2), ("b", 1)]


async def test_a_slice_of_which_one_of_two_files_is_damaged_is_read_again_and_doubles_nothing(tmp_path: Path) -> None:
    one = spool(tmp_path)
    writer = one.writer("s", "project:1")
    await writer.add(batch(("a", 1)))
    await one.flush()
    await writer.add(batch(("b", 1)))
    writer.finish()
    await one.flush()
    parts_in(tmp_path)[1].unlink()
    later = spool(tmp_path, "2-b")
    assert later.record("s") is None
    await read_slice(later, "s", batch(("a", 1), ("b", 1)))
    assert rows_in(later, await staged(later)) == [("a", 1), ("b", 1)]


@pytest.mark.parametrize("content", [b"", b"{", b'{"finished": 1}'])
async def test_a_manifest_that_was_cut_off_is_none(tmp_path: Path, content: bytes) -> None:
    """As after a loss of power: that of the attempt before counts."""
    one = spool(tmp_path)
    await read_slice(one, "s", batch(("a", 1)))
    await one.flush()
    spool(tmp_path, "2-b")
    (tmp_path / "_spool/00000007/2-b.json").write_bytes(content)
    assert spool(tmp_path, "3-c").record("s") is not None


async def test_an_empty_slice_is_finished_too(tmp_path: Path) -> None:
    one = spool(tmp_path)
    await read_slice(one, "s")
    await one.flush()
    later = spool(tmp_path, "2-b")
    assert later.record("s") is not None
    assert await staged(later) == ()


async def test_all_attempts_share_what_the_first_one_found_out_about_the_rows(tmp_path: Path) -> None:
    """Their slices are cut by it, and must be the same."""
    one = spool(tmp_path)
    await one.keep_surveys({"project:1": Survey(start=0, counts=(1, 2))})
    await read_slice(one, "s", batch(("a", 1)))
    await one.flush()
    assert spool(tmp_path, "2-b").surveys == {"project:1": Survey(start=0, counts=(1, 2))}


# ---- rows


async def test_rows_without_a_key_are_all_kept(tmp_path: Path) -> None:
    """Two rows whose key is null are not the same row."""
    one = spool(tmp_path)
    await read_slice(one, "s", batch((None, 1), (None, 2), ("a", 3)), batch((None, 4)))
    assert rows_in(one, await staged(one)) == [("a", 3), (None, 1), (None, 2), (None, 4)]


@settings(max_examples=100, deadline=None)
@given(
    pages=st.lists(
        st.tuples(
            st.sampled_from("st"), st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 99)), max_size=5)
        ),
        max_size=12,
    ),
    part_rows=st.integers(1, 6),
    first_stays=st.booleans(),
)
def test_of_doubled_keys_the_row_of_the_first_or_the_last_page_stays(
    tmp_path_factory: pytest.TempPathFactory, pages: list[tuple[str, Rows]], part_rows: int, *, first_stays: bool
) -> None:
    """Whether the doubles meet on a page, in a part or across parts, and whichever slices share a part."""
    one = spool(tmp_path_factory.mktemp("spool"), first_stays=first_stays)

    async def work() -> tuple[Rows, int]:
        writers = {name: one.writer(name, name) for name in "st"}
        for name, page in pages:
            await writers[name].add(batch(*((f"{name}{key}", value) for key, value in page)))
        records = [writer.finish() for writer in writers.values()]
        return rows_in(one, await one.staged({"s", "t"})), sum(record.rows for record in records)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spooling, "PART_ROWS", part_rows)
        found, counted = asyncio.run(work())
    left: dict[str | None, int] = {}
    for name, page in pages:
        rows = {f"{name}{key}": value for key, value in page}
        left |= {key: value for key, value in rows.items() if not (first_stays and key in left)}
    assert found == sorted(left.items(), key=repr)
    assert counted == len(left)


async def test_every_other_row_of_a_long_page_was_there_before(tmp_path: Path) -> None:
    one = spool(tmp_path, first_stays=True)
    even, whole = (batch(*((f"{number:03}", step) for number in range(0, 200, step))) for step in (2, 1))
    await read_slice(one, "s", even, whole)
    assert rows_in(one, await staged(one)) == [(f"{number:03}", 2 - number % 2) for number in range(200)]


async def test_each_day_has_its_own_files(tmp_path: Path) -> None:
    """Days are counted in the DataSet's zone, so that 23:30 UTC is the next day in Tokyo."""
    one = spool(tmp_path, day_column="at", timezone="Asia/Tokyo")
    early, late = (dt.datetime(2026, 3, 10, hour, 30, tzinfo=dt.UTC) for hour in (14, 15))
    await read_slice(one, "s", batch(("a", 1), at=early), batch(("b", 2), at=late))
    await read_slice(one, "t", batch(("c", 3), ("d", 4), at=late))
    files = await staged(one, "s", "t")
    assert {file.day: file.rows for file in files} == {dt.date(2026, 3, 10): 1, dt.date(2026, 3, 11): 3}
    assert all(file.path.startswith(f"_day={file.day}/e00000007-") for file in files)
    later = spool(tmp_path, "2-b", day_column="at", timezone="Asia/Tokyo")
    assert rows_in(later, await staged(later, "t")) == [("c", 3), ("d", 4)]


async def test_parts_that_are_written_aside_lose_and_double_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one is written, rows come, are read again, and slices end or are begun anew."""
    monkeypatch.setattr(spooling, "PART_ROWS", 7)

    async def slowly(work: Any) -> Any:
        for _ in range(5):
            await asyncio.sleep(0)
        return work()

    one = spool(tmp_path)
    one.aside = slowly

    async def one_slice(name: str) -> None:
        for value in (1, 2):  # the second writer takes the first one's place
            writer = one.writer(name, name)
            for number in range(6):
                await writer.add(batch((f"{name}{number}", value), (f"{name}{number + 1}", value)))
        writer.finish()

    names = [f"n{number}-" for number in range(9)]
    await asyncio.gather(*(one_slice(name) for name in names))
    wanted = sorted((f"{name}{number}", 2) for name in names for number in range(7))
    assert rows_in(one, await one.staged(names)) == wanted
