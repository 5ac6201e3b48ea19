"""SQL over DataSets: an in-memory DuckDB with one view per DataSet, locked before the first foreign word is read.

The engine is the guard. Its settings close the file system, the network, Python's variables and the settings themselves. One hole
they leave (DuckDB 2.0, measured): `COPY … TO` may overwrite a file that `allowed_paths` names for reading, also below
`EXPLAIN ANALYZE`. So the engine's own parser says what a statement is, and only a SELECT, or EXPLAIN with a SELECT, is run.
"""

from __future__ import annotations

import itertools
import re
import shutil
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from sentry_connector.destinations.model import DAY, Selection
from sentry_connector.destinations.sql_model import Statement
from sentry_connector.destinations.sql_text import listed, literal, quoted, sql_type
from sentry_connector.destinations.stopping import stopped_after
from sentry_connector.errors import SqlError, disk_error, nearest

BATCH_ROWS = 10_000
MEMORY_LIMIT = "1GB"
LATE_ROWS = 20_000
"""First rows of a sorted table up to which only the columns that it is sorted by are read of the others: six times as fast."""

MORE_MEMORY = "Select less, or raise SENTRY_CONNECTOR_QUERY_MIB."

RECORDS = "connector"
"""The schema of the connector's own records."""

PLACE, PLACE_BITS = "#place", 40
"""The column that tells where a row lies: the number of its file, shifted by so many bits, and that of the row in it."""

_LOCKS = (
    "SET enable_external_access = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET allow_community_extensions = false",
    "SET lock_configuration = true",
)

_EXPLAIN = re.compile(r"\s*EXPLAIN\s", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """One version of a table, for reading.

    Attributes:
        files: the paths of its Parquet files.
        schema: its columns; a file that is older than a column lacks it.
        filesystem: the object store that the paths are in; None for this machine's disks.
        holds_days: the files hold the column `_day`; otherwise their paths do.
        seconds: after which `asking.answer` stops a statement; None = never.
    """

    files: tuple[str, ...]
    schema: pa.Schema
    filesystem: pafs.FileSystem | None = None
    holds_days: bool = False
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Elsewhere:
    """One version of a table whose rows lie in a database, and in no files.

    Attributes:
        schema: its columns.
        stream: all rows, a batch at a time, as they are at one instant; after so many seconds it is stopped.
        by_hour: as `looks.by_hour`, answered by the database.
        answer: as `asking.answer`, by the database, which is stopped after so many seconds.
        seconds: after which what is asked of it is stopped; None = never.
    """

    schema: pa.Schema
    stream: Callable[[float | None], AbstractContextManager[Iterator[pa.RecordBatch]]]
    by_hour: Callable[[Selection, str], dict[int, int]]
    answer: Callable[[Statement, pa.Schema, float | None], pa.Table]
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Unread:
    """A table that a statement does not name, so that nobody looks for its rows; `schema` is what it should have."""

    schema: pa.Schema


Source = Snapshot | Elsewhere


@contextmanager
def as_files(source: Source, place: Path | None = None) -> Iterator[Snapshot]:
    """The rows in files of this machine. Those that lie elsewhere are copied, and are gone at the end of the block.

    DuckDB is given no store of objects to read from: its threads would wait for Python, which waits for them.

    Args:
        source: the table.
        place: a folder that they are copied to; None = the system's for such files.

    Raises:
        QueryTimeout: the database takes longer than it may.
        DestinationUnavailable, DestinationRefused: the database, or the store of objects, does not give them.
    """
    if isinstance(source, Snapshot) and source.filesystem is None:
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="sentry-connector-", dir=place) as folder:
        if isinstance(source, Snapshot):
            yield replace(source, files=_copied(source, source.filesystem, Path(folder)), filesystem=None)
            return
        path = f"{folder}/rows.parquet"
        with (
            source.stream(source.seconds) as batches,
            pq.ParquetWriter(path, source.schema, compression="lz4") as writer,
        ):
            for batch in batches:
                writer.write_batch(batch)
        yield Snapshot(files=(path,), schema=source.schema, holds_days=True)


