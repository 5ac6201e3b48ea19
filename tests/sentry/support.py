"""What the tests of this room share: virtual time, small real servers, a little proxy."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import email.utils
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

from aiohttp import web

from sentry_connector.sentry.client import Connection, SentryClient
from sentry_connector.sentry.wire import Request

TOKEN = "canary-0123456789abcdef"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class VirtualClock:
    """Time that passes only while somebody sleeps; `sleeps` says how long each time."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self.start = start
        self.elapsed = 0.0
        self.sleeps: list[float] = []

    def time(self) -> float:
        return self.start + self.elapsed

    def monotonic(self) -> float:
        return self.elapsed

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.elapsed += seconds
        await asyncio.sleep(0)


def http_date(instant: float) -> str:
    return email.utils.format_datetime(dt.datetime.fromtimestamp(instant, dt.UTC), usegmt=True)


@contextlib.asynccontextmanager
async def serving(handler: Handler, **site: Any) -> AsyncIterator[int]:
    """An aiohttp server that answers every request by `handler`; its port."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return await handler(request)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        listening = web.TCPSite(runner, "127.0.0.1", 0, **site)
        await listening.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def raw_serving(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """A TCP server whose connections are given to `talk` and closed after it; its port."""

    open_connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        open_connections.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await talk(reader, writer)
                await writer.drain()
        finally:
            open_connections.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(open_connections):
            task.cancel()
        await asyncio.gather(*open_connections, return_exceptions=True)


async def head_of(reader: asyncio.StreamReader) -> bytes:
    """A request's lines, to the empty one."""
    return await reader.readuntil(b"\r\n\r\n")


def client_of(port: int, clock: VirtualClock | None = None, **changes: Any) -> SentryClient:
    """A client of a server on this machine."""
    connection = replace(Connection(url=f"http://127.0.0.1:{port}", token=TOKEN), **changes)
    return SentryClient(connection, clock=clock or VirtualClock(), rng=random.Random(1))  # noqa: S311  # a seeded back-off


def request_to(client: SentryClient, path: str = "/things/", **fields: Any) -> Request:
    return Request(base_url=client.base_url, path=path, **fields)


def json_answer(text: str = "[]", **headers: str) -> web.Response:
    return web.Response(
        text=text, content_type="application/json", headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


def link(cursor: str, *, results: bool = True, host: str = "https://elsewhere.example") -> str:
    """A Link header as Sentry writes it, with the next page's cursor."""
    return (
        f'<{host}/api/0/x/?&cursor=0:0:1>; rel="previous"; results="false"; cursor="0:0:1", '
        f'<{host}/api/0/x/?&cursor={cursor}>; rel="next"; results="{str(results).lower()}"; cursor="{cursor}"'
    )
