"""The content coding of an answer undone under a cap, so that a small answer cannot become a huge one. No I/O."""

from __future__ import annotations

import zlib
from typing import Protocol

from sentry_connector.errors import AnswerTooLarge, MalformedAnswer, SentryUnreachable

ACCEPTED = "gzip, deflate"
"""What is asked for in Accept-Encoding."""
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_RAW_DEFLATE = -zlib.MAX_WBITS


class _Inflater(Protocol):
    """The part of zlib's decompression object that is used here."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class Body:
    """Collects the chunks of one answer and decodes them on the way; never holds more than `most` decoded bytes.

    Args:
        coding: the answer's Content-Encoding.
        most: cap on the decoded size, in bytes.

    Attributes:
        coding: in lower case; empty where the answer is not compressed.

    Raises:
        MalformedAnswer: a coding that was not asked for.
    """

    def __init__(self, coding: str, most: int) -> None:
        self.coding = coding.strip().lower().replace("identity", "")
        if self.coding not in {"", "gzip", "x-gzip", "deflate"}:
            raise MalformedAnswer("The answer is in a content coding that was not asked for.")
        self._packed: list[bytes] = []
        self._most = most
        self._size = 0
        self._chunks: list[bytes] = []
        self._inflater: _Inflater | None = None

    def feed(self, chunk: bytes) -> None:
        """Take the next chunk as it came over the line.

        Raises:
            AnswerTooLarge: the decoded answer exceeds the cap.
            SentryUnreachable: the chunk is no such coding; asking again may help.
        """
        if not self.coding:
            self._keep(chunk)
            return
        self._packed.append(chunk)
        while chunk:
            chunk = self._inflate(chunk)

    def finish(self) -> bytes:
        """The whole decoded answer.

        Raises:
            SentryUnreachable: the compressed stream broke off.
        """
        if self._inflater is not None and not self._inflater.eof:
            raise SentryUnreachable("Sentry's answer broke off within its compressed body.")
        return b"".join(self._chunks)

    def packed(self) -> bytes:
        """The answer as it came over the line."""
        return b"".join(self._packed if self.coding else self._chunks)

    def _inflate(self, chunk: bytes) -> bytes:
        """Decode what fits under the cap and give back what is left of the chunk."""
        if self._inflater is None or self._inflater.eof:  # gzip may consist of several members
            self._inflater = zlib.decompressobj(self._window_bits(chunk))
        try:
            self._keep(self._inflater.decompress(chunk, self._most - self._size + 1))
        except zlib.error as error:
            raise SentryUnreachable("Sentry's answer is damaged within its compressed body.") from error
        return self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail

    def _window_bits(self, chunk: bytes) -> int:
        """`deflate` means zlib's format, but some servers send it raw; zlib's first byte has 8 in its lower half."""
        raw = self.coding == "deflate" and chunk[0] & 0x0F != zlib.DEFLATED
        return _RAW_DEFLATE if raw else _GZIP_OR_ZLIB

    def _keep(self, decoded: bytes) -> None:
        self._size += len(decoded)
        if self._size > self._most:
            raise AnswerTooLarge(
                f"Sentry's answer exceeds {self._most / 2**20:.0f} MiB after decompression.", most=self._most
            )
        self._chunks.append(decoded)


def inflated(packed: bytes, coding: str, most: int) -> bytes:
    """A whole answer, decoded under a cap.

    Raises:
        As `Body`.
    """
    body = Body(coding, most)
    body.feed(packed)
    return body.finish()
