"""Events that arrive long after they happened are found by the slow cycle, and it asks for no more than it must."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentry_connector.reports.details import Details, SinceLastRun
from sentry_connector.simulator import Simulation, World, start_in_thread
from sentry_connector.store.records import Verdict
from tests.runs.acme import (
    DAY,
    EVENTS,
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
)
from tests.runs.watching import Watch

METHODS = pytest.mark.parametrize("method", ["append", "upsert", "partition"])
COUNTS = shop(SinceLastRun(), stat="generated", resolution="1h")


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def sentry(world: World, watch: Watch) -> Iterator[Simulation]:
    with start_in_thread(world, clock=lambda: world.time, faults=watch) as simulation:
        yield simulation


def arrive_late(world: World, count: int = 1, *, days: float = 20) -> set[str]:
    """Events that happened so many days ago and arrive now."""
    happened = world.time - days * DAY.total_seconds()
    return {event.id for event in world.add_events("acme", "shop", count, start=happened, end=happened + 60)}


@METHODS
async def test_a_late_event_comes_with_the_slow_cycle(method: str, app: HastyApp, world: World) -> None:
    dataset = made(app, method)
    await ran(app, dataset)
    late = arrive_late(world, 3)
    pass_time(app, world, 2 * HOUR)
    await ran(app, dataset)
    assert not late & set(column(app, dataset)), "the overlap is two hours"
    pass_time(app, world, DAY)
    run = await ran(app, dataset)
    assert run.warnings == ()
    assert column(app, dataset) == events_in(world, until=app.moment)


async def test_only_the_hours_with_more_events_are_read_again(app: HastyApp, world: World, watch: Watch) -> None:
    dataset = made(app, "upsert")
    await ran(app, dataset)
    pass_time(app, world, DAY)
    arrive_late(world, days=20)
    arrive_late(world, days=9)
    watch.seen.clear()
    run = await ran(app, dataset)
    asked = Counter(target.partition("?")[0].rsplit("/", 2)[1] for target in watch.seen)
    assert asked == {"stats": 1, "events": 3}
    assert [window.end - (window.start or window.end) for window in run.windows[1:]] == [HOUR, HOUR]


@METHODS
async def test_a_slow_cycle_that_finds_nothing_costs_one_request_more_and_then_rests(
    method: str, app: HastyApp, world: World, watch: Watch
) -> None:
    dataset = made(app, method)
    await ran(app, dataset)
    for passed, requests in ((DAY, 2), (2 * HOUR, 1), (DAY, 2)):
        pass_time(app, world, passed)
        watch.seen.clear()
        run = await ran(app, dataset)
        assert (run.requests, run.rows_written) == (requests, 0), watch.seen


ENTRIES = "project-events-entries"


@METHODS
async def test_hours_with_events_that_have_no_entries_are_read_again_once_and_not_each_day(
    method: str, app: HastyApp, world: World, watch: Watch
) -> None:
    dataset = made(app, method, SHOP, ENTRIES)
    await ran(app, dataset)
    pass_time(app, world, DAY)
    first = await ran(app, dataset)
    watch.seen.clear()
    for passed, requests in ((DAY, 2), (2 * HOUR, 1), (DAY, 2)):
        pass_time(app, world, passed)
        run = await ran(app, dataset)
        assert (run.requests, run.rows_written) == (requests, 0), watch.seen
    assert first.requests > requests, "there are such events"


@METHODS
async def test_a_late_event_in_an_hour_that_has_events_without_entries_is_found(
    method: str, app: HastyApp, world: World
) -> None:
    dataset = made(app, method, SHOP, ENTRIES)
    await ran(app, dataset)
    for _ in range(2):
        pass_time(app, world, DAY)
        await ran(app, dataset)
    bare = {event.id for event in world.project("acme", "shop").events} - set(column(app, dataset))
    hours = [event.time // 3600 * 3600 for event in world.project("acme", "shop").events if event.id in bare]
    happened = next(hour for hour in hours if hour > world.time - 25 * DAY.total_seconds())
    late = {event.id for event in world.add_events("acme", "shop", 12, start=happened, end=happened + 3600)}
    pass_time(app, world, DAY)
    await ran(app, dataset)
    assert len(late & set(column(app, dataset))) > 6, "most events have entries"


async def test_a_revert_takes_back_what_was_remembered_of_an_hours_events(app: HastyApp, world: World) -> None:
    dataset = made(app, "upsert", SHOP, ENTRIES)
    first = await ran(app, dataset)
    arrive_late(world, 12)
    pass_time(app, world, DAY)
    await ran(app, dataset)
    wanted, table = column(app, dataset), app.destination.table(dataset.id)
    table.revert(first.table_version or 0, epoch=app.store.datasets.next_epoch(dataset.id, table.epoch()))
    pass_time(app, world, HOUR)
    await ran(app, dataset)
    assert column(app, dataset) == wanted


async def test_a_report_without_figures_is_read_again_for_30_days(app: HastyApp, world: World) -> None:
    dataset = made(app, "upsert", COUNTS, "events-counts-project")
    await ran(app, dataset)
    before = sum(row["events"] for row in rows_of(app, dataset))  # type: ignore[misc]
    arrive_late(world, 3, days=29)
    pass_time(app, world, 2 * HOUR)
    await ran(app, dataset)
    assert sum(row["events"] for row in rows_of(app, dataset)) == before  # type: ignore[misc]
    pass_time(app, world, DAY)
    run = await ran(app, dataset)
    assert sum(row["events"] for row in rows_of(app, dataset)) == before + 3  # type: ignore[misc]
    assert run.rows_updated == 1


async def test_late_events_of_an_issue_come_too(app: HastyApp, world: World) -> None:
    issue = max(world.project("acme", "shop").issues, key=lambda one: len(one.events))
    details = Details(issue=issue.id, organizations=("acme",), duration=SinceLastRun())
    dataset = made(app, "upsert", details, "issues-events")
    await ran(app, dataset)
    happened = int(world.time - 20 * DAY.total_seconds())
    late = world.append_event(issue, happened, None)
    pass_time(app, world, DAY)
    await ran(app, dataset)
    assert late.id in column(app, dataset)


async def test_a_slow_cycle_that_failed_comes_again(tmp_path: Path, world: World) -> None:
    """The mark that it was done is in the commit, with the rows."""
    faults = Broken()
    with start_in_thread(world, clock=lambda: world.time, faults=faults) as sentry:
        app = app_in(tmp_path, sentry)
        dataset = made(app, "upsert")
        await ran(app, dataset)
        late = arrive_late(world)
        pass_time(app, world, DAY)
        faults.path = "/projects/acme/shop/events/"
        await ran(app, dataset, Verdict.FAILED)
        faults.path = None
        pass_time(app, world, HOUR)
        await ran(app, dataset)
        assert late <= set(column(app, dataset))


async def test_where_sentry_does_not_count_all_30_days_are_read_again(tmp_path: Path, world: World) -> None:
    faults = Broken()
    with start_in_thread(world, clock=lambda: world.time, faults=faults) as sentry:
        app = app_in(tmp_path, sentry)
        dataset = made(app, "upsert")
        await ran(app, dataset)
        late = arrive_late(world)
        pass_time(app, world, DAY)
        faults.path = "/projects/acme/shop/stats/"
        await ran(app, dataset)
        assert late <= set(column(app, dataset))


async def test_nothing_is_looked_for_where_somebody_wants_it_so(
    tmp_path: Path, sentry: Simulation, world: World
) -> None:
    app = app_in(tmp_path, sentry, SENTRY_CONNECTOR_LATE_HOURS="0")
    dataset = made(app, "upsert")
    await ran(app, dataset)
    late = arrive_late(world)
    pass_time(app, world, 3 * DAY)
    run = await ran(app, dataset)
    assert not late & set(column(app, dataset))
    assert run.requests == 1


async def test_a_revert_takes_back_that_late_events_were_looked_for(app: HastyApp, world: World) -> None:
    dataset = made(app, "upsert", SHOP, EVENTS)
    first = await ran(app, dataset)
    arrive_late(world)
    pass_time(app, world, DAY)
    await ran(app, dataset)
    table = app.destination.table(dataset.id)
    table.revert(first.table_version or 0, epoch=app.store.datasets.next_epoch(dataset.id, table.epoch()))
    pass_time(app, world, HOUR)
    await ran(app, dataset)
    assert column(app, dataset) == events_in(world, until=app.moment)
