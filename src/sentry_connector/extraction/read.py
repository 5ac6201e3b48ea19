"""Slices are read: many at a time, each to its end, into the spool."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import pyarrow as pa

from sentry_connector.errors import (
    ConnectorError,
    CredentialError,
    MalformedAnswer,
    NotFound,
    RequestRefused,
    ScopeMissing,
    SentryUnavailable,
)
from sentry_connector.extraction.decode import Context, Decoded, Decoder
from sentry_connector.extraction.incomplete import ONE_SCOPE_ONLY, Incomplete
from sentry_connector.extraction.lenient import parse
from sentry_connector.extraction.plan import Alternative, Slice, alternatives, context_values, host
from sentry_connector.extraction.progress import Progress
from sentry_connector.extraction.spool import SliceRecord, SliceWriter, Spool, keys_of
from sentry_connector.reports.details import Details
from sentry_connector.reports.model import Endpoint, Report, Shape
from sentry_connector.sentry.client import Answer, SentryClient

Value = TypeVar("Value")


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
        client: asks Sentry, within its budgets.
        report, details: what is read.
        spool: where finished slices are kept.
        run_id: written into each row.
        clock: the present, UTC.
        progress: told of every page.
        concurrency: slices in flight.
        row_limit: stop after this many rows in all; None reads everything.
    """

    client: SentryClient
    report: Report
    details: Details
    spool: Spool
    run_id: str
    clock: Callable[[], dt.datetime]
    progress: Progress
    concurrency: int = 8
    row_limit: int | None = None
    _decoder: Decoder = field(init=False)
    _works: dict[str, int] = field(init=False, default_factory=dict)
    _looked_at: set[str] = field(init=False, default_factory=set)
    _finished_rows: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._decoder = Decoder(self.report)

    async def read(self, slices: Sequence[Slice]) -> Extraction:
        """Read every slice that the spool does not hold yet.

        Raises:
            ConnectorError: nothing could be read at all, or the reason concerns the whole run (a rejected token, a full disk).
        """
        self.progress.plan(len(slices))
        gate = asyncio.Semaphore(1 if self.row_limit is not None else self.concurrency)
        results = await together(self._slice(one, gate) for one in slices)
        failed = [
            (one, result) for one, result in zip(slices, results, strict=True) if isinstance(result, ConnectorError)
        ]
        if failed and len({one.scope.id for one, _ in failed}) == len({one.scope.id for one in slices}):
            raise _worst([error for _, error in failed])
        return Extraction(
            records=tuple(result for result in results if isinstance(result, SliceRecord)),
            incomplete=tuple({one.scope.id: _incomplete(one, error) for one, error in failed}.values()),
        )

    async def _slice(self, one: Slice, gate: asyncio.Semaphore) -> SliceRecord | ConnectorError:
        """The finished slice, or why it could not be finished."""
        async with gate:
            if self.row_limit is not None and self._finished_rows >= self.row_limit:
                return SliceRecord(slice_id=one.id, scope_id=one.scope.id, limited=True)
            record = self.spool.record(one.id)
            if record is not None:
                self.progress.slice_done(rows=record.rows)
                return record
            try:
                record = await self._by_first_that_works(one)
            except ONE_SCOPE_ONLY as error:
                self.progress.slice_failed()
                return error
            self._finished_rows += record.rows
            self.progress.slice_done()
            return record

    async def _by_first_that_works(self, one: Slice) -> SliceRecord:
        """Try the report's endpoints in turn; a host that lacks one is not asked for it again."""
        ways = alternatives(self.report, self.details, one)
        known = self._works.get(one.scope.url)
        refusal: ConnectorError | None = None
        for number in range(known or 0, len(ways)):
            way = ways[number]
            if refusal is not None and not _leads_to(way.endpoint, refusal):
                break
            try:
                record = await self._by(way.on_trial(number != known and number + 1 < len(ways)), one)
            except ConnectorError as error:
                if not isinstance(error, ONE_SCOPE_ONLY):
                    raise
                refusal = refusal or error
            else:
                if not isinstance(
                    refusal, ScopeMissing
                ):  # what a token is refused of one scope says nothing of the server
                    self._works[one.scope.url] = number
                return record
        raise refusal or ValueError(f"{self.report.slug} has no endpoint for {one.scope.id}")

    async def _by(self, way: Alternative, one: Slice) -> SliceRecord:
        writer = self.spool.writer(one.id, one.scope.id)
        if self.report.shape is Shape.POINTS:
            return await self._counts(way, one, writer)
        return await self._pages(way, one, writer)

    async def _pages(self, way: Alternative, one: Slice, writer: SliceWriter) -> SliceRecord:
        facts = _Facts(warnings=[way.endpoint.partial] if way.endpoint.partial else [])
        for request in way.requests:
            async for answer in self.client.pages(request):
                decoded = self._decoder.page(answer.body, self._context(way, one))
                facts.take(decoded)
                facts.warnings += self._absences(answer, one)
                writer.add(decoded.batch)
                self.progress.page(decoded.batch.num_rows, self.client.usage)
                if self._is_enough(decoded, facts) or self._is_past_start(decoded, one):
                    break
        return writer.finish(**facts.record())

    def _absences(self, answer: Answer, one: Slice) -> list[str]:
        """What a server does not offer, said once per host: its columns are null."""
        if one.scope.url in self._looked_at or answer.is_empty:
            return []
        self._looked_at.add(one.scope.url)
        columns = self._decoder.absent(answer.body)
        return [f"{host(one.scope)} does not send {', '.join(columns)}: null in every row."] if columns else []

    async def _counts(self, way: Alternative, one: Slice, writer: SliceWriter) -> SliceRecord:
        """The sum of the series of all requests: a team's counts are those of its projects."""
        facts = _Facts()
        total: Counter[int] = Counter()
        for answer in await together(self.client.get(request) for request in way.requests):
            facts.pages += 1
            for moment, count in _points(answer.body):
                total[moment] += count
        decoded = self._decoder.points(dict(sorted(total.items())), self._context(way, one))
        facts.take(decoded, pages=0)
        self._is_enough(decoded, facts)
        writer.add(decoded.batch)
        self.progress.page(decoded.batch.num_rows, self.client.usage)
        return writer.finish(**facts.record())

    def _is_enough(self, decoded: Decoded, facts: _Facts) -> bool:
        """Whether the rows that were asked for are there; rows that come twice count once."""
        if self.row_limit is None:
            return False
        facts.keys.update(keys_of(pa.table(decoded.batch), self.report.key))
        facts.limited = self._finished_rows + len(facts.keys) >= self.row_limit
        return facts.limited

    def _is_past_start(self, decoded: Decoded, one: Slice) -> bool:
        """Whether a list, newest first, has come to a page of nothing but rows before the window.

        Servers that are told the window never do; old ones, which do not read it, would go on to the beginning of time.
        """
        start = one.window.start if one.window else None
        return self.report.newest_first and start is not None and decoded.newest is not None and decoded.newest < start

    def _context(self, way: Alternative, one: Slice) -> Context:
        values = context_values(self.details, one.scope)
        owner = way.endpoint.owner
        owned = values.get(owner[1]) if owner else None
        start, end = _bounds(self.report, one)
        return Context(
            values=values,
            host=host(one.scope),
            run_id=self.run_id,
            extracted_at=self.clock(),
            start=start,
            end=end,
            owner=(owner[0], owned) if owner and owned is not None else None,
        )


