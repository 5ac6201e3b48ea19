"""DataSets as Delta tables: every change is one commit of the log, which carries the rows, the epoch and the watermarks."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.fs as pafs
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from sentry_connector.destinations import delta_maintenance, delta_torn, staged
from sentry_connector.destinations.columns import missing_columns
from sentry_connector.destinations.delta_commits import (
    Log,
    Note,
    arrow_schema,
    byte_count,
    row_count,
)
from sentry_connector.destinations.delta_errors import destination_errors
from sentry_connector.destinations.delta_files import DataFile, files_of
from sentry_connector.destinations.delta_merge import Change, change_of, without_run
from sentry_connector.destinations.model import (
    DELETE_UPDATE,
    NO_WATERMARK,
    Commit,
    Committed,
    Remains,
    UpdateMethod,
    Version,
    Whereabouts,
)
from sentry_connector.destinations.query import Snapshot
from sentry_connector.destinations.refusals import no_update, overtaken, refuse_other_types, wrong_partitions
from sentry_connector.errors import TableChanged, UnknownName

ATTEMPTS = 5
"""How often a commit looks at a table that others change meanwhile."""

REVERT = "revert"


@dataclass(frozen=True, slots=True)
class DeltaDestination:
    """A place where Delta tables lie, one folder per DataSet.

    Attributes:
        root: a folder, or an s3://, gs:// or az:// address.
        storage_options: delta-rs's options for that store. They may hold secrets and are never shown.
        clock: unix time in seconds, for the times of files in the log.
        look: called before a table is looked for; it raises where the place is not what it was.
        ready: called before a table is written to; it raises where the place cannot be relied on.
    """

    root: str
    storage_options: Mapping[str, str] | None = field(default=None, kw_only=True, repr=False)
    clock: Callable[[], float] = field(default=time.time, kw_only=True, repr=False)
    look: Callable[[], None] = field(default=lambda: None, kw_only=True, repr=False)
    ready: Callable[[], None] = field(default=lambda: None, kw_only=True, repr=False)

    def table(self, dataset_id: str) -> Delta:
        """The table of a DataSet, whether or not anything was committed to it."""
        self.look()
        uri = f"{self.root.rstrip('/')}/{dataset_id}"
        log = Log(dataset_id=dataset_id, uri=uri, storage_options=self.storage_options, clock=self.clock)
        return Delta(log, ready=self.ready)


@dataclass(frozen=True, slots=True)
class Delta:
    """One DataSet's Delta table; `model.Table` says what it promises. It remembers nothing: every call looks at the log."""

    log: Log
    ready: Callable[[], None] = field(default=lambda: None, kw_only=True, repr=False)

    @property
    def keeps_versions(self) -> bool:
        """The log does."""
        return True

    def exists(self) -> bool:
        """Whether anything was ever committed."""
        return self.log.open() is not None

    def whereabouts(self) -> Whereabouts:
        """Its folder, which holds the log beside the rows."""
        return Whereabouts(address=self.log.uri)

    def remains(self) -> Remains:
        """Its folder."""
        return Remains(address=self.log.uri)

    def location(self) -> tuple[pafs.FileSystem, str]:
        """The file system and the folder in it that staged files' paths are relative to."""
        folder = self.log.folder
        return folder.filesystem, folder.root

    def epoch(self) -> int:
        """The highest epoch that was committed; 0 for none."""
        return self.log.epoch(self.log.open())

    def highest_epoch(self) -> int:
        """The highest epoch that was committed, or that anything is staged for; 0 for none.

        A store that was restored to before a run began may not know of it: no other run must go on with what it staged.
        """
        return max(self.epoch(), staged.highest_epoch(self.log.folder))

    def watermarks(self) -> dict[str, int]:
        """Scope id → end of its last committed window, in microseconds since 1970 UTC, for the scopes that have one."""
        table = self.log.open()
        found = {} if table is None else self.log.watermarks(table.version())
        return {scope: mark for scope, mark in found.items() if mark != NO_WATERMARK}

    def epoch_of(self, run_id: str) -> int | None:
        """The epoch by which a run committed; None where the log has no entry of it (any more)."""
        table = self.log.open()
        notes = () if table is None else self.log.notes(table.version())
        return next((note.epoch for note, _, _ in notes if note.run_id == run_id and note.epoch is not None), None)

    def committed(self, epoch: int) -> Committed | None:
        """What the commit of that epoch did (`repeated` is true); None where the table has not taken it."""
        table = self.log.open()
        return None if table is None else self.log.committed(table, epoch)

    def commit(self, commit: Commit) -> Committed:
        """Do all of it in one step, once.

        Raises:
            KeyViolated: a key column is null, or a key is doubled within the staged rows.
            TableChanged: another writer came between, or a later epoch is in the table.
            DiskFull: no space is left.
            DestinationRefused: it could not be written, a column changed its type, or the table is partitioned for another
                update method.
            ValueError: a staged day is none that the commit touches.
        """
        for _ in range(ATTEMPTS):
            table = self.log.open()
            done = self._done(table, commit.epoch)
            if done is not None:
                return done
            try:
                if table is None or not self._grow(table, commit.schema):
                    return self._attempt(table, commit)
            except CommitFailedError:
                continue
        raise TableChanged(f"Others changed {self.log.uri} {ATTEMPTS} times while this run wanted to commit.")

    def version(self) -> int | None:
        """The number of the newest version that can be reverted to; the log alone is looked at, and no further back than that."""
        table = self.log.open()
        if table is None:
            return None
        return next((version for note, version, _ in self.log.notes(table.version()) if note.changed), None)

    def versions(self) -> list[Version]:
        """The versions that can be reverted to, newest first: those that changed rows and are still whole."""
        table = self.log.open()
        return [] if table is None else list(self.log.versions(table))

    def revert(self, version: int, *, epoch: int) -> Committed:
        """Make the table what it was at `version`, watermarks too, in one commit; itself a new version.

        Columns that were added since stay and are null.

        Raises:
            UnknownName: there is no such version.
            TableChanged: another writer came between, or a later epoch is in the table.
            DiskFull, DestinationRefused: it could not be written.
        """
        self.mend()
        table = self.log.open()
        done = self._done(table, epoch)
        if done is not None:
            return done
        offered = [one.version for one in self.log.versions(table)] if table is not None else []
        old = self.log.at(version) if version in offered else None
        if table is None or old is None:
            raise UnknownName("version", str(version), map(str, offered))
        change = _difference(old=files_of(old), new=files_of(table))
        watermarks = dict.fromkeys(self.log.watermarks(table.version()), NO_WATERMARK) | self.log.watermarks(version)
        note = Note.of(change, files_of(table), operation=REVERT, epoch=epoch, changed=True)
        with self._undisturbed():
            return self.log.write(table, change, note, watermarks=watermarks)

    def delete_run(self, run_id: str, *, epoch: int) -> Committed:
        """Delete the rows that a run wrote, in one commit; watermarks stay.

        Raises:
            UnknownName: the table holds no row of that run.
            TableChanged: another writer came between, or a later epoch is in the table.
            DiskFull, DestinationRefused: it could not be written.
        """
        self.mend()
        table = self.log.open()
        done = self._done(table, epoch)
        if done is not None:
            return done
        if table is None:
            raise no_update(run_id)
        stored, folder = files_of(table), self.log.folder
        with destination_errors(folder.root, needed=byte_count(stored)):
            change = without_run(run_id, stored, folder, epoch=epoch, schema=arrow_schema(table))
        if not change.remove:
            raise no_update(run_id)
        note = Note.of(change, stored, operation=DELETE_UPDATE, epoch=epoch, changed=True)
        with self._undisturbed():
            return self.log.write(table, change, note)

    def maintain(
        self, *, now: dt.datetime, keep_versions: int = 10, target_bytes: int = delta_maintenance.TARGET_BYTES
    ) -> None:
        """Merge small files, delete the files and log entries that no kept version needs. To be called under the lease.

        Epoch and watermarks stay. Kept are the last `keep_versions` versions, and all of the last hour.

        Args:
            now: the present.
            keep_versions: how many versions can be reverted to.
            target_bytes: the size that small files are merged to.

        Raises:
            TableChanged: another writer came between.
            DiskFull, DestinationRefused: it could not be done; the rows are as they were.
        """
        table = self.log.open()
        if table is None:
            return
        folder = self.log.folder
        with self._undisturbed(), destination_errors(folder.address, needed=target_bytes):
            table = delta_maintenance.compacted(self.log, table, target_bytes)
            kept = delta_maintenance.kept(self.log.states(table), now=now, count=keep_versions)
            delta_maintenance.delete_unneeded(self.log, table, kept)
            delta_maintenance.trim_log(self.log, table, kept)

    def mend(self) -> None:
        """Put aside what a loss of power cut short at the end of the log. To be called under the lease.

        Raises:
            DestinationRefused: the disk refuses, or the storage cannot be relied on.
            DestinationUnavailable: a store of objects does not answer.
        """
        self.ready()
        with destination_errors(self.log.folder.address, needed=0):
            delta_torn.mend(self.log.folder)

    def sweep(self, epoch_now: int) -> None:
        """Delete what runs before `epoch_now` staged and never committed. To be called under the lease.

        What the last commit and those before it left is for `maintain` to delete.

        Raises:
            DestinationRefused: files could not be deleted.
        """
        table = self.log.open()
        with destination_errors(self.log.folder.address, needed=0):
            delta_maintenance.delete_abandoned(self.log, table, before=epoch_now)

    def drop(self) -> None:
        """Delete the table and everything that is staged for it; nothing happens where there is none.

        Raises:
            DestinationRefused: files could not be deleted.
        """
        folder = self.log.folder
        with destination_errors(folder.address, needed=0):
            if folder.filesystem.get_file_info(folder.root).type is pafs.FileType.Directory:
                folder.filesystem.delete_dir(folder.root)

    def rows(self) -> int:
        """Rows of the newest version."""
        return row_count(self._files())

    def file_count(self) -> int:
        """Files of the newest version."""
        return len(self._files())

    def size(self) -> int:
        """Bytes of the newest version's files; the older versions take more."""
        return byte_count(self._files())

    def schema(self) -> pa.Schema | None:
        """The table's columns; None where nothing was committed."""
        table = self.log.open()
        return None if table is None else arrow_schema(table)

    def files(self, version: int | None = None) -> list[str]:
        """Where the files lie that hold a version's rows; without a number, the newest's.

        Raises:
            UnknownName: there is no such version.
        """
        snapshot = self.snapshot(version)
        return [] if snapshot is None else list(snapshot.files)

    def snapshot(self, version: int | None = None) -> Snapshot | None:
        """A version for `query`; without a number, the newest. None where nothing was committed.

        Raises:
            UnknownName: there is no such version.
        """
        table = self.log.open() if version is None else self.log.at(version)
        if table is None and version is not None:
            raise UnknownName("version", str(version), (str(one.version) for one in self.versions()))
        if table is None:
            return None
        folder = self.log.folder
        return Snapshot(
            files=tuple(folder.absolute(file.path) for file in files_of(table)),
            schema=arrow_schema(table),
            filesystem=None if folder.is_local else folder.filesystem,
        )

    def count_outside(self, column: str, start: dt.datetime, end: dt.datetime) -> int:
        """Rows whose time in that column lies outside [start, end); a row without a time is not counted."""
        snapshot = self.snapshot()
        if snapshot is None or column not in snapshot.schema.names:
            return 0
        outside = (pc.field(column) < start) | (pc.field(column) >= end)
        dataset = pads.dataset(list(snapshot.files), schema=snapshot.schema, filesystem=self.log.folder.filesystem)
        return int(dataset.count_rows(filter=outside))

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """Say in our words that another writer was first, where looking again is for the caller to decide."""
        try:
            yield
        except CommitFailedError as error:
            raise TableChanged(f"Another writer changed {self.log.uri} meanwhile.") from error

    def _files(self) -> list[DataFile]:
        table = self.log.open()
        return [] if table is None else files_of(table)

    def _done(self, table: DeltaTable | None, epoch: int) -> Committed | None:
        """What this epoch did already; None where it is to be done."""
        there = self.log.epoch(table)
        if there > epoch:
            raise overtaken(epoch, there)
        return self.log.committed(table, epoch) if table is not None and there == epoch else None

    def _grow(self, table: DeltaTable, schema: pa.Schema) -> bool:
        """Add the columns that the table lacks; whether there were any, so that the handle is to be opened again."""
        there = arrow_schema(table)
        refuse_other_types(there, schema)
        missing = missing_columns(there, schema)
        if missing.names:
            self.log.add_columns(table, missing)
        return bool(missing.names)

    def _attempt(self, table: DeltaTable | None, commit: Commit) -> Committed:
        stored = [] if table is None else files_of(table)
        fits = table is None or _fits(table, commit.method)
        if stored and not fits and commit.method is not UpdateMethod.REPLACE:
            raise wrong_partitions(commit.method)
        folder = self.log.folder
        with destination_errors(folder.address, needed=byte_count(stored) + sum(file.bytes for file in commit.files)):
            change = change_of(commit, stored, folder)
        changed = table is None or bool(change.add or change.remove)
        note = Note.of(
            change,
            stored,
            operation=commit.method.value,
            epoch=commit.epoch,
            run_id=commit.run_id,
            changed=changed,
            findings=commit.findings,
        )
        if table is not None and (fits or not changed):
            return self.log.write(table, change, note, watermarks=commit.watermarks)
        return self.log.create(
            change,
            note,
            schema=commit.schema if table is None else arrow_schema(table),
            watermarks=commit.watermarks,
            partitioned=commit.method is UpdateMethod.PARTITION,
            replaced=table,
        )


def _fits(table: DeltaTable, method: UpdateMethod) -> bool:
    """Partition needs a table that is partitioned by day, the other methods one that is not."""
    return bool(table.metadata().partition_columns) == (method is UpdateMethod.PARTITION)


def _difference(*, old: Sequence[DataFile], new: Sequence[DataFile]) -> Change:
    """The change from the new list of files back to the old one."""
    old_paths, new_paths = {file.path for file in old}, {file.path for file in new}
    back = [file for file in old if file.path not in new_paths]
    away = [file for file in new if file.path not in old_paths]
    return Change(add=back, remove=away, written=row_count(back), deleted=row_count(away))
