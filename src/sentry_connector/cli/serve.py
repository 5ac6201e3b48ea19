"""`serve`: keep all schedules, and answer over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from sentry_connector.app import app as connector
from sentry_connector.cli.options import AsJson, typer_app
from sentry_connector.cli.output import counted, note, print_json, print_line
from sentry_connector.errors import UsageError
from sentry_connector.operations import datasets, workers
from sentry_connector.operations import people as people_of
from sentry_connector.people.claim import Claim
from sentry_connector.people.secrets import new_code
from sentry_connector.runs.house import House
from sentry_connector.store.records import MANUAL, Run, RunState

app = typer_app()

PORT = 8642
RUNS_AT_ONCE = 4
PARTS = ("fastapi", "uvicorn", "prometheus_client", "argon2", "joserfc", "zxcvbn", "jinja2", "babel")
LONGEST_END = 9.5
"""Seconds from the signal to the end of the process."""


@app.command()
def serve(
    host: Annotated[
        str, typer.Option(metavar="HOST", help="Where to listen; more than this machine needs people and TLS.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, metavar="PORT", help="Where to listen; 0 = a free port.")
    ] = PORT,
    runs_at_once: Annotated[int, typer.Option(min=1, max=64, help="Runs under way at the same time.")] = RUNS_AT_ONCE,
    public_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Its address for people; it answers under that name alone.")
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The certificate, with those above it, in PEM form.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="The certificate's key, in PEM form.")] = None,
    behind_proxy: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="A proxy that ends TLS, or its network; nobody else is answered."),
    ] = None,
    *,
    people: Annotated[
        bool, typer.Option("--people", help="Everything needs a login, even while there is nobody yet.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Keep the schedules of all DataSets, do the runs that wait, and answer over HTTP, until Ctrl-C or SIGTERM.

    What is under way then comes to rest within ten seconds, and is gone on with by the next server, as after a crash.
    """
    look_for_parts()
    from sentry_connector.web import service  # noqa: PLC0415  # an extra, looked for above
    from sentry_connector.web.place import place_of  # noqa: PLC0415

    with ended_in_time() as stopping, connector() as house:
        somebody = people_of.exist(house)
        place = place_of(
            host,
            public_url=public_url,
            certificate=tls_cert,
            key=tls_key,
            proxies=tuple(behind_proxy or ()),
            people=people or somebody,
        )
        code = new_code() if place.people and not somebody else None
        if house.settings.is_shared:
            workers.enter(house)

        def ready(url: str) -> None:
            if code is not None:
                note(f"There is nobody yet. The code for the first admin, for 15 minutes, on this machine: {code}")
            if as_json:
                print_json({"url": url}, indent=None)  # one line, so that a program can read it while we go on
                return
            print_line(url)
            scheduled = [one for one in datasets.everything(house) if one.schedule != MANUAL and not one.paused]
            note(f"Serving there; {len(scheduled)} DataSets have a schedule. Ctrl-C stops.")

        asyncio.run(
            service.serve(
                house,
                place=place,
                claim=None if code is None else Claim(code, house.clock.monotonic()),
                host=host,
                port=port,
                runs_at_once=runs_at_once,
                ready=ready,
                told=lambda run: None if as_json else note(in_a_line(house, run)),
                stopping=stopping,
            )
        )


def look_for_parts() -> None:
    """Make sure that HTTP can be served.

    Raises:
        UsageError: the extra is not installed.
    """
    if any(importlib.util.find_spec(one) is None for one in PARTS):
        raise UsageError(
            "The parts that serve HTTP are not installed.", remedy="pip install 'sentry-connector[server]'"
        )


@contextlib.contextmanager
def ended_in_time() -> Iterator[Callable[[], None]]:
    """The process ends in time after a signal, whatever holds it, such as a disk that does not answer, or a locked store.

    A run survives its process's death. The system itself tells a thread of the signal: the loop may have no time for it.

    Yields:
        What begins the end without a signal.
    """
    watched, told = socket.socketpair()
    told.setblocking(False)
    before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_end_after_a_signal, args=(watched,), daemon=True).start()
    try:
        yield lambda: _tell(told)
    finally:
        signal.set_wakeup_fd(before)
        told.close()


def _tell(told: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        told.send(bytes([signal.SIGTERM]))


def _end_after_a_signal(watched: socket.socket) -> None:
    with watched:
        if number := watched.recv(1):
            time.sleep(LONGEST_END)
            os._exit(128 + number[0])


def in_a_line(house: House, run: Run) -> str:
    """`Shop events: COMPLETE, 440 rows read, 12 requests`."""
    dataset = house.store.datasets.get(run.dataset_id)
    name = dataset.name if dataset else run.dataset_id
    if run.state is RunState.RETRYING and run.not_before is not None:
        why = run.error.message if run.error else "rows are missing"
        return f"{name}: attempt {run.attempt} failed: {why} Again at {run.not_before:%H:%M}Z."
    line = f"{name}: {run.verdict}, {counted(run.rows_read, 'row')} read, {counted(run.requests, 'request')}"
    return f"{line}: {run.error.name}: {run.error.message}" if run.error else line