@dataclass
class _Facts:
    """What is counted while a slice is read."""

    rows_read: int = 0
    pages: int = 0
    drift: Counter[str] = field(default_factory=Counter)
    limited: bool = False
    warnings: list[str] = field(default_factory=list)
    keys: set[bytes | None] = field(default_factory=set)

    def take(self, decoded: Decoded, *, pages: int = 1) -> None:
        self.rows_read += decoded.rows
        self.pages += pages
        self.drift.update(decoded.drift)

    def record(self) -> dict[str, object]:
        return {
            "rows_read": self.rows_read,
            "pages": self.pages,
            "drift": dict(self.drift),
            "limited": self.limited,
            "warnings": tuple(self.warnings),
        }


async def together(work: Iterable[Coroutine[None, None, Value]]) -> list[Value]:
    """The results of all, in order; where one fails, the others are stopped and its error is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


def _leads_to(endpoint: Endpoint, refusal: ConnectorError) -> bool:
    """Whether a refusal means that another endpoint is to be asked: the server does not know the first one, or the token may not.

    A server of 2019 answers 500 where a newer endpoint needs a service that it does not have.
    """
    if endpoint.partial:
        return isinstance(refusal, ScopeMissing)
    lacks = isinstance(refusal, SentryUnavailable) and refusal.data.get("status") == 500  # noqa: PLR2004  # HTTP's own number
    return lacks or isinstance(refusal, RequestRefused | NotFound | ScopeMissing)


def _bounds(report: Report, one: Slice) -> tuple[dt.datetime | None, dt.datetime | None]:
    """Which times a slice's rows may have.

    The time of an issue moves on with each event. Where the run's own instant ends the window, an issue that is seen again while
    the run goes on belongs to it all the same: cut there, a busy issue would never be read.
    """
    if one.span is None or one.window is None:
        return None, None
    start, end = one.span
    if report.immutable_time:
        return start, end
    return start, None if one.window.cut or one.window.start is None else one.window.end


def _points(body: bytes) -> list[tuple[int, int]]:
    """`[[unix seconds, count], …]`; old servers write the seconds as a float."""
    series = parse(body)
    try:
        return [(int(moment), int(count)) for moment, count in series]
    except (TypeError, ValueError) as error:
        raise MalformedAnswer("A series of [unix seconds, count] was expected.") from error


def _incomplete(one: Slice, error: ConnectorError) -> Incomplete:
    return Incomplete(scope=one.scope.id, label=one.scope.label, reason=error.message, error=error.name)


def _worst(errors: Sequence[ConnectorError]) -> ConnectorError:
    """The error that says most: one that the user must mend before one that time may cure."""
    return min(errors, key=lambda error: (error.retryable, not isinstance(error, CredentialError), error.exit_code))
