"""A table in memory: what `destinations.model.Table` promises, in plain Python."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from sentry_connector.destinations.delta_files import Folder
from sentry_connector.destinations.model import (
    DAY,
    NO_WATERMARK,
    Commit,
    Committed,
    Days,
    Forgotten,
    StagedFile,
    UpdateMethod,
)
from sentry_connector.destinations.query import Snapshot
from sentry_connector.errors import KeyViolated, TableChanged

Row = dict[str, Any]
Key = tuple[Any, ...]
_EPOCH_OF_FILE = re.compile(r"(?:_day=[^/]+/)?e(\d{8,})[/-][^/]+\.parquet|_spool/(\d{8,})/[^/]+")


@dataclass(frozen=True, kw_only=True)
class State:
    """One version of the table."""

    rows: tuple[Row, ...] = ()
    epoch: int = 0
    watermarks: Mapping[str, int] = field(default_factory=dict)
    done: Mapping[int, Committed] = field(default_factory=dict)
    runs: Mapping[str, int] = field(default_factory=dict)
    version: int = -1
    schema: pa.Schema | None = None


@dataclass(frozen=True)
class Place:
    """What a run asks of a table's log: where its files lie."""

    folder: Folder


@dataclass
class MemoryTable:
    """One DataSet's table. Staged files lie on the disk below `root`; a commit takes their rows."""

    root: str
    filesystem: pafs.FileSystem = field(default_factory=pafs.LocalFileSystem)
    state: State = field(default_factory=State)

    def exists(self) -> bool:
        return self.state.version >= 0

    def location(self) -> tuple[pafs.FileSystem, str]:
        return self.filesystem, self.root

    def epoch(self) -> int:
        return self.state.epoch

    def highest_epoch(self) -> int:
        return max([self.epoch(), *(epoch for epoch, _ in self._staged())])

    def watermarks(self) -> dict[str, int]:
        return {scope: mark for scope, mark in self.state.watermarks.items() if mark != NO_WATERMARK}

    def epoch_of(self, run_id: str) -> int | None:
        return self.state.runs.get(run_id)

    def committed(self, epoch: int) -> Committed | None:
        done = self.state.done.get(epoch)
        return None if done is None else replace(done, repeated=True)

    def commit(self, commit: Commit) -> Committed:
        state = self.state
        if state.epoch > commit.epoch:
            raise TableChanged(f"Epoch {commit.epoch} was overtaken: the table has epoch {state.epoch}.")
        done = self.committed(commit.epoch)
        if done is not None:
            return done
        staged = list(itertools.chain.from_iterable(self._rows_of(file, commit) for file in commit.files))
        if commit.key:
            _check_key(staged, commit.key)
        rows, counts = _METHODS[commit.method](commit, staged, state.rows)
        committed = replace(counts, version=state.version + 1, findings=commit.findings)
        self.state = State(
            rows=tuple(rows),
            epoch=commit.epoch,
            watermarks={**state.watermarks, **commit.watermarks},
            done={**state.done, commit.epoch: committed},
            runs={**state.runs, commit.run_id: commit.epoch},
            version=committed.version,
            schema=commit.schema,
        )
        return committed

    @property
    def log(self) -> Place:
        return Place(Folder(filesystem=self.filesystem, root=self.root, address=self.root))

    def schema(self) -> pa.Schema | None:
        return self.state.schema

    def rows(self) -> int:
        return len(self.state.rows)

    def version(self) -> int | None:
        return self.state.version if self.exists() else None

    def snapshot(self) -> Snapshot | None:
        """The rows in a file, for a query."""
        state = self.state
        if state.schema is None:
            return None
        path = Path(self.root, f"version-{state.version}.parquet")
        if not path.exists():
            pq.write_table(pa.Table.from_pylist(list(state.rows), schema=state.schema), path)
        return Snapshot(files=(str(path),), schema=state.schema)

    def count_outside(self, column: str, start: dt.datetime, end: dt.datetime) -> int:
        times = [row[column] for row in self.state.rows if row[column] is not None]
        return sum(not start <= time < end for time in times)

    def mend(self) -> None:
        """Nothing of it can be torn."""

    def sweep(self, epoch_now: int) -> None:
        """Rows were taken at the commit, so that no staged file of an earlier run is needed."""
        for epoch, path in self._staged():
            if epoch < epoch_now:
                path.unlink()

    def _staged(self) -> list[tuple[int, Path]]:
        root = Path(self.root)
        found = [(_EPOCH_OF_FILE.fullmatch(str(path.relative_to(root))), path) for path in root.rglob("*")]
        return [(int(match[1] or match[2]), path) for match, path in found if match and path.is_file()]

    def maintain(self, *, now: dt.datetime, keep_versions: int = 10) -> None:
        self.sweep(self.state.epoch + 1)

    def _rows_of(self, file: StagedFile, commit: Commit) -> Iterable[Row]:
        path = f"{self.root}/{file.path}"
        rows = pq.read_table(path, filesystem=self.filesystem, partitioning=None, use_threads=False).to_pylist()
        days = {DAY: file.day} if commit.method is UpdateMethod.PARTITION else {}
        return [row | days for row in rows]


