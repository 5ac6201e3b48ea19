"""Secrets that are made, shown once and kept as digests: sessions, API keys, recovery codes, the code for the first admin.

They hold 256 bits of chance, so that a plain digest is enough: nobody guesses one, and nobody finds one from its digest.
"""

from __future__ import annotations

import base64
import hashlib
import secrets

KEY_PREFIX = "sck_"
"""How API keys begin, so that scanners find one that was published."""

BYTES = 32


def new_session() -> str:
    """The secret of a session."""
    return secrets.token_urlsafe(BYTES)


def new_key() -> str:
    """An API key."""
    return KEY_PREFIX + secrets.token_urlsafe(BYTES)


def new_code() -> str:
    """A code that a person carries from the console to a browser: 80 bits, good for a quarter of an hour."""
    return "-".join(secrets.token_hex(2) for _ in range(5))


def new_recovery_code() -> str:
    """What stands for the second factor once, where a phone is lost: 120 bits, in letters and digits that are told apart."""
    letters = base64.b32encode(secrets.token_bytes(15)).decode().lower()
    return "-".join(letters[at : at + 4] for at in range(0, len(letters), 4))


def plain_code(typed: str) -> str:
    """A recovery code as it is kept, however it was typed."""
    return "".join(typed.split()).replace("-", "").lower()


def hint_of(key: str) -> str:
    """What may be shown of an API key."""
    return f"{key[: len(KEY_PREFIX) + 4]}…"


def digest_of(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
