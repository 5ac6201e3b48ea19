"""The data files of a Delta table: what is known of each, and the log's words for adding and removing it.

Statistics: https://github.com/delta-io/delta/blob/master/PROTOCOL.md#per-file-statistics
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.transaction import AddAction, RemoveAction

from sentry_connector.destinations.model import DAY
from sentry_connector.destinations.objects import Objects, holds_objects, name_in_store, open_store
from sentry_connector.errors import DestinationRefused

MOST_TEXT = 32
"""Characters of a text that goes into the statistics; a column with a longer bound is left out, never cut."""


_LATEST = dt.datetime.max.replace(microsecond=999_000, tzinfo=dt.UTC)
"""The last time that has a millisecond after it, or is one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """The least and the greatest value of a column in one file (None: not known) and its number of nulls."""

    least: Any = None
    greatest: Any = None
    nulls: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DataFile:
    """One Parquet file of a table.

    Attributes:
        path: relative to the table's root.
        rows, bytes: its size.
        day: the day of its rows in a partitioned table.
        bounds: column → what is known of its values; columns may be missing.
    """

    path: str
    rows: int
    bytes: int
    day: dt.date | None = None
    bounds: Mapping[str, Bounds] = field(default_factory=dict)

    def may_hold(self, ranges: Mapping[str, tuple[Any, Any]]) -> bool:
        """Whether a row can be in it whose columns all lie in these closed ranges; True where it is not known.

        A null may have been stored for any value: the row may have had none then.
        """
        return all(_overlaps(self.bounds.get(name), least, greatest) for name, (least, greatest) in ranges.items())

    def add(self, *, now_ms: int, data_change: bool = True) -> AddAction:
        """The log's action that makes the file part of the table."""
        return AddAction(self.path, self.bytes, self._partition(), now_ms, data_change, self.stats())

    def remove(self, *, now_ms: int, data_change: bool = True) -> RemoveAction:
        """The log's action that takes the file out of the table; the file stays for older versions."""
        return RemoveAction(self.path, data_change, now_ms, self.bytes, self._partition())

    def stats(self) -> str:
        """The statistics as the log's JSON."""
        known = self.bounds.items()
        return json.dumps(
            {
                "numRecords": self.rows,
                "minValues": {name: _floor(one.least) for name, one in known if one.least is not None},
                "maxValues": {name: _ceiling(one.greatest) for name, one in known if one.greatest is not None},
                "nullCount": {name: one.nulls for name, one in known if one.nulls is not None},
            },
            ensure_ascii=False,  # delta-rs reads some escaped pairs, such as those of U+20000, as other characters
        )

    def _partition(self) -> dict[str, str | None]:
        return {} if self.day is None else {DAY: self.day.isoformat()}


def _overlaps(bounds: Bounds | None, least: Any, greatest: Any) -> bool:
    if bounds is None or bounds.nulls:
        return True
    if bounds.least is None or bounds.greatest is None or least is None or greatest is None:
        return True
    return bool(bounds.least <= greatest and least <= bounds.greatest)


def _floor(value: Any) -> Any:
    """A lower bound as JSON; times have milliseconds there and are rounded down."""
    return _milliseconds(value) if isinstance(value, dt.datetime) else value


def _ceiling(value: Any) -> Any:
    """An upper bound as JSON; times are rounded up."""
    if not isinstance(value, dt.datetime):
        return value
    return _milliseconds(value + dt.timedelta(microseconds=-value.microsecond % 1000))


def _milliseconds(value: dt.datetime) -> str:
    return value.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def files_of(table: DeltaTable) -> list[DataFile]:
    """The files of the snapshot that the handle is at."""
    return [_of_action(action) for action in pa.table(table.get_add_actions(flatten=False)).to_pylist()]


