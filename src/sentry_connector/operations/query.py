"""Read-only SQL over the DataSets: each is a view under its slug. `connector.runs` and the like tell about them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pyarrow as pa

from sentry_connector.destinations.query import RECORDS, Snapshot, Source, Unread, query
from sentry_connector.extraction.schema import arrow_schema
from sentry_connector.operations.records import tables_of_records
from sentry_connector.reports import catalogue
from sentry_connector.runs.house import House
from sentry_connector.store.records import DELTA, DataSet


@contextlib.contextmanager
def run_query(house: House, sql: str) -> Iterator[pa.RecordBatchReader]:
    """The rows of one SELECT, streamed.

    Raises:
        SqlError: the engine refuses it.
        DestinationUnavailable, DestinationRefused: a DataSet that it names lies in a database, which does not give its rows.
    """
    tables = {dataset.slug: _source(house, dataset, sql.casefold()) for dataset in house.store.datasets.list()}
    records = tables_of_records(house) if RECORDS in sql.casefold() else {}
    with query(sql, tables, records=records) as reader:
        yield reader


def _source(house: House, dataset: DataSet, statement: str) -> Source | Unread:
    """The newest version of a DataSet's table; without rows, but with its columns, where nothing was committed.

    Rows in a database come to this machine for the statement: only of those DataSets whose slug stands in it.
    """
    if dataset.destination != DELTA and dataset.slug not in statement:
        return Unread(schema=arrow_schema(catalogue.find(dataset.report)))
    found = house.table(dataset).snapshot()
    return found or Snapshot(files=(), schema=arrow_schema(catalogue.find(dataset.report)))
