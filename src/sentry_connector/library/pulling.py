"""`sentry_connector.pull(...)`: one report, and nothing is stored."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

import pyarrow as pa

from sentry_connector.app import App, app
from sentry_connector.errors import RunIncomplete
from sentry_connector.extraction.progress import Progress
from sentry_connector.extraction.ways import Choose, cheapest
from sentry_connector.library.loop import Loop
from sentry_connector.library.rows import Rows
from sentry_connector.operations.pull import FOLDER_PREFIX, Pulled, pull_into
from sentry_connector.reports import catalogue, menus
from sentry_connector.reports.details import Details
from sentry_connector.sentry.client import Connection


class Pull(Rows):
    """The rows of one report. They lie in files until `close`, so that results larger than memory can be streamed.

    A context manager; without `with` the files go when the object does.

    Attributes:
        rows: how many rows there are.
        windows: the resolved dates, one line each.
        warnings: sentences about what a user should know.
        incomplete: what is missing, as (scope, reason); empty unless `allow_incomplete` was given.
    """

    def __init__(self, pulled: Pulled, close: Callable[[], None]) -> None:
        self._pulled = pulled
        self._close = close
        self.rows = pulled.rows
        self.windows = pulled.windows
        self.warnings = pulled.warnings
        self.incomplete = tuple((one.label, one.reason) for one in pulled.incomplete)

    @property
    def schema(self) -> pa.Schema:
        """The columns, as an Arrow schema."""
        return self._pulled.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, a batch at a time; memory does not grow with their number."""
        return self._pulled.batches()

    def close(self) -> None:
        """Remove the files."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def __len__(self) -> int:
        return self.rows


def pull(
    report: str,
    *,
    token: str | None = None,
    url: str | None = None,
    account: str | None = None,
    organization: str | Sequence[str] = (),
    project: str | Sequence[str] = (),
    team: str | Sequence[str] = (),
    issue: str | int | None = None,
    stat: str | None = None,
    resolution: str | None = None,
    date: str | None = None,
    days_back: int | None = None,
    start: str | None = None,
    end: str | None = None,
    start_days_back: int | None = None,
    end_days_back: int | None = None,
    last_days: int | None = None,
    all_available: bool = False,
    timezone: str = "UTC",
    with_bodies: bool = False,
    limit: int | None = None,
    allow_incomplete: bool = False,
    choose: Choose = cheapest,
) -> Pull:
    """Read one report and answer its rows.

    The arguments are those of `sentry-connector pull`; several values are given as a list. It may be called where an event loop
    runs, as in a notebook.

    Args:
        report: name, alias or slug.
        token, url: as whom and where; by default SENTRY_AUTH_TOKEN and SENTRY_URL.
        account: a stored account instead.
        organization, project, team: slugs or ids; `"*"` = all.
        issue: an issue's id, short id or address.
        stat, resolution: for the counts reports.
        date, days_back: one day. start, end, start_days_back, end_days_back, last_days: a range, both ends included.
        all_available: everything that Sentry still has.
        timezone: the zone that days are counted in.
        with_bodies: events with their full bodies.
        limit: stop after so many rows.
        allow_incomplete: answer what could be read where something is missing, instead of raising.
        choose: picks among equal ways to the same rows, by the rows that are expected and the server's pace.

    Raises:
        UsageError: an argument is wrong; nothing was asked of Sentry.
        RunIncomplete: a scope is missing, and `allow_incomplete` was not given.
        ConnectorError: nothing could be read; see `sentry_connector.errors`.
    """
    found = catalogue.find(report)
    details = Details(
        organizations=_several(organization),
        projects=_several(project),
        teams=_several(team),
        issue=None if issue is None else str(issue),
        stat=stat,
        resolution=resolution,
        timezone=timezone,
        bodies=with_bodies,
        duration=menus.duration_from_options(
            date=date,
            days_back=days_back,
            start=start,
            end=end,
            start_days_back=start_days_back,
            end_days_back=end_days_back,
            last_days=last_days,
            all_available=all_available,
        ),
    )
    folder = tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX)
    try:
        with app(os.environ) as house, Loop() as loop:
            connection = _connection(house, token, url, account)
            pulled = loop.run(
                lambda: pull_into(
                    Path(folder.name),
                    found,
                    details,
                    connection,
                    house,
                    progress=Progress(),
                    limit=limit,
                    choose=choose,
                )
            )
    except BaseException:
        folder.cleanup()
        raise
    result = Pull(pulled, folder.cleanup)
    if pulled.incomplete and not allow_incomplete:
        result.close()
        reasons = "; ".join(f"{one.label}: {one.reason}" for one in pulled.incomplete)
        raise RunIncomplete(
            f"Not everything could be read. {reasons}", remedy="Pass allow_incomplete=True to take the rest."
        )
    return result


def _connection(house: App, token: str | None, url: str | None, account: str | None) -> Connection:
    if account is not None:
        return house.connection(house.store.accounts.find(account))
    if token is not None:
        return house.with_token(url or house.settings.url, token)
    connection = house.connection(None)
    return connection if url is None else house.with_token(url, connection.token)


def _several(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
