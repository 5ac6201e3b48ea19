"""Answers that are kept until the rows in them are: a run that was killed asks for none of them again.

Each answer goes into a file as it came over the line, before its rows are taken further. Nothing is synced to the disk, which
a killed process does not need; after a loss of power the torn end is recognised by its checksum and asked for again.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import io
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec

from sentry_connector.errors import disk_error

_FRAME = struct.Struct("<III")  # length of the note, length of the body, checksum of both
GENERATION_BYTES = 1 << 20
"""A file that has grown beyond this is ended with the next part, and goes when all slices in it are finished."""


class Note(msgspec.Struct, frozen=True, array_like=True):
    """What is known of a kept answer.

    Attributes:
        slice_id, key: which question of which slice it answers.
        next_cursor: of the next page; None at the end.
        coding: how the body is compressed; empty where it is not.
        at: when it came, UTC.
        asked: unix time that the server's clock showed at least when it was asked; None where it never told.
    """

    slice_id: str
    key: str
    next_cursor: str | None
    coding: str
    at: dt.datetime
    asked: float | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer out of the journal: `packed` is the body as it came over the line."""

    note: Note
    packed: bytes


class PagesRef(msgspec.Struct, frozen=True):
    """A file of kept answers: its name, and how much of it counts."""

    name: str
    bytes: int


@dataclass(slots=True)
class _Place:
    """Where an answer lies."""

    path: Path
    note: Note
    offset: int
    length: int


@dataclass(slots=True)
class _Generation:
    """A file that this attempt writes, and the slices with answers in it that are not finished."""

    path: Path
    size: int = 0
    open_slices: set[str] = field(default_factory=set)


class Journal:
    """The kept answers of one attempt at a run, and those that it takes over from earlier ones.

    Args:
        folder: where the files lie.
        attempt: the attempt's name, which no other one has.
        before: files of earlier attempts, as far as they count. What those attempts still write, should one of them wake up,
            is not looked at.
    """

    def __init__(self, folder: Path, attempt: str, before: Iterable[PagesRef] = ()) -> None:
        self._folder = folder
        self._attempt = attempt
        self._before = tuple(before)
        self._places: dict[tuple[str, str], _Place] = {}
        self._generations: list[_Generation] = []
        self._stream: int | None = None
        self._has_recalled = False
        for ref in self._before:
            for place in _places(folder / ref.name, ref.bytes):
                self._places[place.note.slice_id, place.note.key] = place

    @property
    def files(self) -> tuple[PagesRef, ...]:
        """All files that hold answers now: what an attempt after this one has to know."""
        own = (PagesRef(one.path.name, one.size) for one in self._generations)
        return (*self._before, *own)

    def keep(self, note: Note, packed: bytes) -> None:
        """Keep an answer.

        Raises:
            DiskFull, DestinationRefused: it could not be written.
        """
        parts = framed(note, packed)
        size = sum(map(len, parts))
        try:
            generation = self._writing()
            written = os.writev(self._stream or -1, parts)
        except OSError as error:
            raise disk_error(error, str(self._folder)) from error
        if written < size:  # a full disk takes a part without a word
            raise disk_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), str(self._folder))
        generation.size += size
        generation.open_slices.add(note.slice_id)

    def recall(self, slice_id: str, key: str) -> Kept | None:
        """The answer to that question, if an earlier attempt got it."""
        place = self._places.get((slice_id, key))
        if place is None:
            return None
        with contextlib.suppress(OSError), place.path.open("rb") as stream:
            stream.seek(place.offset)
            packed = stream.read(place.length)
            if len(packed) == place.length:
                self._has_recalled = True
                return Kept(place.note, packed)
        return None

    def distrust(self) -> bool:
        """Recall no answer of earlier attempts any more; whether any was recalled so far.

        An answer is kept before it is looked into. One that is not what was asked for must not stay so for good.
        """
        self._places.clear()
        recalled, self._has_recalled = self._has_recalled, False
        return recalled

    def forget(self, slices: Iterable[str]) -> None:
        """These slices are finished: their answers are not needed any more."""
        finished = set(slices)
        for generation in self._generations:
            generation.open_slices -= finished
        if self._generations and self._generations[-1].size > GENERATION_BYTES:
            self.close()
        writing = self._generations[-1] if self._stream is not None else None
        for generation in [one for one in self._generations if not one.open_slices and one is not writing]:
            self._generations.remove(generation)
            generation.path.unlink(missing_ok=True)

    def close(self) -> None:
        """End the file that is being written."""
        if self._stream is not None:
            os.close(self._stream)
            self._stream = None

    def _writing(self) -> _Generation:
        """The file that is being written; begun where there is none."""
        if self._stream is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            number = int(self._generations[-1].path.stem.rpartition("-")[2]) + 1 if self._generations else 1
            path = self._folder / f"{self._attempt}-{number:06d}.pages"
            self._stream = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o600)
            self._generations.append(_Generation(path))
        return self._generations[-1]


def files_of(folder: Path, attempt: str) -> tuple[PagesRef, ...]:
    """The files of an attempt that is over, as far as they are whole."""
    found = sorted(folder.glob(f"{attempt}-*.pages"))
    return tuple(PagesRef(path.name, _whole_bytes(path)) for path in found)


def _whole_bytes(path: Path) -> int:
    end = 0
    for place in _places(path, path.stat().st_size):
        end = place.offset + place.length
    return end


def _checksum(head: bytes, packed: bytes) -> int:
    """Over both, and over how long each of them is."""
    return zlib.crc32(packed, zlib.crc32(head, len(head)))


def framed(note: Note, packed: bytes) -> list[bytes]:
    """An answer as it is kept: how long its parts are and what proves them, the note, the body."""
    head = msgspec.msgpack.encode(note)
    return [_FRAME.pack(len(head), len(packed), _checksum(head, packed)), head, packed]


def unframed(content: bytes) -> Kept | None:
    """The answer that was kept alone; None where it is not whole."""
    stream = io.BytesIO(content)
    found = _next(stream, len(content))
    return None if found is None else Kept(found[0], content[found[1] : found[1] + found[2]])


def _places(path: Path, size: int) -> Iterator[_Place]:
    """The answers in the first `size` bytes of a file, up to the first one that is not whole."""
    with contextlib.suppress(OSError), path.open("rb") as stream:
        while stream.tell() < size and (found := _next(stream, size)) is not None:
            yield _Place(path, *found)


def _next(stream: BinaryIO, size: int) -> tuple[Note, int, int] | None:
    """The next answer's note, and where in the first `size` bytes its body lies; None where it is not whole."""
    frame = stream.read(_FRAME.size)
    if len(frame) < _FRAME.size:
        return None
    head_length, length, checksum = _FRAME.unpack(frame)
    head = stream.read(head_length)
    offset = stream.tell()
    packed = stream.read(length)
    whole = len(head) == head_length and len(packed) == length and offset + length <= size
    if not whole or _checksum(head, packed) != checksum:
        return None
    try:
        return msgspec.msgpack.decode(head, type=Note), offset, length
    except msgspec.DecodeError:
        return None
