"""Spans: what was done when, within what. Nobody hears of them, unless the process was told where they go (`telemetry.py`)."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

Fact = str | int


class Span(Protocol):
    """Something that is being done."""

    def note(self, **facts: Fact) -> None:
        """Say more about it."""

    def failed(self, why: str) -> None:
        """It did not bring what it should; why, in a word that stays."""


class Tracer(Protocol):
    """Whoever hears of spans."""

    def span(self, name: str, **facts: Fact) -> AbstractContextManager[Span]:
        """A span that lasts as long as the block; those that begin within the block, in its tasks too, are parts of it.

        One with a `method` is a request to another server.
        """

    def close(self) -> None:
        """Hand over what was not handed over yet, within two seconds."""


class _Unheard:
    def note(self, **facts: Fact) -> None:
        """Nothing."""

    def failed(self, why: str) -> None:
        """Nothing."""


class Quiet:
    """Nobody."""

    def span(self, name: str, **facts: Fact) -> AbstractContextManager[Span]:  # noqa: ARG002  # the protocol's
        """Nothing is kept."""
        return nullcontext(_Unheard())

    def close(self) -> None:
        """Nothing is left."""
