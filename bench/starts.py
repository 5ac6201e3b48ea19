"""How long the command line takes to start."""

from __future__ import annotations

from collections.abc import Iterator

from bench.measure import Result, in_the_middle, run

RUNS = 7


def results() -> Iterator[Result]:
    """The version, which loads nothing, and the help of `pull`, which loads what a pull needs."""
    for name, arguments in {"--version": ["--version"], "pull --help": ["pull", "--help"]}.items():
        done = in_the_middle(RUNS, lambda arguments=arguments: run("-m", "sentry_connector", *arguments))  # type: ignore[misc]
        yield Result(name=f"start: {name}", seconds=done.seconds, cpu_seconds=done.cpu_seconds, peak_mib=done.peak_mib)