def _copied(source: Snapshot, filesystem: pafs.FileSystem, folder: Path) -> tuple[str, ...]:
    """The files of a store of objects, copied to a folder; their paths tell the days as before."""
    found = []
    for path in source.files:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with filesystem.open_input_stream(path) as stream, target.open("wb") as copy:
                shutil.copyfileobj(stream, copy)
        except OSError as error:
            raise disk_error(error, "The storage of the tables") from error
        found.append(str(target))
    return tuple(found)


@contextmanager
def read(source: Source) -> Iterator[pa.RecordBatchReader]:
    """All rows, as they come, with what the columns' metadata say.

    Raises:
        DestinationUnavailable, DestinationRefused: a database does not give them.
    """
    if isinstance(source, Elsewhere):
        with source.stream(source.seconds) as batches:
            yield pa.RecordBatchReader.from_batches(source.schema, batches)
        return
    # JSON columns are known by their metadata, which SQL engines drop.
    with query("SELECT * FROM rows", {"rows": source}) as reader:
        told = (pa.RecordBatch.from_arrays(batch.columns, schema=source.schema) for batch in reader)
        yield pa.RecordBatchReader.from_batches(source.schema, told)


@contextmanager
def query(
    sql: str,
    tables: Mapping[str, Source | Unread],
    *,
    parameters: Sequence[object] = (),
    records: Mapping[str, pa.Table] | None = None,
    limit: int | None = None,
    memory_limit: str = MEMORY_LIMIT,
    threads: int | None = None,
    temp_directory: str | None = None,
    places: bool = False,
    seconds: float | None = None,
) -> Iterator[pa.RecordBatchReader]:
    """Run one SELECT (also DESCRIBE, SHOW, SUMMARIZE, EXPLAIN) over tables and give its rows as they come.

    Args:
        sql: the statement.
        tables: the view's name → the table.
        parameters: the values of `$1`, `$2` …
        records: name within the schema `connector` → rows.
        limit: so many rows at most; the engine need not make the others.
        memory_limit: in DuckDB's words.
        threads: how many work on it; None = as many as there are processors.
        temp_directory: where sorting goes beyond it; None: nowhere.
        places: files on this machine have one more column, `PLACE`.
        seconds: after which the statement is stopped; None: never.

    Raises:
        SqlError: it is none of those statements, or the engine refuses it; with the engine's words, the place (`line`, `column`)
            where it names one and, where a table was not found, the nearest names.
        QueryTimeout: it was stopped.
        DestinationUnavailable, DestinationRefused: a table's database does not give its rows.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "python_enable_replacements": "false",
        "memory_limit": memory_limit,
        "temp_directory": temp_directory or "",
        "late_materialization_max_rows": LATE_ROWS,
    }
    if threads is not None:
        config["threads"] = threads
    with ExitStack() as stack:
        here = {
            name: one if isinstance(one, Unread) else stack.enter_context(as_files(one)) for name, one in tables.items()
        }
        connection = stack.enter_context(duckdb.connect(":memory:", config=config))
        connection.execute("SET TimeZone = 'UTC'")
        for name, table in here.items():
            _make_view(connection, name, table, places=places)
        _make_records(connection, records or {})
        files = [one for one in here.values() if isinstance(one, Snapshot)]
        _lock(connection, [path for one in files for path in one.files])
        with _sql_errors(connection, sql, tables):
            _refuse_all_but_select(connection, sql)
            stack.enter_context(stopped_after(seconds, connection.interrupt))
            relation = connection.sql(sql, params=list(parameters)) if parameters else connection.sql(sql)
            _refuse_equal_names(relation.columns)
            found = _storable(relation)
            reader = (found if limit is None else found.limit(limit)).to_arrow_reader(BATCH_ROWS)
        yield pa.RecordBatchReader.from_batches(reader.schema, _batches(reader, sql))


def _refuse_equal_names(names: list[str]) -> None:
    """Columns of one name would be one field in JSON, and the other's values gone."""
    for name, count in Counter(names).items():
        if count > 1:
            raise SqlError(f"The result has {count} columns named {name!r}.", remedy="Name them apart with AS.")


