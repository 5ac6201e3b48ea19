"""Runs: what was run, and how it ended."""

from __future__ import annotations

from typing import Any

from sentry_connector.errors import UnknownName
from sentry_connector.runs.house import House
from sentry_connector.runs.log import read_log
from sentry_connector.store.records import DataSet, Run


def history(house: House, name: str | None = None, *, limit: int = 100) -> list[tuple[Run, DataSet | None]]:
    """The runs of a DataSet, or of all, newest first, each with its DataSet.

    Raises:
        UnknownName: there is no such DataSet.
    """
    if name is not None:
        dataset = house.store.datasets.find(name)
        return [(run, dataset) for run in house.store.runs.history(dataset.id, limit=limit)]
    return [(run, house.store.datasets.get(run.dataset_id)) for run in house.store.runs.recent(limit=limit)]


def find(house: House, id_or_name: str) -> tuple[Run, DataSet | None]:
    """The run of that id, or the latest of the DataSet of that name.

    Raises:
        UnknownName: there is neither, or the DataSet has no run yet.
    """
    run = house.store.runs.get(id_or_name)
    if run is not None:
        return run, house.store.datasets.get(run.dataset_id)
    latest = history(house, id_or_name, limit=1)
    if not latest:
        raise UnknownName("run of", id_or_name, remedy="The DataSet has not run yet.")
    return latest[0]


def log(house: House, run: Run) -> list[dict[str, Any]]:
    """The lines of a run's log, oldest first; empty where there is none."""
    return read_log(house.logs, run.id)
