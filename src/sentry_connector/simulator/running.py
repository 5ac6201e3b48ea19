"""A simulated Sentry that listens: inside an event loop, or in a thread for programs that have none."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from sentry_connector.simulator.server import SERVER, Server, create_app
from sentry_connector.simulator.tokens import TOKEN
from sentry_connector.simulator.world import World

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Simulation:
    """A running simulated Sentry.

    Attributes:
        url: its base URL, without a trailing slash.
        urls: base URLs by region; `url` is that of the first.
        token: a token that may read everything.
        world: what it holds; may be changed while it runs.
        servers: one per region, with their counters.
    """

    url: str
    urls: Mapping[str, str]
    token: str
    world: World
    servers: tuple[Server, ...]

    @property
    def requests(self) -> int:
        """How many requests have come in."""
        return sum(server.requests for server in self.servers)

    @property
    def refused(self) -> int:
        """How many requests have got a 429 by the limits."""
        return sum(server.limits.refused for server in self.servers if server.limits)

    @property
    def first_request(self) -> float | None:
        """When the first request came in, by the servers' clock; None = there was none."""
        return min((server.first_request for server in self.servers if server.first_request is not None), default=None)

    def forget(self) -> None:
        """Be as if nothing had been asked yet."""
        for server in self.servers:
            server.forget()


@contextlib.asynccontextmanager
async def running(world: World, *, host: str = HOST, port: int = 0, **options: Any) -> AsyncIterator[Simulation]:
    """Serve a world, one port per region, until the block ends.

    Args:
        world: what there is.
        host: address to listen on.
        port: port of the first region; 0 = a free one. Further regions always get a free one.
        **options: of `create_app`.
    """
    urls: dict[str, str] = {}
    async with contextlib.AsyncExitStack() as stack:
        servers = []
        for number, region in enumerate(world.regions):
            app = create_app(world, region=region, urls=urls, **options)
            urls[region] = await stack.enter_async_context(_listening(app, host, 0 if number else port))
            servers.append(app[SERVER])
        yield Simulation(urls[world.regions[0]], urls, TOKEN, world, tuple(servers))


@contextlib.asynccontextmanager
async def _listening(app: web.Application, host: str, port: int) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@dataclass(frozen=True, slots=True)
class InThread:
    """A simulated Sentry in a thread of its own. A context manager, too: it stops when the block ends."""

    simulation: Simulation
    _stop: Callable[[], None]

    def __enter__(self) -> Simulation:
        return self.simulation

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop serving; returns when the thread has ended."""
        self._stop()


def start_in_thread(world: World, **options: Any) -> InThread:
    """Serve a world in a thread; returns when it listens. The options are those of `running`.

    Raises:
        OSError: the port is taken.
    """
    ready = threading.Event()
    outcome: list[Simulation | BaseException] = []
    loop, ending = asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        try:
            async with running(world, **options) as simulation:
                outcome.append(simulation)
                ready.set()
                await ending.wait()
        except OSError as error:
            outcome.append(error)
            ready.set()

    thread = threading.Thread(target=_run, args=(loop, serve), name="simulated-sentry", daemon=True)
    thread.start()
    ready.wait()
    first = outcome[0]
    if isinstance(first, BaseException):
        thread.join()
        raise first

    def stop() -> None:
        if thread.is_alive():
            loop.call_soon_threadsafe(ending.set)
            thread.join()

    return InThread(first, stop)


def _run(loop: asyncio.AbstractEventLoop, serve: Callable[[], Any]) -> None:
    with contextlib.closing(loop):
        loop.run_until_complete(serve())
