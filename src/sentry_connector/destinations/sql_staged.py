"""The staged rows of a commit, as they are loaded into a database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from sentry_connector.destinations.columns import with_day
from sentry_connector.destinations.delta_files import Folder
from sentry_connector.destinations.model import DAY, Commit, StagedFile, UpdateMethod
from sentry_connector.destinations.sql_model import BATCH_ROWS

NUMBER = "_sentry_connector_row"
"""The column that tells staged rows apart, beside the report's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Staged:
    """The rows of a commit's files.

    Attributes:
        folder: where the files lie.
        files: those that hold rows.
        schema: the columns, as the table has them after the commit.
    """

    folder: Folder
    files: tuple[StagedFile, ...]
    schema: pa.Schema

    @property
    def rows(self) -> int:
        """How many there are."""
        return sum(file.rows for file in self.files)

    @property
    def days(self) -> set[dt.date | None]:
        """The days that they belong to."""
        return {file.day for file in self.files}

    def reader(self) -> pa.RecordBatchReader:
        """All rows, numbered."""
        return pa.RecordBatchReader.from_batches(self.schema.append(pa.field(NUMBER, pa.int64())), self._batches())

    def _batches(self) -> Iterator[pa.RecordBatch]:
        first = 0
        for file in self.files:
            with pq.ParquetFile(self.folder.absolute(file.path), filesystem=self.folder.filesystem) as parquet:
                for batch in parquet.iter_batches(BATCH_ROWS, use_threads=False):
                    yield self._whole(batch, file.day, first)
                    first += batch.num_rows

    def _whole(self, batch: pa.RecordBatch, day: dt.date | None, first: int) -> pa.RecordBatch:
        """A batch with all columns: null where the file has none, the day that its file is for, and the rows' numbers."""
        count = batch.num_rows

        def column(field: pa.Field) -> pa.Array:
            if field.name == DAY:
                return pa.array([day] * count, field.type)
            if field.name in batch.schema.names:
                return batch[field.name].cast(field.type)
            return pa.nulls(count, field.type)

        arrays = [column(field) for field in self.schema]
        numbers = pa.array(range(first, first + count), pa.int64())
        return pa.RecordBatch.from_arrays([*arrays, numbers], names=[*self.schema.names, NUMBER])


def staged_of(commit: Commit, folder: Folder) -> Staged:
    """The rows that a commit names, once its files are what was written.

    Raises:
        DestinationRefused: one is not.
    """
    files = tuple(file for file in commit.files if file.rows)
    for file in files:
        folder.described(file.path, columns=(), size=file.bytes)
    schema = with_day(commit.schema, partitioned=commit.method is UpdateMethod.PARTITION)
    return Staged(folder=folder, files=files, schema=schema)
