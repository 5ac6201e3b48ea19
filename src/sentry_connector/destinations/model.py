"""What a table is, wherever it lies: update methods with their promises, the one atomic commit, versions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # a definition needs the update methods and no rows
    import pyarrow as pa
    import pyarrow.fs as pafs

    from sentry_connector.destinations.query import Source

RUN_ID = "_run_id"
EXTRACTED_AT = "_extracted_at"
EXTRA = "_extra"
DAY = "_day"

DELETE_UPDATE = "delete-update"
"""The operation of a version from which the rows of one run were taken out."""

NO_WATERMARK = -1
"""A watermark in a commit that takes the scope's watermark back."""


class UpdateMethod(StrEnum):
    """How a run's rows change the table."""

    REPLACE = "replace"  # the table holds exactly the run's rows
    APPEND = "append"  # the run's rows are added
    UPSERT = "upsert"  # by key: a changed row is replaced whole, a new one added, rows not returned stay
    PARTITION = "partition"  # days that were read whole are replaced whole


@dataclass(frozen=True, kw_only=True, slots=True)
class StagedFile:
    """A Parquet file that lies in the table's folder and is not part of the table until a commit names it.

    Attributes:
        path: relative to the table's root.
        rows: number of rows.
        bytes: size of the file.
        day: for a partitioned table, the one day that all its rows belong to.
    """

    path: str
    rows: int
    bytes: int
    day: dt.date | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Days:
    """Which days a Partition commit touches, all in the DataSet's zone.

    Attributes:
        whole: days that were read whole: what the table holds of them is replaced.
        gaining: days near the edge of Sentry's retention: they only gain rows (by key).
        drop_before: days before this one are dropped (`--keep-days`); None keeps all.
    """

    whole: frozenset[dt.date] = frozenset()
    gaining: frozenset[dt.date] = frozenset()
    drop_before: dt.date | None = None

    def touches(self, day: dt.date | None) -> bool:
        """Whether rows of that day may be added; those without a day always."""
        return day is None or day in self.whole or day in self.gaining

    def drops(self, day: dt.date | None) -> bool:
        """Whether rows of that day are too old to be kept."""
        return self.drop_before is not None and day is not None and day < self.drop_before


