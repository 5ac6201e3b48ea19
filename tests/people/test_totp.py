"""One-time passwords: those of the standard, each good once, and none that is another moment's."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, urlsplit

import pytest

from sentry_connector.people.secrets import new_recovery_code, plain_code
from sentry_connector.people.totp import STEP, code_of, new_seed, step_of, uri_of

RFC_SEED = base64.b32encode(b"12345678901234567890").decode()
"""That of RFC 6238, appendix B; its codes are of eight digits, of which ours are the last six."""


@pytest.mark.parametrize(
    ("at", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_codes_are_those_of_the_standard(at: int, code: str) -> None:
    assert code_of(RFC_SEED, at) == code
    assert step_of(RFC_SEED, f"{code[:3]} {code[3:]}", at, after=0) == at // STEP


def test_a_code_is_good_half_a_minute_around_its_own_and_once() -> None:
    at = 1_000_000 * STEP
    code = code_of(RFC_SEED, at)
    good = [seconds for seconds in range(-3 * STEP, 3 * STEP) if step_of(RFC_SEED, code, at + seconds, after=0)]
    assert (good[0], good[-1]) == (-STEP, 2 * STEP - 1)
    assert step_of(RFC_SEED, code, at, after=1_000_000) is None
    assert step_of(RFC_SEED, code, at, after=1_000_001) is None, "nor one of before the last"


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "٢٨٧٠٨٢", "\ud800", "287082\0"])
def test_what_is_no_code_is_refused(typed: str) -> None:
    assert step_of(RFC_SEED, typed, 59, after=0) is None


def test_a_seed_is_of_chance_and_an_authenticator_reads_its_address() -> None:
    seeds = {new_seed() for _ in range(100)}
    assert len(seeds) == 100
    seed = seeds.pop()
    assert len(base64.b32decode(seed)) == 20
    uri = urlsplit(uri_of(seed, "Ada & co"))
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert parse_qs(uri.query)["secret"] == [seed]
    assert parse_qs(uri.query)["issuer"] == ["Sentry Connector"]


def test_a_recovery_code_is_read_however_it_was_typed() -> None:
    code = new_recovery_code()
    assert len(plain_code(code)) == 24, "120 bits"
    assert plain_code(f"  {code.upper().replace('-', ' ')} ") == plain_code(code)
    assert len({new_recovery_code() for _ in range(100)}) == 100
