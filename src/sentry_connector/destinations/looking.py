"""What somebody wants to see of a table: which rows, in which order, which columns. Data, checked against the table's columns."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import pyarrow as pa

from sentry_connector.destinations.sql_model import Sql, Value
from sentry_connector.destinations.sql_text import quoted
from sentry_connector.errors import UnknownName, UsageError

TIME = pa.timestamp("us", tz="UTC")
LARGEST = 2**63 - 1


class Operator(StrEnum):
    """How a column's value is compared."""

    EQUALS = "equals"
    CONTAINS = "contains"  # texts only; upper and lower case alike
    IN = "in"
    AT_LEAST = "at_least"
    BELOW = "below"
    EMPTY = "empty"  # null, or a text without a character
    FILLED = "filled"


NEEDS = {Operator.EMPTY: 0, Operator.FILLED: 0, Operator.IN: None}
"""How many values an operator needs where that is not one; None = any number."""


class Condition(NamedTuple):
    """What a row's value in a column has to be; the values are as people write them."""

    column: str
    operator: Operator
    values: tuple[str, ...] = ()


class Sort(NamedTuple):
    """A column that rows are sorted by; those without a value come last."""

    column: str
    descending: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """Which rows, in which order.

    Attributes:
        columns: those that are wanted, in this order; none = all.
        sort: the first one counts most; rows that are equal in all of them keep one order.
        conditions: all of them hold.
        find: a text that one of the text columns holds, upper and lower case alike; empty = any.
        offset, limit: which of the rows that are left.
    """

    columns: tuple[str, ...] = ()
    sort: tuple[Sort, ...] = ()
    conditions: tuple[Condition, ...] = ()
    find: str = ""
    offset: int = 0
    limit: int = 100

    @property
    def is_everything(self) -> bool:
        """Whether all rows are wanted, in whatever order."""
        return not (self.sort or self.conditions or self.find)


def columns_of(look: Look, schema: pa.Schema) -> pa.Schema:
    """The columns that are wanted.

    Raises:
        UnknownName: the table has no such column.
    """
    return pa.schema([field_of(name, schema) for name in dict.fromkeys(look.columns)]) if look.columns else schema


def field_of(name: str, schema: pa.Schema) -> pa.Field:
    """A table's column.

    Raises:
        UnknownName: the table has no such column.
    """
    if name not in schema.names:
        raise UnknownName("column", name, schema.names)
    return schema.field(name)


def condition_of(look: Look, schema: pa.Schema, sql: Sql) -> str:
    """The condition that a row is one of those that are wanted.

    Raises:
        UnknownName: the table has no such column.
        UsageError: a value is none of its column's.
    """
    conditions = [_written(one, field_of(one.column, schema), sql) for one in look.conditions]
    if look.find:
        found = sql.value(look.find)
        texts = [one.name for one in schema if one.type == pa.string()]
        conditions.append(" OR ".join(sql.dialect.contains(quoted(name), found) for name in texts) or "false")
    return " AND ".join(f"({one})" for one in conditions) or "true"


def order_of(look: Look, schema: pa.Schema, then: Sequence[str], *, first: int | None = None) -> str:
    """The order of rows.

    Args:
        look: by what they are sorted.
        schema: the table's columns.
        then: what tells all rows apart.
        first: how many characters of a text count; None = all.

    Raises:
        UnknownName: the table has no such column.
    """
    sorts = [f"{_sorted_by(field_of(one.column, schema), first)}{_WAY[one.descending]}" for one in look.sort]
    return ", ".join([*sorts, *map(quoted, then)])


_WAY = {False: " ASC NULLS LAST", True: " DESC NULLS LAST"}


def _sorted_by(field: pa.Field, first: int | None) -> str:
    name = quoted(field.name)
    return f"substr({name}, 1, {first})" if first is not None and field.type == pa.string() else name


def _written(one: Condition, field: pa.Field, sql: Sql) -> str:
    name, needed = quoted(field.name), NEEDS.get(one.operator, 1)
    if needed is not None and len(one.values) != needed:
        raise UsageError(f"{one.operator} takes {needed} value{'' if needed == 1 else 's'}, not {len(one.values)}.")
    if one.operator is Operator.CONTAINS and field.type != pa.string():
        raise UsageError(f"{field.name!r} holds no texts, which alone contain others.", remedy="Use equals.")
    values = [sql.value(value_of(value, field)) for value in one.values]
    return _OPERATORS[one.operator](name, values, sql, field)


def _is_empty(name: str, field: pa.Field) -> str:
    return f"{name} IS NULL OR {name} = ''" if field.type == pa.string() else f"{name} IS NULL"


_OPERATORS: Mapping[Operator, Callable[[str, list[str], Sql, pa.Field], str]] = {
    Operator.EQUALS: lambda name, values, *_: f"{name} = {values[0]}",
    Operator.CONTAINS: lambda name, values, sql, _: sql.dialect.contains(name, values[0]),
    Operator.IN: lambda name, values, *_: f"{name} IN ({', '.join(values) or 'NULL'})",
    Operator.AT_LEAST: lambda name, values, *_: f"{name} >= {values[0]}",
    Operator.BELOW: lambda name, values, *_: f"{name} < {values[0]}",
    Operator.EMPTY: lambda name, _values, _sql, field: _is_empty(name, field),
    Operator.FILLED: lambda name, _values, _sql, field: f"NOT ({_is_empty(name, field)})",
}


def value_of(given: str, field: pa.Field) -> Value:
    """A value as people write it, as the column's type has it; times without a zone are UTC.

    Raises:
        UsageError: it is none.
    """
    if field.type == pa.string():
        return given
    try:
        return _VALUES[field.type](given.strip())
    except (ValueError, OverflowError):  # in UTC, a time of another zone can lie before the first year
        example = _EXAMPLES[field.type]
        raise UsageError(f"{given!r} is no value of {field.name!r}.", remedy=f"Write it like {example}.") from None


def _integer(given: str) -> int:
    value = int(given)
    if abs(value) > LARGEST:
        raise ValueError
    return value


def _real(given: str) -> float:
    value = float(given)
    if not math.isfinite(value):
        raise ValueError
    return value


def _boolean(given: str) -> bool:
    if given.casefold() not in ("true", "false"):
        raise ValueError
    return given.casefold() == "true"


def _time(given: str) -> dt.datetime:
    at = dt.datetime.fromisoformat(given)
    return at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at.astimezone(dt.UTC)


_VALUES: Mapping[pa.DataType, Callable[[str], Value]] = {
    pa.int64(): _integer,
    pa.float64(): _real,
    pa.bool_(): _boolean,
    pa.date32(): dt.date.fromisoformat,
    TIME: _time,
}
_EXAMPLES: Mapping[pa.DataType, str] = {
    pa.int64(): "42",
    pa.float64(): "4.2",
    pa.bool_(): "true",
    pa.date32(): "2026-03-10",
    TIME: "2026-03-10 or 2026-03-10T12:00:00Z",
}
