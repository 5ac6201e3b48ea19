"""`worker`: do runs beside others, on as many machines as are wanted."""

from __future__ import annotations

import asyncio
import importlib.util
from typing import Annotated

import typer

from sentry_connector.app import app as connector
from sentry_connector.cli.options import AsJson, typer_app
from sentry_connector.cli.output import note, print_json
from sentry_connector.cli.serve import PARTS, RUNS_AT_ONCE, ended_in_time, in_a_line
from sentry_connector.errors import UsageError
from sentry_connector.operations import workers
from sentry_connector.store.processes import for_people, this_process
from sentry_connector.store.records import Run

app = typer_app()

LOOPBACK = "127.0.0.1"


@app.command()
def worker(
    runs_at_once: Annotated[int, typer.Option(min=1, max=64, help="Runs under way at the same time.")] = RUNS_AT_ONCE,
    health_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            metavar="PORT",
            help="Answer /livez, /readyz and /metrics there, on this machine alone; 0 = a free port.",
        ),
    ] = None,
    *,
    storage_moved: Annotated[
        bool, typer.Option("--storage-moved", help="All tables were moved to where this machine's storage is.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """One more worker on a PostgreSQL database: it does runs that wait, and keeps schedules, until Ctrl-C or SIGTERM.

    What is under way then comes to rest within ten seconds; another worker goes on with it, as after a crash.
    """
    if health_port is not None and not _can_serve():
        raise UsageError(
            "The parts that serve HTTP are not installed.",
            remedy="Leave --health-port out, or: pip install 'sentry-connector[server]'",
        )
    with ended_in_time() as stopping, connector() as house:
        workers.enter(house, storage_moved=storage_moved)

        def ready(url: str | None = None) -> None:
            if as_json:
                print_json({"process": for_people(this_process()), "url": url}, indent=None)
            else:
                note(f"At work{f', and answering at {url}' if url else ''}. Ctrl-C stops.")

        def told(run: Run) -> None:
            if not as_json:
                note(in_a_line(house, run))

        if health_port is None:
            asyncio.run(workers.work(house, runs_at_once=runs_at_once, ready=ready, told=told, stopping=stopping))
            return
        from sentry_connector.web import service  # noqa: PLC0415  # an extra, looked for above
        from sentry_connector.web.place import Place  # noqa: PLC0415

        asyncio.run(
            service.serve(
                house,
                place=Place(),
                host=LOOPBACK,
                port=health_port,
                runs_at_once=runs_at_once,
                ready=ready,
                told=told,
                stopping=stopping,
                log=workers.LOG,
                for_monitors=True,
            )
        )


def _can_serve() -> bool:
    return all(importlib.util.find_spec(one) is not None for one in PARTS)
