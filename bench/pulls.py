"""Pulls by the real command, from a simulated Sentry in another process.

The simulated Sentry shares the processors and answers one request at a time, so that the wall time is its own as much as the
connector's; the CPU seconds and the memory are the connector's alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

from bench.measure import Result, run, serving

PROJECT = "acme/shop"
MOST_MIB = 300
"""What 100,000 events may take, in Parquet; the other formats hold a batch of rows as Python values."""


def results() -> Iterator[Result]:
    """100,000 events in two formats, then the entries of 10,000."""
    with serving("-m", "bench.sentry", 100_000) as sentry:
        yield _pull(sentry, "100,000 events to Parquet", "project-events", "parquet", most_mib=MOST_MIB)
        yield _pull(sentry, "100,000 events to JSON Lines", "project-events", "jsonl")
    with serving("-m", "bench.sentry", 10_000) as sentry:
        yield _pull(sentry, "entries of 10,000 events to Parquet", "project-events-entries", "parquet")


def _pull(sentry: dict[str, str], name: str, report: str, format_name: str, most_mib: float | None = None) -> Result:
    with tempfile.TemporaryDirectory() as home:
        options = ("--project", PROJECT, "--all-available", "--output", f"{home}/rows.{format_name}", "--json")
        # Nothing is held back: the newest event is a second old.
        environment = sentry | {"SENTRY_CONNECTOR_HOME": home, "SENTRY_CONNECTOR_SETTLE": "0"}
        done = run("-m", "sentry_connector", "pull", report, *options, environment=environment)
    return Result(
        name=f"pull: {name}",
        seconds=done.seconds,
        cpu_seconds=done.cpu_seconds,
        rows=done.said["rows"],
        requests=done.said["requests"],
        peak_mib=done.peak_mib,
        most_mib=most_mib,
    )
