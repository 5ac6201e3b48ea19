"""Results, and what a statement may name, as the JSON objects that pages and programs rely on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from sentry_connector.destinations.sql_text import sql_type
from sentry_connector.formats.jsonl import json_values
from sentry_connector.operations.query import Names, Shown

LARGEST_EXACT = 2**53 - 1
"""The largest whole number that every reader of JSON keeps."""

_SQL_TYPES = {
    pa.null(): "NULL",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.float32(): "FLOAT",
    pa.binary(): "BLOB",
    pa.timestamp("us"): "TIMESTAMP",
    pa.decimal128(38, 0): "HUGEINT",
}
"""Those that results have, and tables have not."""


def shown_view(shown: Shown) -> dict[str, Any]:
    """The first rows of a result: values as in JSON Lines, but that whole numbers which few readers keep are text."""
    columns = [_exact(column, field) for column, field in zip(shown.rows.columns, shown.rows.schema, strict=True)]
    return {
        "columns": _columns(shown.rows.schema),
        "rows": list(zip(*columns, strict=True)),
        "more": shown.more,
        "seconds": shown.seconds,
    }


def names_view(names: Names) -> dict[str, Any]:
    """What a statement may name."""
    tables = [{"name": name, "columns": _columns(columns)} for name, columns in names.tables.items()]
    return {"tables": tables, "functions": names.functions, "keywords": names.keywords}


def _columns(fields: Iterable[pa.Field]) -> list[dict[str, str]]:
    return [{"name": one.name, "type": _type(one.type)} for one in fields]


def _type(kind: pa.DataType) -> str:
    """As SQL calls it, where it is a simple one; else as Arrow does."""
    try:
        return _SQL_TYPES.get(kind) or sql_type(kind)
    except KeyError:
        return str(kind)


def _exact(column: pa.ChunkedArray, field: pa.Field) -> list[Any]:
    values = [value for chunk in column.chunks for value in json_values(chunk, field)]
    if not pa.types.is_integer(field.type):
        return values
    return [value if value is None or abs(value) <= LARGEST_EXACT else str(value) for value in values]
