"""`sentry_connector.open()`: everything that the command line can do, from Python, by the same operations.

All calls wait for their end, also where an event loop runs, as in a notebook. Records come back as they are stored; errors are
those of `sentry_connector.errors`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

import pyarrow as pa

from sentry_connector.app import App, app
from sentry_connector.library.accounts import Accounts
from sentry_connector.library.datasets import DataSets
from sentry_connector.library.house import Open
from sentry_connector.library.loop import Loop
from sentry_connector.library.rows import Rows
from sentry_connector.library.runs import Runs
from sentry_connector.operations import accounts as operations
from sentry_connector.operations import choices, doctor
from sentry_connector.operations.choices import Choice
from sentry_connector.operations.query import run_query
from sentry_connector.reports import catalogue
from sentry_connector.reports.model import Report
from sentry_connector.sentry.doctor import Check


class Query(Rows):
    """The rows of a query; it is done anew each time when they are asked for."""

    def __init__(self, house: App, sql: str) -> None:
        self._house = house
        self._sql = sql

    @property
    def schema(self) -> pa.Schema:
        """The columns, as an Arrow schema."""
        with run_query(self._house, self._sql) as reader:
            return reader.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, a batch at a time; memory does not grow with their number."""
        with run_query(self._house, self._sql) as reader:
            yield from reader

    def to_arrow(self) -> pa.Table:
        """All rows as an Arrow table."""
        with run_query(self._house, self._sql) as reader:
            return reader.read_all()


class Connector:
    """An open connector. A context manager; it may be used by several threads.

    Attributes:
        accounts: stored Sentry tokens.
        datasets: tables that stay up to date.
        runs: what was run, and how it ended.
    """

    def __init__(self, house: App) -> None:
        self._open = Open(house, Loop())
        self.accounts = Accounts(self._open)
        self.datasets = DataSets(self._open)
        self.runs = Runs(self._open)

    def query(self, sql: str) -> Query:
        """One read-only SELECT over the DataSets, each a view under its slug; done when its rows are asked for.

        `connector.datasets`, `connector.runs`, `connector.slots` and `connector.notices` tell about them.
        """
        return Query(self._open.house, sql)

    def reports(self) -> Sequence[Report]:
        """The catalogue: what can be pulled."""
        return catalogue.CATALOGUE

    def choices(self, menu: str, *, account: str | None = None, organization: Sequence[str] | str = ()) -> list[Choice]:
        """What the menu `organizations`, `projects` or `teams` offers now.

        Raises:
            UnknownName: there is no such menu or account.
            ConnectorError: Sentry could not be asked.
        """
        narrowed = (organization,) if isinstance(organization, str) else tuple(organization)
        connection = operations.connection(self._open.house, account)
        return self._open.wait(lambda: choices.choices(self._open.house, connection, menu, narrowed))

    def doctor(self, *, account: str | None = None, storage: bool = False) -> list[Check]:
        """Checks of everything that a run needs, or of the tables' `storage` alone; a failure is a result, not an error."""
        if storage:
            return self._open.wait(lambda: doctor.doctor_of_storage(self._open.house))
        connection = operations.connection(self._open.house, account)
        return self._open.wait(lambda: doctor.doctor(self._open.house, connection))

    def close(self) -> None:
        """Let go of the store and of what is shared with other processes."""
        self._open.loop.close()
        self._open.house.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_connector(home: str | Path | None = None, *, env: Mapping[str, str] | None = None) -> Connector:
    """Open the connector, with the settings of the environment.

    Args:
        home: the folder of its database, key and tables, in place of SENTRY_CONNECTOR_HOME.
        env: the environment, in place of this process's.

    Raises:
        UsageError: a setting is wrong; the error names its variable.
    """
    settings = dict(os.environ if env is None else env)
    if home is not None:
        settings["SENTRY_CONNECTOR_HOME"] = str(home)
    house = app(settings)
    if house.actor is not None:
        house.actor = house.actor._replace(via="Python")  # for the audit log
    return Connector(house)
