"""One SELECT over one table, wherever that lies: written once, and answered by DuckDB or by the table's own database."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field

import pyarrow as pa

from sentry_connector.destinations.query import Elsewhere, Source, query
from sentry_connector.destinations.sql_duckdb import DIALECT
from sentry_connector.destinations.sql_model import Sql, Statement, Value

ROWS = "rows"
"""What the table is called in a statement that DuckDB answers."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Values that a statement names by number."""

    values: list[Value] = field(default_factory=list)

    def __call__(self, value: Value) -> str:
        """The name of one more value."""
        self.values.append(value)
        return f"${len(self.values)}"


def answer(source: Source, statement: Statement, schema: pa.Schema, *, places: bool = False) -> pa.Table:
    """The rows of a statement.

    Args:
        source: the table.
        statement: writes the statement.
        schema: the columns of its rows, in their order.
        places: files on this machine have one more column, `query.PLACE`.

    Raises:
        QueryTimeout: it took longer than the table's `seconds`.
        DestinationUnavailable, DestinationRefused: the table's database does not answer.
    """
    if isinstance(source, Elsewhere):
        return source.answer(statement, schema, source.seconds)
    bound = Bound()
    sql = statement(Sql(dialect=DIALECT, table=ROWS, value=bound))
    with (
        tempfile.TemporaryDirectory(prefix="sentry-connector-") as spill,
        query(
            sql, {ROWS: source}, parameters=bound.values, temp_directory=spill, places=places, seconds=source.seconds
        ) as reader,
    ):
        return reader.read_all().cast(schema)
