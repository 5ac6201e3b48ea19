"""Pull: one report, read once, straight to whoever wants the rows. Nothing is stored."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import importlib
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sentry_connector.extraction.explain import Outlook, SlicePlan, explained, outlook
from sentry_connector.extraction.incomplete import Incomplete
from sentry_connector.extraction.prepare import Prepared, prepare
from sentry_connector.extraction.progress import Progress
from sentry_connector.extraction.retention import forgotten_before
from sentry_connector.extraction.ways import Choose, cheapest, pace_of
from sentry_connector.reports import menus, windows
from sentry_connector.reports.details import Details
from sentry_connector.reports.model import Report
from sentry_connector.runs.house import House
from sentry_connector.runs.outcome import drift_warnings
from sentry_connector.sentry.client import Connection, SentryClient

if TYPE_CHECKING:
    import pyarrow as pa

    from sentry_connector.extraction.parts import SpoolFile
    from sentry_connector.extraction.read import Reader
    from sentry_connector.extraction.spool import Spool

FOLDER_PREFIX = "sentry-connector-"

EPOCH = 0
"""A pull commits nothing, so that its epoch orders nothing."""

OnWindows = Callable[[tuple[str, ...]], None]
"""Is told the resolved dates, one line each."""


@dataclass(frozen=True, kw_only=True)
class Pulled:
    """The rows of one pull, in files of their own until the pull is closed.

    Attributes:
        report: what was pulled.
        schema: the columns.
        rows: how many rows there are.
        windows: the resolved dates, one line each.
        incomplete: what is missing, and why; empty means that the pull is COMPLETE.
        warnings: sentences about what a user should know.
        limited: reading stopped at the number of rows that was asked for.
    """

    report: Report
    schema: pa.Schema
    rows: int
    windows: tuple[str, ...]
    incomplete: tuple[Incomplete, ...]
    warnings: tuple[str, ...]
    limited: bool
    _spool: Spool
    _files: tuple[SpoolFile, ...]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, a part at a time; memory does not grow with their number."""
        left = self.rows
        for batch in self._spool.batches(self._files):
            yield batch.slice(0, left)
            left -= min(batch.num_rows, left)


@contextlib.asynccontextmanager
async def pull(
    report: Report,
    details: Details,
    connection: Connection,
    house: House,
    *,
    progress: Progress,
    limit: int | None = None,
    on_windows: OnWindows | None = None,
) -> AsyncIterator[Pulled]:
    """As `pull_into`, in a folder of its own, which is removed at the end of the block."""
    with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX) as folder:
        yield await pull_into(
            Path(folder), report, details, connection, house, progress=progress, limit=limit, on_windows=on_windows
        )


