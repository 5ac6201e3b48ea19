"""Where a request comes from: only what names this server as its host, and changes only from pages of its own.

A page in a browser that was loaded from elsewhere may change nothing and ask for nothing, whatever name it goes by; a link
there may lead here.
"""

from __future__ import annotations

import ipaddress
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sentry_connector.errors import UsageError
from sentry_connector.web.place import Place
from sentry_connector.web.problems import problem

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SAME = frozenset({None, "same-origin", "none"})
THIS_MACHINE = ("127.0.0.0/8", "::1/128")
"""Who may ask past the proxy, such as what looks after a container."""

_YEAR = 31_536_000


def host_of(address: str) -> str:
    """The host in `host:port`, `[::1]:port` or a host alone."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.rpartition(":")[0] if address.count(":") == 1 else address


class Guard:
    """Lets requests through that name this server as their host, and changes only from where they were served."""

    def __init__(self, app: ASGIApp, place: Place) -> None:
        self.app, self.place = app, place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        peer = (scope.get("client") or ("", 0))[0]
        answer = self._sender(send)
        refusal = self._refusal(scope["method"], headers, peer)
        if refusal is None:
            scope["client"] = (address_of(peer, headers.get("x-forwarded-for"), self.place.proxies), 0)
            await self.app(scope, receive, answer)
        else:
            await problem(UsageError(refusal[1], remedy=self._remedy()), refusal[0])(scope, receive, answer)

    def _remedy(self) -> str:
        return f"Ask at {self.place.url}." if self.place.url else "Ask from this machine."

    def _refusal(self, method: str, headers: Headers, peer: str) -> tuple[HTTPStatus, str] | None:
        if self.place.proxies and not is_among(peer, (*self.place.proxies, *THIS_MACHINE)):
            return HTTPStatus.FORBIDDEN, "This service answers to its proxy alone."
        host = headers.get("host", "")
        if host_of(host).casefold() not in self.place.hosts:
            return HTTPStatus.MISDIRECTED_REQUEST, "This service answers only under its own names."
        is_of_elsewhere = headers.get("sec-fetch-site") not in _SAME
        if method in _SAFE:
            # It could read no answer, and yet have Sentry asked by an image of its own. Whoever follows a link may come.
            is_hidden = is_of_elsewhere and headers.get("sec-fetch-dest") != "document"
            return (HTTPStatus.FORBIDDEN, "A page from elsewhere may ask for nothing here.") if is_hidden else None
        origin = headers.get("origin")
        if is_of_elsewhere or (origin is not None and origin.partition("://")[2] != host):
            return HTTPStatus.FORBIDDEN, "A page from elsewhere may change nothing here."
        return None

    def _sender(self, send: Send) -> Send:
        """Browsers that have come by TLS once are to come by nothing else for a year."""
        if not self.place.secure:
            return send

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Strict-Transport-Security"] = f"max-age={_YEAR}; includeSubDomains"
            await send(message)

        return send_secured


def is_among(address: str, networks: tuple[str, ...]) -> bool:
    """Whether an address is in one of the networks."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return any(ip in ipaddress.ip_network(one) for one in networks)


def address_of(peer: str, forwarded: str | None, proxies: tuple[str, ...]) -> str:
    """Where a request comes from: the last address that no proxy of ours has; what is before it anybody may have written."""
    if not proxies or forwarded is None:
        return peer
    hops = [one.strip() for one in forwarded.split(",")]
    return next((one for one in reversed(hops) if not is_among(one, proxies)), peer)