def _key_of(row: Mapping[str, Any], key: Sequence[str]) -> Key:
    return tuple(row[name] for name in key)


def _check_key(rows: Sequence[Row], key: Sequence[str]) -> None:
    keys = [_key_of(row, key) for row in rows]
    if any(None in one for one in keys):
        raise KeyViolated("A key column is null.")
    if len(set(keys)) < len(keys):
        raise KeyViolated("A key is in the run's rows more than once.", key=list(key))


def _counts(**rows: int) -> Committed:
    """What was done; the version is not known yet."""
    return Committed(version=-1, **rows)  # type: ignore[arg-type]  # one of its fields is no number


def _replace(commit: Commit, staged: list[Row], stored: Sequence[Row]) -> tuple[list[Row], Committed]:
    if not staged and commit.keep_when_empty:
        return list(stored), _counts()
    read = {_key_of(row, commit.key) for row in staged}
    kept = [
        row
        for row in stored
        if any(_is_forgotten(row, one) for one in commit.forgotten) and _key_of(row, commit.key) not in read
    ]
    return [*staged, *kept], _counts(written=len(staged), deleted=len(stored) - len(kept))


def _is_forgotten(row: Row, one: Forgotten) -> bool:
    time = row[one.column]
    return _bears(row, one.marks) and time is not None and time < one.before and (not one.since or time >= one.since)


def _bears(row: Row, mark: Mapping[str, str]) -> bool:
    return all(str(row[name]) == value for name, value in mark.items())


def _append(commit: Commit, staged: list[Row], stored: Sequence[Row]) -> tuple[list[Row], Committed]:
    known = {_key_of(row, commit.key) for row in stored} if commit.skip_stored else set()
    new = [row for row in staged if not commit.skip_stored or _key_of(row, commit.key) not in known]
    return [*stored, *new], _counts(written=len(new))


def _upsert(commit: Commit, staged: list[Row], stored: Sequence[Row]) -> tuple[list[Row], Committed]:
    group = commit.replace_together or commit.key
    names = _compared(commit)
    incoming = {_key_of(row, commit.key): row for row in staged}
    groups = {_key_of(row, group) for row in staged}
    before = {_key_of(row, commit.key): row for row in stored}
    changed = {
        key
        for key, row in incoming.items()
        if key in before and any(row[name] != before[key].get(name) for name in names)
    }
    gone = [key for key, row in before.items() if key not in incoming and _key_of(row, group) in groups]
    new = [row for key, row in incoming.items() if key not in before]
    kept = [incoming[key] if key in changed else row for key, row in before.items() if key not in set(gone)]
    return [*kept, *new], _counts(written=len(new), updated=len(changed), deleted=len(gone))


def _partition(commit: Commit, staged: list[Row], stored: Sequence[Row]) -> tuple[list[Row], Committed]:
    days, names = commit.days or Days(), [*commit.key, *_compared(commit)]

    def is_read_again(row: Row) -> bool:
        marked = commit.read is None or any(_bears(row, mark) for mark in commit.read)
        return row[DAY] in days.whole and marked

    def contents(rows: Iterable[Row], day: dt.date) -> Counter[str]:
        return Counter(repr([row.get(name) for name in names]) for row in rows if row[DAY] == day)

    old = [row for row in stored if is_read_again(row)]
    same = {day for day in {row[DAY] for row in old} if contents(old, day) == contents(staged, day)}
    known = {_key_of(row, commit.key) for row in stored}
    kept = [row for row in stored if (not is_read_again(row) or row[DAY] in same) and not days.drops(row[DAY])]
    new = [
        row
        for row in staged
        if row[DAY] not in same
        and not days.drops(row[DAY])
        and (row[DAY] in days.whole or _key_of(row, commit.key) not in known)
    ]
    return [*kept, *new], _counts(written=len(new), deleted=len(stored) - len(kept))


def _compared(commit: Commit) -> list[str]:
    everything = [name for name in commit.schema.names if name not in commit.key and not name.startswith("_")]
    return list(commit.compared) or everything


_METHODS = {
    UpdateMethod.REPLACE: _replace,
    UpdateMethod.APPEND: _append,
    UpdateMethod.UPSERT: _upsert,
    UpdateMethod.PARTITION: _partition,
}
