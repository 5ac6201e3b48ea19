"""The code by which the first admin is made: printed on the console, good once, for a quarter of an hour."""

from __future__ import annotations

import hmac
import threading

from sentry_connector.errors import NotAllowed
from sentry_connector.people.secrets import digest_of

GOOD_FOR = 900.0
"""Seconds."""

TRIES = 10
"""Wrong codes, after which the right one is no good either: the server prints another when it is started again."""


class Claim:
    """One code, of which only the digest is kept."""

    def __init__(self, code: str, now: float) -> None:
        """Let the code be good from now on, by a clock that only goes on."""
        self._digest, self._until, self._wrong = digest_of(code), now + GOOD_FOR, 0
        self._lock = threading.Lock()

    def take(self, code: str, now: float) -> None:
        """Use the code up.

        Raises:
            NotAllowed: it is another one, or no good any more.
        """
        with self._lock:
            good = now < self._until and self._wrong < TRIES
            if not hmac.compare_digest(self._digest, digest_of(code)) or not good:
                self._wrong += 1
                raise NotAllowed(
                    "That is not the code, or it is no good any more.",
                    remedy="Start the server again for a new one, or use `sentry-connector users add` on its machine.",
                )
            self._until = now
