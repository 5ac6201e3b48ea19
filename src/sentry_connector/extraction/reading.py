"""One slice is read, by one way, into the spool; what an earlier attempt asked for it is not asked again."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from sentry_connector.errors import BeyondRetention, MalformedAnswer
from sentry_connector.extraction import lists, ways
from sentry_connector.extraction.decode import Context, Decoded, Decoder
from sentry_connector.extraction.journal import Note
from sentry_connector.extraction.lists import Listing, Page
from sentry_connector.extraction.plan import (
    RESOLUTIONS,
    Alternative,
    Slice,
    context_values,
    host,
    request_for_item,
    within,
)
from sentry_connector.extraction.progress import Progress
from sentry_connector.extraction.series import points_of, until, without_forgotten
from sentry_connector.extraction.spool import SliceRecord, SliceWriter, Spool, keys_of
from sentry_connector.extraction.survey import SETTLED, Span, Survey, differs, evenly, is_checkable, tiles
from sentry_connector.reports.details import Details
from sentry_connector.reports.model import Each, Endpoint, Report, Shape
from sentry_connector.sentry.client import Answer, SentryClient
from sentry_connector.sentry.inflate import inflated
from sentry_connector.sentry.wire import Request, Walk, clean

MOST_BYTES_OF_A_KEPT_ANSWER = 1 << 32
"""It was under the cap when it came."""

GATHERED_ROWS = 500
GATHERED_BYTES = 512 * 1024
"""Pages of a slice become columns together when they have as many rows, or took as many bytes."""

PAGES_PER_PART = 5
"""Pages that the parts of an item's span should have."""


@dataclass(kw_only=True)
class Session:
    """What the readings of a run's slices share.

    Attributes:
        client: asks Sentry, within its budgets.
        report, details: what is read.
        spool: where what was read is kept.
        run_id: written into each row.
        clock: the present, UTC.
        progress: told of every page.
        forgotten_before: before when Sentry keeps nothing any more, as a rule.
        settle: a bucket of counts is left out unless it was over so long before Sentry was asked, by Sentry's own clock; None
            takes the bucket of now too.
        surveys: scope id → where its rows lie in time, for scopes of which that is known.
        row_limit: stop after this many rows in all; None reads everything.
        expected_rows: of all slices, by the surveys.
        finished_rows: of the slices that have ended.
    """

    client: SentryClient
    report: Report
    details: Details
    spool: Spool
    run_id: str
    clock: Callable[[], dt.datetime]
    progress: Progress
    forgotten_before: dt.datetime
    settle: dt.timedelta | None = None
    surveys: Mapping[str, Survey] = field(default_factory=dict)
    row_limit: int | None = None
    expected_rows: int = 0
    finished_rows: int = 0
    decoder: Decoder = field(init=False)
    _looked_at: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self.decoder = Decoder(self.report)

    def absences(self, answer: Answer, one: Slice) -> list[str]:
        """What a server does not offer, said once per host: its columns are null."""
        if one.scope.url in self._looked_at or answer.is_empty:
            return []
        self._looked_at.add(one.scope.url)
        columns = self.decoder.absent(answer.body)
        return [f"{host(one.scope)} does not send {', '.join(columns)}: null in every row."] if columns else []

    def spans(self, endpoint: Endpoint, one: Slice) -> list[Span | None]:
        """The parts of a slice's span that are read at once."""
        survey = self.surveys.get(one.scope.id)
        if one.span is None or survey is None or self.row_limit is not None:
            return [one.span]
        concurrency = self.client.budget(one.scope.url).concurrency(endpoint.family)
        rows = ways.rows_per_list(self.expected_rows, endpoint.page_size, concurrency)
        return list(evenly(one.span, survey, math.ceil(survey.between(one.span) / rows)))

    def has_enough(self, keys: Collection[Any] = ()) -> bool:
        """Whether the rows that were asked for are there, with those of a slice that has not ended."""
        return self.row_limit is not None and self.finished_rows + len(keys) >= self.row_limit


