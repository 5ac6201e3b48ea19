from __future__ import annotations

import contextlib
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentry_connector.errors import MalformedAnswer, UsageError
from sentry_connector.sentry.wire import Request, api_path, clean, http_date, next_cursor, retry_after

SEGMENTS = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1).filter(
    lambda text: text not in {".", ".."}
)
CURSORS = st.from_regex(r"[0-9]{1,13}(\.[0-9]{1,3})?:-?[0-9]{1,6}:[01]", fullmatch=True)


@given(SEGMENTS, SEGMENTS)
def test_every_value_stays_within_its_own_path_segment(one: str, two: str) -> None:
    path = api_path("/projects/{organization}/{project}/events/", organization=one, project=two)
    segments = urlsplit(f"https://sentry.io/api/0{path}?x=1").path.split("/")
    assert [unquote(segment) for segment in segments] == ["", "api", "0", "projects", one, two, "events", ""]


@pytest.mark.parametrize("value", ["", ".", "..", "a\x00b", "a\nb", "\x7f", "\ud800"])
def test_a_value_that_is_no_path_segment_is_refused(value: str) -> None:
    with pytest.raises(UsageError):
        api_path("/organizations/{organization}/", organization=value)


def test_a_request_builds_its_own_url_and_replaces_the_cursor() -> None:
    request = Request(base_url="https://sentry.io/x", path="/a/", params=(("query", "a b&c"), ("query", "")))
    assert request.url == "https://sentry.io/x/api/0/a/?query=a+b%26c&query="
    again = request.with_cursor("0:100:0").with_cursor("0:200:0")
    assert again.url == "https://sentry.io/x/api/0/a/?query=a+b%26c&query=&cursor=0%3A200%3A0"


@given(
    cursor=CURSORS,
    other=CURSORS,
    more=st.booleans(),
    address=st.sampled_from(["https://sentry.io/api/0/x/?a=1,2&cursor=1:2:3", 'http://evil/,;="', "/relative", ""]),
    first=st.booleans(),
    previous=st.booleans(),
    space=st.sampled_from(["", " ", "\t"]),
    rel=st.sampled_from(["next", "NEXT", "next last"]),
)
def test_the_cursor_of_any_wellformed_link_header_is_read(
    *, cursor: str, other: str, more: bool, address: str, first: bool, previous: bool, space: str, rel: str
) -> None:
    results = "true" if more else "false"
    following = f'<{address}>{space};{space}rel="{rel}"{space}; results={results}{space};{space}cursor="{cursor}"'
    before = f'<{address}>; rel="previous"; results="true"; cursor="{other}"'
    links = ([before, following] if first else [following, before]) if previous else [following]
    assert next_cursor(f"{space},{space}".join(links)) == (cursor if more else None)


def test_no_link_header_is_the_end_and_an_address_may_carry_the_cursor() -> None:
    assert next_cursor(None) is None
    assert next_cursor('<https://h/?&cursor=1%3A2%3A0>; rel=next; results="true"') == "1:2:0"


def test_of_an_attribute_that_comes_twice_the_first_counts() -> None:
    header = '<https://h/>; rel="previous"; rel="next"; results="true"; cursor="1:0:1", '
    header += '<https://h/>; rel="next"; results="true"; results="false"; cursor="1:2:0"; cursor="9:9:0"'
    assert next_cursor(header) == "1:2:0"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "garbage",
        "<https://h/?cursor=1:2:0",
        '<https://h/>; rel="next"; cursor="1:2:0"',
        '<https://h/>; rel="next"; results="maybe"; cursor="1:2:0"',
        '<https://h/>; rel="next"; results="true"',
        '<https://h/>; rel="next"; results="true"; cursor=""',
        '<https://h/>; rel="previous"; results="true"; cursor="1:2:1"',
        '<https://h/>; rel="next; results="true"; cursor="1:2:0"',
        '<https://[h/>; rel="next"; results="true"',
        '<https://h/>; rel="next"; results="true"; cursor="1:2:0" <https://h/>',
    ],
)
def test_a_malformed_link_header_is_never_taken_for_the_end(header: str) -> None:
    with pytest.raises(MalformedAnswer):
        next_cursor(header)


@given(st.text())
def test_any_text_as_link_header_gives_a_cursor_an_end_or_our_error(header: str) -> None:
    with contextlib.suppress(MalformedAnswer):
        next_cursor(header)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:30 GMT"}, 10.0),
        ({"retry-after": "Tue, 14 Nov 2023 20:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "99999999999"}, 99999999999.0),
        ({"x-sentry-rate-limit-reset": "1700000030"}, 30.0),
        ({"retry-after": "2", "x-sentry-rate-limit-reset": "1700000030"}, 2.0),
        ({"retry-after": "soon", "x-sentry-rate-limit-reset": "1700000030"}, 30.0),
        ({}, None),
    ],
)
def test_how_long_the_server_wants_to_be_left_alone(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=1_700_000_000.0) == seconds


def test_without_the_servers_time_only_a_number_of_seconds_tells() -> None:
    assert retry_after({"retry-after": "7"}, now=None) == 7.0
    assert retry_after({"x-sentry-rate-limit-reset": "1700000030"}, now=None) is None


@pytest.mark.parametrize(
    "text", [None, "", "yesterday", "Tue, 14 Nov 99999 22:13:30 GMT", "Tue, 99 Nov 2023 22:13:30 GMT"]
)
def test_a_date_that_is_none_is_none(text: str | None) -> None:
    assert http_date(text) is None


@given(st.text(max_size=2000))
def test_clean_text_is_short_and_has_no_control_characters(text: str) -> None:
    words = clean(text)
    assert len(words) <= 300
    assert words == " ".join(words.split())
    assert words.isprintable()


def test_clean_text_has_no_secrets() -> None:
    assert clean("a sntrys_eyJpYXQiOjE=_x/y+z sntryu_0a1b Bearer abc.def Basic dTpw b") == (
        "a [secret] [secret] [secret] [secret] b"
    )
