"""The connector as tests run it: real parts in a folder of their own, and a clock that stands where the test put it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sentry_connector.app import App
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations.pull import pull
from sentry_connector.reports.details import Details
from sentry_connector.reports.model import Report
from sentry_connector.settings import from_environment
from sentry_connector.store.store import Store
from tests.fresh import lay_store

NOW = dt.datetime(2026, 3, 10, 12, 0, tzinfo=dt.UTC)

Row = dict[str, object]


class StandingApp(App):
    """The connector whose present is `moment`."""

    def __init__(self, home: Path, url: str, token: str, **variables: str) -> None:
        environment = {"SENTRY_CONNECTOR_HOME": str(home), "SENTRY_URL": url, "SENTRY_AUTH_TOKEN": token} | variables
        super().__init__(from_environment(environment))
        self.moment = NOW

    @cached_property
    def store(self) -> Store:
        file = self.settings.home / "connector.db"
        if self.settings.database_url == f"sqlite:///{file}":
            lay_store(file)
        return super().store

    def now(self) -> dt.datetime:
        return self.moment


@dataclass
class HastyClock:
    """A clock whose waits are over at once, and which has moved on by as much."""

    passed: float = 0.0

    def time(self) -> float:
        return NOW.timestamp() + self.passed

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        self.passed += seconds


@dataclass(frozen=True)
class Rows:
    """What a pull brought."""

    rows: list[Row]
    warnings: tuple[str, ...]


async def pulled(app: App, report: Report, details: Details, limit: int | None = None) -> Rows:
    """The rows of a pull; a scope that is missing fails the test."""
    async with pull(report, details, app.connection(None), app, progress=Progress(), limit=limit) as result:
        assert result.incomplete == ()
        rows = [row for batch in result.batches() for row in batch.to_pylist()]
        assert len(rows) == result.rows
        return Rows(rows, result.warnings)
