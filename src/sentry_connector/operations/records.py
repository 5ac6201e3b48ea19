"""The connector's own records as tables for SQL: what DataSets there are, and what became of each run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pyarrow as pa

from sentry_connector.runs.house import House
from sentry_connector.store.records import DataSet, Run

_TEXT, _NUMBER, _TIME = pa.string(), pa.int64(), pa.timestamp("us", tz="UTC")

DATASETS = pa.schema(
    [
        *((name, _TEXT) for name in ("id", "name", "slug", "description", "tags", "report", "account")),
        *((name, _TEXT) for name in ("update_method", "schedule", "timezone")),
        ("paused", pa.bool_()),
        *((name, _TIME) for name in ("created_at", "updated_at")),
    ]
)
RUNS = pa.schema(
    [
        *((name, _TEXT) for name in ("id", "dataset", "report", "trigger")),
        ("slot", _TIME),
        ("attempt", _NUMBER),
        *((name, _TEXT) for name in ("state", "verdict")),
        *((name, _TIME) for name in ("queued_at", "started_at", "finished_at")),
        ("seconds", pa.float64()),
        *(
            (name, _NUMBER)
            for name in ("rows_read", "rows_written", "rows_updated", "rows_deleted", "requests", "bytes")
        ),
        ("waited_seconds", pa.float64()),
        ("table_version", _NUMBER),
        *((name, _TEXT) for name in ("warnings", "error", "error_message", "incomplete")),
    ]
)
"""Lists are JSON text, as in every table of ours."""


def tables_of_records(house: House) -> Mapping[str, pa.Table]:
    """`datasets` and `runs`, as they are now; deleted DataSets are no more, and neither are their runs."""
    accounts = {account.id: account.name for account in house.store.accounts.list()}
    datasets = {dataset.id: dataset for dataset in house.store.datasets.list()}
    runs = house.store.runs.recent(limit=None)
    return {
        "datasets": pa.Table.from_pylist([_dataset(one, accounts) for one in datasets.values()], DATASETS),
        "runs": pa.Table.from_pylist(
            [_run(one, datasets[one.dataset_id]) for one in runs if one.dataset_id in datasets], RUNS
        ),
    }


def _dataset(dataset: DataSet, accounts: Mapping[str, str]) -> dict[str, Any]:
    return msgspec.structs.asdict(dataset) | {
        "tags": _json(dataset.tags),
        "account": accounts.get(dataset.account_id or ""),
        "update_method": dataset.update_method.value,
        "timezone": dataset.details.timezone,
    }


def _run(run: Run, dataset: DataSet) -> dict[str, Any]:
    ended, began = run.finished_at, run.started_at
    return msgspec.structs.asdict(run) | {
        "dataset": dataset.slug,
        "report": dataset.report,
        "trigger": run.trigger.value,
        "state": run.state.value,
        "verdict": run.verdict.value if run.verdict else None,
        "seconds": (ended - began).total_seconds() if ended and began else None,
        "warnings": _json(run.warnings),
        "error": run.error.name if run.error else None,
        "error_message": run.error.message if run.error else None,
        "incomplete": _json(run.incomplete),
    }


def _json(values: tuple[Any, ...]) -> str | None:
    return msgspec.json.encode(values).decode() if values else None
