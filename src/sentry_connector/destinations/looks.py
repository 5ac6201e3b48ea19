"""What a run asks of the table that it is going to change: how much is there, what is missing in what was read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace

import pyarrow as pa

from sentry_connector.destinations.model import Selection
from sentry_connector.destinations.query import Elsewhere, Snapshot, Source, query
from sentry_connector.destinations.sql_text import literal, quoted


def by_hour(table: Source, part: Selection, item: str) -> dict[int, int]:
    """How many items there are in each hour (unix seconds); `item` is the column that tells them apart."""
    if isinstance(table, Elsewhere):
        return table.by_hour(part, item)
    sql = (
        f"SELECT CAST(epoch(date_trunc('hour', {quoted(part.time)})) AS BIGINT) AS hour,"
        f" count(DISTINCT {quoted(item)}) AS items FROM stored WHERE {_condition(part)} GROUP BY hour"
    )
    with query(sql, {"stored": table}) as reader:
        return {row["hour"]: row["items"] for batch in reader for row in batch.to_pylist()}


def absent(table: Snapshot, read: Snapshot, part: Selection, item: str, unless: str) -> list[str]:
    """The items of the table that are not among those that were read, sorted.

    Args:
        table: what is stored.
        read: what was read.
        part: which of the stored rows are looked at.
        item: the column that tells items apart.
        unless: rows with a value in this column are not looked at.
    """
    name = quoted(item)
    sql = (
        f"SELECT DISTINCT {name} AS item FROM stored WHERE {_condition(part)} AND {quoted(unless)} IS NULL"
        f" AND {name} NOT IN (SELECT {name} FROM read WHERE {name} IS NOT NULL) ORDER BY item"
    )
    with query(sql, {"stored": _with_columns_of(table, read), "read": read}) as reader:
        return [row["item"] for batch in reader for row in batch.to_pylist()]


def rows_of(
    table: Snapshot, part: Selection, item: str, items: Iterable[str], schema: pa.Schema
) -> list[pa.RecordBatch]:
    """The stored rows of some items, as `schema` has them."""
    wanted = ", ".join(map(literal, items)) or "NULL"
    columns = ", ".join(map(quoted, schema.names))
    sql = f"SELECT {columns} FROM stored WHERE {_condition(part)} AND {quoted(item)} IN ({wanted})"
    whole = _with_columns_of(table, Snapshot(files=(), schema=schema))
    with query(sql, {"stored": whole}) as reader:
        return [
            pa.RecordBatch.from_arrays(
                [array.cast(field.type) for array, field in zip(batch.columns, schema, strict=True)], schema=schema
            )
            for batch in reader
        ]


def _with_columns_of(table: Snapshot, other: Snapshot) -> Snapshot:
    """The table with the columns that it will have: those that it lacks are null."""
    missing = [field for field in other.schema if field.name not in table.schema.names]
    return replace(table, schema=pa.schema([*table.schema, *missing]))


def _condition(part: Selection) -> str:
    bounds = ((">=", part.start), ("<", part.end))
    times = [f"{quoted(part.time)} {sign} {_instant(at)}" for sign, at in bounds if at is not None]
    marks = [f"{quoted(name)} = {literal(value)}" for name, value in part.marks.items()]
    return " AND ".join([*marks, *times]) or "true"


def _instant(at: dt.datetime) -> str:
    return f"{literal(at.isoformat())}::TIMESTAMPTZ"
