"""One Delta table's log: its snapshots, its transaction ids, and the commits that are written to it.

delta-rs accepts repeated and lower transaction ids on a fresh handle and refuses every commit on a stale one (with no retries of
its own), so a commit looks at the ids of the very handle that it commits on, and a handle is not used again after its commit.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Schema, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import create_table_with_add_actions

from sentry_connector.destinations import delta_log
from sentry_connector.destinations.columns import with_day
from sentry_connector.destinations.delta_errors import destination_errors
from sentry_connector.destinations.delta_files import DataFile, Folder, files_of, open_folder
from sentry_connector.destinations.delta_merge import Change
from sentry_connector.destinations.delta_torn import torn_entry
from sentry_connector.destinations.model import DAY, Committed, Version
from sentry_connector.destinations.objects import holds_objects, with_patience
from sentry_connector.errors import DestinationError

_CONFIGURATION = {"delta.enableExpiredLogCleanup": "false"}
"""The log is cleaned by maintenance, by versions and not by age."""

_HOOKS = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
"""Checkpoints are maintenance too: one that fails must not make a commit look failed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """What a commit's metadata says about it; the counts are rows, `rows` and `bytes` are the whole table's after it.

    Attributes:
        operation: the update method, `revert` or `compact`.
        changed: rows were changed, so that the version is one to go back to.
        findings: what the run's reading found; None where it is not the commit of a run.
        actions: how many files and ids the entry names, which tells a torn one from a whole one.
    """

    operation: str
    epoch: int | None = None
    run_id: str | None = None
    changed: bool = False
    written: int = 0
    updated: int = 0
    deleted: int = 0
    rows: int = 0
    bytes: int = 0
    findings: str | None = None
    actions: int | None = None

    @classmethod
    def of(cls, change: Change, stored: Sequence[DataFile], **about: Any) -> Note:
        """The note of a change to a table of these files."""
        away = {file.path for file in change.remove}
        after = [*change.add, *(file for file in stored if file.path not in away)]
        return cls(
            written=change.written,
            updated=change.updated,
            deleted=change.deleted,
            rows=row_count(after),
            bytes=byte_count(after),
            **about,
        )

    def metadata(self) -> dict[str, Any]:
        """The note as commit metadata."""
        return {delta_log.OURS: {name: getattr(self, name) for name in self.__slots__}}

    def committed(self, version: int, *, repeated: bool) -> Committed:
        """The note as the answer to who committed."""
        return Committed(
            version=version,
            written=self.written,
            updated=self.updated,
            deleted=self.deleted,
            repeated=repeated,
            findings=self.findings,
        )

    def version(self, number: int, at: dt.datetime) -> Version:
        """The note as a version that can be gone back to."""
        return Version(
            version=number, at=at, operation=self.operation, run_id=self.run_id, rows=self.rows, bytes=self.bytes
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """A version that can be gone back to, with the paths of its files."""

    version: Version
    files: frozenset[str]


def _ours(info: Mapping[str, Any]) -> Note | None:
    """What a commit of ours says of itself; None for another's."""
    ours = info.get(delta_log.OURS)
    return None if ours is None else Note(**ours)


def _at(info: Mapping[str, Any]) -> dt.datetime:
    return dt.datetime.fromtimestamp(info["timestamp"] / 1000, dt.UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Log:
    """The log of one DataSet's table.

    Attributes:
        dataset_id: also the id of the transaction that holds the epoch; `<dataset_id>/<scope id>` hold the watermarks.
        uri: the table's root.
        storage_options: delta-rs's options for the store; they may hold secrets.
        clock: unix time in seconds, for the files' times in the log.
    """

    dataset_id: str
    uri: str
    storage_options: Mapping[str, str] | None = field(default=None, repr=False)
    clock: Callable[[], float]

    @property
    def folder(self) -> Folder:
        """The table's folder."""
        return open_folder(self.uri, self.storage_options)

    def open(self) -> DeltaTable | None:
        """A fresh handle on the newest version; None where nothing was ever committed.

        An entry that a loss of power cut short is no version: nobody was ever told of it.

        Raises:
            DestinationRefused: the log cannot be read.
        """
        with destination_errors(self.uri, needed=0):
            try:
                torn = torn_entry(self.folder)
                if torn == 0:
                    return None
                version = None if torn is None else torn - 1
                return DeltaTable(self.uri, version=version, storage_options=self._options())
            except TableNotFoundError:
                return None

    def at(self, version: int) -> DeltaTable | None:
        """A handle on that version; None where the log does not have it (any more).

        Raises:
            DestinationRefused: the log cannot be read.
        """
        with destination_errors(self.uri, needed=0):
            try:
                return DeltaTable(self.uri, version=version, storage_options=self._options())
            except DeltaError:
                return None

    def epoch(self, table: DeltaTable | None) -> int:
        """The highest epoch that was committed; 0 for none."""
        return 0 if table is None else table.transaction_version(self.dataset_id) or 0

    def watermarks(self, version: int) -> dict[str, int]:
        """Scope id → watermark at that version; `NO_WATERMARK` for one that was taken back, since ids cannot be."""
        prefix = f"{self.dataset_id}/"
        ids = delta_log.transactions(self.folder, version)
        return {app.removeprefix(prefix): mark for app, mark in ids.items() if app.startswith(prefix)}

    def committed(self, table: DeltaTable, epoch: int) -> Committed | None:
        """What the commit of that epoch did; None where this table has not taken it."""
        for note, version, _ in self.notes(table.version()):
            if note.epoch == epoch:
                self._sync([delta_log.entry(version)])
                return note.committed(version, repeated=True)
        return Committed(version=table.version(), repeated=True) if self.epoch(table) == epoch else None

    def states(self, table: DeltaTable) -> Iterator[State]:
        """The versions that changed rows, whose files are all there and which are partitioned as the table is; newest first."""
        there = self.folder.listing()
        wanted = partitions = tuple(table.metadata().partition_columns)
        for past in delta_log.pasts(self.folder, table.version(), (file.path for file in files_of(table))):
            note = _ours(past.info)
            if note is not None and note.changed and partitions == wanted and past.files <= there.keys():
                yield State(version=note.version(past.version, _at(past.info)), files=past.files)
            if past.changes_shape:
                before = self.at(past.version - 1) if past.version else None
                if before is None:
                    return
                partitions = tuple(before.metadata().partition_columns)

    def versions(self, table: DeltaTable) -> Iterator[Version]:
        """The versions that can be gone back to, newest first."""
        return (state.version for state in self.states(table))

    def notes(self, version: int) -> Iterator[tuple[Note, int, dt.datetime]]:
        """Our commits up to that version that the log still has, newest first: with their versions, and times in UTC."""
        for number, info in delta_log.infos(self.folder, version):
            note = _ours(info)
            if note is not None:
                yield note, number, _at(info)

    def add_columns(self, table: DeltaTable, columns: pa.Schema) -> None:
        """Add columns, null in all rows that there are, by a commit of its own that changes no row.

        Raises:
            CommitFailedError: another writer was first.
            DiskFull, DestinationRefused: it could not be written.
        """
        with destination_errors(self.folder.address, needed=0):
            table.alter.add_columns(
                Schema.from_arrow(columns).fields,
                commit_properties=CommitProperties(max_commit_retries=0),
                post_commithook_properties=_HOOKS,
            )

    def write(
        self, table: DeltaTable, change: Change, note: Note, *, watermarks: Mapping[str, int] | None = None
    ) -> Committed:
        """Commit a change on that handle.

        Args:
            table: a fresh handle; a stale one is refused.
            change: the files to add and to take out.
            note: what to say of it; its epoch, where it has one, becomes the table's.
            watermarks: scope id → microseconds since 1970.

        Raises:
            CommitFailedError: another writer was first.
            DiskFull, DestinationRefused: it could not be written.
        """
        now_ms, moved = int(self.clock() * 1000), note.epoch is not None
        removed = [file.remove(now_ms=now_ms, data_change=moved) for file in change.remove]
        added = [file.add(now_ms=now_ms, data_change=moved) for file in change.add]

        def commit() -> None:
            self._sync(file.path for file in change.add)
            table.create_write_transaction(
                [*removed, *added],
                "append",
                table.schema(),
                partition_by=table.metadata().partition_columns,
                commit_properties=self._properties(change, note, watermarks or {}),
                post_commithook_properties=_HOOKS,
            )

        return self._surely(commit, note, after=table.version())

    def create(
        self,
        change: Change,
        note: Note,
        *,
        schema: pa.Schema,
        watermarks: Mapping[str, int],
        partitioned: bool,
        replaced: DeltaTable | None,
    ) -> Committed:
        """Commit the first version of the table, or one that is partitioned otherwise than those before.

        delta-rs looks at the table itself here. So where one is `replaced`, a writer that holds no lease could be overwritten
        in the instant after the caller looked; it is done only to a table that is empty or is replaced whole.

        Raises:
            CommitFailedError: another writer was first.
            DiskFull, DestinationRefused: it could not be written.
        """
        now_ms = int(self.clock() * 1000)
        columns = with_day(schema, partitioned=partitioned)

        def commit() -> None:
            self._sync(file.path for file in change.add)
            create_table_with_add_actions(
                self.uri,
                Schema.from_arrow(columns),
                [file.add(now_ms=now_ms) for file in change.add],
                mode="error" if replaced is None else "overwrite",
                partition_by=[DAY] if partitioned else [],
                configuration=_CONFIGURATION,
                storage_options=self._options(),
                commit_properties=self._properties(change, note, watermarks),
                post_commithook_properties=_HOOKS,
            )

        return self._surely(commit, note, after=-1 if replaced is None else replaced.version())

    def _surely(self, commit: Callable[[], None], note: Note, *, after: int) -> Committed:
        """Commit; where that fails and the log went on all the same, it is to be looked at again.

        A store may fail after it took the commit, and a table may be created by two at once.
        """
        try:
            with destination_errors(self.folder.address, needed=0):
                commit()
        except DestinationError as error:
            table = self.open()
            if table is not None and table.version() > after:
                raise CommitFailedError(error.message) from error
            raise
        self._sync([delta_log.entry(after + 1)])
        return note.committed(after + 1, repeated=False)

    def _sync(self, paths: Iterable[str]) -> None:
        """Rows are on the disk before an entry names them, and an entry is before anybody is told of it."""
        with destination_errors(self.folder.address, needed=0):
            self.folder.sync(paths)

    def _properties(self, change: Change, note: Note, watermarks: Mapping[str, int]) -> CommitProperties:
        ids = [] if note.epoch is None else [Transaction(self.dataset_id, note.epoch)]
        ids += [Transaction(f"{self.dataset_id}/{scope}", mark) for scope, mark in watermarks.items()]
        note = replace(note, actions=len(change.add) + len(ids))
        return CommitProperties(custom_metadata=note.metadata(), max_commit_retries=0, app_transactions=ids)

    def _options(self) -> dict[str, str] | None:
        return with_patience(self.storage_options) if holds_objects(self.uri) else None


def arrow_schema(table: DeltaTable) -> pa.Schema:
    """The table's columns."""
    return pa.schema(table.schema().to_arrow())


def row_count(files: Iterable[DataFile]) -> int:
    """Rows in all of them."""
    return sum(file.rows for file in files)


def byte_count(files: Iterable[DataFile]) -> int:
    """Bytes of all of them."""
    return sum(file.bytes for file in files)
