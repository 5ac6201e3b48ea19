from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentry_connector.errors import (
    AccessDenied,
    BeyondRetention,
    ConnectorError,
    MalformedAnswer,
    NotFound,
    NotSentry,
    ProxyFailed,
    RateLimited,
    RequestRefused,
    ScopeMissing,
    SentryUnavailable,
    TokenNotForHost,
    TokenRejected,
)
from sentry_connector.sentry.wire import Request, error_for

REQUEST = Request(
    base_url="https://sentry.io",
    path="/projects/acme/shop/events/",
    subject="project acme/shop",
    scope="project:read",
    report="Project Events",
)
CODED = {
    "detail": {"code": "sso-required", "message": "Must login via SSO", "extra": {"loginUrl": "/auth/login/acme/"}}
}
MOVED = {
    "detail": {"code": "resource-moved", "message": "Resource has been moved", "extra": {"url": "/x/", "slug": "store"}}
}
FORGOTTEN = {"detail": "Invalid date range. Please try a more recent date range."}
ODD_ENVELOPE = {"error": {"params": {"stats_period": {"message": "Invalid stats_period"}}}}


@pytest.mark.parametrize(
    ("status", "answer", "kind", "words"),
    [
        (400, {"detail": "Invalid cursor parameter."}, RequestRefused, "Invalid cursor parameter"),
        (400, ODD_ENVELOPE, RequestRefused, "Invalid stats_period"),
        (400, FORGOTTEN, BeyondRetention, "so old"),
        (
            400,
            {"field": ["This is required."], "other": ["So is this."]},
            RequestRefused,
            "This is required.; So is this",
        ),
        (400, "a bare text", RequestRefused, "a bare text"),
        (400, {"detail": "Query timeout. Please try again."}, SentryUnavailable, "Query timeout"),
        (400, {"detail": "Internal error. Please try again."}, SentryUnavailable, "Internal error"),
        (401, {"detail": "Invalid token"}, TokenRejected, "Invalid token"),
        (401, {"detail": {"message": "Token expired"}}, TokenRejected, "Token expired"),
        (401, None, TokenRejected, "does not accept the token"),
        (401, CODED, AccessDenied, "sso-required: Must login via SSO"),
        (401, {"detail": {"code": "member-disabled-over-limit"}}, AccessDenied, "member-disabled-over-limit"),
        (403, {"detail": "You do not have permission to perform this action."}, ScopeMissing, "scope project:read"),
        (403, CODED, AccessDenied, "sso-required"),
        (404, {"detail": "The requested resource does not exist"}, NotFound, "project acme/shop"),
        (410, {"detail": "This endpoint was removed"}, NotFound, "project acme/shop"),
        (302, MOVED, NotFound, "renamed to store"),
        (407, None, ProxyFailed, "407"),
        (408, {"detail": {"code": "request-timeout"}}, SentryUnavailable, "408"),
        (409, {"detail": "conflict"}, RequestRefused, "conflict"),
        (414, None, RequestRefused, "414"),
        (429, {"detail": "You are attempting to use this endpoint too frequently."}, RateLimited, "limits the rate"),
        (500, {"detail": "Internal Error", "errorId": "1f"}, SentryUnavailable, "Internal Error"),
        (503, None, SentryUnavailable, "503"),
        (520, None, SentryUnavailable, "520"),
        (204, None, MalformedAnswer, "204"),
        (304, None, NotFound, "acme/shop"),
        (999, None, MalformedAnswer, "999"),
    ],
)
def test_each_answer_means_its_error_in_sentrys_own_words(
    status: int, answer: object, kind: type[ConnectorError], words: str
) -> None:
    body = b"<html>Bad Gateway</html>" if answer is None else json.dumps(answer).encode()
    error = error_for(status, {}, body, REQUEST)
    assert type(error) is kind
    assert words in error.message
    assert "<html" not in error.message


def test_an_empty_404_that_calls_itself_html_is_sentrys_own() -> None:
    """So the servers of 2019 answer about a path that they do not have."""
    headers = {"Content-Type": "text/html; charset=utf-8"}
    assert type(error_for(404, headers, b"", REQUEST)) is NotFound
    assert type(error_for(404, headers, b"<html>nginx</html>", REQUEST)) is NotSentry


def test_a_refused_scope_is_named_with_the_report_for_programs_too() -> None:
    error = error_for(403, {}, b"{}", REQUEST)
    assert error.data["scope"] == "project:read"
    assert error.data["report"] == "Project Events"
    assert "Project Events" in error.message


def test_a_renamed_project_tells_its_new_name() -> None:
    error = error_for(
        302, {"Location": "https://sentry.io/api/0/projects/acme/store/"}, json.dumps(MOVED).encode(), REQUEST
    )
    assert error.data["moved_to"] == "store"
    assert "store" in error.remedy


def test_where_other_endpoints_exist_the_refusal_says_so() -> None:
    request = Request(base_url="https://sentry.io", path="/organizations/acme/issues/", alternatives_exist=True)
    assert error_for(404, {}, b"", request).data["alternatives_exist"] is True
    assert error_for(400, {}, b"", request).data["alternatives_exist"] is True


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        ("https://evil.example/api/0/x/", "https://evil.example:443"),
        ("//evil.example/", "https://evil.example:443"),
        ("http://sentry.io/api/0/x/", "http://sentry.io:80"),
        ("https://sentry.io:8443/", "https://sentry.io:8443"),
        ("https://us.sentry.io/", "https://us.sentry.io:443"),
        ("javascript:alert(1)", "javascript:alert(1)"),
    ],
)
def test_a_redirect_to_another_origin_is_told_and_no_place_for_the_token(
    status: int, location: str, leads_to: str
) -> None:
    error = error_for(status, {"LOCATION": location}, b"", REQUEST)
    assert type(error) is TokenNotForHost
    assert error.data["leads_to"] == leads_to


def test_a_redirect_within_the_host_means_not_found() -> None:
    assert type(error_for(301, {"location": "/auth/login/"}, b"", REQUEST)) is NotFound


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "3"}, 3.0),
        ({"Date": "Tue, 14 Nov 2023 22:13:20 GMT", "X-Sentry-Rate-Limit-Reset": "1700000042"}, 42.0),
        ({"X-Sentry-Rate-Limit-Reset": "1700000042"}, None),
        ({}, None),
    ],
)
def test_a_rate_limit_says_how_long_by_the_servers_own_clock(headers: dict[str, str], seconds: float | None) -> None:
    assert error_for(429, headers, b"", REQUEST).data["retry_after"] == seconds


def test_hostile_words_are_quoted_short_and_without_control_characters() -> None:
    body = json.dumps({"detail": "\x1b]0;x\x07" + "\u202e" + "A" * 5000}).encode()
    message = error_for(400, {}, body, REQUEST).message
    assert message.isprintable()
    assert len(message) < 400


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b"\x00", b'{"detail": NaN}', b'"\\ud800"']
)
def test_bodies_that_are_no_json_still_mean_the_status(body: bytes) -> None:
    assert type(error_for(401, {}, body, REQUEST)) is TokenRejected


@given(status=st.integers(100, 999), body=st.binary(max_size=200), location=st.text(max_size=50))
def test_any_answer_means_some_error_of_ours(status: int, body: bytes, location: str) -> None:
    assert isinstance(error_for(status, {"location": location}, body, REQUEST), ConnectorError)
