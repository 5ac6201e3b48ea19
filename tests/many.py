"""A store with many DataSets and their runs, put there directly: what lists have to cope with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import insert

from sentry_connector.reports import catalogue
from sentry_connector.reports.details import Details
from sentry_connector.store.records import (
    Account,
    AccountStatus,
    Channel,
    DataSet,
    Delivery,
    Destination,
    Kind,
    Notice,
    Problem,
    Run,
    RunState,
    SavedQuery,
    Trigger,
    Verdict,
)
from sentry_connector.store.rights import Grant, Level, Role, Thing, User
from sentry_connector.store.rows import fold
from sentry_connector.store.sizes import PREFIX, Size
from sentry_connector.store.store import Store
from sentry_connector.store.tables import (
    accounts,
    channels,
    datasets,
    deliveries,
    destinations,
    facts,
    grants,
    notices,
    runs,
    saved_queries,
    users,
)

SCHEDULES = ("daily 06:30", "every 15m", "manual", "hourly", "weekdays 10:00", "cron: 5 4 * * MON")
ENDS = (Verdict.COMPLETE,) * 17 + (Verdict.FAILED, Verdict.CANCELLED, Verdict.INCOMPLETE)
TAGS = ("finance", "mobile", "web", "on call")


def fill(store: Store, now: dt.datetime, *, count: int = 1000, runs_of_each: int = 20) -> None:
    """Store DataSets of all reports on five accounts, each with runs, the newest of which ended in every possible way."""
    rows: dict[Any, list[dict[str, Any]]] = {accounts: [], datasets: [], runs: [], facts: []}
    for number in range(5):
        status = AccountStatus.INVALID if number == 4 else AccountStatus.VALID
        account = Account(
            id=f"many-account-{number}", name=f"Account {number}", url="https://sentry.io", token_hint="sntryu_…",
            status=status, created_at=now, updated_at=now,
        )  # fmt: skip
        rows[accounts].append({**_fields(account), "name_fold": fold(account.name), "sealed_token": "v1.sealed"})
    for number in range(count):
        dataset = _dataset(number, now)
        rows[datasets].append({**_fields(dataset), "name_fold": fold(dataset.name), "epoch": 1, "slots_until": now})
        rows[runs] += [_fields(run) for run in _runs(dataset, number, runs_of_each, now)]
        size = Size(epoch=1, rows=number * 37 % 9000, columns=12)
        rows[facts].append({"name": PREFIX + dataset.id, "value": msgspec.json.encode(size).decode()})
    with store._database.writing() as connection:  # one transaction for all
        for table, values in rows.items():
            connection.execute(insert(table), values)


def _fields(record: msgspec.Struct) -> dict[str, Any]:
    return msgspec.structs.asdict(record)


def _dataset(number: int, now: dt.datetime) -> DataSet:
    report = catalogue.CATALOGUE[number % len(catalogue.CATALOGUE)]
    return DataSet(
        id=f"many-{number:04}", name=f"{report.name} {number:04}", slug=f"many_{number:04}", report=report.slug,
        description="Numbers of the shop" if number % 3 else "", tags=TAGS[: number % 3],
        account_id=f"many-account-{number % 5}", details=Details(), schedule=SCHEDULES[number % len(SCHEDULES)],
        paused=number % 50 == 7, created_at=now, updated_at=now,
    )  # fmt: skip


def _runs(dataset: DataSet, number: int, count: int, now: dt.datetime) -> Iterator[Run]:
    for back in range(0 if number % 40 == 3 else count):
        verdict = ENDS[(number + back) % len(ENDS)]
        began = now - dt.timedelta(hours=back + 1, minutes=number % 60)
        error = Problem(name="sentry.unavailable", code=5, message="Sentry answered 503.", remedy="Wait for it.")
        run = Run(
            id=f"{dataset.id}-{back:04}", dataset_id=dataset.id, trigger=Trigger.SCHEDULE, state=RunState.DONE,
            verdict=verdict, queued_at=began, started_at=began, finished_at=began + dt.timedelta(seconds=20 + number % 7),
            rows_read=(number * 13 + back * 7) % 500, rows_written=back, requests=3, epoch=1, table_version=back,
            error=error if verdict is Verdict.FAILED else None,
        )  # fmt: skip
        yield _unfinished(run, number) if back == 0 and number % 30 in UNFINISHED else run


UNFINISHED = {11: RunState.QUEUED, 12: RunState.RUNNING, 13: RunState.RETRYING}
"""Of each thirty DataSets, those whose newest run is not done: one waits for long, at one nobody is at work any more."""


def _unfinished(run: Run, number: int) -> Run:
    nothing = {"verdict": None, "finished_at": None, "error": None, "table_version": None}
    return msgspec.structs.replace(run, state=UNFINISHED[number % 30], slot=run.queued_at, **nothing)


def surround(store: Store, now: dt.datetime, *, count: int) -> None:
    """Store so much of all that lists show beside DataSets; each thing is somebody's, each notice on its way to each channel."""
    rows: dict[Any, list[dict[str, Any]]] = {
        table: [] for table in (users, accounts, channels, notices, deliveries, destinations, saved_queries, grants)
    }
    for number in (f"{number:04}" for number in range(count)):
        user, dataset = f"many-user-{number}", f"many-{number}"
        sealed = {"sealed_token": "v1.sealed", "sealed_address": "v1.sealed"}
        named: dict[Any, Any] = {
            users: User(id=user, name=f"Person {number}", role=Role.EDITOR, created_at=now, updated_at=now),
            accounts: Account(
                id=f"more-{number}", name=f"More {number}", url="https://sentry.io", token_hint="sntryu_…",
                created_at=now, updated_at=now,
            ),
            channels: Channel(
                id=f"hook-{number}", name=f"Hook {number}", service="Webhook", hint="", dataset_ids=(dataset,),
                created_at=now, updated_at=now,
            ),
            destinations: Destination(
                id=f"place-{number}", name=f"Place {number}", url=f"sqlite:///{number}.db", created_at=now, updated_at=now
            ),
            saved_queries: SavedQuery(
                id=f"query-{number}", name=f"Query {number}", sql="SELECT 1", shared=True, owner_id=user,
                created_at=now, updated_at=now,
            ),
        }  # fmt: skip
        for table, record in named.items():
            more = {name: value for name, value in sealed.items() if name in table.c}
            rows[table].append({**_fields(record), "name_fold": fold(record.name), **more})
        notice = Notice(
            id=f"notice-{number}", kind=Kind.FAILED, recovered=False, subject_id=dataset, subject=f"Many {number}",
            dataset_id=dataset, message="It failed.", since=now, at=now,
        )  # fmt: skip
        rows[notices].append(_fields(notice))
        for to in range(count):
            rows[deliveries].append(_fields(Delivery(notice_id=notice.id, channel_id=f"hook-{to:04}")))
        for thing, id_ in ((Thing.DATASET, dataset), (Thing.ACCOUNT, f"more-{number}")):
            owned = Grant(user_id=user, thing=thing, object_id=id_, level=Level.OWNER, granted_at=now)
            rows[grants].append(_fields(owned))
    with store._database.writing() as connection:
        for table, values in rows.items():
            connection.execute(insert(table), values)
