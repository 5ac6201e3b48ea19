"""How a DataSet is: in a word, and in sentences about what wants attention. Pure: from its runs, its account, and the time."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Protocol

from sentry_connector.datasets import schedule as schedules
from sentry_connector.errors import DatesError, ScheduleError
from sentry_connector.reports import windows
from sentry_connector.runs.slots import GRACE, obstacle
from sentry_connector.store.records import (
    Account,
    AccountStatus,
    DataSet,
    Kind,
    Run,
    RunState,
    Scheduled,
    Trigger,
    Verdict,
)

ACCOUNT_MISSING = "account missing"
"""The health of a DataSet whose account was deleted: no run can succeed before it has another one."""

TOKEN_REJECTED = "token rejected"  # noqa: S105  # a word for people
PAUSED = "paused"
NEVER_RUN = "never run"
LATE = "late"

SCHEDULE_UNKNOWN = "schedule unknown"
"""The health of a DataSet whose schedule a newer version of this program wrote, or whose zone is no more."""

INTERRUPTED = "interrupted"
"""The health of a DataSet at whose run nobody is at work any more."""

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Keeping:
    """Whether somebody looks after a DataSet.

    Attributes:
        missed: the first slot that nobody has looked at in time; None where there is none.
        at_work: whether somebody is at work on its run that is under way.
    """

    missed: dt.datetime | None = None
    at_work: bool = True


class Told(Protocol):
    """How far a run is, and what became of it."""

    @property
    def state(self) -> RunState:
        """How far it is."""

    @property
    def verdict(self) -> Verdict | None:
        """What became of it."""


def health(
    dataset: DataSet, account: Account | None, history: Sequence[Run], now: dt.datetime, keeping: Keeping | None = None
) -> str:
    """How a DataSet is, in a word.

    Args:
        dataset: whose.
        account: its account; None where it was deleted, or where the DataSet uses the environment's token.
        history: its runs, newest first.
        now: the present.
        keeping: whether somebody looks after it; None = somebody does.
    """
    last = history[0] if history else None
    return in_a_word(dataset, account, last, keeping or Keeping(), is_late=_late(history, now) is not None)


def in_a_word(dataset: DataSet, account: Account | None, last: Told | None, keeping: Keeping, *, is_late: bool) -> str:
    """As `health`, by what a list knows: the newest run, and whether a run of the schedule should have begun long ago."""
    words = {
        ACCOUNT_MISSING: bool(dataset.account_id) and account is None,
        TOKEN_REJECTED: account is not None and account.status is AccountStatus.INVALID,
        SCHEDULE_UNKNOWN: unknown_schedule(dataset) is not None,
        INTERRUPTED: last is not None and last.state is RunState.RUNNING and not keeping.at_work,
        LATE: keeping.missed is not None or is_late,
        PAUSED: dataset.paused and (last is None or last.state is RunState.DONE),
    }
    shown = next((word for word, is_so in words.items() if is_so), None)
    return shown or (NEVER_RUN if last is None else _of_run(last))


def _of_run(run: Told) -> str:
    if run.state is not RunState.DONE or run.verdict is None:
        return run.state.value
    words = {Verdict.COMPLETE: "good", Verdict.INCOMPLETE: "incomplete", Verdict.FAILED: "failing"}
    return words.get(run.verdict, "cancelled")


class Status(StrEnum):
    """How a DataSet is, as lists show it; in the order of what is to be looked at first."""

    NEEDS_ATTENTION = "needs attention"
    FAILED = "failed"
    RETRYING = "retrying"
    RUNNING = "running"
    QUEUED = "queued"
    CANCELLED = "cancelled"
    NEVER_RUN = "never run"
    PAUSED = "paused"
    SUCCESS = "success"


_STATUSES = {
    "failing": Status.FAILED,
    "retrying": Status.RETRYING,
    "running": Status.RUNNING,
    "queued": Status.QUEUED,
    "cancelled": Status.CANCELLED,
    NEVER_RUN: Status.NEVER_RUN,
    PAUSED: Status.PAUSED,
    "good": Status.SUCCESS,
}


def status_of(word: str) -> Status:
    """The status that a DataSet of that health has: whatever no run can put right by itself needs attention."""
    return _STATUSES.get(word, Status.NEEDS_ATTENTION)


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


def attention(
    dataset: DataSet, account: Account | None, history: Sequence[Run], now: dt.datetime, keeping: Keeping | None = None
) -> list[str]:
    """What wants attention, a sentence each; as `health`."""
    keeping = keeping or Keeping()
    found = []
    if dataset.account_id and account is None:
        found.append("Its account was deleted; give it another one.")
    if account is not None and account.status is AccountStatus.INVALID:
        found.append(f"Sentry does not take its account's token, so that its schedule rests: {account.message}")
    if (why := unknown_schedule(dataset)) is not None:
        found.append(f"Its schedule is kept by nobody: {why}")
    if keeping.missed is not None:
        found.append(
            f"Nobody has looked at its slot of {keeping.missed:%Y-%m-%d %H:%M}Z: `sentry-connector serve` keeps schedules."
        )
    if (late := late_run(history, now)) is not None:
        found.append(late.message)
    if history:
        found += _of_unfinished(dataset, history[0], history[1:], now, keeping)
    ended = [run for run in history if run.state is RunState.DONE]
    if ended:
        found += [one.message for one in of_last(ended[0], ended[1:]) if one.kind is not Kind.DRIFT]
        found += ended[0].warnings  # they tell of drift as well
    return found


def _of_unfinished(
    dataset: DataSet, run: Run, before: Sequence[Run], now: dt.datetime, keeping: Keeping
) -> Iterator[str]:
    """What there is to say about a run that has begun and is not done."""
    if run.state is RunState.RETRYING and run.not_before is not None and dataset.retry is not None:
        why = run.error.message if run.error else "rows are missing."
        attempts = f"{run.attempt + 1}/{dataset.retry.times + 1}"
        yield f"Retrying {attempts}, again at {run.not_before:%H:%M}Z: {why}"
    elif run.state is RunState.RUNNING and not keeping.at_work:
        yield "Its run was interrupted, and nobody is at work on it; a server, or `datasets run`, goes on with it."
    else:
        yield from (one.message for one in of_running(dataset, run, before, now))


def unknown_schedule(dataset: DataSet) -> str | None:
    """Why this program cannot keep a DataSet's schedule; None where it can."""
    try:
        schedules.parse(dataset.schedule)
        windows.zone(dataset.details.timezone)
    except (ScheduleError, DatesError) as error:
        return error.message
    return None


