"""Every format keeps every row: what goes in comes out."""

from __future__ import annotations

import datetime as dt
import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import csv

from sentry_connector.errors import DiskFull, UnknownName
from sentry_connector.formats.model import FORMATS, Summary
from sentry_connector.formats.writer import open_writer
from tests.formats.hostile import FORMULAS, HOSTILE, TEXTS

INSTANT = dt.datetime(2026, 2, 28, 13, 45, 0, 5000, tzinfo=dt.UTC)

SCHEMA = pa.schema(
    [
        pa.field("text", pa.string()),
        pa.field("integer", pa.int64()),
        pa.field("real", pa.float64()),
        pa.field("boolean", pa.bool_()),
        pa.field("timestamp", pa.timestamp("us", "UTC")),
        pa.field("json", pa.string(), metadata={"type": "json"}),
    ]
)


def batch_of(texts: Sequence[str | None]) -> pa.RecordBatch:
    rows = [
        {
            "text": text,
            "integer": (1 << 62) + place,
            "real": place / 7,
            "boolean": place % 2 == 0,
            "timestamp": INSTANT + dt.timedelta(microseconds=place),
            "json": json.dumps([{"key": text}]),
        }
        for place, text in enumerate(texts)
    ]
    return pa.RecordBatch.from_pylist([*rows, dict.fromkeys(SCHEMA.names)], schema=SCHEMA)


def written(name: str, *batches: pa.RecordBatch, **options: Any) -> tuple[bytes, Summary]:
    sink = io.BytesIO()
    with open_writer(name, sink, batches[0].schema, **options) as writer:
        for batch in batches:
            writer.write(batch)
    return sink.getvalue(), writer.close()


def read_csv(data: bytes, schema: pa.Schema) -> pa.Table:
    return csv.read_csv(
        io.BytesIO(data),
        parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(
            column_types=schema, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
        ),
    )


def test_there_are_at_least_fifty_hostile_texts() -> None:
    assert len(set(HOSTILE)) >= 50


@pytest.mark.parametrize("name", ["parquet", "arrow"])
def test_columnar_formats_read_back_identically(name: str) -> None:
    batch = batch_of(list(HOSTILE))
    data, summary = written(name, batch, batch)
    read = pq.read_table(io.BytesIO(data)) if name == "parquet" else pa.ipc.open_file(io.BytesIO(data)).read_all()
    assert read.equals(pa.Table.from_batches([batch, batch]))
    assert read.schema.field("json").metadata == {b"type": b"json"}
    assert summary == Summary(rows=2 * batch.num_rows)


@pytest.mark.scenario("76")
def test_csv_reads_back_identically() -> None:
    batch = batch_of(list(HOSTILE))
    data, summary = written("csv", batch, batch)
    assert read_csv(data, SCHEMA).equals(pa.Table.from_batches([batch, batch]))
    assert summary == Summary(rows=2 * batch.num_rows)


@given(st.lists(st.one_of(st.none(), st.text(st.characters(codec="utf-8"))), max_size=20))
def test_any_text_reads_back_identically_from_csv_and_jsonl(texts: list[str | None]) -> None:
    batch = batch_of(texts)
    assert read_csv(written("csv", batch)[0], SCHEMA).equals(pa.Table.from_batches([batch]))
    assert [json.loads(line)["text"] for line in written("jsonl", batch)[0].splitlines()] == [*texts, None]


def test_csv_tells_null_from_empty_text() -> None:
    batch = pa.record_batch({"a": pa.array([None, "", "x"]), "b": pa.array([1, None, 3])})
    assert written("csv", batch)[0] == b'"a","b"\r\n,1\r\n"",\r\n"x",3\r\n'


def test_another_reader_agrees_about_null_and_empty_text(tmp_path: Path) -> None:
    texts = [text for text in TEXTS if "\x00" not in text]
    path = tmp_path / "rows.csv"
    path.write_bytes(written("csv", batch_of(texts))[0])
    query = "SELECT text FROM read_csv(?, all_varchar = true, allow_quoted_nulls = false, header = true)"
    assert [row[0] for row in duckdb.execute(query, [str(path)]).fetchall()] == [*texts, None]


@pytest.mark.scenario("76")
def test_spreadsheet_csv_makes_every_formula_inert_and_counts_them() -> None:
    batch = batch_of(list(HOSTILE))
    data, summary = written("csv", batch, profile="spreadsheet")
    schema = SCHEMA.set(4, SCHEMA.field("timestamp").with_type(pa.timestamp("ms")))
    read = read_csv(data, schema)
    expected = [f"'{text}" if text in FORMULAS else text for text in HOSTILE]
    assert read["text"].to_pylist() == [*expected, None]
    assert summary.inert_cells == len(FORMULAS)


def test_spreadsheet_csv_has_a_byte_order_mark_and_times_that_spreadsheets_know() -> None:
    zone = pa.timestamp("us", "Europe/Berlin")
    batch = pa.record_batch({"=at": pa.array([INSTANT], pa.timestamp("us", "UTC")).cast(zone), "n": [-5]})
    data, summary = written("csv", batch, profile="spreadsheet")
    assert data == b'\xef\xbb\xbf"\'=at","n"\r\n2026-02-28 13:45:00.005,-5\r\n'
    assert summary.inert_cells == 0


@given(st.text(st.characters(codec="utf-8"), max_size=4), st.sampled_from("=+-@\t\r\uff1d\uff0b\uff0d\uff20"))
def test_no_text_that_begins_like_a_formula_escapes(rest: str, first: str) -> None:
    data, summary = written("csv", pa.record_batch({"a": [first + rest]}), profile="spreadsheet")
    assert data.decode("utf-8-sig").split("\r\n", 1)[1].startswith("\"'")
    assert summary.inert_cells == 1


