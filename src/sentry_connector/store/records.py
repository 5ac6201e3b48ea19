"""The records of the store, as plain data that goes to JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from enum import StrEnum

import msgspec

from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.reports.details import Details, Window
from sentry_connector.reports.scopes import Scope

MANUAL = "manual"
"""The schedule that has no slots."""


class AccountStatus(StrEnum):
    """What the last check of an account's token found."""

    VALID = "valid"
    INVALID = "invalid"
    NEVER_CHECKED = "never checked"


class Trigger(StrEnum):
    """What asked for a run."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    CATCH_UP = "catch-up"
    BACKFILL = "backfill"

    @property
    def is_of_schedule(self) -> bool:
        """Whether nobody asked for it: such a run alone is tried again by itself."""
        return self in {Trigger.SCHEDULE, Trigger.CATCH_UP}


class RunState(StrEnum):
    """How far a run is; what became of it is its `Verdict`."""

    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    DONE = "done"


class Verdict(StrEnum):
    """What became of a run."""

    COMPLETE = "COMPLETE"
    INCOMPLETE = "INCOMPLETE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Retry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a failed run is tried again: after `every` seconds, at most `times` times."""

    every: int = 900
    times: int = 3


class CatchUp(StrEnum):
    """What becomes of the slots that could not run in time: while nothing was there to run them, or one after another."""

    ONE = "one"
    ALL = "all"
    NONE = "none"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error as JSON output has it: stable name, exit code, sentence, remedy."""

    name: str
    code: int
    message: str
    remedy: str


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """A scope that a run could not read, and why."""

    scope: str
    reason: str


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A named credential. The token itself is sealed, lies in a column of its own and is never part of this record.

    Attributes:
        id: made once, sortable by time.
        name: unique, compared without case.
        url: Sentry's base URL.
        token_hint: the token's prefix and at most two characters more.
        status: what the last check found; `checked_at` (UTC) says when, `message` in words.
        scopes: the token's Sentry scopes; None where Sentry does not tell.
        identity: the user or integration behind the token, where known; accounts of one identity share its rate limits.
        token_since: when the token was given, UTC; None where an earlier version of this program did not note it.
        created_at, updated_at: UTC.
    """

    id: str
    name: str
    url: str
    token_hint: str
    token_since: dt.datetime | None = None
    status: AccountStatus = AccountStatus.NEVER_CHECKED
    checked_at: dt.datetime | None = None
    message: str | None = None
    scopes: tuple[str, ...] | None = None
    identity: str | None = None
    created_at: dt.datetime
    updated_at: dt.datetime


DELTA = "delta"
"""The destination that needs no address: Delta tables in the connector's own storage."""


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """A database that tables lie in. Its password is sealed, lies in a column of its own and is never part of this record.

    Attributes:
        id: made once, sortable by time.
        name: unique, compared without case; DataSets name their destination by it.
        url: where it is, without a password.
        password_since: when the password was given, UTC; None where it has none.
        created_at, updated_at: UTC.
    """

    id: str
    name: str
    url: str
    password_since: dt.datetime | None = None
    created_at: dt.datetime
    updated_at: dt.datetime