_AS_TEXT = {"interval", "time with time zone", "bit", "bignum", "union"}
"""Types for which files have no form, or that Arrow gives another meaning; their values are text."""

_NESTED = {"list", "array", "struct", "map"}


def _storable(relation: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """The rows, with the columns that no file could hold as text, in the engine's words (`3 days`)."""
    kinds = dict(zip(relation.columns, relation.types, strict=True))
    if not any(map(_is_as_text, kinds.values())):
        return relation
    columns = (
        f"CAST({quoted(name)} AS VARCHAR) AS {quoted(name)}" if _is_as_text(kind) else quoted(name)
        for name, kind in kinds.items()
    )
    return relation.project(", ".join(columns))


def _is_as_text(kind: duckdb.sqltypes.DuckDBPyType) -> bool:
    inside = [child for _, child in kind.children] if kind.id in _NESTED else []
    return kind.id in _AS_TEXT or any(
        _is_as_text(child) for child in inside if isinstance(child, duckdb.sqltypes.DuckDBPyType)
    )


def _batches(reader: pa.RecordBatchReader, sql: str) -> Iterator[pa.RecordBatch]:
    """The rows; what the engine finds wrong with one of them comes out of Arrow as an `OSError`."""
    try:
        yield from reader
    except OSError as error:
        raise _refused(str(error), sql) from error


def _make_view(connection: duckdb.DuckDBPyConnection, name: str, snapshot: Snapshot | Unread, *, places: bool) -> None:
    if isinstance(snapshot, Unread):
        connection.execute(f"CREATE VIEW {quoted(name)} AS {_unread(name, snapshot.schema)}")
        return
    connection.execute(f"CREATE VIEW {quoted(name)} AS {_select(snapshot, places=places)}")


def _make_records(connection: duckdb.DuckDBPyConnection, records: Mapping[str, pa.Table]) -> None:
    if records:
        connection.execute(f"CREATE SCHEMA {RECORDS}")
    for name, rows in records.items():
        connection.register("#records", rows)
        connection.execute(f'CREATE TABLE {RECORDS}.{quoted(name)} AS SELECT * FROM "#records"')
        connection.unregister("#records")


def _unread(name: str, schema: pa.Schema) -> str:
    """A SELECT that has the columns, and that nobody can read: where the statement came to it by another way than its name."""
    why = literal(f"{name} is read only where the statement names it.")
    columns = ", ".join(f"CAST(NULL AS {sql_type(one.type)}) AS {quoted(one.name)}" for one in schema)
    return f"SELECT {columns} WHERE CAST(error({why}) AS VARCHAR) IS NULL"


def _select(snapshot: Snapshot, *, places: bool) -> str:
    """A SELECT of all columns; types and columns are the table's, whatever each file holds."""
    if not snapshot.files:
        schema = snapshot.schema.append(pa.field(PLACE, pa.int64())) if places else snapshot.schema
        nothing = ", ".join(f"CAST(NULL AS {sql_type(one.type)}) AS {quoted(one.name)}" for one in schema)
        return f"SELECT {nothing} WHERE false"
    stored = ", ".join(
        f"{literal(one.name)}: {{name: {literal(one.name)}, type: {literal(sql_type(one.type))}, default_value: NULL}}"
        for one in snapshot.schema
        if one.name != DAY or snapshot.holds_days
    )
    columns = ", ".join(
        _DAY_OF_PATH if one.name == DAY and not snapshot.holds_days else quoted(one.name) for one in snapshot.schema
    )
    more, options = (f", {_PLACE_OF_ROW}", ", file_row_number = true") if places else ("", "")
    return (
        f"SELECT {columns}{more} FROM read_parquet({listed(snapshot.files)}, schema = MAP {{{stored}}},"
        f" filename = true{options})"
    )


_PLACE_OF_ROW = f"(CAST(file_index AS BIGINT) << {PLACE_BITS}) | file_row_number AS {quoted(PLACE)}"
_DAY_OF_PATH = f"CAST(nullif(regexp_extract(filename, '{DAY}=([0-9-]+)/', 1), '') AS DATE) AS {quoted(DAY)}"


def _lock(connection: duckdb.DuckDBPyConnection, paths: list[str]) -> None:
    connection.execute(f"SET allowed_paths = {listed(paths)}")
    for statement in _LOCKS:
        connection.execute(statement)


def _refuse_all_but_select(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise SqlError(f"One statement is run at a time, not {len(statements)}.")
    kind = statements[0].type
    explained = _EXPLAIN.match(sql)
    if kind is duckdb.StatementType.EXPLAIN and explained:
        _refuse_all_but_select(connection, sql[explained.end() :])
    elif kind is not duckdb.StatementType.SELECT:
        raise SqlError(f"Only SELECT is run, not {kind.name}.")


@contextmanager
def _sql_errors(connection: duckdb.DuckDBPyConnection, sql: str, tables: Mapping[str, object]) -> Iterator[None]:
    try:
        yield
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        is_unknown = isinstance(error, duckdb.CatalogException)
        remedy = _remedy(_named(connection, sql), tables) if is_unknown else None
        raise _refused(_told_with_place(connection, sql, error), sql, remedy) from error
    except duckdb.Error as error:
        raise _refused(str(error), sql) from error


_PREPARE = "PREPARE placed AS\n"
_PLACE = re.compile(r"\n\nLINE (?P<line>\d+): (?P<shown>[^\n]*)\n(?P<before> *)\^")
"""Where the engine says that it stumbled: the line, what it shows of it, and a caret below."""


def _told_with_place(connection: duckdb.DuckDBPyConnection, sql: str, error: duckdb.Error) -> str:
    """What the engine says of a name that it does not know. Where that stands it tells only whoever prepares the statement."""
    try:
        connection.execute(_PREPARE + sql)
    except duckdb.Error as placed:
        said = str(placed)
        if said.startswith(str(error)):
            return _PLACE.sub(_a_line_less, said)
    return str(error)


def _a_line_less(place: re.Match[str]) -> str:
    line, shown = int(place["line"]) - 1, place["shown"]
    caret = len(place["before"]) - len(f"LINE {place['line']}: ")
    return f"\n\nLINE {line}: {shown}\n{' ' * (caret + len(f'LINE {line}: '))}^"


def _refused(said: str, sql: str, remedy: str | None = None) -> SqlError:
    """The engine's words on one line, with the line of the statement in which it stumbled.

    It points below that line with a caret, which only a fixed width would keep in place, and its guesses are at its own tables.
    """
    if said.startswith("Out of Memory Error: "):  # what follows is advice to whoever sets the engine up
        return SqlError(said.partition("\n")[0], remedy=MORE_MEMORY)
    words, place = said.partition("\n\nLINE ")[0], _PLACE.search(said)
    told = " ".join(line.strip() for line in words.splitlines() if not line.startswith("Did you mean"))
    if place is None:
        return SqlError(told, remedy=remedy)
    line, shown = int(place["line"]), place["shown"]
    column = _column(sql.split("\n")[line - 1 :], shown, len(place["before"]) - len(f"LINE {line}: "))
    return SqlError(f"{told} (line {line}: {shown.strip()})", remedy=remedy, line=line, column=column)


def _column(lines: list[str], shown: str, caret: int) -> int:
    """The column, from 1, of what the caret points at in the first of these lines, of which a part is shown where it is long."""
    whole, cut = (lines or [""])[0], len(shown) - len(shown.removeprefix("..."))
    begins = max(whole.find(shown.removeprefix("...").removesuffix("...")), 0)
    return min(begins + max(_characters(shown, caret) - cut, 0), len(whole)) + 1


def _characters(text: str, width: int) -> int:
    """How many characters of a text a terminal shows in a width; Chinese, Japanese and Korean ones are two wide."""
    ends = itertools.accumulate(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)
    return sum(end <= width for end in ends)


def _named(connection: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    """The tables that the statement names; none where it is something else in it that the engine does not know."""
    try:
        return sorted(connection.get_table_names(sql))
    except duckdb.Error:
        return []


def _remedy(named: Iterable[str], tables: Mapping[str, object]) -> str | None:
    near = dict.fromkeys(name for given in named for name in nearest(given, tables))
    return f"Did you mean: {', '.join(near)}?" if near else None
