"""Tables that stay up to date."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Unpack

import msgspec
import pyarrow as pa

from sentry_connector.datasets.config import definition_of, entry_of
from sentry_connector.destinations.model import Remains, Version
from sentry_connector.errors import UsageError
from sentry_connector.extraction.progress import Progress
from sentry_connector.library.house import Open
from sentry_connector.library.rows import Rows
from sentry_connector.library.runs import raise_its_end
from sentry_connector.library.words import Words, entry_with
from sentry_connector.operations import backfill, edits, purging, updates
from sentry_connector.operations import datasets as operations
from sentry_connector.operations.running import tell_others
from sentry_connector.reports import catalogue, menus
from sentry_connector.reports.details import DateRange
from sentry_connector.store.records import DataSet, Run


class Table(Rows):
    """The rows of a DataSet at one of its versions, or at the newest one of the moment when they are read."""

    def __init__(self, open_: Open, name: str, version: int | None) -> None:
        self._open = open_
        self._name = name
        self._version = version

    @property
    def schema(self) -> pa.Schema:
        """The columns, as an Arrow schema."""
        with operations.rows(self._open.house, self._name, self._version) as reader:
            return reader.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, a batch at a time; memory does not grow with their number."""
        with operations.rows(self._open.house, self._name, self._version) as reader:
            yield from reader

    def to_arrow(self) -> pa.Table:
        """All rows as an Arrow table."""
        with operations.rows(self._open.house, self._name, self._version) as reader:
            return reader.read_all()


