"""Read-only SQL over the DataSets: each is a view under its slug. `connector.runs` and the like tell about them.

A statement is run in a process of its own (`queries/`), on the command line as on a server: there is one way to ask.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import pyarrow as pa

from sentry_connector.destinations.query import RECORDS, Snapshot, Unread, as_files
from sentry_connector.errors import UnknownName
from sentry_connector.extraction.schema import arrow_schema
from sentry_connector.operations.records import SCHEMAS, tables_of_records
from sentry_connector.queries.messages import Statement
from sentry_connector.queries.views import told
from sentry_connector.reports import catalogue
from sentry_connector.runs.house import House
from sentry_connector.store.records import DataSet

MOST_SHOWN = 10_000
"""Rows that are shown of a result; a file holds all."""

MOST_BYTES_SHOWN = 32 * 2**20
"""Of these rows."""

_SHORTEST = 0.001
"""Seconds that a database is given at least; to PostgreSQL none would be as many as it likes."""


class Shown(NamedTuple):
    """The first rows of a result.

    Attributes:
        rows: with their columns.
        more: whether there are more.
        seconds: how long they took.
    """

    rows: pa.Table
    more: bool
    seconds: float


class Names(NamedTuple):
    """What a statement may name.

    Attributes:
        tables: each with its columns.
        functions: those that give a value.
        keywords: words of SQL, in small letters.
    """

    tables: Mapping[str, Sequence[pa.Field]]
    functions: Sequence[str]
    keywords: Sequence[str]


@contextlib.contextmanager
def run_query(
    house: House, sql: str, *, limit: int | None = None, ticket: str | None = None
) -> Iterator[pa.RecordBatchReader]:
    """The rows of one SELECT, streamed.

    Args:
        house: the parts.
        sql: the statement.
        limit: so many rows at most.
        ticket: by what `cancel` finds it while it is run.

    Raises:
        SqlError: the engine refuses it, or it takes more memory than the settings allow.
        QueryTimeout: it, or the copying of a database's rows for it, takes longer than they allow.
        Cancelled: it was stopped.
        QueriesBusy: too many others are run at the moment.
        DestinationUnavailable, DestinationRefused: a DataSet that it names lies where its rows cannot be read.
    """
    folded, until = sql.casefold(), house.clock.monotonic() + house.settings.query_seconds
    with contextlib.ExitStack() as stack:
        tables = {one.slug: _table(house, one, folded, stack, until) for one in house.store.datasets.list()}
        records = {name: _stream(rows) for name, rows in tables_of_records(house).items()} if RECORDS in folded else {}
        views = {name: told(table) for name, table in tables.items()}
        statement = Statement(sql=sql, views=views, records=records, limit=limit)
        yield stack.enter_context(house.queries.rows(statement, ticket=ticket))


def first_rows(house: House, sql: str, *, limit: int = MOST_SHOWN, ticket: str | None = None) -> Shown:
    """The first rows of one SELECT, to look at; as `run_query`."""
    began, found, taken, more = house.clock.monotonic(), [], 0, False
    with run_query(house, sql, limit=limit + 1, ticket=ticket) as reader:
        for batch in reader:
            found.append(batch)
            taken += batch.nbytes
            if more := taken > MOST_BYTES_SHOWN:
                break
    rows = pa.Table.from_batches(found, reader.schema)
    return Shown(rows.slice(0, limit), more or len(rows) > limit, house.clock.monotonic() - began)


def names(house: House) -> Names:
    """What a statement may name."""
    tables = {one.slug: [*_planned(one)] for one in house.store.datasets.list()}
    tables |= {f"{RECORDS}.{name}": [*schema] for name, schema in SCHEMAS.items()}
    with run_query(house, _WORDS) as reader:
        words = reader.read_all().to_pylist()
    functions, keywords = ([one["word"] for one in words if one["kind"] == kind] for kind in ("function", "keyword"))
    return Names(tables, functions, keywords)


_WORDS = """SELECT DISTINCT function_name AS word, 'function' AS kind FROM duckdb_functions()
WHERE function_type IN ('scalar', 'aggregate') AND function_name ~ '^[a-z][a-z0-9_]*$' AND NOT starts_with(function_name, '__')
UNION SELECT keyword_name, 'keyword' FROM duckdb_keywords()
WHERE keyword_category IN ('reserved', 'type_function')
OR keyword_name IN ('between', 'by', 'exists', 'filter', 'over', 'partition')
ORDER BY word"""


def cancel(house: House, ticket: str) -> None:
    """Stop the statement that was begun with that ticket.

    Raises:
        UnknownName: none is run with it.
    """
    if not house.queries.cancel(ticket):
        raise UnknownName("statement", ticket, remedy="It has ended.")


def _planned(dataset: DataSet) -> pa.Schema:
    """The columns that a DataSet's table has, or will have."""
    return arrow_schema(catalogue.find(dataset.report))


def _table(house: House, dataset: DataSet, folded: str, stack: contextlib.ExitStack, until: float) -> Snapshot | Unread:
    """The newest version of a DataSet's table; without rows, but with its columns, where nothing was committed.

    What the statement does not name is not looked for: that takes time, and rows that lie elsewhere would come to this machine.
    They do so until that moment.
    """
    planned = _planned(dataset)
    if dataset.slug not in folded:
        return Unread(schema=planned)
    found = house.table(dataset).snapshot()
    if found is None:
        return Snapshot(files=(), schema=planned)
    left = max(until - house.clock.monotonic(), _SHORTEST)
    return stack.enter_context(as_files(replace(found, seconds=left), house.queries.place))


def _stream(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return bytes(sink.getvalue())
