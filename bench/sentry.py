"""`python -m bench.sentry EVENTS`: a simulated Sentry with so many events in one project, until it is ended."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import sys

from sentry_connector.simulator import World, running

PROJECT = "acme/shop"


async def serve(events: int) -> None:
    """Say the address and the token on one line, then answer."""
    world = World.build(now=dt.datetime.now(dt.UTC), events={PROJECT: events})
    async with running(world) as simulation:
        sys.stdout.write(json.dumps({"SENTRY_URL": simulation.url, "SENTRY_AUTH_TOKEN": simulation.token}) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
