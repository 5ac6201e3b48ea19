"""A list is read whole, though it moves while it is read: nothing that was in it all the time is missed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentry_connector.errors import CursorLoop
from sentry_connector.extraction.lists import MOST_READINGS, Page, each_of, spread, together
from sentry_connector.sentry.wire import CursorKind, Request, cursor_kind
from tests.extraction.moving import SIZE, Item, Moving, at, read
from tests.virtual_time import run

KINDS = ("rows", "pages", "keys")


def some(count: int, *, apart: float = 10.0) -> list[Item]:
    return [(number * apart, f"i{number}") for number in range(count)]


every_kind = pytest.mark.parametrize("counts", KINDS)

# ---- what a cursor tells


@pytest.mark.parametrize(
    ("cursor", "kind"),
    [
        ("0:100:0", CursorKind.ROWS),
        ("0.0:100:0", CursorKind.ROWS),
        ("0:10:0", CursorKind.ROWS),  # pages of fewer rows than were asked for
        ("100:1:0", CursorKind.PAGES),
        ("15:1:0", CursorKind.PAGES),
        ("100:2:0", CursorKind.KEYS),
        ("1795363200000:0:0", CursorKind.KEYS),
        ("1795363200000:3:0", CursorKind.KEYS),
        ("0:0:0", CursorKind.KEYS),
        ("0:200:0", CursorKind.KEYS),
        ("what ever", CursorKind.KEYS),
    ],
)
def test_the_first_cursor_tells_what_is_counted(cursor: str, kind: CursorKind) -> None:
    """Anything that is not understood is followed as it is."""
    assert cursor_kind(cursor, 100) is kind


# ---- lists that rest


@every_kind
@pytest.mark.parametrize("count", [0, 1, SIZE - 1, SIZE, SIZE + 1, 4 * SIZE, 43])
def test_a_list_that_rests_is_read_whole(counts: str, count: int) -> None:
    found = read(Moving(some(count), counts), newest_first=counts != "pages")
    assert found.members == {name for _, name in some(count)}
    assert found.warnings == []


def test_a_list_of_one_page_costs_one_request() -> None:
    """A page is one answer: nothing can have moved in it."""
    assert [read(Moving(some(SIZE), counts)).requests for counts in KINDS] == [1, 1, 1]


def test_a_list_whose_rows_are_counted_is_never_asked_for_by_their_number() -> None:
    server = Moving(some(43), "rows")
    read(server)
    assert not any(name == "cursor" for request in server.asked for name, _ in request.params)
    assert len(server.asked) == 11  # each page but the first has one row of the page before


@pytest.mark.parametrize("number", range(4))
def test_an_empty_page_with_a_next_one_is_no_end_of_a_list_that_is_read_by_time(number: int) -> None:
    items = [(float(second), f"i{second}") for second in range(3 * SIZE)]
    server = Moving(items, "rows", empty_at=number)
    assert read(server).members == {name for _, name in items}


def test_a_list_whose_pages_are_counted_is_read_until_two_readings_agree() -> None:
    assert read(Moving(some(3 * SIZE), "pages"), newest_first=False).requests == 2 * 3


def test_a_reading_that_has_a_row_twice_proves_nothing_by_the_next_one_that_lacks_the_same_rows() -> None:
    """Twice in a row a page is answered with another one's rows: first the list seems to hold some twice, then to be shorter."""

    class Repeating(Moving):
        async def __call__(self, request: Request) -> Page:
            start = Request(base_url=request.base_url, path=request.path)
            instead = {
                4: start,
                7: start.with_cursor(f"{SIZE}:2:0"),
            }  # of the second and the third reading's second page
            page = await super().__call__(instead.get(len(self.asked), request))
            return Page(replace(page.answer, request=request), page.decoded)

    found = read(Repeating(some(2 * SIZE + 2), "pages", reads_windows=False), steady=False, newest_first=False)
    assert found.members == {name for _, name in some(2 * SIZE + 2)}


