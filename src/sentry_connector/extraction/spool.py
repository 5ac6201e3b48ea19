"""Finished slices as Parquet files, lying where the table's files lie.

A slice is done when its manifest is there and its files have the size and hash that the manifest names. The manifest is the only
record of progress: a killed run that starts again reads the slices that have none.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from sentry_connector.errors import KeyViolated, disk_error

PART_ROWS = 50_000
PART_BYTES = 16 * 1024 * 1024
"""A slice that grows beyond either is written in parts, so that memory does not grow with the slice."""

BATCH_ROWS = 8192
"""Rows that are read back at a time."""


def staged_path(epoch: int, name: str, day: dt.date | None = None) -> str:
    """Where a staged file lies below the table's root; a partitioned table's files lie in their day's folder."""
    return f"e{epoch:08d}/{name}.parquet" if day is None else f"_day={day}/e{epoch:08d}-{name}.parquet"


def manifest_path(epoch: int, slice_id: str) -> str:
    """Where a slice's manifest lies below the table's root."""
    return f"_spool/{epoch:08d}/{slice_id}.json"


class SpoolFile(msgspec.Struct, frozen=True, kw_only=True):
    """One Parquet file: its path below the table's root, and what proves that it is whole."""

    path: str
    rows: int
    bytes: int
    sha256: str
    day: dt.date | None = None


class SliceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest of a finished slice.

    Attributes:
        slice_id, scope_id: which slice.
        files: its rows.
        rows_read: rows that Sentry sent for it, before the window and doubled keys took theirs.
        pages: pages read.
        drift: path → rows with something there that the catalogue does not know or that did not fit.
        warnings: sentences for the run's record.
        limited: reading stopped at the number of rows that was asked for.
    """

    slice_id: str
    scope_id: str
    files: tuple[SpoolFile, ...] = ()
    rows_read: int = 0
    pages: int = 0
    drift: dict[str, int] = {}
    warnings: tuple[str, ...] = ()
    limited: bool = False

    @property
    def rows(self) -> int:
        """Rows that the slice gives to the table."""
        return sum(file.rows for file in self.files)


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How rows lie in files.

    Attributes:
        key: columns that tell rows apart; of doubled rows the one read last stays. Empty keeps all.
        day_column, timezone: where the table is partitioned by day: the time column, and the zone that days are counted in.
    """

    key: tuple[str, ...] = ()
    day_column: str | None = None
    timezone: str = "UTC"


@dataclass(frozen=True, kw_only=True)
class Spool:
    """The staged files of one run (one epoch) in one table's folder.

    Attributes:
        filesystem: the disk or the object store.
        root: the table's folder there.
        epoch: the run's.
        schema: the columns.
        layout: how rows lie in files.
        nonce: a word that no other attempt has. It stands in every file's name, so that an attempt which was thought dead cannot
            write over a file that another one has committed.
    """

    filesystem: pafs.FileSystem
    root: str
    epoch: int
    schema: pa.Schema
    layout: Layout
    nonce: str

    def record(self, slice_id: str) -> SliceRecord | None:
        """The manifest of a slice whose files are all whole; None where it must be read (again)."""
        path = self._absolute(manifest_path(self.epoch, slice_id))
        if self.filesystem.get_file_info(path).type is not pafs.FileType.File:
            return None
        with self.filesystem.open_input_stream(path) as stream:
            content = stream.read()
        try:
            record = msgspec.json.decode(content, type=SliceRecord)
        except msgspec.DecodeError:  # cut off by a loss of power
            return None
        return record if all(self._is_whole(file) for file in record.files) else None

    def writer(self, slice_id: str, scope_id: str) -> SliceWriter:
        """A writer for one slice, which starts with nothing."""
        return SliceWriter(self, slice_id, scope_id)

    def batches(self, record: SliceRecord) -> Iterator[pa.RecordBatch]:
        """The rows of a finished slice, a batch at a time.

        One thread reads: several decode all columns at once, each into buffers of its own (40 MiB more at the peak).
        """
        for file in record.files:
            with pq.ParquetFile(self._absolute(file.path), filesystem=self.filesystem) as parquet:
                yield from parquet.iter_batches(BATCH_ROWS, use_threads=False)
            _give_back()

    def write(self, table: pa.Table, path: str, day: dt.date | None = None) -> SpoolFile:
        """Write one file of the slice and say what proves it."""
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd", coerce_timestamps="us")
        content = sink.getvalue()
        absolute = self._absolute(path)
        with _disk_errors(self.root):
            self.filesystem.create_dir(absolute.rpartition("/")[0], recursive=True)
            with self.filesystem.open_output_stream(absolute) as stream:
                stream.write(content)
        _give_back()
        return SpoolFile(
            path=path, rows=table.num_rows, bytes=content.size, sha256=hashlib.sha256(content).hexdigest(), day=day
        )

    def read(self, path: str) -> pa.Table:
        """The rows of one staged file."""
        return pq.read_table(self._absolute(path), filesystem=self.filesystem, partitioning=None)

    def seal(self, record: SliceRecord) -> None:
        """Write the manifest: from here on the slice is done."""
        path = self._absolute(manifest_path(self.epoch, record.slice_id))
        beside = f"{path}.tmp"
        with _disk_errors(self.root):
            self.filesystem.create_dir(path.rpartition("/")[0], recursive=True)
            with self.filesystem.open_output_stream(beside) as stream:
                stream.write(msgspec.json.encode(record))
            self.filesystem.move(beside, path)

    def _absolute(self, path: str) -> str:
        return f"{self.root}/{path}"

    def _is_whole(self, file: SpoolFile) -> bool:
        absolute = self._absolute(file.path)
        info = self.filesystem.get_file_info(absolute)
        if info.type is not pafs.FileType.File or info.size != file.bytes:
            return False
        with self.filesystem.open_input_stream(absolute) as stream:
            return hashlib.file_digest(_Reader(stream), "sha256").hexdigest() == file.sha256


