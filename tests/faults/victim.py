"""A process of the connector that kills itself by SIGKILL at a point of its way, or is killed by whoever started it."""

from __future__ import annotations

import asyncio
import datetime as dt
import multiprocessing
import os
import signal
from collections.abc import Mapping
from multiprocessing.context import ForkServerProcess
from multiprocessing.synchronize import Event
from pathlib import Path

from sentry_connector.destinations.delta import DeltaDestination
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import backfill, datasets
from sentry_connector.reports.details import DateRange
from sentry_connector.runs import queue
from sentry_connector.runs.execute import execute
from sentry_connector.sentry.budget import Observer
from sentry_connector.sentry.client import Connection, SentryClient
from sentry_connector.sentry.reply import Reply
from sentry_connector.sentry.transport import HttpTransport
from sentry_connector.simulator import TOKEN
from sentry_connector.store.records import Run, Verdict
from sentry_connector.store.store import Store
from tests.faults.kinds import Ledger
from tests.faults.process import Destination, Fate, Strike, passing_journals
from tests.runs.acme import Hasty, HastyApp

AFTER_A_FAILURE = "store after a failure"
"""The process asks the store for something, in which the end of a run that failed stands."""

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([__name__])


class Doom(Fate):
    """Where another fate would only tell of it, the process really dies."""

    def _meet(self, strike: Strike) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class PassingTransport(HttpTransport):
    """HTTP, passing a point before and after each request."""

    fate: Fate

    async def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        self.fate.point("request")
        reply = await super().get(url, headers)
        self.fate.point("answer")
        return reply


class Victim(HastyApp):
    """The connector in a process that is going to die."""

    def __init__(self, home: Path, url: str, fate: Fate, **variables: str) -> None:
        super().__init__(home, url, TOKEN, **variables)
        self.fate = fate
        self._store = Store(self.settings.database_url)
        tables = DeltaDestination(self.settings.storage)
        self.__dict__["destination"] = Destination(tables.table, fate)

    def now(self) -> dt.datetime:
        self.fate.point("look")
        return super().now()

    @property
    def store(self) -> Store:
        self.fate.point("store")
        if any(strike.point == AFTER_A_FAILURE for strike in self.fate.strikes) and self._has_failed():
            self.fate.point(AFTER_A_FAILURE)
        return self._store

    def _has_failed(self) -> bool:
        return any(run.verdict is Verdict.FAILED for run in self._store.runs.recent())

    def client(self, connection: Connection, observer: Observer | None = None) -> SentryClient:
        transport = PassingTransport(ca_file=None, proxy=None, most_bytes=1 << 26, total_timeout=60.0)
        transport.fate = self.fate
        return SentryClient(connection, clock=Hasty(), rng=self.rng, observer=observer, transport=transport)


def start(
    home: Path,
    url: str,
    name: str,
    moment: dt.datetime,
    strike: Strike | None,
    *,
    days: DateRange | None = None,
    variables: Mapping[str, str] | None = None,
) -> tuple[ForkServerProcess, Event]:
    """Start the process; the event tells that its run begins.

    Args:
        home, url, name: the store's folder, Sentry, the DataSet.
        moment: the process's present.
        strike: where it dies; None: nowhere by itself.
        days: what it backfills, instead of a run.
        variables: of its environment.
    """
    begun = CONTEXT.Event()
    what = (home, url, name, moment, strike, days, dict(variables or {}), begun)
    process = CONTEXT.Process(target=_run, args=what, daemon=True)
    process.start()
    return process, begun


def _run(
    home: Path,
    url: str,
    name: str,
    moment: dt.datetime,
    strike: Strike | None,
    days: DateRange | None,
    variables: Mapping[str, str],
    begun: Event,
) -> None:
    victim = Victim(home, url, Doom(Ledger(), (strike,) if strike else ()), **variables)
    victim.moment = moment
    begun.set()
    with passing_journals():
        asyncio.run(gone_through(victim, name, days))


async def gone_through(app: HastyApp, name: str, days: DateRange | None) -> list[Run]:
    """A run, or a backfill, and whatever runs are left of chains, each to its end."""
    runs = []
    if days is None:
        runs.append(await datasets.run(app, name, progress=Progress()))
    else:
        backfill.begin(app, name, days)
    while left := queue.pending(app, app.store.datasets.find(name)):
        runs.append(await execute(left[0].id, app, progress=Progress()))
    return runs
