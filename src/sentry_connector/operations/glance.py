"""DataSets at a glance: how each is, how large, when it ran and runs next. A few queries, however many there are."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sentry_connector.datasets import schedule as schedules
from sentry_connector.errors import ConnectorError
from sentry_connector.reports import windows
from sentry_connector.runs.health import Keeping, Status, in_a_word, missed_slot, status_of, unknown_schedule
from sentry_connector.runs.house import House
from sentry_connector.runs.measure import measure
from sentry_connector.runs.slots import GRACE, obstacle
from sentry_connector.store.datasets import RESTORABLE
from sentry_connector.store.records import DELTA, Account, DataSet, Latest, RunState, Scheduled, Verdict
from sentry_connector.store.rights import Thing
from sentry_connector.store.sizes import Measured, Size

RUNS = 20
"""Runs whose rows are shown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A DataSet at a glance.

    Attributes:
        dataset: what it is.
        account: the name of its account; None where it has none, or has it no more.
        owners: their names.
        health, status: how it is: the exact word, and that of lists.
        last: its newest run.
        fresh_at: when its newest COMPLETE run ended.
        next_slot: when it runs next by itself.
        size: how large its table is; None where nobody knows.
        is_measured: whether the table is certainly as it was when that was measured.
        rows_of_runs: the rows that its newest runs read, oldest first.
    """

    dataset: DataSet
    account: str | None
    owners: Sequence[str]
    health: str
    status: Status
    last: Latest | None
    fresh_at: dt.datetime | None
    next_slot: dt.datetime | None
    size: Size | None
    is_measured: bool
    rows_of_runs: Sequence[int] = ()


def everything(house: House) -> list[Line]:
    """All DataSets, by name; without the rows of their runs."""
    datasets = house.store.datasets.list()
    facts = Facts.of(house, datasets)
    return [facts.line(one) for one in datasets]


@dataclass(frozen=True, kw_only=True, slots=True)
class Deleted:
    """A DataSet in the bin: what it is, its owners, how many rows it has, and until when it can be restored."""

    dataset: DataSet
    owners: Sequence[str]
    rows: int | None
    until: dt.datetime


def deleted(house: House) -> list[Deleted]:
    """The DataSets that can be restored, the one deleted last first."""
    owners, sizes, now = house.store.grants.all_owners(Thing.DATASET), house.store.sizes.all(), house.now()
    found = []
    for dataset in house.store.datasets.deleted():
        if dataset.deleted_at is not None and now - dataset.deleted_at <= RESTORABLE:
            size = sizes[dataset.id].size if dataset.id in sizes else None
            until = dataset.deleted_at + RESTORABLE
            owned = owners.get(dataset.id, [])
            found.append(Deleted(dataset=dataset, owners=owned, rows=size.rows if size else None, until=until))
    return sorted(found, key=lambda one: one.until, reverse=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What the store knows of all DataSets, each asked once."""

    now: dt.datetime
    accounts: Mapping[str, Account]
    owners: Mapping[str, Sequence[str]]
    latest: Mapping[str, Latest]
    fresh: Mapping[str, dt.datetime]
    queued: Mapping[str, dt.datetime]
    accounted: Mapping[str, dt.datetime]
    at_work: frozenset[str]
    sizes: Mapping[str, Measured]

    @classmethod
    def of(cls, house: House, datasets: Sequence[DataSet]) -> Facts:
        """Ask what there is to know of some DataSets."""
        store, now = house.store, house.now()
        latest = store.runs.latest()
        return cls(
            now=now,
            accounts=store.accounts.some({one.account_id for one in datasets if one.account_id}),
            owners=store.grants.all_owners(Thing.DATASET),
            latest=latest,
            fresh=store.runs.fresh([id_ for id_, run in latest.items() if run.verdict is not Verdict.COMPLETE]),
            queued=store.runs.oldest_queued(),
            accounted=store.slots.accounted(),
            at_work=frozenset(one.name for one in store.leases.living("dataset/", now)),
            sizes=store.sizes.all(),
        )

    def line(self, dataset: DataSet) -> Line:
        """A DataSet at a glance."""
        account, last, slot = self.account(dataset), self.latest.get(dataset.id), self._scheduled(dataset)
        oldest = self.queued.get(dataset.id)
        is_late = oldest is not None and self.now - oldest > GRACE
        health = in_a_word(dataset, account, last, self._keeping(dataset, slot), is_late=is_late)
        measured = self.sizes.get(dataset.id)
        return Line(
            dataset=dataset,
            account=account.name if account else None,
            owners=self.owners.get(dataset.id, ()),
            health=health,
            status=status_of(health),
            last=last,
            fresh_at=last.finished_at if last and last.verdict is Verdict.COMPLETE else self.fresh.get(dataset.id),
            next_slot=_next_slot(slot, self.now) if slot else None,
            size=measured.size if measured else None,
            is_measured=measured is not None and measured.is_current,
        )

    def account(self, dataset: DataSet) -> Account | None:
        """The DataSet's account, if it has one (still)."""
        return self.accounts.get(dataset.account_id or "")

    def keeping(self, dataset: DataSet) -> Keeping:
        """Whether somebody looks after the DataSet."""
        return self._keeping(dataset, self._scheduled(dataset))

    def _keeping(self, dataset: DataSet, slot: Scheduled | None) -> Keeping:
        missed = missed_slot(slot, self.now) if slot else None
        return Keeping(missed=missed, at_work=f"dataset/{dataset.id}" in self.at_work)

    def _scheduled(self, dataset: DataSet) -> Scheduled | None:
        until, account = self.accounted.get(dataset.id), self.account(dataset)
        if until is None or dataset.deleted_at is not None or unknown_schedule(dataset) is not None:
            return None
        return Scheduled(
            dataset_id=dataset.id,
            schedule=dataset.schedule,
            details=dataset.details,
            paused=dataset.paused,
            catch_up=dataset.catch_up,
            account_id=dataset.account_id,
            account_status=account.status if account else None,
            until=until,
        )


def _next_slot(one: Scheduled, now: dt.datetime) -> dt.datetime | None:
    """When a DataSet runs next by itself. What comes after the last slot stays the same until that has come."""
    if obstacle(one) is not None:
        return None
    schedule, zone = schedules.parse(one.schedule), windows.zone(one.details.timezone)
    first = schedules.first_after(schedule, zone, one.until)
    return first if first is None or first > now else schedules.first_after(schedule, zone, now)


def measured(house: House, lines: Sequence[Line]) -> list[Line]:
    """The lines, where a table was changed by something that was no run, or measured by no run yet, with its size as it is.

    Where a run is under way it will measure the table anew by itself; a database is asked by runs alone, since it may not answer.
    """

    def looked_at(line: Line) -> Line:
        under_way = line.last is not None and line.last.state is not RunState.DONE
        if line.is_measured or (under_way and line.size is not None) or line.dataset.destination != DELTA:
            return line
        with contextlib.suppress(ConnectorError):  # a table that cannot be read is told of by its own page
            return replace(line, size=measure(house, line.dataset, house.table(line.dataset)), is_measured=True)
        return line

    return [looked_at(line) for line in lines]


def with_rows(house: House, lines: Sequence[Line]) -> list[Line]:
    """The lines, with what their newest runs read."""
    found = house.store.runs.rows_of_each([line.dataset.id for line in lines], most=RUNS) if lines else {}
    return [replace(line, rows_of_runs=found.get(line.dataset.id, ())) for line in lines]
