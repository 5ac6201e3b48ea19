"""How far a run is, for whoever wants to show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:  # loads the HTTP client, which a look at the store does without
    from sentry_connector.sentry.client import Usage


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """How far something is, as a `Progress` knew it at some moment."""

    slices: int
    slices_done: int
    slices_failed: int
    rows: int
    expected_rows: int
    pages: int
    requests: int
    requests_refused: int
    bytes: int
    waited_seconds: float
    waiting: tuple[str, float] | None


@dataclass(kw_only=True)
class Progress:
    """Counts what was read so far and tells a listener after each change.

    Attributes:
        listener: called with this record; shows it, or does nothing.
        slices, slices_done, slices_failed: how many there are, and how far.
        rows, pages: read and kept so far.
        expected_rows: how many there will be, by an independent figure; 0 where there is none.
        requests, requests_refused, bytes, waited_seconds: asked of Sentry so far; refused for their rate.
        waiting: why nothing moves right now, with the seconds it will take; None while things move.
    """

    listener: Callable[[Progress], None] | None = None
    slices: int = 0
    slices_done: int = 0
    slices_failed: int = 0
    rows: int = 0
    expected_rows: int = 0
    pages: int = 0
    requests: int = 0
    requests_refused: int = 0
    bytes: int = 0
    waited_seconds: float = 0.0
    waiting: tuple[str, float] | None = None

    def snapshot(self) -> Snapshot:
        """What is counted so far, to be kept."""
        return Snapshot(**{name: getattr(self, name) for name in Snapshot.__struct_fields__})

    def show(self, snapshot: Snapshot) -> None:
        """Count as the snapshot does: of what another process reads."""
        for name in Snapshot.__struct_fields__:
            setattr(self, name, getattr(snapshot, name))
        self._tell()

    def plan(self, slices: int, expected_rows: int = 0) -> None:
        """So many slices are to be read, with about so many rows."""
        self.slices, self.expected_rows = slices, expected_rows
        self._tell()

    def page(self, rows: int, usage: Usage) -> None:
        """One more page was read."""
        self.rows += rows
        self.pages += 1
        self.waiting = None
        self.used(usage)

    def slice_done(self, *, rows: int = 0) -> None:
        """One more slice is in the spool; `rows` are those that an interrupted run had read already."""
        self.slices_done += 1
        self.rows += rows
        self._tell()

    def slice_failed(self) -> None:
        """One slice cannot be read."""
        self.slices_failed += 1
        self._tell()

    def used(self, usage: Usage) -> None:
        """So much has been asked of Sentry so far."""
        self.requests, self.requests_refused = usage.requests, usage.rate_limited
        self.bytes, self.waited_seconds = usage.bytes, usage.waited_seconds
        self._tell()

    def wait(self, reason: str, seconds: float) -> None:
        """Nothing moves for so long."""
        self.waiting = (reason, seconds)
        self._tell()

    def _tell(self) -> None:
        if self.listener is not None:
            self.listener(self)
