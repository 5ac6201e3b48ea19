"""How a DataSet is: in a word, and in sentences about what wants attention. Pure: from its runs, its account, and the time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from sentry_connector.runs.slots import GRACE
from sentry_connector.store.records import Account, AccountStatus, DataSet, Kind, Run, RunState, Verdict

ACCOUNT_MISSING = "account missing"
"""The health of a DataSet whose account was deleted: no run can succeed before it has another one."""

TOKEN_REJECTED = "token rejected"  # noqa: S105  # a word for people
PAUSED = "paused"
LATE = "late"

FEWEST = 5
"""Complete runs that show what is usual."""

TIMES = 3
"""A run that takes so many times as long as is usual is slow."""

SLOW = 60.0
"""Seconds that no run is slow within."""

HISTORY = 20
"""Runs that are looked at."""

MOST_NAMED = 8
"""Fields that a sentence about drift names."""


def health(dataset: DataSet, account: Account | None, history: Sequence[Run], now: dt.datetime) -> str:
    """How a DataSet is, in a word.

    Args:
        dataset: whose.
        account: its account; None where it was deleted, or where the DataSet uses the environment's token.
        history: its runs, newest first.
        now: the present.
    """
    if dataset.account_id and account is None:
        return ACCOUNT_MISSING
    if account is not None and account.status is AccountStatus.INVALID:
        return TOKEN_REJECTED
    if _late(history, now) is not None:
        return LATE
    last = history[0] if history else None
    if dataset.paused and (last is None or last.state is RunState.DONE):
        return PAUSED
    return "never run" if last is None else _of_run(last)


def _of_run(run: Run) -> str:
    if run.state is not RunState.DONE or run.verdict is None:
        return run.state.value
    words = {Verdict.COMPLETE: "good", Verdict.INCOMPLETE: "incomplete", Verdict.FAILED: "failing"}
    return words.get(run.verdict, "cancelled")


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that is wrong.

    Attributes:
        kind: of what kind it is.
        message: a sentence for people.
        run_id: the run that shows it; None where none does.
    """

    kind: Kind
    message: str
    run_id: str | None = None


def attention(dataset: DataSet, account: Account | None, history: Sequence[Run], now: dt.datetime) -> list[str]:
    """What wants attention, a sentence each; as `health`."""
    found = []
    if dataset.account_id and account is None:
        found.append("Its account was deleted; give it another one.")
    if account is not None and account.status is AccountStatus.INVALID:
        found.append(f"Sentry does not take its account's token, so that its schedule rests: {account.message}")
    if (late := late_run(history, now)) is not None:
        found.append(late.message)
    ended = [run for run in history if run.state is RunState.DONE]
    if ended:
        found += [one.message for one in of_last(ended[0], ended[1:]) if one.kind is not Kind.DRIFT]
        found += ended[0].warnings  # they tell of drift as well
    return found


def late_run(runs: Iterable[Run], now: dt.datetime) -> Concern | None:
    """Whether a run of the schedule should have begun long ago."""
    late = _late(runs, now)
    if late is None or late.slot is None:
        return None
    return Concern(Kind.LATE, f"The run of {late.slot:%Y-%m-%d %H:%M}Z has not begun.", late.id)


def _late(history: Iterable[Run], now: dt.datetime) -> Run | None:
    """A run that should have begun long ago."""
    waiting = (run for run in history if run.state is RunState.QUEUED and run.slot is not None)
    return next((run for run in waiting if run.slot is not None and now - run.slot > GRACE), None)


def of_last(last: Run, before: Iterable[Run]) -> list[Concern]:
    """What is wrong with a run that ended, beside the complete ones before it, newest first."""
    found, usual = [], [run for run in before if run.verdict is Verdict.COMPLETE]
    if last.verdict is Verdict.FAILED and last.error is not None:
        found.append(Concern(Kind.FAILED, f"The last run failed: {last.error.message} {last.error.remedy}", last.id))
    if last.verdict is Verdict.INCOMPLETE:
        missing = "; ".join(f"{one.scope}: {one.reason}" for one in last.incomplete)
        found.append(Concern(Kind.INCOMPLETE, f"The last run is incomplete: {missing}", last.id))
    if last.drift:
        named = ", ".join(last.drift[:MOST_NAMED]) + (" …" if len(last.drift) > MOST_NAMED else "")
        found.append(
            Concern(
                Kind.DRIFT, f"Sentry's answers hold what the catalogue does not know, kept in _extra: {named}", last.id
            )
        )
    if last.verdict is Verdict.COMPLETE and len(usual) >= FEWEST:
        found += _unusual(last, usual)
    return found


def _unusual(last: Run, usual: Sequence[Run]) -> Iterator[Concern]:
    seconds, rows = _seconds(last), median(run.rows_read for run in usual)
    as_a_rule = median(_seconds(run) for run in usual)
    if seconds > max(SLOW, TIMES * as_a_rule):
        yield Concern(Kind.SLOW, f"The last run took {seconds:.0f} s, where {as_a_rule:.0f} s are usual.", last.id)
    if last.rows_read == 0 and rows > 0:
        yield Concern(Kind.NO_ROWS, f"The last run read no row, where {rows:,.0f} are usual.", last.id)


def _seconds(run: Run) -> float:
    return (run.finished_at - run.started_at).total_seconds() if run.finished_at and run.started_at else 0.0
