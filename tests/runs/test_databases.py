"""DataSets whose tables lie in databases, from Sentry to the last row: each update method with a report of its own."""

from __future__ import annotations

import asyncio
import datetime as dt
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from sentry_connector.destinations.looking import Look
from sentry_connector.destinations.paging import Finds
from sentry_connector.errors import DestinationUnavailable, QueryTimeout, UnknownName, UsageError
from sentry_connector.operations import datasets, destinations, purging, tables
from sentry_connector.operations.query import run_query
from sentry_connector.reports.details import AllAvailable, DateRange, Details
from sentry_connector.simulator import World
from sentry_connector.store.records import RunState, Verdict
from tests.conformance.grounds import DATABASES, ground_of
from tests.postgres import Server
from tests.runs.acme import (
    ALL_OF_SHOP,
    DAY,
    HOUR,
    Broken,
    HastyApp,
    column,
    events_in,
    made,
    pass_time,
    ran,
    rows_of,
    shop,
)
from tests.runs.child import start


@pytest.fixture(params=DATABASES)
async def place(request: pytest.FixtureRequest, tmp_path: Path, app: HastyApp) -> str:
    """The name of a destination of the app's, for each kind of database."""
    server = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    ground = ground_of(request.param, tmp_path / "base", server)
    destination, _ = await destinations.add(app, "Warehouse", str(ground.url), None)
    return destination.name


def look(app: HastyApp, sql: str) -> list[dict[str, object]]:
    with run_query(app, sql) as reader:
        found: list[dict[str, object]] = reader.read_all().to_pylist()
    return found


async def test_replace_holds_what_the_last_run_read(app: HastyApp, world: World, place: str) -> None:
    dataset = made(app, "replace", ALL_OF_SHOP, destination=place)
    first = await ran(app, dataset)
    world.add_events("acme", "shop", 5)
    pass_time(app, world)
    second = await ran(app, dataset)
    after = events_in(world, until=app.moment)
    assert column(app, dataset) == after
    assert (second.rows_written, second.rows_deleted) == (len(after), first.rows_written)
    assert second.table_version == 2
    beside = made(app, "replace", ALL_OF_SHOP, name="beside")
    await ran(app, beside)
    there, here = ([strip(row) for row in rows_of(app, one)] for one in (dataset, beside))
    assert sorted(map(repr, there)) == sorted(map(repr, here))
    assert datasets.schema(app, dataset.name) == datasets.schema(app, beside.name)


def strip(row: dict[str, object]) -> dict[str, object]:
    """A row without what tells which run wrote it."""
    return {name: value for name, value in row.items() if name not in {"_run_id", "_extracted_at"}}


async def test_append_since_the_last_run_adds_no_key_again(app: HastyApp, world: World, place: str) -> None:
    dataset = made(app, "append", destination=place)
    await ran(app, dataset)
    pass_time(app, world)
    world.add_events("acme", "shop", 7)
    late = world.add_events("acme", "shop", 3, start=world.time - 3.5 * 3600, end=world.time - 2.5 * 3600)
    pass_time(app, world, HOUR)
    run = await ran(app, dataset)
    assert run.rows_written == 10
    assert {event.id for event in late} <= set(column(app, dataset))
    assert column(app, dataset) == events_in(world, until=app.moment)


async def test_upsert_updates_changed_issues_and_marks_those_that_are_gone(
    app: HastyApp, world: World, place: str
) -> None:
    """The weekly full read looks at the table, wherever it lies."""
    details = Details(organizations=("acme",), projects=("acme/shop",), duration=AllAvailable())
    dataset = made(app, "upsert", details, "projects-issues", destination=place)
    await ran(app, dataset)
    before = {row["issue_id"]: row for row in rows_of(app, dataset)}
    changed, gone = (issue.id for issue in world.project("acme", "shop").issues[:2])
    world.set_status(changed, "ignored" if before[changed]["status"] == "resolved" else "resolved")
    world.delete_issue(gone)
    (new,) = world.add_issues("acme", "shop")
    pass_time(app, world, 8 * DAY)
    run = await ran(app, dataset)
    after = {row["issue_id"]: row for row in rows_of(app, dataset)}
    assert set(after) == {*before, new.id}
    assert after[changed]["status"] == world.issue(changed).status != before[changed]["status"]
    assert [key for key, row in after.items() if row["_deleted_at"] is not None] == [gone]
    assert (run.rows_written, run.rows_updated >= 2) == (1, True)


