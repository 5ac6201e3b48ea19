"""Rows to files: written beside, then renamed, so that a finished file is a whole one."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from sentry_connector.errors import UnknownName, UsageError, disk_error
from sentry_connector.formats.model import FORMATS, Profile, Summary

if TYPE_CHECKING:
    import pyarrow as pa

STANDARD_OUTPUT = "-"
NEEDS_A_FILE = {"xlsx"}
"""Formats whose writer goes back to the beginning, which a pipe cannot."""


def check_output(output: str, format_name: str) -> None:
    """Refuse, before anything is asked of Sentry, an output that cannot be written.

    Raises:
        UnknownName: no such format.
        UsageError: the folder is not there, or the format does not go to this output.
        DiskFull, DestinationRefused: no file can be made there.
    """
    if format_name not in FORMATS:
        raise UnknownName("format", format_name, FORMATS)
    if output == STANDARD_OUTPUT:
        if format_name in NEEDS_A_FILE and not sys.stdout.buffer.seekable():
            raise UsageError(f"{format_name} cannot be written to a pipe.", remedy=f"Give --output FILE.{format_name}.")
        return
    if is_special(output):
        return
    target = Path(output).resolve()
    if not target.parent.is_dir():
        raise UsageError(f"There is no folder {target.parent}.", remedy="Make it first, or choose another --output.")
    with _disk_errors(output), _beside(target):
        pass


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
    from sentry_connector.formats.writer import open_writer  # noqa: PLC0415  # loads Arrow, which refusals do without

    with _sink(output, whole=whole) as sink, open_writer(format_name, sink, schema, profile=profile) as writer:
        for batch in batches:
            writer.write(batch)
        return writer.close()


@contextlib.contextmanager
def _sink(output: str, *, whole: bool) -> Iterator[BinaryIO]:
    if output == STANDARD_OUTPUT:
        yield cast("BinaryIO", _OnTerminal(sys.stdout.buffer)) if sys.stdout.isatty() else sys.stdout.buffer
        sys.stdout.buffer.flush()
    elif is_special(output):
        with Path(output).open("wb") as stream:
            yield stream
    else:
        target = Path(output).resolve()
        target = target if whole else target.with_name(f"{target.name}.partial")
        with _disk_errors(output), _beside(target) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            Path(stream.name).replace(target)


def is_special(output: str) -> bool:
    """Whether the output is there and is no file: a device, a pipe. Nothing may be renamed over it."""
    try:
        return not stat.S_ISREG(Path(output).stat().st_mode) and not Path(output).is_dir()
    except OSError:
        return False


@contextlib.contextmanager
def _beside(target: Path) -> Iterator[BinaryIO]:
    """A file beside the target, gone at the end of the block unless it was renamed."""
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "It is a folder", str(target))
    beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as stream:
            yield stream
    finally:
        beside.unlink(missing_ok=True)


@contextlib.contextmanager
def _disk_errors(output: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise disk_error(error, output) from error


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
