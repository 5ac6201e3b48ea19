"""Rows as the libraries of data frames know them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from sentry_connector.errors import UsageError

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import polars as pl


class Rows(ABC):
    """Rows that can be had in several forms, as often as wanted."""

    @property
    @abstractmethod
    def schema(self) -> pa.Schema:
        """The columns, as an Arrow schema."""

    @abstractmethod
    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, a batch at a time; memory does not grow with their number."""

    def to_reader(self) -> pa.RecordBatchReader:
        """The rows as an Arrow reader, which streams them."""
        return pa.RecordBatchReader.from_batches(self.schema, self.batches())

    def to_arrow(self) -> pa.Table:
        """All rows as an Arrow table."""
        return self.to_reader().read_all()

    def to_pandas(self) -> pd.DataFrame:
        """All rows as a pandas data frame.

        Raises:
            UsageError: pandas is not installed (`sentry-connector[frames]`).
        """
        try:
            import pandas as _  # noqa: F401, ICN001, PLC0415  # an extra
        except ModuleNotFoundError:
            raise _not_installed("pandas") from None
        frame: pd.DataFrame = self.to_arrow().to_pandas()
        return frame

    def to_polars(self) -> pl.DataFrame:
        """All rows as a Polars data frame.

        Raises:
            UsageError: Polars is not installed (`sentry-connector[frames]`).
        """
        try:
            import polars as pl  # noqa: PLC0415  # an extra
        except ModuleNotFoundError:
            raise _not_installed("Polars") from None
        frame = pl.from_arrow(self.to_arrow())
        if not isinstance(frame, pl.DataFrame):
            raise TypeError("Polars made no data frame of a table.")
        return frame

    def to_duckdb(self, connection: duckdb.DuckDBPyConnection | None = None) -> duckdb.DuckDBPyRelation:
        """All rows as a DuckDB relation, in a connection of its own or in the given one."""
        import duckdb  # noqa: PLC0415  # loads a large library, which most callers do not need

        return (connection or duckdb.connect()).from_arrow(self.to_arrow())


def _not_installed(library: str) -> UsageError:
    return UsageError(f"{library} is not installed.", remedy="pip install 'sentry-connector[frames]'")