def test_rows_outside_of_the_window_end_the_way_through_a_server_that_does_not_read_it() -> None:
    server = Moving(some(200), "keys", reads_windows=False)
    found = read(server, (at(1500), at(1800)))
    assert {f"i{number}" for number in range(150, 180)} <= found.members
    assert len(server.asked) <= 30 // SIZE + 3, "it begins at the window's end, and ends before the beginning of time"


def test_a_server_that_counts_rows_and_does_not_read_the_window_is_followed_by_its_cursors() -> None:
    server = Moving(some(30), "rows")
    server._in_window = lambda params: sorted(server.items, reverse=True)  # type: ignore[method-assign]
    assert read(server).members == {name for _, name in some(30)}


# ---- lists that move


@st.composite
def changes(draw: st.DrawFn) -> dict[int, list[tuple[str, int]]]:
    """Request number → what happens before it is answered: rows come at a place, or go from one."""
    kinds = st.tuples(st.sampled_from(["come", "go"]), st.integers(0, 60))
    return draw(st.dictionaries(st.integers(1, 25), st.lists(kinds, max_size=4), max_size=12))


def moved_by(plan: dict[int, list[tuple[str, int]]], stay: set[str]) -> Moving:
    """A list to which that happens; `stay` is emptied of what does not stay."""
    fresh = iter(range(1000, 10_000))

    def between(server: Moving, number: int) -> None:
        for what, place in plan.get(number, ()):
            if what == "go" and server.items:
                stay.discard(server.items.pop(place % len(server.items))[1])
            elif what == "come":
                server.items.append((float(place * 7), f"new{next(fresh)}"))

    return Moving(some(37), "rows", between=between)


@settings(max_examples=300, deadline=None)
@given(plan=changes(), order=st.none() | st.integers(0, 99))
def test_whatever_comes_or_goes_nothing_that_stays_is_missed_where_times_can_be_told(
    plan: dict[int, list[tuple[str, int]]], order: int | None
) -> None:
    """Also where the server lists rows of the same second in another order each time."""
    stay = {name for _, name in some(37)}
    server = moved_by(plan, stay)
    server.order = None if order is None else random.Random(order)  # noqa: S311  # a seeded order
    assert stay <= read(server).members


@settings(max_examples=200, deadline=None)
@given(
    seconds=st.lists(st.integers(0, 4), min_size=1, max_size=60),
    order=st.integers(0, 9999),
)
def test_more_rows_in_one_second_than_fit_on_a_page_are_read_all(seconds: list[int], order: int) -> None:
    """In a storm of events their times are all alike."""
    items = [(float(second), f"i{number}") for number, second in enumerate(seconds)]
    found = read(Moving(items, "rows", order=random.Random(order)))  # noqa: S311  # a seeded order
    missed = {name for _, name in items} - found.members
    assert not missed or found.warnings, "what cannot be read to agreement is said"


@settings(max_examples=200, deadline=None)
@given(plan=changes())
def test_whatever_comes_or_goes_once_a_list_of_pages_is_read_to_agreement_or_it_is_said(
    plan: dict[int, list[tuple[str, int]]],
) -> None:
    stay = {name for _, name in some(37)}
    server = moved_by({number: what for number, what in plan.items() if number < 8}, stay)
    server.counts = "pages"
    found = read(server, newest_first=False)
    assert stay <= found.members or found.warnings


def test_readings_of_equally_many_rows_do_not_agree_where_one_has_a_row_twice() -> None:
    """The first reading misses the last row, since one before it went; the second one too, and has another one twice."""

    def between(server: Moving, number: int) -> None:
        if number == 2:
            server.items.remove((40.0, "i10"))
        elif number == 4:
            server.items.append((50.0, "new"))
        elif number == 5:
            server.items.remove((50.0, "new"))

    server = Moving([(4.0 * number, f"i{number}") for number in range(11)], "pages", between=between)
    found = read(server, newest_first=False, steady=False)
    assert {f"i{number}" for number in range(10)} <= found.members
    assert not found.warnings