class _Reader(io.RawIOBase):
    """What `hashlib.file_digest` wants to read from."""

    def __init__(self, stream: pa.NativeFile) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


@dataclass
class SliceWriter:
    """Takes the rows of one slice page by page and leaves files without doubled keys."""

    spool: Spool
    slice_id: str
    scope_id: str
    _batches: list[pa.RecordBatch] = field(default_factory=list)
    _bytes: int = 0
    _rows: int = 0
    _parts: list[SpoolFile] = field(default_factory=list)
    _part_of: dict[bytes, int] = field(default_factory=dict)
    _superseded: dict[int, set[bytes]] = field(default_factory=dict)
    _number: int = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Take the rows of a page.

        Raises:
            KeyViolated: a row of a partitioned table has no time, and so no day.
        """
        self._batches.append(batch)
        self._bytes += batch.nbytes
        self._rows += batch.num_rows
        if self._rows >= PART_ROWS or self._bytes >= PART_BYTES:
            self._flush()

    def finish(self, **facts: Any) -> SliceRecord:
        """Write what is left, then the manifest; `facts` are the other fields of `SliceRecord`."""
        self._flush()
        files = [file for number, part in enumerate(self._parts) for file in self._without_superseded(number, part)]
        record = SliceRecord(slice_id=self.slice_id, scope_id=self.scope_id, files=tuple(files), **facts)
        self.spool.seal(record)
        return record

    def _flush(self) -> None:
        if not self._rows:
            self._batches.clear()
            return
        table = pa.Table.from_batches(self._batches, self.spool.schema)
        self._batches, self._bytes, self._rows = [], 0, 0
        if self.spool.layout.key:
            table = self._last_of_each_key(table)
        for day, rows in self._by_day(table):
            number = len(self._parts)
            self._parts.append(self.spool.write(rows, self._path(day), day))
            if self.spool.layout.key:
                self._remember(keys_of(rows, self.spool.layout.key), number)

    def _path(self, day: dt.date | None) -> str:
        self._number += 1
        return staged_path(self.spool.epoch, f"{self.slice_id}-{self.spool.nonce}-{self._number:04d}", day)

    def _last_of_each_key(self, table: pa.Table) -> pa.Table:
        keys = keys_of(table, self.spool.layout.key)
        last = {key if key is not None else row: row for row, key in enumerate(keys)}
        return table if len(last) == table.num_rows else table.take(pa.array(sorted(last.values())))

    def _remember(self, keys: Sequence[bytes | None], number: int) -> None:
        """Of a key that an earlier part holds, the earlier row is superseded."""
        for key in keys:
            if key is None:
                continue
            earlier = self._part_of.get(key)
            if earlier is not None:
                self._superseded.setdefault(earlier, set()).add(key)
            self._part_of[key] = number

    def _without_superseded(self, number: int, part: SpoolFile) -> list[SpoolFile]:
        doubled = self._superseded.get(number)
        if not doubled:
            return [part]
        table = self.spool.read(part.path)
        keep = [key not in doubled for key in keys_of(table, self.spool.layout.key)]
        kept = table.filter(pa.array(keep))
        return [self.spool.write(kept, self._path(part.day), part.day)] if kept.num_rows else []

    def _by_day(self, table: pa.Table) -> list[tuple[dt.date | None, pa.Table]]:
        column = self.spool.layout.day_column
        if column is None:
            return [(None, table)]
        if table[column].null_count:
            raise KeyViolated(
                f"{table[column].null_count} rows have no {column}, and so no day to lie in.",
                remedy="Choose another update method: only Partition needs the day.",
                column=column,
            )
        days = days_of(table[column], self.spool.layout.timezone)
        return [(day.as_py(), table.filter(pc.equal(days, day))) for day in pc.unique(days)]


@contextlib.contextmanager
def _disk_errors(root: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise disk_error(error, root) from error


def _give_back() -> None:
    """Return what Arrow's allocator keeps for itself to the system; left alone, it holds every part's peak."""
    pa.default_memory_pool().release_unused()


def days_of(times: pa.ChunkedArray, timezone: str) -> pa.ChunkedArray:
    """The calendar day of each time in that zone."""
    local = pc.local_timestamp(times.cast(pa.timestamp("us", tz=timezone)))
    return local.cast(pa.date32(), safe=False)


def keys_of(table: pa.Table, key: Sequence[str]) -> list[bytes | None]:
    """One digest per row that is equal where the key's columns are equal; None where one of them is null."""
    columns = [table[name].to_pylist() for name in key]
    return [None if None in values else _digest(values) for values in zip(*columns, strict=True)]


def _digest(values: tuple[Any, ...]) -> bytes:
    text = "\x1f".join(map(repr, values))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
