"""The connector as tests run it: real parts in a folder of their own, and a clock that stands where the test put it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from sentry_connector.app import App
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations.pull import pull
from sentry_connector.reports.details import Details
from sentry_connector.reports.model import Report
from sentry_connector.settings import from_environment

NOW = dt.datetime(2026, 3, 10, 12, 0, tzinfo=dt.UTC)

Row = dict[str, object]


class StandingApp(App):
    """The connector whose present is `moment`."""

    def __init__(self, home: Path, url: str, token: str, **variables: str) -> None:
        environment = {"SENTRY_CONNECTOR_HOME": str(home), "SENTRY_URL": url, "SENTRY_AUTH_TOKEN": token} | variables
        super().__init__(from_environment(environment))
        self.moment = NOW

    def now(self) -> dt.datetime:
        return self.moment


async def pulled_rows(app: App, report: Report, details: Details, limit: int | None = None) -> list[Row]:
    """The rows of a pull; what is missing or odd fails the test."""
    async with pull(report, details, app.connection(None), app, progress=Progress(), limit=limit) as pulled:
        assert pulled.incomplete == ()
        assert pulled.warnings == ()
        rows = [row for batch in pulled.batches() for row in batch.to_pylist()]
        assert len(rows) == pulled.rows
        return rows
