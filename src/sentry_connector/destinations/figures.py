"""Figures about a table's columns: what somebody looks at before they trust them. Each is one SELECT over the whole table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from sentry_connector.destinations.asking import answer
from sentry_connector.destinations.query import Source
from sentry_connector.destinations.sql_model import Sql
from sentry_connector.destinations.sql_text import quoted

MOST_COMMON = 10
MOST_KEYS = 200
SHOWN_CHARACTERS = 200
"""Of a text; longer ones that begin alike are counted together."""

Scalar = str | int | float | bool | dt.datetime | dt.date | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Common:
    """A value, and in how many rows it is; `label` says to people what it stands for."""

    value: Scalar
    rows: int
    label: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnFigures:
    """What is to be said of a column.

    Attributes:
        name: the column.
        rows, nulls: how many rows there are, and how many without a value.
        distinct: how many different values there are.
        distinct_is_estimate: that number is within some percent.
        least, greatest: of numbers and times.
        mean: of numbers.
        shortest, longest, mean_length: of texts, in characters.
    """

    name: str
    rows: int
    nulls: int
    distinct: int
    distinct_is_estimate: bool
    least: Scalar = None
    greatest: Scalar = None
    mean: float | None = None
    shortest: int | None = None
    longest: int | None = None
    mean_length: float | None = None


_MEAN = "CAST(avg({0}) AS DOUBLE PRECISION)"
_RANGE = {"least": "min({0})", "greatest": "max({0})"}
_OF_TEXT = {"shortest": "min(length({0}))", "longest": "max(length({0}))", "mean_length": _MEAN.format("length({0})")}
_FURTHER: Mapping[pa.DataType, Mapping[str, str]] = {
    pa.string(): _OF_TEXT,
    pa.int64(): {**_RANGE, "mean": _MEAN},
    pa.float64(): {**_RANGE, "mean": _MEAN},
    pa.date32(): _RANGE,
    pa.timestamp("us", tz="UTC"): _RANGE,
}
"""What is said of a column of a type beside its counts, and how that is asked for."""

_TYPES = {"shortest": pa.int64(), "longest": pa.int64(), "mean": pa.float64(), "mean_length": pa.float64()}


def figures(source: Source, columns: Sequence[pa.Field]) -> list[ColumnFigures]:
    """What is to be said of these columns.

    Raises:
        QueryTimeout: it took longer than the table's `seconds`.
        DestinationUnavailable, DestinationRefused: the table's database does not answer.
    """
    of_columns = [one for number, field in enumerate(columns) for one in _fields(number, field)]
    schema = pa.schema([("rows", pa.int64()), ("estimates", pa.int64()), *of_columns])
    found = answer(source, lambda sql: _statement(sql, columns, schema), schema).to_pylist()[0]
    return [_figures(found, number, field) for number, field in enumerate(columns)]


def most_common(
    source: Source,
    expression: Callable[[Sql], str],
    kind: pa.DataType,
    *,
    label: str | None = None,
    summed: str | None = None,
    most: int = MOST_COMMON,
) -> list[Common]:
    """The values that most rows have, null among them.

    Args:
        source: the table.
        expression: the value of a row.
        kind: its type.
        label: a column that says what a value stands for.
        summed: a column of integers that is added up in place of the rows.
        most: how many of them.

    Raises:
        as `figures`.
    """

    def statement(sql: Sql) -> str:
        cut = f"substr({expression(sql)}, 1, {SHOWN_CHARACTERS})" if kind == pa.string() else expression(sql)
        named = f"max(substr({quoted(label)}, 1, {SHOWN_CHARACTERS}))" if label else "CAST(NULL AS VARCHAR)"
        return (
            f"SELECT {cut} AS value, {amount(summed)} AS rows, {named} AS label FROM {sql.table}"
            f" GROUP BY 1 ORDER BY rows DESC NULLS LAST, value LIMIT {most}"
        )

    found = answer(source, statement, pa.schema([("value", kind), ("rows", pa.int64()), ("label", pa.string())]))
    return [Common(**one | {"rows": one["rows"] or 0}) for one in found.to_pylist()]


def amount(summed: str | None) -> str:
    """How many rows there are, or the sum of a column in them."""
    return "count(*)" if summed is None else f"CAST(sum({quoted(summed)}) AS BIGINT)"


def total(source: Source, summed: str | None) -> int:
    """How many rows a table has, or the sum of a column in all of them.

    Raises:
        as `figures`.
    """
    schema = pa.schema([("rows", pa.int64())])
    found = answer(source, lambda sql: f"SELECT {amount(summed)} AS rows FROM {sql.table}", schema)
    return int(found.column("rows")[0].as_py() or 0)


def _statement(sql: Sql, columns: Sequence[pa.Field], schema: pa.Schema) -> str:
    wanted = ["count(*)", f"CAST({int(sql.dialect.estimates)} AS BIGINT)"]
    for field in columns:
        name = quoted(field.name)
        wanted += [f"count(*) - count({name})", sql.dialect.distinct(name)]
        wanted += [form.format(name) for form in _FURTHER.get(field.type, {}).values()]
    named = (f"{form} AS {quoted(name)}" for form, name in zip(wanted, schema.names, strict=True))
    return f"SELECT {', '.join(named)} FROM {sql.table}"


def _fields(number: int, field: pa.Field) -> list[pa.Field]:
    counts = [pa.field(f"{number}_{name}", pa.int64()) for name in ("nulls", "distinct")]
    further = _FURTHER.get(field.type, {})
    return counts + [pa.field(f"{number}_{name}", _TYPES.get(name, field.type)) for name in further]


def _figures(found: Mapping[str, Any], number: int, field: pa.Field) -> ColumnFigures:
    names = ("nulls", "distinct", *_FURTHER.get(field.type, {}))
    said = {name: found[f"{number}_{name}"] for name in names}
    return ColumnFigures(name=field.name, rows=found["rows"], distinct_is_estimate=bool(found["estimates"]), **said)


def by_hour(source: Source, time: str, summed: str | None) -> dict[int, int]:
    """How many rows there are in each hour (unix seconds), or the sum of a column in them; rows without a time are left out.

    Raises:
        as `figures`.
    """
    column = quoted(time)
    found = answer(
        source,
        lambda sql: (
            f"SELECT {sql.dialect.hour(column)} AS hour, {amount(summed)} AS rows FROM {sql.table}"
            f" WHERE {column} IS NOT NULL GROUP BY 1"
        ),
        pa.schema([("hour", pa.int64()), ("rows", pa.int64())]),
    )
    return {one["hour"]: one["rows"] or 0 for one in found.to_pylist()}


def keys_of(source: Source, column: str) -> dict[str, int]:
    """The keys of the JSON objects in a column, each with how many rows have it; the most common ones first.

    Raises:
        as `figures`.
    """
    found = answer(
        source,
        lambda sql: (
            f"SELECT key, count(*) AS rows FROM ({sql.dialect.keys(sql.table, quoted(column))}) AS found"
            f" GROUP BY key ORDER BY rows DESC, key LIMIT {MOST_KEYS}"
        ),
        pa.schema([("key", pa.string()), ("rows", pa.int64())]),
    )
    return {one["key"]: one["rows"] for one in found.to_pylist()}