class _Item(msgspec.Struct, frozen=True):
    """An item of a list that fills a placeholder: its value, how many rows it leads to, and their first and last time."""

    value: str
    rows: int
    first: dt.datetime | None
    last: dt.datetime | None


@dataclass
class Reading:
    """One slice on its way into the spool, by one way."""

    session: Session
    way: Alternative
    one: Slice
    pages: int = 0
    limited: bool = False
    drift: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)
    items: set[Any] = field(default_factory=set)
    keys: set[Any] = field(default_factory=set)
    oldest: dt.datetime | None = None
    began: float | None = None
    forgotten: dt.datetime | None = None
    _asked: Counter[str] = field(default_factory=Counter)
    _pages: list[Decoded] = field(default_factory=list)
    _rows: int = 0
    _bytes: int = 0
    _writer: SliceWriter = field(init=False)

    def __post_init__(self) -> None:
        if self.way.endpoint.partial:
            self.warnings.append(self.way.endpoint.partial)
        self._writer = self.session.spool.writer(self.one.id, self.one.scope.id)

    async def to_its_end(self) -> SliceRecord:
        """Read the slice; where the rows are not as many as they should be, once more."""
        await self._read()
        counted = self._counted()
        if counted is not None and self._differs(counted):
            await self._read()
            if self._differs(counted):
                self.warnings.append(
                    f"Sentry counts {counted:,} events of {self.one.scope.label} from {_words(self.one.span)}, and lists "
                    f"{len(self.items):,} of them, as often as it is asked."
                )
        beyond = self._beyond_retention()
        if beyond is not None:
            self.warnings.append(beyond)
        return self._writer.finish(
            pages=self.pages,
            drift=dict(self.drift),
            limited=self.limited,
            warnings=tuple(self.warnings),
            oldest=self.oldest,
            began=self.began,
            forgotten=self.forgotten,
        )

    def _beyond_retention(self) -> str | None:
        """What is to be said of dates that lie beyond what Sentry keeps."""
        label, edge, span = self.one.scope.label, self.session.forgotten_before, self.one.span
        if self.forgotten is not None:
            return (
                f"Sentry keeps nothing of {label} before {self.forgotten:%Y-%m-%dT%H:%MZ} any more: "
                "nothing is read there, and a table keeps what it has."
            )
        reaches_back = span is not None and span[0] is not None and span[0] < edge
        if not reaches_back or self.limited or (self.oldest is not None and self.oldest < edge):
            return None
        return (
            f"Nothing of {label} was found before {edge:%Y-%m-%dT%H:%MZ}, where the time ends that Sentry keeps: "
            "a table keeps what it has of the days before."
        )

    async def _read(self) -> None:
        if self.session.report.shape is Shape.POINTS:
            await self._counts()
        else:
            await self._pages_of(self._by_item(self.way.endpoint.each) if self.way.endpoint.each else self._by_lists())
        await self._put()

    async def _pages_of(self, source: AsyncGenerator[Page]) -> None:
        async with aclosing(source) as pages:
            async for page in pages:
                self.warnings += self.session.absences(page.answer, self.one)
                await self._take(page.decoded, len(page.answer.body))
                if self.limited:
                    return

    async def _take(self, page: Decoded, size: int) -> None:
        """Gather the pages, of which several become columns at once."""
        self.pages += 1
        self.drift.update(page.drift)
        self.items.update(page.items or ())
        self._pages.append(page)
        self._rows, self._bytes = self._rows + page.values.count, self._bytes + size
        if self._rows >= GATHERED_ROWS or self._bytes >= GATHERED_BYTES or self.session.row_limit is not None:
            await self._put()
        self.session.progress.page(page.values.count, self.session.client.usage)

    async def _put(self) -> None:
        """Give the gathered pages to the spool."""
        pages, self._pages, self._rows, self._bytes = self._pages, [], 0, 0
        if not pages:
            return
        batch, misfits = self.session.decoder.batch(pages)
        self.drift.update(misfits)
        self._note_oldest(batch)
        if self.session.row_limit is not None:
            self.keys.update(keys_of(batch, self.session.report.key))
            self.limited = self.session.has_enough(self.keys)
        await self._writer.add(batch)

    def _note_oldest(self, batch: pa.RecordBatch) -> None:
        column = self.session.report.time_column
        found = pc.min(batch[column]).as_py() if column is not None and batch.num_rows else None
        if found is not None and (self.oldest is None or found < self.oldest):
            self.oldest = found

    # ---- held against another figure

    def _counted(self) -> int | None:
        """How many items there are by the independent figure, where that can be said of this very span."""
        figures, survey = self.session.report.figures, self.session.surveys.get(self.one.scope.id)
        if figures is None or survey is None or self.one.span is None or self.limited or self.forgotten:
            return None
        checkable = is_checkable(self.one.span, survey, self.session.clock() - SETTLED)
        return survey.between(self.one.span) if checkable else None

    def _differs(self, counted: int) -> bool:
        figures = self.session.report.figures
        return figures is not None and differs(len(self.items), counted, figures.percent)

    # ---- asking

    async def _answer(self, request: Request) -> tuple[Answer, dt.datetime]:
        """The answer and when it came: an earlier attempt's, or Sentry's, which is kept."""
        asked = f"{request.path} {request.params!r}"
        self._asked[asked] += 1
        key = f"{self._asked[asked]} {asked}"
        kept = await self.session.spool.recall(self.one.id, key)
        if kept is not None:
            note = kept.note
            body = inflated(kept.packed, note.coding, MOST_BYTES_OF_A_KEPT_ANSWER).removeprefix(b"\xef\xbb\xbf")
            self._note_asked(note.asked)
            return Answer(body, note.next_cursor, request, asked=note.asked), note.at
        answer, now = await self.session.client.get(request), self.session.clock()
        self._note_asked(answer.asked)
        note = Note(self.one.id, key, answer.next_cursor, answer.coding, now, answer.asked)
        await self.session.spool.keep(note, answer.packed)
        return answer, now

    def _note_asked(self, asked: float | None) -> None:
        if asked is not None and (self.began is None or asked < self.began):
            self.began = asked

    async def _page(self, request: Request) -> Page:
        answer, at = await self._answer(request)
        return Page(answer, self.session.decoder.page(answer.body, self._context(at)))

    def _context(self, at: dt.datetime) -> Context:
        session, one = self.session, self.one
        values = context_values(session.details, one.scope)
        owner = self.way.endpoint.owner
        owned = values.get(owner[1]) if owner else None
        start, end = _bounds(session.report, one)
        return Context(
            values=values,
            host=host(one.scope),
            run_id=session.run_id,
            extracted_at=at,
            start=start,
            end=end,
            owner=(owner[0], owned) if owner and owned is not None else None,
        )

    # ---- by lists

    async def _by_lists(self) -> AsyncGenerator[Page]:
        """The pages of all requests, each of them for all parts of the span at once."""
        endpoint = self.way.endpoint
        listings = [
            self._listing(endpoint, request if span in {None, self.one.span} else within(request, endpoint, span), span)
            for request in self.way.requests
            for span in self.session.spans(endpoint, self.one)
        ]
        if len(listings) == 1:
            async for page in self._whole(listings[0]):
                yield page
            return
        at_once = self.session.client.budget(self.one.scope.url).concurrency(endpoint.family)
        async for page in lists.spread(lists.each_of(listings), self._whole, at_once):
            yield page

    async def _whole(self, listing: Listing) -> AsyncGenerator[Page]:
        """The pages of a list; none where its span ends before what Sentry keeps begins."""
        try:
            async for page in lists.whole(listing, self._page):
                yield page
        except BeyondRetention:
            if listing.span is None:
                raise
            self.forgotten = max(listing.span[1], self.forgotten or listing.span[1])

    def _listing(self, endpoint: Endpoint, request: Request, span: Span | None) -> Listing:
        report = self.session.report
        return Listing(
            endpoint=endpoint,
            request=request,
            span=span,
            newest_first=report.newest_first,
            steady=report.immutable_time,
            rows=lambda decoded: self.session.decoder.keys(decoded, report.key),
            now=self.session.clock,
            moved=self.warnings.append,
        )

    # ---- by the items of another list

    async def _by_item(self, each: Each) -> AsyncGenerator[Page]:
        """The rows of each item in turn; where one has many, its span is read in parts."""
        at_once = self.session.client.budget(self.one.scope.url).concurrency(self.way.endpoint.family)

        async def parts() -> AsyncGenerator[Listing]:
            async for item in self._items(each):
                for span in _parts(item, self.one.span, self.way.endpoint.page_size, at_once):
                    yield self._listing_of_item(item, span)

        async for page in lists.spread(parts(), self._whole, at_once):
            yield page

    def _listing_of_item(self, item: _Item, span: Span) -> Listing:
        session, endpoint = self.session, self.way.endpoint
        request = request_for_item(endpoint, session.report, session.details, self.one, item.value, span)
        return self._listing(endpoint, request, span)

    async def _items(self, each: Each) -> AsyncGenerator[_Item]:
        for first in self.way.requests:
            walk, request = Walk(first.about), first
            while True:
                answer, _ = await self._answer(request)
                for item in _items_of(answer, each):
                    yield item
                cursor = walk.next(answer.next_cursor, is_empty=answer.is_empty)
                if cursor is None:
                    break
                request = first.with_cursor(cursor)

    # ---- counts

    async def _counts(self) -> None:
        """The sum of the series of all requests: a team's counts are those of its projects."""
        total: Counter[int] = Counter()
        answers = await lists.together(self._answer(request) for request in self.way.requests)
        for answer, _ in answers:
            for moment, count in points_of(answer.body):
                total[moment] += count
        at = max((at for _, at in answers), default=self.session.clock())
        counts = without_forgotten(dict(sorted(total.items())), self.session.forgotten_before.timestamp())
        if self.session.settle is not None and self.began is not None:
            width = RESOLUTIONS[self.session.details.resolution or "1h"]
            counts = until(counts, self.began - self.session.settle.total_seconds(), width)
        decoded = self.session.decoder.points(counts, self._context(at))
        await self._take(decoded, sum(len(answer.body) for answer, _ in answers))
        self.pages += len(answers) - 1