@dataclass(frozen=True, kw_only=True, slots=True)
class Forgotten:
    """Rows that Sentry may keep no more: those that bear all values of `marks` and whose time lies in a span.

    Attributes:
        marks: column → value.
        column: the time column.
        since, before: the span, half-open, UTC; a `since` of None is the beginning.
    """

    marks: Mapping[str, str]
    column: str
    since: dt.datetime | None
    before: dt.datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Some rows of a table: those that bear all values of `marks`, with a time in [start, end).

    Attributes:
        marks: column → value.
        time: the time column.
        start, end: UTC; None = no bound.
    """

    marks: Mapping[str, str]
    time: str
    start: dt.datetime | None = None
    end: dt.datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Commit:
    """Everything that one run changes in a table, in one step or not at all.

    Attributes:
        epoch: the run's integer; a table takes each epoch once and never a lower one after a higher.
        run_id: the run's name.
        method: how the rows change the table.
        files: the staged rows.
        schema: the report's Arrow schema, with `_run_id`, `_extracted_at`, `_extra` (and `_day`); columns that the table
            lacks are added, columns that it has beyond it stay.
        key: columns that tell rows apart; empty only for append.
        replace_together: key columns whose rows are replaced as a group (Upsert).
        compared: columns whose change counts as a change of the row (Upsert writes only changed rows); empty: all but the
            key and the system columns.
        immutable_time: a time column that never changes for a key: files whose times lie elsewhere are not looked into.
        watermarks: scope id → end of the committed window in microseconds since 1970, UTC.
        days: for Partition.
        read: for Partition, values of columns that mark the rows of the scopes which were read whole: only these are replaced;
            None replaces all rows of the days.
        forgotten: rows that Replace keeps where the run did not read them, since nobody else has them any more.
        skip_stored: Append leaves out rows whose key the table already holds.
        keep_when_empty: Replace with no rows leaves the table as it is.
        findings: what reading found, as text that means nothing to the table; it is kept with the commit as long as the
            version's place in the table's history is.
    """

    epoch: int
    run_id: str
    method: UpdateMethod
    files: Sequence[StagedFile]
    schema: pa.Schema
    key: tuple[str, ...] = ()
    replace_together: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()
    immutable_time: str | None = None
    watermarks: Mapping[str, int] = field(default_factory=dict)
    days: Days | None = None
    read: Sequence[Mapping[str, str]] | None = None
    forgotten: Sequence[Forgotten] = ()
    skip_stored: bool = False
    keep_when_empty: bool = False
    findings: str | None = None

    @property
    def compared_columns(self) -> list[str]:
        """Whose change is a change of the row: without a choice every column of the report; those with `_` are about the run."""
        everything = [name for name in self.schema.names if name not in self.key and not name.startswith("_")]
        return list(self.compared) or everything


@dataclass(frozen=True, kw_only=True, slots=True)
class Committed:
    """What a commit did. `version` is the table's version after it; the counts are rows.

    `findings` are the commit's; None where the table's history does not have them (any more).
    """

    version: int
    written: int = 0
    updated: int = 0
    deleted: int = 0
    repeated: bool = False  # the table had this epoch already: nothing was done again
    findings: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """One state of a table that can be looked at and reverted to. `at` is UTC."""

    version: int
    at: dt.datetime
    operation: str  # the update method, `revert`, `delete-update`, `compact`
    run_id: str | None
    rows: int | None
    bytes: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Whereabouts:
    """Where other programs find a table.

    Attributes:
        address: a folder or an object store's address of a Delta table; that of a database, without anything secret.
        name: the table's name in the database; None for a Delta table.
    """

    address: str
    name: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Remains:
    """What stays behind of a table that nobody drops.

    Attributes:
        address, name: as those of `Whereabouts`, as far as they are known without asking.
        statements: what is run in the database to be rid of it there.
    """

    address: str
    name: str | None = None
    statements: tuple[str, ...] = ()


class Table(Protocol):
    """One DataSet's table. Everything that changes it is atomic; readers see the version before or the version after.

    It remembers nothing: every call looks at what is stored. Every call may raise `DestinationRefused`, and where the table lies
    in a database `DestinationUnavailable`.
    """

    @property
    def keeps_versions(self) -> bool:
        """Whether earlier versions can be looked at and reverted to."""

    def exists(self) -> bool:
        """Whether anything was ever committed."""

    def whereabouts(self) -> Whereabouts:
        """Where other programs find it."""

    def remains(self) -> Remains:
        """What stays behind where nobody drops it. Nothing is asked, so that it is told of a place that is gone, too."""

    def location(self) -> tuple[pafs.FileSystem, str]:
        """The file system and the folder in it that staged files' paths are relative to."""

    def epoch(self) -> int:
        """The highest epoch that was committed; 0 for none."""

    def highest_epoch(self) -> int:
        """The highest epoch that was committed or staged for; 0 for none. What is staged belongs to the run that staged it."""

    def watermarks(self) -> dict[str, int]:
        """Scope id → end of its last committed window, in microseconds since 1970 UTC, for the scopes that have one."""

    def epoch_of(self, run_id: str) -> int | None:
        """The epoch by which a run committed; None where the table knows of none."""

    def committed(self, epoch: int) -> Committed | None:
        """What the commit of that epoch did; None where the table has not taken it."""

    def commit(self, commit: Commit) -> Committed:
        """Do all of it in one step, once.

        Raises:
            KeyViolated: a key column is null, or a key is doubled within the staged rows.
            TableChanged: another writer came between; the table is as it was.
            DiskFull, DestinationRefused: it could not be written; the table is as it was.
        """

    def version(self) -> int | None:
        """The number of the newest version that can be reverted to; None where nothing was committed."""

    def versions(self) -> list[Version]:
        """The versions that can be reverted to, newest first."""

    def revert(self, version: int, *, epoch: int) -> Committed:
        """Make the table what it was at `version`, watermarks too, in one commit; itself a new version.

        Raises:
            UnknownName: there is no such version.
            UsageError: the destination keeps no versions.
        """

    def delete_run(self, run_id: str, *, epoch: int) -> Committed:
        """Delete the rows that a run wrote, in one commit; watermarks stay.

        Raises:
            UnknownName: the table holds no row of that run.
            TableChanged: another writer came between; the table is as it was.
            DiskFull, DestinationRefused: it could not be written; the table is as it was.
        """

    def mend(self) -> None:
        """Put in order what must be before a run, or refuse what no run could commit to. To be called under the lease."""

    def maintain(self, *, now: dt.datetime, keep_versions: int = 10) -> None:
        """Keep the table fast and small after a commit. To be called under the lease. No row changes."""

    def sweep(self, epoch_now: int) -> None:
        """Delete what runs before `epoch_now` staged and never committed. To be called under the lease."""

    def drop(self) -> None:
        """Delete the table and everything that is staged for it; nothing happens where there is none."""

    def rows(self) -> int:
        """Rows of the newest version."""

    def file_count(self) -> int | None:
        """Files of the newest version; None where rows lie in no files of the connector's."""

    def size(self) -> int | None:
        """Bytes of the newest version; None where nobody can tell."""

    def schema(self) -> pa.Schema | None:
        """The table's columns; None where nothing was committed."""

    def snapshot(self, version: int | None = None) -> Source | None:
        """A version's rows, for reading; without a number, the newest. None where nothing was committed.

        Raises:
            UnknownName: there is no such version.
        """

    def count_outside(self, column: str, start: dt.datetime, end: dt.datetime) -> int:
        """Rows whose time in that column lies outside [start, end); a row without a time is not counted."""