class DataSet(msgspec.Struct, frozen=True, kw_only=True):
    """A table that stays up to date: what is pulled, when, and how it changes the table.

    Attributes:
        id: made once, sortable by time; the name of the table's folder.
        name: unique among the DataSets that are not deleted, compared without case.
        slug: made once from the first name, unique for good; the name of its view in SQL.
        report: the slug of the report.
        account_id: the account that is asked with, also after it was deleted; None = the environment's token.
        details: the choices in the report's menus, dates and overlap among them.
        key: names of the key columns; empty = the report's own.
        keep_days: days that Partition keeps; None = all.
        destination: `delta`, or the name of another one.
        schedule: a rule in the words of `--schedule`; `manual` = only when asked.
        retry: None = a failed run is not tried again.
        catch_up: of several missed slots the last one runs, all of them do, or none.
        keep_when_empty: Replace with no rows leaves the table as it is.
        accept_loss: Replace may drop rows that lie outside its window.
        paused: the schedule is at rest.
        muted: its notices are kept, and sent nowhere.
        scopes: what its single choices stood for in its last run: ids, so that a renamed slug goes on to work.
        created_at, updated_at, deleted_at: UTC.
    """

    id: str
    name: str
    slug: str
    description: str = ""
    tags: tuple[str, ...] = ()
    report: str
    account_id: str | None = None
    details: Details = Details()
    update_method: UpdateMethod = UpdateMethod.REPLACE
    key: tuple[str, ...] = ()
    keep_days: int | None = None
    destination: str = DELTA
    schedule: str = MANUAL
    retry: Retry | None = Retry()
    catch_up: CatchUp = CatchUp.ONE
    keep_when_empty: bool = False
    accept_loss: bool = False
    paused: bool = False
    muted: bool = False
    scopes: dict[str, Scope] = {}
    created_at: dt.datetime
    updated_at: dt.datetime
    deleted_at: dt.datetime | None = None


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The days that one run of a chain reads, in place of the DataSet's own.

    Attributes:
        chain: name of the chain; its runs' ids begin with it.
        start, end: the first and the last day, both included.
        first, last: the days of the whole chain.
    """

    chain: str
    start: dt.date
    end: dt.date
    first: dt.date
    last: dt.date


def _seconds(start: dt.datetime | None, end: dt.datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a run.

    Attributes:
        number: from 1.
        started_at, finished_at: UTC; no end while it is under way, or where its process died and nobody went on yet.
        begun: how many processes began with it, one after another, without getting any further than the one before.
        reached: how much had been asked of Sentry when the last one of them began.
        verdict, error, incomplete, warnings: how it ended.
        rows_read, rows_written, rows_updated, rows_deleted: as the run says.
        requests, requests_refused, bytes, waited_seconds: of this attempt alone.
        worker: which process was the last to be at work on it, as leases name processes.
    """

    number: int
    started_at: dt.datetime
    finished_at: dt.datetime | None = None
    begun: int = 1
    reached: int = 0
    verdict: Verdict | None = None
    error: Problem | None = None
    incomplete: tuple[Missing, ...] = ()
    warnings: tuple[str, ...] = ()
    rows_read: int = 0
    rows_written: int = 0
    rows_updated: int = 0
    rows_deleted: int = 0
    requests: int = 0
    requests_refused: int = 0
    bytes: int = 0
    waited_seconds: float = 0.0
    worker: str | None = None

    @property
    def seconds(self) -> float | None:
        """From its beginning to its end; None where it has not come to that."""
        return _seconds(self.started_at, self.finished_at)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of a DataSet, over all its attempts.

    Attributes:
        id: `<dataset>@<slot>` for a slot of the schedule, so that each slot runs once; else a new id.
        slot: the instant that the schedule named, UTC; windows are resolved from it.
        attempt: number of the current attempt, from 1.
        attempts: all attempts that were begun, the current one last.
        not_before: when the next attempt is due, UTC; None = at once.
        epoch: the integer that orders the DataSet's runs; None before it is taken.
        part: where it is one of a chain: its days; None = what the DataSet's dates mean.
        windows: what the dates meant, resolved once for all attempts.
        rows_read: rows that Sentry gave, each counted once.
        rows_written, rows_updated, rows_deleted: what the commit did to the table.
        requests, bytes: asked of and answered by Sentry; `requests_refused` of them for their rate.
        waited_seconds: spent waiting for rate limits.
        table_version: the table's version after the commit.
        drift: fields of Sentry's answers that the catalogue does not know, or whose values did not fit.
        queued_at, started_at, finished_at: UTC.
    """

    id: str
    dataset_id: str
    trigger: Trigger
    slot: dt.datetime | None = None
    attempt: int = 1
    attempts: tuple[Attempt, ...] = ()
    not_before: dt.datetime | None = None
    state: RunState = RunState.QUEUED
    verdict: Verdict | None = None
    epoch: int | None = None
    part: Part | None = None
    windows: tuple[Window, ...] = ()
    queued_at: dt.datetime
    started_at: dt.datetime | None = None
    finished_at: dt.datetime | None = None
    rows_read: int = 0
    rows_written: int = 0
    rows_updated: int = 0
    rows_deleted: int = 0
    requests: int = 0
    requests_refused: int = 0
    waited_seconds: float = 0.0
    bytes: int = 0
    table_version: int | None = None
    warnings: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()
    error: Problem | None = None
    incomplete: tuple[Missing, ...] = ()

    @property
    def seconds(self) -> float | None:
        """From its beginning to its end; None where it has not come to that."""
        return _seconds(self.started_at, self.finished_at)


class Latest(msgspec.Struct, frozen=True, kw_only=True):
    """The newest run of a DataSet, as lists show it.

    Attributes:
        id, trigger, slot, attempt, state, verdict, error, rows_read: as the run says.
        not_before, queued_at, started_at, finished_at: so too, UTC.
    """

    id: str
    trigger: Trigger
    slot: dt.datetime | None
    attempt: int
    state: RunState
    verdict: Verdict | None
    error: Problem | None
    rows_read: int
    not_before: dt.datetime | None
    queued_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None

    @property
    def seconds(self) -> float | None:
        """From its beginning to its end; None where it has not come to that."""
        return _seconds(self.started_at, self.finished_at)


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is not done and that nobody is at work on.

    Attributes:
        id, dataset_id, trigger, slot, part, epoch, queued_at, not_before: as the run says.
        identity: whose limits at Sentry it uses.
    """

    id: str
    dataset_id: str
    trigger: Trigger
    slot: dt.datetime | None
    part: Part | None
    epoch: int | None
    queued_at: dt.datetime
    not_before: dt.datetime | None
    identity: str = ""


