"""HTTP: the only module that speaks it. One GET, one answer, decompressed under a cap; nothing is repeated or followed here."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from sentry_connector.errors import (
    ConnectorError,
    HostUnknown,
    NotSentry,
    ProxyFailed,
    SentryUnreachable,
    TlsFailed,
    UsageError,
)
from sentry_connector.sentry.address import ALLOW, Reach, is_address, is_blocked, may_reach
from sentry_connector.sentry.inflate import Body
from sentry_connector.sentry.reply import Reply

MOST_CONNECTIONS = 100


class HttpTransport:
    """HTTP and HTTPS, through a proxy where there is one. Redirects are not followed, cookies not kept.

    Args:
        ca_file: PEM file of authorities that are trusted beside the system's.
        proxy: URL of an HTTP proxy. Never shown.
        most_bytes: cap on one answer, after decompression.
        total_timeout: seconds for one answer, from connecting to the last byte.
        reach: what of private networks may be asked; None = all. Behind a proxy only the proxy can see where a name leads to.

    Raises:
        UsageError: the proxy or the CA file cannot be used.
    """

    def __init__(
        self,
        *,
        ca_file: str | None,
        proxy: str | None,
        most_bytes: int,
        total_timeout: float,
        reach: Reach | None = None,
    ) -> None:
        # Without authorities of its own an account shares the library's context: making one costs 20 ms.
        self._tls = True if ca_file is None else _tls_context(ca_file)
        self._proxy = _proxy_url(proxy)
        self._reach = reach
        self._most_bytes = most_bytes
        self._timeout = aiohttp.ClientTimeout(total=total_timeout)
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the session."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=self._tls, resolver=GuardedResolver(self._reach, self._proxy), limit=MOST_CONNECTIONS
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            auto_decompress=False,
            trust_env=False,
            proxy=self._proxy,
        )

    async def close(self) -> None:
        """Close the session."""
        if self._session:
            await self._session.close()
            self._session = None

    async def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        """The answer to one GET."""
        if self._session is None:
            raise RuntimeError("The transport is used before it was opened.")
        target = URL(url, encoded=True)
        refuse_address(target, self._reach)
        try:
            async with self._session.get(target, headers=headers, allow_redirects=False) as response:
                body = Body(response.headers.get("Content-Encoding", ""), self._most_bytes)
                async for chunk in response.content.iter_any():
                    body.feed(chunk)
                return Reply(response.status, _joined(response), body.finish(), body.coding, body.packed())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # `from None`: the library's texts may hold the proxy's password.
            raise _connection_error(error, target.host or "", proxied=self._proxy is not None) from None


class GuardedResolver(AbstractResolver):
    """Resolves a name once and refuses addresses that may not be reached; the connection is made to what was checked."""

    def __init__(self, reach: Reach | None = None, proxy: URL | None = None) -> None:
        self._resolver = ThreadedResolver()
        # The proxy is no choice of whoever gives URLs.
        self._reach = reach if reach is None or proxy is None else reach | {(proxy.host or "", proxy.port or 0)}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name, all of which may be reached."""
        found = await self._resolver.resolve(host, port, family)
        if not all(may_reach(result["host"], host, port, self._reach) for result in found):
            raise BlockedAddressError
        return found

    async def close(self) -> None:
        """Close the resolver."""
        await self._resolver.close()


def refuse_address(url: URL, reach: Reach | None) -> None:
    """Refuse a URL that names an IP address itself, which no resolver sees.

    Raises:
        UsageError: it may not be reached.
    """
    host = url.host or ""
    if is_address(host) and not may_reach(host, host, url.port or 0, reach):
        raise UsageError(f"{host} is an address that requests must not be led to.", remedy=ALLOW)


class BlockedAddressError(OSError):
    """A host's name leads to an address that requests must not be led to."""


_MEANINGS: tuple[tuple[type[Exception], type[ConnectorError], str], ...] = (
    (aiohttp.ClientHttpProxyError, ProxyFailed, "The proxy refuses to connect to {host} ({status})."),
    (aiohttp.ClientProxyConnectionError, ProxyFailed, "The proxy cannot be reached{reason}."),
    (aiohttp.ClientConnectorDNSError, HostUnknown, "{host} has no address."),
    (aiohttp.ClientConnectorCertificateError, TlsFailed, "The certificate of {host} is refused{reason}."),
    (aiohttp.ClientSSLError, TlsFailed, "No TLS connection to {host} comes about{reason}."),
    (ssl.SSLError, TlsFailed, "No TLS connection to {host} comes about{reason}."),
    (aiohttp.InvalidURL, UsageError, "{host} is not a host that can be asked."),
    (TimeoutError, SentryUnreachable, "{host} did not answer in time."),
    (aiohttp.ClientPayloadError, SentryUnreachable, "The answer of {host} broke off."),
    (aiohttp.ClientResponseError, NotSentry, "{host} does not answer in HTTP."),
    (Exception, SentryUnreachable, "The connection to {host} failed{reason}."),
)
"""What the HTTP library's errors mean, the most specific first."""


def _connection_error(error: Exception, host: str, *, proxied: bool) -> ConnectorError:
    """Our error for the HTTP library's, by class."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        if isinstance(error.os_error, BlockedAddressError):
            said = f"{'The proxy' if proxied else host} has an address that requests must not be led to."
            return UsageError(said, remedy=ALLOW)
        if proxied:  # behind a proxy only the proxy's name is resolved here
            return ProxyFailed("The proxy's name has no address.")
    meaning, sentence = next((meaning, text) for kind, meaning, text in _MEANINGS if isinstance(error, kind))
    return meaning(sentence.format(host=host, reason=_reason(error), status=getattr(error, "status", "")), host=host)


def _reason(error: Exception) -> str:
    """The words of OpenSSL or the operating system for an error, which hold nothing of ours; empty without."""
    source = getattr(error, "certificate_error", None) or getattr(error, "os_error", error)
    words = (getattr(source, name, None) for name in ("verify_message", "reason", "strerror"))
    return next((f": {text}" for text in words if isinstance(text, str) and text), "")


def _joined(response: aiohttp.ClientResponse) -> dict[str, str]:
    """The headers with names in lower case; equal ones (several Link headers) as one."""
    return {name.lower(): ", ".join(response.headers.getall(name)) for name in response.headers}


def _tls_context(ca_file: str) -> ssl.SSLContext:
    """The system's authorities and those of `ca_file`; verification is always on."""
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(ca_file)
    except ssl.SSLError:
        raise UsageError(f"The CA file {ca_file} holds no certificates in PEM form.") from None
    except OSError as error:
        raise UsageError(f"The CA file {ca_file} cannot be read: {error.strerror}.") from None
    return context


def _proxy_url(text: str | None) -> URL | None:
    """The proxy's URL; its text is never repeated, since it may hold a password."""
    if not text:
        return None
    try:
        url = URL(text if "://" in text else f"http://{text}")
    except ValueError:
        url = URL()
    if url.scheme not in {"http", "https"} or not url.host or is_blocked(url.host):
        raise UsageError("The proxy is not an address such as http://proxy.example.com:3128.")
    return url
