"""A failed run leaves everything as it was; an incomplete one commits what is whole and catches up later."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import datasets, drafts
from sentry_connector.reports.details import ALL, AllAvailable, DateRange, Details, SinceLastRun, SingleDate
from sentry_connector.runs.execute import execute
from sentry_connector.runs.log import log_path
from sentry_connector.simulator import EXPIRED_TOKEN, Simulation, World, running
from sentry_connector.store.records import DataSet, Run, RunState, Trigger, Verdict
from tests.runs.acme import (
    ALL_OF_SHOP,
    DAY,
    HOUR,
    SHOP,
    Broken,
    HastyApp,
    app_in,
    column,
    events_in,
    made,
    pass_time,
    ran,
    rows_of,
    shop,
    state,
    watermarks,
)

TWO = Details(projects=("acme/shop", "acme/payments"), duration=SinceLastRun())
EVENTS_OF_SHOP = "/projects/acme/shop/events/"
EVERY_METHOD = pytest.mark.parametrize("method", ["replace", "append", "upsert", "partition"])


@pytest.fixture
async def sentry(world: World, faults: Broken) -> AsyncIterator[Simulation]:
    async with running(world, clock=lambda: world.time, faults=faults) as simulation:
        yield simulation


def details_for(method: str) -> Details:
    return ALL_OF_SHOP if method == "replace" else SHOP


# ---- failed


@EVERY_METHOD
async def test_a_run_whose_second_page_never_comes_leaves_table_versions_and_watermark(
    method: str, app: HastyApp, world: World, faults: Broken
) -> None:
    dataset = made(app, method, details_for(method))
    await ran(app, dataset)
    before = state(app, dataset)
    world.add_events("acme", "shop", 250)
    pass_time(app, world)
    faults.path, faults.spared = EVENTS_OF_SHOP, 1
    run = await ran(app, dataset, Verdict.FAILED)
    assert run.error is not None
    assert (run.error.name, run.error.code, run.table_version) == ("sentry.unavailable", 20, None)
    assert state(app, dataset) == before
    faults.path = None
    await ran(app, dataset)
    assert column(app, dataset) == events_in(world, until=app.moment)


async def test_a_first_run_that_fails_makes_no_table(app: HastyApp, faults: Broken) -> None:
    dataset = made(app, "append")
    faults.path = EVENTS_OF_SHOP
    await ran(app, dataset, Verdict.FAILED)
    assert not app.destination.table(dataset.id).exists()
    assert rows_of(app, dataset) == []


async def test_a_rejected_token_fails_the_run_and_leaves_the_table(tmp_path: Path, sentry: Simulation) -> None:
    app = app_in(tmp_path, sentry)
    dataset = made(app, "upsert")
    await ran(app, dataset)
    before = state(app, dataset)
    app.close()
    with HastyApp(tmp_path, sentry.url, EXPIRED_TOKEN) as later:
        run = await ran(later, dataset, Verdict.FAILED)
        assert run.error is not None
        assert (run.error.name, run.error.code) == ("token.rejected", 10)
        assert state(later, dataset) == before


async def test_a_chosen_key_that_does_not_tell_rows_apart_leaves_the_table_as_it_was(
    app: HastyApp, world: World
) -> None:
    """Rows that share it are all of Sentry's: none of them may be taken for another's newer state."""
    dataset = made(app, "upsert", key=("event_id",))
    await ran(app, dataset)
    before = state(app, dataset)
    datasets.edit(app, dataset.name, {"key": ("issue_id",), "details": ALL_OF_SHOP})
    run = await ran(app, dataset, Verdict.FAILED)
    assert run.error is not None
    assert (run.error.name, run.error.code) == ("key.violated", 33)
    assert state(app, dataset) == before
    assert column(app, dataset) == events_in(world, until=app.moment)


# ---- what is left behind


async def test_runs_that_commit_nothing_leave_no_file_and_no_folder_behind(
    app: HastyApp, world: World, faults: Broken
) -> None:
    dataset = made(app, "replace", Details(projects=TWO.projects, duration=AllAvailable()))
    await ran(app, dataset)
    before = below(app, dataset)
    for path, verdict in [(EVENTS_OF_SHOP, Verdict.INCOMPLETE), ("/events/", Verdict.FAILED)]:
        faults.path = path
        pass_time(app, world)
        await ran(app, dataset, verdict)
        assert below(app, dataset) == before


async def test_runs_that_fail_leave_no_file_open(app: HastyApp, faults: Broken) -> None:
    """A process that runs for months would have none left to open."""
    dataset = made(app, "append")
    faults.path, root = EVENTS_OF_SHOP, app.destination.table(dataset.id).location()[1]
    for _ in range(3):
        faults.spared = 1  # so that there is an answer to be kept
        await ran(app, dataset, Verdict.FAILED)
    assert not [place for place in open_files() if root in place]


def open_files() -> list[str]:
    """What this process has open."""
    found = []
    for number in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(str(number.readlink()))
    assert found
    return found


def below(app: HastyApp, dataset: DataSet) -> set[Path]:
    """All files and folders of the DataSet's table."""
    return set(Path(app.destination.table(dataset.id).location()[1]).rglob("*"))