class RequestKey(msgspec.Struct, frozen=True, kw_only=True):
    """What a program calls a request, so that one that it sends again is not done again.

    Attributes:
        key: chosen by the program.
        digest: of what is asked for; another request may not have the same key.
    """

    key: str
    digest: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a request was answered, without anything secret.

    Attributes:
        status: of HTTP.
        location: where what it made is found; None where it made nothing, or does not say.
        body: JSON.
    """

    status: int
    location: str | None = None
    body: str


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """The right to do a request that has a key, or what became of it.

    Attributes:
        made: the id of what it makes, if it makes something.
        answer: None where it is still to be done.
    """

    made: str
    answer: Answer | None = None


class Scheduled(msgspec.Struct, frozen=True, kw_only=True):
    """What the schedule of a DataSet goes by.

    Attributes:
        dataset_id, schedule, paused, catch_up: as the DataSet says.
        details: its details; times are of their zone.
        account_id: its account; None = the environment's token.
        account_status: what is known of the account; None where there is none (any more).
        until: up to when its slots are accounted for, UTC.
    """

    dataset_id: str
    schedule: str
    details: Details
    paused: bool
    catch_up: CatchUp
    account_id: str | None
    account_status: AccountStatus | None
    until: dt.datetime


class Passed(msgspec.Struct, frozen=True, kw_only=True):
    """Slots of a schedule, one after another, that have no run of their own.

    Attributes:
        dataset_id: whose.
        first, last: the first and the last of them, UTC.
        count: how many there are.
        reason: why, in words.
        run_id: the run that stands for them, or that was in their way; None where there is none.
        merged: whether that run stands for them.
    """

    dataset_id: str
    first: dt.datetime
    last: dt.datetime
    count: int
    reason: str
    run_id: str | None = None
    merged: bool = False


class Becoming(msgspec.Struct, frozen=True, kw_only=True):
    """What slots become.

    Attributes:
        runs: new ones, oldest slot first.
        passed: the slots that have none.
    """

    runs: tuple[Run, ...] = ()
    passed: tuple[Passed, ...] = ()


class Kind(StrEnum):
    """What can be wrong for a while, so that somebody is told when it begins and when it is over."""

    FAILED = "failed"
    INCOMPLETE = "incomplete"
    LATE = "late"
    SLOW = "slow"
    NO_ROWS = "no rows"
    DRIFT = "drift"
    PAUSED = "paused"
    TOKEN_REJECTED = "token rejected"  # noqa: S105  # a word for people
    ACCOUNT_MISSING = "account missing"
    SCHEDULE_UNKNOWN = "schedule unknown"


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """That an episode has begun, or is over: one notice each.

    Attributes:
        id: made once; whoever gets the notice twice knows it by that.
        kind: what is wrong, or was.
        recovered: whether it is over.
        subject_id, subject: the DataSet or the account that it is about, and its name then.
        dataset_id: the DataSet, where it is about one.
        message: in words.
        run_id: the run that showed it; None where none did.
        since: when the episode began, UTC.
        at: when this was found, UTC.
        muted: whether its DataSet's notices were not to be sent when the episode began.
    """

    id: str
    kind: Kind
    recovered: bool
    subject_id: str
    subject: str
    dataset_id: str | None = None
    message: str
    run_id: str | None = None
    since: dt.datetime
    at: dt.datetime
    muted: bool = False


class SavedQuery(msgspec.Struct, frozen=True, kw_only=True):
    """SQL with a name.

    Attributes:
        id: made once, sortable by time.
        name: unique, compared without case.
        sql: the statement.
        shared: all who may use the server see it.
        owner_id: whose it is; None = that of the machine's user, or of somebody who is no more.
        created_at, updated_at: UTC.
    """

    id: str
    name: str
    sql: str
    shared: bool = False
    owner_id: str | None = None
    created_at: dt.datetime
    updated_at: dt.datetime


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """Where notices are sent. The address itself is sealed, lies in a column of its own and is never part of this record.

    Attributes:
        id: made once, sortable by time.
        name: unique, compared without case.
        service: what kind of service it is, such as `E-Mail`.
        hint: what may be shown of the address.
        kinds: the kinds of notices that it takes; empty = all.
        dataset_ids: the DataSets whose notices it takes, and those about their accounts; empty = all.
        created_at, updated_at: UTC.
        failures: how often it has not taken a notice since it last took one.
        rests_until: when it is tried again, UTC; None = at once.
    """

    id: str
    name: str
    service: str
    hint: str
    kinds: tuple[Kind, ...] = ()
    dataset_ids: tuple[str, ...] = ()
    created_at: dt.datetime
    updated_at: dt.datetime
    failures: int = 0
    rests_until: dt.datetime | None = None

    def takes(self, kind: Kind, dataset_ids: Collection[str]) -> bool:
        """Whether a notice of that kind, about these DataSets, is sent here."""
        return (not self.kinds or kind in self.kinds) and (
            not self.dataset_ids or not set(self.dataset_ids).isdisjoint(dataset_ids)
        )


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A notice on its way to a channel.

    Attributes:
        notice_id, channel_id: what goes where.
        attempts: how often it was tried.
        sent_at: when the channel took it, UTC.
        given_up_at: since when it is not tried any more, UTC.
        error: why the last attempt failed, or why it is not tried.
    """

    notice_id: str
    channel_id: str
    attempts: int = 0
    sent_at: dt.datetime | None = None
    given_up_at: dt.datetime | None = None
    error: str | None = None


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """The notice that a channel is to take next.

    Attributes:
        delivery: on its way.
        notice: what is told.
        failures: as the channel says.
        muted: whether the notices of its DataSet are not to be sent now.
        begun: whether the channel has taken a notice of the episode's beginning.
    """

    delivery: Delivery
    notice: Notice
    failures: int
    muted: bool
    begun: bool


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right to work on something, until it expires.

    Attributes:
        name: what it is about, such as `dataset/<id>`.
        holder: who has it: host and process.
        acquired_at, expires_at: UTC.
        epoch: grows each time the lease changes hands; tells this holding from every other.
    """

    name: str
    holder: str
    acquired_at: dt.datetime
    expires_at: dt.datetime
    epoch: int
