"""The journal in a store of objects, to which nothing can be appended: every answer is an object, named after its question.

So whoever goes on with a run finds by one listing what there is, and reads of it only what it asks for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow.fs as pafs

from sentry_connector.extraction.journal import Kept, Note, PagesRef, framed, unframed
from sentry_connector.extraction.parts import disk_errors, write_whole

SUFFIX = ".page"


@dataclass
class ObjectJournal:
    """The kept answers of one attempt at a run, and those that earlier ones left.

    Args:
        filesystem: the store.
        folder: where the answers lie.
        attempt: the attempt's name, which no other one has, and which sorts after that of all earlier ones.

    What those attempts still write, should one of them wake up, is not looked at. Nothing is deleted here: what a run kept goes
    with all else that it staged, many objects in one request.
    """

    filesystem: pafs.FileSystem
    folder: str
    attempt: str
    _places: dict[str, str] = field(init=False, default_factory=dict)
    _number: int = field(init=False, default=0)
    _has_recalled: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        selector = pafs.FileSelector(self.folder, allow_not_found=True)
        with disk_errors(self.folder):
            names = sorted(info.base_name for info in self.filesystem.get_file_info(selector))
        for name in names:  # of several answers to one question the latest stays
            if name.endswith(SUFFIX) and name < self.attempt:
                self._places[name.removesuffix(SUFFIX).rpartition("-")[2]] = name

    @property
    def files(self) -> tuple[PagesRef, ...]:
        """None that a manifest has to name: they are found by their names."""
        return ()

    def keep(self, note: Note, packed: bytes) -> None:
        """Keep an answer.

        Raises:
            DestinationRefused, DestinationUnavailable: it could not be written.
        """
        self._number += 1
        name = f"{self.attempt}-{self._number:08d}-{_question(note.slice_id, note.key)}{SUFFIX}"
        with disk_errors(self.folder):
            write_whole(self.filesystem, f"{self.folder}/{name}", b"".join(framed(note, packed)))

    def recall(self, slice_id: str, key: str) -> Kept | None:
        """The answer to that question, if an earlier attempt got it.

        Raises:
            DestinationUnavailable: the store does not answer.
        """
        name = self._places.get(_question(slice_id, key))
        if name is None:
            return None
        with disk_errors(self.folder):
            try:
                with self.filesystem.open_input_stream(f"{self.folder}/{name}") as stream:
                    kept = unframed(stream.read())
            except FileNotFoundError:
                return None
        if kept is None or (kept.note.slice_id, kept.note.key) != (slice_id, key):
            return None
        self._has_recalled = True
        return kept

    def distrust(self) -> bool:
        """Recall no answer of earlier attempts any more; whether any was recalled so far."""
        self._places.clear()
        recalled, self._has_recalled = self._has_recalled, False
        return recalled

    def forget(self, slices: Iterable[str]) -> None:
        """These slices are finished: nobody asks for their answers any more, so that they may stay until the run ends."""

    def close(self) -> None:
        """Nothing is open."""


def _question(slice_id: str, key: str) -> str:
    """A name for a question, without the characters that names of objects lack."""
    return hashlib.sha256(f"{slice_id}\0{key}".encode()).hexdigest()[:32]
