from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentry_connector.simulator.pages import (
    Cursor,
    Page,
    by_key,
    by_page_number,
    by_row_number,
    limit,
    parse_cursor,
    per_page,
)
from sentry_connector.simulator.refusals import Refusal

MOST_PAGES = 200
Paginate = Callable[[Cursor], Page[Any]]
keys = st.lists(st.integers(min_value=1, max_value=30), max_size=60).map(lambda values: sorted(values, reverse=True))
sizes = st.integers(min_value=1, max_value=9)


def walk(paginate: Paginate) -> tuple[list[Any], list[Page[Any]]]:
    pages = [paginate(parse_cursor(None))]
    while pages[-1].has_next:
        assert len(pages) < MOST_PAGES
        pages.append(paginate(parse_cursor(str(pages[-1].next))))
    return [row for page in pages for row in page.rows], pages


def by_row(rows: Sequence[Any], cursor: Cursor, size: int) -> Page[Any]:
    return by_row_number(lambda offset, count: rows[offset : offset + count], cursor, size)


@given(keys, sizes)
def test_walking_by_key_gives_each_row_once_even_among_ties(values: list[int], size: int) -> None:
    rows = list(enumerate(values))
    assert walk(lambda cursor: by_key(rows, lambda row: row[1], cursor, size))[0] == rows


@given(keys, sizes)
def test_walking_back_by_key_leads_to_the_page_before(values: list[int], size: int) -> None:
    rows = list(enumerate(values))

    def paginate(cursor: Cursor) -> Page[Any]:
        return by_key(rows, lambda row: row[1], cursor, size)

    _, pages = walk(paginate)
    for before, after in pairwise(pages):
        assert after.has_previous
        assert paginate(parse_cursor(str(after.previous))).rows == before.rows


@given(st.lists(st.integers()), sizes)
def test_walking_by_page_number_gives_each_row_once(rows: list[int], size: int) -> None:
    found, pages = walk(lambda cursor: by_page_number(rows, cursor, size))
    assert found == rows
    assert len(pages) == max(1, -(-len(rows) // size))


@given(st.lists(st.integers()), sizes)
def test_walking_by_row_number_gives_each_row_once(rows: list[int], size: int) -> None:
    assert walk(lambda cursor: by_row(rows, cursor, size))[0] == rows


@given(keys, sizes, st.integers(min_value=2, max_value=5))
def test_a_filter_after_the_cut_makes_short_pages_and_loses_nothing(values: list[int], size: int, rest: int) -> None:
    rows = list(enumerate(values))
    found, _ = walk(lambda cursor: by_key(rows, lambda row: row[1], cursor, size, keep=lambda row: row[0] % rest == 0))
    assert found == [row for row in rows if row[0] % rest == 0]


def test_an_empty_page_can_have_a_next_one() -> None:
    page = by_key([3, 2, 1], float, Cursor(0, 0), 1, keep=lambda row: row == 1)
    assert (page.rows, page.has_next) == ([], True)


def test_cursors_have_the_grammar_of_their_paginator() -> None:
    rows = list(range(40, 0, -1))
    assert str(by_page_number(rows, Cursor(0, 0), 10).next) == "10:1:0"
    assert str(by_page_number(rows, Cursor(0, 0), 10).previous) == "10:-1:1"
    assert str(by_row(rows, Cursor(0, 20), 10).next) == "0:30:0"
    assert str(by_key(rows, lambda row: row * 1000, Cursor(0, 0), 10).next) == "30000:0:0"


def test_a_shifted_page_begins_early_and_the_next_one_follows_it() -> None:
    rows = list(range(40))
    page = by_row_number(lambda offset, count: rows[offset : offset + count], Cursor(0, 10), 10, shift=3)
    assert (page.rows, str(page.next)) == (rows[7:17], "0:17:0")


def test_links_name_both_relations_and_begin_with_an_ampersand_without_a_query() -> None:
    page = by_page_number([1], Cursor(0, 0), 100)
    assert page.link("http://x/", [("cursor", "100:1:0")]) == (
        '<http://x/?&cursor=100:-1:1>; rel="previous"; results="false"; cursor="100:-1:1", '
        '<http://x/?&cursor=100:1:0>; rel="next"; results="false"; cursor="100:1:0"'
    )
    assert page.link("http://x/", [("query", "a b,"), ("full", "1")]).startswith(
        "<http://x/?query=a+b%2C&full=1&cursor="
    )


@pytest.mark.parametrize("text", ["", "x", "1:2", "1:2:3:4", "a:0:0", "0:1.5:0", "0:0:x"])
def test_a_cursor_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_cursor(text)
    assert (refused.value.status, refused.value.body) == (400, {"detail": "Invalid cursor parameter."})


def test_page_sizes_over_a_hundred_are_refused_but_limits_are_capped() -> None:
    assert (per_page(None), per_page("100"), limit("500"), limit(None)) == (100, 100, 100, 100)
    for text in ("101", "ten", "0"):
        with pytest.raises(Refusal):
            per_page(text)
