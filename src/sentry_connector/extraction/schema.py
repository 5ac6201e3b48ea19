"""The Arrow schema of a report's table."""

from __future__ import annotations

import pyarrow as pa

from sentry_connector.reports.model import Column, ColumnType, Report

TIMESTAMP = pa.timestamp("us", tz="UTC")

ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    ColumnType.TEXT: pa.string(),
    ColumnType.INTEGER: pa.int64(),
    ColumnType.REAL: pa.float64(),
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.TIMESTAMP: TIMESTAMP,
    ColumnType.JSON: pa.string(),
}

SYSTEM_FIELDS = (
    pa.field("_host", pa.string(), metadata={"comment": "Host that answered."}),
    pa.field("_run_id", pa.string(), metadata={"comment": "Run that wrote the row."}),
    pa.field("_extracted_at", TIMESTAMP, metadata={"comment": "When the page that holds the row was read, UTC."}),
    pa.field(
        "_extra",
        pa.string(),
        metadata={
            "comment": "JSON: fields that the catalogue does not know and values that did not fit.",
            "type": "json",
        },
    ),
)
"""Columns that every table has beside the report's own."""


def arrow_schema(report: Report) -> pa.Schema:
    """The report's columns in their order, then the system columns; each field carries its description as `comment`."""
    return pa.schema([*(_field(column) for column in report.columns), *SYSTEM_FIELDS])


def _field(column: Column) -> pa.Field:
    metadata = {"comment": column.about}
    if column.type is ColumnType.JSON:
        metadata["type"] = "json"
    return pa.field(column.name, ARROW_TYPES[column.type], metadata=metadata)
