"""Rows as the body of an answer: written as they are read, so that memory does not grow with their number."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, TypeVar, cast
from urllib.parse import quote

import anyio.to_thread
import msgspec
import pyarrow as pa
from anyio import CapacityLimiter
from fastapi.responses import StreamingResponse

from sentry_connector.formats.model import Profile
from sentry_connector.formats.writer import open_writer
from sentry_connector.operations.export import NEEDS_A_FILE

AT_ONCE = 4
"""Answers for which rows are being read at one time; the others take turns with them."""

STATEMENTS_AT_ONCE = 16
"""SQL statements that are run, or wait for their turn: they hold nothing else up."""

CHUNK = 64 * 1024
"""Bytes that are gathered before they are sent."""

MEDIA_TYPES = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8; header=present",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
"""As registered with IANA, but for JSON Lines, which has no registered one."""

EXTENSIONS = {"arrow": "arrows"}
"""Where it is not the format's own name: an Arrow stream is no Arrow file."""

Reading = AbstractContextManager[pa.RecordBatchReader]
Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """How rows are written.

    Attributes:
        format_name: one of `FORMATS`.
        profile: whom they are for.
        name: what the file is called, without its extension; None = it is no file.
        ascii_name: the same for clients that know ASCII alone.
    """

    format_name: str
    profile: Profile
    name: str | None = None
    ascii_name: str = "rows"

    @property
    def headers(self) -> dict[str, str]:
        """Of an answer."""
        if self.name is None:
            return {}
        extension = EXTENSIONS.get(self.format_name, self.format_name)
        plain, full = f"{self.ascii_name}.{extension}", quote(f"{self.name}.{extension}", safe="")
        return {"Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{full}"}  # RFC 6266


class RowStreams:
    """The answers with rows of one application: a few are read for at a time, so that other requests and runs go on."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        """Read for so many answers at one time."""
        self._room = CapacityLimiter(at_once)

    async def answer(
        self, reading: Callable[[], Reading], form: Form, after: Callable[[], Awaitable[None]] | None = None
    ) -> StreamingResponse:
        """The rows as an answer. What is wrong is raised here, as far as it shows before the first rows are there.

        Args:
            reading: opens the rows.
            form: how they are written.
            after: called when no more is read.

        Raises:
            ConnectorError: they cannot be read.
        """
        chunks = _chunks(reading, form)
        first = await self.aside(partial(next, chunks, b""))
        return StreamingResponse(
            self._stream(first, chunks, after), media_type=MEDIA_TYPES[form.format_name], headers=form.headers
        )

    async def _stream(
        self, first: bytes, chunks: Iterator[bytes], after: Callable[[], Awaitable[None]] | None
    ) -> AsyncIterator[bytes]:
        try:
            yield first
            while (chunk := await self.aside(partial(next, chunks, None))) is not None:
                yield chunk
        finally:
            with anyio.CancelScope(shield=True):
                await self.aside(chunks.close)  # type: ignore[attr-defined]  # a generator's
                if after is not None:
                    await after()

    async def aside(self, work: Callable[[], Value]) -> Value:
        """Do what reads rows, once it is its turn."""
        return await anyio.to_thread.run_sync(work, limiter=self._room)


def objects(schema: pa.Schema, batches: Sequence[pa.RecordBatch]) -> list[msgspec.Raw]:
    """A few rows as JSON objects."""
    lines = io.BytesIO()
    with open_writer("jsonl", lines, schema) as writer:
        for batch in batches:
            writer.write(batch)
    return [msgspec.Raw(line) for line in lines.getvalue().splitlines()]


def _chunks(reading: Callable[[], Reading], form: Form) -> Iterator[bytes]:
    with reading() as reader:
        if form.format_name in NEEDS_A_FILE:
            yield from _by_way_of_a_file(reader, form)
        else:
            yield from _piped(reader, form)


def _piped(reader: pa.RecordBatchReader, form: Form) -> Iterator[bytes]:
    pipe = _Pipe()
    with open_writer(form.format_name, cast("BinaryIO", pipe), reader.schema, profile=form.profile) as writer:
        for batch in reader:
            writer.write(batch)
            if len(pipe.waiting) >= CHUNK:
                yield pipe.taken()
        writer.close()
    if pipe.waiting:
        yield pipe.taken()


def _by_way_of_a_file(reader: pa.RecordBatchReader, form: Form) -> Iterator[bytes]:
    with tempfile.TemporaryFile() as file:
        with contextlib.closing(open_writer(form.format_name, file, reader.schema, profile=form.profile)) as writer:
            for batch in reader:
                writer.write(batch)
        file.seek(0)
        while data := file.read(CHUNK):
            yield data


class _Pipe(io.RawIOBase):
    """Takes what is written, until it is taken out."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = bytearray()

    def writable(self) -> bool:
        """It is for writing."""
        return True

    def write(self, data: object) -> int:
        """Take it all."""
        view = memoryview(data).cast("B")  # type: ignore[arg-type]  # whatever holds bytes
        self.waiting += view
        return len(view)

    def taken(self) -> bytes:
        """What was written since the last time."""
        data = bytes(self.waiting)
        self.waiting.clear()
        return data
