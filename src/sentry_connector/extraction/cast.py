"""Checked casts: plain values of one column to an Arrow array; what does not fit becomes null and is handed back."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sentry_connector.extraction.schema import ARROW_TYPES
from sentry_connector.reports.model import ColumnType

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
_EARLIEST = pa.scalar(dt.datetime.min.replace(tzinfo=dt.UTC), ARROW_TYPES[ColumnType.TIMESTAMP])
_LATEST = pa.scalar(dt.datetime.max.replace(tzinfo=dt.UTC), ARROW_TYPES[ColumnType.TIMESTAMP])
_MISFIT = object()


def cast(kind: ColumnType, values: Sequence[Any]) -> tuple[pa.Array, dict[int, Any]]:
    """The values as an array of that type, and the misfits by their row number.

    The whole column is tried at once; only when Arrow refuses is each value looked at by itself. Columns without any value,
    half of those of a report about events, cost next to nothing.
    """
    if values.count(None) == len(values):
        return pa.nulls(len(values), ARROW_TYPES[kind]), {}
    try:
        return _VECTOR[kind](values), {}
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return _one_by_one(kind, values)


def _one_by_one(kind: ColumnType, values: Sequence[Any]) -> tuple[pa.Array, dict[int, Any]]:
    convert = _SCALAR[kind]
    fitted: list[Any] = []
    misfits: dict[int, Any] = {}
    for row, value in enumerate(values):
        result = None if value is None else convert(value)
        if result is _MISFIT:
            misfits[row] = value
            result = None
        fitted.append(result)
    return pa.array(fitted, ARROW_TYPES[kind]), misfits


def _text(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else _MISFIT


def _integer(value: Any) -> Any:
    if isinstance(value, str):
        value = _number(value, int)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    fits = isinstance(value, int) and not isinstance(value, bool) and INT64_MIN <= value <= INT64_MAX
    return value if fits else _MISFIT


def _real(value: Any) -> Any:
    if isinstance(value, str):
        value = _number(value, float)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _MISFIT
    try:
        value = float(value)
    except OverflowError:
        return _MISFIT
    return value if math.isfinite(value) else _MISFIT


def _boolean(value: Any) -> Any:
    return value if isinstance(value, bool) else _MISFIT


def _timestamp(value: Any) -> Any:
    try:
        if isinstance(value, str):
            moment = dt.datetime.fromisoformat(value)
            return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return dt.datetime.fromtimestamp(value, dt.UTC)
    except (ValueError, OverflowError, OSError):
        return _MISFIT
    return _MISFIT


def _number(value: str, kind: type[int | float]) -> Any:
    try:
        return kind(value)
    except ValueError:
        return _MISFIT


def _timestamps(values: Sequence[Any]) -> pa.Array:
    array = pc.cast(pa.array(values, pa.string()), ARROW_TYPES[ColumnType.TIMESTAMP])
    span = pc.min_max(array)
    if pc.less(span["min"], _EARLIEST).as_py() or pc.greater(span["max"], _LATEST).as_py():
        raise pa.ArrowInvalid("Arrow knows years that Python does not")
    return array


def _plain(kind: ColumnType) -> Callable[[Sequence[Any]], pa.Array]:
    return lambda values: pa.array(values, ARROW_TYPES[kind])


def _integers(values: Sequence[Any]) -> pa.Array:
    if any(isinstance(value, float) for value in values):
        raise pa.ArrowInvalid("Arrow would store 1.5 as 1 without a word")
    return pa.array(values, pa.int64())


def _reals(values: Sequence[Any]) -> pa.Array:
    if any(isinstance(value, bool) for value in values):
        raise pa.ArrowInvalid("Arrow would store true as 1.0 without a word")
    array = pa.array(values, pa.float64())
    if not pc.all(pc.is_finite(array), skip_nulls=True, min_count=0).as_py():
        raise pa.ArrowInvalid("not a finite number")
    return array


_VECTOR: dict[ColumnType, Callable[[Sequence[Any]], pa.Array]] = {
    ColumnType.TEXT: _plain(ColumnType.TEXT),
    ColumnType.JSON: _plain(ColumnType.JSON),
    ColumnType.INTEGER: _integers,
    ColumnType.REAL: _reals,
    ColumnType.BOOLEAN: _plain(ColumnType.BOOLEAN),
    ColumnType.TIMESTAMP: _timestamps,
}

_SCALAR: dict[ColumnType, Callable[[Any], Any]] = {
    ColumnType.TEXT: _text,
    ColumnType.JSON: _text,
    ColumnType.INTEGER: _integer,
    ColumnType.REAL: _real,
    ColumnType.BOOLEAN: _boolean,
    ColumnType.TIMESTAMP: _timestamp,
}
