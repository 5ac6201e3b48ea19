"""`python -m bench [GROUP …]`: run the benchmarks, print a table, write bench/results.json."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from bench import decoding, pulls, starts, tables
from bench.measure import Result

GROUPS: Mapping[str, Callable[[], Iterator[Result]]] = {
    "start": starts.results,
    "decode": decoding.results,
    "pull": pulls.results,
    "table": tables.results,
}
FILE = Path(__file__).with_name("results.json")
TITLES = ("", "rows", "seconds", "rows/s", "requests", "CPU s", "CPU share", "rows/CPU s", "peak MiB", "promised")


def main() -> int:
    """Run what is asked for; 1 where a promise about memory is broken."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"{', '.join(GROUPS)}; all by default")
    groups = parser.parse_args().groups or list(GROUPS)
    if not set(groups) <= set(GROUPS):
        parser.error(f"the groups are {', '.join(GROUPS)}")
    results = []
    for result in (one for group in groups for one in GROUPS[group]()):
        print(result.name, file=sys.stderr)  # how far it is
        results.append(result)
    FILE.write_text(json.dumps({**_machine(), "results": [asdict(one) for one in results]}, indent=2) + "\n")
    print(_table(results))  # the table is what was asked for
    return 0 if all(one.kept for one in results) else 1


def _machine() -> dict[str, object]:
    return {
        "measured_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "processors": os.cpu_count(),
    }


def _table(results: Sequence[Result]) -> str:
    """CPU share: of the wall time, how much one processor worked for the connector; the rest was waiting."""
    lines = [TITLES, *(_cells(one) for one in results)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines)


def _cells(one: Result) -> tuple[str, ...]:
    return (
        one.name,
        _shown(one.rows),
        f"{one.seconds:.2f}",
        _shown(one.rows and one.rows / one.seconds),
        _shown(one.requests),
        f"{one.cpu_seconds:.2f}",
        f"{one.cpu_seconds / one.seconds:.0%}",
        _shown(one.rows and one.rows / one.cpu_seconds),
        _shown(one.peak_mib),
        "" if one.most_mib is None else f"< {one.most_mib:,.0f}{'' if one.kept else ' BROKEN'}",
    )


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


if __name__ == "__main__":
    sys.exit(main())