def _of_action(action: Mapping[str, Any]) -> DataFile:
    least, greatest, nulls = (action.get(name) or {} for name in ("min", "max", "null_count"))
    bounds = {
        name: Bounds(least=least.get(name), greatest=greatest.get(name), nulls=count)
        for name, count in nulls.items()
        if count is not None
    }
    return DataFile(
        path=action["path"],
        rows=action["num_records"],
        bytes=action["size_bytes"],
        day=(action.get("partition") or {}).get(DAY),
        bounds=bounds,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """A table's folder, on a disk or in a store of objects.

    Attributes:
        filesystem: the disk, or the bucket.
        root: its path there, without a trailing slash.
        address: where it is, for people and for delta-rs.
    """

    filesystem: pafs.FileSystem
    root: str
    address: str

    @property
    def is_local(self) -> bool:
        """Whether its files can be opened by their paths."""
        return isinstance(self.filesystem, pafs.LocalFileSystem)

    def absolute(self, path: str) -> str:
        """The path of one of its files in the file system."""
        return f"{self.root}/{path}"

    def listing(self, below: str = "") -> dict[str, int]:
        """The path, relative to the root, and the size of every file below a folder of it."""
        start = self.absolute(below) if below else self.root
        selector = pafs.FileSelector(start, recursive=True, allow_not_found=True)
        return {
            info.path[len(self.root) + 1 :]: info.size
            for info in self.filesystem.get_file_info(selector)
            if info.type is pafs.FileType.File
        }

    def read(self, path: str) -> bytes:
        """The content of one file."""
        with self.filesystem.open_input_stream(self.absolute(path)) as stream:
            content: bytes = stream.read()
            return content

    def sync(self, paths: Iterable[str]) -> None:
        """Make sure that these files, and the names that lead to them, outlast a loss of power. An object store's always do.

        Raises:
            OSError: the disk refuses.
        """
        if not self.is_local:
            return
        files = [path for path in (Path(self.absolute(one)) for one in paths) if path.exists()]
        for one in files:
            _sync(one)
        above = {parent for path in files for parent in path.parents if parent.is_relative_to(Path(self.root).parent)}
        for folder in sorted(above, reverse=True):
            with suppress(PermissionError):  # Windows opens no folder
                _sync(folder)

    def delete(self, *paths: str) -> None:
        """Delete files; in a store of objects many by one request."""
        absolute = [self.absolute(path) for path in paths]
        if isinstance(self.filesystem, pafs.PyFileSystem) and isinstance(self.filesystem.handler, Objects):
            self.filesystem.handler.delete_all(absolute)
            return
        for one in absolute:
            self.filesystem.delete_file(one)

    def delete_emptied(self, paths: Iterable[str]) -> None:
        """Delete the folders that the deletion of these files left empty. Object stores have no folders."""
        if not self.is_local:
            return
        folders = {parent for path in paths for parent in PurePosixPath(path).parents[:-1]}
        for folder in sorted(folders, key=lambda one: len(one.parts), reverse=True):
            with suppress(OSError):  # what is not empty stays; the system looks and deletes in one step
                Path(self.root, folder).rmdir()

    def upload(self, source: str, path: str) -> None:
        """Copy a local file to where it belongs."""
        pafs.copy_files(source, self.absolute(path), destination_filesystem=self.filesystem)

    def download(self, path: str, target: Path) -> None:
        """Copy one of its files to this machine."""
        target.parent.mkdir(parents=True, exist_ok=True)
        pafs.copy_files(self.absolute(path), str(target), source_filesystem=self.filesystem)

    def described(
        self, path: str, *, columns: Collection[str], day: dt.date | None = None, size: int | None = None
    ) -> DataFile:
        """What the footer of a Parquet file tells.

        Args:
            path: relative to the root.
            columns: whose bounds are wanted.
            day: the partition that it belongs to.
            size: the bytes that it must have, where that is known.

        Raises:
            DestinationRefused: the file is not there, or not as large as it was.
        """
        info = self.filesystem.get_file_info(self.absolute(path))
        if info.type is not pafs.FileType.File or size not in {None, info.size}:
            raise DestinationRefused(f"The staged file {path!r} is not what was written.", remedy="Run again.")
        footer = pq.read_metadata(self.absolute(path), filesystem=self.filesystem)
        return DataFile(
            path=path, rows=footer.num_rows, bytes=info.size, day=day, bounds=_footer_bounds(footer, columns)
        )

    def columns(self, path: str) -> list[str]:
        """The names of a Parquet file's columns."""
        names: list[str] = pq.read_schema(self.absolute(path), filesystem=self.filesystem).names
        return names


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _footer_bounds(footer: pq.FileMetaData, wanted: Collection[str]) -> dict[str, Bounds]:
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    names = {name: number for number, name in enumerate(footer.schema.names) if name in wanted}
    bounds = {
        name: _merged([group.column(number).statistics for group in groups]) for name, number in names.items() if groups
    }
    return {name: known for name, known in bounds.items() if known is not None}


def _merged(found: Sequence[pq.Statistics | None]) -> Bounds | None:
    """The bounds over all row groups; None where one of them does not tell."""
    parts = [part for part in found if part is not None and part.has_null_count]
    if len(parts) < len(found):
        return None
    nulls = sum(part.null_count for part in parts)
    filled = [part for part in parts if part.num_values]
    if not all(part.has_min_max for part in filled):
        return Bounds(nulls=nulls)
    least = min((part.min for part in filled), default=None)
    greatest = max((part.max for part in filled), default=None)
    if not (_is_storable(least) and _is_storable(greatest)):
        return Bounds(nulls=nulls)
    return Bounds(least=least, greatest=greatest, nulls=nulls)


def _is_storable(value: Any) -> bool:
    """Whether a value can stand in the statistics: times with a zone that can be rounded up, integers, short texts."""
    if isinstance(value, str):
        return len(value) <= MOST_TEXT
    if isinstance(value, dt.datetime):
        return value.tzinfo is not None and value <= _LATEST
    return isinstance(value, int)


def bounded_columns(schema: pa.Schema, key: Collection[str]) -> set[str]:
    """The columns whose bounds help readers to skip files: the key, times and integers."""
    return {
        one.name
        for one in schema
        if one.name in key or pa.types.is_timestamp(one.type) or pa.types.is_integer(one.type)
    }


def open_folder(uri: str, options: Mapping[str, str] | None = None) -> Folder:
    """The folder of a path, or of an s3://, gs:// or az:// address.

    Args:
        uri: where it is.
        options: of the store, as `open_store` has them.
    """
    if holds_objects(uri):
        store = pafs.PyFileSystem(Objects(open_store(uri, options)))
        return Folder(filesystem=store, root=name_in_store(uri), address=uri.rstrip("/"))
    root = str(Path(uri).absolute())
    return Folder(filesystem=pafs.LocalFileSystem(), root=root, address=root)
