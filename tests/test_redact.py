"""Redaction: a known secret leaves in no encoding, an unknown one not in its usual forms, and prose stays."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentry_connector.redact import REDACTED, SHORTEST_SECRET, Redactor, redact_patterns

CANARY = "p4ss+word/ÜmlautCanary=="
SECRETS = st.text(st.characters(codec="utf-8"), min_size=12, max_size=40)


def encodings(secret: str, before: str, after: str) -> list[str]:
    """Twelve ways in which a secret travels, within a longer text where the encoding allows it."""
    data = secret.encode()
    around = [(before.encode() + data + after.encode())]
    return [
        secret,
        secret.upper() if secret.isascii() else secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        "".join(f"%{byte:02x}" for byte in data),
        data.hex(),
        data.hex().upper(),
        json.dumps(secret, ensure_ascii=False)[1:-1],
        base64.b64encode(data).decode(),
        *(base64.b64encode(each).decode() for each in around),
        *(base64.urlsafe_b64encode(each).decode().rstrip("=") for each in around),
    ]


@pytest.mark.parametrize("before", ["", "u", "u:", "usr", "user:"])
def test_a_known_secret_leaves_in_no_encoding(before: str) -> None:
    redactor = Redactor([CANARY, "another secret"])
    for text in encodings(CANARY, before, "!"):
        assert REDACTED in redactor.redact(f"log line with {text} in it")


@given(SECRETS, st.text(max_size=20), st.text(max_size=20))
def test_no_known_secret_survives_wherever_it_stands(secret: str, before: str, after: str) -> None:
    assert secret not in Redactor([secret]).redact(f"{before}{secret}{after}").replace(REDACTED, "")


@given(SECRETS, st.binary(max_size=7), st.binary(max_size=7))
def test_base64_around_a_secret_gives_it_away_at_no_offset(secret: str, before: bytes, after: bytes) -> None:
    encoded = base64.b64encode(before + secret.encode() + after).decode()
    assert REDACTED in Redactor([secret]).redact(encoded)


@given(st.text(st.characters(categories=["Ll", "Zs"]), max_size=100))
def test_plain_prose_stays(text: str) -> None:
    assert Redactor(["S3CR3T-VALUE"]).redact(text) == text


@given(st.text(max_size=200))
def test_redacting_twice_is_redacting_once(text: str) -> None:
    once = redact_patterns(text)
    assert redact_patterns(once) == once


HEX_TOKEN = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("token sntrys_eyJpYXQi.", f"token {REDACTED}."),
        ("sntryu_0123abcd, next", f"{REDACTED}, next"),
        (f"Authorization: Bearer {HEX_TOKEN}", f"Authorization: Bearer {REDACTED}"),
        (f"token={HEX_TOKEN}&x=1", f"token={REDACTED}&x=1"),
        ("bearer abcdefghijklmnop.qrs", f"bearer {REDACTED}"),
        (f"Basic {base64.b64encode(b'user:pass').decode()}", f"Basic {REDACTED}"),
        ("https://0123456789abcdef0123456789abcdef@o1.ingest.sentry.io/2", f"https://{REDACTED}@o1.ingest.sentry.io/2"),
        ("proxy http://user:p@ss@proxy:8080/x", f"proxy http://{REDACTED}@proxy:8080/x"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, expected: str) -> None:
    assert redact_patterns(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Basic authentication is not used",
        "the bearer of this",
        "https://sentry.io/organizations/acme/?query=user@example.com",
        "event 0123456789abcdef0123456789abcdef",
        "mail ada@example.com",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact_patterns(text) == text


def test_very_short_secrets_are_left_alone() -> None:
    assert Redactor(["abc"[: SHORTEST_SECRET - 1]]).redact("abc alphabet") == "abc alphabet"


def test_a_lone_surrogate_breaks_nothing() -> None:
    assert Redactor(["secret\ud800value"]).redact("a secret\ud800value b") == f"a {REDACTED} b"
