from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentry_connector.errors import AnswerTooLarge, MalformedAnswer, SentryUnreachable
from sentry_connector.sentry.inflate import Body


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def members(data: bytes) -> bytes:
    return gzip.compress(data[:7]) + gzip.compress(data[7:])


def itself(data: bytes) -> bytes:
    return data


CODINGS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("", itself),
    ("identity", itself),
    ("gzip", gzip.compress),
    ("GZIP", gzip.compress),
    ("x-gzip", members),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
]


@given(data=st.binary(min_size=1, max_size=2000), coding=st.sampled_from(CODINGS), size=st.integers(1, 500))
def test_what_was_packed_comes_out_however_it_was_cut(
    data: bytes, coding: tuple[str, Callable[[bytes], bytes]], size: int
) -> None:
    name, pack = coding
    body, packed = Body(name, 10_000), pack(data)
    for start in range(0, len(packed), size):
        body.feed(packed[start : start + size])
    assert body.finish() == data


@pytest.mark.parametrize(("coding", "pack"), CODINGS)
def test_exactly_the_cap_is_allowed_and_one_byte_more_is_not(coding: str, pack: Callable[[bytes], bytes]) -> None:
    body = Body(coding, 1000)
    body.feed(pack(b"a" * 1000))
    assert len(body.finish()) == 1000
    body = Body(coding, 1000)
    with pytest.raises(AnswerTooLarge):
        body.feed(pack(b"a" * 1001))


@pytest.mark.parametrize(
    ("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", raw_deflate)]
)
def test_a_bomb_takes_no_more_memory_than_the_cap(coding: str, pack: Callable[[bytes], bytes]) -> None:
    bomb = pack(bytes(200 * 2**20))
    tracemalloc.start()
    try:
        body = Body(coding, 2**20)
        with pytest.raises(AnswerTooLarge):
            body.feed(bomb)
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()


def test_a_stream_cut_at_any_byte_is_noticed() -> None:
    packed = gzip.compress(b'[{"id": "1"}]')
    for end in range(1, len(packed)):
        body = Body("gzip", 1000)
        body.feed(packed[:end])
        with pytest.raises(SentryUnreachable):
            body.finish()


def test_a_damaged_stream_may_be_asked_for_again() -> None:
    packed = bytearray(gzip.compress(b'[{"id": "1"}]'))
    packed[-6] ^= 0xFF
    with pytest.raises(SentryUnreachable):
        Body("gzip", 1000).feed(bytes(packed))
    with pytest.raises(SentryUnreachable):
        Body("gzip", 1000).feed(b"<html>")


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "chunked"])
def test_a_coding_that_was_not_asked_for_is_refused(coding: str) -> None:
    with pytest.raises(MalformedAnswer):
        Body(coding, 1000)
