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
from sentry_connector.store.outlines import Outline
from sentry_connector.store.records import DELTA, MANUAL, Account, DataSet, Latest, RunState, Scheduled
from sentry_connector.store.rights import Thing
from sentry_connector.store.sizes import Size

RUNS = 20
"""Runs whose rows are shown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A DataSet at a glance.

    Attributes:
        dataset: what it is.
        account: None where it has none, or has it no more.
        owners: their names.
        keeping: whether somebody looks after it.
        health, status: how it is: the exact word, and that of lists.
        last: its newest run.
        fresh_at: when its newest COMPLETE run ended.
        next_slot: when it runs next by itself.
        size: how large its table is; None where nobody knows.
        is_measured: whether the table is certainly as it was when that was measured.
        rows_of_runs: the rows that its newest runs read, oldest first.
    """

    dataset: DataSet
    account: Account | None
    owners: Sequence[str]
    keeping: Keeping
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
    return lines(house, house.store.datasets.outlines())


def lines(house: House, outlines: Sequence[Outline]) -> list[Line]:
    """DataSets at a glance, as `everything`."""
    facts = _Facts.of(house, outlines)
    return [facts.line(one) for one in outlines]


@dataclass(frozen=True, kw_only=True, slots=True)
class Deleted:
    """A DataSet in the bin.

    Attributes:
        dataset: what it is.
        owners: whose it is.
        rows: how many it has.
        until: when it can be restored; None = no more: it is there until its table can be dropped.
    """

    dataset: DataSet
    owners: Sequence[str]
    rows: int | None
    until: dt.datetime | None


def deleted(house: House) -> list[Deleted]:
    """The DataSets in the bin, the one deleted last first."""
    owners, now, found = house.store.grants.all_owners(Thing.DATASET), house.now(), []
    for one in house.store.datasets.outlines([each.id for each in house.store.datasets.deleted()]):
        dataset, size = one.dataset, one.measured.size
        if dataset.deleted_at is None:
            continue  # somebody has restored it meanwhile
        until = dataset.deleted_at + RESTORABLE
        found.append(
            Deleted(
                dataset=dataset,
                owners=owners.get(dataset.id, []),
                rows=size.rows if size else None,
                until=until if now <= until else None,
            )
        )
    return sorted(found, key=lambda one: one.dataset.deleted_at or now, reverse=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Facts:
    """What the store knows of all DataSets, each asked once."""

    now: dt.datetime
    accounts: Mapping[str, Account]
    owners: Mapping[str, Sequence[str]]
    queued: Mapping[str, dt.datetime]
    at_work: frozenset[str]

    @classmethod
    def of(cls, house: House, outlines: Sequence[Outline]) -> _Facts:
        store, now = house.store, house.now()
        account_ids = {one.dataset.account_id for one in outlines}
        return cls(
            now=now,
            accounts=store.accounts.some({id_ for id_ in account_ids if id_}),
            owners=store.grants.all_owners(Thing.DATASET),
            queued=store.runs.oldest_queued(),
            at_work=frozenset(one.name for one in store.leases.living("dataset/", now)),
        )

    def line(self, one: Outline) -> Line:
        """A DataSet at a glance."""
        dataset, account = one.dataset, self.accounts.get(one.dataset.account_id or "")
        slot = None if unknown_schedule(dataset) else _scheduled(one, account)
        missed = missed_slot(slot, self.now) if slot else None
        keeping = Keeping(missed=missed, at_work=f"dataset/{dataset.id}" in self.at_work)
        oldest = self.queued.get(dataset.id)
        is_late = oldest is not None and self.now - oldest > GRACE
        health = in_a_word(dataset, account, one.last, keeping, is_late=is_late)
        return Line(
            dataset=dataset,
            account=account,
            owners=self.owners.get(dataset.id, ()),
            keeping=keeping,
            health=health,
            status=status_of(health),
            last=one.last,
            fresh_at=one.fresh_at,
            next_slot=_next_slot(slot, self.now) if slot else None,
            size=one.measured.size,
            is_measured=one.measured.is_current,
        )


def _scheduled(one: Outline, account: Account | None) -> Scheduled | None:
    """The schedule of a DataSet that has one."""
    dataset = one.dataset
    if dataset.schedule == MANUAL or dataset.deleted_at is not None:
        return None
    return Scheduled(
        dataset_id=dataset.id,
        schedule=dataset.schedule,
        details=dataset.details,
        paused=dataset.paused,
        catch_up=dataset.catch_up,
        account_id=dataset.account_id,
        account_status=account.status if account else None,
        until=one.until,
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
