"""Which formats there are, whom a file is for, and what was written."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

FORMATS = ("jsonl", "csv", "parquet", "arrow", "xlsx")
"""JSON Lines; CSV by RFC 4180; Parquet; an Arrow IPC file, or a stream where the output is a pipe; an Excel workbook."""


class Profile(StrEnum):
    """Whom a file is for."""

    DATA = "data"  # programs: nothing is changed, and what is read back is what was written
    SPREADSHEET = "spreadsheet"  # people with Excel, LibreOffice …: text that would be run as a formula is made inert


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What was written.

    Attributes:
        rows: number of rows, headers not counted.
        cut_cells: texts too long for the format, which end in a mark (xlsx).
        inert_cells: texts that got an apostrophe in front, so that no spreadsheet runs them (csv for spreadsheets).
        sheets: number of sheets (xlsx).
    """

    rows: int
    cut_cells: int = 0
    inert_cells: int = 0
    sheets: int = 0
