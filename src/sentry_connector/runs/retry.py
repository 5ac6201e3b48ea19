"""Attempts at a run: when another one is due, and what is kept of each. Apart from the requests' own retries. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import msgspec

from sentry_connector.errors import Cancelled, ConnectorError, CredentialError, KeyViolated, RunCrashed, UsageError
from sentry_connector.runs.outcome import Outcome
from sentry_connector.store.records import Attempt, Problem, Retry, Run, Verdict

SOMEBODY_MUST_ACT: tuple[type[ConnectorError], ...] = (
    UsageError,
    CredentialError,
    KeyViolated,
    RunCrashed,
    Cancelled,
)
"""What no further attempt cures: a setting, a choice or a token has to change, or a table's key."""

MOST_BEGUN = 10
"""Processes that may die at a run, one after another, without getting any further."""


def next_attempt(run: Run, retry: Retry | None, outcome: Outcome, now: dt.datetime) -> dt.datetime | None:
    """When a run that ended so is tried again; None where it is not.

    A run failed where it committed nothing. Only runs of a schedule are tried again.
    """
    if retry is None or not run.trigger.is_of_schedule or run.attempt > retry.times:
        return None
    if outcome.committed is not None or outcome.verdict not in {Verdict.FAILED, Verdict.INCOMPLETE}:
        return None
    if isinstance(outcome.error, SOMEBODY_MUST_ACT):
        return None
    return now + dt.timedelta(seconds=retry.every)


def begun(run: Run, now: dt.datetime, worker: str | None = None) -> Run:
    """The run with its current attempt begun by a worker: a new one, or one that another process left when it died.

    Raises:
        RunCrashed: too many processes died at it.
    """
    *before, last = run.attempts or (None,)
    if last is None or last.finished_at is not None:
        fresh = Attempt(number=len(run.attempts) + 1, started_at=now, reached=run.requests, worker=worker)
        return msgspec.structs.replace(run, attempt=fresh.number, attempts=(*run.attempts, fresh), not_before=None)
    times = last.begun + 1 if run.requests == last.reached else 1
    last = msgspec.structs.replace(last, begun=times, reached=run.requests, worker=worker)
    if times > MOST_BEGUN:
        raise RunCrashed(f"{MOST_BEGUN} processes died at this run, and none got any further than the one before.")
    return msgspec.structs.replace(run, attempts=(*before, last), not_before=None)


def left(run: Run) -> Run:
    """The run with its current attempt left in peace, to be gone on with: nobody died at it."""
    *before, last = run.attempts or (None,)
    if last is None or last.finished_at is not None:
        return run
    return msgspec.structs.replace(run, attempts=(*before, msgspec.structs.replace(last, begun=last.begun - 1)))


def ended(
    run: Run, outcome: Outcome, figures: Mapping[str, float], error: Problem | None, now: dt.datetime
) -> tuple[Attempt, ...]:
    """The attempts of a run with the current one as it ended.

    Args:
        run: as it was.
        outcome: how the attempt ended.
        figures: what the run has cost so far, with the attempts before.
        error: what is kept of the outcome's error.
        now: the present.
    """
    *before, last = run.attempts or (None,)
    if last is None:
        return ()  # it ended before it began
    costs = {name: total - sum(getattr(one, name) for one in before if one) for name, total in figures.items()}
    found = {"verdict": outcome.verdict, "error": error, "incomplete": outcome.incomplete, "warnings": outcome.warnings}
    return (*run.attempts[:-1], msgspec.structs.replace(last, **found, **outcome.rows(), **costs, finished_at=now))