# ---- before anything is read


async def test_a_table_that_cannot_be_read_fails_the_run_and_does_not_leave_it_in_the_queue(app: HastyApp) -> None:
    dataset = made(app, "upsert")
    write_odd_log(Path(app.destination.table(dataset.id).location()[1], "_delta_log"))
    run = await ran(app, dataset, Verdict.FAILED)
    assert run.error is not None
    assert (run.state, run.error.name) == (RunState.DONE, "destination.refused")
    assert app.store.runs.unfinished() == []


def write_odd_log(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / f"{0:020}.json").write_text('{"metaData": "of another kind"}')


async def test_a_report_that_the_catalogue_no_longer_has_fails_the_run(app: HastyApp) -> None:
    dataset = made(app, "upsert")
    app.store.datasets.change(dataset.id, {"report": "withdrawn"})
    run = await ran(app, dataset, Verdict.FAILED)
    assert run.error is not None
    assert (run.state, run.error.name) == (RunState.DONE, "usage.unknown_name")


async def test_a_run_without_an_account_and_without_a_token_tells_what_is_missing_where(app: HastyApp) -> None:
    """The shell that asked a server for it may well have a token."""
    dataset = made(app, "upsert")
    app.settings = dataclasses.replace(app.settings, auth_token=None)
    run = await ran(app, dataset, Verdict.FAILED)
    assert run.error is not None
    assert (run.error.name, run.error.code) == ("token.missing", 10)
    assert "has no account" in run.error.message
    assert "server" in run.error.message
    assert "--account" in run.error.remedy


# ---- its log


@pytest.mark.parametrize("what", ["full", "no file"])
async def test_a_run_whose_log_cannot_be_written_goes_on_and_says_so(app: HastyApp, world: World, what: str) -> None:
    """/dev/full takes no byte, as a disk that is full."""
    dataset = made(app, "upsert")
    await ran(app, dataset)
    pass_time(app, world)
    app.store.runs.add(Run(id="next", dataset_id=dataset.id, trigger=Trigger.MANUAL, queued_at=app.moment))
    place = log_path(app.logs, "next")
    if what == "full":
        place.symlink_to("/dev/full")
    else:
        place.mkdir()
    run = await execute("next", app, progress=Progress())
    assert (run.verdict, column(app, dataset)) == (Verdict.COMPLETE, events_in(world, until=app.moment))
    assert re.fullmatch(r"\d+ lines of the run's log could not be written\.", run.warnings[0])


# ---- watermarks


async def test_each_run_reads_from_the_last_ones_end_less_the_overlap(app: HastyApp, world: World) -> None:
    """The end is where reading stopped: a minute before the run's instant."""
    dataset = made(app, "upsert", shop(SinceLastRun(overlap=600)))
    first = await ran(app, dataset)
    assert [window.start for window in first.windows] == [None]
    began = app.moment
    pass_time(app, world)
    second = await ran(app, dataset)
    (window,) = second.windows
    assert window.start == began - dt.timedelta(seconds=60 + 600)
    assert (window.end, window.read_end) == (app.moment, app.moment - dt.timedelta(seconds=60))


async def test_a_clock_that_is_ahead_of_sentrys_skips_no_event(app: HastyApp, world: World) -> None:
    """By this machine's clock the run read until an hour from now; by Sentry's there was nothing of that hour yet."""
    dataset = made(app, "append", shop(SinceLastRun(overlap=0)))
    app.moment += HOUR
    await ran(app, dataset)
    world.advance(HOUR.total_seconds() / 2)
    world.add_events("acme", "shop", 20, start=world.time - 1000, end=world.time - 500)
    pass_time(app, world)
    await ran(app, dataset)
    assert column(app, dataset) == events_in(world, until=app.moment)


@pytest.mark.scenario("36c")
async def test_a_run_with_no_rows_moves_the_watermark(app: HastyApp, world: World) -> None:
    world.project("acme", "shop").events.clear()
    dataset = made(app, "upsert")
    await ran(app, dataset)
    (before,) = watermarks(app, dataset).values()
    pass_time(app, world)
    await ran(app, dataset)
    (after,) = watermarks(app, dataset).values()
    assert after - before == 2 * 3600 * 1_000_000


