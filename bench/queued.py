"""`python -m bench.queued engine|plain`: a thousand queued runs of one request each, and what they took, as JSON.

`engine`: the engine finds and does them, four at a time. `plain`: the same runs one after another by the function that an engine
calls, so that the difference is what the engine itself costs.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from sentry_connector.app import App, app
from sentry_connector.datasets.definition import Definition
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import datasets
from sentry_connector.redact import Redactor
from sentry_connector.reports.details import Details
from sentry_connector.runs.engine import Engine
from sentry_connector.runs.execute import execute
from sentry_connector.runs.log import bound_log, run_lines
from sentry_connector.store.records import Run, Trigger

DATASETS, RUNS_EACH = 100, 10
AT_ONCE = 4


def queued(house: App) -> list[Run]:
    """The runs, stored."""
    runs = []
    for number in range(DATASETS):
        definition = Definition(name=f"Organizations {number}", report="organizations", details=Details())
        dataset = datasets.create(house, definition, None)
        for turn in range(RUNS_EACH):
            id_ = f"{dataset.id}-{turn}"
            runs.append(Run(id=id_, dataset_id=dataset.id, trigger=Trigger.MANUAL, queued_at=house.now()))
    for run in runs:
        house.store.runs.add(run)
    return runs


async def by_engine(house: App, runs: list[Run]) -> None:
    """An engine does them."""
    left, stop = {run.id for run in runs}, asyncio.Event()

    def told(run: Run) -> None:
        left.discard(run.id)
        if not left:
            stop.set()

    with run_lines(house.logs, "bench") as lines:
        log = bound_log(lines, Redactor([]), "bench")
        await Engine(house=house, log=log, runs_at_once=AT_ONCE, told=told).run(stop)


async def plainly(house: App, runs: list[Run]) -> None:
    """They are done one after another."""
    for run in runs:
        await execute(run.id, house, progress=Progress())


def main() -> None:
    """Do what is asked for, and say what it took."""
    way = {"engine": by_engine, "plain": plainly}[sys.argv[1]]
    with app() as house:
        runs = queued(house)
        began, cpu = time.perf_counter(), time.process_time()
        asyncio.run(way(house, runs))
        took = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu}
        done = sum(run.verdict == "COMPLETE" for run in house.store.runs.recent(limit=None))
    print(json.dumps({**took, "done": done}))


if __name__ == "__main__":
    main()
