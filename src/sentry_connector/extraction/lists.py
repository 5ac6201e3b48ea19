"""How a list is read whole, though it moves while it is read.

What a list's pages have to do with one another, its first cursor tells (`wire.CursorKind`), and each kind has its way:

- rows are counted: nothing is asked for by a number of rows where the list can be told a window. It is newest first, so the
  next page is the first one of the window that ends where this one did (`_by_time`). Rows that come or go shift nothing.
- pages are counted: what comes or goes shifts all that follows, so the list is read until two readings agree (`_agreed`).
- a key is passed on: what comes or goes elsewhere does no harm. Only where the key itself moves, as the time of an issue does
  when it is seen again, may one jump over the place of reading; so the newest are read once more at the end (`_newest_again`).
"""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import math
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Iterable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from sentry_connector.extraction.plan import within
from sentry_connector.extraction.survey import Span
from sentry_connector.reports.model import Endpoint, WindowParams
from sentry_connector.sentry.client import Answer
from sentry_connector.sentry.wire import CursorKind, Request, Walk, cursor_kind

if TYPE_CHECKING:  # it loads Arrow, which a list does without until its first page is there
    from sentry_connector.extraction.decode import Decoded

MOST_READINGS = 5
"""How often a list that moves is read; what all readings together showed is taken then, and it is said."""

SECOND = dt.timedelta(seconds=1)
LONG_PAST = dt.timedelta(hours=2)
"""By how much later than it happened an event may arrive, and its issue jump to a place that was read, for it to be seen."""
FAR_AHEAD = dt.timedelta(days=1)
"""Longer than any list takes to be read."""

Value = TypeVar("Value")
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page:
    """An answer with its rows."""

    answer: Answer
    decoded: Decoded


Ask = Callable[[Request], Coroutine[Any, Any, Page]]
"""Asks for one page."""

