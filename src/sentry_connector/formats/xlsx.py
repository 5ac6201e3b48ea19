"""Excel workbooks: typed numbers and UTC times, everything else as text that is never a formula and never a link.

What Excel cannot hold is changed as little as possible, and counted or told here:
- more than 1,048,575 rows go on in further sheets, each with the header;
- a text over 32,767 characters (UTF-16 units, as Excel counts) is cut and ends in a mark;
- integers beyond 2^53, where Excel would round, are text; so are NaN and infinity, and times before 1900;
- times are to the millisecond;
- control characters, which XML cannot hold, are escaped as Excel does it (`_x0007_`);
- a null and an empty text are both an empty cell.
"""

from __future__ import annotations

import datetime as dt
import decimal
import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.worksheet import Worksheet

from sentry_connector.errors import DestinationRefused
from sentry_connector.formats.encoder import chunks
from sentry_connector.formats.model import Summary

ROWS_PER_SHEET = 1_048_575  # beside the header; this and the others: "Excel specifications and limits"
LONGEST_TEXT = 32_767
MOST_COLUMNS = 16_384
LARGEST_EXACT = 2**53
CUT_MARK = "… [cut]"
TIME_FORMAT = "yyyy-mm-dd hh:mm:ss.000"
DAY_FORMAT = "yyyy-mm-dd"
_FIRST_YEAR = 1900

