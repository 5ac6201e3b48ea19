"""The service as a whole: the engine and the HTTP server in one process, begun and brought to rest together."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator

import uvicorn
from fastapi import FastAPI

from sentry_connector.errors import UsageError
from sentry_connector.people.claim import Claim
from sentry_connector.runs.house import House
from sentry_connector.runs.service import engine_of
from sentry_connector.store.records import Run
from sentry_connector.web.application import application
from sentry_connector.web.metrics import Metrics
from sentry_connector.web.place import Place

LOG = "server"
"""Name of the service's own log, among the runs' logs."""

FOR_MONITORS = frozenset({"/livez", "/readyz", "/metrics", "/version"})
"""What a worker answers too, that serves nobody."""


class _Server(uvicorn.Server):
    """A server that leaves the signals to whoever runs the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is caught."""
        yield


async def serve(
    house: House,
    *,
    place: Place,
    host: str,
    port: int,
    runs_at_once: int,
    ready: Callable[[str], None],
    told: Callable[[Run], None],
    stopping: Callable[[], None],
    log: str = LOG,
    for_monitors: bool = False,
    claim: Claim | None = None,
) -> None:
    """Keep schedules and answer requests until cancelled; then come to rest.

    Args:
        house: the parts.
        place: how it is reached; `place_of` has found it safe.
        host, port: where to listen; port 0 = a free one.
        runs_at_once: how many runs are under way at most.
        ready: told the address when requests are answered.
        told: told of each run that ends, and of each attempt that is followed by another.
        stopping: called when it begins to come to rest.
        log: name of the process's own log.
        for_monitors: answer nobody but monitors.
        claim: the code for the first admin, where one was printed.

    Raises:
        UsageError: the files for TLS cannot be used, or nothing can listen there.
    """
    engine, lines = engine_of(house, runs_at_once, log)
    metrics = Metrics(engine, lines)
    engine.progress = metrics.progress

    def count(run: Run) -> None:
        metrics.count(run)
        told(run)

    engine.told = count
    app = application(engine, metrics, place, claim)
    if for_monitors:
        _leave_out_the_rest(app)
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            lifespan="off",
            access_log=False,
            proxy_headers=False,  # the guard reads them, where there is a proxy
            server_header=False,
            ssl_certfile=place.certificate,
            ssl_keyfile=place.key,
        )
    )
    _load_tls(server.config)
    listener = _listener(host, port)
    stop = asyncio.Event()
    web = asyncio.create_task(server.serve([listener]))
    work = asyncio.create_task(engine.run(stop))
    begun = asyncio.create_task(engine.begun.wait())
    try:
        await asyncio.wait([web, work, begun], return_when=asyncio.FIRST_COMPLETED)
        if engine.begun.is_set():
            ready(place.url or _url(host, listener, secure=place.certificate is not None))
            if not for_monitors:
                await house.aside(house.queries.warm)
            await asyncio.wait([web, work], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping()
        begun.cancel()
        stop.set()
        server.should_exit = server.force_exit = True
        house.queries.close()
        await asyncio.wait([web, work])
    web.result()
    work.result()


def _leave_out_the_rest(app: FastAPI) -> None:
    """Of a server's paths, those for monitors."""
    app.router.routes[:] = [route for route in app.router.routes if getattr(route, "path", None) in FOR_MONITORS]


def _load_tls(config: uvicorn.Config) -> None:
    """Read the certificate before anything begins, so that what is wrong with it is told."""
    try:
        config.load()
    except OSError as error:  # of which ssl.SSLError is one
        raise UsageError(
            f"The files for TLS cannot be used: {error.strerror or error}.",
            remedy="--tls-cert names a file with the certificate and those above it, --tls-key one with its key, in PEM form.",
        ) from None
    if config.ssl is not None:
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2


def _url(host: str, listener: socket.socket, *, secure: bool) -> str:
    return f"{'https' if secure else 'http'}://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise UsageError(
            f"Port {port} of {host} cannot be listened on: {error.strerror}.", remedy="Choose another one with --port."
        ) from None
    return listener
