"""Read-only SQL over the DataSets: each is a view under its slug. `connector.runs` and the like tell about them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pyarrow as pa

from sentry_connector.destinations.query import RECORDS, Snapshot, query
from sentry_connector.extraction.schema import arrow_schema
from sentry_connector.operations.records import tables_of_records
from sentry_connector.reports import catalogue
from sentry_connector.runs.house import House
from sentry_connector.store.records import DataSet


@contextlib.contextmanager
def run_query(house: House, sql: str) -> Iterator[pa.RecordBatchReader]:
    """The rows of one SELECT, streamed.

    Raises:
        SqlError: the engine refuses it.
    """
    tables = {dataset.slug: _snapshot(house, dataset) for dataset in house.store.datasets.list()}
    records = tables_of_records(house) if RECORDS in sql.casefold() else {}
    with query(sql, tables, records=records) as reader:
        yield reader


def _snapshot(house: House, dataset: DataSet) -> Snapshot:
    """The newest version of a DataSet's table; without rows, but with its columns, where nothing was committed."""
    found = house.destination.table(dataset.id).snapshot()
    return found or Snapshot(files=(), schema=arrow_schema(catalogue.find(dataset.report)))
