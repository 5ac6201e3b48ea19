"""Runs in the store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from sentry_connector.errors import UnknownName
from sentry_connector.extraction.progress import Snapshot
from sentry_connector.store.database import Database
from sentry_connector.store.notices import add_notices
from sentry_connector.store.records import Notice, Problem, Run, RunState, Verdict, Waiting
from sentry_connector.store.rows import hold_dataset, insert_once, read_all, read_record, select_records
from sentry_connector.store.tables import LIVE, UtcTime, accounts, datasets, leases, runs

LONG_AGO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
"""Before any run."""


class Runs:
    """The runs of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, run: Run) -> bool:
        """Store a new run, unless one with its id is there: so each slot of a schedule is one run.

        Returns:
            Whether it is new.

        Raises:
            UnknownName: there is no such DataSet.
        """
        with self._database.writing() as connection:
            if insert_once(connection, runs, msgspec.structs.asdict(run)):
                return True
        if self.get(run.id) is None:
            raise UnknownName("DataSet", run.dataset_id)
        return False

    def add_unless(self, run: Run, before: Callable[[list[Run]], Run | None]) -> Run:
        """Store a run that somebody asks for, unless it is there, or another one is to be done instead; in one step.

        Args:
            run: the new one.
            before: given the DataSet's runs that are not done: the one that is to be done instead; None where none is.

        Returns:
            The run that is stored: this one, or that one.

        Raises:
            UnknownName: there is no such DataSet (any more).
        """
        with self._database.writing() as connection:
            hold_dataset(connection, run.dataset_id)
            known = _select(connection, runs.c.id == run.id)
            other = known[0] if known else before(_select(connection, *_unfinished(run.dataset_id)))
            if other is None:
                connection.execute(insert(runs).values(**msgspec.structs.asdict(run)))
        return other or run

    def save(self, run: Run) -> None:
        """Store the run's new state."""
        with self._database.writing(alone=False) as connection:
            _save(connection, run)

    def end(
        self, run: Run, news: Iterable[Notice] = (), *, again: Run | None = None, given_up: str | None = None
    ) -> None:
        """Store a run as it ended, and in the same step what follows from that: a process may die right after.

        Args:
            run: the run, with its end.
            news: the notices about it.
            again: the run that reads the same days once more.
            given_up: the chain whose further runs will not begin.
        """
        with self._database.writing() as connection:
            _save(connection, run)
            add_notices(connection, news)
            if again is not None:
                insert_once(connection, runs, msgspec.structs.asdict(again))
            if given_up is not None:
                rest = (runs.c.id.startswith(f"{given_up}.", autoescape=True), runs.c.state != RunState.DONE)
                connection.execute(update(runs).where(*rest).values(**_cancelled(run.finished_at)))

    def note(self, id: str, progress: Snapshot, **figures: float) -> bool:  # noqa: A002  # the field's name
        """Store how far a run is, and what it has cost; one that has ended stays as it ended.

        Returns:
            Whether somebody has asked it to stop.
        """
        values = {"progress": progress, **figures}
        statement = update(runs).where(*_open(id)).values(**values).returning(runs.c.cancel_asked_at)
        with self._database.writing(alone=False) as connection:
            return connection.scalar(statement) is not None

    def progress(self, id: str) -> Snapshot | None:  # noqa: A002  # the field's name
        """How far a run was when it last said so; None where it has not."""
        with self._database.reading() as connection:
            found: Snapshot | None = connection.scalar(select(runs.c.progress).where(runs.c.id == id))
            return found

    def is_to_stop(self, id: str) -> bool:  # noqa: A002  # the field's name
        """Whether somebody has asked the run to stop."""
        with self._database.reading() as connection:
            return connection.scalar(select(runs.c.cancel_asked_at).where(runs.c.id == id)) is not None

    def drop(self, ids: Collection[str], why: Problem, now: dt.datetime, *, for_good: bool = True) -> None:
        """End those of these runs that wait for their turn or for their next attempt. It needs no lease.

        Args:
            ids: the runs'.
            why: what is told of them.
            now: the present.
            for_good: whoever begins with one at this very moment hears that it is to stop; else it goes on.
        """
        waiting = (runs.c.id.in_(ids), runs.c.state.in_([RunState.QUEUED, RunState.RETRYING]))
        with self._database.writing() as connection:
            connection.execute(
                update(runs)
                .where(*waiting)
                .values(**_cancelled(now), error=why, **({"cancel_asked_at": now} if for_good else {}))
            )

    def hurry(self, id: str) -> None:  # noqa: A002  # the field's name
        """Let a run that waits for its next attempt wait no longer."""
        with self._database.writing() as connection:
            connection.execute(update(runs).where(*_open(id)).values(not_before=None))

    def ask_to_stop(self, id: str, now: dt.datetime) -> None:  # noqa: A002  # the field's name
        """Ask a run to stop; whoever is at work on it, or will be, sees that."""
        with self._database.writing() as connection:
            connection.execute(update(runs).where(*_open(id)).values(cancel_asked_at=now))

    def get(self, id: str) -> Run | None:  # noqa: A002  # the field's name
        """The run with that id, or None."""
        found = self._select(runs.c.id == id)
        return found[0] if found else None

    def history(self, dataset_id: str, *, limit: int | None = 100) -> list[Run]:
        """The DataSet's runs, newest first; all of them without a limit."""
        return self._select(runs.c.dataset_id == dataset_id, limit=limit)

    def recent(self, *, limit: int | None = 100) -> list[Run]:
        """The runs of all DataSets, newest first; all of them without a limit."""
        return self._select(limit=limit)

    def search(
        self,
        *,
        among: Collection[str] | None = None,
        before: Run | None = None,
        limit: int | None = 100,
        **wanted: str | None,
    ) -> list[Run]:
        """The runs whose fields are what is wanted of them, where it is not None; newest first.

        Args:
            among: only those of the DataSets with these ids.
            before: only those that come after this one.
            limit: how many at most.
            wanted: names and values of fields.
        """
        conditions = [runs.c[name] == value for name, value in wanted.items() if value is not None]
        if among is not None:
            conditions.append(runs.c.dataset_id.in_(among))
        if before is not None:
            # As one comparison, of which an index finds the place.
            conditions.append(tuple_(runs.c.queued_at, runs.c.id) < (before.queued_at, before.id))
        with self._database.reading() as connection:
            return _select(connection, *conditions, limit=limit)

    def unfinished(self, dataset_id: str | None = None) -> list[Run]:
        """The runs that are not done, of all DataSets or of one, newest first."""
        return self._select(*_unfinished(dataset_id))

    def oldest_queued(self) -> dict[str, dt.datetime]:
        """DataSet's id → the oldest slot whose run has not begun; without those that have none."""
        query = select(runs.c.dataset_id, func.min(runs.c.slot, type_=UtcTime)).group_by(runs.c.dataset_id)
        queued = (runs.c.state == RunState.QUEUED, runs.c.slot.is_not(None))
        with self._database.reading() as connection:
            return dict(connection.execute(query.where(*queued)).all())

    def rows_of_each(self, dataset_ids: Collection[str], *, most: int) -> dict[str, list[int]]:
        """DataSet's id → the rows that its newest runs read, those of them that have ended; oldest first."""
        query = _newest(select(runs.c.dataset_id, runs.c.rows_read), dataset_ids, most)
        query = query.where(runs.c.state == RunState.DONE).order_by(runs.c.queued_at, runs.c.id)
        found: dict[str, list[int]] = {}
        with self._database.reading() as connection:
            for id_, rows in connection.execute(query).all():
                found.setdefault(id_, []).append(rows)
        return {id_: rows[-most:] for id_, rows in found.items()}

    def histories(self, dataset_ids: Collection[str], *, most: int) -> dict[str, list[Run]]:
        """DataSet's id → what `history` says, of many at once; without those that have no runs."""
        query = _newest(_NEWEST_FIRST, dataset_ids, most)
        found: dict[str, list[Run]] = {}
        with self._database.reading() as connection:
            for run in read_all(connection, query, Run):
                found.setdefault(run.dataset_id, []).append(run)
        return {id_: known[:most] for id_, known in found.items()}

    def waiting(self, now: dt.datetime) -> list[Waiting]:
        """The runs that are not done and that nobody is at work on, oldest first; those of deleted DataSets wait for ever."""
        with self._database.reading() as connection:
            at = self._database.present(connection, now)
            return [read_record(Waiting, row) for row in connection.execute(_WAITING, {"now": at}).mappings()]

    def _select(self, *conditions: ColumnElement[bool], limit: int | None = None) -> list[Run]:
        with self._database.reading() as connection:
            return _select(connection, *conditions, limit=limit)


