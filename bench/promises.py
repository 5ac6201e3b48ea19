"""What is promised about the figures, as data; judged where the figures are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.measure import Result
from bench.tables import LOOKS
from bench.workloads import WORKLOADS

Figures = Mapping[str, Result]


@dataclass(frozen=True, slots=True)
class Promise:
    """A figure that is not to exceed a limit.

    Attributes:
        about: what it is.
        figure: takes it from the results; KeyError where one of them was not measured.
        most: the limit.
    """

    about: str
    figure: Callable[[Figures], float]
    most: float


@dataclass(frozen=True, slots=True)
class Judged:
    """A promise with its figure."""

    about: str
    figure: float
    most: float

    @property
    def kept(self) -> bool:
        """Whether the figure is within the limit."""
        return self.figure <= self.most


def started(name: str) -> Callable[[Figures], float]:
    """How many times the bound it took once started."""
    return lambda results: results[name].times_bound_started or 0.0


def peak_over(name: str, other: str) -> Callable[[Figures], float]:
    """MiB by which one peak exceeds another."""
    return lambda results: (results[name].peak_mib or 0.0) - (results[other].peak_mib or 0.0)


def flatness(results: Figures) -> float:
    """What a row costs between W7 and W6, in what it costs within W7 once started: 1 where the cost is flat."""
    start, small, large = (
        results[name] for name in ("start: pull of one page", "W7: ours, to Parquet", "W6: ours, to Parquet")
    )

    def cost(less: Result, more: Result) -> float:
        return (more.cpu_seconds - less.cpu_seconds) / ((more.rows or 0) - (less.rows or 0))

    return cost(small, large) / cost(start, small)


SCOPES = len(WORKLOADS["W4"].projects) * len(WORKLOADS["W4"].reads)
PROMISES: Sequence[Promise] = (
    Promise("start: CPU ms of --version", lambda of: of["start: --version"].cpu_seconds * 1000, 120),
    Promise("start: s from start to first request", lambda of: of["start: pull of one page"].until_first or 0.0, 0.7),
    Promise(
        "1,000 DataSets: s of the slowest page, 95th percentile",
        lambda of: of["1,000 DataSets: the slowest page, 95th percentile"].seconds,
        0.2,
    ),
    Promise("console: s, 95th percentile", lambda of: of["console: 1,000,000 rows, 95th percentile"].seconds, 0.2),
    Promise(
        "console: s until a statement has stopped",
        lambda of: of["console: an endless statement stops, the slowest"].seconds,
        0.5,
    ),
    Promise(
        "page of 1,000,000 rows: s to the first ones", lambda of: of["page of 1,000,000 rows: first rows"].seconds, 0.3
    ),
    Promise("page of 1,000,000 rows: s to sort", lambda of: max(_sorted(of)), 1.0),
    Promise(
        "browser, 1,000,000 rows: s to the first ones",
        lambda of: of["browser: 1,000,000 rows, the first ones are there"].seconds,
        0.3,
    ),
    Promise(
        "browser, 1,000,000 rows: s to sort",
        lambda of: of["browser: 1,000,000 rows, sorted by a click, the slowest"].seconds,
        1.0,
    ),
    Promise(
        "browser: s that a run's figures are old",
        lambda of: of["browser: a run's figures as they are shown, the oldest"].seconds,
        1.0,
    ),
    Promise(
        "browser: KiB of a page without charts",
        lambda of: of["browser: KiB of the heaviest page, nothing kept"].counted or 0.0,
        400,
    ),
    Promise(
        "browser: s to the first DataSet's rows",
        lambda of: of["browser: clicks to the rows of the first DataSet"].seconds,
        120,
    ),
    Promise(
        "browser: clicks to the first DataSet's rows",
        lambda of: of["browser: clicks to the rows of the first DataSet"].counted or 0.0,
        10,
    ),
    Promise("W1: wall, in dlt's", lambda of: of["W1: ours"].seconds / of["W1: dlt"].seconds, 1 / 10),
    Promise("W1: CPU, in dlt's", lambda of: of["W1: ours"].cpu_seconds / of["W1: dlt"].cpu_seconds, 1 / 5),
    Promise("W1x: in bounds, once started", started("W1x: ours"), 1.3),
    Promise("W2: in bounds, once started", started("W2: ours"), 1 / 0.95),
    Promise("W2 whole: in bounds, once started", started("W2 whole: ours"), 1 / 0.95),
    Promise("W3: CPU s", lambda of: of["W3: ours"].cpu_seconds, 2.4),
    Promise("W3 limited: wall, in that of plain paging", lambda of: _wall(of, "W3 limited"), 1 / 20),
    Promise("W3 limited: in bounds, once started", started("W3 limited: ours"), 1.3),
    Promise("W3 whole: in bounds, once started", started("W3 whole: ours"), 1.3),
    Promise("W3 limited: share of 429s", lambda of: _refused(of["W3 limited: ours"]), 0.01),
    Promise("W4: requests, in scopes", lambda of: (of["W4: ours"].requests or 0) / SCOPES, 1),
    Promise("W5: in bounds, once started", started("W5: ours"), 1.5),
    Promise("W6: CPU ms for 1,000 rows", lambda of: of["W6: ours, to Parquet"].cpu_ms_per_1000 or 0.0, 30),
    Promise("W6: MiB over W7, Parquet", peak_over("W6: ours, to Parquet", "W7: ours, to Parquet"), 60),
    Promise("W6: MiB over W7, append", peak_over("W6: ours, append", "W7: ours, append"), 60),
    Promise("W6: cost of a row, in W7's", flatness, 1.1),
)


def judged(results: Sequence[Result]) -> Iterator[Judged]:
    """The promises about what was measured."""
    figures = {one.name: one for one in results}
    for promise in PROMISES:
        try:
            yield Judged(promise.about, promise.figure(figures), promise.most)
        except KeyError:
            continue


def _wall(results: Figures, name: str) -> float:
    return results[f"{name}: ours"].seconds / results[f"{name}: serial"].seconds


def _sorted(results: Figures) -> Iterator[float]:
    return (results[f"page of 1,000,000 rows: {name}"].seconds for name in LOOKS)


def _refused(result: Result) -> float:
    return (result.refused or 0) / (result.requests or 1)