_OPTIONS = {
    "constant_memory": True,
    "use_zip64": True,
    # Texts are written by `write_string` alone; these hold should another way ever be taken.
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


class TextSheet(Worksheet):  # type: ignore[misc]  # XlsxWriter is not typed
    """A sheet whose texts are texts.

    In constant memory XlsxWriter 3.3 takes any text `<r>…</r>` for its own rich text and writes it into the XML as it
    is: a hostile text could write formulas that way.
    """

    def _xml_rich_inline_string(self, string: str, attributes: list[tuple[str, Any]]) -> None:
        self._xml_inline_string(string, True, attributes)


class _Sink:
    """Passes everything on to a sink until writing fails, and nothing after that.

    XlsxWriter leaves its ZIP file open when writing fails, and that file writes once more when it is collected.
    """

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._failed = False

    def write(self, data: bytes) -> int:
        with self._failure_noted():
            return len(data) if self._failed else self._sink.write(data)

    def flush(self) -> None:
        with self._failure_noted():
            if not self._failed:
                self._sink.flush()

    def tell(self) -> int:
        return 0 if self._failed else self._sink.tell()

    def seek(self, place: int, whence: int = 0) -> int:
        return 0 if self._failed else self._sink.seek(place, whence)

    @contextmanager
    def _failure_noted(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            self._failed = True
            raise


class XlsxEncoder:
    """Writes an Excel workbook. Rows wait in temporary files, one a sheet, until the workbook is closed."""

    def __init__(self, sink: BinaryIO, schema: pa.Schema, *, rows_per_sheet: int = ROWS_PER_SHEET) -> None:
        """Begin a workbook.

        Raises:
            DestinationRefused: the table has more columns than a sheet.
        """
        if len(schema) > MOST_COLUMNS:
            raise DestinationRefused(f"Excel holds {MOST_COLUMNS} columns at most; the table has {len(schema)}.")
        self._folder = tempfile.TemporaryDirectory(prefix="sentry-connector-", ignore_cleanup_errors=True)
        self._book = Workbook(_Sink(sink), {**_OPTIONS, "tmpdir": self._folder.name})
        self._time_format = self._book.add_format({"num_format": TIME_FORMAT})
        self._day_format = self._book.add_format({"num_format": DAY_FORMAT})
        self._header_format = self._book.add_format({"bold": True})
        self._writers = [self._writer_of(field.type) for field in schema]
        self._names = schema.names
        self._rows_per_sheet = rows_per_sheet
        self._rows = 0
        self._cut_cells = 0
        self._begin_sheet()

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch of rows."""
        for chunk in chunks(batch):
            for row in zip(*(_as_python(column) for column in chunk.columns), strict=True):
                self._write_row(row)

    def close(self) -> Summary:
        """Put the sheets together in the sink."""
        try:
            self._book.close()
        except FileCreateError as error:
            raise error.args[0] from None  # XlsxWriter's wrapping of an OSError
        finally:
            self._folder.cleanup()
        return Summary(rows=self._rows, cut_cells=self._cut_cells, sheets=len(self._book.worksheets()))

    def _begin_sheet(self) -> None:
        number = len(self._book.worksheets()) + 1
        self._sheet = self._book.add_worksheet("data" if number == 1 else f"data {number}", TextSheet)
        self._sheet.freeze_panes(1, 0)
        for place, name in enumerate(self._names):
            _done(self._sheet.write_string(0, place, name, self._header_format))
        self._line = 0

    def _write_row(self, row: tuple[Any, ...]) -> None:
        if self._line == self._rows_per_sheet:
            self._begin_sheet()
        self._line += 1
        self._rows += 1
        for place, (write, value) in enumerate(zip(self._writers, row, strict=True)):
            if value is not None:
                _done(write(place, value))

    def _writer_of(self, data_type: pa.DataType) -> Callable[[int, Any], int]:
        """What writes a cell of a column of that type."""
        types = pa.types
        if types.is_boolean(data_type):
            return lambda place, value: self._sheet.write_boolean(self._line, place, value)
        if types.is_integer(data_type) or types.is_floating(data_type) or types.is_decimal(data_type):
            return self._write_number
        if types.is_timestamp(data_type):
            return lambda place, value: self._write_time(place, value, self._time_format)
        if types.is_date(data_type):
            return lambda place, value: self._write_time(place, value, self._day_format)
        if types.is_nested(data_type):
            return lambda place, value: self._write_text(place, msgspec.json.encode(value).decode())
        return lambda place, value: self._write_text(place, str(value))

    def _write_number(self, place: int, value: float | decimal.Decimal) -> int:
        if _is_exact(value):
            return int(self._sheet.write_number(self._line, place, value))
        return self._write_text(place, str(value))

    def _write_time(self, place: int, value: dt.date, cell_format: Any) -> int:
        if value.year >= _FIRST_YEAR:
            return int(self._sheet.write_datetime(self._line, place, value, cell_format))
        return self._write_text(place, value.isoformat())

    def _write_text(self, place: int, text: str) -> int:
        shortened = shorten(text)
        self._cut_cells += shortened is not text
        return int(self._sheet.write_string(self._line, place, shortened))


def shorten(text: str, longest: int = LONGEST_TEXT) -> str:
    """The text itself where it has at most `longest` UTF-16 units, else its beginning with a mark."""
    if len(text) <= longest // 2 or _units(text) <= longest:
        return text
    data = text.encode("utf-16-le")[: 2 * (longest - _units(CUT_MARK))]
    return data.decode("utf-16-le", errors="ignore") + CUT_MARK  # half of a surrogate pair at the cut is dropped


def _units(text: str) -> int:
    """The length of a text in UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


def _is_exact(value: float | decimal.Decimal) -> bool:
    """Whether Excel, which counts in 64-bit floating point, shows this very number."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, decimal.Decimal):
        return decimal.Decimal(float(value)) == value and abs(value) <= LARGEST_EXACT
    return abs(value) <= LARGEST_EXACT


def _as_python(column: pa.Array) -> list[Any]:
    """A column's values; times in UTC and without a zone, which Excel does not have."""
    if pa.types.is_timestamp(column.type):
        zone = "UTC" if column.type.tz is not None else None
        column = column.cast(pa.timestamp("us", zone), safe=False).cast(pa.timestamp("us"))
    return list(column.to_pylist())


def _done(code: int) -> None:
    """XlsxWriter tells by its return code that it has not written a cell; nothing may get lost that way."""
    if code:
        raise DestinationRefused(f"Excel does not take a cell (XlsxWriter's code {code}).")
