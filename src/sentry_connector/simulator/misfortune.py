"""How an answer goes out: as it should, or struck by a fault."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

from sentry_connector.simulator.faults import Fault

SHIFT = 3
SLOWNESS = 0.2
"""How long a slow answer takes, seconds."""

PAGE = b"<!DOCTYPE html><html><head><title>%s</title></head><body><h1>%s</h1><hr>nginx</body></html>"
INTERNAL_ERROR = b'{"detail":"Internal Error","errorId":"ffffffffffffffffffffffffffffffff"}'
STORM = b'{"detail":"You are attempting to use this endpoint too frequently. Limit is 40 requests in 1 seconds"}'
THROTTLED = b'{"detail":"Request was throttled. Expected available in 1 second."}'
EDGE_STATUS = {Fault.BAD_GATEWAY: 502, Fault.UNAVAILABLE: 503, Fault.GATEWAY_TIMEOUT: 504}


@dataclass(slots=True)
class Reply:
    """An answer as bytes; `body` is compressed already where the headers say so."""

    status: int
    body: bytes
    headers: dict[str, str]


async def befall(request: web.Request, reply: Reply, fault: Fault | None, *, now: float) -> web.StreamResponse:
    """Send the reply as the fault lets it through; without one, whole."""
    if fault is Fault.SLOW:
        await asyncio.sleep(SLOWNESS)
    if fault is Fault.RESET_BEFORE:
        return await _cut(request, reply, sent=None)
    if fault in (Fault.RESET_WITHIN, Fault.TRUNCATED):
        return await _cut(request, reply, sent=len(reply.body) // 2, reset=fault is Fault.RESET_WITHIN)
    if fault is Fault.TRUNCATED_GZIP:
        return await _truncated_gzip(request, reply)
    instead = _instead(fault, now)
    told = instead or reply
    if instead:
        instead.headers["Date"] = reply.headers["Date"]
    return web.Response(status=told.status, body=told.body, headers=told.headers)


def _instead(fault: Fault | None, now: float) -> Reply | None:
    """The answer of something that stands before the server, or of an overloaded one."""
    if fault is Fault.STORM:
        headers = {"X-Sentry-Rate-Limit-Limit": "40", "X-Sentry-Rate-Limit-Remaining": "0"}
        return Reply(
            429, STORM, {"Content-Type": "text/html", "X-Sentry-Rate-Limit-Reset": str(int(now) + 1), **headers}
        )
    if fault is Fault.THROTTLED:
        return Reply(429, THROTTLED, {"Content-Type": "application/json", "Retry-After": "1"})
    if fault is Fault.INTERNAL_ERROR:
        return Reply(500, INTERNAL_ERROR, {"Content-Type": "application/json"})
    if fault in EDGE_STATUS:
        return _page(EDGE_STATUS[fault])
    if fault is Fault.JSON_ERROR:
        return Reply(200, INTERNAL_ERROR, {"Content-Type": "application/json"})
    return _page(200) if fault is Fault.HTML else None


def _page(status: int) -> Reply:
    words = HTTPStatus(status).phrase.encode()
    return Reply(status, PAGE % (words, words), {"Content-Type": "text/html"})


async def _truncated_gzip(request: web.Request, reply: Reply) -> web.StreamResponse:
    """HTTP is satisfied, the decompressor is not; an answer that is not compressed is cut short instead."""
    half = len(reply.body) // 2
    if "Content-Encoding" not in reply.headers:
        return await _cut(request, reply, sent=half)
    return web.Response(status=reply.status, body=reply.body[:half], headers=reply.headers)


async def _cut(request: web.Request, reply: Reply, *, sent: int | None, reset: bool = False) -> web.StreamResponse:
    """Send the head and `sent` bytes (None: nothing at all) and drop the connection."""
    response = web.StreamResponse(status=reply.status, headers=reply.headers)
    response.content_length = len(reply.body)
    response.force_close()
    if sent is not None:
        await response.prepare(request)
        await response.write(reply.body[:sent])
    transport = request.transport
    if transport is not None and (reset or sent is None):
        transport.abort()
    elif transport is not None:
        transport.close()
    return response
