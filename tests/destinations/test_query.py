"""SQL over snapshots: what it reads, and everything that it must not."""

from __future__ import annotations

import datetime as dt
import io
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentry_connector.destinations.model import Days, UpdateMethod
from sentry_connector.destinations.query import Snapshot, query
from sentry_connector.destinations.sql_text import quoted
from sentry_connector.errors import SqlError
from sentry_connector.formats.model import FORMATS
from sentry_connector.formats.writer import open_writer
from tests.destinations.tables import SCHEMA, commit_of, day_of, row, table_in


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, Snapshot]:
    table = table_in(tmp_path)
    table.commit(commit_of(table, 1, UpdateMethod.APPEND, [row(number) for number in range(10)]))
    snapshot = table.snapshot()
    assert snapshot is not None
    return {"shop-events": snapshot, "nothing": Snapshot(files=(), schema=SCHEMA)}


@pytest.fixture
def new_york() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "America/New_York"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


def run(sql: str, tables: dict[str, Snapshot]) -> list[dict[str, Any]]:
    with query(sql, tables) as reader:
        rows: list[dict[str, Any]] = reader.read_all().to_pylist()
    return rows


def test_each_dataset_is_a_view_under_its_slug(tables: dict[str, Snapshot]) -> None:
    assert run('SELECT count(*) AS n, max("at") AS last FROM "shop-events"', tables) == [
        {"n": 10, "last": dt.datetime(2026, 3, 1, 0, 0, 9, tzinfo=dt.UTC)}
    ]


def test_a_table_without_files_has_its_columns_and_types(tables: dict[str, Snapshot]) -> None:
    with query("SELECT * FROM nothing", tables) as reader:
        assert [(one.name, one.type) for one in reader.schema] == [(one.name, one.type) for one in SCHEMA]
        assert reader.read_all().num_rows == 0


ODD = """SELECT INTERVAL 3 DAY AS span, [INTERVAL 1 DAY] AS spans, {'a': '101'::BIT} AS bits, 12::BIGNUM AS large,
    union_value(a := 1) AS either, TIMETZ '10:00:00+01' AS clock, 1 AS "the ""one"" of them" """


@pytest.mark.parametrize("format_name", list(FORMATS))
def test_values_of_types_that_no_file_has_are_text_in_the_engines_words(format_name: str) -> None:
    with query(ODD, {}) as reader, open_writer(format_name, io.BytesIO(), reader.schema) as writer:
        for batch in reader:
            writer.write(batch)
        assert writer.close().rows == 1
    (found,) = run(ODD, {})
    assert found == {
        "span": "3 days",
        "spans": "[1 day]",
        "bits": "{'a': 101}",
        "large": "12",
        "either": "1",
        "clock": "10:00:00+01",
        'the "one" of them': 1,
    }


def test_times_are_utc_on_every_machine(tables: dict[str, Snapshot], new_york: None) -> None:
    sql = """SELECT "at", date_trunc('day', "at") AS day FROM "shop-events" LIMIT 1"""
    with query(sql, tables) as reader:
        assert {one.type for one in reader.schema} == {pa.timestamp("us", tz="UTC")}
        assert reader.read_all()["day"].to_pylist() == [dt.datetime(2026, 3, 1, tzinfo=dt.UTC)]


