"""Workers on one PostgreSQL that are killed, as it is itself, do every run once, and their tables are right."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.fleet import WORKERS, at_runs, besieged, every_seconds


def test_forty_runs_while_workers_and_database_are_killed(tmp_path: Path) -> None:
    report = besieged(tmp_path, count=14, runs=40, is_due=at_runs(4, 10, 16), stop=False, runs_at_once=2)
    assert report.outcome.differences == []
    assert report.runs >= 40
    assert sum(report.kills.values()) == 3


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.timeout(1800)
def test_a_thousand_runs_while_workers_and_database_are_killed_one_dies_half_way_and_one_is_stopped(
    tmp_path: Path,
) -> None:
    report = besieged(tmp_path, count=60, runs=1000, is_due=every_seconds(5.0), stop=True)
    assert report.outcome.differences == []
    assert report.runs >= 1000
    assert sum(report.kills.values()) >= 10
    assert report.outcome.taken_up > 0, "some were killed in the midst of a run"
    assert all(report.shares[name] >= report.runs / 10 for name in WORKERS)
