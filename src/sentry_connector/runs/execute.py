"""`execute(run_id)`: one resumable function from a DataSet's definition to a commit and a verdict.

Called again after a crash it goes on where it was: finished slices are in the spool, the instant and the epoch are in the
store, and a commit that was already made is recognised by its epoch.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import errno
import itertools
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from sentry_connector.destinations.delta import Delta
from sentry_connector.destinations.looks import Selection, by_hour
from sentry_connector.destinations.model import Committed, UpdateMethod
from sentry_connector.errors import (
    AccessDenied,
    ConnectorError,
    DestinationError,
    DiskFull,
    Locked,
    LossNotAccepted,
    TableChanged,
    TokenMissing,
    TokenRejected,
    UnknownName,
)
from sentry_connector.extraction.incomplete import ONE_SCOPE_ONLY
from sentry_connector.extraction.late import LATEST, Lookout
from sentry_connector.extraction.prepare import Prepared, prepare
from sentry_connector.extraction.progress import Progress
from sentry_connector.extraction.read import Extraction, Reader
from sentry_connector.extraction.reading import Session
from sentry_connector.extraction.schema import arrow_schema
from sentry_connector.extraction.scopes import Memory
from sentry_connector.extraction.spool import Layout, Spool
from sentry_connector.extraction.ways import pace_of
from sentry_connector.redact import Redactor
from sentry_connector.reports import catalogue, windows
from sentry_connector.reports.details import DateRange, Details, SinceLastRun
from sentry_connector.reports.model import Report
from sentry_connector.reports.scopes import Scope
from sentry_connector.runs import chain
from sentry_connector.runs.commit import commit_of, full_name, late_name, report_key, unread_scopes, watermark_name
from sentry_connector.runs.house import House
from sentry_connector.runs.lease import Holding, held
from sentry_connector.runs.log import Log, run_log
from sentry_connector.runs.outcome import Outcome, drift_warnings
from sentry_connector.runs.reconcile import Reconciled, Reconciler
from sentry_connector.sentry.client import SentryClient
from sentry_connector.store.records import (
    Account,
    AccountStatus,
    DataSet,
    Missing,
    Problem,
    Run,
    RunState,
    Trigger,
    Verdict,
)

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


async def execute(run_id: str, house: House, *, progress: Progress, wait_lock: float = 0.0) -> Run:
    """Bring a run to its end and answer its record; a run that has ended is answered as it is.

    A failure is recorded in the run (verdict FAILED, `error`), not raised. Cancellation of the task is raised and leaves the
    run as it is, to be gone on with.

    Args:
        run_id: the run, stored before.
        house: the parts.
        progress: told of every page.
        wait_lock: seconds to wait for another process that works on the same DataSet.

    Raises:
        Locked: another process works on the same DataSet.
        UnknownName: there is no such run.
        StoreUnusable: the store cannot be read or written.
    """
    async with held(house, f"dataset/{_stored(run_id, house).dataset_id}", wait=wait_lock) as holding:
        run = _stored(run_id, house)
        if run.state is RunState.DONE:
            return run
        dataset = _dataset_of(run, house)
        redactor = Redactor(_secrets(dataset, house))
        with run_log(house.logs, run_id, redactor) as log:
            table = house.destination.table(dataset.id)
            return await _Attempt(house, dataset, table, progress, log, redactor, holding, run).to_its_end()


def instant_of(run: Run) -> dt.datetime:
    """The instant that relative dates count from: the slot of a schedule, or when the run was asked for."""
    return run.slot or run.queued_at


def account_of(dataset: DataSet, house: House) -> Account | None:
    """The DataSet's account; None where it uses the environment's token.

    Raises:
        TokenMissing: the account was deleted. The environment's token, which may be somebody else's, does not step in.
    """
    if dataset.account_id is None:
        return None
    account = house.store.accounts.get(dataset.account_id)
    if account is None:
        raise TokenMissing(
            f"The account of {dataset.name!r} was deleted.",
            remedy="Choose another one: `sentry-connector datasets edit NAME --account ACCOUNT`.",
        )
    return account


def _stored(run_id: str, house: House) -> Run:
    run = house.store.runs.get(run_id)
    if run is None:
        raise UnknownName("run", run_id)
    return run


def _dataset_of(run: Run, house: House) -> DataSet:
    dataset = house.store.datasets.get(run.dataset_id)
    if dataset is None:
        raise UnknownName("DataSet", run.dataset_id)
    return dataset


@dataclass
class _Attempt:
    """One attempt at a run, under the DataSet's lease."""

    house: House
    dataset: DataSet
    table: Delta
    progress: Progress
    log: Log
    redactor: Redactor
    holding: Holding
    run: Run
    large: str | None = None

    @property
    def report(self) -> Report:
        """What is pulled.

        Raises:
            UnknownName: the catalogue does not have the report (any more).
        """
        return catalogue.find(self.dataset.report)

    @property
    def details(self) -> Details:
        """What is read: the DataSet's details, with the days of the run where it is one of a chain."""
        part = self.run.part
        if part is None:
            return self.dataset.details
        return msgspec.structs.replace(self.dataset.details, duration=DateRange(start=part.start, end=part.end))

    @property
    def is_backfill(self) -> bool:
        """Whether it reads earlier days, so that it is not where the next run goes on from."""
        return self.run.trigger is Trigger.BACKFILL

    @property
    def epoch(self) -> int:
        """The run's place among the DataSet's runs."""
        if self.run.epoch is None:
            raise ValueError("a run has its epoch before it does anything")
        return self.run.epoch

    async def to_its_end(self) -> Run:
        """Do it, and store how it ended."""
        try:
            await self._begin()
            outcome = self._committed_before() or await self._outcome()
        except Locked:
            raise  # whoever has the lease, or gets through to the store, goes on with the run and tells how it ends
        except ConnectorError as error:
            outcome = self._failed(error)
        except OSError as error:
            outcome = self._failed(_as_disk_error(error))
        except Exception as error:  # a defect of ours: the run must still have an end that says so
            self.log.exception("unexpected")
            outcome = Outcome(verdict=Verdict.FAILED, error=ConnectorError(f"{type(error).__name__}: {error}"))
        self._store_end(outcome)
        if outcome.committed is None and self.run.epoch is not None:
            await self._sweep(before=self.run.epoch + 1)
        return self.run

    async def _begin(self) -> None:
        """Take the run's epoch, once, before anything is read; all that goes on with the run shares it.

        Where the DataSet was edited since, the spool holds slices of something else: the run begins anew, at its old instant.
        """
        run, now = self.run, self.house.now()
        edited = run.started_at is not None and self.dataset.updated_at > run.started_at
        fresh = run.epoch is None or (edited and self.table.committed(run.epoch) is None)
        if fresh:
            epoch = self.house.store.datasets.next_epoch(run.dataset_id, self.table.epoch())
            self.run = msgspec.structs.replace(run, epoch=epoch, started_at=now)
        self._keep(state=RunState.RUNNING)
        self.log.info("run begins", dataset=self.dataset.name, report=self.dataset.report, epoch=self.epoch)
        if fresh:
            await self._sweep(before=self.epoch)

    async def _sweep(self, *, before: int) -> None:
        """Delete what runs before that epoch staged and never committed. What fails here the next run tries again."""
        try:
            await self.holding.aside(lambda: self.table.sweep(before))
        except (ConnectorError, OSError) as error:
            self.log.warning("sweep failed", error=str(error))

    def _committed_before(self) -> Outcome | None:
        """The outcome of a run whose process died between its commit and its end."""
        committed = self.table.committed(self.epoch)
        if committed is None:
            return None
        self.log.info("the table has this run's commit already", version=committed.version)
        return Outcome.of_commit(committed)

    async def _outcome(self) -> Outcome:
        if self.table.epoch() > self.epoch:
            raise TableChanged(f"A later run has committed to {self.dataset.name!r} meanwhile; this one is overtaken.")
        connection = self.house.connection(account_of(self.dataset, self.house))
        known = self.table.watermarks()
        spool = self._spool()
        async with self.house.client(connection, self.progress.wait) as client:
            try:
                prepared, extraction = await self._gathered(client, spool, known)
                reconciled = await self._reconciled(client, spool, prepared, extraction, known)
            finally:
                self.progress.used(client.usage)
        return await self._commit(prepared, reconciled, spool, known)

    def _latest(self, extraction: Extraction) -> dict[str, dt.datetime]:
        """Scope → the time up to which, by the server's own clock, whatever happened could be read.

        What an earlier attempt read shows no more than what there was then.
        """
        began: dict[str, float] = {}
        for record in extraction.records:
            if record.began is not None:
                began[record.scope_id] = min(record.began, began.get(record.scope_id, record.began))
        settle = self.house.settings.settle
        return {scope: dt.datetime.fromtimestamp(at - settle, dt.UTC) for scope, at in began.items()}

    async def _gathered(
        self, client: SentryClient, spool: Spool, known: Mapping[str, int]
    ) -> tuple[Prepared, Extraction]:
        """What was to be read, and what was.

        What the choices stood for in the last run is taken as it was. Where that leads nowhere, they are looked up and whatever
        is not read yet is read once more.
        """
        remembered = self.dataset.scopes
        try:
            prepared = await self._prepared(client, spool, known, Memory(scopes=remembered))
            extraction = await self._read(client, spool, prepared)
        except ONE_SCOPE_ONLY:
            if not remembered:
                raise
        else:
            stale = {scope.id for choice, scope in prepared.named.items() if remembered.get(choice) == scope}
            if not stale & {one.scope for one in extraction.incomplete}:
                self._remember(prepared)
                return prepared, extraction
        prepared = await self._prepared(client, spool, known, Memory(scopes=remembered, is_fresh=False))
        extraction = await self._read(client, spool, prepared)
        self._remember(prepared)
        return prepared, extraction

    def _remember(self, prepared: Prepared) -> None:
        """What the choices stand for is not looked up again by the next run."""
        if prepared.named != self.dataset.scopes:
            self.house.store.datasets.remember(self.dataset.id, dict(prepared.named))

    async def _prepared(self, client: SentryClient, spool: Spool, known: Mapping[str, int], memory: Memory) -> Prepared:
        """What the run is going to read; where an earlier attempt found that out, the same."""
        prepared = await prepare(
            self.report,
            self.details,
            client,
            now=instant_of(self.run),
            settle=dt.timedelta(seconds=self.house.settings.settle),
            watermark=lambda scope: self._watermark(scope, known),
            lookout=self._lookout(known),
            whole_days=self.dataset.update_method is UpdateMethod.PARTITION,
            surveys=spool.surveys or None,
            memory=memory,
        )
        if self._becomes_a_chain(client, spool, prepared):
            return await self._prepared(client, spool, known, memory)
        if self.run.part is not None and not self.is_backfill:
            # The rest of its chain brings what the table lacks: it is not late.
            prepared = dataclasses.replace(prepared, looked_through=frozenset(prepared.spans))
        self._keep_windows(prepared)
        self._refuse_loss(prepared)
        if prepared.surveys and not spool.surveys:
            spool.keep_surveys(dict(prepared.surveys))
        spool.layout = self._layout(prepared)
        return prepared

    def _becomes_a_chain(self, client: SentryClient, spool: Spool, prepared: Prepared) -> bool:
        """Where the plan is over the limits, leave all but the newest days to further runs; whether that was done.

        They are stored before anything is read. Replace stays one run, since it keeps the rows of its last run alone.
        """
        settings = self.house.settings
        limits = chain.Limits(seconds=settings.run_minutes * 60, bytes=settings.run_mib * 2**20)
        most = chain.most_rows(self.report, self.details, prepared, partial(pace_of, client), limits)
        if most is None:
            return False
        if self.dataset.update_method is UpdateMethod.REPLACE:
            self.large = "The plan is over the limits of one run; Replace stays one run all the same."
            self.log.warning("one large run", most_rows=most)
            return False
        parts = chain.parts_of(self.run, prepared, self.details.timezone, most)
        if len(parts) == 1:  # a single day is never cut
            return False
        for part in reversed(parts[1:]):
            self.house.store.runs.add(chain.run_of(part, self.dataset.id, instant_of(self.run)))
        spool.keep_surveys(dict(prepared.surveys))
        self._keep(part=parts[0])
        self.log.info("becomes a chain", runs=len(parts), most_rows=most)
        return True

    def _watermark(self, scope_id: str, known: Mapping[str, int]) -> dt.datetime | None:
        """Where a scope's last window ended; None where all of it is to be read."""
        if self._is_full_read_due(scope_id, known):
            return None
        return _instant(known.get(watermark_name(scope_id, self.details)))

    def _is_full_read_due(self, scope_id: str, known: Mapping[str, int]) -> bool:
        """Whether it is time to hold all rows of a scope against a full read."""
        days = self.house.settings.reconcile_days
        if not days or self.report.vanishing is None or self.dataset.update_method is not UpdateMethod.UPSERT:
            return False
        before = _instant(known.get(full_name(scope_id, self.details)))
        return before is None or instant_of(self.run) - before >= dt.timedelta(days=days)

    async def _reconciled(
        self, client: SentryClient, spool: Spool, prepared: Prepared, extraction: Extraction, known: Mapping[str, int]
    ) -> Reconciled:
        """What was read, with the rows of the table that are gone: of scopes whose turn it is, and that were read whole."""
        unread = unread_scopes(prepared, extraction)
        scopes = [
            scope
            for scope in prepared.scopes
            if scope.id in prepared.spans
            and prepared.spans[scope.id].start is None
            and scope.id not in unread
            and self._is_full_read_due(scope.id, known)
        ]
        if self.report.vanishing is None or not scopes:
            return Reconciled(extraction=extraction)
        reconciler = Reconciler(
            session=self._session(client, spool, prepared),
            vanishing=self.report.vanishing,
            table=self.table,
            holding=self.holding,
            now=max(instant_of(self.run), self.house.now()),
            retention=_retention(self.house),
        )
        return await reconciler.reconcile(extraction, scopes)

    def _lookout(self, known: Mapping[str, int]) -> Lookout | None:
        """When and by what late events are looked for."""
        now, hours = instant_of(self.run), self.house.settings.late_hours
        if not hours:
            return None

        def since(scope: Scope) -> dt.datetime | None:
            before = _instant(known.get(late_name(scope.id, self.details)))
            if before is None:
                return now - LATEST
            return before - LATEST if now - before >= dt.timedelta(hours=hours) else None

        return Lookout(since=since, held=self._held)

    async def _held(self, scope: Scope, start: dt.datetime, end: dt.datetime) -> Mapping[int, int]:
        """What the table has of a scope, hour by hour."""
        column, item = self.report.time_column, self.report.counted_column
        if column is None or item is None:
            raise ValueError(f"{self.report.slug} has nothing that is counted by the hour")
        selection = Selection(marks=scope.rows, time=column, start=start, end=end)

        def look() -> Mapping[int, int]:
            stored = self.table.snapshot()
            return {} if stored is None else by_hour(stored, selection, item)

        return await self.holding.aside(look)

    async def _read(self, client: SentryClient, spool: Spool, prepared: Prepared) -> Extraction:
        session = self._session(client, spool, prepared)
        return await Reader(session=session, concurrency=self.house.settings.concurrency).read(prepared.slices)

    def _session(self, client: SentryClient, spool: Spool, prepared: Prepared) -> Session:
        return Session(
            client=client,
            report=self.report,
            details=self.details,
            spool=spool,
            run_id=self.run.id,
            clock=self.house.now,
            progress=self.progress,
            surveys=prepared.surveys,
        )

    async def _commit(
        self,
        prepared: Prepared,
        reconciled: Reconciled,
        spool: Spool,
        known: Collection[str],
    ) -> Outcome:
        extraction = reconciled.extraction
        incomplete = (*prepared.incomplete, *extraction.incomplete)
        for one in incomplete:
            self.log.warning("scope is not whole", scope=one.label, reason=one.reason, error=one.error)
        outcome = Outcome.of_reading(
            tuple(Missing(scope=one.label, reason=self.redactor.redact(one.reason)) for one in incomplete),
            rows_read=sum(record.rows for record in extraction.records if record.pages),  # others were looked up
            warnings=(
                *filter(None, [self.large]),
                *extraction.warnings,
                *reconciled.warnings,
                *drift_warnings(extraction),
            ),
        )
        if incomplete and self.dataset.update_method is UpdateMethod.REPLACE:
            return outcome
        unread = unread_scopes(prepared, extraction)
        whole = {record.slice_id for record in extraction.records if record.scope_id not in unread}
        commit = commit_of(
            msgspec.structs.replace(self.dataset, details=self.details) if self.is_backfill else self.dataset,
            self.report,
            prepared,
            extraction,
            await spool.staged(whole),
            run_id=self.run.id,
            epoch=self.epoch,
            schema=spool.schema,
            now=instant_of(self.run),
            present=max(instant_of(self.run), self.house.now()),
            retention=_retention(self.house),
            skip_stored=isinstance(self.dataset.details.duration, SinceLastRun),
            known=known,
            latest=self._latest(extraction),
            reconciled=reconciled.scopes,
            findings=outcome.findings(),
        )
        committed = await self.holding.aside(lambda: self.table.commit(commit))
        self.log.info("committed", version=committed.version, written=committed.written)
        return outcome.with_commit(committed).warned(*await self._maintained())

    async def _maintained(self) -> tuple[str, ...]:
        """Keep the table fast and small. What fails here can wait for the next run: the rows are in the table."""
        now, keep = self.house.now(), self.house.settings.keep_versions
        try:
            await self.holding.aside(lambda: self.table.maintain(now=now, keep_versions=keep))
        except (DestinationError, OSError) as error:
            self.log.warning("maintenance failed", error=str(error))
            return (f"The table was not tidied up after the commit; the next run will try again: {error}",)
        return ()

    def _spool(self) -> Spool:
        """Where the run's rows are staged, with what earlier attempts left there."""
        filesystem, root = self.table.location()
        spool = Spool(
            filesystem=filesystem,
            root=root,
            epoch=self.epoch,
            attempt=f"{self.holding.lease.epoch:08d}-{self.house.rng.getrandbits(48):012x}",
            schema=arrow_schema(self.report),
            layout=Layout(),
            aside=self.house.aside,
        )
        spool.open()
        return spool

    def _layout(self, prepared: Prepared) -> Layout:
        partitioned = self.dataset.update_method is UpdateMethod.PARTITION
        return Layout(
            key=report_key(self.report, prepared),
            first_stays=self.report.immutable_time,
            day_column=self.report.time_column if partitioned else None,
            timezone=self.details.timezone,
        )

    def _keep_windows(self, prepared: Prepared) -> None:
        """The resolved windows stand in the history and in the log."""
        again = itertools.chain.from_iterable(prepared.again.values())
        distinct = tuple(dict.fromkeys([*prepared.spans.values(), *again]))
        for window in distinct:
            self.log.info("window", window=windows.describe(window, self.details.timezone))
        self._keep(windows=distinct)

    def _keep(self, **facts: Any) -> None:
        """Store facts of the run, unless another process has taken it over meanwhile."""
        self.run = msgspec.structs.replace(self.run, **facts)
        self.holding.renew()
        self.house.store.runs.save(self.run)

    def _refuse_loss(self, prepared: Prepared) -> None:
        """Replace with dates shorter than what the table holds drops rows: only with consent."""
        starts = [window.start for window in prepared.spans.values() if window.start is not None]
        may_lose = self.dataset.update_method is UpdateMethod.REPLACE and not self.dataset.accept_loss
        if not may_lose or not starts or self.report.time_column is None or not self.table.exists():
            return
        end = max(window.end for window in prepared.spans.values())
        rows = self.table.count_outside(self.report.time_column, min(starts), end)
        if rows:
            raise LossNotAccepted(
                f"Replace would drop {rows} rows of {self.dataset.name!r} that lie outside the dates of this run.",
                rows=rows,
            )

    def _failed(self, error: ConnectorError) -> Outcome:
        self.log.error("run failed", error=error.name, message=error.message, remedy=error.remedy)
        if isinstance(error, TokenRejected | AccessDenied):
            self._mark_account_invalid(error)
        return Outcome(verdict=Verdict.FAILED, error=error)

    def _mark_account_invalid(self, error: ConnectorError) -> None:
        account = account_of(self.dataset, self.house)
        if account is not None:
            found = {
                "status": AccountStatus.INVALID,
                "checked_at": self.house.now(),
                "message": self._redacted(error).message,
            }
            self.house.store.accounts.save(msgspec.structs.replace(account, **found))

    def _store_end(self, outcome: Outcome) -> None:
        run, progress = self.run, self.progress
        committed = outcome.committed or Committed(version=-1)
        self._keep(
            state=RunState.DONE,
            verdict=outcome.verdict,
            finished_at=self.house.now(),
            rows_read=outcome.rows_read,
            rows_written=committed.written,
            rows_updated=committed.updated,
            rows_deleted=committed.deleted,
            requests=run.requests + progress.requests,
            waited_seconds=run.waited_seconds + progress.waited_seconds,
            bytes=run.bytes + progress.bytes,
            table_version=outcome.committed.version if outcome.committed else None,
            warnings=outcome.warnings,
            incomplete=outcome.incomplete,
            error=self._redacted(outcome.error) if outcome.error else None,
        )
        self.log.info("run ends", verdict=outcome.verdict, rows_read=self.run.rows_read, requests=self.run.requests)

    def _redacted(self, error: ConnectorError) -> Problem:
        """The error as it is stored: servers and libraries may repeat what they were sent."""
        problem, redact = Problem(**error.as_dict()), self.redactor.redact
        return msgspec.structs.replace(problem, message=redact(problem.message), remedy=redact(problem.remedy))


def _instant(microseconds: int | None) -> dt.datetime | None:
    """A watermark as an instant."""
    return None if microseconds is None else _EPOCH + dt.timedelta(microseconds=microseconds)


def _as_disk_error(error: OSError) -> ConnectorError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull(f"No space is left where {error.filename or 'the table'} lies; the table is as it was.")
    return ConnectorError(f"{type(error).__name__}: {error}")


def _retention(house: House) -> dt.timedelta | None:
    """How long Sentry keeps events, where somebody has said it."""
    days = house.settings.retention_days
    return None if days is None else dt.timedelta(days=days)


def _secrets(dataset: DataSet, house: House) -> list[str]:
    """What no log and no stored error may hold: the tokens, the vault's key, the proxy's password."""
    found = [house.settings.auth_token, house.settings.key, _password(house.settings.proxy)]
    with contextlib.suppress(ConnectorError):  # an account that cannot be opened has no secret to give away
        found.append(house.connection(account_of(dataset, house)).token)
    return [secret for secret in found if secret]


def _password(url: str | None) -> str | None:
    """The password in an address, decoded; the whole address where it is none, so that no part of it is shown."""
    try:
        password = urlsplit(url or "").password
    except ValueError:
        return url
    return unquote(password) if password else None
