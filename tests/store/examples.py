"""Records with every field away from its default."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.reports.details import DateRange, Details, Window
from sentry_connector.store.records import (
    Account,
    AccountStatus,
    DataSet,
    Missing,
    Problem,
    Retry,
    Run,
    RunState,
    Trigger,
    Verdict,
)

NOW = dt.datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(hours=1)


def account(name: str = "Main", **changes: Any) -> Account:
    values = {
        "id": f"account-{name.casefold()}",
        "name": name,
        "url": "https://sentry.io",
        "token_hint": "sntryu_ab…",
        "token_since": NOW,
        "status": AccountStatus.VALID,
        "checked_at": NOW,
        "message": "2 organizations",
        "scopes": ("org:read", "event:read"),
        "identity": "user:7",
        "created_at": NOW,
        "updated_at": LATER,
    }
    return Account(**{**values, **changes})


def dataset(name: str = "Shop Events", **changes: Any) -> DataSet:
    values = {
        "id": f"dataset-{name.casefold()}",
        "name": name,
        "slug": "",
        "description": "All events of the shop",
        "tags": ("shop", "ünïcode"),
        "report": "project-events",
        "details": Details(projects=("acme/shop",), duration=DateRange(start=dt.date(2026, 2, 1), end=3)),
        "update_method": UpdateMethod.PARTITION,
        "key": ("project_id", "event_id"),
        "keep_days": 90,
        "destination": "warehouse",
        "schedule": "daily 06:30",
        "retry": Retry(every=300, times=5),
        "keep_when_empty": True,
        "accept_loss": True,
        "paused": True,
        "created_at": NOW,
        "updated_at": LATER,
    }
    return DataSet(**{**values, **changes})


def run(dataset_id: str, id: str = "run-1", **changes: Any) -> Run:  # noqa: A002
    values = {
        "id": id,
        "dataset_id": dataset_id,
        "trigger": Trigger.CATCH_UP,
        "slot": NOW,
        "attempt": 2,
        "state": RunState.DONE,
        "verdict": Verdict.INCOMPLETE,
        "epoch": 7,
        "windows": (Window(start=None, end=LATER, read_end=NOW, first_day=dt.date(2026, 2, 1)),),
        "queued_at": NOW,
        "started_at": NOW,
        "finished_at": LATER,
        "rows_read": 2**40,
        "rows_written": 1,
        "rows_updated": 2,
        "rows_deleted": 3,
        "requests": 4,
        "waited_seconds": 5.5,
        "bytes": 6,
        "table_version": 8,
        "warnings": ("clock",),
        "error": Problem(name="scope.missing", code=11, message="No.", remedy="Give it."),
        "incomplete": (Missing(scope="project:1", reason="gone"),),
    }
    return Run(**{**values, **changes})
