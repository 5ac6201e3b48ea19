"""Backfill: earlier days are read by a chain of runs, newest first. A chain that was cut off goes on where it stopped."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.errors import UsageError
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations.audited import audited
from sentry_connector.operations.edits import definition_of, refuse_loss
from sentry_connector.operations.running import to_its_end
from sentry_connector.reports import catalogue, windows
from sentry_connector.reports.details import DateRange
from sentry_connector.runs import chain, queue
from sentry_connector.runs.house import House
from sentry_connector.store.ids import new_id
from sentry_connector.store.records import DataSet, Run, Verdict


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


@audited("datasets backfill", "days")
def begin(house: House, name: str, days: DateRange, id: str | None = None) -> Chain:  # noqa: A002  # the field's name
    """Store the runs of a backfill; where the same days are being backfilled already, that chain goes on.

    Replace keeps the rows of its last run alone, so that one run reads all days.

    Args:
        house: the parts.
        name: the DataSet's.
        days: which; relative ones count from now.
        id: of a new chain, where it was chosen before.

    Raises:
        UnknownName: there is no such DataSet.
        UsageError: its report has no dates.
        DatesError: the days make no window.
        LossNotAccepted: Replace would drop rows of other days.
    """
    dataset, now = house.store.datasets.find(name), house.now()
    if catalogue.find(dataset.report).time_column is None:
        raise UsageError(f"{dataset.report} has no dates: each run reads all of it.", remedy="Use `datasets run`.")
    window = windows.resolve(days, timezone=dataset.details.timezone, now=now)
    if window.first_day is None or window.last_day is None:
        raise ValueError("a range of days has a first and a last one")
    first, last = window.first_day, window.last_day
    in_one = dataset.update_method is UpdateMethod.REPLACE
    if in_one:
        details = msgspec.structs.replace(dataset.details, duration=days)
        refuse_loss(house, dataset, msgspec.structs.replace(definition_of(dataset), details=details))
    before = queue.pending(house, dataset, (first, last))
    if before and _is_stored_whole(house, before[0]):
        return Chain(dataset=dataset, runs=tuple(before), goes_on=True, in_one=in_one)
    length = (last - first).days + 1 if in_one else chain.DAYS_AT_A_TIME
    name = before[0].part.chain if before and before[0].part else id or new_id(now, house.rng)
    for part in reversed(chain.weeks(name, first, last, length)):  # the newest last: with it the chain is stored whole
        house.store.runs.add(chain.run_of(part, dataset.id, now))
    runs = queue.pending(house, dataset, (first, last))
    return Chain(dataset=dataset, runs=tuple(runs), goes_on=bool(before), in_one=in_one)


async def go_through(house: House, dataset: DataSet, *, after: Run | None = None, wait_lock: float = 0.0) -> list[Run]:
    """Bring the runs that are left of a DataSet's chains to their ends, one after another, until one fails.

    Args:
        house: the parts.
        dataset: whose.
        after: the run before: where that failed, none begins.
        wait_lock: seconds to wait for another process that is at work on the DataSet.

    Raises:
        Locked: another process is at work on it.
    """
    ends = [] if after is None else [after]
    begun = len(ends)
    while not (ends and ends[-1].verdict not in _GOOD_ENOUGH):
        left = await house.aside(lambda: queue.pending(house, dataset))
        if not left:
            break
        ends.append(await to_its_end(house, left[0], progress=Progress(), wait_lock=wait_lock))
    return ends[begun:]


_GOOD_ENOUGH = {Verdict.COMPLETE, Verdict.INCOMPLETE}
"""Ends after which the next run of a chain begins: another one would fail as a rule too."""


def _is_stored_whole(house: House, run: Run) -> bool:
    """Whether the chain of a run has its newest days, which are stored last; a process may have died before."""
    if run.part is None or run.part.end == run.part.last:
        return True
    parts = (one.part for one in house.store.runs.history(run.dataset_id, limit=None))
    return any(part.chain == run.part.chain and part.end == part.last for part in parts if part is not None)
