"""What fits its column is stored as it is; what does not becomes null and is handed back, never something else."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentry_connector.extraction.cast import INT64_MAX, INT64_MIN, cast
from sentry_connector.reports.model import ColumnType

UTC = dt.UTC


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        (ColumnType.TEXT, "007", "007"),
        (ColumnType.TEXT, 42, "42"),
        (ColumnType.TEXT, True, "true"),
        (ColumnType.INTEGER, "17", 17),
        (ColumnType.INTEGER, 3.0, 3),
        (ColumnType.REAL, 2, 2.0),
        (ColumnType.REAL, "1.5", 1.5),
        (ColumnType.BOOLEAN, False, False),
        (ColumnType.TIMESTAMP, "2026-03-10T12:00:00Z", dt.datetime(2026, 3, 10, 12, tzinfo=UTC)),
        (ColumnType.TIMESTAMP, "2026-03-10T12:00:00.123456Z", dt.datetime(2026, 3, 10, 12, 0, 0, 123456, UTC)),
        (ColumnType.TIMESTAMP, "2026-03-10T14:00:00+02:00", dt.datetime(2026, 3, 10, 12, tzinfo=UTC)),
        (ColumnType.TIMESTAMP, "2026-03-10T12:00:00", dt.datetime(2026, 3, 10, 12, tzinfo=UTC)),
        (ColumnType.TIMESTAMP, 1773144000, dt.datetime(2026, 3, 10, 12, tzinfo=UTC)),
        (ColumnType.TIMESTAMP, 1773144000.5, dt.datetime(2026, 3, 10, 12, 0, 0, 500000, UTC)),
    ],
)
def test_a_value_that_fits_is_stored(kind: ColumnType, value: Any, stored: Any) -> None:
    array, misfits = cast(kind, [None, value])
    assert array.to_pylist() == [None, stored]
    assert misfits == {}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (ColumnType.INTEGER, 1.5),
        (ColumnType.INTEGER, True),
        (ColumnType.INTEGER, "many"),
        (ColumnType.INTEGER, INT64_MAX + 1),
        (ColumnType.INTEGER, "1.5"),
        (ColumnType.REAL, True),
        (ColumnType.REAL, math.inf),
        (ColumnType.REAL, "NaN"),
        (ColumnType.REAL, 10**400),
        (ColumnType.BOOLEAN, 1),
        (ColumnType.BOOLEAN, "true"),
        (ColumnType.TIMESTAMP, "yesterday"),
        (ColumnType.TIMESTAMP, "2026-02-30T00:00:00Z"),
        (ColumnType.TIMESTAMP, "0000-01-01T00:00:00Z"),
        (ColumnType.TIMESTAMP, "9999-12-31T23:59:59-10:00"),
        (ColumnType.TIMESTAMP, 10**30),
        (ColumnType.TIMESTAMP, True),
    ],
)
def test_a_misfit_becomes_null_and_is_handed_back(kind: ColumnType, value: Any) -> None:
    array, misfits = cast(kind, [value, None])
    assert array.to_pylist() == [None, None]
    assert misfits == {0: value}


@given(st.lists(st.none() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.booleans()))
def test_an_integer_column_holds_exactly_the_integers(values: list[Any]) -> None:
    """Nothing is rounded, and every value is either stored or handed back."""
    array, misfits = cast(ColumnType.INTEGER, values)
    for row, (given_value, stored) in enumerate(zip(values, array.to_pylist(), strict=True)):
        if stored is None:
            assert given_value is None or row in misfits
        else:
            assert float(given_value) == stored or int(given_value) == stored
            assert INT64_MIN <= stored <= INT64_MAX
