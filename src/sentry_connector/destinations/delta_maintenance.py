"""Keeping Delta tables fast and small: merging small files, deleting what no kept version needs. No row ever changes here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from deltalake import DeltaTable

from sentry_connector.destinations import delta_log
from sentry_connector.destinations.delta_commits import Log, Note, State, arrow_schema
from sentry_connector.destinations.delta_files import DataFile, files_of
from sentry_connector.destinations.delta_merge import Change, workspace
from sentry_connector.destinations.staged import delete_staged

TARGET_BYTES = 64 * 1024 * 1024
FEWEST = 8
"""Small files of one day that are worth being merged."""

GRACE = dt.timedelta(hours=1)
"""A version so young is kept whatever its number: somebody may be reading it."""

LONGEST_LOG = 20
"""Entries that a reader may have to read one by one; then a checkpoint is written."""

COMPACT = "compact"


def compacted(log: Log, table: DeltaTable, target_bytes: int) -> DeltaTable:
    """The table after its small files were merged, day by day, in one commit.

    Raises:
        CommitFailedError: another writer was first.
        DiskFull, DestinationRefused: it could not be written.
    """
    files = files_of(table)
    bins = [one for small in _small(files, target_bytes) for one in binned(small, target_bytes)]
    if not bins:
        return table
    bounded = {name for file in files for name in file.bounds}
    with workspace(log.folder, epoch=log.epoch(table), schema=arrow_schema(table), bounded=bounded) as space:
        merged = [space.merged(one) for one in bins]
    change = Change(add=merged, remove=[file for one in bins for file in one])
    log.write(table, change, Note.of(change, files, operation=COMPACT))
    return log.open() or table


def _small(files: Iterable[DataFile], target_bytes: int) -> Iterable[list[DataFile]]:
    by_day: dict[dt.date | None, list[DataFile]] = {}
    for file in files:
        if file.bytes < target_bytes // 2:
            by_day.setdefault(file.day, []).append(file)
    return (small for small in by_day.values() if len(small) >= FEWEST)


def binned(files: Sequence[DataFile], target_bytes: int) -> list[list[DataFile]]:
    """The files in groups of at least two, none much larger than the target."""
    groups: list[list[DataFile]] = [[]]
    room = target_bytes
    for file in sorted(files, key=lambda one: one.bytes):
        if file.bytes > room:
            groups.append([])
            room = target_bytes
        groups[-1].append(file)
        room -= file.bytes
    return [group for group in groups if len(group) > 1]


def kept(states: Iterable[State], *, now: dt.datetime, count: int) -> list[State]:
    """Which of the versions (newest first) stay: the last `count`, and the young ones."""
    return [one for number, one in enumerate(states) if number < count or one.version.at > now - GRACE]


def delete_unneeded(log: Log, table: DeltaTable, states: Iterable[State]) -> None:
    """Delete what was staged up to the table's epoch and is held neither by the table nor by one of these versions."""
    needed = {file.path for file in files_of(table)}.union(*(state.files for state in states))
    delete_staged(log.folder, range(log.epoch(table) + 1), needed)


def delete_abandoned(log: Log, table: DeltaTable | None, *, before: int) -> None:
    """Delete what runs staged after the last commit, and before that epoch. No version can hold it."""
    delete_staged(log.folder, range(log.epoch(table) + 1, before))


def trim_log(log: Log, table: DeltaTable, states: Iterable[State]) -> None:
    """Where the log grew long, write checkpoints and delete the entries that none of the versions needs.

    The oldest version gets a checkpoint of its own, or all entries before it would have to stay. The newest one comes last,
    since readers are led to what was written last.
    """
    if delta_log.entries_since_checkpoint(log.folder) < LONGEST_LOG:
        return
    oldest = min((one.version.version for one in states), default=table.version())
    for one in (log.at(oldest), table):
        if one is not None:
            one.create_checkpoint()
            log.folder.sync([delta_log.checkpoint(one.version())])  # before the entries go that it stands for
    delta_log.forget_before(log.folder, oldest)
