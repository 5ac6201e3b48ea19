"""DataSets as tables of a SQL database: every change is one transaction, with the epoch and the watermarks in a ledger beside."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import pyarrow as pa
import pyarrow.fs as pafs

from sentry_connector.destinations import staged
from sentry_connector.destinations.columns import DAY_FIELD, missing_columns, with_day
from sentry_connector.destinations.delta_errors import destination_errors
from sentry_connector.destinations.delta_files import Folder, open_folder
from sentry_connector.destinations.model import (
    DAY,
    DELETE_UPDATE,
    RUN_ID,
    Commit,
    Committed,
    Remains,
    Selection,
    UpdateMethod,
    Version,
    Whereabouts,
)
from sentry_connector.destinations.query import Elsewhere
from sentry_connector.destinations.refusals import no_update, overtaken, refuse_other_types, wrong_partitions
from sentry_connector.destinations.sql_ledger import Entry, Ledger, Note, traces
from sentry_connector.destinations.sql_methods import Space, change
from sentry_connector.destinations.sql_model import (
    Database,
    Session,
    Sql,
    Statement,
    column_types,
    integers,
    listing,
    qualified,
    records,
    text,
    written,
)
from sentry_connector.destinations.sql_staged import Staged, staged_of
from sentry_connector.destinations.sql_text import quoted
from sentry_connector.errors import DestinationRefused, DestinationUnavailable, UnknownName, UsageError

PAUSES = (0.2, 1.0, 3.0, 10.0)
"""Seconds between the attempts at a commit: a database that restarts is back as a rule."""

PAUSES_OF_READERS = (0.2,)

Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True, slots=True)
class SqlDestination:
    """A database, and where rows are staged for its tables.

    Attributes:
        database: where the tables lie.
        staging: a folder, or an s3://, gs:// or az:// address; below it a folder per DataSet.
        staging_options: of a store of objects; they may hold secrets.
        ready: called before a run; it raises where rows cannot be staged.
        clock: unix time in seconds, for the times of commits.
        sleep: how the pauses between attempts are kept.
    """

    database: Database
    staging: str
    staging_options: Mapping[str, str] | None = field(default=None, repr=False)
    ready: Callable[[], None] = field(default=lambda: None, repr=False)
    clock: Callable[[], float] = field(default=time.time, repr=False)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def table(self, dataset_id: str, name: str) -> SqlTable:
        """The table of a DataSet, whether or not anything was committed to it; its first commit calls it `name`."""
        return SqlTable(destination=self, dataset_id=dataset_id, name=name)


@dataclass(frozen=True, kw_only=True, slots=True)
class SqlTable:
    """One DataSet's table in a database; `model.Table` says what it promises. Every call is a transaction of its own."""

    destination: SqlDestination
    dataset_id: str
    name: str

    @property
    def keeps_versions(self) -> bool:
        """A database holds what is, not what was."""
        return False

    @property
    def folder(self) -> Folder:
        """Where rows are staged."""
        place = self.destination
        return open_folder(f"{place.staging.rstrip('/')}/{self.dataset_id}", place.staging_options)

    def exists(self) -> bool:
        """Whether anything was ever committed."""
        return self._entry() is not None

    def whereabouts(self) -> Whereabouts:
        """Its database, and what it is called there."""
        entry = self._entry()
        return Whereabouts(address=self.destination.database.address, name=self.name if entry is None else entry.table)

    def remains(self) -> Remains:
        """Its table, and what the ledger knows of it."""
        statements = traces(self.dataset_id, self.name)
        return Remains(address=self.destination.database.address, name=self.name, statements=tuple(statements))

    def location(self) -> tuple[pafs.FileSystem, str]:
        """The file system and the folder in it that staged files' paths are relative to."""
        folder = self.folder
        return folder.filesystem, folder.root

    def epoch(self) -> int:
        """The highest epoch that was committed; 0 for none."""
        entry = self._entry()
        return 0 if entry is None else entry.epoch

    def highest_epoch(self) -> int:
        """The highest epoch that was committed or staged for; 0 for none."""
        return max(self.epoch(), staged.highest_epoch(self.folder))

    def watermarks(self) -> dict[str, int]:
        """Scope id → end of its last committed window, in microseconds since 1970 UTC, for the scopes that have one."""
        return self._look(lambda ledger, _: ledger.watermarks(), dict)

    def epoch_of(self, run_id: str) -> int | None:
        """The epoch by which a run committed; None where the ledger knows of none (any more)."""
        return self._look(lambda ledger, _: ledger.epoch_of(run_id), lambda: None)

    def committed(self, epoch: int) -> Committed | None:
        """What the commit of that epoch did (`repeated` is true); None where the table has not taken it."""
        return self._look(lambda ledger, entry: _done(ledger, entry, epoch), lambda: None)

    def commit(self, commit: Commit) -> Committed:
        """Do all of it in one transaction, once.

        Each attempt is a whole one, and looks first whether an earlier one was committed after all: the connection may be lost
        when nobody can say any more whether it was.

        Raises:
            KeyViolated: a key column is null, or a key is doubled within the staged rows.
            TableChanged: a later epoch is in the table.
            DiskFull: the database has no space left.
            DestinationRefused: the table is not ours, or others have changed it; a column would change its type; the table is
                partitioned for another update method; or the database refuses.
            DestinationUnavailable: the database cannot be reached, or others keep the table locked.
            ValueError: a staged day is none that the commit touches.
        """
        rows = staged_of(commit, self.folder)
        return self._surely(lambda session: self._attempt(session, commit, rows), PAUSES, writing=True)

    def versions(self) -> list[Version]:
        """The table as it is, which is all that a database keeps."""
        last = self._look(lambda ledger, _: ledger.last(), lambda: None)
        return [] if last is None else [last.version()]

    def version(self) -> int | None:
        """The number of the table as it is."""
        return next((one.version for one in self.versions()), None)

    def revert(self, version: int, *, epoch: int) -> Committed:  # noqa: ARG002  # as the protocol has it
        """Refuse it.

        Raises:
            UsageError: a database keeps no versions.
        """
        raise UsageError(
            f"{self.destination.database.address} keeps no earlier versions of a table.",
            remedy="Restore the database's own backup, or keep the DataSet in Delta tables, which have versions.",
        )

    def delete_run(self, run_id: str, *, epoch: int) -> Committed:
        """Delete the rows that a run wrote, in one transaction; watermarks stay.

        Raises:
            UnknownName: the table holds no row of that run.
            TableChanged: a later epoch is in the table.
            DestinationRefused, DestinationUnavailable: the database refuses, or cannot be reached.
        """
        return self._surely(lambda session: self._without_run(session, run_id, epoch), PAUSES, writing=True)

    def mend(self) -> None:
        """See that a run could commit: rows can be staged, the database answers, and the table's name is free or ours.

        Raises:
            DestinationRefused: it bears the name of a table that is not ours.
            DestinationUnavailable: the database cannot be reached.
        """

        def look(session: Session) -> None:
            ledger = Ledger(session, self.dataset_id)
            if ledger.entry() is None:
                self._refuse_what_is_not_ours(session, ledger)

        self.destination.ready()
        self._surely(look, PAUSES_OF_READERS)

    def maintain(self, *, now: dt.datetime, keep_versions: int = 10) -> None:  # noqa: ARG002  # as the protocol has it
        """Delete what was staged for commits that are made: their rows are in the database, which tidies its tables itself."""
        with destination_errors(self.folder.address, needed=0):
            staged.delete_staged(self.folder, range(self.epoch() + 1))

    def sweep(self, epoch_now: int) -> None:
        """Delete what runs before `epoch_now` staged: what they committed is in the database.

        Raises:
            DestinationRefused: files could not be deleted.
        """
        with destination_errors(self.folder.address, needed=0):
            staged.delete_staged(self.folder, range(epoch_now))

    def drop(self) -> None:
        """Delete the table, what the ledger knows of it, and everything that is staged for it; a table of others stays.

        Raises:
            DestinationRefused: the database, or the disk, refuses.
            DestinationUnavailable: the database cannot be reached.
        """

        def work(session: Session) -> None:
            ledger = Ledger(session, self.dataset_id)
            entry = ledger.entry()
            if entry is not None:
                session.execute(f"DROP TABLE IF EXISTS {qualified(session, entry.table)}")
                ledger.forget()
                session.commit()

        self._surely(work, PAUSES_OF_READERS, writing=True)  # whoever wants it asks again
        folder = self.folder
        with destination_errors(folder.address, needed=0):
            if folder.filesystem.get_file_info(folder.root).type is pafs.FileType.Directory:
                folder.filesystem.delete_dir(folder.root)

    def rows(self) -> int:
        """Rows that the table had after the last commit."""
        last = self._look(lambda ledger, _: ledger.last(), lambda: None)
        return 0 if last is None else last.rows

    def file_count(self) -> int | None:
        """The database's own affair."""
        return None

    def size(self) -> int | None:
        """The database's own affair."""
        return None

    def schema(self) -> pa.Schema | None:
        """The table's columns; None where nothing was committed."""
        entry = self._entry()
        return None if entry is None else entry.schema

    def snapshot(self, version: int | None = None) -> Elsewhere | None:
        """The table's rows, for reading; None where nothing was committed.

        Raises:
            UnknownName: there is no such version (any more).
        """
        entry = self._entry()
        if version is not None and (entry is None or entry.epoch != version):
            raise UnknownName(
                "version",
                str(version),
                [] if entry is None else [str(entry.epoch)],
                remedy="A database keeps the newest version alone; Delta tables keep earlier ones.",
            )
        if entry is None:
            return None
        return Elsewhere(
            schema=entry.schema,
            stream=lambda seconds: self._stream(entry, seconds),
            by_hour=lambda part, item: self._by_hour(entry, part, item),
            answer=lambda statement, schema, seconds: self._answer(entry, statement, schema, seconds),
        )

    def count_outside(self, column: str, start: dt.datetime, end: dt.datetime) -> int:
        """Rows whose time in that column lies outside [start, end); a row without a time is not counted."""

        def count(ledger: Ledger, entry: Entry) -> int:
            if column not in entry.schema.names:
                return 0
            session, time = ledger.session, quoted(column)
            first, last = map(session.dialect.instant, (start, end))
            outside = f"{time} < {first} OR {time} >= {last}"
            return integers(session, f"SELECT count(*) FROM {qualified(session, entry.table)} WHERE {outside}")[0]

        return self._look(count, lambda: 0)

    # ---- reading

    def _entry(self) -> Entry | None:
        return self._look(lambda _, entry: entry, lambda: None)

    def _look(self, work: Callable[[Ledger, Entry], Value], otherwise: Callable[[], Value]) -> Value:
        """What is found out about a table that is there; `otherwise` where nothing was ever committed."""

        def look(session: Session) -> Value:
            ledger = Ledger(session, self.dataset_id)
            entry = ledger.entry()
            return otherwise() if entry is None else work(ledger, entry)

        return self._surely(look, PAUSES_OF_READERS)

    @contextmanager
    def _stream(self, entry: Entry, seconds: float | None) -> Iterator[Iterator[pa.RecordBatch]]:
        with self.destination.database.session(seconds=seconds) as session:
            sql = f"SELECT {listing(entry.schema.names)} FROM {qualified(session, entry.table)}"
            yield session.select(sql, entry.schema)

    def _by_hour(self, entry: Entry, part: Selection, item: str) -> dict[int, int]:
        def count(session: Session) -> dict[int, int]:
            dialect, time = session.dialect, quoted(part.time)
            conditions = [f"{quoted(name)} = {text(value)}" for name, value in part.marks.items()]
            bounds = ((">=", part.start), ("<", part.end))
            conditions += [f"{time} {sign} {dialect.instant(at)}" for sign, at in bounds if at is not None]
            sql = (
                f"SELECT {dialect.hour(time)}, count(DISTINCT {quoted(item)}) FROM {qualified(session, entry.table)}"
                f" WHERE {' AND '.join(conditions) or 'true'} GROUP BY 1"
            )
            found = records(session, sql, pa.schema([("hour", pa.int64()), ("items", pa.int64())]))
            return {one["hour"]: one["items"] for one in found}

        return self._surely(count, PAUSES_OF_READERS)

    def _answer(self, entry: Entry, statement: Statement, schema: pa.Schema, seconds: float | None) -> pa.Table:
        def ask(session: Session) -> pa.Table:
            dialect = session.dialect
            sql = Sql(dialect=dialect, table=qualified(session, entry.table), value=partial(written, dialect))
            return pa.Table.from_batches(session.select(statement(sql), schema), schema)

        return self._surely(ask, PAUSES_OF_READERS, seconds=seconds)

    def _surely(
        self,
        work: Callable[[Session], Value],
        pauses: Sequence[float],
        *,
        writing: bool = False,
        seconds: float | None = None,
    ) -> Value:
        """Do the work in a transaction; where the database is not to be had, again after each of the pauses."""
        for pause in (*pauses, None):
            try:
                with self.destination.database.session(writing=writing, seconds=seconds) as session:
                    return work(session)
            except DestinationUnavailable:
                if pause is None:
                    raise
                self.destination.sleep(pause)
        raise AssertionError("the last attempt answers or raises")

    # ---- committing

    def _attempt(self, session: Session, commit: Commit, rows: Staged) -> Committed:
        ledger = Ledger(session, self.dataset_id)
        ledger.make()
        session.lock(self.dataset_id)
        before = ledger.entry()
        if before is not None and before.epoch > commit.epoch:
            raise overtaken(commit.epoch, before.epoch)
        done = None if before is None else _done(ledger, before, commit.epoch)
        if done is not None:
            return done
        entry = self._fitted(session, ledger, before, commit, rows)
        space = Space(session=session, table=qualified(session, entry.table), commit=commit, staged=rows)
        space.load()
        space.check_key()
        counts = change(space)
        note = Note(
            epoch=commit.epoch,
            run_id=commit.run_id,
            operation=commit.method.value,
            at=dt.datetime.fromtimestamp(self.destination.clock(), dt.UTC),
            written=counts.written,
            updated=counts.updated,
            deleted=counts.deleted,
            rows=space.stored(),
            findings=commit.findings,
        )
        ledger.write(replace(entry, epoch=commit.epoch), note, commit.watermarks)
        session.commit()
        return note.committed(repeated=False)

    def _without_run(self, session: Session, run_id: str, epoch: int) -> Committed:
        ledger = Ledger(session, self.dataset_id)
        session.lock(self.dataset_id)
        before = ledger.entry()
        if before is None:
            raise no_update(run_id)
        if before.epoch > epoch:
            raise overtaken(epoch, before.epoch)
        done = _done(ledger, before, epoch)
        if done is not None:
            return done
        table = qualified(session, before.table)
        deleted = session.execute(f"DELETE FROM {table} WHERE {quoted(RUN_ID)} = {text(run_id)}")
        if not deleted:
            raise no_update(run_id)
        note = Note(
            epoch=epoch,
            run_id=None,
            operation=DELETE_UPDATE,
            at=dt.datetime.fromtimestamp(self.destination.clock(), dt.UTC),
            written=0,
            updated=0,
            deleted=deleted,
            rows=integers(session, f"SELECT count(*) FROM {table}")[0],
            findings=None,
        )
        ledger.write(replace(before, epoch=epoch), note, {})
        session.commit()
        return note.committed(repeated=False)

    def _fitted(self, session: Session, ledger: Ledger, before: Entry | None, commit: Commit, rows: Staged) -> Entry:
        """The table, made or changed so that the rows fit into it; nothing of it is done where they do not."""
        if before is None:
            self._refuse_what_is_not_ours(session, ledger)
            return _made(session, Entry(table=self.name, schema=rows.schema, partitioned=False, epoch=0), commit)
        refuse_other_types(before.schema, commit.schema)
        there = column_types(session, before.table)
        if not there and commit.method is UpdateMethod.REPLACE:
            return _made(session, replace(before, schema=rows.schema), commit)
        added = missing_columns(before.schema, commit.schema)
        _refuse_what_others_changed(session, before, there, commit.method, added)
        table, entry = qualified(session, before.table), before
        idle = commit.keep_when_empty and commit.method is UpdateMethod.REPLACE and not rows.rows
        partitioned = commit.method is UpdateMethod.PARTITION
        if before.partitioned != partitioned and not idle:
            if commit.method is not UpdateMethod.REPLACE and integers(session, f"SELECT count(*) FROM {table}")[0]:
                raise wrong_partitions(commit.method)
            _reshape(session, table, partitioned=partitioned)
            entry = replace(before, partitioned=partitioned)
        columns = with_day(pa.schema([*before.schema, *added]), partitioned=entry.partitioned)
        _refuse_names(session, columns)
        new = [one for one in columns if one.name not in there and one.name != DAY]
        for one in new:
            session.execute(f"ALTER TABLE {table} ADD COLUMN {_column(session, one)}")
        _describe(session, table, new)
        return replace(entry, schema=columns)

    def _refuse_what_is_not_ours(self, session: Session, ledger: Ledger) -> None:
        """A table that is there already is never written to."""
        owned = ledger.is_there() and ledger.owner(self.name) is not None
        if owned or column_types(session, self.name):
            raise DestinationRefused(
                f"{self.destination.database.address} has a table {self.name!r} already, which is not this DataSet's.",
                remedy="Rename or drop that table, or make a DataSet of another name.",
            )


