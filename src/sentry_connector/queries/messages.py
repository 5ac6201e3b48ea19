"""What a process that runs statements and the one that asks it say to one another: frames over its standard input and output."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from enum import IntEnum
from typing import BinaryIO

import msgspec

LARGEST = 128 * 2**20
"""Bytes that a frame holds at most."""


class Kind(IntEnum):
    """What a frame holds."""

    STATEMENT = 1
    """Asked: a `Statement`."""
    ROWS = 2
    """Told: an Arrow stream of some rows; the first one has none, so that the columns are known."""
    END = 3
    """Told: there are no more."""
    REFUSED = 4
    """Told: a `Refusal`, in place of the rows that are not there yet."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A table.

    Attributes:
        schema: its columns, as Arrow serializes them.
        files: the paths of its Parquet files.
        holds_days: the files hold the column `_day`; otherwise their paths do.
        is_named: the statement names it; otherwise nobody has looked for its rows.
    """

    schema: bytes
    files: tuple[str, ...] = ()
    holds_days: bool = False
    is_named: bool = True


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One statement and what it is about.

    Attributes:
        sql: its text.
        views: name → table.
        records: name within the schema `connector` → its rows, as an Arrow stream.
        limit: so many rows at most.
    """

    sql: str
    views: Mapping[str, View]
    records: Mapping[str, bytes] = {}
    limit: int | None = None


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why the engine does not run the statement; line and column, from 1, where that stands in it."""

    message: str
    remedy: str
    line: int | None = None
    column: int | None = None


_HEAD = struct.Struct(">BQ")


class Broken(Exception):
    """The other side is gone, or does not keep to this."""


def send(stream: BinaryIO, kind: Kind, payload: bytes | memoryview = b"") -> None:
    """Send a frame.

    Raises:
        Broken: nobody takes it.
    """
    try:
        stream.write(_HEAD.pack(kind, len(payload)))
        stream.write(payload)
        stream.flush()
    except (OSError, ValueError) as error:  # ValueError: it was closed meanwhile
        raise Broken(str(error)) from error


def receive(stream: BinaryIO) -> tuple[Kind, bytes]:
    """The next frame.

    Raises:
        Broken: there is none.
    """
    try:
        kind, length = _HEAD.unpack(_whole(stream, _HEAD.size))
        if length > LARGEST:
            raise Broken(f"A frame of {length} bytes.")
        return Kind(kind), _whole(stream, length)
    except (OSError, ValueError) as error:  # ValueError: it was closed meanwhile, or says what nobody says
        raise Broken(str(error)) from error


def _whole(stream: BinaryIO, length: int) -> bytes:
    data = stream.read(length)
    if data is None or len(data) < length:
        raise Broken("It has ended.")
    return data
