"""DataSets: made, changed, deleted, restored; a filled table is not given rows that do not fit."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from sentry_connector.datasets.definition import Definition
from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.errors import DatesError, DestinationRefused, LossNotAccepted, UnknownName, UsageError
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import backfill, datasets, days, glance, purging, runs
from sentry_connector.reports.details import AllAvailable, DateRange, Details, SinceLastRun, SingleDate
from sentry_connector.runs.due import tick
from sentry_connector.runs.execute import execute
from sentry_connector.runs.expired import forget
from sentry_connector.runs.log import log_path
from sentry_connector.simulator import Simulation, World, running
from sentry_connector.store.records import Account, DataSet, Trigger, Verdict
from tests.runs.acme import (
    ALL_OF_SHOP,
    DAY,
    SHOP,
    BusyApp,
    HastyApp,
    app_in,
    column,
    events_in,
    made,
    pass_time,
    ran,
    rows_of,
    shop,
    small_world,
    state,
)


@pytest.fixture
def world() -> World:
    return small_world(events=150)


@pytest.fixture
async def sentry(world: World) -> AsyncIterator[Simulation]:
    async with running(world, clock=lambda: world.time) as simulation:
        yield simulation


@pytest.fixture
def app(tmp_path: Path, sentry: Simulation) -> HastyApp:
    return app_in(tmp_path, sentry)


def folder_of(app: HastyApp, dataset_id: str) -> Path:
    return Path(app.destination.table(dataset_id).location()[1])


# ---- create


def test_a_new_dataset_asks_nothing_and_has_the_columns_of_its_report(app: HastyApp, sentry: Simulation) -> None:
    dataset = made(app, "upsert")
    assert sentry.requests == 0
    assert rows_of(app, dataset) == []
    assert {"event_id", "project_id", "_run_id"} <= set(datasets.schema(app, dataset.name).names)
    assert datasets.versions(app, dataset.name) == []


def test_names_are_unique_without_case_and_found_by_slug_too(app: HastyApp) -> None:
    dataset = made(app, "upsert", name="Shop Events")
    with pytest.raises(UsageError, match="Shop Events"):
        made(app, "append", name="SHOP events")
    assert [datasets.find(app, name).id for name in ("shop EVENTS", "shop_events")] == [dataset.id] * 2
    assert len(datasets.everything(app)) == 1


def test_dates_that_make_no_window_are_refused_before_anything_is_stored(app: HastyApp) -> None:
    tomorrow = app.moment.date() + dt.timedelta(days=1)
    with pytest.raises(DatesError, match="future"):
        made(app, "append", shop(SingleDate(day=tomorrow)))
    assert datasets.everything(app) == []
    dataset = made(app, "append", shop(SingleDate(day=1)))
    with pytest.raises(DatesError, match="future"):
        datasets.edit(app, dataset.name, {"details": shop(SingleDate(day=tomorrow))})
    assert datasets.find(app, dataset.name).details == dataset.details


def test_a_dataset_whose_days_have_crossed_can_still_be_renamed(app: HastyApp) -> None:
    dataset = made(app, "append", shop(DateRange(start=3, end=app.moment.date())))
    app.moment += 9 * DAY
    with pytest.raises(DatesError, match="backwards"):
        days.days_now(app, dataset)
    assert datasets.edit(app, dataset.name, {"name": "Old days"}).name == "Old days"


def test_an_unknown_account_stores_nothing(app: HastyApp) -> None:
    definition = Definition(name="A", report="project-events", details=SHOP, update_method=UpdateMethod.UPSERT)
    with pytest.raises(UnknownName):
        datasets.create(app, definition, "nobody")
    assert datasets.everything(app) == []


# ---- edit


async def test_a_filled_table_keeps_its_report(app: HastyApp) -> None:
    dataset = made(app, "upsert")
    datasets.edit(app, dataset.name, {"report": "project-feedback"})
    datasets.edit(app, dataset.name, {"report": "project-events"})
    await ran(app, dataset)
    with pytest.raises(UsageError, match="project-events"):
        datasets.edit(app, dataset.name, {"report": "project-feedback"})
    assert datasets.find(app, dataset.name).report == "project-events"


@pytest.mark.parametrize(("before", "after"), [("partition", "upsert"), ("append", "partition")])
async def test_a_filled_table_stays_partitioned_or_not(before: str, after: str, app: HastyApp) -> None:
    dataset = made(app, before)
    await ran(app, dataset)
    rows = state(app, dataset)
    with pytest.raises(UsageError, match="partitioned"):
        datasets.edit(app, dataset.name, {"update_method": UpdateMethod(after)})
    assert state(app, dataset) == rows


async def test_the_days_of_a_partitioned_table_keep_their_zone(app: HastyApp) -> None:
    """Days of another zone overlap those in the table: rows would be lost at one edge and doubled at the other."""
    dataset = made(app, "partition")
    await ran(app, dataset)
    with pytest.raises(UsageError, match="UTC"):
        datasets.edit(app, dataset.name, {"details": shop(SinceLastRun(), timezone="America/New_York")})


async def test_counts_of_another_resolution_are_refused_beside_the_old_ones(app: HastyApp) -> None:
    dataset = made(app, "upsert", shop(SinceLastRun(), stat="generated", resolution="1h"), "events-counts-project")
    await ran(app, dataset)
    with pytest.raises(UsageError, match="resolution"):
        datasets.edit(app, dataset.name, {"details": shop(SinceLastRun(), stat="generated", resolution="1d")})


@pytest.mark.parametrize("method", ["upsert", "append"])
async def test_from_replace_to_another_method_no_row_is_doubled(method: str, app: HastyApp, world: World) -> None:
    dataset = made(app, "replace", ALL_OF_SHOP)
    await ran(app, dataset)
    datasets.edit(app, dataset.name, {"update_method": UpdateMethod(method), "details": SHOP})
    world.add_events("acme", "shop", 6)
    pass_time(app, world)
    run = await ran(app, dataset)
    assert run.rows_written == 6
    assert column(app, dataset) == events_in(world, until=app.moment)


def account_at(app: HastyApp, url: str) -> str:
    """The name of a new account at that server; nothing is asked of it."""
    name, now = f"account at {url}", app.now()
    app.store.accounts.add(
        Account(id=url, name=name, url=url, token_hint="…", created_at=now, updated_at=now), "sealed"
    )
    return name


@pytest.mark.parametrize("url", ["https://{}", "http://sentry.example", "http://127.0.0.1:1"])
async def test_a_filled_table_is_not_given_rows_of_another_server(url: str, app: HastyApp, sentry: Simulation) -> None:
    """There the same ids mean something else."""
    dataset = made(app, "upsert")
    account = account_at(app, url.format(sentry.url.removeprefix("http://")))
    datasets.edit(app, dataset.name, {}, account=account)
    back = account_at(app, sentry.url)
    datasets.edit(app, dataset.name, {}, account=back)
    app.store.datasets.change(dataset.id, {"account_id": None})
    await ran(app, dataset)
    datasets.edit(app, dataset.name, {}, account=back)
    with pytest.raises(UsageError, match="another Sentry server"):
        datasets.edit(app, dataset.name, {}, account=account)
    assert datasets.find(app, dataset.name).account_id == sentry.url


async def test_regions_of_sentry_io_are_one_server(app: HastyApp) -> None:
    dataset = made(app, "upsert")
    await ran(app, dataset)
    world_wide, europe, fake = (
        account_at(app, f"https://{host}") for host in ("sentry.io", "de.sentry.io", "nsentry.io")
    )
    app.store.datasets.change(dataset.id, {"account_id": "https://sentry.io"})
    assert datasets.edit(app, dataset.name, {}, account=europe).account_id == "https://de.sentry.io"
    assert datasets.edit(app, dataset.name, {}, account=world_wide).account_id == "https://sentry.io"
    with pytest.raises(UsageError, match="another Sentry server"):
        datasets.edit(app, dataset.name, {}, account=fake)


def test_a_change_that_does_not_fit_changes_nothing(app: HastyApp) -> None:
    dataset = made(app, "upsert")
    with pytest.raises(UsageError):
        datasets.edit(app, dataset.name, {"name": "New", "update_method": UpdateMethod.REPLACE})
    assert datasets.find(app, dataset.name).details == dataset.details


async def test_a_renamed_dataset_keeps_rows_slug_and_history(app: HastyApp) -> None:
    dataset = made(app, "upsert")
    await ran(app, dataset)
    rows = column(app, dataset)
    renamed = datasets.edit(app, dataset.name, {"name": "Something else", "tags": ("a",), "description": "b"})
    assert (renamed.id, renamed.slug, renamed.tags, renamed.description) == (dataset.id, dataset.slug, ("a",), "b")
    assert column(app, renamed) == rows
    assert len(runs.history(app, "Something else")) == 1


@pytest.fixture
def busy(tmp_path: Path, sentry: Simulation) -> BusyApp:
    """On the store of `app`."""
    return BusyApp(tmp_path, sentry.url, sentry.token)


def test_an_edit_leaves_what_others_change_while_it_looks_at_the_table(app: HastyApp, busy: BusyApp) -> None:
    dataset = made(app, "upsert")
    busy.meanwhile = lambda: datasets.pause(app, dataset.name)
    assert datasets.edit(busy, dataset.name, {"description": "another"}).paused
    found = datasets.find(app, dataset.name)
    assert (found.paused, found.description) == (True, "another")


def test_an_edit_does_not_bring_back_what_was_deleted_while_it_looked_at_the_table(
    app: HastyApp, busy: BusyApp
) -> None:
    dataset = made(app, "upsert")
    busy.meanwhile = lambda: datasets.delete(app, dataset.name)
    with pytest.raises(UnknownName):
        datasets.edit(busy, dataset.name, {"description": "another"})
    assert datasets.everything(app) == []


async def test_a_run_that_begins_while_its_dataset_is_paused_stops(app: HastyApp, busy: BusyApp) -> None:
    dataset = made(app, "upsert", schedule="hourly")
    app.moment = busy.moment = app.moment + dt.timedelta(hours=1)
    tick(app, app.moment)
    (waiting,) = app.store.runs.unfinished()
    busy.meanwhile = lambda: datasets.pause(app, dataset.name)
    run = await execute(waiting.id, busy, progress=Progress())
    assert (run.verdict, rows_of(app, dataset)) == (Verdict.CANCELLED, [])


def test_a_replace_that_will_lose_rows_later_can_be_told(app: HastyApp) -> None:
    yesterday = shop(SingleDate(day=1))
    assert days.will_lose(made(app, "replace", yesterday, name="a"))
    assert not days.will_lose(made(app, "replace", yesterday, name="b", accept_loss=True))
    assert not days.will_lose(made(app, "replace", shop(AllAvailable()), name="c"))
    assert not days.will_lose(made(app, "append", yesterday, name="d"))


async def test_an_edit_by_which_the_next_run_would_drop_rows_wants_consent(app: HastyApp) -> None:
    dataset = made(app, "replace", shop(AllAvailable()))
    await ran(app, dataset)
    yesterday: dict[str, object] = {"details": shop(SingleDate(day=1))}
    with pytest.raises(LossNotAccepted, match=r"would drop [0-9]+ rows"):
        datasets.edit(app, dataset.name, yesterday)
    assert datasets.find(app, dataset.name).details == dataset.details
    datasets.edit(app, dataset.name, {"tags": ("a",)})
    datasets.edit(app, dataset.name, yesterday | {"accept_loss": True})


async def test_a_run_that_goes_on_is_told_from_where(app: HastyApp) -> None:
    dataset = made(app, "upsert", shop(SinceLastRun()))
    assert "everything" in str(days.days_now(app, dataset))
    await ran(app, dataset)
    meant = str(days.days_now(app, dataset))
    assert "everything" not in meant
    assert meant.endswith("what was never read, from its beginning")


def test_dates_are_told_in_days_before_anything_runs(app: HastyApp) -> None:
    dataset = made(app, "append", shop(SingleDate(day=1)))
    assert (days.days_now(app, dataset) or "").startswith("2026-03-09 (1 day, UTC)")
    assert days.days_now(app, made(app, "replace", Details(), "organizations")) is None


# ---- runs


async def test_a_manual_run_stands_in_the_history_with_what_it_did(app: HastyApp, world: World) -> None:
    dataset = made(app, "upsert")
    run = await ran(app, dataset)
    assert runs.find(app, run.id) == runs.find(app, dataset.name) == (run, datasets.find(app, dataset.name))
    assert (run.trigger, run.rows_written, run.table_version) == (
        Trigger.MANUAL,
        len(events_in(world, until=app.moment)),
        0,
    )
    assert run.requests > 0
    words = [line["event"] for line in runs.log(app, run)]
    assert (words[0], words[-1]) == ("run begins", "run ends")


async def test_an_unknown_version_is_not_reverted_to(app: HastyApp) -> None:
    dataset = made(app, "upsert")
    with pytest.raises(UnknownName):
        await datasets.revert(app, dataset.name, 0)
    await ran(app, dataset)
    before = state(app, dataset)
    with pytest.raises(UnknownName):
        await datasets.revert(app, dataset.name, 99)
    assert state(app, dataset) == before


# ---- delete, restore


async def test_a_deleted_dataset_is_out_of_sight_and_comes_back_with_table_and_history(app: HastyApp) -> None:
    dataset = made(app, "upsert")
    await ran(app, dataset)
    before = state(app, dataset)
    datasets.delete(app, dataset.name)
    assert datasets.everything(app) == []
    assert [one.id for one in datasets.everything(app, deleted=True)] == [dataset.id]
    with pytest.raises(UnknownName):
        datasets.find(app, dataset.name)
    app.moment += 29 * DAY
    assert datasets.restore(app, dataset.name).id == dataset.id
    assert state(app, dataset) == before
    assert len(runs.history(app, dataset.name)) == 1


@pytest.mark.parametrize("asks", [datasets.ask, lambda app, name: backfill.begin(app, name, DateRange(start=9, end=0))])
def test_what_was_asked_for_does_not_run_when_a_deleted_dataset_comes_back(
    asks: Callable[[HastyApp, str], object], app: HastyApp
) -> None:
    dataset = made(app, "upsert")
    asks(app, dataset.name)
    datasets.delete(app, dataset.name)
    datasets.restore(app, dataset.name)
    assert app.store.runs.unfinished() == []
    for run in app.store.runs.history(dataset.id):
        assert run.error is not None
        assert "deleted" in run.error.message


class Stuck(HastyApp):
    """The connector whose tables cannot be dropped."""

    def table(self, _dataset: DataSet) -> Any:
        return self

    def drop(self) -> None:
        raise DestinationRefused("The bucket may not be changed.")


async def test_a_table_that_cannot_be_dropped_is_dropped_another_day(
    app: HastyApp, tmp_path: Path, sentry: Simulation
) -> None:
    old, *others = (made(app, "upsert", name=name) for name in ("old", "a", "b"))
    await ran(app, old)
    datasets.delete(app, "old")
    stuck = Stuck(tmp_path, sentry.url, sentry.token)
    app.moment = stuck.moment = app.moment + 31 * DAY
    assert datasets.delete(stuck, "a").name == "a"
    assert folder_of(app, old.id).exists()
    assert [one.until for one in glance.deleted(app)][-1] is None, "it is seen"
    datasets.delete(app, "b")
    assert not folder_of(app, old.id).exists()
    assert {one.id for one in datasets.everything(app, deleted=True)} == {one.id for one in others}


async def test_a_purged_dataset_is_gone_with_its_table_its_runs_and_their_logs(app: HastyApp) -> None:
    dataset = made(app, "upsert")
    run = await ran(app, dataset)
    with pytest.raises(UnknownName):
        await purging.purge(app, dataset.name)  # it is to be deleted first
    datasets.delete(app, dataset.name)
    assert folder_of(app, dataset.id).exists()
    assert log_path(app.logs, run.id).exists()
    assert (await purging.purge(app, dataset.name)).left is None
    assert not folder_of(app, dataset.id).exists()
    assert not log_path(app.logs, run.id).exists()
    assert (app.store.runs.get(run.id), datasets.everything(app, deleted=True)) == (None, [])


async def test_of_a_restore_and_a_purge_at_once_one_is_refused(app: HastyApp) -> None:
    """Whoever is told that it is back has it."""
    dataset = made(app, "upsert")
    await ran(app, dataset)
    datasets.delete(app, dataset.name)
    found = purging.find(app, dataset.name)
    datasets.restore(app, dataset.name)
    with pytest.raises(UnknownName, match="no DataSet"):
        app.store.datasets.condemn(found, app.now())
    with pytest.raises(UnknownName, match="no DataSet"):
        forget(app, found, found=found)
    assert rows_of(app, dataset)


def test_a_name_that_was_taken_meanwhile_is_not_restored(app: HastyApp) -> None:
    dataset = made(app, "upsert", name="Shop")
    datasets.delete(app, "Shop")
    other = made(app, "append", name="Shop")
    assert other.slug != dataset.slug
    with pytest.raises(UsageError):
        datasets.restore(app, "Shop")


async def test_after_30_days_a_deleted_dataset_is_gone_with_its_table(app: HastyApp) -> None:
    old, young, last = (made(app, "upsert", name=name) for name in ("old", "young", "last"))
    for dataset in (old, young):
        await ran(app, dataset)
        datasets.delete(app, dataset.name)
        app.moment += 20 * DAY
    app.moment -= 20 * DAY
    app.moment += 10 * DAY + dt.timedelta(seconds=1)
    datasets.delete(app, last.name)
    assert [folder_of(app, one.id).exists() for one in (old, young)] == [False, True]
    with pytest.raises(UnknownName):
        datasets.restore(app, "old")
    assert rows_of(app, datasets.restore(app, "young"))
