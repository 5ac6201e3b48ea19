"""A server that is killed every twenty seconds accounts for every slot once, and its tables are right."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sentry_connector.app import App, app
from sentry_connector.datasets.definition import Definition
from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.operations import datasets
from sentry_connector.reports.details import AllAvailable, Details
from sentry_connector.store.records import Run, RunState, Verdict
from tests.faults.siege import besieged, sentry, serve


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.timeout(1800)
def test_two_hundred_datasets_every_minute_for_ten_minutes(tmp_path: Path) -> None:
    outcome = besieged(tmp_path, count=200, minutes=10, every=20)
    assert outcome.differences == []
    assert outcome.kills >= 25
    assert outcome.taken_up > 0, "some were killed in the midst of a run"


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.timeout(600)
def test_a_server_that_stands_still_past_its_lease_commits_nothing_when_it_wakes(tmp_path: Path) -> None:
    """Append would show it: what is committed twice is there twice."""
    details = Details(projects=("acme/shop",), duration=AllAvailable())
    with sentry(latency_ms=700) as (url, token):
        environment = {"SENTRY_URL": url, "SENTRY_AUTH_TOKEN": token, "SENTRY_CONNECTOR_HOME": str(tmp_path)}
        with app(environment) as house:
            definition = Definition(
                name="E", report="project-events-entries", details=details, update_method=UpdateMethod.APPEND
            )
            datasets.create(house, definition, None)
            run, _ = datasets.ask(house, "E")
            first = serve(environment)
            until(lambda: stored(house, run.id).requests > 0)
            first.send_signal(signal.SIGSTOP)
            second = serve(environment)
            until(lambda: stored(house, run.id).state is RunState.DONE)
            done = stored(house, run.id)
            assert done.verdict is Verdict.COMPLETE
            first.send_signal(signal.SIGCONT)
            for server in (first, second):
                server.send_signal(signal.SIGTERM)
                assert server.wait() == 143
            assert stored(house, run.id) == done
            assert [one.run_id for one in datasets.versions(house, "E")] == [run.id]
            with datasets.rows(house, "E") as reader:
                assert sum(batch.num_rows for batch in reader) == done.rows_written > 0


def stored(house: App, run_id: str) -> Run:
    run = house.store.runs.get(run_id)
    assert run is not None
    return run


def until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.2)
