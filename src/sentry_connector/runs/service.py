"""An engine as a process has it that does nothing else: threads for what blocks, and a log of its own."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from sentry_connector.redact import Redactor
from sentry_connector.runs.engine import Engine
from sentry_connector.runs.house import House
from sentry_connector.runs.log import ProcessLines, bound_log, log_path

THREADS, THREADS_PER_RUN = 16, 4
"""For blocking work at the same time, so that no run waits while others wait for the store: each has a heartbeat and a watch."""


def engine_of(house: House, runs_at_once: int, log: str) -> tuple[Engine, ProcessLines]:
    """An engine in the running loop, and the lines of its log; each process of this name shares that with the others."""
    threads = ThreadPoolExecutor(THREADS + THREADS_PER_RUN * runs_at_once)
    asyncio.get_running_loop().set_default_executor(threads)
    lines = ProcessLines(log_path(house.logs, log))
    return Engine(
        house=house, log=bound_log(lines, Redactor(house.settings.secrets), log), runs_at_once=runs_at_once
    ), lines
