"""CSV as RFC 4180 has it, in UTF-8, with a header: null is empty, empty text is `""`, text is always quoted.

The data profile loses nothing: read with the same types, the rows are the same. Times are as in
`2026-02-28 13:45:00.000000Z`. The spreadsheet profile is for eyes: it begins with a byte order mark, without which
Excel does not see UTF-8; times have no `Z` (they are UTC) and milliseconds, so that spreadsheets know them as times;
and text that would be run as a formula gets an apostrophe in front.
"""

from __future__ import annotations

import codecs
from typing import BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from sentry_connector.formats.encoder import chunks, is_text
from sentry_connector.formats.model import Profile, Summary

FORMULA = r"^\s*[=+\-@\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]|^[\t\r\n]"
"""Text that spreadsheets may run, blanks in front or not, in full-width forms too (OWASP, "CSV Injection")."""


class CsvEncoder:
    """Writes CSV."""

    def __init__(self, sink: BinaryIO, schema: pa.Schema, *, profile: Profile) -> None:
        self._spreadsheet = profile is Profile.SPREADSHEET
        self._rows = 0
        self._inert_cells = 0
        names = pa.array(schema.names, pa.string())
        if self._spreadsheet:
            sink.write(codecs.BOM_UTF8)
            names = _inert(names)
        types = [_text_type(field.type, spreadsheet=self._spreadsheet) for field in schema]
        self._schema = pa.schema(list(zip(names.to_pylist(), types, strict=True)))
        self._writer = csv.CSVWriter(sink, self._schema, write_options=csv.WriteOptions(eol="\r\n"))

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch of rows."""
        for chunk in chunks(batch):
            columns = [self._column(column) for column in chunk.columns]
            self._writer.write(pa.RecordBatch.from_arrays(columns, schema=self._schema))
            self._rows += chunk.num_rows

    def close(self) -> Summary:
        """Nothing stands at the end of the file."""
        self._writer.close()
        return Summary(rows=self._rows, inert_cells=self._inert_cells)

    def _column(self, column: pa.Array) -> pa.Array:
        """The column as Arrow's writer takes it, and inert where that is wanted."""
        if pa.types.is_nested(column.type):
            column = _json_text(column)
        elif is_text(column.type):
            column = column.cast(pa.large_string())
        elif self._spreadsheet and pa.types.is_timestamp(column.type):
            column = _spreadsheet_times(column)
        if not self._spreadsheet or not is_text(column.type):
            return column
        self._inert_cells += pc.sum(_is_formula(column)).as_py() or 0
        return _inert(column)


def _text_type(data_type: pa.DataType, *, spreadsheet: bool) -> pa.DataType:
    """The type that a column of `data_type` is written as."""
    if pa.types.is_nested(data_type) or is_text(data_type):
        return pa.large_string()
    return pa.timestamp("ms") if spreadsheet and pa.types.is_timestamp(data_type) else data_type


def _spreadsheet_times(column: pa.Array) -> pa.Array:
    """The same instants in UTC, as times without a zone, cut to milliseconds."""
    unit = column.type.unit
    in_utc = column if column.type.tz is None else column.cast(pa.timestamp(unit, "UTC")).cast(pa.timestamp(unit))
    return in_utc.cast(pa.timestamp("ms"), safe=False)


def _is_formula(column: pa.Array) -> pa.Array:
    return pc.match_substring_regex(column, FORMULA)


def _inert(column: pa.Array) -> pa.Array:
    """The texts, those that a spreadsheet would run with an apostrophe in front."""
    marked = pc.binary_join_element_wise(pa.scalar("'", column.type), column, pa.scalar("", column.type))
    return pc.if_else(_is_formula(column), marked, column)


def _json_text(column: pa.Array) -> pa.Array:
    """Lists and structures, which CSV has no form for, as JSON text."""
    texts = [None if value is None else msgspec.json.encode(value).decode() for value in column.to_pylist()]
    return pa.array(texts, pa.large_string())
