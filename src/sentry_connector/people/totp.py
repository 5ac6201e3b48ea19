"""One-time passwords of a second factor (TOTP, RFC 6238), as every authenticator makes them: six digits, each half a minute.

SHA-1 is what authenticators know; within HMAC it is as good as ever.
"""

from __future__ import annotations

import base64
import hmac
import secrets

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

ISSUER = "Sentry Connector"
SEED_BYTES = 20  # as RFC 4226 advises
DIGITS = 6
STEP = 30
"""Seconds that a code is for."""

BESIDE = (-1, 0, 1)
"""Steps whose codes are taken: clocks of phones differ, and typing takes time."""


def new_seed() -> str:
    """What a person's authenticator and this server share, in the letters that authenticators take."""
    return base64.b32encode(secrets.token_bytes(SEED_BYTES)).decode()


def uri_of(seed: str, name: str) -> str:
    """The seed as the address that authenticators read from a picture or a link."""
    return _totp(seed).get_provisioning_uri(name, ISSUER)


def code_of(seed: str, at: float) -> str:
    """The code of a moment, in Unix seconds."""
    return _totp(seed).generate(int(at)).decode()


def step_of(seed: str, code: str, at: float, *, after: int) -> int | None:
    """The step of time that a code is for; None where it is the code of none that is taken.

    Args:
        seed: shared with the authenticator.
        code: as it was typed.
        at: the present, Unix seconds.
        after: the last step that was used: no code is good twice.
    """
    typed = code.replace(" ", "").encode("utf-8", "surrogatepass")
    now = int(at // STEP)
    steps = (now + beside for beside in BESIDE)
    return next(
        (one for one in steps if one > after and hmac.compare_digest(code_of(seed, one * STEP).encode(), typed)), None
    )


def _totp(seed: str) -> TOTP:
    return TOTP(base64.b32decode(seed), DIGITS, SHA1(), STEP)  # noqa: S303  # what authenticators know
