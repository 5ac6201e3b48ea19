"""What becomes of the slots of a schedule: a run of its own, stood for by another run, or passed over with a reason.

Pure: what is due and what stands in the way come in, what is to be stored comes out.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sentry_connector.store.records import AccountStatus, Becoming, CatchUp, Passed, Run, Scheduled, Trigger

GRACE = dt.timedelta(minutes=2)
"""A slot that is found within this time is in time; a later one was missed."""

MOST_MISSED = 1000
"""Missed slots that all become runs of their own, the newest ones; what was missed before them is passed over."""


def becoming(one: Scheduled, due: Sequence[dt.datetime], now: dt.datetime, busy: str | None) -> Becoming:
    """What the slots become that have come due since the last look.

    Args:
        one: the schedule, and what stands in its way.
        due: the slots, oldest first.
        now: the present.
        busy: id of the DataSet's run that is not done, chains aside; None where there is none.
    """
    if not due:
        return Becoming()
    reason = obstacle(one)
    if reason is not None:
        return Becoming(passed=(_passed(one, due, reason),))
    if one.catch_up is CatchUp.ALL:
        before, rest = due[:-MOST_MISSED], due[-MOST_MISSED:]
        too_many = f"more than {MOST_MISSED} slots were missed"
        return Becoming(
            runs=tuple(_run(one, slot, now) for slot in rest),
            passed=(_passed(one, before, too_many),) if before else (),
        )
    if busy is not None:
        return Becoming(passed=(_passed(one, due, "another run was not done", run_id=busy),))
    *missed, latest = due
    if one.catch_up is CatchUp.NONE:
        late = now - latest > GRACE
        gone = due if late else missed
        return Becoming(
            runs=() if late else (_run(one, latest, now),),
            passed=(_passed(one, gone, "it was missed"),) if gone else (),
        )
    run = _run(one, latest, now)
    merged = (
        _passed(one, missed, "it was missed; a later one stands for it", run_id=run.id, merged=True) if missed else None
    )
    return Becoming(runs=(run,), passed=(merged,) if merged else ())


def passed_over(one: Scheduled, due: Sequence[dt.datetime], why: str) -> tuple[Passed, ...]:
    """The slots that have come due since the last look, where none of them becomes a run any more."""
    return (_passed(one, due, obstacle(one) or why),) if due else ()


def slot_id(dataset_id: str, slot: dt.datetime) -> str:
    """The id of a slot's run: `<dataset>@<slot>`, so that it is stored once whoever finds it."""
    return f"{dataset_id}@{slot.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}"


def obstacle(one: Scheduled) -> str | None:
    """Why no slot of a DataSet becomes a run; None where they do."""
    if one.paused:
        return "the DataSet was paused"
    if one.account_id is not None and one.account_status is None:
        return "its account was deleted"
    if one.account_status is AccountStatus.INVALID:
        return "Sentry does not take its account's token"
    return None


def _run(one: Scheduled, slot: dt.datetime, now: dt.datetime) -> Run:
    trigger = Trigger.SCHEDULE if now - slot <= GRACE else Trigger.CATCH_UP
    return Run(id=slot_id(one.dataset_id, slot), dataset_id=one.dataset_id, trigger=trigger, slot=slot, queued_at=now)


def _passed(
    one: Scheduled, slots: Sequence[dt.datetime], reason: str, *, run_id: str | None = None, merged: bool = False
) -> Passed:
    return Passed(
        dataset_id=one.dataset_id,
        first=slots[0],
        last=slots[-1],
        count=len(slots),
        reason=reason,
        run_id=run_id,
        merged=merged,
    )
