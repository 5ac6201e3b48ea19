"""`execute(run_id)`: one resumable function from a DataSet's definition to a commit and a verdict.

Called again after a crash it goes on where it was: finished slices are in the spool, the instant and the epoch are in the
store, and a commit that was already made is recognised by its epoch.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import errno
from dataclasses import dataclass

import msgspec

from sentry_connector.destinations.model import Commit, Committed, UpdateMethod
from sentry_connector.errors import (
    Cancelled,
    ConnectorError,
    DestinationError,
    DiskFull,
    Locked,
    StoreUnreachable,
    TableChanged,
    TokenRejected,
    UnknownName,
    disk_error,
    of_the_system,
)
from sentry_connector.extraction.prepare import Prepared
from sentry_connector.extraction.progress import Progress
from sentry_connector.extraction.read import Extraction
from sentry_connector.reports.details import SinceLastRun
from sentry_connector.runs import check, retry
from sentry_connector.runs.commit import commit_of, unread_scopes
from sentry_connector.runs.gather import Gathering, spool_of
from sentry_connector.runs.house import House, wholly
from sentry_connector.runs.lease import Holding, held
from sentry_connector.runs.log import Lines, bound_log, run_lines
from sentry_connector.runs.marks import Marks
from sentry_connector.runs.measure import measure
from sentry_connector.runs.outcome import Outcome, drift_warnings
from sentry_connector.runs.reconcile import Reconciled
from sentry_connector.runs.shared_log import shown_to_all
from sentry_connector.runs.watch import figures_of, watched
from sentry_connector.runs.work import Work, account_of, redactor_of
from sentry_connector.sentry.client import Connection
from sentry_connector.store.processes import for_people
from sentry_connector.store.records import DataSet, Missing, Retry, Run, RunState, Verdict


async def execute(run_id: str, house: House, *, progress: Progress, wait_lock: float = 0.0) -> Run:
    """Bring a run to its end and answer its record; a run that has ended is answered as it is.

    A failure is recorded in the run (verdict FAILED, `error`), not raised; a run of a schedule may then be RETRYING, with
    `not_before`. Cancellation of the task is raised and leaves the run as it is, to be gone on with; the run itself is
    cancelled by `store.runs.ask_to_stop`.

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
    done = await attempt(run_id, house, progress=progress, wait_lock=wait_lock)
    return await house.aside(lambda: _stored(run_id, house)) if done is None else done


async def attempt(run_id: str, house: House, *, progress: Progress, wait_lock: float = 0.0) -> Run | None:
    """As `execute`; None where the run had ended before."""
    stored = await house.aside(lambda: _stored(run_id, house))
    if stored.state is RunState.DONE:  # as is often found by one of several engines: that costs the others nothing
        return None
    async with held(house, f"dataset/{stored.dataset_id}", wait=wait_lock) as holding:
        run = await house.aside(lambda: _stored(run_id, house))
        if run.state is RunState.DONE:
            return None
        dataset = await house.aside(lambda: _dataset_of(run, house))
        facts = {"run": run.id, "dataset": dataset.slug, "report": dataset.report, "trigger": run.trigger.value}
        with run_lines(house.logs, run_id) as lines, house.tracer.span("run", **facts) as span:
            work = await house.aside(lambda: _work(house, dataset, progress, lines, holding, run))
            async with shown_to_all(house, run_id, lines):
                done = await _Attempt(work).to_its_end()
            span.note(verdict=done.verdict or done.state, rows_read=done.rows_read, requests=done.requests)
            if done.error is not None and done.verdict is not Verdict.CANCELLED:
                span.failed(done.error.name)
            return done


