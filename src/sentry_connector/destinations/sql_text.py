"""Names, values and types as DuckDB's SQL. Every identifier and every literal goes through here."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

_TYPES = {
    pa.string(): "VARCHAR",
    pa.large_string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.date32(): "DATE",
    pa.timestamp("us", tz="UTC"): "TIMESTAMPTZ",
}


def quoted(name: str) -> str:
    """A name as an SQL identifier, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A text as an SQL literal, whatever it holds."""
    return "'" + value.replace("'", "''") + "'"


def listed(values: Iterable[str]) -> str:
    """Texts as an SQL list."""
    return f"[{', '.join(map(literal, values))}]"


def sql_type(kind: pa.DataType) -> str:
    """DuckDB's name of a column's type.

    Raises:
        KeyError: tables have no such type.
    """
    return _TYPES[kind]