async def pull_into(
    folder: Path,
    report: Report,
    details: Details,
    connection: Connection,
    house: House,
    *,
    progress: Progress,
    limit: int | None = None,
    on_windows: OnWindows | None = None,
    choose: Choose = cheapest,
) -> Pulled:
    """Read a report into files in a folder.

    Args:
        folder: an empty folder.
        report: what is wanted.
        details: the chosen values; they are checked here, before anything is asked of Sentry.
        connection: where and as whom.
        house: the parts.
        progress: told of every page.
        limit: stop after so many rows; the pull then counts as complete, "limited by request".
        on_windows: told the resolved dates before anything is read.
        choose: picks among equal ways to the rows.

    Raises:
        UsageError: the details are wrong.
        ConnectorError: nothing could be read.
    """
    details = menus.check(report, details, storing=False)
    now = house.now()
    async with house.client(connection, progress.wait) as client:
        try:
            loading = asyncio.ensure_future(house.aside(_load_arrow))  # while Sentry is asked who is there
            prepared = await _prepared(report, details, client, house, now, look=limit is None)
            if on_windows is not None:
                on_windows(_described(prepared, details))
            await loading
            spool = _spool(report, folder, house)
            reader = _reader(report, details, client, house, spool, prepared, now, progress, limit, choose)
            extraction = await reader.read(prepared.slices)
            files = await spool.staged({record.slice_id for record in extraction.records})
        finally:
            progress.used(client.usage)
    return Pulled(
        report=report,
        schema=spool.schema,
        rows=min(sum(file.rows for file in files), sys.maxsize if limit is None else limit),
        windows=_described(prepared, details),
        incomplete=(*prepared.incomplete, *extraction.incomplete),
        warnings=(*extraction.warnings, *drift_warnings(extraction)),
        limited=any(record.limited for record in extraction.records),
        _spool=spool,
        _files=files,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Explained:
    """What a pull would do.

    Attributes:
        windows: the resolved dates, one line each.
        slices: what would be read, and how.
        outlook: what all of it takes.
        incomplete: choices that stand for nothing, while others do.
        asked: requests that the plan itself took: the lists of the menus, and the counts of events.
    """

    windows: tuple[str, ...]
    slices: tuple[SlicePlan, ...]
    outlook: Outlook
    incomplete: tuple[Incomplete, ...]
    asked: int


async def explain(
    report: Report,
    details: Details,
    connection: Connection,
    house: House,
    *,
    limit: int | None = None,
    choose: Choose = cheapest,
) -> Explained:
    """The plan of a pull. Sentry is asked what the plan itself needs, and for no row.

    Args:
        report, details, connection, house, choose: as `pull_into`.
        limit: rows after which the pull would stop; nobody counts the rows beforehand then.

    Raises:
        ConnectorError: as `pull_into`.
    """
    details = menus.check(report, details, storing=False)
    async with house.client(connection) as client:
        prepared = await _prepared(report, details, client, house, house.now(), look=limit is None)
        pace = partial(pace_of, client)
        slices = explained(report, details, prepared.slices, prepared.surveys, pace, choose)
        return Explained(
            windows=_described(prepared, details),
            slices=slices,
            outlook=outlook(slices, pace),
            incomplete=prepared.incomplete,
            asked=client.usage.requests,
        )


async def _prepared(
    report: Report, details: Details, client: SentryClient, house: House, now: dt.datetime, *, look: bool = True
) -> Prepared:
    """As `prepare`; `look`: ask where the rows lie, which a few rows are not worth."""
    settle = dt.timedelta(seconds=house.settings.settle)
    return await prepare(report, details, client, now=now, settle=settle, strict=True, surveys=None if look else {})


def _load_arrow() -> None:
    """Import what reading takes: it is half of what a pull loads, and nothing is asked of Sentry for it."""
    importlib.import_module("sentry_connector.extraction.read")


def _spool(report: Report, folder: Path, house: House) -> Spool:
    import pyarrow.fs as pafs

    from sentry_connector.extraction.parts import Layout
    from sentry_connector.extraction.schema import arrow_schema
    from sentry_connector.extraction.spool import Spool

    return Spool(
        filesystem=pafs.LocalFileSystem(),
        root=str(folder),
        epoch=EPOCH,
        attempt="pull",
        schema=arrow_schema(report),
        layout=Layout(key=report.key, first_stays=report.immutable_time),
        aside=house.aside,
        keeps_answers=False,
    )


def _reader(
    report: Report,
    details: Details,
    client: SentryClient,
    house: House,
    spool: Spool,
    prepared: Prepared,
    now: dt.datetime,
    progress: Progress,
    limit: int | None,
    choose: Choose,
) -> Reader:
    from sentry_connector.extraction.read import Reader
    from sentry_connector.extraction.reading import Session

    session = Session(
        client=client,
        report=report,
        details=details,
        spool=spool,
        run_id=f"pull@{now:%Y%m%dT%H%M%SZ}",
        clock=house.now,
        progress=progress,
        forgotten_before=forgotten_before(now, house.settings.retention),
        surveys=prepared.surveys,
        row_limit=limit,
    )
    return Reader(session=session, concurrency=house.settings.concurrency, choose=choose)


def _described(prepared: Prepared, details: Details) -> tuple[str, ...]:
    distinct = dict.fromkeys(prepared.spans.values())
    return tuple(windows.describe(window, details.timezone) for window in distinct)
