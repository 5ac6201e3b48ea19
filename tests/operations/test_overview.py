"""All DataSets at a glance: the same as each for itself, found by what is known of them, with as many questions as ever."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event

from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.operations import datasets, destinations, glance, views
from sentry_connector.operations.overview import PAGE, Group, Show, Sort, Wanted, overview
from sentry_connector.operations.updates import delete_update
from sentry_connector.reports import catalogue
from sentry_connector.runs.health import Status
from sentry_connector.simulator import Simulation, running
from sentry_connector.store.sizes import Size
from tests.many import fill
from tests.parts import NOW, StandingApp
from tests.runs.acme import HastyApp, app_in, made, ran, small_world


@pytest.fixture
def house(tmp_path: Path) -> Iterator[StandingApp]:
    app = StandingApp(tmp_path / "home", "https://sentry.io", "sntryu_" + "ab" * 32)
    yield app
    app.close()


@contextmanager
def counted(house: StandingApp) -> Iterator[list[str]]:
    """The statements that the store is asked inside the block."""
    asked: list[str] = []
    engine = house.store.runs._database.engine

    def heard(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(engine, "before_cursor_execute", heard)
    yield asked
    event.remove(engine, "before_cursor_execute", heard)


def test_at_a_glance_each_is_as_it_is_for_itself(house: StandingApp) -> None:
    fill(house.store, NOW, count=120, runs_of_each=4)
    lines = glance.everything(house)
    assert len(lines) == 120
    for line in lines:
        whole = views.dataset_view(house, line.dataset)["health"], views.next_slot(house, line.dataset, NOW)
        assert (line.health, line.next_slot) == whole, line.dataset.name
        history = house.store.runs.history(line.dataset.id)
        assert (line.last.id if line.last else None) == (history[0].id if history else None)
        fresh = [run.finished_at for run in history if run.verdict == "COMPLETE"]
        assert line.fresh_at == (fresh[0] if fresh else None)
    assert {line.status for line in lines} == set(Status) - {Status.RUNNING, Status.QUEUED}


def test_a_list_says_of_each_what_is_said_of_it_alone(house: StandingApp) -> None:
    fill(house.store, NOW, count=120, runs_of_each=8)
    datasets.delete(house, "many_0033")  # it had slots, and has none any more
    for known in (house.store.datasets.list(), house.store.datasets.deleted()):
        alone = [views.dataset_view(house, one) for one in known]
        for view, whole in zip(views.dataset_views(house, known), alone, strict=True):
            assert without_table(view) == without_table(whole)
    (sudden,) = views.dataset_views(house, [datasets.find(house, "many_0000")])
    assert "read no row" in sudden["attention"][-1], "what is usual is known from the runs before"


def without_table(view: dict[str, object]) -> dict[str, object]:
    """What is said of a DataSet, but of its table, which is not there."""
    return {name: view[name] for name in view if name not in {"rows", "columns", "version"}}


def test_a_thousand_are_asked_for_with_no_more_questions_than_a_few(house: StandingApp) -> None:
    fill(house.store, NOW, count=10, runs_of_each=3)
    with counted(house) as of_ten:
        overview(house, Wanted())
    fill_more = StandingApp(house.settings.home / "more", "https://sentry.io", "sntryu_" + "ab" * 32)
    fill(fill_more.store, NOW, runs_of_each=3)
    with counted(fill_more) as of_thousand:
        seen = overview(fill_more, Wanted())
    fill_more.close()
    assert (len(seen.lines), seen.everything) == (PAGE, 1000)
    assert len(of_thousand) == len(of_ten)


def test_58_78_they_are_found_by_name_column_tag_and_quick_choice_and_broken_ones_come_first(
    house: StandingApp,
) -> None:
    fill(house.store, NOW, count=200, runs_of_each=2)

    def names(wanted: Wanted) -> set[str]:
        seen = overview(house, wanted)
        assert seen.found == sum(len(overview(house, replace(wanted, page=n + 1)).lines) for n in range(seen.pages))
        return {line.dataset.name for line in seen.lines}

    assert names(Wanted(search="events counts 0016")) == {"Events Counts Organization 0016"}
    with_column = {one.slug for one in catalogue.CATALOGUE if any(c.name == "culprit" for c in one.columns)}
    found = overview(house, Wanted(search="CULPRIT"))
    assert {line.dataset.report for line in found.lines} == with_column
    assert {"mobile"} <= set.intersection(*(set(x.dataset.tags) for x in overview(house, Wanted(tag="Mobile")).lines))
    statuses = [line.status for line in overview(house, Wanted()).lines]
    assert statuses == sorted(statuses, key=list(Status).index)
    assert statuses[0] is Status.NEEDS_ATTENTION
    shown = overview(house, Wanted()).shown
    assert overview(house, Wanted(show=Show.ATTENTION)).found == shown[Show.ATTENTION] > 0
    by_rows = [line.size.rows for line in overview(house, Wanted(sort=Sort.ROWS, down=True)).lines if line.size]
    assert by_rows == sorted(by_rows, reverse=True)


@pytest.mark.parametrize("group", [Group.STATUS, Group.REPORT, Group.ACCOUNT])
def test_groups_count_each_dataset_once(house: StandingApp, group: Group) -> None:
    fill(house.store, NOW, count=60, runs_of_each=2)
    groups = overview(house, Wanted(), group).groups
    assert sum(one.datasets for one in groups) == 60
    assert sum(one.rows for one in groups) == sum(line.size.rows for line in glance.everything(house) if line.size)
    counts = [one.wanting for one in groups]
    assert counts == sorted(counts, reverse=True)


# ---- how large tables are


@pytest.fixture
async def sentry() -> AsyncIterator[Simulation]:
    world = small_world()
    async with running(world, clock=lambda: world.time) as simulation:
        yield simulation


@pytest.fixture
def app(tmp_path: Path, sentry: Simulation) -> HastyApp:
    return app_in(tmp_path, sentry)


def size_of(app: HastyApp) -> Size | None:
    (line,) = overview(app, Wanted()).lines
    return line.size


async def test_a_table_in_a_database_is_as_large_as_it_is_after_an_update_was_taken_out(app: HastyApp) -> None:
    await destinations.add(app, "file", f"sqlite:///{app.settings.home}/tables.sqlite", None)
    dataset = made(app, UpdateMethod.APPEND, destination="file")
    run = await ran(app, dataset)
    before = size_of(app)
    assert before is not None
    assert before.rows == run.rows_written > 0
    await delete_update(app, dataset.name, run.id)
    after = size_of(app)
    assert after is not None
    assert (after.rows, after.columns) == (0, before.columns)


async def test_the_size_is_that_of_the_table_after_runs_and_after_what_is_no_run(app: HastyApp) -> None:
    dataset = made(app, UpdateMethod.APPEND)
    assert size_of(app) is None
    await ran(app, dataset)
    table = app.table(dataset)
    first = size_of(app)
    assert first is not None
    assert (first.rows, first.columns) == (table.rows(), len(table.schema() or ())) > (0, 0)
    (known,) = (one.measured for one in app.store.datasets.outlines([dataset.id]))
    assert known.is_current, "the run has measured it"
    app.store.sizes.keep(dataset.id, Size(epoch=known.epoch, rows=7, columns=1))
    await datasets.revert(app, dataset.name, table.versions()[-1].version)
    reverted = size_of(app)
    assert reverted is not None
    assert views.dataset_views(app, [dataset]) == [views.dataset_view(app, dataset)]
    assert reverted.rows == table.rows(), "and the list itself what somebody has reverted"
    datasets.delete(app, dataset.name)
    (deleted,) = glance.deleted(app)
    assert deleted.rows == table.rows()
    app.store.datasets.forget(dataset.id)
    assert app.store.facts.get(f"size/{dataset.id}") is None