def test_jsonl_has_times_in_utc_and_embedded_json() -> None:
    batch = pa.RecordBatch.from_pylist(
        [
            {"text": "a", "integer": 1, "real": 0.5, "boolean": True, "timestamp": INSTANT, "json": "[1e400]"},
            {"text": "", "timestamp": INSTANT.replace(microsecond=0), "json": '{\n "a":\r\n 1}', "real": float("nan")},
            {"json": '{"cut'},
        ],
        schema=SCHEMA,
    )
    assert written("jsonl", batch)[0].decode().splitlines() == [
        '{"text":"a","integer":1,"real":0.5,"boolean":true,"timestamp":"2026-02-28T13:45:00.005000Z","json":[1e400]}',
        '{"text":"","integer":null,"real":null,"boolean":null,"timestamp":"2026-02-28T13:45:00Z","json":{  "a":   1}}',
        '{"text":null,"integer":null,"real":null,"boolean":null,"timestamp":null,"json":"{\\"cut"}',
    ]


@given(st.text(st.characters(codec="utf-8")) | st.just("[" * 100_000))
def test_no_json_column_breaks_a_line(text: str) -> None:
    schema = pa.schema([pa.field("json", pa.string(), metadata={"type": "json"})])
    data, _ = written("jsonl", pa.record_batch({"json": [text, "1"]}, schema=schema))
    lines = data.splitlines()
    assert len(lines) == 2
    assert lines[1] == b'{"json":1}'
    assert len(text) == 100_000 or json.loads(lines[0]).keys() == {"json"}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_takes_whatever_a_query_answers(name: str) -> None:
    answer = duckdb.sql(
        "SELECT sum(1::BIGINT) AS huge, 1.50::DECIMAL(9, 2) AS money, [1, 2] AS list, {'a': 1} AS struct,"
        " DATE '2026-01-02' AS day, TIMESTAMP '2026-01-02 03:04:05' AS local, TIME '01:02:03' AS time, NULL AS nothing,"
        " 'x'::BLOB AS bytes"
    )
    assert answer is not None
    data, summary = written(name, *answer.to_arrow_table().to_batches())
    assert summary.rows == 1
    if name == "jsonl":
        assert json.loads(data) == {
            "huge": 1, "money": 1.5, "list": [1, 2], "struct": {"a": 1}, "day": "2026-01-02",
            "local": "2026-01-02T03:04:05", "time": "01:02:03", "nothing": None, "bytes": "eA==",
        }  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_writes_a_table_without_rows_that_reads_back(name: str) -> None:
    sink = io.BytesIO()
    summary = open_writer(name, sink, SCHEMA).close()
    assert summary.rows == 0
    data = sink.getvalue()
    if name == "csv":
        assert read_csv(data, SCHEMA).schema.equals(SCHEMA)
    elif name == "parquet":
        assert pq.read_schema(io.BytesIO(data)).equals(SCHEMA, check_metadata=True)
    elif name == "arrow":
        assert pa.ipc.open_file(io.BytesIO(data)).schema.equals(SCHEMA, check_metadata=True)


READ_FROM_PIPE = """
import io, sys
import pyarrow as pa, pyarrow.parquet as pq, python_calamine
data = sys.stdin.buffer.read()
rows = {
    "jsonl": lambda: len(data.splitlines()),
    "csv": lambda: data.count(b"\\r\\n") - 1,
    "parquet": lambda: pq.read_table(io.BytesIO(data)).num_rows,
    "arrow": lambda: pa.ipc.open_stream(data).read_all().num_rows,
    "xlsx": lambda: python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).height - 1,
}
print(rows[sys.argv[1]]())
"""


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_goes_through_a_pipe(name: str) -> None:
    command = [sys.executable, "-c", READ_FROM_PIPE, name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        with open_writer(name, cast("BinaryIO", reader.stdin), SCHEMA) as writer:
            writer.write(batch_of(["a", "b", "c"]).slice(0, 3))
        assert not reader.stdin.closed
        reader.stdin.close()
        assert reader.stdout.read().strip() == b"3"


def test_booleans_are_text_on_demand() -> None:
    batch = pa.record_batch({"b": [True, False, None]})
    assert written("csv", batch)[0] == b'"b"\r\ntrue\r\nfalse\r\n\r\n'
    assert written("jsonl", batch, booleans_as_text=True)[0] == b'{"b":"true"}\n{"b":"false"}\n{"b":null}\n'


def test_an_unknown_format_or_profile_is_named() -> None:
    with pytest.raises(UnknownName) as caught:
        open_writer("parqet", io.BytesIO(), SCHEMA)
    assert caught.value.nearest == ["parquet"]
    with pytest.raises(UnknownName):
        open_writer("csv", io.BytesIO(), SCHEMA, profile="print")


@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_is_told_as_such(name: str) -> None:
    class FullDisk(io.BytesIO):
        def write(self, data: Any) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write() -> None:
        with open_writer(name, FullDisk(), SCHEMA) as writer:
            writer.write(batch_of(["a"]))

    with pytest.raises(DiskFull):
        write()


@pytest.mark.parametrize("name", FORMATS)
def test_what_was_written_before_an_error_can_be_read(name: str) -> None:
    sink = io.BytesIO()

    def write() -> None:
        with open_writer(name, sink, SCHEMA) as writer:
            writer.write(batch_of(["a", "b"]))
            raise LookupError

    with pytest.raises(LookupError):
        write()
    assert len(sink.getvalue()) == len(written(name, batch_of(["a", "b"]))[0])
