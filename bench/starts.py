"""How long the command line takes to start, and how soon a pull asks its first question."""

from __future__ import annotations

from collections.abc import Iterator

from bench.attempts import pull
from bench.contests import Contender, contest
from bench.measure import Result, in_the_middle, run
from bench.workloads import EVENTS, Workload

RUNS = 7
ONE_PAGE = Workload(about="one page", scale={"projects": 1, "events": 100, "issues": 10}, reads=(EVENTS,), latency_ms=0)
PULL = Contender(name="pull of one page", by=pull, runs=RUNS)


def results() -> Iterator[Result]:
    """The version, which loads nothing, the help of `pull`, which loads what a pull needs, and a pull."""
    for name, arguments in {"--version": ["--version"], "pull --help": ["pull", "--help"]}.items():
        done = in_the_middle(RUNS, lambda arguments=arguments: run("-m", "sentry_connector", *arguments))  # type: ignore[misc]
        yield Result(
            name=f"start: {name}",
            seconds=done.seconds,
            cpu_seconds=done.cpu_seconds,
            peak_mib=done.peak_mib,
            runs=RUNS,
        )
    yield from contest("start", ONE_PAGE, [PULL])
