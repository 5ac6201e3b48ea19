"""Excel workbooks: typed, inert, nothing lost without being counted."""

from __future__ import annotations

import datetime as dt
import io
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from sentry_connector.errors import DestinationRefused
from sentry_connector.formats.model import Summary
from sentry_connector.formats.xlsx import CUT_MARK, LONGEST_TEXT, XlsxEncoder, shorten
from tests.formats.hostile import HOSTILE

UTC_TIME = pa.timestamp("us", "UTC")


def workbook(*batches: pa.RecordBatch, **options: Any) -> tuple[bytes, Summary]:
    sink = io.BytesIO()
    encoder = XlsxEncoder(sink, batches[0].schema, **options)
    for batch in batches:
        encoder.write(batch)
    summary = encoder.close()
    return sink.getvalue(), summary


def rows_of(data: bytes, sheet: int = 0) -> list[list[Any]]:
    rows: list[list[Any]] = CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(sheet).to_python()
    return rows


def parts_of(data: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_hostile_texts_are_no_formulas_and_no_links() -> None:
    data, summary = workbook(pa.record_batch({"=1+1": list(HOSTILE)}))
    xml = "".join(parts_of(data).values())
    assert "<f>" not in xml
    assert "<f " not in xml
    assert "hyperlink" not in xml
    assert "http://evil" not in "".join(text for name, text in parts_of(data).items() if name.endswith(".rels"))
    assert summary == Summary(rows=len(HOSTILE), sheets=1)


def test_hostile_texts_read_back() -> None:
    data, _ = workbook(pa.record_batch({"text": list(HOSTILE), "n": list(range(len(HOSTILE)))}))
    non_characters_escaped = [text.replace("\ufffe\uffff", "_xFFFE__xFFFF_") for text in HOSTILE]
    assert [row[0] for row in rows_of(data)[1:]] == non_characters_escaped


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=10))
def test_any_text_makes_a_workbook_that_can_be_read(texts: list[str]) -> None:
    data, _ = workbook(pa.record_batch({"text": texts, "n": [1] * len(texts)}))
    assert len(rows_of(data)) == len(texts) + 1


def test_values_keep_their_types() -> None:
    batch = pa.record_batch(
        {
            "id": pa.array(["007"]),
            "integer": pa.array([2**53]),
            "real": pa.array([0.25]),
            "boolean": pa.array([True]),
            "at": pa.array([dt.datetime(2026, 2, 28, 13, 45, 0, 5000, tzinfo=dt.UTC)], UTC_TIME),
            "day": pa.array([dt.date(2026, 2, 28)]),
            "nothing": pa.array([None], pa.string()),
        }
    )
    assert rows_of(workbook(batch)[0])[1] == [
        "007",
        float(2**53),
        0.25,
        True,
        dt.datetime(2026, 2, 28, 13, 45, 0, 5000),  # noqa: DTZ001  # Excel has no zones
        dt.date(2026, 2, 28),
        "",
    ]


def test_times_of_other_zones_are_written_in_utc() -> None:
    at = pa.array([dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)], UTC_TIME).cast(pa.timestamp("us", "Asia/Tokyo"))
    assert rows_of(workbook(pa.record_batch({"at": at}))[0])[1] == [dt.datetime(2026, 7, 1, 12)]  # noqa: DTZ001


def test_what_excel_would_round_or_refuse_is_text() -> None:
    batch = pa.record_batch(
        {
            "integer": pa.array([2**53 + 1, -(2**53) - 1, 2**63 - 1]),
            "real": pa.array([float("nan"), float("inf"), float("-inf")]),
            "at": pa.array([dt.datetime(1899, 12, 31, tzinfo=dt.UTC)] * 3, UTC_TIME),
        }
    )
    assert rows_of(workbook(batch)[0])[1:] == [
        ["9007199254740993", "nan", "1899-12-31T00:00:00"],
        ["-9007199254740993", "inf", "1899-12-31T00:00:00"],
        ["9223372036854775807", "-inf", "1899-12-31T00:00:00"],
    ]


def test_the_longest_text_is_kept_and_a_longer_one_is_cut_marked_and_counted() -> None:
    texts = ["a" * LONGEST_TEXT, "b" * (LONGEST_TEXT + 1), "\U0001f600" * (LONGEST_TEXT // 2 + 1)]
    data, summary = workbook(pa.record_batch({"text": texts}))
    kept, cut, emoji = (row[0] for row in rows_of(data)[1:])
    assert kept == texts[0]
    assert cut == "b" * (LONGEST_TEXT - len(CUT_MARK)) + CUT_MARK
    assert emoji.endswith(CUT_MARK)
    assert summary.cut_cells == 2


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_shortened_texts_fit_and_others_stay(text: str) -> None:
    short = shorten(text, 30)
    assert len(short.encode("utf-16-le")) // 2 <= 30
    assert (short == text) == (len(text.encode("utf-16-le")) // 2 <= 30)


@pytest.mark.parametrize(("rows", "sheets"), [(0, [1]), (4, [5]), (5, [6]), (6, [6, 2]), (11, [6, 6, 2])])
def test_many_rows_go_on_in_further_sheets_each_with_the_header(rows: int, sheets: list[int]) -> None:
    batch = pa.record_batch({"n": pa.array(range(rows), pa.int64())})
    data, summary = workbook(batch, rows_per_sheet=5)
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    pages = [book.get_sheet_by_name(name).to_python() for name in book.sheet_names]
    assert [len(page) for page in pages] == sheets
    assert all(page[0] == ["n"] for page in pages)
    assert [row[0] for page in pages for row in page[1:]] == list(range(rows))
    assert summary == Summary(rows=rows, sheets=len(sheets))


def test_too_many_columns_are_refused() -> None:
    with pytest.raises(DestinationRefused, match="16384 columns"):
        XlsxEncoder(io.BytesIO(), pa.schema([(f"c{place}", pa.int64()) for place in range(16_385)]))


def test_no_temporary_file_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    workbook(pa.record_batch({"n": [1]}))
    assert list(tmp_path.iterdir()) == []
