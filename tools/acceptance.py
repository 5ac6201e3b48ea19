"""All sixteen reports from a real Sentry server, compared row by row with what is known to be in it.

`SENTRY_URL` and `SENTRY_AUTH_TOKEN` say which server. With `--truth FILE` every field that the file holds is compared with the
pulled rows, and the columns that it says nothing about are named; without it the reports are pulled and counted.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

import sentry_connector as sc
from sentry_connector.errors import ConnectorError
from sentry_connector.extraction.ways import Choose, Pace, Wanted, cheapest
from sentry_connector.reports.catalogue import CATALOGUE
from sentry_connector.reports.model import Endpoint, Menu, Report
from tools.expectations import EXPECTATIONS, Expectation

MOST_SHOWN = 5


@dataclass
class Result:
    """How one report did: rows pulled, fields compared, differences in words, columns that could not be compared."""

    report: Report
    rows: int = 0
    pulls: int = 0
    fields: int = 0
    seconds: float = 0.0
    compared: set[str] = field(default_factory=set)
    differences: list[str] = field(default_factory=list)

    @property
    def not_compared(self) -> list[str]:
        """Columns that the truth says nothing about."""
        return [column.name for column in self.report.columns if column.name not in self.compared]


def main() -> int:
    """Pull, compare, print; 0 when every report equals the truth."""
    parser = argparse.ArgumentParser(prog="acceptance", description=__doc__)
    parser.add_argument("--truth", type=Path, help="what is in the server, as JSON")
    parser.add_argument("--other-ways", action="store_true", help="read by the last of equal ways, not by the cheapest")
    given = parser.parse_args()
    truth = msgspec.json.decode(given.truth.read_bytes()) if given.truth else None
    choose = last if given.other_ways else cheapest
    results = [examine(report, truth, choose) for report in CATALOGUE if not given.other_ways or has_other_ways(report)]
    for result in results:
        show(result, with_truth=truth is not None)
    good = sum(not result.differences for result in results)
    print(f"{good} of {len(results)} reports {'equal the truth' if truth else 'were pulled'}")
    return 0 if good == len(results) else 1


def last(wanted: Sequence[Wanted], _pace: Pace) -> list[Endpoint]:
    """The last of equal ways, which old servers have too."""
    return [one.endpoint.equal[-1] if one.endpoint.equal else one.endpoint for one in wanted]


def has_other_ways(report: Report) -> bool:
    """Whether there is more than one way to the report's rows."""
    return any(endpoint.equal for endpoint in report.endpoints)


def examine(report: Report, truth: dict[str, Any] | None, choose: Choose) -> Result:
    """Pull the report for everything that the truth knows, and compare."""
    result = Result(report)
    began = time.monotonic()
    try:
        for expectation in EXPECTATIONS[report.slug](truth) if truth else without_truth(report):
            compare(expectation, result, choose)
    except ConnectorError as error:
        result.differences.append(f"{error.name}: {error.message}")
    result.seconds = time.monotonic() - began
    return result


def without_truth(report: Report) -> Iterator[Expectation]:
    """One pull of whatever the server has; nothing is expected of it."""
    arguments: dict[str, Any] = {}
    if Menu.ORGANIZATIONS in report.menus or Menu.PROJECTS in report.menus:
        arguments["organization"] = "*"
    if Menu.PROJECTS in report.menus:
        arguments["project"] = "*"
    if Menu.TEAMS in report.menus:
        arguments["team"] = "*"
    if Menu.ISSUE in report.menus:
        with sc.pull("projects-issues", organization="*", project="*", limit=1) as issues:
            arguments["issue"] = issues.to_arrow()["issue_id"][0].as_py()
    yield Expectation(arguments, report.key, None)


def compare(expectation: Expectation, result: Result, choose: Choose) -> None:
    """Pull once and hold each row against what is expected of it."""
    with sc.pull(result.report.slug, choose=choose, **expectation.arguments) as pulled:
        rows = pulled.to_arrow().to_pylist()
    result.pulls += 1
    result.rows += len(rows)
    where = ", ".join(f"{name}={value}" for name, value in expectation.arguments.items())
    result.differences += [f"{where}: {text}" for text in expectation.differences(rows)]
    result.fields += expectation.fields
    result.compared |= expectation.columns


def show(result: Result, *, with_truth: bool) -> None:
    """One line for the report, and its differences."""
    mark = "DIFFERS" if result.differences else ("equal" if with_truth else "pulled")
    print(
        f"{mark:8} {result.report.name:28} {result.rows:6} rows, {result.pulls:4} pulls, {result.fields:6} fields compared, "
        f"{result.seconds:6.1f} s"
    )
    for text in result.differences[:MOST_SHOWN]:
        print(f"         {text}")
    if len(result.differences) > MOST_SHOWN:
        print(f"         … and {len(result.differences) - MOST_SHOWN} more differences")
    if with_truth and result.not_compared:
        print(f"         not in the truth: {', '.join(result.not_compared)}")


if __name__ == "__main__":
    sys.exit(main())
