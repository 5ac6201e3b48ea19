"""The connector's own records as tables for SQL: DataSets, what became of each run and of each slot without one, notices."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from sentry_connector.operations.views import keeping_of
from sentry_connector.runs.health import HISTORY, attention, health
from sentry_connector.runs.house import House
from sentry_connector.store.records import Account, DataSet, Delivery, Notice, Run

_TEXT, _NUMBER, _TIME = pa.string(), pa.int64(), pa.timestamp("us", tz="UTC")

DATASETS = pa.schema(
    [
        *((name, _TEXT) for name in ("id", "name", "slug", "description", "tags", "report", "account")),
        *((name, _TEXT) for name in ("update_method", "schedule", "timezone")),
        ("catch_up", _TEXT),
        *((name, pa.bool_()) for name in ("paused", "muted")),
        ("keep_days", _NUMBER),
        *((name, _TEXT) for name in ("health", "attention")),
        *((name, _TIME) for name in ("created_at", "updated_at")),
    ]
)
RUNS = pa.schema(
    [
        *((name, _TEXT) for name in ("id", "dataset", "report", "trigger")),
        ("slot", _TIME),
        ("attempt", _NUMBER),
        *((name, _TEXT) for name in ("attempts", "state", "verdict", "windows")),
        *((name, _TIME) for name in ("queued_at", "started_at", "finished_at")),
        ("seconds", pa.float64()),
        *(
            (name, _NUMBER)
            for name in (
                *("rows_read", "rows_written", "rows_updated", "rows_deleted"),
                *("requests", "requests_refused", "bytes"),
            )
        ),
        ("waited_seconds", pa.float64()),
        ("table_version", _NUMBER),
        *((name, _TEXT) for name in ("warnings", "drift", "error", "error_message", "error_remedy", "incomplete")),
    ]
)
SLOTS = pa.schema(
    [
        ("dataset", _TEXT),
        *((name, _TIME) for name in ("first", "last")),
        ("count", _NUMBER),
        *((name, _TEXT) for name in ("reason", "run_id")),
        ("merged", pa.bool_()),
    ]
)
"""The slots that have no run of their own."""

NOTICES = pa.schema(
    [
        *((name, _TEXT) for name in ("id", "kind")),
        ("recovered", pa.bool_()),
        *((name, _TEXT) for name in ("subject", "dataset", "message", "run_id")),
        *((name, _TIME) for name in ("since", "at")),
        ("muted", pa.bool_()),
        ("deliveries", _TEXT),
    ]
)
"""Lists are JSON text, as in every table of ours."""


SCHEMAS = {"datasets": DATASETS, "runs": RUNS, "slots": SLOTS, "notices": NOTICES}
"""Table → its columns."""


def tables_of_records(house: House) -> Mapping[str, pa.Table]:
    """The records as they are now; deleted DataSets are no more, and neither are their runs and slots."""
    datasets = {dataset.id: dataset for dataset in house.store.datasets.list()}
    slugs = {id_: dataset.slug for id_, dataset in datasets.items()}
    runs: dict[str, list[Run]] = {id_: [] for id_ in datasets}
    for run in house.store.runs.recent(limit=None):
        if run.dataset_id in runs:
            runs[run.dataset_id].append(run)
    passed = itertools.chain.from_iterable(house.store.slots.passed(id_, limit=None) for id_ in datasets)
    accounts = {id_: house.store.accounts.get(id_) for id_ in {one.account_id for one in datasets.values()} if id_}
    rows = {
        "datasets": [_dataset(house, one, accounts, runs[one.id]) for one in datasets.values()],
        "runs": [_run(run, datasets[id_]) for id_, of_one in runs.items() for run in of_one],
        "slots": [msgspec.structs.asdict(one) | {"dataset": slugs[one.dataset_id]} for one in passed],
        "notices": [_notice(*one, slugs) for one in house.store.notices.recent(limit=None)],
    }
    return {name: pa.Table.from_pylist(found, SCHEMAS[name]) for name, found in rows.items()}


def _dataset(
    house: House, dataset: DataSet, accounts: Mapping[str, Account | None], runs: Sequence[Run]
) -> dict[str, Any]:
    account, history, now = accounts.get(dataset.account_id or ""), runs[:HISTORY], house.now()
    keeping = keeping_of(house, dataset, now)
    return msgspec.structs.asdict(dataset) | {
        "tags": _json(dataset.tags),
        "account": account.name if account else None,
        "update_method": dataset.update_method.value,
        "timezone": dataset.details.timezone,
        "catch_up": dataset.catch_up.value,
        "health": health(dataset, account, history, now, keeping),
        "attention": _json(attention(dataset, account, history, now, keeping)),
    }


def _notice(notice: Notice, sent: Sequence[Delivery], slugs: Mapping[str, str]) -> dict[str, Any]:
    return msgspec.structs.asdict(notice) | {
        "kind": notice.kind.value,
        "dataset": slugs.get(notice.dataset_id or ""),
        "deliveries": _json(sent),
    }


def _run(run: Run, dataset: DataSet) -> dict[str, Any]:
    return msgspec.structs.asdict(run) | {
        "dataset": dataset.slug,
        "report": dataset.report,
        "trigger": run.trigger.value,
        "state": run.state.value,
        "verdict": run.verdict.value if run.verdict else None,
        "seconds": run.seconds,
        "attempts": _json(run.attempts),
        "windows": _json(run.windows),
        "warnings": _json(run.warnings),
        "drift": _json(run.drift),
        "error": run.error.name if run.error else None,
        "error_message": run.error.message if run.error else None,
        "error_remedy": run.error.remedy if run.error else None,
        "incomplete": _json(run.incomplete),
    }


def _json(values: Sequence[Any]) -> str | None:
    return msgspec.json.encode(values).decode() if values else None
