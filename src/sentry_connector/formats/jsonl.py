"""JSON Lines: one object a row, every column in every row.

Times are ISO 8601 with `Z`, and a fraction of a second only where there is one. JSON columns are embedded as JSON
values, as Sentry wrote them; a text there that is not JSON stays a text. Decimal numbers are numbers; NaN and infinity,
which JSON does not have, are null.
"""

from __future__ import annotations

from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from sentry_connector.formats.encoder import chunks, is_json, is_text
from sentry_connector.formats.model import Summary


class JsonlEncoder:
    """Writes JSON Lines."""

    def __init__(self, sink: BinaryIO, schema: pa.Schema) -> None:
        self._sink = sink
        self._schema = schema
        self._rows = 0
        self._encode = msgspec.json.Encoder(decimal_format="number").encode_lines

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch of rows."""
        names = self._schema.names
        for chunk in chunks(batch):
            columns = [json_values(column, field) for column, field in zip(chunk.columns, self._schema, strict=True)]
            rows = zip(*columns, strict=True)
            self._sink.write(self._encode([dict(zip(names, row, strict=True)) for row in rows]))
            self._rows += chunk.num_rows

    def close(self) -> Summary:
        """Nothing stands at the end of the file."""
        return Summary(rows=self._rows)


def iso_times(column: pa.Array) -> pa.Array:
    """Times as ISO 8601 text: in UTC with `Z` where the column has a zone, without where it has none."""
    if column.type.tz is not None:
        column = column.cast(pa.timestamp(column.type.unit, "UTC"))
    text = pc.replace_substring(column.cast(pa.string()), " ", "T", max_replacements=1)
    return pc.replace_substring_regex(text, r"\.0+(Z?)$", r"\1")


def json_values(column: pa.Array, field: pa.Field) -> list[Any]:
    """A column as values that msgspec encodes as the format promises."""
    if is_json(field) and is_text(field.type):
        return [None if text is None else embedded(text) for text in column.to_pylist()]
    if pa.types.is_timestamp(field.type):
        return list(iso_times(column).to_pylist())
    return list(column.to_pylist())


def embedded(text: str) -> msgspec.Raw | str:
    """The JSON value that a text says, byte for byte but on one line; a text that is not JSON stays a text."""
    try:
        raw = msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return text
    if "\n" in text or "\r" in text:  # within JSON they stand between values only
        return msgspec.Raw(bytes(raw).replace(b"\n", b" ").replace(b"\r", b" "))
    return raw
