"""Who may ask: programs of this machine. A page in a browser that was loaded from elsewhere may not, whatever name it goes by."""

from __future__ import annotations

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from sentry_connector.errors import UsageError
from sentry_connector.web.problems import problem

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SAME = frozenset({None, "same-origin", "none"})


def host_of(address: str) -> str:
    """The host in `host:port`, `[::1]:port` or a host alone."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.rpartition(":")[0] if address.count(":") == 1 else address


class Guard:
    """Lets requests through that name this machine as their host, and changes only from where they were served."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = _refusal(scope["method"], headers)
        if refusal is None:
            await self.app(scope, receive, send)
        else:
            await problem(UsageError(refusal[1], remedy="Ask from this machine."), refusal[0])(scope, receive, send)


def _refusal(method: str, headers: Headers) -> tuple[HTTPStatus, str] | None:
    host = headers.get("host", "")
    if host_of(host).casefold() not in LOOPBACK:
        return HTTPStatus.MISDIRECTED_REQUEST, "This service answers only under the names of this machine."
    if method in _SAFE:
        return None
    origin = headers.get("origin")
    if headers.get("sec-fetch-site") not in _SAME or (origin is not None and origin.partition("://")[2] != host):
        return HTTPStatus.FORBIDDEN, "A page from elsewhere may change nothing here."
    return None
