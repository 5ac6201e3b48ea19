"""What the engine costs beside the runs themselves: a thousand queued runs, and the same ones done one after another."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

from bench.attempts import OURS
from bench.measure import Result, Server, run, serving

RUNS = 1000
NAMES = {"plain": "engine: 1,000 runs one after another", "engine": "engine: 1,000 queued runs, four at once"}


def results() -> Iterator[Result]:
    """Both, each from an empty folder. Each run reads two organizations with one request."""
    with serving("-m", "bench.sentry", '{"events": 0, "issues": 0}', "{}") as sentry:
        for way, name in NAMES.items():
            yield _done(sentry, way, name)


def _done(sentry: Server, way: str, name: str) -> Result:
    with tempfile.TemporaryDirectory() as home:
        where = {key: sentry.facts[key] for key in ("SENTRY_URL", "SENTRY_AUTH_TOKEN")}
        done = run("-m", "bench.queued", way, environment={**where, **OURS, "SENTRY_CONNECTOR_HOME": home})
    said = done.said
    return Result(
        name=name,
        seconds=said["seconds"],
        cpu_seconds=said["cpu_seconds"],
        rows=said["done"],
        expected=RUNS,
        peak_mib=done.peak_mib,
        note="rows are runs",
    )