def _done(ledger: Ledger, entry: Entry, epoch: int) -> Committed | None:
    """What the commit of that epoch did; None where it was not made."""
    note = ledger.note(epoch)
    if note is not None:
        return note.committed(repeated=True)
    return Committed(version=epoch, repeated=True) if entry.epoch == epoch else None


def _made(session: Session, entry: Entry, commit: Commit) -> Entry:
    """The table, made new."""
    _refuse_names(session, entry.schema)
    columns = ", ".join(_column(session, one) for one in entry.schema)
    table = qualified(session, entry.table)
    session.execute(f"CREATE TABLE {table} ({columns})")
    _describe(session, table, entry.schema)
    return replace(entry, partitioned=commit.method is UpdateMethod.PARTITION)


def _describe(session: Session, table: str, columns: Iterable[pa.Field]) -> None:
    """Say in the database itself what columns mean."""
    if not session.dialect.keeps_comments:
        return
    for one in columns:
        about = (one.metadata or {}).get(b"comment", b"").decode()
        if about:
            session.execute(f"COMMENT ON COLUMN {table}.{quoted(one.name)} IS {text(about)}")


def _reshape(session: Session, table: str, *, partitioned: bool) -> None:
    if partitioned:
        session.execute(f"ALTER TABLE {table} ADD COLUMN {_column(session, DAY_FIELD)}")
    else:
        session.execute(f"ALTER TABLE {table} DROP COLUMN {quoted(DAY)}")


