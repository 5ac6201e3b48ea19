"""The columns that a table has beside the report's, and those that it is about to get."""

from __future__ import annotations

import pyarrow as pa

from sentry_connector.destinations.model import DAY

DAY_FIELD = pa.field(DAY, pa.date32(), metadata={"comment": "Day of the row in the DataSet's time zone."})


def missing_columns(there: pa.Schema, wanted: pa.Schema) -> pa.Schema:
    """The columns that the table lacks; the day is none of them: it is there from the beginning or not at all."""
    return pa.schema([one for one in wanted if one.name not in there.names and one.name != DAY])


def with_day(schema: pa.Schema, *, partitioned: bool) -> pa.Schema:
    """The columns, with the day as the last one where the table is partitioned by it, and without it where not."""
    fields = [one for one in schema if one.name != DAY]
    return pa.schema([*fields, DAY_FIELD] if partitioned else fields)