def test_the_day_of_a_partitioned_table_is_a_date(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    days = Days(whole=frozenset({day_of(0), day_of(1)}))
    table.commit(commit_of(table, 1, UpdateMethod.PARTITION, [row(1), row(2, day=1), row(3, day=1)], days=days))
    snapshot = table.snapshot()
    assert snapshot is not None
    assert run("SELECT _day, count(*) AS n FROM t GROUP BY ALL ORDER BY ALL", {"t": snapshot}) == [
        {"_day": day_of(0), "n": 1},
        {"_day": day_of(1), "n": 2},
    ]


def test_files_in_an_object_store_are_read_through_its_file_system(tmp_path: Path) -> None:
    """Stood in for by a file system whose paths mean nothing to DuckDB."""
    table = table_in(tmp_path)
    days = Days(whole=frozenset({day_of(0), day_of(1)}))
    table.commit(commit_of(table, 1, UpdateMethod.PARTITION, [row(1), row(2, day=1)], days=days))
    snapshot = table.snapshot()
    assert snapshot is not None
    store = pafs.SubTreeFileSystem(str(tmp_path), pafs.LocalFileSystem())
    inside = tuple(str(Path(path).relative_to(tmp_path)) for path in snapshot.files)
    remote = Snapshot(files=inside, schema=snapshot.schema, filesystem=store)
    sql = "SELECT event_id, _day FROM t ORDER BY 1"
    assert (
        run(sql, {"t": remote})
        == run(sql, {"t": snapshot})
        == [{"event_id": "e1", "_day": day_of(0)}, {"event_id": "e2", "_day": day_of(1)}]
    )


@pytest.mark.parametrize(
    "sql",
    [
        "WITH a AS (SELECT 1 AS x) SELECT * FROM a",
        'DESCRIBE "shop-events"',
        "SHOW TABLES",
        'SUMMARIZE "shop-events"',
        'FROM "shop-events"',
        "VALUES (1)",
        'EXPLAIN SELECT * FROM "shop-events"',
        "SELECT 1;",
    ],
)
def test_reading_statements_are_run(tables: dict[str, Snapshot], sql: str) -> None:
    assert run(sql, tables)


READS = [
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM read_parquet('/tmp/*.parquet')",
    "SELECT * FROM parquet_metadata('/etc/passwd')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM '/proc/self/environ'",
    "SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
    "SELECT * FROM query_table('/etc/passwd')",
    "SELECT * FROM read_text('https://example.com/')",
    "SELECT * FROM read_parquet('s3://bucket/x')",
    "SELECT getenv('HOME')",
    "SELECT * FROM secret_variable",
    "SELECT * FROM sqlite_scan('/etc/passwd', 'x')",
]
CHANGES = [
    "COPY (SELECT 1) TO '{free}'",
    "COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)",
    "/* x */ EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)",
    "EXPLAIN (ANALYZE) COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)",
    "EXPLAIN EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)",
    "SELECT 1; COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)",
    "COPY \"shop-events\" FROM '/etc/passwd'",
    "EXPORT DATABASE '{free}'",
    "IMPORT DATABASE '{free}'",
    "ATTACH '{free}' AS other",
    "INSTALL httpfs",
    "LOAD httpfs",
    "FORCE INSTALL httpfs FROM 'http://example.com'",
    "SET enable_external_access = true",
    "SET memory_limit = '100GB'",
    "RESET lock_configuration",
    "PRAGMA enable_logging",
    "CALL enable_logging()",
    "CREATE TABLE x AS SELECT 1",
    'DROP VIEW "shop-events"',
    "CREATE SECRET (TYPE s3)",
    "CREATE MACRO f() AS 1",
    "CHECKPOINT",
    "USE memory",
    "PREPARE p AS SELECT 1",
    "DETACH memory",
    "",
    "-- nothing",
    "SELECT",
    "\x00",
]


@pytest.mark.parametrize("sql", READS)
def test_nothing_outside_the_tables_is_read(
    tables: dict[str, Snapshot], sql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`secret_variable` lies where DuckDB would look for Python's variables: beside the call."""
    monkeypatch.setitem(query.__wrapped__.__globals__, "secret_variable", pa.table({"a": [1]}))  # type: ignore[attr-defined]
    with pytest.raises(SqlError):
        run(sql, tables)


@pytest.mark.parametrize("sql", CHANGES)
def test_nothing_is_changed(tables: dict[str, Snapshot], tmp_path: Path, sql: str) -> None:
    file, free = Path(tables["shop-events"].files[0]), tmp_path / "free"
    before = file.read_bytes()
    with pytest.raises(SqlError):
        run(sql.format(file=file, free=free), tables)
    assert (file.read_bytes(), free.exists()) == (before, False)


def test_an_unknown_table_is_answered_with_the_nearest_names(tables: dict[str, Snapshot]) -> None:
    with pytest.raises(SqlError, match="shop_event") as refused:
        run("SELECT * FROM shop_events", tables)
    assert refused.value.remedy == "Did you mean: shop-events?"


def test_a_statement_that_is_none_is_answered_on_one_line(tables: dict[str, Snapshot]) -> None:
    with pytest.raises(SqlError) as refused:
        run("SELECT 1,\n  2 FORM x y", tables)
    assert "\n" not in refused.value.message
    assert refused.value.message.endswith("(line 2: 2 FORM x y)")


def test_the_engines_own_tables_are_not_proposed(tables: dict[str, Snapshot]) -> None:
    with pytest.raises(SqlError) as refused:
        run("SELECT * FROM collation", tables)
    assert "Did you mean" not in refused.value.message


def test_a_value_that_does_not_fit_is_the_statements_fault(tables: dict[str, Snapshot]) -> None:
    """Also where it comes up only after the first rows were given."""
    sql = (
        "SELECT CAST(x AS INTEGER) FROM (SELECT CASE WHEN i > 50000 THEN 'x' ELSE '1' END AS x FROM range(200000) t(i))"
    )
    with pytest.raises(SqlError, match="Could not convert"):
        run(sql, tables)


def test_a_failure_of_whoever_reads_the_rows_is_not_the_statements(tables: dict[str, Snapshot]) -> None:
    with pytest.raises(OSError, match="mine"), query("SELECT 1", tables):
        raise OSError("mine")


@settings(deadline=None, max_examples=50)
@given(name=st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_every_name_can_be_a_views_name(name: str) -> None:
    assert run(f"SELECT count(*) AS n FROM {quoted(name)}", {name: Snapshot(files=(), schema=SCHEMA)}) == [{"n": 0}]


@pytest.mark.parametrize(
    ("sql", "line", "column"),
    [
        ("SELECT 1,\n  2 FORM x y", 2, 10),
        ("SELECT *\nFROM\n  nothing", 3, 3),
        ("SELECT 'é日本', nothing", 1, 15),
        (f"SELECT {', '.join(f'{one} AS c{one}' for one in range(90))}, nothing", 1, 978),
        ("SELECT\n\n\n\n\n\n\n\n\n  nothing", 10, 3),
        ("SELECT 1,\n  CAST('x' AS INTEGER)", 2, 3),
    ],
)
def test_a_refusal_knows_its_place(sql: str, line: int, column: int) -> None:
    with pytest.raises(SqlError) as refused:
        run(sql, {})
    assert refused.value.data == {"line": line, "column": column}


SORTED = "SELECT * FROM range(5000000) t(i) ORDER BY random()"


def test_too_little_memory_is_told_without_the_engines_advice() -> None:
    with (
        pytest.raises(SqlError) as refused,
        query(SORTED, {}, memory_limit="50MB") as reader,
    ):
        reader.read_all()
    assert "temp_directory" not in refused.value.message
    assert refused.value.remedy == "Select less, or raise SENTRY_CONNECTOR_QUERY_MIB."