@pytest.mark.scenario("27", "36c")
async def test_a_preview_moves_nothing(app: HastyApp, world: World) -> None:
    dataset = made(app, "upsert")
    await ran(app, dataset)
    before = state(app, dataset)
    preview = await datasets.preview(app, dataset.name, progress=Progress())
    assert preview.num_rows == drafts.PREVIEW_ROWS
    assert state(app, dataset) == before


async def test_a_chosen_day_leaves_the_watermark_so_that_no_gap_is_skipped(app: HastyApp, world: World) -> None:
    """A week at rest, then one single day by hand, then on as before: the days between come too."""
    dataset = made(app, "upsert")
    await ran(app, dataset)
    for day in range(7):
        pass_time(app, world, DAY)
        world.add_events("acme", "shop", 2 + day, start=world.time - 3600, end=world.time - 100)
    datasets.edit(app, dataset.name, {"details": shop(SingleDate(day=1))})
    await ran(app, dataset)
    datasets.edit(app, dataset.name, {"details": SHOP})
    await ran(app, dataset)
    assert column(app, dataset) == events_in(world, until=app.moment)


@pytest.mark.scenario("36d", "74")
async def test_revert_brings_back_rows_and_watermark_and_the_next_run_catches_up(app: HastyApp, world: World) -> None:
    dataset = made(app, "append")
    first = await ran(app, dataset)
    old = column(app, dataset), watermarks(app, dataset)
    for _ in range(2):
        world.add_events("acme", "shop", 4)
        pass_time(app, world)
        await ran(app, dataset)
    assert first.table_version is not None
    await datasets.revert(app, dataset.name, first.table_version)
    assert (column(app, dataset), watermarks(app, dataset)) == old
    pass_time(app, world, HOUR)
    await ran(app, dataset)
    assert column(app, dataset) == events_in(world, until=app.moment)


async def test_another_stat_is_read_from_the_beginning(app: HastyApp, world: World) -> None:
    """A watermark of counts is about their stat: what was read of one says nothing of another."""
    dataset = made(app, "upsert", shop(SinceLastRun(), stat="generated", resolution="1h"), "events-counts-project")
    await ran(app, dataset)
    pass_time(app, world)
    datasets.edit(app, dataset.name, {"details": shop(SinceLastRun(), stat="rejected", resolution="1h")})
    await ran(app, dataset)
    rows = rows_of(app, dataset)
    epochs = {
        stat: {row["timestamp_epoch"] for row in rows if row["stat"] == stat} for stat in ("generated", "rejected")
    }
    assert epochs["generated"] <= epochs["rejected"]
    assert len(epochs["generated"]) > 24 * 29


@pytest.mark.scenario("36d")
@pytest.mark.parametrize("method", ["append", "upsert"])
async def test_another_project_starts_from_all_that_is_available_and_the_old_ones_rows_stay(
    method: str, app: HastyApp, world: World
) -> None:
    dataset = made(app, method)
    await ran(app, dataset)
    until = app.moment
    datasets.edit(app, dataset.name, {"details": Details(projects=("acme/payments",), duration=SinceLastRun())})
    pass_time(app, world)
    await ran(app, dataset)
    assert column(app, dataset) == sorted(events_in(world, until=until) + events_in(world, "payments", app.moment))
    datasets.edit(app, dataset.name, {"details": SHOP})
    world.add_events("acme", "shop", 3)
    pass_time(app, world)
    run = await ran(app, dataset)
    assert run.rows_written == 3, "the old project goes on from its own watermark"


# ---- incomplete


@pytest.mark.parametrize("method", ["append", "upsert", "partition"])
async def test_where_one_project_fails_the_others_commit_and_it_catches_up_later(
    method: str, app: HastyApp, world: World, faults: Broken
) -> None:
    dataset = made(app, method, TWO)
    await ran(app, dataset)
    began = watermarks(app, dataset)
    for _ in range(2):
        world.add_events("acme", "shop", 6)
        world.add_events("acme", "payments", 5)
        pass_time(app, world)
        faults.path = EVENTS_OF_SHOP
        run = await ran(app, dataset, Verdict.INCOMPLETE)
        assert [one.scope for one in run.incomplete] == ["acme/shop"]
        assert run.incomplete[0].reason
    shop_scope, payments_scope = (f"project:{world.project('acme', one).id}" for one in ("shop", "payments"))
    assert watermarks(app, dataset)[shop_scope] == began[shop_scope]
    # Sentry tells its clock by the second, and a mark is never later than what it told for certain.
    behind = began[payments_scope] + 4 * 3600 * 1_000_000 - watermarks(app, dataset)[payments_scope]
    assert 0 <= behind < 1_000_000
    expected = events_in(world, until=app.moment - 4 * HOUR) + events_in(world, "payments", app.moment)
    assert column(app, dataset) == sorted(expected)
    faults.path = None
    pass_time(app, world)
    await ran(app, dataset)
    assert column(app, dataset) == sorted(events_in(world, until=app.moment) + events_in(world, "payments", app.moment))


