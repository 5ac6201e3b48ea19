"""The one way to write a file of rows: `open_writer`."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import BinaryIO, Self

import pyarrow as pa

from sentry_connector.errors import DiskFull, UnknownName
from sentry_connector.formats.columnar import ArrowEncoder, ParquetEncoder
from sentry_connector.formats.csv import CsvEncoder
from sentry_connector.formats.encoder import Encoder
from sentry_connector.formats.jsonl import JsonlEncoder
from sentry_connector.formats.model import FORMATS, Profile, Summary


def _xlsx(sink: BinaryIO, schema: pa.Schema) -> Encoder:
    from sentry_connector.formats.xlsx import XlsxEncoder  # noqa: PLC0415  # loads a library that few outputs need

    return XlsxEncoder(sink, schema)


_ENCODERS: dict[str, Callable[[BinaryIO, pa.Schema, Profile], Encoder]] = {
    "jsonl": lambda sink, schema, _: JsonlEncoder(sink, schema),
    "csv": lambda sink, schema, profile: CsvEncoder(sink, schema, profile=profile),
    "parquet": lambda sink, schema, _: ParquetEncoder(sink, schema),
    "arrow": lambda sink, schema, _: ArrowEncoder(sink, schema),
    "xlsx": lambda sink, schema, _: _xlsx(sink, schema),
}
"""What begins a file of each of `FORMATS`."""


class Writer:
    """Writes batches of rows to a sink, which stays open.

    As a context manager it closes itself. Where the block raises, the end of the file is still written if that is
    possible, so that what was written up to there can be read.
    """

    def __init__(self, encoder: Encoder, schema: pa.Schema) -> None:
        self._encoder = encoder
        self._schema = schema
        self._summary: Summary | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch of rows.

        Raises:
            DiskFull: no space is left.
        """
        with _disk_full_told():
            self._encoder.write(batch if batch.schema.equals(self._schema) else batch.cast(self._schema))

    def close(self) -> Summary:
        """Write the end of the file, once, and say what was written.

        Raises:
            DiskFull: no space is left.
        """
        if self._summary is None:
            with _disk_full_told():
                self._summary = self._encoder.close()
        return self._summary

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
            return
        with suppress(DiskFull, OSError):  # the error that is on its way says more
            self.close()


def open_writer(
    format: str,  # noqa: A002  # the word of the command line
    sink: BinaryIO,
    schema: pa.Schema,
    *,
    profile: Profile | str = Profile.DATA,
    booleans_as_text: bool = False,
) -> Writer:
    """Begin a file of rows in one of `FORMATS`.

    Args:
        format: `jsonl`, `csv`, `parquet`, `arrow` or `xlsx`.
        sink: a binary file or pipe that is open for writing; it is not closed.
        schema: the columns; fields with the metadata `type: json` hold JSON text.
        profile: `data` changes nothing; `spreadsheet` makes CSV safe to open in one (xlsx is always).
        booleans_as_text: write `true` and `false` as text.

    Raises:
        UnknownName: there is no such format or profile.
    """
    if format not in FORMATS:
        raise UnknownName("format", format, FORMATS)
    if profile not in list(Profile):
        raise UnknownName("profile", profile, list(Profile))
    if booleans_as_text:
        schema = pa.schema([_boolean_as_text(field) for field in schema], schema.metadata)
    with _disk_full_told():
        return Writer(_ENCODERS[format](sink, schema, Profile(profile)), schema)


def _boolean_as_text(field: pa.Field) -> pa.Field:
    return field.with_type(pa.string()) if pa.types.is_boolean(field.type) else field


@contextmanager
def _disk_full_told() -> Iterator[None]:
    """Tell a full disk, or a quota that is used up, in our words."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull("No space is left for the file.") from error
        raise