def _open(id_: str) -> tuple[ColumnElement[bool], ...]:
    """That it is this run, and not done."""
    return runs.c.id == id_, runs.c.state != RunState.DONE


def _cancelled(at: dt.datetime | None) -> dict[str, Any]:
    return {"state": RunState.DONE, "verdict": Verdict.CANCELLED, "finished_at": at, "not_before": None}


_SAVE = update(runs).where(runs.c.id == bindparam("this_id"))
_NEWEST_FIRST = select_records(runs, Run).order_by(runs.c.queued_at.desc(), runs.c.id.desc())
"""Built once: a run has so many fields that building takes longer than doing."""


def _save(connection: Connection, run: Run) -> None:
    connection.execute(_SAVE, {**msgspec.structs.asdict(run), "this_id": run.id})


def _select(connection: Connection, *conditions: ColumnElement[bool], limit: int | None = None) -> list[Run]:
    query = _NEWEST_FIRST.where(*conditions).limit(limit)
    return [read_record(Run, row) for row in connection.execute(query).mappings()]


def _unfinished(dataset_id: str | None) -> tuple[ColumnElement[bool], ...]:
    of_one = () if dataset_id is None else (runs.c.dataset_id == dataset_id,)
    return (runs.c.state != RunState.DONE, *of_one)