def _parts(item: _Item, span: Span | None, page_size: int, concurrency: int) -> list[Span]:
    """The parts of a slice's span in which an item's rows are read at once, as long as its rows lie evenly in time.

    Whether they do decides about the speed alone: the parts tile the span.
    """
    if span is None:
        raise ValueError("the rows of each item are read within a window")
    wanted = 1 if concurrency == 1 else -(-item.rows // (PAGES_PER_PART * page_size))
    if wanted <= 1 or item.first is None or item.last is None:
        return [span]
    step = (item.last - item.first) / wanted
    edges = {(item.first + step * number).replace(microsecond=0) for number in range(1, wanted)}
    return tiles(span, sorted(edges))


def _items_of(answer: Answer, each: Each) -> list[_Item]:
    """The items of a page.

    Raises:
        MalformedAnswer: they are not as Sentry's API gives them.
    """
    try:
        rows = msgspec.json.decode(answer.body, type=list[dict[str, Any]])
        return [
            msgspec.convert(
                {
                    "value": row[each.id],
                    "rows": row.get(each.rows) or 0,
                    "first": row.get(each.first),
                    "last": row.get(each.last),
                },
                _Item,
                strict=False,
            )
            for row in rows
        ]
    except (msgspec.DecodeError, KeyError, UnicodeDecodeError) as error:
        raise MalformedAnswer(
            f"The {answer.request.about} is not as Sentry's API gives it: {clean(str(error))}."
        ) from None


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


def _words(span: Span | None) -> str:
    """A span for people."""
    if span is None or span[0] is None:
        return "the beginning on"
    return f"{span[0]:%Y-%m-%dT%H:%MZ} to {span[1]:%Y-%m-%dT%H:%MZ}"