async def test_partition_replaces_its_days_and_finds_late_events(app: HastyApp, world: World, place: str) -> None:
    dataset = made(app, "partition", destination=place, keep_days=40)
    await ran(app, dataset)
    assert column(app, dataset) == events_in(world, until=app.moment)
    late = world.add_events("acme", "shop", 2, start=world.time - 5 * 86400, end=world.time - 4 * 86400)
    pass_time(app, world, DAY)
    await ran(app, dataset)
    assert {event.id for event in late} <= set(column(app, dataset))
    assert column(app, dataset) == events_in(world, until=app.moment)
    days = look(app, f"SELECT _day, count(*) AS n FROM {dataset.slug} GROUP BY ALL")
    assert sum(one["n"] for one in days) == len(rows_of(app, dataset))  # type: ignore[misc]


async def test_a_failed_run_leaves_the_table_and_a_killed_one_is_gone_on_with(
    app: HastyApp, world: World, faults: Broken, place: str, tmp_path: Path
) -> None:
    dataset = made(app, "upsert", destination=place)
    await ran(app, dataset)
    before = rows_of(app, dataset)
    world.add_events("acme", "shop", 5)
    pass_time(app, world)
    faults.path = "events"
    await ran(app, dataset, Verdict.FAILED)
    assert rows_of(app, dataset) == before
    faults.path = None
    await ran(app, dataset)
    assert column(app, dataset) == events_in(world, until=app.moment)


async def test_a_table_that_is_not_ours_is_refused_before_sentry_is_asked(
    app: HastyApp, place: str, tmp_path: Path
) -> None:
    dataset = made(app, "upsert", name="events", destination=place)
    database = app.database(app.store.destinations.find(place))
    with database.session(writing=True) as session:
        session.execute(f"CREATE TABLE {dataset.slug} (x integer)")
        session.commit()
    run = await ran(app, dataset, Verdict.FAILED)
    assert run.error is not None
    assert (run.state, run.error.name, run.error.code, run.requests) == (RunState.DONE, "destination.refused", 30, 0)


async def test_a_filled_table_stays_in_its_destination(app: HastyApp, place: str) -> None:
    dataset = made(app, "upsert", destination="delta")
    datasets.edit(app, dataset.name, {"destination": place.upper()})
    assert datasets.find(app, dataset.name).destination == place
    await ran(app, dataset)
    with pytest.raises(UsageError, match="is filled"):
        datasets.edit(app, dataset.name, {"destination": "delta"})
    with pytest.raises(UsageError, match=dataset.name):
        destinations.delete(app, place)


async def test_after_30_days_a_deleted_dataset_is_gone_with_its_table(app: HastyApp, place: str) -> None:
    old = made(app, "upsert", name="old", destination=place)
    await ran(app, old)
    datasets.delete(app, "old")
    assert rows_of(app, datasets.restore(app, "old"))
    datasets.delete(app, "old")
    made(app, "upsert", name="other", destination="delta")
    app.moment += dt.timedelta(days=31)
    datasets.delete(app, "other")
    database = app.database(app.store.destinations.find(place))
    with database.session(writing=True) as session:
        session.execute(f"CREATE TABLE {old.slug} (x integer)")
        session.commit()
    destinations.delete(app, place)


