"""The service as a whole: the engine and the HTTP server in one process, begun and brought to rest together."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import uvicorn

from sentry_connector.errors import DestinationRefused, UsageError
from sentry_connector.redact import Redactor
from sentry_connector.runs.engine import Engine
from sentry_connector.runs.house import House
from sentry_connector.runs.log import ProcessLines, bound_log, log_path
from sentry_connector.store.records import Run
from sentry_connector.web.application import application
from sentry_connector.web.guard import LOOPBACK
from sentry_connector.web.metrics import Metrics

LOG = "server"
"""Name of the service's own log, among the runs' logs."""

THREADS, THREADS_PER_RUN = 16, 4
"""For blocking work at the same time, so that no run waits while others wait for the store: each has a heartbeat and a watch."""


class _Server(uvicorn.Server):
    """A server that leaves the signals to whoever runs the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is caught."""
        yield


async def serve(
    house: House,
    *,
    host: str,
    port: int,
    runs_at_once: int,
    ready: Callable[[str], None],
    told: Callable[[Run], None],
    stopping: Callable[[], None],
) -> None:
    """Keep schedules and answer requests until cancelled; then come to rest.

    Args:
        house: the parts.
        host, port: where to listen; port 0 = a free one.
        runs_at_once: how many runs are under way at most.
        ready: told the address when requests are answered.
        told: told of each run that ends, and of each attempt that is followed by another.
        stopping: called when it begins to come to rest.

    Raises:
        UsageError: the host is not this machine alone.
        DestinationRefused: nothing can listen there.
    """
    listener = _listener(host, port)
    threads = ThreadPoolExecutor(THREADS + THREADS_PER_RUN * runs_at_once)
    asyncio.get_running_loop().set_default_executor(threads)
    secrets = [one for one in (house.settings.auth_token, house.settings.key) if one]
    lines = ProcessLines(log_path(house.logs, LOG))
    engine = Engine(house=house, log=bound_log(lines, Redactor(secrets), LOG), runs_at_once=runs_at_once)
    metrics = Metrics(engine, lines)
    engine.progress = metrics.progress

    def count(run: Run) -> None:
        metrics.count(run)
        told(run)

    engine.told = count
    server = _Server(uvicorn.Config(application(engine, metrics), log_config=None, lifespan="off", access_log=False))
    stop = asyncio.Event()
    web = asyncio.create_task(server.serve([listener]))
    work = asyncio.create_task(engine.run(stop))
    begun = asyncio.create_task(engine.begun.wait())
    try:
        await asyncio.wait([web, work, begun], return_when=asyncio.FIRST_COMPLETED)
        if engine.begun.is_set():
            ready(_url(host, listener))
            await asyncio.wait([web, work], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping()
        begun.cancel()
        stop.set()
        server.should_exit = server.force_exit = True
        await asyncio.wait([web, work])
    web.result()
    work.result()


def _url(host: str, listener: socket.socket) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


def _listener(host: str, port: int) -> socket.socket:
    if host not in LOOPBACK:
        raise UsageError(
            f"The service listens on this machine alone, and {host!r} is more than that.",
            remedy="Leave --host out; from elsewhere, reach it through an SSH tunnel.",
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise DestinationRefused(
            f"Port {port} of {host} cannot be listened on: {error.strerror}.", remedy="Choose another one with --port."
        ) from None
    return listener
