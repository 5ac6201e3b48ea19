"""`python -m bench.sentry SCALE OPTIONS`: a simulated Sentry of that scale, until its standard input ends.

Both are JSON: the fields of `Scale`, the options of `create_app`. It prints a line when it is ready: where it listens and what is
in it. To each line that it is told it prints one: to `forget` it begins anew, to `counts` it says what was asked since then.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import json
import sys
import time
from typing import Any

from sentry_connector.simulator import Scale, Simulation, World, running, world_of
from sentry_connector.simulator.events import MOST_KEPT, slim_json


async def serve(scale: Scale, options: dict[str, Any]) -> None:
    """Say what there is on one line, then answer."""
    world = world_of(scale, now=dt.datetime.now(dt.UTC))
    _warm(world)
    # The processes that are measured compare its clock with theirs, and the limits' windows are aligned to it.
    async with running(world, clock=time.time, compress=False, **options) as simulation:
        _say(_facts(simulation))
        lines = await _standard_input()
        while word := (await lines.readline()).decode().strip():
            if word == "forget":
                simulation.forget()
            _say(_counts(simulation))


def _warm(world: World) -> None:
    """Make what is made once, and take what stays out of the garbage collector's sight."""
    for project in world.projects:
        for event in project.events:
            if event.number < MOST_KEPT:
                slim_json(event)
    gc.collect()
    gc.freeze()


def _facts(simulation: Simulation) -> dict[str, Any]:
    projects = list(simulation.world.projects)
    return {
        "SENTRY_URL": simulation.url,
        "SENTRY_AUTH_TOKEN": simulation.token,
        "sizes": [len(issue.events) for issue in projects[0].issues],
        "people": [len({event.person.identity for event in one.events if event.person}) for one in projects],
    }


def _counts(simulation: Simulation) -> dict[str, Any]:
    return {
        "requests": simulation.requests,
        "refused": simulation.refused,
        "first_request": simulation.first_request,
        "cpu_seconds": time.process_time(),
    }


async def _standard_input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve(Scale(**json.loads(sys.argv[1])), json.loads(sys.argv[2])))
