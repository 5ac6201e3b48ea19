"""Each update method on data that changes: the table is what Sentry's truth and the method's promise say."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.operations import datasets
from sentry_connector.reports.details import ALL, AllAvailable, DateRange, Details, SinceLastRun, SingleDate
from sentry_connector.simulator import Simulation, World, running
from tests.parts import NOW
from tests.runs.acme import (
    ALL_OF_SHOP,
    DAY,
    HOUR,
    SHOP,
    HastyApp,
    app_in,
    column,
    doubled,
    events_in,
    made,
    pass_time,
    ran,
    rows_of,
    shop,
    small_world,
    watermarks,
)

NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture
async def sentry(world: World) -> AsyncIterator[Simulation]:
    async with running(world, clock=lambda: world.time) as simulation:
        yield simulation


# ---- replace


async def test_replace_holds_exactly_what_the_last_run_read_and_the_version_before_stays(
    app: HastyApp, world: World
) -> None:
    dataset = made(app, "replace", ALL_OF_SHOP)
    first = await ran(app, dataset)
    before = events_in(world, until=app.moment)
    world.delete_issue(max(world.project("acme", "shop").issues, key=lambda issue: len(issue.events)).id)
    world.add_events("acme", "shop", 5)
    pass_time(app, world)
    second = await ran(app, dataset)
    after = events_in(world, until=app.moment)
    assert column(app, dataset) == after
    assert column(app, dataset, version=first.table_version) == before
    assert (second.rows_written, second.rows_deleted) == (len(after), len(before))


async def test_replace_with_no_rows_empties_the_table_and_keeps_its_columns(app: HastyApp, world: World) -> None:
    dataset = made(app, "replace", ALL_OF_SHOP)
    await ran(app, dataset)
    columns = datasets.schema(app, dataset.name).names
    world.project("acme", "shop").events.clear()
    run = await ran(app, dataset)
    assert (rows_of(app, dataset), run.rows_written) == ([], 0)
    assert datasets.schema(app, dataset.name).names == columns


async def test_keep_when_empty_keeps_the_rows_when_sentry_has_none(app: HastyApp, world: World) -> None:
    dataset = made(app, "replace", ALL_OF_SHOP, keep_when_empty=True)
    await ran(app, dataset)
    before = column(app, dataset)
    world.project("acme", "shop").events.clear()
    run = await ran(app, dataset)
    assert (column(app, dataset), run.rows_deleted) == (before, 0)
    assert before


@pytest.mark.parametrize("report", ["organizations", "organization-teams", "projects-users", "project-feedback"])
async def test_replace_of_any_list_twice_is_the_same_list(report: str, app: HastyApp, world: World) -> None:
    menus = {"organizations": ("acme",)} if report == "organization-teams" else {}
    menus |= {"projects": ("acme/shop",)} if report.startswith("project") else {}
    dated = {"duration": AllAvailable()} if report == "project-feedback" else {}
    dataset = made(app, "replace", Details(**menus, **dated), report)  # type: ignore[arg-type]
    first = await ran(app, dataset)
    second = await ran(app, dataset)
    assert first.rows_written == second.rows_written == second.rows_deleted == len(rows_of(app, dataset)) > 0


# ---- append


async def test_append_of_all_that_is_available_adds_a_snapshot_each_time(app: HastyApp, world: World) -> None:
    dataset = made(app, "append", ALL_OF_SHOP)
    first, second = await ran(app, dataset), await ran(app, dataset)
    rows = rows_of(app, dataset)
    assert set(Counter(row["event_id"] for row in rows).values()) == {2}
    assert Counter(row["_run_id"] for row in rows) == {first.id: len(rows) // 2, second.id: len(rows) // 2}


async def test_append_since_the_last_run_adds_no_key_again(app: HastyApp, world: World) -> None:
    """Also a late event inside the overlap comes, once."""
    dataset = made(app, "append")
    await ran(app, dataset)
    for _ in range(2):
        pass_time(app, world)
        world.add_events("acme", "shop", 7)
        late = world.add_events("acme", "shop", 3, start=world.time - 3.5 * 3600, end=world.time - 2.5 * 3600)
        pass_time(app, world, HOUR)
        run = await ran(app, dataset)
        assert run.rows_written == 10
        assert run.rows_read > 10, "the overlap was read again"
        assert {event.id for event in late} <= set(column(app, dataset))
    assert column(app, dataset) == events_in(world, until=app.moment)


# ---- upsert


async def test_upsert_updates_changed_issues_whole_adds_new_ones_and_keeps_the_others(
    app: HastyApp, world: World
) -> None:
    details = Details(organizations=("acme",), projects=("acme/shop",), duration=AllAvailable())
    dataset = made(app, "upsert", details, "projects-issues")
    await ran(app, dataset)
    before = {row["issue_id"]: row for row in rows_of(app, dataset)}
    changed, gone = (issue.id for issue in world.project("acme", "shop").issues[:2])
    world.set_status(changed, "ignored" if before[changed]["status"] == "resolved" else "resolved")
    world.delete_issue(gone)
    (new,) = world.add_issues("acme", "shop")
    pass_time(app, world)
    run = await ran(app, dataset)
    after = {row["issue_id"]: row for row in rows_of(app, dataset)}
    assert (run.rows_written, run.rows_updated, run.rows_deleted) == (1, 1, 0)
    assert set(after) == {*before, new.id}
    assert after[changed]["status"] == world.issue(changed).status != before[changed]["status"]
    assert after[changed]["_run_id"] == run.id
    assert {key: after[key] for key in before if key != changed} == {
        key: row for key, row in before.items() if key != changed
    }


async def test_upsert_since_the_last_run_meets_the_truth_and_an_unchanged_world_changes_nothing(
    app: HastyApp, world: World
) -> None:
    dataset = made(app, "upsert")
    await ran(app, dataset)
    world.add_events("acme", "shop", 9)
    pass_time(app, world)
    second = await ran(app, dataset)
    third = await ran(app, dataset)
    assert column(app, dataset) == events_in(world, until=app.moment)
    assert (second.rows_written, third.rows_written, third.rows_updated) == (9, 0, 0)
    assert len(datasets.versions(app, dataset.name)) == 2, "a run that changes nothing is no version to go back to"


async def test_upsert_of_counts_replaces_buckets_that_grew_and_never_adds_them_up(app: HastyApp, world: World) -> None:
    details = shop(SinceLastRun(), stat="generated", resolution="1h")
    dataset = made(app, "upsert", details, "events-counts-project")
    await ran(app, dataset)
    for _ in range(2):
        world.add_events("acme", "shop", 6)
        pass_time(app, world)
        await ran(app, dataset)
    rows = rows_of(app, dataset)
    assert not doubled([row["timestamp_epoch"] for row in rows])
    start = min(row["timestamp_epoch"] for row in rows)  # type: ignore[type-var]
    truth = [event for event in world.project("acme", "shop").events if event.time >= start]  # type: ignore[operator]
    assert sum(row["events"] for row in rows) == len(truth)  # type: ignore[misc]


async def test_append_of_counts_adds_only_buckets_that_are_over(app: HastyApp, world: World) -> None:
    """None is corrected later: one that is appended before its end would lack what comes until then."""
    dataset = made(app, "append", shop(SinceLastRun(), stat="generated", resolution="1h"), "events-counts-project")
    app.moment += HOUR / 2
    world.advance(HOUR.total_seconds() / 2)
    for _ in range(3):
        await ran(app, dataset)
        world.add_events("acme", "shop", 6)
        pass_time(app, world, HOUR)
    rows = rows_of(app, dataset)
    starts = sorted(row["timestamp_epoch"] for row in rows)  # type: ignore[type-var]
    assert starts == list(range(starts[0], starts[-1] + 3600, 3600))  # type: ignore[call-overload,operator]
    truth = Counter(event.time // 3600 * 3600 for event in world.project("acme", "shop").events)
    assert {row["timestamp_epoch"]: row["events"] for row in rows} == {start: truth[start] for start in starts}  # type: ignore[index]
    assert sum(truth[start] for start in starts[-2:]) == 12, "what came while runs went on is among them"  # type: ignore[index,misc]


async def test_append_of_counts_goes_by_sentrys_clock(app: HastyApp, world: World) -> None:
    """By a clock that is an hour ahead a bucket is over that fills up still."""
    dataset = made(app, "append", shop(SinceLastRun(), stat="generated", resolution="1h"), "events-counts-project")
    pass_time(app, world, HOUR / 2)
    app.moment += HOUR
    for _ in range(3):
        await ran(app, dataset)
        world.add_events("acme", "shop", 6)
        pass_time(app, world, HOUR)
    truth = Counter(event.time // 3600 * 3600 for event in world.project("acme", "shop").events)
    rows = rows_of(app, dataset)
    assert {row["timestamp_epoch"]: row["events"] for row in rows} == {
        start: truth[start]  # type: ignore[index]
        for start in (row["timestamp_epoch"] for row in rows)
    }
    assert max(row["timestamp_epoch"] for row in rows) == (world.time - 3600) // 3600 * 3600 - 3600  # type: ignore[type-var]


async def test_an_events_entries_are_replaced_together(app: HastyApp, world: World) -> None:
    """Of an event that lost its last entries none of them stays."""
    dataset = made(app, "upsert", SHOP, "project-events-entries")
    await ran(app, dataset)
    rows = rows_of(app, dataset)
    entries = Counter(row["event_id"] for row in rows)
    event, number = entries.most_common(1)[0]
    short = next(one for one in world.project("acme", "shop").events if entries[one.id] in range(1, number))
    long = next(one for one in world.project("acme", "shop").events if one.id == event)
    long.number, long.issue, long.slim = short.number, short.issue, None
    await datasets_again(app, dataset.name)
    run = await ran(app, dataset)
    after = rows_of(app, dataset)
    assert Counter(row["event_id"] for row in after)[event] == entries[short.id] < number
    assert run.rows_deleted == number - entries[short.id]
    assert not doubled([(row["event_id"], row["entry_index"]) for row in after])


async def datasets_again(app: HastyApp, name: str) -> None:
    """From now on the DataSet reads all that is available."""
    datasets.edit(app, name, {"details": ALL_OF_SHOP})


# ---- partition


def day_of(row: dict[str, object], zone: dt.tzinfo) -> dt.date:
    moment = row["date_created"]
    assert isinstance(moment, dt.datetime)
    return moment.astimezone(zone).date()


async def test_partition_lays_each_row_into_its_day_of_the_zone(app: HastyApp, world: World) -> None:
    dataset = made(app, "partition", shop(AllAvailable(), timezone="America/New_York"))
    await ran(app, dataset)
    rows = rows_of(app, dataset)
    assert {row["_day"] for row in rows} == {day_of(row, NEW_YORK) for row in rows}
    assert all(row["_day"] == day_of(row, NEW_YORK) for row in rows)
    assert column(app, dataset) == events_in(world, until=app.moment)


async def test_a_day_that_is_read_again_is_replaced_and_the_others_stay(app: HastyApp, world: World) -> None:
    dataset = made(app, "partition", shop(DateRange(start=3, end=1)))
    await ran(app, dataset)
    before = {row["event_id"]: row for row in rows_of(app, dataset)}
    yesterday = (NOW - DAY).date()
    lost = {key for key, row in before.items() if row["_day"] == yesterday}
    forgotten = set(sorted(lost, key=str)[:2])
    project = world.project("acme", "shop")
    project.events = [event for event in project.events if event.id not in forgotten]
    datasets.edit(app, dataset.name, {"details": shop(SingleDate(day=1))})
    run = await ran(app, dataset)
    after = {row["event_id"]: row for row in rows_of(app, dataset)}
    assert len(lost) > 2
    assert set(before) - set(after) == forgotten
    assert {row["_run_id"] for row in after.values() if row["_day"] == yesterday} == {run.id}
    assert all(after[key] == row for key, row in before.items() if row["_day"] != yesterday)


async def test_a_day_that_returned_nothing_is_emptied(app: HastyApp, world: World) -> None:
    dataset = made(app, "partition", shop(DateRange(start=2, end=1)))
    await ran(app, dataset)
    yesterday = (NOW - DAY).date()
    project = world.project("acme", "shop")
    start = dt.datetime.combine(yesterday, dt.time(), dt.UTC).timestamp()
    project.events = [event for event in project.events if not start <= event.time < start + 86400]
    await ran(app, dataset)
    assert set(column(app, dataset, "_day")) == {yesterday - DAY}


async def test_days_that_did_not_change_are_not_written_anew(app: HastyApp, world: World) -> None:
    """A run that finds what the table holds is no version; one that finds a new event touches its day alone."""
    details = Details(projects=("acme/shop", "acme/blog"), duration=DateRange(start=3, end=1))
    dataset = made(app, "partition", details)
    await ran(app, dataset)
    second = await ran(app, dataset)
    assert (second.rows_written, second.rows_deleted, len(datasets.versions(app, dataset.name))) == (0, 0, 1)
    yesterday = dt.datetime.combine(NOW.date() - DAY, dt.time(), dt.UTC).timestamp()
    (late,) = world.add_events("acme", "shop", 1, start=yesterday, end=yesterday + 60)
    third = await ran(app, dataset)
    rows = rows_of(app, dataset)
    assert late.id in {row["event_id"] for row in rows}
    assert {row["_day"] for row in rows if row["_run_id"] == third.id} == {NOW.date() - DAY}
    assert third.rows_written == sum(row["_day"] == NOW.date() - DAY for row in rows) == third.rows_deleted + 1


async def test_keep_days_drops_the_oldest_day_when_a_new_one_comes(app: HastyApp, world: World) -> None:
    dataset = made(app, "partition", keep_days=4)
    await ran(app, dataset)
    assert min(column(app, dataset, "_day"), key=str) == (NOW - 3 * DAY).date()
    pass_time(app, world, DAY)
    world.add_events("acme", "shop", 5, start=world.time - 3600, end=world.time - 300)
    run = await ran(app, dataset)
    assert min(column(app, dataset, "_day"), key=str) == (NOW - 2 * DAY).date()
    assert run.rows_deleted > 0


async def test_days_at_the_edge_of_sentrys_retention_only_gain_rows(tmp_path: Path) -> None:
    """What Sentry has begun to forget stays, also where a run reads that day again."""
    world = small_world(days=12)
    async with running(world, clock=lambda: world.time) as sentry:
        app = app_in(tmp_path, sentry, SENTRY_CONNECTOR_RETENTION_DAYS="9")
        dataset = made(app, "partition", shop(AllAvailable()))
        await ran(app, dataset)
        before = column(app, dataset)
        project = world.project("acme", "shop")
        forgotten = {event.id for event in project.events if event.time < world.time - 8.3 * 86400}
        younger = {event.id for event in project.events if event.time > world.time - 6 * 86400}
        removed_of_young = sorted(younger)[:3]
        project.events = [one for one in project.events if one.id not in forgotten | set(removed_of_young)]
        await ran(app, dataset)
        assert forgotten
        assert set(before) - set(column(app, dataset)) == set(removed_of_young)


async def test_partition_since_the_last_run_reads_from_the_start_of_the_day(app: HastyApp, world: World) -> None:
    dataset = made(app, "partition", shop(SinceLastRun(), timezone="America/New_York"))
    await ran(app, dataset)
    world.add_events("acme", "shop", 8)
    pass_time(app, world)
    run = await ran(app, dataset)
    (window,) = run.windows
    assert window.start == dt.datetime(2026, 3, 10, tzinfo=NEW_YORK).astimezone(dt.UTC)
    assert column(app, dataset) == events_in(world, until=app.moment)


async def test_a_project_that_is_chosen_again_is_read_from_the_beginning(app: HastyApp, world: World) -> None:
    """Partition drops the rows of projects that are no longer chosen, so their watermarks go with them."""
    dataset = made(app, "partition", shop(SinceLastRun()))
    await ran(app, dataset)
    for projects in (("acme/quiet",), ("acme/shop",)):
        datasets.edit(app, dataset.name, {"details": Details(projects=projects, duration=SinceLastRun())})
        pass_time(app, world)
        await ran(app, dataset)
    assert column(app, dataset) == events_in(world, until=app.moment)


async def test_after_replace_has_dropped_rows_their_watermarks_vouch_for_nothing(app: HastyApp, world: World) -> None:
    dataset = made(app, "upsert")
    await ran(app, dataset)
    choice = {"update_method": UpdateMethod.REPLACE, "accept_loss": True, "details": shop(SingleDate(day=1))}
    datasets.edit(app, dataset.name, choice)
    await ran(app, dataset)
    assert watermarks(app, dataset) == {}
    datasets.edit(app, dataset.name, {"update_method": UpdateMethod.UPSERT, "accept_loss": False, "details": SHOP})
    await ran(app, dataset)
    assert column(app, dataset) == events_in(world, until=app.moment)


# ---- over several projects


async def test_a_renamed_project_doubles_nothing(app: HastyApp, world: World) -> None:
    details = Details(organizations=("acme",), projects=(ALL,), duration=AllAvailable())
    dataset = made(app, "upsert", details)
    await ran(app, dataset)
    before = column(app, dataset)
    world.rename_project("acme", "shop", "store")
    pass_time(app, world)
    await ran(app, dataset)
    rows = rows_of(app, dataset)
    assert sorted(str(row["event_id"]) for row in rows) == before
    assert {row["project"] for row in rows if row["project_id"] == world.project("acme", "store").id} == {"store"}
