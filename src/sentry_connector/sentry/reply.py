"""What a request brings, and what brings it: `transport.py` by HTTP, the tests by other ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Reply:
    """What came over the line.

    Attributes:
        status: HTTP status.
        headers: names in lower case; equal ones (several Link headers) as one.
        body: decompressed.
        coding: how `packed` is compressed; empty where it is not.
        packed: the body as it came.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    coding: str
    packed: bytes


class Transport(Protocol):
    """Sends one GET and brings what is answered."""

    async def open(self) -> None:
        """Get ready, within the event loop that it is used in."""

    async def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        """The answer to one GET of a percent-encoded URL.

        Raises:
            ConnectionFailed: there is none, or it broke off.
            NotSentry: it is not HTTP.
            AnswerTooLarge: it exceeds the cap.
            MalformedAnswer: it is compressed in a way that was not asked for.
        """

    async def close(self) -> None:
        """Close all connections."""
