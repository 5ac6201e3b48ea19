"""Parts: the rows of slices as Parquet files, where the table's files lie, each with what proves that it is whole."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import io
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from sentry_connector.errors import disk_error

BATCH_ROWS = 8192
"""Rows that are read back at a time."""


def staged_path(epoch: int, name: str, day: dt.date | None = None) -> str:
    """Where a staged file lies below the table's root; a partitioned table's files lie in their day's folder."""
    return f"e{epoch:08d}/{name}.parquet" if day is None else f"_day={day}/e{epoch:08d}-{name}.parquet"


class Segment(msgspec.Struct, frozen=True, array_like=True):
    """Rows of one slice that follow one another in a file. `void`: they do not count; the slice was read anew."""

    slice_id: str
    rows: int
    void: bool = False


class SpoolFile(msgspec.Struct, frozen=True, kw_only=True):
    """One Parquet file: its path below the table's root, what proves that it is whole, and whose rows are in it."""

    path: str
    rows: int
    bytes: int
    sha256: str
    day: dt.date | None = None
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How rows lie in files.

    Attributes:
        key: columns that tell the rows of a slice apart; of doubled rows one stays. Empty keeps all.
        first_stays: the one that was read first, and not the last. Where rows do not change this costs nothing; the last one
            makes a file that has the first one be written anew.
        day_column, timezone: where the table is partitioned by day: the time column, and the zone that days are counted in.
    """

    key: tuple[str, ...] = ()
    first_stays: bool = False
    day_column: str | None = None
    timezone: str = "UTC"


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """The files of one attempt at a run.

    Attributes:
        filesystem, root: the table's folder.
        epoch, attempt: whose they are; both stand in every file's name.
        schema: the columns.
    """

    filesystem: pafs.FileSystem
    root: str
    epoch: int
    attempt: str
    schema: pa.Schema

    def absolute(self, path: str) -> str:
        """The path of one of the table's files in the file system."""
        return f"{self.root}/{path}"

    def write(self, number: int, chunks: Sequence[tuple[str, pa.RecordBatch]], layout: Layout) -> list[SpoolFile]:
        """Write the part of that number, of slices' rows in turn: one file, or one for each day.

        Raises:
            DiskFull, DestinationRefused: it could not be written.
        """
        if not chunks:
            return []
        table = pa.Table.from_batches([batch for _, batch in chunks], self.schema)
        owners = [slice_id for slice_id, _ in chunks]
        column = layout.day_column
        if column is None:
            segments = _segments(owners, [batch.num_rows for _, batch in chunks])
            return [self._write(table, self._path(number, None), None, segments)]
        places = pa.array(
            itertools.chain.from_iterable([place] * batch.num_rows for place, (_, batch) in enumerate(chunks))
        )
        days = days_of(table[column], layout.timezone)
        files = []
        for day in pc.unique(days).to_pylist():
            mask = pc.equal(days, day)
            counts = pc.value_counts(places.filter(mask.combine_chunks()))
            here = {one["values"]: one["counts"] for one in counts.to_pylist()}
            segments = _segments([owners[place] for place in sorted(here)], [here[place] for place in sorted(here)])
            files.append(self._write(table.filter(mask), self._path(number, day), day, segments))
        return files

    def read(self, file: SpoolFile) -> pa.Table:
        """All rows of a file."""
        return pq.read_table(self.absolute(file.path), filesystem=self.filesystem, partitioning=None)

    def rewrite(self, file: SpoolFile, rows: pa.Table) -> SpoolFile:
        """Write a file anew, with some of its rows."""
        name = file.path.rpartition("/")[2].removesuffix(".parquet")
        path = f"{file.path.rpartition('/')[0]}/{name}-kept-by-{self.attempt}.parquet"
        return self._write(rows, path, file.day, ())

    def is_whole(self, file: SpoolFile) -> bool:
        """Whether the file has the size and the hash that it was written with."""
        absolute = self.absolute(file.path)
        info = self.filesystem.get_file_info(absolute)
        if info.type is not pafs.FileType.File or info.size != file.bytes:
            return False
        with self.filesystem.open_input_stream(absolute) as stream:
            return hashlib.file_digest(_Reader(stream), "sha256").hexdigest() == file.sha256

    def batches(self, files: Sequence[SpoolFile]) -> Iterator[pa.RecordBatch]:
        """The rows of files, a batch at a time.

        One thread reads: several decode all columns at once, each into buffers of its own (40 MiB more at the peak).
        """
        for file in files:
            with pq.ParquetFile(self.absolute(file.path), filesystem=self.filesystem) as parquet:
                yield from parquet.iter_batches(BATCH_ROWS, use_threads=False)
            _give_back()

    def _path(self, number: int, day: dt.date | None) -> str:
        return staged_path(self.epoch, f"{self.attempt}-{number:05d}", day)

    def _write(self, table: pa.Table, path: str, day: dt.date | None, segments: tuple[Segment, ...]) -> SpoolFile:
        """Write one file and say what proves it."""
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd", coerce_timestamps="us")
        content = sink.getvalue()
        absolute = self.absolute(path)
        with disk_errors(self.root):
            self.filesystem.create_dir(absolute.rpartition("/")[0], recursive=True)
            with self.filesystem.open_output_stream(absolute) as stream:
                stream.write(content)
        _give_back()
        digest = hashlib.sha256(content).hexdigest()
        return SpoolFile(path=path, rows=table.num_rows, bytes=content.size, sha256=digest, day=day, segments=segments)


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


@contextlib.contextmanager
def disk_errors(root: str) -> Iterator[None]:
    """Say in our words what a disk refuses."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, root) from error


def write_whole(filesystem: pafs.FileSystem, path: str, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, also where the process is killed meanwhile.

    A store of objects takes it so by itself; on a disk it gets its name when it is written.

    Raises:
        OSError: it could not be written.
    """
    is_local = isinstance(filesystem, pafs.LocalFileSystem)
    target = f"{path}.tmp" if is_local else path
    filesystem.create_dir(path.rpartition("/")[0], recursive=True)
    with filesystem.open_output_stream(target) as stream:
        stream.write(content)
    if is_local:
        filesystem.move(target, path)


def _give_back() -> None:
    """Return what Arrow's allocator keeps for itself to the system; left alone, it holds every part's peak."""
    pa.default_memory_pool().release_unused()


def _segments(owners: Sequence[str], rows: Sequence[int]) -> tuple[Segment, ...]:
    """Which rows of a file belong to which slice, in their order."""
    found: list[Segment] = []
    for slice_id, count in zip(owners, rows, strict=True):
        if found and found[-1].slice_id == slice_id:
            found[-1] = Segment(slice_id, found[-1].rows + count)
        else:
            found.append(Segment(slice_id, count))
    return tuple(found)


def days_of(times: pa.ChunkedArray, timezone: str) -> pa.ChunkedArray:
    """The calendar day of each time in that zone."""
    local = pc.local_timestamp(times.cast(pa.timestamp("us", tz=timezone)))
    return local.cast(pa.date32(), safe=False)