def _waiting() -> Select[Any]:
    whose = func.coalesce(accounts.c.identity, datasets.c.account_id, "").concat(func.coalesce(accounts.c.url, ""))
    fields = [runs.c[name] for name in Waiting.__struct_fields__ if name != "identity"]
    return (
        select(*fields, whose.label("identity"))
        .join(datasets, datasets.c.id == runs.c.dataset_id)
        .outerjoin(accounts, accounts.c.id == datasets.c.account_id)
        .outerjoin(leases, leases.c.name == literal("dataset/").concat(datasets.c.id))
        .where(
            runs.c.state != RunState.DONE,
            LIVE,
            or_(leases.c.expires_at.is_(None), leases.c.expires_at <= bindparam("now", type_=UtcTime)),
        )
        .order_by(runs.c.queued_at, runs.c.id)
    )


_other = runs.alias("other")


def _newest(query: Select[Any], dataset_ids: Collection[str], most: int) -> Select[Any]:
    """Of a query for runs, the newest ones of each of these DataSets: at least so many, more where times are equal."""
    newest = select(_other.c.queued_at).where(_other.c.dataset_id == datasets.c.id)
    last = newest.order_by(_other.c.queued_at.desc()).limit(1).offset(most - 1)
    first = last.correlate(datasets).scalar_subquery()
    # Found once for each DataSet, and not again for each of its runs.
    known = func.coalesce(first, LONG_AGO, type_=UtcTime).label("first")
    each = select(datasets.c.id, known).where(datasets.c.id.in_(dataset_ids))
    since = each.cte("since").prefix_with("MATERIALIZED")
    return query.join(since, since.c.id == runs.c.dataset_id).where(runs.c.queued_at >= since.c.first)


_WAITING = _waiting()
"""Built once: an engine asks it every second."""
