"""How large a table is, measured and kept in the store."""

from __future__ import annotations

from sentry_connector.destinations.model import Table
from sentry_connector.runs.house import House
from sentry_connector.store.records import DataSet
from sentry_connector.store.sizes import Size


def measure(house: House, dataset: DataSet, table: Table) -> Size:
    """Measure a DataSet's table, and keep what was found.

    Raises:
        ConnectorError: the table, or the store, cannot be used.
    """
    epoch = house.store.sizes.epoch(dataset.id)  # first: what is committed meanwhile shows by a later one
    schema = table.schema()
    if schema is None:
        size = Size(epoch=epoch, rows=0, columns=0)
    else:
        size = Size(epoch=epoch, rows=table.rows(), columns=len(schema), version=table.version())
    house.store.sizes.keep(dataset.id, size)
    return size
