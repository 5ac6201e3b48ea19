"""The vault: what it seals opens with its key, for its account, at its host, and not otherwise."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentry_connector.errors import VaultUnusable
from sentry_connector.redact import token_hint
from sentry_connector.store.store import Store
from sentry_connector.store.vault import KEY_BYTES, Vault
from tests.store.examples import account

KEY = bytes(range(32))
CANARY = "sntryu_CANARYcanary0123456789abcdef"
URL = "https://sentry.io"


@given(st.text(st.characters(codec="utf-8")))
def test_what_is_sealed_opens_again(token: str) -> None:
    assert Vault(KEY).open(Vault(KEY).seal(token, "a", URL), "a", URL) == token


def test_sealing_twice_gives_different_texts() -> None:
    assert Vault(KEY).seal(CANARY, "a", URL) != Vault(KEY).seal(CANARY, "a", URL)


@pytest.mark.parametrize("url", ["https://SENTRY.io/", "https://sentry.io:443", "https://sentry.io/below"])
def test_the_same_origin_in_another_form_opens(url: str) -> None:
    assert Vault(KEY).open(Vault(KEY).seal(CANARY, "a", URL), "a", url) == CANARY


@pytest.mark.parametrize(
    ("key", "account_id", "url"),
    [
        (bytes(32), "a", URL),
        (KEY, "b", URL),
        (KEY, "a", "http://sentry.io"),
        (KEY, "a", "https://sentry.io:444"),
        (KEY, "a", "https://us.sentry.io"),
    ],
)
def test_another_key_account_or_host_does_not_open(key: bytes, account_id: str, url: str) -> None:
    sealed = Vault(KEY).seal(CANARY, "a", URL)
    with pytest.raises(VaultUnusable) as caught:
        Vault(key).open(sealed, account_id, url)
    assert CANARY not in caught.value.message


@given(st.data())
def test_a_changed_text_does_not_open(data: st.DataObject) -> None:
    version, _, text = Vault(KEY).seal(CANARY, "a", URL).partition(".")
    sealed = bytearray(base64.urlsafe_b64decode(text))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(VaultUnusable):
        Vault(KEY).open(f"{version}.{base64.urlsafe_b64encode(bytes(sealed)).decode()}", "a", URL)


@given(st.text())
def test_any_text_that_was_never_sealed_is_refused(text: str) -> None:
    for sealed in (text, f"v1.{text}"):
        with pytest.raises(VaultUnusable):
            Vault(KEY).open(sealed, "a", URL)


def test_a_newer_form_is_named_as_such() -> None:
    with pytest.raises(VaultUnusable, match="newer version"):
        Vault(KEY).open("v2.AAAA", "a", URL)


def test_while_the_key_is_changed_both_open_and_the_first_one_seals() -> None:
    old, new = (Vault(bytes(range(start, start + KEY_BYTES))) for start in (0, 100))
    both = Vault(bytes(range(KEY_BYTES)), bytes(range(100, 100 + KEY_BYTES)))
    for one in (old, new):
        assert both.open(one.seal("token", "a", URL), "a", URL) == "token"
    assert old.open(both.seal("token", "a", URL), "a", URL) == "token"


def test_a_key_of_another_length_is_a_mistake_of_the_program() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Vault(b"short")


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'home' / 'connector.db'}"


def test_swapping_the_sealed_tokens_of_two_accounts_opens_neither(store: Store) -> None:
    vault = Vault(KEY)
    for name in ("one", "two"):
        store.accounts.add(account(name), vault.seal(f"token {name}", account(name).id, URL))
    one, two = store.accounts.list()
    for own, other in ((one, two), (two, one)):
        sealed = store.accounts.sealed_token(other.id)
        assert sealed is not None
        assert vault.open(sealed, other.id, other.url) == f"token {other.name}"
        with pytest.raises(VaultUnusable):
            vault.open(sealed, own.id, own.url)


def test_no_byte_of_a_token_is_in_any_file_of_the_store(store: Store, tmp_path: Path) -> None:
    sealed = Vault(KEY).seal(CANARY, account().id, URL)
    store.accounts.add(account(token_hint=token_hint(CANARY)), sealed)
    store.accounts.replace_token(account(), account(message="again"), Vault(KEY).seal(CANARY, account().id, URL))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    secret = CANARY.removeprefix("sntryu_").encode()
    forms = (secret[:8], secret[-8:], base64.b64encode(secret)[:12], secret.hex().encode()[:16])
    assert {path.name for path in files} >= {"connector.db", "connector.db-wal"}
    assert not [(path, form) for path in files for form in forms if form in path.read_bytes()]


@pytest.mark.parametrize(
    ("token", "hint"),
    [
        ("sntryu_0123456789abcdef0123", "sntryu_01…"),
        ("sntrys_eyJpYXQiOjE2ODc_x", "sntrys_ey…"),
        ("0123456789abcdef" * 4, "01…"),
        ("short", "…"),
        ("sntryu_short", "sntryu_…"),
        ("thisisnoprefix_0123456789abcdef0123", "…"),
        ("", "…"),
    ],
)
def test_a_hint_is_at_most_the_prefix_and_two_characters(token: str, hint: str) -> None:
    assert token_hint(token) == hint


def test_keys_are_random_bytes_of_the_right_length() -> None:
    assert Vault(os.urandom(32)).seal("x", "a", URL).startswith("v1.")
