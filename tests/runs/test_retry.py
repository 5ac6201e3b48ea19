"""A failed run of a schedule is tried again as often, and after as long, as its DataSet says; what somebody asked for is not."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable

import msgspec
import pytest

from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.errors import RunCrashed
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import datasets
from sentry_connector.reports.details import AllAvailable, Details
from sentry_connector.runs import retry
from sentry_connector.runs.execute import execute
from sentry_connector.runs.slots import slot_id
from sentry_connector.simulator import World
from sentry_connector.store.records import DataSet, Retry, Run, RunState, Trigger, Verdict
from tests.parts import NOW, StandingApp
from tests.runs.acme import Broken, made, pass_time, rows_of

MINUTE = dt.timedelta(minutes=1)
TWICE = Retry(every=600, times=2)


def slot(app: StandingApp, dataset: DataSet, trigger: Trigger = Trigger.SCHEDULE) -> Run:
    """A run of the schedule, stored as a look at it stores it."""
    at = NOW.replace(second=0)
    run = Run(id=slot_id(dataset.id, at), dataset_id=dataset.id, trigger=trigger, slot=at, queued_at=app.now())
    assert app.store.runs.add(run)
    return run


async def step(app: StandingApp, run: Run) -> Run:
    return await execute(run.id, app, progress=Progress())


async def test_a_failed_run_of_the_schedule_is_tried_again_and_then_ends(
    app: StandingApp, world: World, faults: Broken
) -> None:
    dataset = made(app, "upsert", retry=TWICE)
    faults.path = "/api/0/"
    run = slot(app, dataset)
    for attempt in (1, 2):
        done = await step(app, run)
        assert (done.state, done.verdict, done.attempt) == (RunState.RETRYING, None, attempt)
        assert done.not_before == app.now() + 10 * MINUTE
        assert done.error is not None
        pass_time(app, world, 10 * MINUTE)
    done = await step(app, run)
    assert (done.state, done.verdict, done.not_before) == (RunState.DONE, Verdict.FAILED, None)
    assert [one.number for one in done.attempts] == [1, 2, 3]
    assert [one.verdict for one in done.attempts] == [Verdict.FAILED] * 3
    assert [one.started_at for one in done.attempts] == [NOW + 10 * number * MINUTE for number in range(3)]
    assert sum(one.requests for one in done.attempts) == done.requests > 3
    assert rows_of(app, dataset) == []


async def test_a_run_that_gets_through_in_the_end_is_complete_and_keeps_its_days(
    app: StandingApp, world: World, faults: Broken
) -> None:
    dataset = made(app, "upsert", retry=TWICE)
    run = slot(app, dataset)
    faults.path, faults.spared = "/events/", 1
    first = await step(app, run)
    assert first.state is RunState.RETRYING
    assert first.windows
    pass_time(app, world, dt.timedelta(days=1))
    faults.path = None
    done = await step(app, run)
    assert (done.verdict, len(done.attempts), done.error) == (Verdict.COMPLETE, 2, None)
    assert [one.rows_written for one in done.attempts] == [0, done.rows_written]
    assert done.attempts[-1].rows_read == done.rows_read > 0
    assert done.windows == first.windows
    assert done.epoch == first.epoch


@pytest.mark.parametrize("trigger", [Trigger.MANUAL, Trigger.BACKFILL])
async def test_what_somebody_asked_for_is_not_tried_again(app: StandingApp, faults: Broken, trigger: Trigger) -> None:
    dataset = made(app, "upsert", retry=TWICE)
    faults.path = "/api/0/"
    done = await step(app, slot(app, dataset, trigger))
    assert (done.state, done.verdict, len(done.attempts)) == (RunState.DONE, Verdict.FAILED, 1)


async def test_a_dataset_may_want_no_retry(app: StandingApp, faults: Broken) -> None:
    dataset = made(app, "upsert", retry=None)
    faults.path = "/api/0/"
    assert (await step(app, slot(app, dataset))).verdict is Verdict.FAILED


async def test_what_only_a_person_can_cure_is_not_tried_again(app: StandingApp) -> None:
    dataset = made(app, "upsert", retry=TWICE)
    app.settings = dataclasses.replace(app.settings, auth_token="sntryu_" + 64 * "f")
    done = await step(app, slot(app, dataset))
    assert done.verdict is Verdict.FAILED
    assert done.error is not None
    assert done.error.name == "token.rejected"


async def test_a_replace_that_is_not_whole_committed_nothing_and_is_tried_again(
    app: StandingApp, faults: Broken
) -> None:
    details = Details(projects=("acme/shop", "acme/payments"), duration=AllAvailable())
    dataset = made(app, "replace", details, retry=TWICE)
    faults.path = "acme/payments/events"
    done = await step(app, slot(app, dataset))
    assert done.state is RunState.RETRYING
    assert done.incomplete
    faults.path = None
    assert (await step(app, done)).verdict is Verdict.COMPLETE


async def test_changing_pausing_and_deleting_drop_what_waits_for_its_next_attempt(
    app: StandingApp, faults: Broken
) -> None:
    faults.path = "/api/0/"
    changes: tuple[tuple[Callable[[str], object], str], ...] = (
        (lambda name: datasets.edit(app, name, {"update_method": UpdateMethod.APPEND}), "changed"),
        (lambda name: datasets.edit(app, name, {"retry": None}), "changed"),
        (lambda name: datasets.pause(app, name), "paused"),
        (lambda name: datasets.delete(app, name), "deleted"),
    )
    for change, why in changes:
        dataset = made(app, "upsert", retry=TWICE)
        run = await step(app, slot(app, dataset))
        assert run.state is RunState.RETRYING
        change(dataset.name)
        dropped = app.store.runs.get(run.id)
        assert dropped is not None
        assert (dropped.state, dropped.verdict) == (RunState.DONE, Verdict.CANCELLED)
        assert dropped.error is not None
        assert why in dropped.error.message
        if why != "deleted":
            datasets.delete(app, dataset.name)


async def test_a_change_of_what_no_run_goes_by_leaves_the_next_attempt(app: StandingApp, faults: Broken) -> None:
    dataset = made(app, "upsert", retry=TWICE)
    faults.path = "/api/0/"
    run = await step(app, slot(app, dataset))
    datasets.edit(app, dataset.name, {"name": "Other", "description": "b", "tags": ("a",), "schedule": "hourly"})
    assert app.store.runs.unfinished() == [run]


async def test_a_run_that_fails_after_its_dataset_was_paused_is_not_tried_again(
    app: StandingApp, faults: Broken
) -> None:
    dataset = made(app, "upsert", retry=TWICE)
    faults.path = "/api/0/"
    run = slot(app, dataset)
    app.store.datasets.change(dataset.id, {"paused": True})
    assert (await step(app, run)).verdict is Verdict.FAILED


async def test_whoever_runs_the_dataset_hurries_the_attempt_that_is_due_later(app: StandingApp, faults: Broken) -> None:
    dataset = made(app, "upsert", retry=TWICE)
    faults.path = "/api/0/"
    run = await step(app, slot(app, dataset))
    faults.path = None
    done = await datasets.run(app, dataset.name, progress=Progress())
    assert (done.id, done.verdict, len(done.attempts)) == (run.id, Verdict.COMPLETE, 2)


def test_a_run_at_which_one_process_after_another_dies_is_given_up() -> None:
    run = Run(id="r", dataset_id="d", trigger=Trigger.SCHEDULE, queued_at=NOW)
    for _ in range(retry.MOST_BEGUN):
        run = retry.begun(run, NOW)
    with pytest.raises(RunCrashed):
        retry.begun(run, NOW)


def test_a_run_that_gets_further_each_time_is_not_given_up() -> None:
    run = Run(id="r", dataset_id="d", trigger=Trigger.SCHEDULE, queued_at=NOW)
    for number in range(3 * retry.MOST_BEGUN):
        run = msgspec.structs.replace(retry.begun(run, NOW), requests=number)
    assert [one.number for one in run.attempts] == [1]


def test_a_run_that_is_left_in_peace_is_not_given_up() -> None:
    run = Run(id="r", dataset_id="d", trigger=Trigger.SCHEDULE, queued_at=NOW)
    for _ in range(3 * retry.MOST_BEGUN):
        run = retry.left(retry.begun(run, NOW))
    assert [one.number for one in run.attempts] == [1]
