"""DataSets that were deleted too long ago to be restored go for good, with their tables."""

from __future__ import annotations

import contextlib
import datetime as dt

from sentry_connector.errors import ConnectorError
from sentry_connector.runs.house import House
from sentry_connector.runs.log import log_path
from sentry_connector.store.records import DataSet


def drop_expired(house: House, now: dt.datetime) -> list[tuple[DataSet, ConnectorError]]:
    """Drop the tables of those that cannot be restored any more, and forget these DataSets.

    Returns:
        Those whose tables cannot be dropped at present, with the reason: they stay for another time.
    """
    stuck: list[tuple[DataSet, ConnectorError]] = []
    for old in house.store.datasets.expired(now):
        try:
            house.table(old).drop()  # first: once it is forgotten, nobody knows of its files
        except ConnectorError as error:
            stuck.append((old, error))
        else:
            forget(house, old)
    return stuck


def forget(house: House, dataset: DataSet, *, found: DataSet | None = None) -> None:
    """Remove a DataSet for good, with its runs and their logs; its table stays as it is.

    Raises:
        UnknownName: it is in the bin no more as it was `found` there.
    """
    ids = [run.id for run in house.store.runs.history(dataset.id, limit=None)]
    house.store.datasets.forget(dataset.id, found=found)
    for id_ in ids:
        with contextlib.suppress(OSError):  # a log that cannot be removed keeps nobody
            log_path(house.logs, id_).unlink(missing_ok=True)
