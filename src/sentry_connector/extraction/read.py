"""Slices are read: many at a time, each by the cheapest way to its rows, into the spool."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from sentry_connector.errors import (
    ConnectorError,
    CredentialError,
    MalformedAnswer,
    NotFound,
    RequestRefused,
    ScopeMissing,
    SentryUnavailable,
)
from sentry_connector.extraction import lists, ways
from sentry_connector.extraction.incomplete import ONE_SCOPE_ONLY, Incomplete
from sentry_connector.extraction.plan import Alternative, Slice, alternative, alternatives
from sentry_connector.extraction.reading import Reading, Session
from sentry_connector.extraction.spool import SliceRecord
from sentry_connector.extraction.ways import Choose, chosen, pace_of
from sentry_connector.reports.model import Endpoint


@dataclass(frozen=True, kw_only=True, slots=True)
class Extraction:
    """What reading brought.

    Attributes:
        records: the finished slices, in the order of the plan.
        incomplete: scopes of which a slice failed.
    """

    records: tuple[SliceRecord, ...]
    incomplete: tuple[Incomplete, ...] = ()

    @property
    def rows(self) -> int:
        """Rows of all finished slices."""
        return sum(record.rows for record in self.records)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the slices have to say, each sentence once."""
        return tuple(dict.fromkeys(text for record in self.records for text in record.warnings))

    @property
    def drift(self) -> Counter[str]:
        """Path → rows with something there that the catalogue does not know or that did not fit."""
        total: Counter[str] = Counter()
        for record in self.records:
            total.update(record.drift)
        return total


@dataclass(kw_only=True)
class Reader:
    """Reads the slices of one run.

    Attributes:
        session: what the readings of all slices share.
        concurrency: slices in flight, at the least.
        choose: picks among equal ways.
    """

    session: Session
    concurrency: int = 8
    choose: Choose = ways.cheapest
    _works: dict[str, int] = field(init=False, default_factory=dict)
    _chosen: Mapping[str, Endpoint] = field(init=False, default_factory=dict)

    async def read(self, slices: Sequence[Slice]) -> Extraction:
        """Read every slice that the spool does not hold yet.

        Raises:
            ConnectorError: nothing could be read at all, or the reason concerns the whole run (a rejected token, a full disk).
        """
        self.session.expected_rows = sum(one.rows or 0 for one in slices)
        self.session.progress.plan(len(slices), self.session.expected_rows)
        report, details = self.session.report, self.session.details
        self._chosen = chosen(report, details, slices, partial(pace_of, self.session.client), self.choose)
        gate = asyncio.Semaphore(1 if self.session.row_limit is not None else self._at_once(slices))
        results = await lists.together(self._slice(one, gate) for one in slices)
        failed = [
            (one, result) for one, result in zip(slices, results, strict=True) if isinstance(result, ConnectorError)
        ]
        if failed and len({one.scope.id for one, _ in failed}) == len({one.scope.id for one in slices}):
            raise _worst([error for _, error in failed])
        return Extraction(
            records=tuple(result for result in results if isinstance(result, SliceRecord)),
            incomplete=tuple({one.scope.id: _incomplete(one, error) for one, error in failed}.values()),
        )

    def _at_once(self, slices: Sequence[Slice]) -> int:
        """How many slices are read at once: as many as a host may have requests under way, or as somebody has said."""
        urls = {one.scope.url for one in slices}
        return max([self.concurrency, *(self.session.client.budget(url).concurrency("default") for url in urls)])

    async def _slice(self, one: Slice, gate: asyncio.Semaphore) -> SliceRecord | ConnectorError:
        """The finished slice, or why it could not be finished."""
        async with gate:
            session = self.session
            if session.has_enough():
                return SliceRecord(slice_id=one.id, scope_id=one.scope.id, limited=True)
            record = session.spool.record(one.id)
            if record is not None:
                session.progress.slice_done(rows=record.rows)
                return record
            try:
                with session.client.tracer.span("slice", slice=one.id, scope=one.scope.label) as span:
                    record = await self._by_first_that_works(one)
                    span.note(rows=record.rows, pages=record.pages)
            except ONE_SCOPE_ONLY as error:
                session.progress.slice_failed()
                return error
            session.finished_rows += record.rows
            session.progress.slice_done()
            return record

    async def _by_first_that_works(self, one: Slice) -> SliceRecord:
        """Try the report's endpoints in turn; a host that lacks one is not asked for it again."""
        ways_there = alternatives(self.session.report, self.session.details, one)
        known = self._works.get(one.scope.url)
        refusal: ConnectorError | None = None
        for number in range(known or 0, len(ways_there)):
            way = ways_there[number]
            if refusal is not None and not _leads_to(way.endpoint, refusal):
                break
            try:
                record = await self._by_cheapest(way.on_trial(number != known and number + 1 < len(ways_there)), one)
            except ConnectorError as error:
                if not isinstance(error, ONE_SCOPE_ONLY):
                    raise
                refusal = refusal or error
            else:
                if not isinstance(refusal, ScopeMissing):
                    # What a token is refused of one scope says nothing of the server.
                    self._works[one.scope.url] = number
                return record
        raise refusal or ValueError(f"{self.session.report.slug} has no endpoint for {one.scope.id}")

    async def _by_cheapest(self, way: Alternative, one: Slice) -> SliceRecord:
        """By the cheapest of equal ways; one that the server or the token does not know leaves it to the endpoint itself."""
        taken = self._chosen[one.id]
        if taken in way.endpoint.equal:
            try:
                equal = alternative(taken, self.session.report, self.session.details, one).on_trial(True)
                return await Reading(self.session, equal, one).to_its_end()
            except (ScopeMissing, NotFound, RequestRefused, MalformedAnswer):
                pass
        return await Reading(self.session, way, one).to_its_end()


def _leads_to(endpoint: Endpoint, refusal: ConnectorError) -> bool:
    """Whether a refusal means that another endpoint is to be asked: the server does not know the first one, or the token may not.

    A server of 2019 answers 500 where a newer endpoint needs a service that it does not have.
    """
    if endpoint.partial:
        return isinstance(refusal, ScopeMissing)
    lacks = isinstance(refusal, SentryUnavailable) and refusal.data.get("status") == 500  # noqa: PLR2004  # HTTP's own number
    return lacks or isinstance(refusal, RequestRefused | NotFound | ScopeMissing)


def _incomplete(one: Slice, error: ConnectorError) -> Incomplete:
    return Incomplete(scope=one.scope.id, label=one.scope.label, reason=error.message, error=error.name)


def _worst(errors: Sequence[ConnectorError]) -> ConnectorError:
    """The error that says most: one that the user must mend before one that time may cure."""
    return min(errors, key=lambda error: (error.retryable, not isinstance(error, CredentialError), error.exit_code))
