"""From a page's bytes to rows: nothing lost on the way, every surprise kept."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from sentry_connector.errors import MalformedAnswer
from sentry_connector.extraction.decode import Decoder

from .records import ENTRIES, NOW, THINGS, context

PLAIN = {"id": "1", "projectID": "7", "dateCreated": "2026-03-10T11:00:00Z"}


def rows(*items: object, **changes: object) -> list[dict[str, object]]:
    """The rows that a page of these items decodes to."""
    body = json.dumps(items).encode()
    found: list[dict[str, object]] = Decoder(THINGS).page(body, context(**changes)).batch.to_pylist()
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


def test_an_unknown_field_is_kept_and_counted() -> None:
    decoder = Decoder(THINGS)
    body = json.dumps([PLAIN | {"novel": {"a": 1}, "user": {"email": "x", "shoe": 44}}, PLAIN]).encode()
    for _ in range(2):  # the first page teaches the decoder, the second takes the fast way
        decoded = decoder.page(body, context())
        extra = json.loads(decoded.batch["_extra"][0].as_py())
        assert extra == {"novel": {"a": 1}, "user/shoe": 44}
        assert decoded.batch["_extra"][1].as_py() is None
        assert decoded.batch["user_email"][0].as_py() == "x"
        assert decoded.drift == {"novel": 1, "user/shoe": 1}


def test_a_misfit_becomes_null_and_is_kept() -> None:
    (row,) = rows(PLAIN | {"score": "high", "user": "root", "hasSeen": {"by": 1}})
    assert (row["score"], row["user_email"], row["seen"]) == (None, None, None)
    assert json.loads(str(row["_extra"])) == {"score": "high", "user": "root", "hasSeen": {"by": 1}}


def test_a_field_that_is_left_out_is_no_drift() -> None:
    assert rows(PLAIN | {"noise": [1, 2], "user": {"name": "x"}})[0]["_extra"] is None


def test_rows_outside_the_window_are_dropped() -> None:
    start, end = dt.datetime(2026, 3, 10, 11, tzinfo=dt.UTC), dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
    times = ["10:59:59.999999", "11:00:00", "11:59:59.999999", "12:00:00"]
    items = [PLAIN | {"id": time, "dateCreated": f"2026-03-10T{time}Z"} for time in times]
    assert [row["id"] for row in rows(*items, start=start, end=end)] == ["11:00:00", "11:59:59.999999"]


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
    assert Decoder(THINGS).page(body, context()).batch["id"].to_pylist() == [stored]


def test_numbers_that_json_allows_and_columns_do_not() -> None:
    body = b'[{"id": "1", "count": 1' + b"0" * 5000 + b', "score": NaN}]'
    batch = Decoder(THINGS).page(body, context()).batch
    assert (batch["count"].to_pylist(), batch["score"].to_pylist()) == ([None], [None])
    assert set(json.loads(batch["_extra"][0].as_py())) == {"lifetime/count", "score"}


def test_one_row_per_entry() -> None:
    """An event without entries gives no row; entries keep their order and their data."""
    events = [
        {"eventID": "a", "entries": [{"type": "message", "data": {"formatted": "x"}}, {"type": "spans", "data": []}]},
        {"eventID": "b", "entries": []},
        {"eventID": "c", "entries": [{"type": "request", "data": None}]},
        {"eventID": "d"},
    ]
    decoded = Decoder(ENTRIES).page(json.dumps(events).encode(), context())
    got = [(r["event_id"], r["entry_index"], r["entry_type"], r["entry_data"]) for r in decoded.batch.to_pylist()]
    assert got == [
        ("a", 0, "message", '{"formatted": "x"}'),
        ("a", 1, "spans", "[]"),
        ("c", 0, "request", None),
    ]
    assert decoded.rows == 3
