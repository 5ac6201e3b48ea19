"""From a run's details to its rows in the spool: what was to be read, what was, and what is gone."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
from dataclasses import dataclass, field
from functools import partial

from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.errors import LossNotAccepted, MalformedAnswer
from sentry_connector.extraction.incomplete import ONE_SCOPE_ONLY
from sentry_connector.extraction.parts import Layout
from sentry_connector.extraction.prepare import Prepared, prepare
from sentry_connector.extraction.read import Extraction, Reader
from sentry_connector.extraction.reading import Session
from sentry_connector.extraction.retention import forgotten_before
from sentry_connector.extraction.schema import arrow_schema
from sentry_connector.extraction.scopes import Memory
from sentry_connector.extraction.spool import Spool
from sentry_connector.extraction.ways import pace_of
from sentry_connector.reports import windows
from sentry_connector.reports.details import SinceLastRun
from sentry_connector.runs import chain
from sentry_connector.runs.commit import report_key, unread_scopes
from sentry_connector.runs.house import wholly
from sentry_connector.runs.late import LateEvents
from sentry_connector.runs.marks import Marks
from sentry_connector.runs.reconcile import Reconciled, Reconciler
from sentry_connector.runs.work import Work
from sentry_connector.sentry.client import SentryClient


@dataclass(kw_only=True)
class Gathering:
    """One attempt's reading.

    Attributes:
        work: the run.
        client: asks Sentry.
        spool: takes the rows.
        marks: up to where each scope was read before.
        large: a warning, where the plan is over the limits of one run and stays one all the same.
        late: the search for late events.
    """

    work: Work
    client: SentryClient
    spool: Spool
    marks: Marks
    large: str | None = None
    late: LateEvents = field(init=False)

    def __post_init__(self) -> None:
        self.late = LateEvents(work=self.work, marks=self.marks)

    async def read(self) -> tuple[Prepared, Extraction]:
        """What was to be read, and what was.

        What the choices stood for in the last run is taken as it was. Where that leads nowhere, they are looked up and whatever
        is not read yet is read once more.
        """
        remembered = self.work.dataset.scopes
        try:
            prepared = await self._prepared(Memory(scopes=remembered))
            extraction = await self._read(prepared)
        except ONE_SCOPE_ONLY:
            if not remembered:
                raise
        else:
            stale = {scope.id for choice, scope in prepared.named.items() if remembered.get(choice) == scope}
            if not stale & {one.scope for one in extraction.incomplete}:
                await self._remember(prepared)
                return prepared, extraction
        prepared = await self._prepared(Memory(scopes=remembered, is_fresh=False))
        extraction = await self._read(prepared)
        await self._remember(prepared)
        return prepared, extraction

    async def reconciled(self, prepared: Prepared, extraction: Extraction) -> Reconciled:
        """What was read, with the rows of the table that are gone: of scopes whose turn it is, and that were read whole."""
        unread = unread_scopes(prepared, extraction)
        scopes = [
            scope
            for scope in prepared.scopes
            if scope.id in prepared.spans
            and prepared.spans[scope.id].start is None
            and scope.id not in unread
            and self._is_full_read_due(scope.id)
        ]
        vanishing, work = self.work.report.vanishing, self.work
        if vanishing is None or not scopes:
            return Reconciled(extraction=extraction)
        reconciler = Reconciler(
            session=self._session(prepared),
            vanishing=vanishing,
            table=work.table,
            holding=work.holding,
            now=work.present,
            retention=work.house.settings.retention,
        )
        return await reconciler.reconcile(extraction, scopes)

    async def _remember(self, prepared: Prepared) -> None:
        """What the choices stand for is not looked up again by the next run."""
        house, dataset = self.work.house, self.work.dataset
        if prepared.named != dataset.scopes:
            await wholly(house, lambda: house.store.datasets.remember(dataset.id, dict(prepared.named)))

    async def _prepared(self, memory: Memory) -> Prepared:
        """What the run is going to read; where an earlier attempt found that out, the same."""
        work = self.work
        prepared = await prepare(
            work.report,
            work.details,
            self.client,
            now=work.instant,
            settle=self._settle,
            watermark=self._watermark,
            lookout=self.late.lookout(),
            whole_days=work.dataset.update_method is UpdateMethod.PARTITION,
            whole_buckets=self._whole_buckets,
            surveys=self.spool.surveys or None,
            memory=memory,
        )
        if await self._becomes_a_chain(prepared):
            return await self._prepared(memory)
        if work.run.part is not None and not work.is_backfill:
            # The rest of its chain brings what the table lacks: it is not late.
            prepared = dataclasses.replace(prepared, looked_through=frozenset(prepared.spans))
        await self._keep_windows(prepared)
        await work.house.aside(lambda: self._refuse_loss(prepared))
        if prepared.surveys and not self.spool.surveys:
            await self.spool.keep_surveys(dict(prepared.surveys))
        self.spool.layout = self._layout(prepared)
        return prepared

    async def _becomes_a_chain(self, prepared: Prepared) -> bool:
        """Where the plan is over the limits, leave all but the newest days to further runs; whether that was done.

        They are stored before anything is read. Replace stays one run, since it keeps the rows of its last run alone.
        """
        work = self.work
        limits = chain.Limits.of(work.house.settings)
        most = chain.most_rows(work.report, work.details, prepared, partial(pace_of, self.client), limits)
        if most is None:
            return False
        if work.dataset.update_method is UpdateMethod.REPLACE:
            self.large = "The plan is over the limits of one run; Replace stays one run all the same."
            work.log.warning("one large run", most_rows=most)
            return False
        parts = chain.parts_of(work.run, prepared, work.details.timezone, most)
        if len(parts) == 1:  # a single day is never cut
            return False
        for part in reversed(parts[1:]):
            run = chain.run_of(part, work.dataset.id, work.instant)
            await wholly(work.house, partial(work.house.store.runs.add, run))
        await self.spool.keep_surveys(dict(prepared.surveys))
        await work.keep(part=parts[0])
        work.log.info("becomes a chain", runs=len(parts), most_rows=most)
        return True

    def _watermark(self, scope_id: str) -> dt.datetime | None:
        """Where a scope's last window ended; None where all of it is to be read."""
        return None if self._is_full_read_due(scope_id) else self.marks.read_to(scope_id)

    def _is_full_read_due(self, scope_id: str) -> bool:
        """Whether it is time to hold all rows of a scope against a full read."""
        work = self.work
        days = work.house.settings.reconcile_days
        if not days or work.report.vanishing is None or work.dataset.update_method is not UpdateMethod.UPSERT:
            return False
        before = self.marks.read_whole(scope_id)
        return before is None or work.instant - before >= dt.timedelta(days=days)

    async def _read(self, prepared: Prepared) -> Extraction:
        """Read what is not read yet. What an earlier attempt was answered may be no answer at all: it is asked for again."""
        concurrency = self.work.house.settings.concurrency
        reader = Reader(session=self._session(prepared), concurrency=concurrency)
        try:
            extraction = await reader.read(prepared.slices)
        except MalformedAnswer:
            if not self.spool.distrust():
                raise
        else:
            odd = any(one.error == MalformedAnswer.name for one in extraction.incomplete)
            if not odd or not self.spool.distrust():
                return extraction
        self.work.log.warning("kept answers are asked for again")
        return await reader.read(prepared.slices)

    def _session(self, prepared: Prepared) -> Session:
        return Session(
            client=self.client,
            report=self.work.report,
            details=self.work.details,
            spool=self.spool,
            run_id=self.work.run.id,
            clock=self.work.house.now,
            progress=self.work.progress,
            forgotten_before=forgotten_before(self.work.present, self.work.house.settings.retention),
            settle=self._settle if self._whole_buckets else None,
            surveys=prepared.surveys,
        )

    @property
    def _settle(self) -> dt.timedelta:
        return dt.timedelta(seconds=self.work.house.settings.settle)

    @property
    def _whole_buckets(self) -> bool:
        """Whether a bucket that is not over is left to the next run, since what Append has stored is never corrected."""
        dataset = self.work.dataset
        return dataset.update_method is UpdateMethod.APPEND and isinstance(dataset.details.duration, SinceLastRun)

    def _layout(self, prepared: Prepared) -> Layout:
        report, partitioned = self.work.report, self.work.dataset.update_method is UpdateMethod.PARTITION
        return Layout(
            key=report_key(report, prepared),
            first_stays=report.immutable_time,
            day_column=report.time_column if partitioned else None,
            timezone=self.work.details.timezone,
        )

    async def _keep_windows(self, prepared: Prepared) -> None:
        """The resolved windows stand in the history and in the log."""
        again = itertools.chain.from_iterable(prepared.again.values())
        distinct = tuple(dict.fromkeys([*prepared.spans.values(), *again]))
        for window in distinct:
            self.work.log.info("window", window=windows.describe(window, self.work.details.timezone))
        await self.work.keep(windows=distinct)

    def _refuse_loss(self, prepared: Prepared) -> None:
        """Replace with dates shorter than what the table holds drops rows: only with consent."""
        table, dataset, column = self.work.table, self.work.dataset, self.work.report.time_column
        starts = [window.start for window in prepared.spans.values() if window.start is not None]
        may_lose = dataset.update_method is UpdateMethod.REPLACE and not dataset.accept_loss
        if not may_lose or not starts or column is None or not table.exists():
            return
        end = max(window.end for window in prepared.spans.values())
        rows = table.count_outside(column, min(starts), end)
        if rows:
            raise LossNotAccepted(
                f"Replace would drop {rows} rows of {dataset.name!r} that lie outside the dates of this run.", rows=rows
            )


def spool_of(work: Work) -> Spool:
    """Where the run's rows are staged, with what earlier attempts left there."""
    filesystem, root = work.table.location()
    spool = Spool(
        filesystem=filesystem,
        root=root,
        epoch=work.epoch,
        attempt=f"{work.holding.lease.epoch:08d}-{work.house.rng.getrandbits(48):012x}",
        schema=arrow_schema(work.report),
        layout=Layout(),
        aside=work.house.aside,
    )
    spool.open()
    return spool
