"""Old history goes, and nothing that is needed goes with it."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import cast

import msgspec
import pytest
import structlog

from sentry_connector.runs.engine import Engine
from sentry_connector.runs.log import Log, log_path
from sentry_connector.runs.thinning import KEEP, thin
from sentry_connector.store.records import (
    Becoming,
    Channel,
    DataSet,
    Kind,
    Notice,
    Passed,
    Run,
    RunState,
    Trigger,
    Verdict,
)
from tests.parts import NOW
from tests.runs.acme import HastyApp

DAY = dt.timedelta(days=1)
BEFORE = NOW - 91 * DAY
"""A day older than what is kept."""


@pytest.fixture
def app(tmp_path: Path) -> HastyApp:
    made = HastyApp(tmp_path, "http://127.0.0.1:9", "x" * 64)
    for id_ in ("busy", "idle"):
        made.store.datasets.add(
            DataSet(id=id_, name=id_, slug="", report="projects", created_at=BEFORE, updated_at=BEFORE)
        )
    return made


def ran(app: HastyApp, number: int, dataset_id: str = "busy", at: dt.datetime = BEFORE, *, done: bool = True) -> str:
    at += dt.timedelta(seconds=number)
    run = Run(id=f"{dataset_id}-{number}", dataset_id=dataset_id, trigger=Trigger.MANUAL, queued_at=at)
    if done:
        run = msgspec.structs.replace(run, state=RunState.DONE, verdict=Verdict.COMPLETE, finished_at=at)
    app.store.runs.add(run)
    path = log_path(app.logs, run.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    return run.id


def left(app: HastyApp, dataset_id: str = "busy") -> set[str]:
    return {run.id for run in app.store.runs.history(dataset_id, limit=None)}


def test_old_runs_go_with_their_logs_but_for_the_last_hundred_of_each_dataset(app: HastyApp) -> None:
    old = [ran(app, number) for number in range(KEEP + 7)]
    idle = {ran(app, number, "idle") for number in range(3)}
    waiting = ran(app, -1, done=False)
    assert thin(app, NOW) == 7
    assert left(app) == {*old[7:], waiting}
    assert left(app, "idle") == idle
    assert not any(log_path(app.logs, id_).exists() for id_ in old[:7])
    assert all(log_path(app.logs, id_).exists() for id_ in old[7:])
    assert thin(app, NOW) == 0


def test_runs_that_are_not_old_stay_however_many_they_are(app: HastyApp) -> None:
    runs = {ran(app, number, at=NOW - 89 * DAY) for number in range(KEEP + 7)}
    assert thin(app, NOW) == 0
    assert left(app) == runs


def test_more_than_one_transaction_can_hold_go_too(app: HastyApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentry_connector.store.thinning.AT_ONCE", 10)
    for number in range(KEEP + 25):
        ran(app, number)
    assert thin(app, NOW) == 25


def test_slots_and_notices_go_unless_somebody_still_has_to_hear_of_them(app: HastyApp) -> None:
    app.store.datasets.change("busy", {"schedule": "hourly"})
    [busy] = app.store.slots.scheduled("busy")
    spans = [Passed(dataset_id="busy", first=at, last=at, count=1, reason=f"{at}") for at in (BEFORE, NOW - 89 * DAY)]
    assert app.store.slots.account(busy, NOW, lambda _busy: Becoming(passed=tuple(spans)))
    over = msgspec.structs.replace(notice("over", BEFORE), recovered=True)
    app.store.notices.add([notice("told", BEFORE), over, notice("goes on", BEFORE + DAY / 2)])
    channel = Channel(id="c", name="c", service="Webhook", hint="", created_at=NOW, updated_at=NOW)
    app.store.notices.add_channel(channel, "sealed")
    app.store.notices.add([notice("waits", BEFORE, Kind.LATE), notice("new", NOW - 89 * DAY, Kind.SLOW)])
    thin(app, NOW)
    assert app.store.slots.passed("busy") == spans[1:]
    assert {one.id for one, _ in app.store.notices.recent()} == {"goes on", "waits", "new"}


def notice(id_: str, at: dt.datetime, kind: Kind = Kind.FAILED) -> Notice:
    return Notice(
        id=id_,
        kind=kind,
        recovered=False,
        subject_id="busy",
        subject="busy",
        dataset_id="busy",
        message="",
        since=at,
        at=at,
    )


async def test_a_server_drops_what_was_deleted_too_long_ago_and_tells_what_it_cannot_drop(app: HastyApp) -> None:
    """It forgets nothing whose table may still be there, and does the rest."""
    app.moment = NOW
    for id_, days in (("busy", 31), ("idle", 29)):
        app.store.datasets.change(id_, {"deleted_at": NOW - days * DAY})
    stuck = DataSet(
        id="a stuck one", name="stuck", slug="", report="projects", destination="gone", created_at=NOW, updated_at=NOW
    )
    app.store.datasets.add(stuck)
    app.store.datasets.change(stuck.id, {"deleted_at": NOW - 31 * DAY})
    lines = structlog.testing.LogCapture()
    log = cast("Log", structlog.wrap_logger(None, processors=[lines]))
    engine, stop = Engine(house=app, log=log, runs_at_once=1), asyncio.Event()
    serving = asyncio.create_task(engine.run(stop))
    while not (told := [one for one in lines.entries if one["event"] == "table cannot be dropped"]):
        await asyncio.to_thread(app.store.check)  # the engine's turn
    stop.set()
    await serving
    assert [(one["dataset"], one["error"]) for one in told] == [(stuck.id, "usage.unknown_name")]
    assert {one.id for one in app.store.datasets.deleted()} == {"idle", stuck.id}
