"""The slots of schedules in the store: up to when each DataSet's are accounted for, and those that have no run of their own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable

import msgspec
from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, select, update

from sentry_connector.store.database import Database
from sentry_connector.store.records import MANUAL, Becoming, Passed, RunState, Scheduled, Trigger
from sentry_connector.store.rows import insert_once, read_record, select_records
from sentry_connector.store.tables import LIVE, accounts, datasets, runs, slots


class Slots:
    """The slots of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def scheduled(self, dataset_id: str | None = None) -> list[Scheduled]:
        """The DataSets that have a schedule, or that one alone, if it has."""
        of_one = () if dataset_id is None else (datasets.c.id == dataset_id,)
        with self._database.reading() as connection:
            return scheduled(connection, LIVE, *of_one)

    def account(
        self, one: Scheduled, until: dt.datetime, becoming: Callable[[str | None], Becoming] = lambda _busy: Becoming()
    ) -> bool:
        """Account for a DataSet's slots up to a time, in one step with the runs that they become.

        Args:
            one: the DataSet's schedule, as it was read.
            until: up to when.
            becoming: given the id of the DataSet's run that is not done, chains aside, or None: what the slots become.

        Returns:
            Whether that was done: where another process was first, or the DataSet has been changed meanwhile, nothing is.
        """
        unchanged = (
            datasets.c.id == one.dataset_id,
            LIVE,
            datasets.c.schedule == one.schedule,
            datasets.c.paused == one.paused,
            func.coalesce(datasets.c.slots_until, datasets.c.created_at) == one.until,
        )
        with self._database.writing() as connection:
            if connection.execute(update(datasets).where(*unchanged).values(slots_until=until)).rowcount != 1:
                return False
            become = becoming(connection.scalar(_BUSY, {"dataset_id": one.dataset_id}))
            for run in become.runs:
                insert_once(connection, runs, msgspec.structs.asdict(run))
            add_passed(connection, become.passed, after=one.until)
        return True

    def passed(self, dataset_id: str, *, limit: int | None = 100) -> list[Passed]:
        """The slots of a DataSet that have no run of their own, newest first."""
        query = select_records(slots, Passed).where(slots.c.dataset_id == dataset_id)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(slots.c.number.desc()).limit(limit)).mappings()
            return [read_record(Passed, row) for row in rows]


def scheduled(connection: Connection, *conditions: ColumnElement[bool]) -> list[Scheduled]:
    """The schedules of the DataSets that fulfil the conditions."""
    query = (
        select(
            datasets.c.id.label("dataset_id"),
            *(datasets.c[name] for name in ("schedule", "details", "paused", "catch_up", "account_id")),
            accounts.c.status.label("account_status"),
            UNTIL.label("until"),
        )
        .outerjoin(accounts, accounts.c.id == datasets.c.account_id)
        .where(datasets.c.schedule != MANUAL, *conditions)
        .order_by(datasets.c.id)
    )
    return [read_record(Scheduled, row) for row in connection.execute(query).mappings()]


def add_passed(connection: Connection, passed: Iterable[Passed], *, after: dt.datetime) -> None:
    """Store slots that have no run of their own, those after a time."""
    for each in passed:
        _add(connection, each, after=after)


def _add(connection: Connection, passed: Passed, *, after: dt.datetime) -> None:
    """Store them; where the slot before them, that of `after`, was of the same kind, they are counted with it."""
    latest = select(slots).where(slots.c.dataset_id == passed.dataset_id).order_by(slots.c.number.desc()).limit(1)
    row = connection.execute(latest).mappings().first()
    if row is None or row["last"] != after or any(row[name] != getattr(passed, name) for name in _KIND):
        connection.execute(insert(slots).values(**msgspec.structs.asdict(passed)))
        return
    grown = {"last": passed.last, "count": row["count"] + passed.count}
    connection.execute(update(slots).where(slots.c.number == row["number"]).values(**grown))


UNTIL = func.coalesce(datasets.c.slots_until, datasets.c.created_at, type_=datasets.c.created_at.type)

_BUSY = (
    select(runs.c.id)
    .where(
        runs.c.dataset_id == bindparam("dataset_id"),
        runs.c.state != RunState.DONE,
        runs.c.trigger != Trigger.BACKFILL,  # chains take turns with the schedule
    )
    .order_by(runs.c.queued_at, runs.c.id)
    .limit(1)
)
"""The oldest run of a DataSet that is in the way of its slots."""

_KIND = ("reason", "run_id", "merged")