def missed_slot(one: Scheduled, now: dt.datetime) -> dt.datetime | None:
    """The first slot that nobody has accounted for, though its time is over.

    Raises:
        ScheduleError, DatesError: the rule or the zone is not one that this program knows.
    """
    schedule, zone = schedules.parse(one.schedule), windows.zone(one.details.timezone)
    first = schedules.first_after(schedule, zone, one.until)
    return first if first is not None and now - first > GRACE and obstacle(one) is None else None


def of_running(dataset: DataSet, run: Run, before: Iterable[Run], now: dt.datetime) -> list[Concern]:
    """What is wrong with a run that is under way, beside the complete ones before it, newest first.

    It may never end: it is late where a second slot is passed over behind it, unless its runs take as long as a rule.
    """
    began = run.attempts[-1].started_at if run.attempts else run.started_at
    if run.state is not RunState.RUNNING or began is None:
        return []
    usual = [one.seconds or 0.0 for one in before if one.verdict is Verdict.COMPLETE]
    seconds, as_a_rule = (now - began).total_seconds(), median(usual) if usual else 0.0
    found = []
    if len(usual) >= FEWEST and seconds > max(SLOW, TIMES * as_a_rule):
        words = f"The run has been under way for {seconds:.0f} s, where {as_a_rule:.0f} s are usual."
        found.append(Concern(Kind.SLOW, words, run.id))
    if seconds > TIMES * as_a_rule and _holds_up(dataset, run, began, now):
        words = f"Slots are passed over: the run that began at {began:%Y-%m-%d %H:%M}Z has not ended."
        found.append(Concern(Kind.LATE, words, run.id))
    return found


def _holds_up(dataset: DataSet, run: Run, began: dt.datetime, now: dt.datetime) -> bool:
    """Whether a second slot has come due behind a run, and gone by."""
    if dataset.paused or run.trigger is Trigger.BACKFILL or unknown_schedule(dataset) is not None:
        return False
    schedule, zone = schedules.parse(dataset.schedule), windows.zone(dataset.details.timezone)
    second = next(itertools.islice(schedules.slots(schedule, zone, began), 1, None), None)
    return second is not None and now - second.at > GRACE


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
    seconds, rows = last.seconds or 0.0, median(run.rows_read for run in usual)
    as_a_rule = median(run.seconds or 0.0 for run in usual)
    if seconds > max(SLOW, TIMES * as_a_rule):
        yield Concern(Kind.SLOW, f"The last run took {seconds:.0f} s, where {as_a_rule:.0f} s are usual.", last.id)
    if last.rows_read == 0 and rows > 0:
        yield Concern(Kind.NO_ROWS, f"The last run read no row, where {rows:,.0f} are usual.", last.id)