class DataSets:
    """The DataSets of an open connector; each is named by its name, compared without case, or its slug."""

    def __init__(self, open_: Open) -> None:
        self._open = open_

    def create(self, name: str, report: str, *, account: str | None = None, **words: Unpack[Words]) -> DataSet:
        """Make a DataSet. Nothing is asked of Sentry before its first run.

        Args:
            name: unique, compared without case.
            report: name, alias or slug of a report.
            account: the account to ask with; None = SENTRY_AUTH_TOKEN of whoever runs it.
            **words: the options of `sentry-connector datasets create`, with `_` for `-`.

        Raises:
            UsageError: something does not fit; nothing is stored.
        """
        entry = entry_with(words, name=name, report=report)
        return operations.create(self._open.house, definition_of(entry), account)

    def edit(
        self,
        name: str,
        *,
        new_name: str | None = None,
        report: str | None = None,
        account: str | None = None,
        **words: Unpack[Words],
    ) -> DataSet:
        """Change a DataSet: what is given changes, the rest stays; None stands for the default.

        Raises:
            UnknownName: there is no such DataSet or account.
            UsageError: the change does not fit the rows that the table holds.
            LossNotAccepted: the next run would drop rows, and nobody has consented to that.
        """
        dataset = self.get(name)
        before = entry_of(edits.definition_of(dataset), None)
        more = {"name": new_name or dataset.name, "report": catalogue.find(report).slug if report else dataset.report}
        wanted = definition_of(entry_with(words, before, **more))
        changes = msgspec.structs.asdict(wanted)
        return operations.edit(self._open.house, dataset.slug, changes, account)

    def list(self, *, deleted: bool = False) -> Sequence[DataSet]:
        """All DataSets, by name; or those that were deleted and can be restored."""
        return operations.everything(self._open.house, deleted=deleted)

    def get(self, name: str) -> DataSet:
        """The DataSet of that name or slug.

        Raises:
            UnknownName: there is none.
        """
        return operations.find(self._open.house, name)

    def run(self, name: str, *, wait_lock: float = 0.0, allow_incomplete: bool = False) -> Run:
        """Run a DataSet now and wait for its end; a run that was interrupted goes on.

        Where a server lives, it does the run. A very large run becomes a chain; then its last run is answered.

        Args:
            name: the DataSet's.
            wait_lock: seconds to wait for another process that is at work on it.
            allow_incomplete: answer an INCOMPLETE run too, instead of raising.

        Raises:
            UnknownName: there is no such DataSet.
            Locked: another process works on it.
            RunIncomplete: something is missing, and `allow_incomplete` was not given.
            ConnectorError: what the run failed with; the table is as it was.
        """
        house = self._open.house

        async def work() -> Sequence[Run]:
            done = await operations.run(house, name, progress=Progress(), wait_lock=wait_lock)
            rest = await backfill.go_through(house, self.get(name), after=done, wait_lock=wait_lock)
            await tell_others(house)
            return [done, *rest]

        return self._ended(self._open.wait(work), allow_incomplete=allow_incomplete)

    def backfill(
        self,
        name: str,
        start: str | dt.date,
        end: str | dt.date,
        *,
        wait_lock: float = 0.0,
        allow_incomplete: bool = False,
    ) -> Sequence[Run]:
        """Read earlier days by a chain of runs, newest days first, and wait for its end; one that was cut off goes on.

        Raises:
            As `run`; the days that were read before a failure stay.
        """
        days = menus.duration_from_options(start=start, end=end)
        if not isinstance(days, DateRange):
            raise UsageError("A backfill is of a range of days.", remedy="Give a start and an end.")
        house, chosen = self._open.house, days

        async def work() -> Sequence[Run]:
            chain = await house.aside(lambda: backfill.begin(house, name, chosen))
            done = await backfill.go_through(house, chain.dataset, wait_lock=wait_lock)
            await tell_others(house)
            return done

        runs = self._open.wait(work)
        self._ended(runs, allow_incomplete=allow_incomplete)
        return runs

    def rows(self, name: str, *, version: int | None = None) -> Table:
        """The rows of a DataSet; of the newest version where none is named. They are read when they are asked for.

        Raises:
            UnknownName: there is no such DataSet.
        """
        return Table(self._open, self.get(name).slug, version)

    def preview(self, name: str) -> pa.Table:
        """The first hundred rows that a run would bring, read from Sentry and stored nowhere."""
        return self._open.wait(lambda: operations.preview(self._open.house, name, progress=Progress()))

    def schema(self, name: str) -> pa.Schema:
        """The columns of a DataSet's table."""
        return operations.schema(self._open.house, name)

    def versions(self, name: str) -> Sequence[Version]:
        """The states that the table can be reverted to, newest first."""
        return operations.versions(self._open.house, name)

    def revert(self, name: str, *, to_version: int, wait_lock: float = 0.0) -> None:
        """Make the table what it was at a version; that is itself a new version."""
        self._open.wait(lambda: operations.revert(self._open.house, name, to_version, wait_lock=wait_lock))

    def delete_update(self, name: str, *, run: str, wait_lock: float = 0.0) -> int:
        """Delete the rows that one run appended, and no others; how many. That is itself a new version.

        Raises:
            UnknownName: there is no such DataSet, or its table holds no row of that run.
            UsageError: its update method puts rows in the place of earlier ones.
        """
        done = self._open.wait(lambda: updates.delete_update(self._open.house, name, run, wait_lock=wait_lock))
        return done.deleted

    def pause(self, name: str) -> DataSet:
        """Put its schedule at rest."""
        return operations.pause(self._open.house, name)

    def resume(self, name: str) -> DataSet:
        """Let its schedule go on, from its next slot."""
        return operations.resume(self._open.house, name)

    def delete(self, name: str) -> DataSet:
        """Put a DataSet out of sight; for 30 days it can be restored with its table."""
        return operations.delete(self._open.house, name)

    def restore(self, name: str) -> DataSet:
        """Bring a deleted DataSet back, with its table and history."""
        return operations.restore(self._open.house, name)

    def purge(self, name: str, *, leave_table: bool = False) -> Remains | None:
        """Forget a deleted DataSet for good, with its table, its runs and their logs.

        Args:
            name: the DataSet's.
            leave_table: its table stays where it is, which need not be reached.

        Returns:
            What stays behind; None = nothing.

        Raises:
            UnknownName: there is no such deleted DataSet.
            Locked: a run is still at work on it.
            ConnectorError: its table cannot be dropped. The DataSet stays in the bin, and cannot be restored any more.
        """
        return self._open.wait(lambda: purging.purge(self._open.house, name, leave_table=leave_table)).left

    def _ended(self, runs: Sequence[Run], *, allow_incomplete: bool) -> Run:
        for run in runs:
            raise_its_end(run, allow_incomplete=allow_incomplete)
        if not runs:
            raise UsageError("Nothing is left to be run.", remedy="`runs.list(name)` tells how it ended.")
        return runs[-1]
