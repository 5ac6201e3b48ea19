"""What every format has in common: the profile, the summary, the encoder's promise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import pyarrow as pa

CHUNK_ROWS = 10_000
"""Rows that become Python objects at once."""


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


class Encoder(Protocol):
    """Writes batches of one schema to a sink that it does not close."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch of rows."""

    def close(self) -> Summary:
        """Write what stands at the end of the file."""


def is_json(field: pa.Field) -> bool:
    """Whether the column holds JSON text; the decoder marks such fields with the metadata `type: json`."""
    return (field.metadata or {}).get(b"type") == b"json"


def is_text(data_type: pa.DataType) -> bool:
    """Whether values of the type are text, in whichever of Arrow's layouts."""
    return bool(
        pa.types.is_string(data_type) or pa.types.is_large_string(data_type) or pa.types.is_string_view(data_type)
    )


def chunks(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch in pieces of at most `CHUNK_ROWS` rows."""
    return (batch.slice(start, CHUNK_ROWS) for start in range(0, batch.num_rows, CHUNK_ROWS))
