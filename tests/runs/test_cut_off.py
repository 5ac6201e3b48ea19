"""The connection to PostgreSQL is lost at any piece of what goes over it.

It may have done what was asked, and nobody heard of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sentry_connector.app import App, app
from sentry_connector.datasets.definition import Definition
from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.errors import StoreUnusable
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import datasets
from sentry_connector.reports.details import AllAvailable, Details
from sentry_connector.runs.execute import attempt
from sentry_connector.simulator import Simulation
from sentry_connector.store.records import RunState, Verdict
from tests.cutting import Way, Wire, wire_to
from tests.postgres import Server

KEY = "bGV0J3MgaGF2ZSAzMiBieXRlcyBvZiBrZXkgaGVyZSE="


@pytest.fixture
def wire(postgres: Server) -> Iterator[Wire]:
    with wire_to(postgres.port) as wire:
        yield wire


class Land:
    """A store with a DataSet to which each run appends the same rows once more."""

    def __init__(self, folder: Path, sentry: Simulation, postgres: Server, wire: Wire) -> None:
        url = postgres.fresh_database()
        shared = {
            "SENTRY_URL": sentry.url,
            "SENTRY_AUTH_TOKEN": sentry.token,
            "SENTRY_CONNECTOR_HOME": str(folder / "home"),
            "SENTRY_CONNECTOR_STORAGE": str(folder / "tables"),
            "SENTRY_CONNECTOR_KEY": KEY,
            "SENTRY_CONNECTOR_KEEP_VERSIONS": "10000",
        }
        self.wire = wire
        self.direct = app({**shared, "SENTRY_CONNECTOR_DATABASE_URL": url})
        through = url.replace(f":{postgres.port}/", f":{wire.port}/")
        self._through = {**shared, "SENTRY_CONNECTOR_DATABASE_URL": through}
        details = Details(projects=("acme/shop",), duration=AllAvailable())
        definition = Definition(name="E", report="project-events", details=details, update_method=UpdateMethod.APPEND)
        datasets.create(self.direct, definition, None)
        self.commits = 0

    async def through(self, way: Way, number: int) -> bool:
        """A run over a wire that is cut there, then to its end over one that is whole; says whether it was cut."""
        asked, is_new = datasets.ask(self.direct, "E")
        assert is_new, "the run before is done"
        with app(self._through) as house:
            house.store.check()
            self.wire.cut_at(way, number)
            await self._tried(house, asked.id)
        self._free()
        await attempt(asked.id, self.direct, progress=Progress())
        run = self.direct.store.runs.get(asked.id)
        assert run is not None
        assert (run.state, run.verdict) == (RunState.DONE, Verdict.COMPLETE), run
        self.commits += 1
        versions = [one.run_id for one in datasets.versions(self.direct, "E")]
        assert versions[0] == asked.id
        assert len(set(versions)) == len(versions) == self.commits
        return self.wire.was_cut

    async def _tried(self, house: App, run_id: str) -> None:
        try:
            await attempt(run_id, house, progress=Progress())
        except StoreUnusable:
            return

    def _free(self) -> None:
        """As a minute does, after which a lease that could not be given back has lapsed."""
        for lease in self.direct.store.leases.living("dataset/", self.direct.now()):
            self.direct.store.leases.release(lease)

    def compare(self) -> None:
        """All runs have appended the same rows, each once."""
        with datasets.rows(self.direct, "E") as reader:
            ids = reader.read_all().column("event_id").to_pylist()
        assert len(ids) == self.commits * len(set(ids)) > 0


@pytest.fixture
def land(tmp_path: Path, sentry: Simulation, postgres: Server, wire: Wire) -> Iterator[Land]:
    made = Land(tmp_path, sentry, postgres, wire)
    yield made
    made.direct.close()


@pytest.mark.parametrize("way", list(Way))
async def test_cut_off_at_some_pieces_each_run_is_done_once(land: Land, way: Way) -> None:
    for number in (2, 11, 23, 38, 57, 74):
        await land.through(way, number)
    land.compare()


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("way", list(Way))
async def test_cut_off_at_any_piece_each_run_is_done_once(land: Land, way: Way) -> None:
    number = 1
    while await land.through(way, number):
        number += 1
    assert number > 50
    land.compare()
