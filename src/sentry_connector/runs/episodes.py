"""Episodes: what is wrong begins, and is over. One notice is told of each, however often it is seen meanwhile. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Sequence

from sentry_connector.errors import TokenRejected
from sentry_connector.runs.health import Concern, of_last
from sentry_connector.store.records import Account, AccountStatus, DataSet, Kind, Notice, Run, Verdict

OVER: dict[Kind, str] = {
    Kind.FAILED: "Its runs succeed again.",
    Kind.INCOMPLETE: "Its runs are complete again.",
    Kind.LATE: "Its runs begin in time again.",
    Kind.SLOW: "Its runs take as long as usual again.",
    Kind.NO_ROWS: "Its runs read rows again.",
    Kind.DRIFT: "Sentry's answers are what the catalogue knows again.",
    Kind.PAUSED: "Its schedule goes on.",
    Kind.TOKEN_REJECTED: "Sentry takes its token again; the schedules of its DataSets go on.",
    Kind.ACCOUNT_MISSING: "No DataSet is left without its account.",
    Kind.SCHEDULE_UNKNOWN: "It has a schedule again that can be kept.",
}

_SHOWN_BY: dict[Verdict, frozenset[Kind]] = {
    Verdict.COMPLETE: frozenset({Kind.FAILED, Kind.INCOMPLETE, Kind.SLOW, Kind.NO_ROWS, Kind.DRIFT}),
    Verdict.INCOMPLETE: frozenset({Kind.INCOMPLETE, Kind.DRIFT}),
    Verdict.FAILED: frozenset({Kind.FAILED}),
    Verdict.CANCELLED: frozenset(),
}
"""What the end of a run can say: one that failed does not show that rows are no longer missing."""

OF_TIME = frozenset({Kind.LATE, Kind.PAUSED, Kind.SCHEDULE_UNKNOWN})
"""What shows without a run: looked for once a minute."""

NewId = Callable[[], str]


def of_run(
    dataset: DataSet, run: Run, before: Sequence[Run], going_on: Collection[Kind], now: dt.datetime, new_id: NewId
) -> list[Notice]:
    """What is to be told when a run ends.

    A rejected token of an account is told once, as the account's own affair.

    Args:
        dataset: whose.
        run: as it ended.
        before: the runs that had ended before it, newest first.
        going_on: the DataSet's episodes that are not over.
        now: the present.
        new_id: makes the ids of notices.
    """
    is_the_accounts = run.error is not None and run.error.name == TokenRejected.name and dataset.account_id is not None
    if run.verdict is None or is_the_accounts:
        return []
    found = _changes(of_last(run, before), going_on, _SHOWN_BY[run.verdict])
    return [_notice(dataset, kind, one, now, new_id(), run_id=run.id) for kind, one in found]


def of_time(
    dataset: DataSet, concerns: Iterable[Concern], going_on: Collection[Kind], now: dt.datetime, new_id: NewId
) -> list[Notice]:
    """What is to be told of a DataSet when nothing has ended; arguments as `of_run`."""
    return [_notice(dataset, kind, one, now, new_id()) for kind, one in _changes(concerns, going_on, OF_TIME)]


def of_account(
    account: Account, going_on: Collection[Kind], used_by: Sequence[str], now: dt.datetime, new_id: NewId
) -> list[Notice]:
    """What is to be told when a token was looked at.

    Args:
        account: as it is now.
        going_on: its episodes that are not over.
        used_by: the names of its DataSets.
        now, new_id: as `of_run`.
    """
    concerns = []
    if account.status is AccountStatus.INVALID:
        rest = f" Meanwhile the schedules of its DataSets rest: {_some(used_by)}." if used_by else ""
        remedy = f" Give it another one: `sentry-connector accounts replace-token {account.name!r}`."
        concerns = [Concern(Kind.TOKEN_REJECTED, f"{account.message}{rest}{remedy}")]
    found = _changes(concerns, going_on, {Kind.TOKEN_REJECTED})
    return [_notice(account, kind, one, now, new_id()) for kind, one in found]


def of_deleted_account(
    account_id: str, going_on: Collection[Kind], used_by: Sequence[DataSet], now: dt.datetime, new_id: NewId
) -> list[Notice]:
    """What is to be told of an account that is no more, by the names of the DataSets that still wait for another one.

    Args:
        account_id: whose name nobody knows any more.
        going_on, now, new_id: as `of_run`.
        used_by: the DataSets that name it.
    """
    names = [one.name for one in used_by]
    missing = f"The account of these DataSets was deleted, so that no run of theirs can succeed: {_some(names)}."
    remedy = "Give each another one: `sentry-connector datasets edit NAME --account ACCOUNT`."
    concerns = [Concern(Kind.ACCOUNT_MISSING, f"{missing} {remedy}")] if names else []
    return [
        Notice(
            id=new_id(),
            kind=kind,
            recovered=concern is None,
            subject_id=account_id,
            subject=_some(names) if concern else "A deleted account",
            message=concern.message if concern else OVER[kind],
            since=now,
            at=now,
            muted=bool(used_by) and all(one.muted for one in used_by),
        )
        for kind, concern in _changes(concerns, going_on, {Kind.ACCOUNT_MISSING})
    ]


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_USERS
    return ", ".join(names[:MOST_USERS]) + (f" and {more} more" if more > 0 else "")


MOST_USERS = 5
"""DataSets that a notice about an account names."""


def _changes(
    concerns: Iterable[Concern], going_on: Collection[Kind], shown: Collection[Kind]
) -> list[tuple[Kind, Concern | None]]:
    """The kinds that are new, each with its concern, and those that are over, with None."""
    now = {one.kind: one for one in concerns}
    new = [(kind, one) for kind, one in now.items() if kind not in going_on]
    over = [(kind, None) for kind in Kind if kind in going_on and kind in shown and kind not in now]
    return [*new, *over]


def _notice(
    subject: DataSet | Account,
    kind: Kind,
    concern: Concern | None,
    now: dt.datetime,
    id_: str,
    *,
    run_id: str | None = None,
) -> Notice:
    dataset = subject if isinstance(subject, DataSet) else None
    return Notice(
        id=id_,
        kind=kind,
        recovered=concern is None,
        subject_id=subject.id,
        subject=subject.name,
        dataset_id=dataset.id if dataset else None,
        message=concern.message if concern else OVER[kind],
        run_id=concern.run_id if concern else run_id,
        since=now,
        at=now,
        muted=dataset.muted if dataset else False,
    )
