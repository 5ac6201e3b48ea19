"""`python -m bench [GROUP …]`: run the benchmarks, print a table, write bench/results.json."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from bench import browser, console, contests, decoding, engine, lists, pulls, starts, tables
from bench.measure import Result
from bench.promises import Judged, judged
from bench.workloads import CONNECTIONS, WORKLOADS

SMALL: Mapping[str, Callable[[], Iterator[Result]]] = {
    "start": starts.results,
    "decode": decoding.results,
    "pull": pulls.results,
    "table": tables.results,
    "console": console.results,
    "lists": lists.results,
    "browser": browser.results,
    "engine": engine.results,
}
GROUPS = (*SMALL, *contests.CONTESTS)
FILE = Path(__file__).with_name("results.json")
TITLES = (
    "", "runs", "rows", "seconds", "to 1st request", "bound s", "× bound", "once started", "requests", "429s", "CPU s",
    "CPU ms/1,000 rows", "peak MiB", "promised MiB", "counted", "",
)  # fmt: skip
FOOT = f"""\
Each figure is the median of so many runs, each in processes of its own from an empty folder. CPU: user and system time of all its
processes. Peak: of its largest process. 429s and requests: as the simulated Sentry counts them; it shares the two processors, and
its answers are not compressed. Bound: see bench/bounds.py; "once started" leaves out the time until the first request.
Connections: {CONNECTIONS}. "from a tenth and a fortieth": the straight line through both; the peak is that of the tenth."""


def main() -> int:
    """Run what is asked for; 1 where a promise is broken or rows are missing."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"{', '.join(GROUPS)}; all by default")
    parser.add_argument("--ours", action="store_true", help="leave out what the connector is compared with")
    asked = parser.parse_args()
    groups = asked.groups or list(GROUPS)
    if not set(groups) <= set(GROUPS):
        parser.error(f"the groups are {', '.join(GROUPS)}")
    machine, results = _machine(), []
    for result in (one for group in groups for one in _results(group, only_ours=asked.ours)()):
        print(f"{result.name}: {result.seconds:.2f} s", file=sys.stderr)  # how far it is
        results.append(result)
    promises = list(judged(results))
    told = {"results": [asdict(one) for one in results], "promises": [asdict(one) for one in promises]}
    FILE.write_text(json.dumps({**machine, **told}, indent=2) + "\n")
    speed = (
        f"A million additions of Python take {machine['loop_seconds']} s on this machine."
        f" When it began, {machine['load']} processes wanted its {machine['processors']} processors."
    )
    print(_table(results), f"{FOOT}\n{speed}", _abouts(groups), _promises(promises), sep="\n\n")
    return 0 if all(one.kept for one in results) and all(one.kept for one in promises) else 1


def _results(group: str, *, only_ours: bool) -> Callable[[], Iterator[Result]]:
    return SMALL[group] if group in SMALL else partial(contests.results, group, only_ours=only_ours)


def _machine() -> dict[str, object]:
    """What the figures were measured on. Machines differ by more than readers do: seconds of two of them compare by `loop`."""
    return {
        "measured_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "loop_seconds": round(statistics.median(_loop() for _ in range(5)), 3),
    }


def _loop() -> float:
    """Seconds that a million additions take."""
    began, total = time.perf_counter(), 0
    for number in range(1_000_000):
        total += number
    return time.perf_counter() - began


def _table(results: Sequence[Result]) -> str:
    lines = [TITLES, *(_cells(one) for one in results)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines)


def _cells(one: Result) -> tuple[str, ...]:
    return (
        one.name,
        str(one.runs),
        _shown(one.rows) if one.expected in (None, one.rows) else f"{one.rows:,} of {one.expected:,}",
        f"{one.seconds:.2f}",
        _shown(one.until_first, 2),
        _shown(one.bound, 2),
        _shown(one.times_bound, 2),
        _shown(one.times_bound_started, 2),
        _shown(one.requests),
        _shown(one.refused),
        f"{one.cpu_seconds:.2f}",
        _shown(one.cpu_ms_per_1000, 1),
        _shown(one.peak_mib),
        "" if one.most_mib is None else f"< {one.most_mib:,.0f}{'' if one.kept else ' BROKEN'}",
        _shown(one.counted),
        one.note,
    )


def _shown(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _abouts(groups: Sequence[str]) -> str:
    names = [name for group in groups for name in contests.CONTESTS.get(group, ())]
    return "\n".join(f"{name}: {WORKLOADS[name].about}." for name in names)


def _promises(promises: Sequence[Judged]) -> str:
    return "\n".join(
        f"{'kept  ' if one.kept else 'BROKEN'}  {one.about}: {one.figure:.3g}, promised at most {one.most:.3g}"
        for one in promises
    )


if __name__ == "__main__":
    sys.exit(main())
