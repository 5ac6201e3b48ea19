"""From a page's bytes to rows: nothing lost on the way, every surprise kept."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentry_connector.errors import MalformedAnswer
from sentry_connector.extraction import tree
from sentry_connector.extraction.cast import cast
from sentry_connector.extraction.decode import MOST_LEARNT, MOST_NAMED, OTHERS, Decoder
from sentry_connector.reports import catalogue
from sentry_connector.reports.model import ColumnType, Report

from .records import ENTRIES, NOW, THINGS, batch_of, context

PLAIN = {"id": "1", "projectID": "7", "dateCreated": "2026-03-10T11:00:00Z"}


def rows(*items: object, **changes: object) -> list[dict[str, object]]:
    """The rows that a page of these items decodes to."""
    body = json.dumps(items).encode()
    found: list[dict[str, object]] = batch_of(Decoder(THINGS), body, context(**changes)).to_pylist()
    return found


def test_every_column_finds_its_value() -> None:
    (row,) = rows(
        PLAIN
        | {
            "lifetime": {"count": "12"},
            "count": "3",
            "score": 0.5,
            "hasSeen": True,
            "user": {"email": "a@b.c"},
            "tags": [{"key": "k"}],
        }
    )
    assert row == {
        "organization": "acme",
        "project_id": "7",
        "id": "1",
        "count": 12,
        "score": 0.5,
        "seen": True,
        "date_created": dt.datetime(2026, 3, 10, 11, tzinfo=dt.UTC),
        "user_email": "a@b.c",
        "tags": '[{"key": "k"}]',
        "_host": "sentry.example",
        "_run_id": "run-1",
        "_extracted_at": NOW,
        "_extra": None,
    }


def test_the_first_source_with_a_value_wins() -> None:
    assert [row["count"] for row in rows(PLAIN | {"count": "3"}, PLAIN | {"lifetime": None, "count": 4})] == [3, 4]


def test_null_and_missing_are_null() -> None:
    assert [row["user_email"] for row in rows(PLAIN | {"user": None}, PLAIN | {"user": {}}, PLAIN)] == [None] * 3


def test_context_fills_what_an_item_does_not_say() -> None:
    item = {"id": "1", "dateCreated": "2026-03-10T11:00:00Z"}
    assert rows(item)[0]["project_id"] == "7"


@pytest.mark.scenario("65")
def test_an_unknown_field_is_kept_and_counted() -> None:
    decoder = Decoder(THINGS)
    body = json.dumps([PLAIN | {"novel": {"a": 1}, "user": {"email": "x", "shoe": 44}}, PLAIN]).encode()
    for _ in range(2):  # the first page teaches the decoder, the second takes the fast way
        decoded = decoder.page(body, context())
        batch, misfits = decoder.batch([decoded])
        extra = json.loads(batch["_extra"][0].as_py())
        assert extra == {"novel": {"a": 1}, "user/shoe": 44}
        assert batch["_extra"][1].as_py() is None
        assert batch["user_email"][0].as_py() == "x"
        assert not misfits
        assert decoded.drift == {"novel": 1, "user/shoe": 1}


@pytest.mark.scenario("65")
def test_a_misfit_becomes_null_and_is_kept_and_counted() -> None:
    decoder = Decoder(THINGS)
    page = decoder.page(
        json.dumps([PLAIN | {"score": "high", "user": "root", "hasSeen": {"by": 1}}]).encode(), context()
    )
    batch, misfits = decoder.batch([page])
    assert page.drift | misfits == {"score": 1, "user": 1, "hasSeen": 1}
    (row,) = batch.to_pylist()
    assert (row["score"], row["user_email"], row["seen"]) == (None, None, None)
    assert json.loads(str(row["_extra"])) == {"score": "high", "user": "root", "hasSeen": {"by": 1}}


def test_a_field_that_is_left_out_is_no_drift() -> None:
    assert rows(PLAIN | {"noise": [1, 2], "user": {"name": "x"}})[0]["_extra"] is None


def test_of_a_key_that_comes_twice_the_last_value_counts_as_in_every_reader() -> None:
    """In the fast way and in the lenient one, in an item and in what is kept as JSON."""
    twice = b'{"id": "0", "id": "1", "dateCreated": "2026-03-10T11:00:00Z", "projectID": "7", "score": 1, "score": 2'
    for rest in (b"}", b', "novel": 1, "novel": {"a": 1, "a": 2}}'):
        decoder = Decoder(THINGS)
        for _ in range(2):
            (row,) = batch_of(decoder, b"[" + twice + rest + b"]", context()).to_pylist()
            assert (row["id"], row["score"]) == ("1", 2)


@pytest.mark.scenario("36")
def test_rows_outside_the_window_are_dropped() -> None:
    start, end = dt.datetime(2026, 3, 10, 11, tzinfo=dt.UTC), dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
    times = ["10:59:59.999999", "11:00:00", "11:59:59.999999", "12:00:00"]
    items = [PLAIN | {"id": time, "dateCreated": f"2026-03-10T{time}Z"} for time in times]
    assert [row["id"] for row in rows(*items, start=start, end=end)] == ["11:00:00", "11:59:59.999999"]


WRITTEN_TIMES = (
    "2026-03-10T10:59:59Z",
    "2026-03-10T11:00:00Z",
    "2026-03-10T11:59:59Z",
    "2026-03-10T12:00:00Z",
    "2026-03-10T11:30:00.25Z",
    "2026-03-10T13:30:00+02:00",
    "2026-03-99T11:30:00Z",
    "2026-W11-2T11:30:00Z",
    "soon",
    1773140400,
    None,
)


@given(st.lists(st.sampled_from(WRITTEN_TIMES)) | st.lists(st.sampled_from(WRITTEN_TIMES[:4])))
def test_a_page_tells_its_times_and_counts_its_items_however_they_are_written(times: list[object]) -> None:
    start, end = dt.datetime(2026, 3, 10, 11, tzinfo=dt.UTC), dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
    items = [{"eventID": str(place), "dateCreated": time} for place, time in enumerate(times)]
    decoder = Decoder(catalogue.find("project-events"))
    page = decoder.page(json.dumps(items).encode(), context(start=start, end=end))
    known = [time for time in cast(ColumnType.TIMESTAMP, times)[0].to_pylist() if time is not None]
    assert (page.newest, page.oldest) == (max(known, default=None), min(known, default=None))
    stamps = cast(ColumnType.TIMESTAMP, times)[0].to_pylist()
    inside = [str(place) for place, time in enumerate(stamps) if time is None or start <= time < end]
    assert page.items == tuple(inside)


def test_json_in_which_a_forbidden_character_stands_is_taken_apart_all_the_same() -> None:
    root = tree.Node()
    root.add(("below", "field"), raw=True)
    kind: Any = tree.struct_type(root)
    below = msgspec.json.decode(b'{"below": {"field": 1}}', type=kind).f0
    texts = [b"[1]", b"null", b'"a\0b"', b'"caf\xff"', None]
    items = [kind(f0=None if text is None else type(below)(f0=msgspec.Raw(text))) for text in texts]
    take = tree.getter(root, ("below", "field"))
    assert take(items) == ["[1]", None, '"a\0b"', '"caf\N{REPLACEMENT CHARACTER}"', None]
    assert take(items[:2]) == ["[1]", None]
    assert take([]) == []


def test_items_of_another_owner_are_refused() -> None:
    with pytest.raises(MalformedAnswer, match="'8' where '7'"):
        rows(PLAIN | {"projectID": "8"})


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b'{"detail": "no"}', b"[1]", b"null", b"<html>", b"[", b"[" * 100_000],
    ids=["empty", "object", "error", "numbers", "null", "html", "cut", "deep"],
)
def test_what_is_no_list_of_objects_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        Decoder(THINGS).page(body, context())


@pytest.mark.parametrize(
    ("raw", "stored"),
    [
        (b'"\\ud800"', "?"),
        (b'"caf\xff"', "caf�"),
        (b'"nul\\u0000"', "nul\x00"),
        ('"\U0001f4a5 \u202e"'.encode(), "\U0001f4a5 \u202e"),
    ],
    ids=["lone surrogate", "invalid UTF-8", "NUL", "emoji"],
)
def test_hostile_text_is_stored(raw: bytes, stored: str) -> None:
    body = b'\xef\xbb\xbf[{"id": ' + raw + b"}]"
    assert batch_of(Decoder(THINGS), body, context())["id"].to_pylist() == [stored]


def test_numbers_that_json_allows_and_columns_do_not() -> None:
    body = b'[{"id": "1", "count": 1' + b"0" * 5000 + b', "score": NaN}]'
    batch = batch_of(Decoder(THINGS), body, context())
    assert (batch["count"].to_pylist(), batch["score"].to_pylist()) == ([None], [None])
    assert set(json.loads(batch["_extra"][0].as_py())) == {"lifetime/count", "score"}


@pytest.mark.parametrize("written", ["1e999", "-1e999", "NaN", "-Infinity", "1" + "0" * 400])
def test_a_number_that_no_column_holds_is_kept_as_text(written: str) -> None:
    batch = batch_of(Decoder(THINGS), f'[{{"id": {written}, "score": {written}}}]'.encode(), context())
    (row,) = batch.to_pylist()
    assert (row["id"], row["score"]) == (written, None)
    assert str(json.loads(row["_extra"])["score"]) == written


def test_an_integer_beyond_64_bits_stays_an_integer() -> None:
    (row,) = rows(PLAIN | {"count": 2**64, "novel": {"a": 1}})
    assert json.loads(str(row["_extra"])) == {"lifetime/count": 2**64, "novel": {"a": 1}}


@pytest.mark.parametrize("field", ["tags", "novel", "entries"])
@pytest.mark.parametrize("report", [THINGS, ENTRIES], ids=["items", "entries"])
def test_what_is_nested_deep_is_kept_and_too_deep_is_malformed(report: Report, field: str) -> None:
    def page(depth: int) -> dict[str, object]:
        value = b"[" * depth + b"]" * depth
        body = b'[{"eventID": "a", "entries": [{"data": 1}], "%s": [{"data": %s}]}]' % (field.encode(), value)
        found: list[dict[str, object]] = batch_of(Decoder(report), body, context()).to_pylist()
        return found[0]

    assert "[" * 500 in "".join(map(str, page(500).values()))
    for depth in (2_000, 100_000):
        with pytest.raises(MalformedAnswer, match="too deep"):
            page(depth)


WRITTEN = [
    *(
        '""',
        '"a"',
        '"7"',
        '"caf\u00e9 \\u00e9 \\/ \\ud83d\\ude00"',
        '"NaN \\" NaN"',
        '"\\\\ud800"',
        "true",
        "null",
        "3",
        "3.0",
    ),
    *("1.50", "1E5", "-0", "18446744073709551616", '"2026-03-10T11:00:00Z"', '"2026-03-10"', "{}", "[ ]"),
    *('{"b": 1,  "a": [1 , 2.50]}', '[{"key": "k", "value": null}]', '{"email": "x", "shoe" : 1.0}', '{"count": 1E2}'),
]
"""Values in the many ways in which JSON may be written."""
NAMES = ["count", "lifetime", "score", "hasSeen", "user", "tags", "noise", "novel", 'no"vel', "dateCreated"]
SURPRISES = [
    *(
        "1",
        '{"a": 1}',
        "1e999",
        "NaN",
        '"\\ud800"',
        '"\\udc00\\ud83d\\ude00"',
        '"caf\udcff"',
        "9" * 5000,
        '{"z":[1 , -Infinity]}',
    )
]


def test_json_is_as_sentry_wrote_it_whatever_a_neighbour_holds() -> None:
    tags = '[{"key": "a", "value":"\\u00e9\\/x"}, 1E5, 1e999]'
    known = '{"id": "1", "dateCreated": "2026-03-10T11:00:00Z", "tags": ' + tags + "}"
    for page in (f"[{known}]", *(f'[{known}, {{"novel": {surprise}}}]' for surprise in SURPRISES)):
        batch = batch_of(Decoder(THINGS), page.encode(errors="surrogateescape"), context())
        assert batch["tags"][0].as_py() == tags


@given(
    st.lists(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(WRITTEN)), min_size=1, max_size=4),
    st.sampled_from([*NAMES, "other"]),
    st.sampled_from(SURPRISES),
)
def test_a_row_does_not_depend_on_its_neighbours(items: list[dict[str, str]], name: str, surprise: str) -> None:
    """The same rows come out beside a surprising item, on the page that surprises and on the next one."""
    written = [", ".join(f"{json.dumps(key)}: {value}" for key, value in item.items()) for item in items]
    page = "[" + ", ".join(f"{{{fields}}}" for fields in written)
    alone = batch_of(Decoder(THINGS), f"{page}]".encode(), context())
    decoder = Decoder(THINGS)
    for _ in range(2):
        beside = batch_of(
            decoder, f"{page}, {{{json.dumps(name)}: {surprise}}}]".encode(errors="surrogateescape"), context()
        )
        assert beside.slice(0, len(items)).to_pylist() == alone.to_pylist()
    assert batch_of(decoder, f"{page}]".encode(), context()).to_pylist() == alone.to_pylist()


@given(
    st.lists(
        st.lists(
            st.dictionaries(st.sampled_from([*NAMES, "other"]), st.sampled_from([*WRITTEN, *SURPRISES])), max_size=3
        ),
        min_size=1,
        max_size=4,
    )
)
def test_pages_become_the_same_rows_together_as_alone(pages: list[list[dict[str, str]]]) -> None:
    """Also where the decoder learns between two of them."""
    bodies = [
        (
            "["
            + ", ".join("{" + ", ".join(f"{json.dumps(k)}: {v}" for k, v in item.items()) + "}" for item in items)
            + "]"
        ).encode(errors="surrogateescape")
        for items in pages
    ]
    moments = [NOW + dt.timedelta(seconds=number) for number in range(len(bodies))]
    decoder, alone = Decoder(THINGS), Decoder(THINGS)
    decoded = [decoder.page(body, context(extracted_at=at)) for body, at in zip(bodies, moments, strict=True)]
    together, _ = decoder.batch(decoded)
    one_by_one = [batch_of(alone, body, context(extracted_at=at)) for body, at in zip(bodies, moments, strict=True)]
    assert together.to_pylist() == [row for batch in one_by_one for row in batch.to_pylist()]
    keys = [key for page in decoded for key, _ in decoder.keys(page, ("project_id", "id"))]
    assert keys == [(row["project_id"], row["id"]) for row in together.to_pylist()]


def test_names_without_end_are_kept_but_neither_learnt_nor_listed_without_end() -> None:
    decoder = Decoder(THINGS)
    named: set[str] = set()
    for page in range(5):
        items = [PLAIN | {f"novel {page} {item} {field}": field for field in range(2)} for item in range(100)]
        decoded = decoder.page(json.dumps(items).encode(), context())
        extras = [json.loads(extra) for extra in decoder.batch([decoded])[0]["_extra"].to_pylist()]
        assert extras == [{f"novel {page} {item} {field}": field for field in range(2)} for item in range(100)]
        named |= set(decoded.drift)
    assert decoded.drift == {OTHERS: 100}
    assert len(decoder.learnt) == MOST_LEARNT
    assert len(named) == MOST_NAMED + 1


def test_a_name_that_no_struct_can_have_is_kept_each_time() -> None:
    decoder = Decoder(THINGS)
    for _ in range(2):
        batch = batch_of(decoder, json.dumps([PLAIN | {'a"\\\n': 1, "": 2}]).encode(), context())
        assert json.loads(batch["_extra"][0].as_py()) == {'a"\\\n': 1, "": 2}


def test_one_row_per_entry() -> None:
    """An event without entries gives no row; entries keep their order and their data."""
    events = [
        {"eventID": "a", "entries": [{"type": "message", "data": {"formatted": "x"}}, {"type": "spans", "data": []}]},
        {"eventID": "b", "entries": []},
        {"eventID": "c", "entries": [{"type": "request", "data": None}]},
        {"eventID": "d"},
    ]
    rows = batch_of(Decoder(ENTRIES), json.dumps(events).encode(), context()).to_pylist()
    got = [(r["event_id"], r["entry_index"], r["entry_type"], r["entry_data"]) for r in rows]
    assert got == [
        ("a", 0, "message", '{"formatted": "x"}'),
        ("a", 1, "spans", "[]"),
        ("c", 0, "request", None),
    ]
