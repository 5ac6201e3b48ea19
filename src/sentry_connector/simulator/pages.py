"""Sentry's paginators: which rows a cursor means, and what the cursors before and after it are."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlencode

from sentry_connector.simulator.refusals import Refusal, refuse

MAX_PER_PAGE = 100
FULL_PER_PAGE = 10
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Cursor:
    """A cursor as it stands in a URL: `value:offset:is_prev`."""

    value: float
    offset: int
    is_prev: bool = False

    def __str__(self) -> str:
        return f"{self.value:.0f}:{self.offset}:{int(self.is_prev)}"


START = Cursor(0, 0)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """A page of rows with its neighbours and whether those hold anything.

    Attributes:
        hits: how many rows there are in all, where the endpoint counts them.
    """

    rows: Sequence[Row]
    previous: Cursor
    has_previous: bool
    next: Cursor
    has_next: bool
    hits: int | None = None

    def link(self, url: str, query: Sequence[tuple[str, str]]) -> str:
        """The Link header: both relations, always; without a query its addresses read `?&cursor=`."""
        rest = urlencode([(key, value) for key, value in query if key != "cursor"])
        sides = (("previous", self.previous, self.has_previous), ("next", self.next, self.has_next))
        return ", ".join(
            f'<{url}?{rest}&cursor={cursor}>; rel="{name}"; results="{str(has).lower()}"; cursor="{cursor}"'
            for name, cursor, has in sides
        )


def parse_cursor(text: str | None) -> Cursor:
    """The cursor of a request.

    Raises:
        Refusal: 400, it is not three numbers with colons between.
    """
    if text is None:
        return START
    try:
        value, offset, is_prev = text.split(":")
        return Cursor(float(value), int(offset), bool(int(is_prev)))
    except ValueError:
        raise refuse(400, "Invalid cursor parameter.") from None


def per_page(text: str | None) -> int:
    """The page size of a `per_page` parameter.

    Raises:
        Refusal: 400, it is not a number from 1 to 100.
    """
    size = _whole(text, "per_page")
    if size > MAX_PER_PAGE:
        raise refuse(400, f"Invalid per_page value. Cannot exceed {MAX_PER_PAGE}.")
    if size < 1:
        raise refuse(400, "Invalid per_page value. Must be at least 1.")
    return size


def limit(text: str | None) -> int:
    """The page size of a `limit` parameter (issues), silently capped at 100.

    Raises:
        Refusal: 400, it is not a number.
    """
    return max(1, min(_whole(text, "limit"), MAX_PER_PAGE))


def by_page_number(rows: Sequence[Row], cursor: Cursor, size: int) -> Page[Row]:
    """OffsetPaginator and CallbackPaginator: `{page size}:{page}:0`."""
    first = int(cursor.offset * cursor.value)
    if first < 0:
        raise refuse(400, "Pagination offset cannot be negative")
    stop = first + int(cursor.value or size)
    found = rows[first:stop][:size]
    return Page(
        found,
        Cursor(size, cursor.offset - 1, is_prev=True),
        cursor.offset > 0,
        Cursor(size, cursor.offset + 1),
        len(rows) > first + len(found),
    )


def by_row_number(
    fetch: Callable[[int, int], Sequence[Row]], cursor: Cursor, size: int, *, shift: int = 0
) -> Page[Row]:
    """GenericOffsetPaginator: `0:{row}:0`.

    Args:
        fetch: gives `count` rows from an `offset`.
        cursor: where to begin; a negative offset is Sentry's own 500.
        size: rows a page.
        shift: how many rows too early the page begins (a fault); the next page follows this one.
    """
    if cursor.offset < 0:
        raise Refusal.internal_error()
    first = max(0, cursor.offset - shift)
    rows = fetch(first, size + 1)
    return Page(
        rows[:size],
        Cursor(0, max(0, first - size), is_prev=True),
        first > 0,
        Cursor(0, first + size),
        len(rows) > size,
    )


def by_key(
    rows: Sequence[Row],
    key: Callable[[Row], float],
    cursor: Cursor,
    size: int,
    *,
    keep: Callable[[Row], bool] | None = None,
) -> Page[Row]:
    """DateTimePaginator and SequencePaginator, falling keys: `{key}:{rows of that key to pass over}:0`.

    Args:
        rows: in falling order of the key.
        key: time in milliseconds.
        cursor: where to begin.
        size: rows a page.
        keep: drops rows after the page is cut, as Sentry's status filters do: pages get short or empty, not last.
    """
    start = _first_at(rows, key, cursor.value) if cursor.value else len(rows) * cursor.is_prev
    place = start + cursor.offset
    low = max(place - size, 0) if cursor.is_prev else min(place, len(rows))
    high = min(low + size, len(rows))
    found = [row for row in rows[low:high] if keep is None or keep(row)]
    if not rows:
        return Page(found, Cursor(cursor.value, cursor.offset, is_prev=True), False, cursor, False, 0)
    before, after = key(rows[min(low, len(rows) - 1)]), key(rows[min(high, len(rows) - 1)])
    return Page(
        found,
        Cursor(before, low - _first_at(rows, key, before), is_prev=True),
        low > 0,
        Cursor(after, high - _first_at(rows, key, after)),
        high < len(rows),
        len(rows),
    )


def _first_at(rows: Sequence[Row], key: Callable[[Row], float], value: float) -> int:
    """The first place in rows of falling keys whose key is no more than the value."""
    return bisect.bisect_left(rows, -value, key=lambda row: -key(row))


def _whole(text: str | None, name: str) -> int:
    try:
        return MAX_PER_PAGE if text is None else int(text)
    except ValueError:
        raise refuse(400, f"Invalid {name} parameter.") from None
