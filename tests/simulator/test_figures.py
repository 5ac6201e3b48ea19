"""What the benchmark makes of its measurements."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from bench.contests import CONTESTS, extrapolated
from bench.measure import Result, medians
from bench.promises import PROMISES, judged
from bench.tables import LOOKS
from bench.workloads import WORKLOADS, Facts
from tests.simulator.conftest import NOW

from sentry_connector.simulator import Scale, world_of

BENCH = Path(__file__).parents[2] / "bench"
NAMED = re.compile(r'name = "(.+)"')
ONE = Result(
    name="W1: ours",
    seconds=2.0,
    cpu_seconds=1.0,
    rows=10,
    expected=10,
    requests=7,
    refused=0,
    bound=1.0,
    until_first=0.5,
)


LOOKED_AT = (
    *(name for group in ("console", "lists", "browser") for name in NAMED.findall((BENCH / f"{group}.py").read_text())),
    *(f"page of 1,000,000 rows: {name}" for name in LOOKS),
)
"""What the measurements of pages are called."""


def test_every_promise_is_about_something_that_is_measured() -> None:
    names = [f"{name}: {one.name}" for group in CONTESTS.values() for name, some in group.items() for one in some]
    rows = {"W6": 1_000_000, "W7": 25_000}
    measured = [
        replace(ONE, name=name, rows=rows.get(name[:2], 100), cpu_seconds=rows.get(name[:2], 100) / 1e5)
        for name in (*names, *LOOKED_AT, "start: --version", "start: pull of one page")
    ]
    assert [one.about for one in judged(measured)] == [one.about for one in PROMISES]
    assert list(judged([])) == []


def test_of_several_runs_wall_time_and_bound_are_of_one_and_the_others_are_medians() -> None:
    runs = [
        replace(ONE, seconds=20.0, bound=19.0, cpu_seconds=1.0, requests=5),
        replace(ONE, seconds=17.0, bound=16.0, cpu_seconds=3.0, requests=9),
        replace(ONE, seconds=30.0, bound=16.0, cpu_seconds=2.0, requests=7),
    ]
    told = medians(runs)
    assert (told.seconds, told.bound, told.cpu_seconds, told.requests, told.runs) == (17.0, 16.0, 2.0, 7, 3)
    assert told.kept


def test_a_run_that_lacks_rows_is_not_hidden_by_the_others() -> None:
    told = medians([ONE, replace(ONE, rows=9), ONE])
    assert (told.rows, told.kept) == (9, False)


def test_parts_are_continued_on_a_straight_line_so_that_the_start_counts_once() -> None:
    small = replace(ONE, rows=100, seconds=1 + 1.0, cpu_seconds=0.5 + 0.1, requests=1)
    large = replace(ONE, rows=400, seconds=1 + 4.0, cpu_seconds=0.5 + 0.4, requests=4)
    told = extrapolated(small, large, 4000)
    assert told.seconds == pytest.approx(41.0)
    assert told.cpu_seconds == pytest.approx(4.5)
    assert told.requests == 40


def test_a_peak_over_its_promise_is_told() -> None:
    assert replace(ONE, peak_mib=99.0, most_mib=100.0).kept
    assert not replace(ONE, peak_mib=101.0, most_mib=100.0).kept


@pytest.mark.parametrize("name", [name for name in WORKLOADS if name != "W6"])
def test_a_workload_has_as_many_rows_as_its_world(name: str) -> None:
    workload = WORKLOADS[name].part(0.1)
    (told,) = world_of(Scale(**workload.scale), now=NOW).truth()["organizations"]
    projects = told["projects"]
    facts = Facts(sizes=[], people=[len(project["users"]) for project in projects])
    counts = {
        "project-events": sum(len(project["events"]) for project in projects),
        "bodies": sum(len(project["events"]) for project in projects),
        "projects-issues": sum(len(project["issues"]) for project in projects),
        "organization-projects": len(projects),
        "organization-teams": len(told["teams"]),
        "organization-repositories": len(told["repositories"]),
        "projects-users": sum(len(project["users"]) for project in projects),
        "project-feedback": sum(len(project["feedback"]) for project in projects),
    }
    assert workload.rows(facts) == sum(counts[one] for one in workload.reads)
