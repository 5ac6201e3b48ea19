"""`simulate`: a simulated Sentry to try things on."""

from __future__ import annotations

import asyncio
import datetime as dt
from contextlib import AsyncExitStack
from typing import Annotated, Any

import typer

from sentry_connector.cli.options import AsJson, typer_app
from sentry_connector.cli.output import note, print_json, print_line
from sentry_connector.errors import DestinationRefused, UnknownName
from sentry_connector.simulator import Faults, World, running

app = typer_app()

LIMITS = ("none", "sentry.io")
ERAS = ("new", "old")


@app.command()
def simulate(
    port: Annotated[int, typer.Option(min=0, max=65_535, metavar="P", help="Where to listen; 0 = a free port.")] = 0,
    seed: Annotated[int, typer.Option(metavar="S", help="The same seed makes the same world.")] = 1,
    events: Annotated[int, typer.Option(min=0, metavar="N", help="How many events there are.")] = 2000,
    latency_ms: Annotated[float, typer.Option(min=0, metavar="L", help="How long each request takes.")] = 0,
    limits: Annotated[str, typer.Option(metavar="sentry.io|none", help="Rate limits as sentry.io has them.")] = "none",
    fault_rate: Annotated[
        float, typer.Option(min=0, max=1, metavar="F", help="Share of requests that something happens to.")
    ] = 0,
    era: Annotated[str, typer.Option(metavar="new|old", help="How old a server it plays.")] = "new",
    *,
    as_json: AsJson = False,
) -> None:
    """Serve a simulated Sentry until Ctrl-C. It is seeded, and holds nothing real."""
    _known("limits", limits, LIMITS)
    _known("era", era, ERAS)
    faults = Faults(fault_rate, seed=seed) if fault_rate else None
    world = World.build(now=dt.datetime.now(dt.UTC), seed=seed, events=events)
    options = {"port": port, "latency_ms": latency_ms, "limits": limits, "faults": faults, "era": era}
    asyncio.run(_serve(world, options, as_json=as_json))


async def _serve(world: World, options: dict[str, Any], *, as_json: bool) -> None:
    async with AsyncExitStack() as stack:
        try:
            simulation = await stack.enter_async_context(running(world, **options))
        except OSError as error:
            raise DestinationRefused(f"Port {options['port']} cannot be listened on: {error.strerror}.") from error
        if as_json:
            # One line, so that a program can read it while we go on.
            print_json({"url": simulation.url, "token": simulation.token}, indent=None)
        else:
            print_line(f"export SENTRY_URL={simulation.url}")
            print_line(f"export SENTRY_AUTH_TOKEN={simulation.token}")
            note("A simulated Sentry listens there, and takes this made-up token. Ctrl-C stops it.")
        await asyncio.Event().wait()


def _known(option: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UnknownName(f"choice of --{option}", value, choices)