def _work(house: House, dataset: DataSet, progress: Progress, lines: Lines, holding: Holding, run: Run) -> Work:
    redactor = redactor_of(dataset, house)
    return Work(
        house=house,
        dataset=dataset,
        table=house.table(dataset),
        progress=progress,
        log=bound_log(lines, redactor, run.id),
        lines=lines,
        redactor=redactor,
        holding=holding,
        run=run,
    )


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


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One attempt at a run: begun, committed, ended."""

    work: Work

    async def to_its_end(self) -> Run:
        """Do it, and store how it ended."""
        try:
            await self._begin()
            async with watched(self.work.house, self.work.run, self.work.progress):
                outcome = await self._committed_before() or await self._outcome()
        except (Locked, StoreUnreachable):
            raise  # whoever has the lease, or gets through to the store, goes on with the run and tells how it ends
        except Cancelled as error:
            outcome = await self._cancelled(error)
        except asyncio.CancelledError:
            await self._leave()
            raise
        except ConnectorError as error:
            outcome = self._failed(error)
        except OSError as error:
            outcome = self._failed(_as_disk_error(error))
        except BaseException as error:
            known = of_the_system(error)
            if known is None and not isinstance(error, Exception):
                raise
            outcome = self._failed(known) if known else self._failed_unexpectedly(error)
        await self._store_end(outcome)
        if outcome.committed is not None:
            await self._measure()
        if outcome.committed is None and self.work.run.epoch is not None and self.work.run.state is RunState.DONE:
            await self._sweep(before=self.work.epoch + 1)
        return self.work.run

    async def _begin(self) -> None:
        """Take the run's epoch, once, before anything is read; all that goes on with the run shares it.

        Where the DataSet was edited since, the spool holds slices of something else: the run begins anew, at its old instant.
        """
        work, run, now = self.work, self.work.run, self.work.house.now()
        if await work.house.aside(lambda: work.house.store.runs.is_to_stop(run.id)):
            raise Cancelled("The run was cancelled." if run.attempts else "The run was cancelled before it began.")
        await work.holding.aside(work.table.mend)
        if run.epoch is None:
            # It is new, or the store was restored to before it began: then the table knows it by its id.
            known, began = run.id, run.started_at or now
            epoch = await work.house.aside(lambda: work.table.epoch_of(known))
            run = work.run = msgspec.structs.replace(run, epoch=epoch, started_at=began)
        edited = run.started_at is not None and work.dataset.updated_at > run.started_at
        fresh = run.epoch is None or (edited and await self._commit_of(run.epoch) is None)
        if fresh:
            epoch = await work.holding.aside(
                lambda: work.house.store.datasets.next_epoch(work.dataset.id, work.table.highest_epoch())
            )
            work.run = msgspec.structs.replace(run, epoch=epoch, started_at=now)
        work.run = retry.begun(work.run, now, for_people(work.holding.lease.holder))
        await work.keep(state=RunState.RUNNING)
        facts = {"dataset": work.dataset.name, "report": work.dataset.report, "epoch": work.epoch}
        work.log.info("run begins", attempt=work.run.attempt, **facts)
        if fresh:
            await self._sweep(before=work.epoch)

    async def _sweep(self, *, before: int) -> None:
        """Delete what runs before that epoch staged and never committed. What fails here the next run tries again."""
        try:
            await self.work.holding.aside(lambda: self.work.table.sweep(before))
        except (ConnectorError, OSError) as error:
            self.work.log.warning("sweep failed", error=str(error))

    async def _commit_of(self, epoch: int) -> Committed | None:
        return await self.work.house.aside(lambda: self.work.table.committed(epoch))

    async def _measure(self) -> None:
        """Keep how large the table is now, for lists. What fails here costs them the figure, and no rows."""
        try:
            await self.work.holding.aside(lambda: measure(self.work.house, self.work.dataset, self.work.table))
        except (ConnectorError, OSError) as error:
            self.work.log.warning("table not measured", error=str(error))

    async def _committed_before(self) -> Outcome | None:
        """The outcome of a run whose process died between its commit and its end."""
        committed = await self._commit_of(self.work.epoch)
        if committed is None:
            return None
        self.work.log.info("the table has this run's commit already", version=committed.version)
        return Outcome.of_commit(committed)

    async def _outcome(self) -> Outcome:
        work = self.work
        if await work.house.aside(work.table.epoch) > work.epoch:
            raise TableChanged(f"A later run has committed to {work.dataset.name!r} meanwhile; this one is overtaken.")
        account = await work.house.aside(lambda: account_of(work.dataset, work.house))
        connection = await work.house.aside(lambda: work.connection(account))
        try:
            gathering, prepared, reconciled = await self._gathered(connection)
        except TokenRejected as error:
            if account is not None:
                message = work.redacted(error).message
                await wholly(work.house, lambda: check.refused(work.house, account, message))
            raise
        outcome = self._of_reading(prepared, reconciled, gathering.large)
        if outcome.incomplete and work.dataset.update_method is UpdateMethod.REPLACE:
            return outcome
        return await self._commit(outcome, prepared, reconciled, gathering)

    async def _gathered(self, connection: Connection) -> tuple[Gathering, Prepared, Reconciled]:
        """Read what is to be committed."""
        work = self.work
        marks = Marks(known=await work.house.aside(work.table.watermarks), details=work.details)
        async with work.house.client(connection, work.progress.wait) as client:
            spool = await work.house.aside(lambda: spool_of(work))
            gathering = Gathering(work=work, client=client, spool=spool, marks=marks)
            try:
                prepared, extraction = await gathering.read()
                reconciled = await gathering.reconciled(prepared, extraction)
            finally:
                gathering.spool.close()
                work.progress.used(client.usage)
        return gathering, prepared, reconciled

    def _of_reading(self, prepared: Prepared, reconciled: Reconciled, large: str | None) -> Outcome:
        """What reading found: what is missing, and what else there is to say."""
        extraction, redact = reconciled.extraction, self.work.redactor.redact
        incomplete = (*prepared.incomplete, *extraction.incomplete)
        for one in incomplete:
            self.work.log.warning("scope is not whole", scope=one.label, reason=one.reason, error=one.error)
        return Outcome.of_reading(
            tuple(Missing(scope=one.label, reason=redact(one.reason)) for one in incomplete),
            rows_read=sum(record.rows for record in extraction.records if record.pages),  # others were looked up
            warnings=(
                *filter(None, [large]),
                *extraction.warnings,
                *reconciled.warnings,
                *drift_warnings(extraction),
            ),
            drift=tuple(path for path, _ in extraction.drift.most_common()),
        )

    async def _commit(
        self, outcome: Outcome, prepared: Prepared, reconciled: Reconciled, gathering: Gathering
    ) -> Outcome:
        work, extraction, spool = self.work, reconciled.extraction, gathering.spool
        unread = unread_scopes(prepared, extraction)
        whole = {record.slice_id for record in extraction.records if record.scope_id not in unread}
        commit = commit_of(
            msgspec.structs.replace(work.dataset, details=work.details) if work.is_backfill else work.dataset,
            work.report,
            prepared,
            extraction,
            await spool.staged(whole),
            run_id=work.run.id,
            epoch=work.epoch,
            schema=spool.schema,
            now=work.instant,
            present=work.present,
            retention=work.house.settings.retention,
            skip_stored=isinstance(work.dataset.details.duration, SinceLastRun),
            known=gathering.marks.known,
            latest=self._latest(extraction),
            reconciled=reconciled.scopes,
            findings=outcome.findings(),
        )
        committed = await work.holding.aside(lambda: work.table.commit(commit))
        work.log.info("committed", version=committed.version, written=committed.written)
        await work.house.aside(lambda: self._remember_counts(gathering, prepared, commit))
        return outcome.with_commit(committed).warned(*await self._maintained())

    def _remember_counts(self, gathering: Gathering, prepared: Prepared, commit: Commit) -> None:
        """Spare the next search for late events what this one has looked at. What fails here costs requests and no rows."""
        try:
            gathering.late.remember(prepared.surveys, commit.watermarks)
        except OSError as error:
            self.work.log.warning("counts not remembered", error=str(error))

    def _latest(self, extraction: Extraction) -> dict[str, dt.datetime]:
        """Scope → the time up to which, by the server's own clock, whatever happened could be read.

        What an earlier attempt read shows no more than what there was then.
        """
        began: dict[str, float] = {}
        for record in extraction.records:
            if record.began is not None:
                began[record.scope_id] = min(record.began, began.get(record.scope_id, record.began))
        settle = self.work.house.settings.settle
        return {scope: dt.datetime.fromtimestamp(at - settle, dt.UTC) for scope, at in began.items()}

    async def _maintained(self) -> tuple[str, ...]:
        """Keep the table fast and small. What fails here can wait for the next run: the rows are in the table."""
        work, keep = self.work, self.work.house.settings.keep_versions
        now = work.house.now()
        try:
            await work.holding.aside(lambda: work.table.maintain(now=now, keep_versions=keep))
        except (DestinationError, OSError) as error:
            work.log.warning("maintenance failed", error=str(error))
            return (f"The table was not tidied up after the commit; the next run will try again: {error}",)
        return ()

    async def _cancelled(self, error: Cancelled) -> Outcome:
        """Somebody asked the run to stop; where its commit was made before that was heard, the run has ended well."""
        committed = await self._committed_before() if self.work.run.epoch is not None else None
        if committed is not None:
            return committed
        self.work.log.info("run cancelled")
        return Outcome(verdict=Verdict.CANCELLED, error=error)

    async def _leave(self) -> None:
        """The process is asked to stop: the run is left to be gone on with."""
        with contextlib.suppress(ConnectorError):
            self.work.run = retry.left(self.work.run)
            await self.work.keep(**figures_of(self.work.run, self.work.progress))
            self.work.log.info("run left, to be gone on with")

    def _failed_unexpectedly(self, error: BaseException) -> Outcome:
        """A defect of ours: the run must still have an end that says so."""
        self.work.log.error("unexpected", exc_info=error)
        return Outcome(verdict=Verdict.FAILED, error=ConnectorError(f"{type(error).__name__}: {error}"))

    def _failed(self, error: ConnectorError) -> Outcome:
        self.work.log.error("run failed", error=error.name, message=error.message, remedy=error.remedy)
        return Outcome(verdict=Verdict.FAILED, error=error)

    def _retry(self) -> Retry | None:
        """How the run is tried again as the DataSet is now: not where it was paused or deleted meanwhile."""
        dataset = self.work.house.store.datasets.get(self.work.dataset.id)
        return None if dataset is None or dataset.paused or dataset.deleted_at is not None else dataset.retry

    async def _store_end(self, outcome: Outcome) -> None:
        work, run, now = self.work, self.work.run, self.work.house.now()
        error = work.redacted(outcome.error) if outcome.error else None
        again = retry.next_attempt(run, await work.house.aside(self._retry), outcome, now)
        figures = figures_of(run, work.progress)
        await work.keep(
            state=RunState.DONE if again is None else RunState.RETRYING,
            verdict=outcome.verdict if again is None else None,
            finished_at=now if again is None else None,
            not_before=again,
            attempts=retry.ended(run, outcome, figures, error, now),
            table_version=outcome.committed.version if outcome.committed else None,
            warnings=(*outcome.warnings, *_dropped(work.lines)),
            drift=outcome.drift,
            incomplete=outcome.incomplete,
            error=error,
            **outcome.rows(),
            **figures,
        )
        facts = {"verdict": outcome.verdict, "rows_read": work.run.rows_read, "requests": work.run.requests}
        if again is None:
            work.log.info("run ends", **facts)
        else:
            work.log.info("attempt ends", attempt=run.attempt, next_attempt_at=again, **facts)


def _dropped(lines: Lines) -> tuple[str, ...]:
    return (f"{lines.dropped} lines of the run's log could not be written.",) if lines.dropped else ()


def _as_disk_error(error: OSError) -> ConnectorError:
    if isinstance(error, ConnectionError):
        return disk_error(error, "The storage of the tables")
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull(f"No space is left where {error.filename or 'the table'} lies; the table is as it was.")
    return of_the_system(error) or ConnectorError(f"{type(error).__name__}: {error}")
