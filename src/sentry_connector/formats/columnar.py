"""Parquet and Arrow: the rows with their types, as they are."""

from __future__ import annotations

from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from sentry_connector.formats.model import Summary


class ParquetEncoder:
    """Writes Parquet, compressed with Zstandard; each batch is a row group."""

    def __init__(self, sink: BinaryIO, schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(sink, schema, compression="zstd")
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch of rows."""
        if batch.num_rows:
            self._writer.write_batch(batch)
        self._rows += batch.num_rows

    def close(self) -> Summary:
        """Write the footer, without which the file cannot be read."""
        self._writer.close()
        return Summary(rows=self._rows)


class ArrowEncoder:
    """Writes Arrow IPC: a file where the sink can be sought in, as Feather readers want it; a stream to a pipe."""

    def __init__(self, sink: BinaryIO, schema: pa.Schema) -> None:
        self._writer = pa.ipc.new_file(sink, schema) if sink.seekable() else pa.ipc.new_stream(sink, schema)
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch of rows."""
        self._writer.write_batch(batch)
        self._rows += batch.num_rows

    def close(self) -> Summary:
        """Write the end of the stream, or the file's footer."""
        self._writer.close()
        return Summary(rows=self._rows)
