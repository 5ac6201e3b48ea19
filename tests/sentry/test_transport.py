"""What the line does to answers: cuts, silence, TLS, proxies."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import gzip
import ssl
import traceback
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from tests.sentry.support import (
    TOKEN,
    VirtualClock,
    client_of,
    head_of,
    json_answer,
    raw_serving,
    request_to,
    serving,
)

from sentry_connector.errors import (
    ConnectorError,
    HostUnknown,
    NotSentry,
    ProxyFailed,
    SentryUnreachable,
    TlsFailed,
    UsageError,
)
from sentry_connector.sentry.client import Connection, SentryClient

PASSWORD = "canary-word"
PAGE = b'[{"id": "1"}, {"id": "22"}]'
PACKED = gzip.compress(PAGE)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
WHOLE = {
    "length": HEAD + b"Content-Length: %d\r\n\r\n" % len(PAGE) + PAGE,
    "chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(PAGE), PAGE),
    "packed": HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(PACKED) + PACKED,
    "until closed": HEAD + b"Connection: close\r\n\r\n" + PAGE,
    "packed until closed": HEAD + b"Connection: close\r\nContent-Encoding: gzip\r\n\r\n" + PACKED,
}


@pytest.mark.parametrize("form", list(WHOLE))
async def test_an_answer_cut_at_any_byte_is_asked_for_again_and_never_taken_for_a_page(form: str) -> None:
    whole = WHOLE[form]
    connections = 0

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        await head_of(reader)
        # Every second connection is cut, at the next byte each time; aiohttp itself asks once more where nothing came.
        length = connections // 3
        connections += 1
        writer.write(whole[:length] if connections % 3 else whole)

    async with raw_serving(cut) as port, client_of(port) as client:
        while connections < 3 * len(whole):
            assert (await client.get(request_to(client))).body == PAGE


async def test_a_connection_that_always_breaks_ends_in_an_error_after_all_attempts() -> None:
    async def breaks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(WHOLE["length"][:-1])

    async with raw_serving(breaks) as port, client_of(port, attempts=3) as client:
        with pytest.raises(SentryUnreachable):
            await client.get(request_to(client))
    assert client.usage.requests == 3


async def test_a_kept_connection_that_the_server_dropped_costs_neither_an_attempt_nor_a_pause() -> None:
    async def one_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(WHOLE["length"])
        await writer.drain()
        await head_of(reader)  # the next request of the kept connection gets no answer

    clock = VirtualClock()
    async with raw_serving(one_answer) as port, client_of(port, clock, attempts=1) as client:
        for _ in range(5):
            assert (await client.get(request_to(client))).body == PAGE
    assert clock.sleeps == []


async def test_silence_and_dripping_end_at_the_total_timeout() -> None:
    async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(HEAD)
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b"X-Drip: 1\r\n")
                await writer.drain()
                await asyncio.sleep(0.01)

    async with raw_serving(drips) as port, client_of(port, attempts=2, total_timeout=0.2) as client:
        with pytest.raises(SentryUnreachable, match="in time"):
            await client.get(request_to(client))
    assert client.usage.requests == 2


async def test_a_server_that_does_not_speak_http_is_not_sentry() -> None:
    async def ssh(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        await head_of(reader)

    async with raw_serving(ssh) as port, client_of(port) as client:
        with pytest.raises(NotSentry):
            await client.get(request_to(client))


async def test_a_port_where_nobody_listens_is_unreachable(unused_tcp_port: int) -> None:
    async with client_of(unused_tcp_port) as client:
        with pytest.raises(SentryUnreachable):
            await client.get(request_to(client))


async def test_a_name_without_an_address_is_told_as_such() -> None:
    async with SentryClient(Connection(url="http://sentry.invalid", token=TOKEN, attempts=1)) as client:
        with pytest.raises(HostUnknown):
            await client.get(request_to(client))


async def test_a_name_that_leads_to_a_metadata_service_is_not_connected_to() -> None:
    with pytest.raises(UsageError, match="must not be led to"):
        await ask_by_tls(443, None, host="sentry.io", proxy="http://0xa9fea9fe:3128")  # 169.254.169.254


# --- TLS --------------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def tls_server(certificate: trustme.LeafCert, newest: ssl.TLSVersion | None = None) -> AsyncIterator[int]:
    async def answers(request: web.Request) -> web.Response:
        return json_answer()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    if newest:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = newest
    async with serving(answers, ssl_context=context) as port:
        yield port


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


async def ask_by_tls(port: int, ca_file: str | None, host: str = "127.0.0.1", proxy: str | None = None) -> bytes:
    connection = Connection(url=f"https://{host}:{port}", token=TOKEN, ca_file=ca_file, proxy=proxy)
    async with SentryClient(connection, clock=VirtualClock()) as client:
        return (await client.get(request_to(client))).body


async def test_a_certificate_of_a_given_authority_is_accepted(authority: trustme.CA, ca_file: str) -> None:
    async with tls_server(authority.issue_cert("127.0.0.1")) as port:
        assert await ask_by_tls(port, ca_file) == b"[]"


async def test_a_certificate_of_an_unknown_authority_is_refused(authority: trustme.CA) -> None:
    async with tls_server(authority.issue_cert("127.0.0.1")) as port:
        with pytest.raises(TlsFailed, match="certificate"):
            await ask_by_tls(port, None)


async def test_a_certificate_of_another_host_is_refused(authority: trustme.CA, ca_file: str) -> None:
    async with tls_server(authority.issue_cert("sentry.example.com")) as port:
        with pytest.raises(TlsFailed):
            await ask_by_tls(port, ca_file)


async def test_an_expired_certificate_is_refused(authority: trustme.CA, ca_file: str) -> None:
    expired = authority.issue_cert("127.0.0.1", not_after=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    async with tls_server(expired) as port:
        with pytest.raises(TlsFailed, match="expired"):
            await ask_by_tls(port, ca_file)


async def test_an_outdated_protocol_is_refused(authority: trustme.CA, ca_file: str) -> None:
    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"\x15\x03\x01\x00\x02\x02\x46")  # alert: fatal, protocol_version

    async with raw_serving(old) as port:
        with pytest.raises(TlsFailed):
            await ask_by_tls(port, ca_file)


async def test_plain_http_where_tls_was_expected_is_a_tls_failure() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read(1)

    async with raw_serving(plain) as port:
        with pytest.raises(TlsFailed):
            await ask_by_tls(port, None)


# --- proxies ----------------------------------------------------------------------------------------------------------


class Proxy:
    """A little CONNECT proxy; `heads` holds what it was told, `answer` replaces its consent."""

    def __init__(self, answer: bytes | None = None) -> None:
        self.answer = answer
        self.heads: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await head_of(reader)
        self.heads.append(head)
        if self.answer is not None:
            writer.write(self.answer)
            return
        host, port = head.split()[1].decode().rsplit(":", 1)
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def test_a_proxy_is_used_with_its_password_and_never_sees_the_token(authority: trustme.CA, ca_file: str) -> None:
    proxy = Proxy()
    async with tls_server(authority.issue_cert("127.0.0.1")) as port, raw_serving(proxy) as proxy_port:
        assert await ask_by_tls(port, ca_file, proxy=f"http://me:p%40ss@127.0.0.1:{proxy_port}") == b"[]"
    head = proxy.heads[0]
    assert head.startswith(b"CONNECT 127.0.0.1:")
    assert base64.b64encode(b"me:p@ss") in head
    assert TOKEN.encode() not in head


async def test_the_environments_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Proxy(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")

    async def answers(request: web.Request) -> web.Response:
        return json_answer()

    async with serving(answers) as port, raw_serving(proxy) as proxy_port:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy_port}")
        async with client_of(port) as client:
            await client.get(request_to(client))
    assert proxy.heads == []


@pytest.mark.parametrize("status", [b"407 Proxy Authentication Required", b"403 Forbidden", b"502 Bad Gateway"])
async def test_a_proxy_that_refuses_is_told_as_such_without_its_password(status: bytes) -> None:
    proxy = Proxy(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
    async with raw_serving(proxy) as port:
        with pytest.raises(ProxyFailed) as caught:
            await ask_by_tls(1, None, proxy=f"http://me:{PASSWORD}@127.0.0.1:{port}")
    assert status[:3].decode() in caught.value.message
    assert PASSWORD not in told_by(caught.value)


async def test_a_407_to_a_plain_request_is_the_proxys_too() -> None:
    proxy = Proxy(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    async with raw_serving(proxy) as port, client_of(9, proxy=f"http://127.0.0.1:{port}") as client:
        with pytest.raises(ProxyFailed):
            await client.get(request_to(client))


@pytest.mark.parametrize("host", ["127.0.0.1", "proxy.invalid"])
async def test_a_proxy_that_cannot_be_reached_is_told_as_such_without_its_password(
    host: str, unused_tcp_port: int
) -> None:
    with pytest.raises(ProxyFailed) as caught:
        await ask_by_tls(1, None, proxy=f"http://me:{PASSWORD}@{host}:{unused_tcp_port}")
    assert PASSWORD not in told_by(caught.value)


async def test_a_proxy_that_dies_amid_the_answer_is_asked_again(authority: trustme.CA, ca_file: str) -> None:
    class Dying(Proxy):
        async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if not self.heads:
                self.heads.append(await head_of(reader))
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await reader.read(1)
                writer.transport.abort()
            else:
                await super().__call__(reader, writer)

    async with tls_server(authority.issue_cert("127.0.0.1")) as port, raw_serving(Dying()) as proxy_port:
        assert await ask_by_tls(port, ca_file, proxy=f"http://127.0.0.1:{proxy_port}") == b"[]"


def told_by(error: ConnectorError) -> str:
    return "".join([repr(error), str(error.data), *traceback.format_exception(error)])
