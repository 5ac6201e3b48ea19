"""Passwords: kept as Argon2id hashes, and refused where they would soon be guessed."""

from __future__ import annotations

import importlib.util
import secrets
from functools import cached_property
from typing import TYPE_CHECKING

from sentry_connector.errors import UsageError

if TYPE_CHECKING:
    import argon2

SHORTEST, LONGEST = 12, 128
MEMORY_KIB, PASSES, LANES = 46 * 1024, 1, 1
"""Argon2id's cost, by OWASP's Password Storage Cheat Sheet: 46 MiB, one pass, one lane."""

GUESSES = 10**8
"""A password that zxcvbn would find in fewer guesses is refused; its lists hold the common ones, names and words."""


class Passwords:
    """Makes and tries hashes; each try takes the same time, also for nobody."""

    @cached_property
    def _hasher(self) -> argon2.PasswordHasher:
        import argon2  # noqa: PLC0415  # an extra

        return argon2.PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)

    @cached_property
    def _nobodys(self) -> str:
        """The hash that is tried for a name which nobody has."""
        return self._hasher.hash(secrets.token_urlsafe(32))

    def hash(self, password: str) -> str:
        """What is kept of a password."""
        return self._hasher.hash(password)

    def is_right(self, kept: str | None, password: str) -> bool:
        """Whether the password is the one that the hash was made of; False without a hash, after as long."""
        import argon2.exceptions  # noqa: PLC0415  # an extra

        try:
            found = self._hasher.verify(kept or self._nobodys, password[: LONGEST + 1])
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False
        return found and kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Whether a hash was made with other costs than those of now."""
        return self._hasher.check_needs_rehash(kept)


def check_password(password: str, *about: str) -> str:
    """The password, where it is one to be kept.

    Args:
        password: what was chosen.
        about: what whoever guesses knows too: the person's name.

    Raises:
        UsageError: it is too short, too long, or would soon be guessed.
    """
    from zxcvbn import zxcvbn  # noqa: PLC0415  # an extra, and slow to import

    if len(password) < SHORTEST:
        raise UsageError(f"The password is shorter than {SHORTEST} characters.", remedy="Choose a longer one.")
    if len(password) > LONGEST:
        raise UsageError(f"The password is longer than {LONGEST} characters.", remedy="Choose a shorter one.")
    found = zxcvbn(password[:72], user_inputs=[*about, "sentry", "connector"])
    if found["guesses"] < GUESSES:
        raise UsageError(
            "The password would soon be guessed: it is a common one, or made of common parts.",
            remedy="Take several words that have nothing to do with each other, or what a password manager makes.",
        )
    return password


def need_libraries() -> None:
    """See to it that passwords can be hashed.

    Raises:
        UsageError: the extra is not installed.
    """
    if any(importlib.util.find_spec(one) is None for one in ("argon2", "zxcvbn")):
        raise UsageError("Argon2 and zxcvbn are not installed.", remedy="pip install 'sentry-connector[server]'")