async def test_a_dataset_whose_database_is_gone_is_purged_and_what_stays_behind_is_told(
    app: HastyApp, tmp_path: Path, postgres: Server
) -> None:
    """It is in nobody's way: neither of others that are deleted, nor of the destination."""
    url = postgres.fresh_database()
    base = url.rpartition("/")[2]
    await destinations.add(app, "Warehouse", url, None)
    dataset, other = made(app, "upsert", destination="Warehouse"), made(app, "upsert", name="other")
    await ran(app, dataset)
    renamed(postgres, base, f"gone_{base}")
    datasets.delete(app, dataset.name)
    with pytest.raises(DestinationUnavailable) as told:
        await purging.purge(app, dataset.name)
    assert "--leave-table" in told.value.remedy
    with pytest.raises(UnknownName):
        datasets.restore(app, dataset.name)
    datasets.delete(app, other.name)
    with pytest.raises(UsageError, match=dataset.name):
        destinations.delete(app, "Warehouse")
    left = (await purging.purge(app, dataset.name, leave_table=True)).left
    assert left is not None
    destinations.delete(app, "Warehouse")
    renamed(postgres, f"gone_{base}", base)
    await destinations.add(app, "Warehouse", url, None)
    again = made(app, "upsert", destination="Warehouse")
    with app.database(app.store.destinations.find("Warehouse")).session(writing=True) as session:
        for statement in left.statements:
            session.execute(statement)
        session.commit()
    assert again.slug == left.name
    await ran(app, again)


def renamed(server: Server, before: str, after: str) -> None:
    sql = f"ALTER DATABASE {before} RENAME TO {after}"
    subprocess.run([server.program("psql"), *server.where, "--command", sql], check=True, capture_output=True)


async def test_a_statement_reads_only_the_databases_of_the_datasets_that_it_names(app: HastyApp, place: str) -> None:
    near = made(app, "replace", shop(DateRange(start=3, end=1)), name="near")
    far = made(app, "replace", shop(DateRange(start=3, end=1)), name="far", destination=place)
    await ran(app, near)
    await ran(app, far)
    both = look(app, "SELECT (SELECT count(*) FROM near) AS a, (SELECT count(*) FROM far) AS b")
    assert both == [{"a": len(rows_of(app, near)), "b": len(rows_of(app, far))}]
    assert {one["name"] for one in look(app, "SHOW TABLES")} == {"near", "far"}
    with pytest.raises(UsageError, match="read only where the statement names it"):
        look(app, "SELECT count(*) FROM query_table('f' || 'ar')")


async def test_looks_and_statements_end_where_the_database_does_not(app: HastyApp, place: str) -> None:
    """While its rows come, too; and the next ones are answered."""
    dataset = made(app, "replace", shop(DateRange(start=3, end=1)), destination=place)
    await ran(app, dataset)
    settings, database = app.settings, app.database(app.store.destinations.find(place))
    with database.session(writing=True) as session:
        session.execute(f"ALTER TABLE {dataset.slug} RENAME TO moved")
        session.execute(f"CREATE VIEW {dataset.slug} AS {ENDLESS} SELECT moved.* FROM moved, n")
        session.commit()
    app.settings = replace(settings, look_seconds=0, query_seconds=0)
    with pytest.raises(QueryTimeout, match="stopped"):
        tables.page(app, dataset.name, Look(), Finds())
    with pytest.raises(QueryTimeout, match="stopped"):
        look(app, f"SELECT * FROM {dataset.slug}")
    with database.session(writing=True) as session:
        session.execute(f"DROP VIEW {dataset.slug}")
        session.execute(f"ALTER TABLE moved RENAME TO {dataset.slug}")
        session.commit()
    app.settings = settings
    assert tables.page(app, dataset.name, Look(), Finds()).total == len(rows_of(app, dataset))


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"


def test_a_killed_process_leaves_a_run_that_the_next_one_ends(
    app: HastyApp, world: World, sentry: object, tmp_path: Path
) -> None:
    """Real processes, with the rows in SQLite."""
    ground = ground_of("sqlite", tmp_path / "base", None)
    asyncio.run(destinations.add(app, "file", str(ground.url), None))
    dataset = made(app, "upsert", destination="file")
    url = app.settings.url
    start(app.settings.home, url, dataset.name, at_look=12).communicate()
    assert app.store.runs.history(dataset.id, limit=1)[0].state is RunState.RUNNING
    done, _ = start(app.settings.home, url, dataset.name).communicate()
    assert done == "COMPLETE\n"
    assert column(app, dataset) == events_in(world, until=app.moment)
