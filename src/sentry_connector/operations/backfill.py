"""Backfill: earlier days are read by a chain of runs, newest first. A chain that was cut off goes on where it stopped."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import dataclass

import msgspec

from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.errors import UsageError
from sentry_connector.extraction.progress import Progress
from sentry_connector.reports import catalogue, windows
from sentry_connector.reports.details import DateRange
from sentry_connector.runs import chain
from sentry_connector.runs.execute import execute
from sentry_connector.runs.house import House
from sentry_connector.store.ids import new_id
from sentry_connector.store.records import DataSet, Part, Run, RunState, Trigger, Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Chain:
    """A chain of runs that is stored, to be gone through.

    Attributes:
        dataset: whose rows it brings.
        runs: those that are left, in their order.
        goes_on: it was begun before.
        in_one: Replace: one run reads all days.
    """

    dataset: DataSet
    runs: tuple[Run, ...]
    goes_on: bool
    in_one: bool


def queue(house: House, name: str, days: DateRange) -> Chain:
    """Store the runs of a backfill; where the same days are being backfilled already, that chain goes on.

    Replace keeps the rows of its last run alone, so that one run reads all days.

    Args:
        house: the parts.
        name: the DataSet's.
        days: which; relative ones count from now.

    Raises:
        UnknownName: there is no such DataSet.
        UsageError: its report has no dates.
        DatesError: the days make no window.
    """
    dataset, now = house.store.datasets.find(name), house.now()
    if catalogue.find(dataset.report).time_column is None:
        raise UsageError(f"{dataset.report} has no dates: each run reads all of it.", remedy="Use `datasets run`.")
    window = windows.resolve(days, timezone=dataset.details.timezone, now=now)
    if window.first_day is None or window.last_day is None:
        raise ValueError("a range of days has a first and a last one")
    first, last = window.first_day, window.last_day
    in_one = dataset.update_method is UpdateMethod.REPLACE
    before = pending(house, dataset, (first, last))
    if before and _is_stored_whole(house, before[0]):
        return Chain(dataset=dataset, runs=tuple(before), goes_on=True, in_one=in_one)
    length = (last - first).days + 1 if in_one else chain.DAYS_AT_A_TIME
    name = before[0].part.chain if before and before[0].part else new_id(now, house.rng)
    for part in reversed(chain.weeks(name, first, last, length)):  # the newest last: with it the chain is stored whole
        house.store.runs.add(chain.run_of(part, dataset.id, now))
    runs = pending(house, dataset, (first, last))
    return Chain(dataset=dataset, runs=tuple(runs), goes_on=bool(before), in_one=in_one)


def _is_stored_whole(house: House, run: Run) -> bool:
    """Whether the chain of a run has its newest days, which are stored last; a process may have died before."""
    if run.part is None or run.part.end == run.part.last:
        return True
    parts = (one.part for one in house.store.runs.history(run.dataset_id, limit=None))
    return any(part.chain == run.part.chain and part.end == part.last for part in parts if part is not None)


def pending(house: House, dataset: DataSet, days: tuple[dt.date, dt.date] | None = None) -> list[Run]:
    """The runs of chains that are left: one that was interrupted first, then those of the newest days.

    Args:
        house: the parts.
        dataset: whose.
        days: the first and the last of a whole chain; None: of all chains.
    """
    left = [
        (run.epoch is None, -run.part.end.toordinal(), run)
        for run in house.store.runs.unfinished()
        if run.dataset_id == dataset.id and run.trigger is Trigger.BACKFILL and run.part is not None
        if days is None or days == (run.part.first, run.part.last)
    ]
    return [run for *_, run in sorted(left, key=lambda one: one[:2])]


async def step(house: House, run: Run, *, progress: Progress, wait_lock: float = 0.0) -> Run:
    """Bring a run to its end.

    Where one of a backfill fails, its days are queued again, so that the chain can go on there. Where it is the first of a chain
    that a large run became, the chain is given up: the next run has the same days before it.

    Raises:
        Locked: another process works on the DataSet.
    """
    done = await execute(run.id, house, progress=progress, wait_lock=wait_lock)
    if done.verdict is Verdict.FAILED and done.part is not None:
        if done.trigger is Trigger.BACKFILL:
            _queue_again(house, done.part, done.dataset_id)
        else:
            _give_up(house, done.part.chain)
    return done


def _give_up(house: House, name: str) -> None:
    """The runs of a chain that have not begun will not."""
    for run in house.store.runs.unfinished():
        if run.part is not None and run.part.chain == name:
            ended = {"state": RunState.DONE, "verdict": Verdict.CANCELLED, "finished_at": house.now()}
            house.store.runs.save(msgspec.structs.replace(run, **ended))


def _queue_again(house: House, part: Part, dataset_id: str) -> None:
    for attempt in itertools.count(2):
        if house.store.runs.add(chain.run_of(part, dataset_id, house.now(), attempt)):
            return


def interrupted(house: House, dataset: DataSet) -> Run | None:
    """The run that is to be gone on with before any other; None where there is none.

    Queued runs of a chain take turns with others. One that has begun has its epoch: it would be overtaken.
    """
    left = [run for run in house.store.runs.unfinished() if run.dataset_id == dataset.id]
    begun = [run for run in left if run.epoch is not None]
    asked = [run for run in left if run.trigger is not Trigger.BACKFILL or run.state is not RunState.QUEUED]
    return next(reversed(begun or asked), None)