def _column(session: Session, field: pa.Field) -> str:
    return f"{quoted(field.name)} {session.dialect.types[field.type]}"


def _refuse_names(session: Session, schema: pa.Schema) -> None:
    """Names that the database would cut, or take for one, are told and not bent.

    Raises:
        DestinationRefused: there are such.
    """
    dialect = session.dialect
    longest, fold = dialect.longest_name, str.casefold if dialect.folds_case else str
    seen: dict[str, str] = {}
    for name in schema.names:
        if longest is not None and len(name.encode()) > longest:
            raise DestinationRefused(f"{dialect.name} takes no column name of more than {longest} bytes: {name!r}.")
        other = seen.setdefault(fold(name), name)
        if other is not name:
            raise DestinationRefused(f"{dialect.name} takes the column names {other!r} and {name!r} for one.")


def _refuse_what_others_changed(
    session: Session, entry: Entry, there: Mapping[str, str], method: UpdateMethod, added: pa.Schema
) -> None:
    """What others did to the table is told and not undone; columns that they added are let be.

    Replace writes all rows anew, so that it brings back what is missing.

    Args:
        session: the transaction.
        entry: the table as the connector made it.
        there: the columns that it has, with their types.
        method: how it is about to be updated.
        added: the columns that it is about to get.

    Raises:
        DestinationRefused: the table or a column is gone, or a column has another type.
    """
    if not there:
        raise DestinationRefused(
            f"The table {entry.table!r} is gone, which the ledger knows {entry.epoch} epochs of.",
            remedy="Bring it back from a backup; or fill it anew: `datasets edit NAME --update-method replace`, then run. "
            "One with the update method partition needs a new DataSet.",
        )
    wanted = {one.name: session.dialect.types[one.type] for one in (*entry.schema, *added)}
    changed = [f"{name} is {there[name]}, not {kind}" for name, kind in wanted.items() if there.get(name, kind) != kind]
    gone = (
        []
        if method is UpdateMethod.REPLACE
        else [f"{name} is gone" for name in entry.schema.names if name not in there]
    )
    if changed or gone:
        raise DestinationRefused(
            f"Others have changed the table {entry.table!r}: {'; '.join([*changed, *gone])}.",
            remedy="Change it back; or drop it, and fill it anew by a run with the update method replace.",
        )
