"""What the writers of all formats have in common: the encoder's promise, and how its columns and rows are looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pyarrow as pa

from sentry_connector.formats.model import Summary

CHUNK_ROWS = 10_000
"""Rows that become Python objects at once."""


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