async def test_replace_that_is_incomplete_commits_nothing(app: HastyApp, world: World, faults: Broken) -> None:
    dataset = made(app, "replace", Details(projects=TWO.projects, duration=AllAvailable()))
    await ran(app, dataset)
    before = state(app, dataset)
    world.add_events("acme", "payments", 5)
    pass_time(app, world)
    faults.path = EVENTS_OF_SHOP
    run = await ran(app, dataset, Verdict.INCOMPLETE)
    assert run.table_version is None
    assert state(app, dataset) == before


async def test_a_project_that_is_gone_from_all_projects_leaves_its_rows(app: HastyApp, world: World) -> None:
    dataset = made(app, "upsert", Details(organizations=("acme",), projects=(ALL,), duration=SinceLastRun()))
    await ran(app, dataset)
    before = column(app, dataset)
    acme = world.organization("acme")
    acme.projects.remove(world.project("acme", "shop"))
    pass_time(app, world)
    await ran(app, dataset)
    assert column(app, dataset) == before


# ---- loss


async def test_replace_whose_days_have_moved_on_says_how_many_rows_it_would_drop_before_it_reads_one(
    app: HastyApp, world: World, sentry: Simulation, faults: Broken
) -> None:
    dataset = made(app, "replace", shop(DateRange(start=2, end=1)))
    await ran(app, dataset)
    before = state(app, dataset)
    app.moment += DAY
    faults.path = EVENTS_OF_SHOP  # a page that was asked for would fail the run in another way
    run = await ran(app, dataset, Verdict.FAILED)
    kept = {(app.moment - DAY).date(), (app.moment - 2 * DAY).date()}
    created = [row["date_created"] for row in rows_of(app, dataset)]
    lost = sum(moment.date() not in kept for moment in created)  # type: ignore[attr-defined]
    assert run.error is not None
    assert (run.error.name, run.error.code) == ("usage.loss", 2)
    assert f" {lost} rows " in run.error.message
    assert state(app, dataset) == before
    faults.path = None
    datasets.edit(app, dataset.name, {"accept_loss": True})
    await ran(app, dataset)
    assert {moment.date() for moment in column(app, dataset, "date_created")} == kept  # type: ignore[attr-defined]


# ---- dates


@pytest.mark.scenario("35")
async def test_a_slot_keeps_its_days_however_late_it_is_run_or_gone_on_with(
    app: HastyApp, world: World, faults: Broken
) -> None:
    """A run of 23:59 that is executed, and executed again, after midnight reads the days of its slot."""
    slot = dt.datetime(2026, 3, 9, 23, 59, tzinfo=dt.UTC)
    dataset = made(app, "append", shop(SingleDate(day=0)))
    run = Run(
        id=f"{dataset.id}@{slot:%Y%m%dT%H%M}",
        dataset_id=dataset.id,
        trigger=Trigger.SCHEDULE,
        slot=slot,
        queued_at=app.now(),
    )
    assert app.store.runs.add(run)
    assert not app.store.runs.add(run), "a slot is one run"
    app.moment = slot + dt.timedelta(minutes=15)
    ended = await ran(app, dataset)
    (window,) = ended.windows
    assert (ended.id, window.first_day, window.last_day) == (run.id, slot.date(), slot.date())
    assert {moment.date() for moment in column(app, dataset, "date_created")} == {slot.date()}  # type: ignore[attr-defined]


async def test_a_run_that_was_asked_for_before_midnight_keeps_its_days(app: HastyApp) -> None:
    dataset = made(app, "append", shop(SingleDate(day=0)))
    asked = dt.datetime(2026, 3, 9, 23, 50, tzinfo=dt.UTC)
    app.store.runs.add(Run(id="early", dataset_id=dataset.id, trigger=Trigger.MANUAL, queued_at=asked))
    ended = await ran(app, dataset)
    assert (ended.id, ended.state, ended.windows[0].first_day) == ("early", RunState.DONE, asked.date())