def test_a_list_of_pages_that_never_rests_is_taken_as_all_readings_showed_it_and_that_is_said() -> None:
    def between(server: Moving, number: int) -> None:
        server.items.append((5000.0 + number, f"new{number}"))

    found = read(Moving(some(20), "pages", between=between), newest_first=False)
    assert {name for _, name in some(20)} <= found.members
    assert len(found.warnings) == 1
    assert str(MOST_READINGS) in found.warnings[0]


def test_an_item_that_jumps_over_the_place_of_reading_is_read_at_the_end() -> None:
    """As an issue does that is seen again: it leaves the part of the list that is still to come for the one that is past."""

    def between(server: Moving, number: int) -> None:
        if number == 2:
            server.items.remove((0.0, "i0"))
            server.items.append((1e6 - 1, "i0"))

    server = Moving(some(30), "keys", reads_windows=False, between=between)
    assert "i0" in read(server, (None, at(1e6)), steady=False).members
    server = Moving(some(30), "keys", reads_windows=False, between=between)
    assert "i0" not in read(server, (None, at(1e6)), steady=True).members, "the list did move"


def test_an_item_that_jumps_by_a_late_event_is_read_at_the_end() -> None:
    """It comes to stand among those of an hour ago, which were read already."""

    def between(server: Moving, number: int) -> None:
        if number == 2:
            server.items.remove((0.0, "i0"))
            server.items.append((1e6 - 3600, "i0"))

    server = Moving(some(30), "keys", between=between)
    assert "i0" in read(server, (None, at(1e6)), steady=False).members


def test_a_window_that_is_long_past_is_not_looked_at_again() -> None:
    server = Moving(some(30), "keys")
    read(server, (at(0), at(1000)), steady=False)
    assert len(server.asked) == 30 // SIZE


@every_kind
def test_a_list_without_an_end_is_an_error(counts: str) -> None:
    server = Moving(some(30), counts)
    server._next = lambda found, first, rest: "7:7:0"  # type: ignore[method-assign]
    with pytest.raises(CursorLoop):
        read(server)


# ---- several at once


def test_sources_are_read_at_once_and_no_more_of_them_than_there_is_room_for() -> None:
    most = running = 0

    async def pages(item: int) -> AsyncGenerator[tuple[int, int]]:
        nonlocal most, running
        running += 1
        most = max(most, running)
        for number in range(3):
            await asyncio.sleep(1)
            yield item, number
        running -= 1

    async def work() -> tuple[list[tuple[int, int]], float]:
        found = [one async for one in spread(each_of(range(10)), pages, 4)]
        return found, asyncio.get_running_loop().time()

    found, seconds = run(work())
    assert sorted(found) == [(item, number) for item in range(10) for number in range(3)]
    assert most == 4
    assert seconds == pytest.approx(9, abs=0.1)


@pytest.mark.parametrize("leave", [True, False])
def test_where_one_fails_or_nobody_listens_the_others_are_stopped(*, leave: bool) -> None:
    ended = []

    async def pages(item: int) -> AsyncGenerator[int]:
        try:
            while True:
                await asyncio.sleep(1)
                if item == 2 and not leave:
                    raise ZeroDivisionError
                yield item
        finally:
            ended.append(item)

    async def work() -> None:
        async with aclosing(spread(each_of(range(3)), pages, 8)) as found:
            async for _ in found:
                if leave:
                    return

    if leave:
        run(work())
    else:
        with pytest.raises(ZeroDivisionError):
            run(work())
    assert sorted(ended) == [0, 1, 2]


def test_what_is_done_together_comes_in_order() -> None:
    async def one(number: int) -> int:
        await asyncio.sleep(10 - number)
        return number

    assert run(together(one(number) for number in range(5))) == [0, 1, 2, 3, 4]
