"""Which run is next. Of a DataSet one at a time: one that has begun, then those that were asked for, then those of chains."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from sentry_connector.errors import Cancelled
from sentry_connector.runs.house import House
from sentry_connector.store.records import DataSet, Problem, Run, Trigger, Waiting

AnyRun = TypeVar("AnyRun", Run, Waiting)


def in_order(runs: Sequence[AnyRun]) -> list[AnyRun]:
    """The runs of one DataSet as they are to be done.

    One that has begun has its epoch, so that it would be overtaken by any other. Of a chain the newest days come first.
    """

    def place(run: AnyRun) -> tuple[bool, bool, int, dt.datetime, str]:
        of_chain = run.trigger is Trigger.BACKFILL and run.part is not None
        newest_first = -run.part.end.toordinal() if of_chain and run.part is not None else 0
        return run.epoch is None, of_chain, newest_first, run.slot or run.queued_at, run.id

    return sorted(runs, key=place)


def in_turn(waiting: Sequence[Waiting], now: dt.datetime, active: Mapping[str, int]) -> list[Waiting]:
    """The runs that may begin now, in the order in which they do: round by identity, so that nobody waits for all of another's.

    Args:
        waiting: runs that nobody is at work on, oldest first.
        now: the present; a retry that is not due yet holds its DataSet's other runs back.
        active: identity → how many of its runs are under way.
    """
    by_dataset: defaultdict[str, list[Waiting]] = defaultdict(list)
    for run in waiting:
        by_dataset[run.dataset_id].append(run)
    firsts = [in_order(runs)[0] for runs in by_dataset.values()]
    taken = dict(active)
    rounds = []
    for run in sorted(firsts, key=lambda one: (one.epoch is None, one.queued_at, one.id)):
        if run.not_before is None or run.not_before <= now:
            turn = taken[run.identity] = taken.get(run.identity, 0) + 1
            rounds.append((turn, run))
    return [run for _, run in sorted(rounds, key=lambda one: one[0])]


def interrupted(unfinished: Sequence[Run]) -> Run | None:
    """Of the runs of a DataSet that are not done, the one that is gone on with before any other; None where there is none.

    Queued runs of a chain take turns with others.
    """
    left = in_order(unfinished)
    first = left[0] if left else None
    if first is None or (first.epoch is None and first.trigger is Trigger.BACKFILL):
        return None
    return first


def pending(house: House, dataset: DataSet, days: tuple[dt.date, dt.date] | None = None) -> list[Run]:
    """The runs of chains that are left: one that was interrupted first, then those of the newest days.

    Args:
        house: the parts.
        dataset: whose.
        days: the first and the last of a whole chain; None: of all chains.
    """
    return in_order(
        [
            run
            for run in house.store.runs.unfinished(dataset.id)
            if run.trigger is Trigger.BACKFILL and run.part is not None
            if days is None or days == (run.part.first, run.part.last)
        ]
    )


def drop_waiting(house: House, runs: Iterable[Run], why: str) -> None:
    """Those of the runs that wait for their turn or for their next attempt are over: CANCELLED, with the reason."""
    house.store.runs.drop([run.id for run in runs], Problem(**Cancelled(why).as_dict()), house.now())


def drop_scheduled(house: House, dataset_id: str, why: str) -> None:
    """As `drop_waiting`, for the runs of a DataSet's schedule."""
    drop_waiting(house, (run for run in house.store.runs.unfinished(dataset_id) if run.trigger.is_of_schedule), why)
