"""Pulls by the real command into other formats than Parquet, and of entries; from a simulated Sentry in another process.

The simulated Sentry shares the processors, so that the wall time is its own as much as the connector's; the CPU seconds and the
memory are the connector's alone.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager

from bench.attempts import OURS
from bench.measure import Result, Server, medians, run, serving
from bench.workloads import ORGANIZATION

RUNS = 3
PROJECT = f"{ORGANIZATION}/project-000"


def results() -> Iterator[Result]:
    """100,000 events as JSON Lines and as CSV, then the entries of 10,000."""
    with _sentry(100_000) as sentry:
        yield _pulls(sentry, "100,000 events to JSON Lines", "project-events", "jsonl")
        yield _pulls(sentry, "100,000 events to CSV", "project-events", "csv")
    with _sentry(10_000) as sentry:
        yield _pulls(sentry, "entries of 10,000 events to Parquet", "project-events-entries", "parquet")


def _sentry(events: int) -> AbstractContextManager[Server]:
    return serving("-m", "bench.sentry", json.dumps({"events": events, "issues": events // 50}), "{}")


def _pulls(sentry: Server, name: str, report: str, format_name: str) -> Result:
    return medians([_pull(sentry, name, report, format_name) for _ in range(RUNS)])


def _pull(sentry: Server, name: str, report: str, format_name: str) -> Result:
    with tempfile.TemporaryDirectory() as home:
        options = ("--project", PROJECT, "--all-available", "--output", f"{home}/rows.{format_name}", "--json")
        where = {key: sentry.facts[key] for key in ("SENTRY_URL", "SENTRY_AUTH_TOKEN")}
        environment = {**where, **OURS, "SENTRY_CONNECTOR_HOME": home}
        done = run("-m", "sentry_connector", "pull", report, *options, environment=environment)
    return Result(
        name=f"pull: {name}",
        seconds=done.seconds,
        cpu_seconds=done.cpu_seconds,
        rows=done.said["rows"],
        requests=done.said["requests"],
        peak_mib=done.peak_mib,
    )
