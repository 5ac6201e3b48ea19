"""The vault's key: changed at any time, and in no step of that is a token without the key that opens it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from sentry_connector.errors import UsageError
from sentry_connector.operations.audited import audited
from sentry_connector.runs.house import House
from sentry_connector.runs.lease import Holding, held
from sentry_connector.store import keys
from sentry_connector.store.vault import Vault

PATIENCE = 30.0
"""Seconds to wait for another process that seals tokens."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rotated:
    """What a change of the key did.

    Attributes:
        secrets: how many tokens and addresses were sealed anew.
        place: where the new key is, in words.
    """

    secrets: int
    place: str


def sealing(house: House) -> AbstractAsyncContextManager[Holding]:
    """The right to seal tokens, which one process has at a time.

    Raises:
        Locked: another process has it.
    """
    return held(house, "vault", wait=PATIENCE)


@audited("vault rotate")
async def rotate(house: House, new_key_file: Path | None = None) -> Rotated:
    """Seal all tokens with a new key. One that was interrupted is finished.

    Args:
        house: the parts.
        new_key_file: holds the new key; None makes one and keeps it where the old one was.

    Raises:
        UsageError: the key comes from outside, and no file with a new one is named.
        VaultUnusable: a token does not open, or a key cannot be read or kept; all tokens open as before.
        Locked: another process seals tokens.
    """
    settings, backend = house.settings, house.keyring
    if new_key_file is None and keys.is_given(settings):
        raise UsageError(
            "The vault's key comes from the environment: a new one is yours to make.",
            remedy="`openssl rand -base64 32 > FILE`, `chmod 600 FILE`, then `vault rotate --new-key-file FILE`.",
        )
    async with sealing(house):
        known = keys.load_keys(settings, backend=backend, make=house.store.sealed.is_empty())
        key = keys.read_key_file(new_key_file) if new_key_file else keys.next_key(settings, backend=backend)
        before, after = Vault(*known, key), Vault(key)
        secrets = house.store.sealed.change(
            lambda sealed, owner, url: after.seal(before.open(sealed, owner, url), owner, url)
        )
        place = f"the file {new_key_file}" if new_key_file else keys.promote(settings, backend=backend)
    return Rotated(secrets=secrets, place=place)
