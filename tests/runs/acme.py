"""DataSets of the simulated acme: made, run, read, and what must stand in them."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentry_connector.datasets.definition import Definition
from sentry_connector.destinations.delta import DeltaDestination
from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import datasets
from sentry_connector.reports.details import AllAvailable, Details, Duration, SinceLastRun
from sentry_connector.reports.model import Grain
from sentry_connector.sentry.budget import Observer
from sentry_connector.sentry.client import Connection, SentryClient
from sentry_connector.simulator import Fault, Faults, Simulation, World
from sentry_connector.store.records import DataSet, Run, Verdict
from tests.parts import NOW, Row, StandingApp

EVENTS = "project-events"
SHOP = Details(projects=("acme/shop",), duration=SinceLastRun())
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


class Hasty:
    """Sentry's waits are over at once; the leases' heartbeats keep the real time."""

    def __init__(self) -> None:
        self.passed = 0.0

    def time(self) -> float:
        return NOW.timestamp() + self.passed

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        self.passed += seconds


class HastyApp(StandingApp):
    """The connector whose present is `moment`, and which waits for no server."""

    def client(self, connection: Connection, observer: Observer | None = None) -> SentryClient:
        return SentryClient(connection, clock=Hasty(), rng=self.rng, observer=observer)


@dataclass
class Broken(Faults):
    """A server that fails for ever on every request that contains `path`, or one of them, but for the first `spared`.

    Without a path it is well.
    """

    rate: float = 0.0
    path: str | tuple[str, ...] | None = None
    spared: int = 0

    def strike(self, target: str) -> Fault | None:
        paths = (self.path,) if isinstance(self.path, str) else self.path or ()
        if not any(path in target for path in paths):
            return None
        self.spared -= 1
        return Fault.INTERNAL_ERROR if self.spared < 0 else None


class BusyApp(HastyApp):
    """The connector in a process that is slow with its tables: somebody does something just before it comes to them."""

    meanwhile: Callable[[], object] | None = None

    @property
    def destination(self) -> DeltaDestination:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        found: DeltaDestination = super().destination
        return found


def small_world(**size: Any) -> World:
    return World.build(now=NOW, **({"events": 400, "issues": 40, "feedback": 20, "repositories": 3} | size))


def app_in(folder: Path, sentry: Simulation, **variables: str) -> HastyApp:
    return HastyApp(folder, sentry.url, sentry.token, **variables)


def made(app: StandingApp, method: str, details: Details = SHOP, report: str = EVENTS, **more: Any) -> DataSet:
    """A new DataSet with the environment's token, named after its report and update method."""
    fields = {"name": f"{report} {method}", "report": report, "details": details, "update_method": method, **more}
    definition = Definition(**fields | {"update_method": UpdateMethod(method)})
    return datasets.create(app, definition, None)


def shop(duration: Duration, **more: Any) -> Details:
    return Details(projects=("acme/shop",), duration=duration, **more)


ALL_OF_SHOP = shop(AllAvailable())


async def ran(app: StandingApp, dataset: DataSet, verdict: Verdict = Verdict.COMPLETE) -> Run:
    """The DataSet's next run, which must end with that verdict."""
    run = await datasets.run(app, dataset.name, progress=Progress())
    assert run.verdict is verdict, run
    return run


def rows_of(app: StandingApp, dataset: DataSet, version: int | None = None) -> list[Row]:
    with datasets.rows(app, dataset.name, version) as reader:
        rows: list[Row] = reader.read_all().to_pylist()
    return rows


def column(app: StandingApp, dataset: DataSet, name: str = "event_id", version: int | None = None) -> list[object]:
    return sorted((row[name] for row in rows_of(app, dataset, version)), key=str)


def watermarks(app: StandingApp, dataset: DataSet) -> dict[str, int]:
    """Up to where each scope was read, without what is kept beside that."""
    found = app.destination.table(dataset.id).watermarks()
    return {name: mark for name, mark in found.items() if name.partition(":")[0] in set(Grain)}


def state(app: StandingApp, dataset: DataSet) -> tuple[object, ...]:
    """All that a failed run must leave as it was."""
    table = app.destination.table(dataset.id)
    versions = [(one.version, one.rows) for one in table.versions()]
    return sorted(map(repr, rows_of(app, dataset))), versions, table.watermarks(), table.epoch()


def events_in(world: World, project: str = "shop", until: dt.datetime | None = None) -> list[str]:
    """The ids of the project's events, up to where a run at `until` reads (one minute before it)."""
    end = float("inf") if until is None else until.timestamp() - 60
    return sorted(event.id for event in world.project("acme", project).events if event.time < end)


def pass_time(app: StandingApp, world: World, by: dt.timedelta = 2 * HOUR) -> None:
    world.advance(by.total_seconds())
    app.moment += by


def doubled(values: list[object]) -> dict[object, int]:
    return {value: number for value, number in Counter(values).items() if number > 1}
