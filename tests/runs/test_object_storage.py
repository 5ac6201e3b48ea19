"""DataSets in a store of objects: the same promises, and what goes wrong there alone."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from sentry_connector.destinations import objects
from sentry_connector.errors import DestinationUnavailable
from sentry_connector.operations import datasets
from sentry_connector.operations.doctor import doctor_of_storage
from sentry_connector.operations.query import run_query
from sentry_connector.settings import from_environment
from sentry_connector.simulator import Simulation, World
from sentry_connector.store.records import Run, Verdict
from tests.object_storage import KEY, SECRET, Fault, Request, Storage
from tests.postgres import Server
from tests.runs.acme import ALL_OF_SHOP, SHOP, HastyApp, app_in, column, events_in, made, pass_time, ran, state
from tests.runs.test_resume import REQUESTS, killed_and_gone_on_with, left_over
from tests.runs.watching import watched

METHODS = ("replace", "append", "upsert", "partition")


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(objects.PATIENCE, "max_retries", "2")


@pytest.fixture
def variables(storage: Storage) -> dict[str, str]:
    return storage.environment | {"SENTRY_CONNECTOR_STORAGE": storage.place()}


@pytest.fixture
def app(tmp_path: Path, sentry: Simulation, variables: dict[str, str]) -> Iterator[HastyApp]:
    with app_in(tmp_path, sentry, **variables) as app:
        yield app


# ---- the same promises


@pytest.mark.parametrize("method", METHODS)
async def test_a_dataset_is_kept_read_and_gone_back_to(
    method: str, app: HastyApp, world: World, storage: Storage
) -> None:
    dataset = made(app, method, ALL_OF_SHOP if method == "replace" else SHOP)
    await ran(app, dataset)
    before = events_in(world, until=app.moment)
    assert column(app, dataset) == before
    world.add_events("acme", "shop", 30)
    pass_time(app, world)
    await ran(app, dataset)
    now = events_in(world, until=app.moment)
    assert column(app, dataset) == now
    assert left_over(app, dataset) == set(), "what was staged is gone"
    assert not app.settings.home.joinpath("tables").exists(), "nothing of it is on this machine"
    oldest = min(one.version for one in datasets.versions(app, dataset.name))
    await datasets.revert(app, dataset.name, oldest)
    assert column(app, dataset) == before
    with run_query(app, f"SELECT count(*) AS n FROM {dataset.slug}") as reader:
        assert reader.read_all().to_pylist() == [{"n": len(before)}]
    assert {name.partition("/")[0] for name in storage.names(app.settings.storage)} == {dataset.id}
    datasets.delete(app, dataset.name)
    app.moment += dt.timedelta(days=31)
    datasets.delete(app, made(app, "append", name="the next one that is deleted").name)
    assert storage.names(app.settings.storage) == set()


@pytest.mark.parametrize(("method", "request_number"), [("append", REQUESTS[0]), ("partition", REQUESTS[1])])
async def test_killed_while_reading_a_run_in_a_store_is_gone_on_with_and_asks_nothing_twice(
    method: str, request_number: int, tmp_path: Path, variables: dict[str, str]
) -> None:
    killed, _ = await killed_and_gone_on_with(tmp_path, method, at_request=request_number, variables=variables)
    assert killed


async def test_killed_beside_its_commit_a_run_in_a_store_is_gone_on_with(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    killed, _ = await killed_and_gone_on_with(tmp_path, "upsert", at_look=12, variables=variables)
    assert killed


async def test_a_run_of_a_machine_that_died_is_gone_on_with_by_another(
    tmp_path: Path, variables: dict[str, str], postgres: Server
) -> None:
    shared = variables | {"SENTRY_CONNECTOR_DATABASE_URL": postgres.fresh_database(), "SENTRY_CONNECTOR_KEY": "0" * 64}
    killed, _ = await killed_and_gone_on_with(
        tmp_path / "one", "upsert", at_request=REQUESTS[2], variables=shared, machine=tmp_path / "another"
    )
    assert killed


def test_two_servers_with_a_bucket_of_one_name_are_two_places(storage: Storage, variables: dict[str, str]) -> None:
    ours = from_environment(variables).storage_place
    theirs = from_environment(variables | {"AWS_ENDPOINT_URL_S3": "https://s3.example"}).storage_place
    assert (ours, theirs) == (
        f"{variables['SENTRY_CONNECTOR_STORAGE']} at {storage.url}",
        f"{variables['SENTRY_CONNECTOR_STORAGE']} at https://s3.example",
    )


# ---- what the storage does: F41


def every(number: int, status: HTTPStatus) -> Fault:
    """Each n-th request is refused."""
    counter = itertools.count(1)
    return lambda _: status if next(counter) % number == 0 else None


@pytest.mark.parametrize("status", [HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.INTERNAL_SERVER_ERROR])
async def test_a_storage_that_throttles_is_asked_again(
    status: HTTPStatus, app: HastyApp, world: World, storage: Storage
) -> None:
    dataset = made(app, "upsert")
    storage.fault = every(4, status)
    await ran(app, dataset)
    world.add_events("acme", "shop", 30)
    pass_time(app, world)
    await ran(app, dataset)
    storage.mend()
    assert column(app, dataset) == events_in(world, until=app.moment)


@pytest.mark.parametrize("part", ["_delta_log/", "_spool/", "e00000002/"])
async def test_a_storage_that_goes_away_fails_the_run_and_the_next_one_brings_all(
    part: str, app: HastyApp, world: World, storage: Storage
) -> None:
    """Whatever it is that cannot be written: an entry of the log, the record of progress, rows."""
    dataset = made(app, "append")
    await ran(app, dataset)
    before = state(app, dataset)
    world.add_events("acme", "shop", 30)
    pass_time(app, world)
    storage.fault = lambda one: HTTPStatus.SERVICE_UNAVAILABLE if one.method == "PUT" and part in one.path else None
    run = await ran(app, dataset, Verdict.FAILED)
    assert run.error is not None
    assert (run.error.name, "doctor --storage" in run.error.remedy) == ("destination.unavailable", True)
    storage.mend()
    assert state(app, dataset) == before
    await ran(app, dataset)
    assert column(app, dataset) == events_in(world, until=app.moment)
    assert left_over(app, dataset) == set()


async def test_a_commit_whose_answer_is_lost_is_made_once(app: HastyApp, world: World, storage: Storage) -> None:
    """The entry is there, and the storage said that it failed: asked again, it says that somebody was first."""
    lost = []

    def lose(one: Request) -> HTTPStatus | None:
        if one.method == "PUT" and "_delta_log/" in one.path and one.name not in lost:
            lost.append(one.name)
            return HTTPStatus.INTERNAL_SERVER_ERROR
        return None

    dataset = made(app, "append")
    storage.after = lose
    run = await ran(app, dataset)
    assert lost
    assert column(app, dataset) == events_in(world, until=app.moment)
    assert (run.rows_written, len(datasets.versions(app, dataset.name))) == (len(column(app, dataset)), 1)


async def test_a_storage_that_goes_away_while_rows_are_read_is_told_as_such(app: HastyApp, storage: Storage) -> None:
    """And not as a mistake in the SQL."""
    dataset = made(app, "append")
    await ran(app, dataset)
    storage.fault = lambda one: HTTPStatus.SERVICE_UNAVAILABLE if one.name.endswith(".parquet") else None
    with pytest.raises(DestinationUnavailable), run_query(app, f"SELECT * FROM {dataset.slug}") as reader:
        reader.read_all()
    with pytest.raises(DestinationUnavailable):
        column(app, dataset)


# ---- before anything is asked of Sentry


async def refused(folder: Path, world: World, **variables: str) -> Run:
    """The run that fails before Sentry is asked, as the doctor says too."""
    with watched(world) as (sentry, watch), app_in(folder, sentry, **variables) as app:
        run = await ran(app, made(app, "append"), Verdict.FAILED)
        assert watch.seen == []
        (check,) = await doctor_of_storage(app)
        assert run.error is not None
        assert (check.ok, check.error) == (False, run.error.name)
        return run


async def test_a_storage_that_overwrites_is_refused(
    tmp_path: Path, world: World, storage: Storage, variables: dict[str, str]
) -> None:
    storage.keeps_conditions = False
    run = await refused(tmp_path, world, **variables)
    assert run.error is not None
    assert (run.error.name, "If-None-Match" in run.error.remedy) == ("storage.unsafe", True)
    assert storage.names(variables["SENTRY_CONNECTOR_STORAGE"]) == set()


async def test_a_bucket_that_is_not_there_is_named(tmp_path: Path, world: World, variables: dict[str, str]) -> None:
    run = await refused(tmp_path, world, **variables | {"SENTRY_CONNECTOR_STORAGE": "s3://missing/tables"})
    assert run.error is not None
    assert (run.error.name, run.error.message) == (
        "destination.refused",
        "The bucket of s3://missing/tables is not there.",
    )


async def test_credentials_that_are_not_taken_are_told_as_such(
    tmp_path: Path, world: World, storage: Storage, variables: dict[str, str]
) -> None:
    storage.fault = lambda _: HTTPStatus.FORBIDDEN
    run = await refused(tmp_path, world, **variables)
    assert run.error is not None
    assert (run.error.name, "AWS_ACCESS_KEY_ID" in run.error.remedy) == ("destination.refused", True)
    assert KEY not in run.error.message


async def test_a_storage_that_was_seen_to_keep_writers_apart_is_not_tried_again(
    app: HastyApp, world: World, storage: Storage
) -> None:
    dataset = made(app, "append")
    await ran(app, dataset)
    assert [one for one in storage.asked if "_proof/" in one.path and one.method == "PUT"]
    storage.asked.clear()
    pass_time(app, world)
    await ran(app, dataset)
    assert not [one for one in storage.asked if "_proof/" in one.path and one.method == "PUT"]


# ---- secrets


def contents(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


async def test_the_credentials_stand_nowhere(app: HastyApp, world: World, storage: Storage, tmp_path: Path) -> None:
    """Neither where all goes well, nor where the storage's answers repeat them."""
    dataset = made(app, "append")
    await ran(app, dataset)
    world.add_events("acme", "shop", 5)
    pass_time(app, world)
    storage.fault = lambda one: HTTPStatus.FORBIDDEN if one.method == "PUT" else None
    await ran(app, dataset, Verdict.FAILED)
    storage.mend()
    found = contents(tmp_path)
    filesystem, root = app.destination.table(dataset.id).location()
    for name in storage.names(f"{app.settings.storage}/{dataset.id}"):
        with filesystem.open_input_stream(f"{root}/{name}") as stream:
            found.append(stream.read())
    found += [
        json.dumps(app.settings.described()).encode(),
        repr(app.settings).encode(),
        repr(app.destination).encode(),
    ]
    assert len(found) > 8
    for secret in (KEY, SECRET):
        assert not [one for one in found if secret.encode() in one]