Rows = Callable[["Decoded"], Iterable[tuple[Any, dt.datetime | None]]]
"""What tells the rows of a page apart, and the time of each, where they have one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """A list, and what is known of it.

    Attributes:
        endpoint: which one; its page size is that of the request.
        request: its first page.
        span: which times are wanted; None where the list has none.
        newest_first: it lists the newest first.
        steady: the time of a row never changes.
        rows: what tells rows apart.
        now: the present.
        moved: told, in a sentence, of a list that never came to rest.
    """

    endpoint: Endpoint
    request: Request
    span: Span | None
    newest_first: bool
    steady: bool
    rows: Rows
    now: Callable[[], dt.datetime]
    moved: Callable[[str], None]

    @property
    def can_be_told_times(self) -> bool:
        """Whether a page can be asked for by its latest time."""
        return (
            self.newest_first
            and self.steady
            and self.span is not None
            and self.endpoint.window is WindowParams.START_END
        )


async def whole(listing: Listing, ask: Ask) -> AsyncGenerator[Page]:
    """The pages of a list. Rows may come twice; those that come again are the newer state.

    Raises:
        CursorLoop: the list has no end.
        ConnectorError: what asking raises.
    """
    first = await ask(listing.request)
    cursor = first.answer.next_cursor
    kind = None if cursor is None else cursor_kind(cursor, listing.endpoint.page_size)
    if kind is None or _is_past(listing, first):
        yield first
        return
    if kind is CursorKind.PAGES:
        pages = _agreed(listing, ask, first)
    elif kind is CursorKind.ROWS and listing.can_be_told_times:
        pages = _by_time(listing, ask, first)
    else:
        pages = _onwards(listing, ask, await _from_the_end_of_the_window(listing, ask, first))
    async for page in pages:
        yield page
    if kind is CursorKind.KEYS and listing.newest_first and not listing.steady:
        async for page in _newest_again(listing, ask, _asked(listing, first)):
            yield page


async def _from_the_end_of_the_window(listing: Listing, ask: Ask, first: Page) -> Page:
    """The first page with rows of the window, where the server read no window: the key of these lists is the time."""
    end, oldest = listing.span[1] if listing.span else None, first.decoded.oldest
    if end is None or oldest is None or oldest <= end or not listing.steady:
        return first
    return await ask(first.answer.request.with_cursor(f"{math.ceil(end.timestamp() * 1000)}:0:0"))


async def _onwards(listing: Listing, ask: Ask, first: Page) -> AsyncGenerator[Page]:
    """Page after page by the cursors, until the end or the start of the window."""
    walk, page = Walk(listing.request.about), first
    while True:
        yield page
        cursor = walk.next(page.answer.next_cursor, is_empty=page.answer.is_empty)
        if cursor is None or _is_past(listing, page):
            return
        page = await ask(page.answer.request.with_cursor(cursor))


def _is_past(listing: Listing, page: Page) -> bool:
    """Whether a list, newest first, has come to a page of nothing but rows before the window.

    Servers that are told the window never do; old ones, which do not read it, would go on to the beginning of time.
    """
    start, newest = listing.span[0] if listing.span else None, page.decoded.newest
    return listing.newest_first and start is not None and newest is not None and newest < start


# ---- rows are counted


async def _by_time(listing: Listing, ask: Ask, first: Page) -> AsyncGenerator[Page]:
    """Page after page by the time of the last row, which is asked for again: others of its second may not have fitted."""
    page = first
    while True:
        last = page.decoded.oldest
        if page.answer.next_cursor is None or _is_past(listing, page):
            yield page
            return
        if last is None:  # an empty page is no end, and only its cursor leads on
            async for one in _onwards(listing, ask, page):
                yield one
            return
        end = _second(last) + SECOND
        if page.decoded.newest is not None and page.decoded.newest < end:
            async for one in _of_one_second(listing, ask, page, end):
                yield one
            end -= SECOND
        else:
            yield page
        asked = await ask(_until(listing, page.answer.request, end))
        if asked.decoded.newest is not None and asked.decoded.newest >= end:  # the server does not read the window
            async for one in _onwards(listing, ask, page):
                yield one
            return
        page = asked


async def _of_one_second(listing: Listing, ask: Ask, page: Page, end: dt.datetime) -> AsyncGenerator[Page]:
    """The rows of a second in which there are more than fit on a page: within it only their number parts them.

    They are in no particular order, which may be another one each time.
    """
    narrow = replace(listing, span=(end - SECOND, end))
    request = within(page.answer.request, listing.endpoint, (end - SECOND, end))
    async for one in _agreed(narrow, ask, await ask(request)):
        yield one


def _until(listing: Listing, request: Request, end: dt.datetime) -> Request:
    return within(request, listing.endpoint, (listing.span[0] if listing.span else None, end))


def _second(instant: dt.datetime) -> dt.datetime:
    return instant.replace(microsecond=0)


# ---- pages are counted


async def _agreed(listing: Listing, ask: Ask, first: Page) -> AsyncGenerator[Page]:
    """The list as two readings in a row showed it, or all that was seen where no two agree.

    Readings agree where both have the same rows, each of them once; and where they have equally many and all readings together
    showed just so many different ones: then only their order changed. A row that a reading has twice took another one's place:
    where rows come and go, that place may be one that nobody saw, so there the last reading has each of them once.
    """
    readings = [[page async for page in _onwards(listing, ask, first)]]
    before = _keys(listing, readings[0])
    seen = set(before)
    while len(readings) < MOST_READINGS:
        readings.append(await _reading(listing, ask, readings[-1]))
        last = _keys(listing, readings[-1])
        seen.update(last)
        is_whole, was_whole = _are_once(last), _are_once(before)
        if set(last) == set(before) and is_whole and was_whole:
            readings = readings[-1:]
            break
        if len(seen) == len(last) == len(before) and (is_whole or listing.steady):
            break
        before = last
    else:
        listing.moved(
            f"The list of {listing.request.about} moved each of the {MOST_READINGS} times that it was read; "
            "what all readings together showed is taken."
        )
    for page in itertools.chain.from_iterable(readings):
        yield page


def _are_once(keys: list[Any]) -> bool:
    return len(set(keys)) == len(keys)


def _keys(listing: Listing, pages: list[Page]) -> list[Any]:
    """The keys of the rows that are wanted, those that come twice twice."""
    start = listing.span[0] if listing.span else None
    rows = (row for page in pages for row in listing.rows(page.decoded))
    return [key for key, at in rows if start is None or at is None or at >= start]


async def _reading(listing: Listing, ask: Ask, before: list[Page]) -> list[Page]:
    """One more reading: the pages that there were last time at once, then those that have come since."""
    pages = await together(ask(page.answer.request) for page in before)
    for number, page in enumerate(pages):
        if page.answer.next_cursor is None:
            return pages[: number + 1]
    return [*pages[:-1], *[page async for page in _onwards(listing, ask, pages[-1])]]


# ---- a key is passed on


def _asked(listing: Listing, page: Page) -> dt.datetime:
    """When a page was asked for, by the server's clock where that is known: rows bear its times, and not this machine's."""
    asked = page.answer.asked
    return listing.now() if asked is None else dt.datetime.fromtimestamp(asked, dt.UTC)


async def _newest_again(listing: Listing, ask: Ask, began: dt.datetime) -> AsyncGenerator[Page]:
    """What was seen since a little before reading began: it may have jumped over the place of reading, by a late event too.

    Nothing of a window that is long past is seen again without leaving it.
    """
    if listing.span is None or listing.span[1] < began - LONG_PAST:
        return
    since = min(began, listing.span[1]) - LONG_PAST
    until = max(began, listing.now()) + FAR_AHEAD
    narrow = replace(listing, span=(since, until))
    request = listing.request
    if listing.endpoint.window is WindowParams.START_END:
        request = within(request, listing.endpoint, (since, until))
    async for page in _onwards(narrow, ask, await ask(request)):
        yield page


# ---- several at once


async def spread(
    items: AsyncIterable[Item], pages_of: Callable[[Item], AsyncGenerator[Value]], at_once: int
) -> AsyncGenerator[Value]:
    """What several sources give, as it comes; so many are read at once, and each is begun when there is room for it.

    Raises:
        Whatever the first source to fail raises; the others are stopped.
    """
    queue: asyncio.Queue[Value] = asyncio.Queue(at_once)
    room = asyncio.Semaphore(at_once)

    async def drain(item: Item) -> None:
        try:
            async with aclosing(pages_of(item)) as pages:
                async for page in pages:
                    await queue.put(page)
        finally:
            room.release()

    async def drain_all() -> None:
        async with asyncio.TaskGroup() as group:
            async for item in items:
                await room.acquire()
                group.create_task(drain(item))

    work = asyncio.ensure_future(drain_all())
    getting: asyncio.Future[Value] | None = None
    try:
        while not (work.done() and queue.empty()):
            getting = asyncio.ensure_future(queue.get())
            await asyncio.wait({getting, work}, return_when=asyncio.FIRST_COMPLETED)
            if getting.done():
                yield getting.result()
            else:
                getting.cancel()
        with _first_error():
            await work
    finally:
        left = [one for one in (getting, work) if one is not None]
        for one in left:
            one.cancel()
        await asyncio.wait(left)


async def each_of(values: Iterable[Value]) -> AsyncGenerator[Value]:
    """These values, one after another."""
    for value in values:
        yield value


@contextmanager
def _first_error() -> Iterator[None]:
    try:
        yield
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def together(work: Iterable[Coroutine[Any, Any, Value]]) -> list[Value]:
    """The results of all, in order; where one fails, the others are stopped and its error is raised."""
    with _first_error():
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    return [task.result() for task in tasks]
