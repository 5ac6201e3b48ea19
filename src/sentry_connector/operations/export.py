"""Rows to files: written beside, then renamed, so that a finished file is a whole one."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

from sentry_connector.errors import DestinationRefused, UnknownName, UsageError
from sentry_connector.formats.model import Profile, Summary
from sentry_connector.formats.writer import FORMATS, open_writer

STANDARD_OUTPUT = "-"
NEEDS_A_FILE = {"xlsx"}
"""Formats whose writer goes back to the beginning, which a pipe cannot."""


def check_output(output: str, format_name: str) -> None:
    """Refuse, before anything is asked of Sentry, an output that cannot be written.

    Raises:
        UnknownName: no such format.
        UsageError: the folder is not there, or the format does not go to this output.
    """
    if format_name not in FORMATS:
        raise UnknownName("format", format_name, FORMATS)
    if output == STANDARD_OUTPUT:
        if format_name in NEEDS_A_FILE and not sys.stdout.buffer.seekable():
            raise UsageError(f"{format_name} cannot be written to a pipe.", remedy=f"Give --output FILE.{format_name}.")
        return
    folder = Path(output).absolute().parent
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}.", remedy="Make it first, or choose another --output.")


def write(
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    *,
    format_name: str,
    output: str,
    profile: Profile = Profile.DATA,
    whole: bool = True,
) -> Summary:
    """Write the rows to a file or standard output.

    Args:
        batches, schema: the rows.
        format_name: one of `FORMATS`.
        output: a path, or `-` for standard output.
        profile: whom the file is for.
        whole: nothing is missing; otherwise the file is left as `FILE.partial`.

    Raises:
        DiskFull, DestinationRefused: it could not be written; no file appears, and one that was there is as it was.
    """
    with _sink(output, whole=whole) as sink, open_writer(format_name, sink, schema, profile=profile) as writer:
        for batch in batches:
            writer.write(batch)
        return writer.close()


@contextlib.contextmanager
def _sink(output: str, *, whole: bool) -> Iterator[BinaryIO]:
    if output == STANDARD_OUTPUT:
        yield cast("BinaryIO", _OnTerminal(sys.stdout.buffer)) if sys.stdout.isatty() else sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(output).absolute() if whole else Path(f"{Path(output).absolute()}.partial")
    beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(target)
    except (PermissionError, IsADirectoryError) as error:
        raise DestinationRefused(f"{output} cannot be written: {error.strerror}.") from error
    finally:
        beside.unlink(missing_ok=True)


class _OnTerminal:
    """Standard output as a terminal shows it: control characters in the data are shown, not obeyed.

    JSON escapes them itself; CSV holds them as they are, which is right in a file and wrong on a screen.
    """

    closed = False

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink

    def write(self, data: bytes) -> int:
        self._sink.write(_CONTROL.sub(lambda match: b"\\x%02x" % match[0][-1], bytes(data)))
        return len(data)

    def flush(self) -> None:
        self._sink.flush()


_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]")
"""Control characters in UTF-8, but for the tab and the ends of lines."""
