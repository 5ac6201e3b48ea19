"""A full read held against the table: rows that the list does not show any more are looked up, and marked where they are gone.

Only a scope that was read whole is looked at, and of its rows only those younger than what Sentry keeps: an older one may be
missing because Sentry forgot it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.fs as pafs

from sentry_connector.destinations.looks import absent, rows_of
from sentry_connector.destinations.model import Selection, Table
from sentry_connector.destinations.query import Snapshot, Source, as_files
from sentry_connector.extraction.incomplete import ONE_SCOPE_ONLY
from sentry_connector.extraction.parts import SpoolFile
from sentry_connector.extraction.read import Extraction
from sentry_connector.extraction.reading import Session
from sentry_connector.extraction.retention import kept_since
from sentry_connector.extraction.spool import SliceRecord
from sentry_connector.extraction.vanished import gone
from sentry_connector.reports.model import DELETED_AT, MOVED_TO, Vanishing
from sentry_connector.reports.scopes import Scope
from sentry_connector.runs.lease import Holding


@dataclass(frozen=True, kw_only=True, slots=True)
class Reconciled:
    """What was read, with the rows that were looked up.

    Attributes:
        extraction: the slices, with one more for each scope that was looked at.
        scopes: ids of the scopes that were looked at to the end.
        warnings: why others were not.
    """

    extraction: Extraction
    scopes: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Reconciler:
    """Looks for the rows of one run's scopes that are gone.

    Attributes:
        session: what the run's reading shares.
        vanishing: how items are looked up.
        table, holding: the table, and the lease under which it is looked at.
        now: the run's instant: when a row is found to be gone.
        retention: how long Sentry keeps events; None where nobody has said it.
    """

    session: Session
    vanishing: Vanishing
    table: Table
    holding: Holding
    now: dt.datetime
    retention: dt.timedelta | None

    async def reconcile(self, extraction: Extraction, scopes: Sequence[Scope]) -> Reconciled:
        """Look at the rows of these scopes, each of which was read whole and from the beginning."""
        stored = await self.holding.aside(self.table.snapshot)
        if stored is None:
            return Reconciled(extraction=extraction, scopes=frozenset(scope.id for scope in scopes))
        done: dict[str, SliceRecord] = {}
        warnings = []
        async with self._in_files(stored) as files:
            for scope in scopes:
                records = [record for record in extraction.records if record.scope_id == scope.id]
                try:
                    done[scope.id] = await self._scope(scope, records, files)
                except ONE_SCOPE_ONLY as error:
                    warnings.append(f"Which rows of {scope.label} are gone could not be found out: {error.message}")
        return Reconciled(
            extraction=replace(extraction, records=(*extraction.records, *done.values())),
            scopes=frozenset(done),
            warnings=tuple(warnings),
        )

    @contextlib.asynccontextmanager
    async def _in_files(self, stored: Source) -> AsyncIterator[Snapshot]:
        """The table's rows, copied once for all scopes where they lie in a database."""
        with contextlib.ExitStack() as stack:
            yield await self.holding.aside(lambda: stack.enter_context(as_files(stored)))

    async def _scope(self, scope: Scope, records: Sequence[SliceRecord], stored: Snapshot) -> SliceRecord:
        spool, name = self.session.spool, f"{scope.id.replace(':', '-').replace('@', '')}-vanished"
        before = spool.record(name)
        if before is not None:
            return before
        files = await spool.staged({record.slice_id for record in records})
        read, part = self._snapshot(files), self._part(scope, records)
        item = self.vanishing.item
        ids = await self.holding.aside(lambda: absent(stored, read, part, item, DELETED_AT))
        found = await gone(self.session, self.vanishing, scope, ids)
        rows = await self.holding.aside(lambda: rows_of(stored, part, item, found, spool.schema))
        writer = spool.writer(name, scope.id)
        for batch in rows:
            await writer.add(self._marked(batch, found))
        return writer.finish()

    def _part(self, scope: Scope, records: Sequence[SliceRecord]) -> Selection:
        """The rows of a scope that Sentry would still keep."""
        if self.session.report.time_column is None:
            raise ValueError(f"{self.session.report.slug} has no time to tell what Sentry still keeps")
        oldest = min((record.oldest for record in records if record.oldest is not None), default=None)
        start = kept_since(self.now, self.retention, oldest)
        return Selection(marks=scope.rows, time=self.session.report.time_column, start=start)

    def _snapshot(self, files: Sequence[SpoolFile]) -> Snapshot:
        """What was read, for a query."""
        filesystem, root = self.table.location()
        return Snapshot(
            files=tuple(f"{root}/{file.path}" for file in files),
            schema=self.session.spool.schema,
            filesystem=None if isinstance(filesystem, pafs.LocalFileSystem) else filesystem,
        )

    def _marked(self, batch: pa.RecordBatch, found: Mapping[str, str | None]) -> pa.RecordBatch:
        """Stored rows with what became of them."""
        moved = [found[id_] for id_ in batch[self.vanishing.item].to_pylist()]
        count = batch.num_rows
        news = {
            DELETED_AT: [self.now] * count,
            MOVED_TO: moved,
            "_run_id": [self.session.run_id] * count,
            "_extracted_at": [self.session.clock()] * count,
        }
        columns = [
            pa.array(news[field.name], field.type) if field.name in news else batch[field.name]
            for field in batch.schema
        ]
        return pa.RecordBatch.from_arrays(columns, schema=batch.schema)
