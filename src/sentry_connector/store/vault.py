"""The vault: seals tokens so that the store holds nothing which opens Sentry. Pure: keys and texts in, texts out.

Envelope encryption with AES-256-GCM: each token is sealed with a data key of its own, and that key with the vault's.
Both are bound to the account's id and to the origin of its URL: a sealed token that is moved to another account, or
whose account is pointed at another host, does not open. The addresses of channels are sealed so too, bound to their channel.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
from typing import NoReturn

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sentry_connector.errors import VaultUnusable
from sentry_connector.sentry.address import origin

KEY_BYTES = 32
NONCE_BYTES = 12  # as NIST SP 800-38D advises for GCM
_TAG_BYTES = 16
_WRAPPED_BYTES = NONCE_BYTES + KEY_BYTES + _TAG_BYTES
_VERSION = "v1"


class Vault:
    """Seals tokens with one key, and opens them with it or, while the key is changed, with the other one too."""

    def __init__(self, key: bytes, *others: bytes) -> None:
        """Take the keys, each of 32 random bytes; `keys.load_keys` finds them."""
        if any(len(one) != KEY_BYTES for one in (key, *others)):
            raise ValueError(f"a vault key has {KEY_BYTES} bytes")
        self._ciphers = [AESGCM(one) for one in (key, *others)]

    def seal(self, token: str, owner_id: str, url: str | None) -> str:
        """The secret as ASCII text that only this key opens, and only for this account at this URL's origin, or this channel."""
        context = _context(owner_id, url)
        data_key = AESGCM.generate_key(8 * KEY_BYTES)
        sealed = _encrypt(self._ciphers[0], data_key, context) + _encrypt(AESGCM(data_key), token.encode(), context)
        return f"{_VERSION}.{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, owner_id: str, url: str | None) -> str:
        """The secret that was sealed.

        Raises:
            VaultUnusable: another key sealed it, it belongs to another account, host or channel, or it was changed.
        """
        context = _context(owner_id, url)
        data = _decode(sealed)
        for cipher in self._ciphers:
            with contextlib.suppress(InvalidTag, ValueError):
                data_key = _decrypt(cipher, data[:_WRAPPED_BYTES], context)
                return _decrypt(AESGCM(data_key), data[_WRAPPED_BYTES:], context).decode()
        return _refuse("The stored token or address does not open with this key for what it belongs to.")


def _context(owner_id: str, url: str | None) -> bytes:
    """What a sealed secret is bound to, in a form that no two pairs share."""
    place = origin(url) if url is not None else ()
    return msgspec.json.encode(["sentry-connector", _VERSION, owner_id, *place])


def _encrypt(cipher: AESGCM, data: bytes, context: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, data, context)


def _decrypt(cipher: AESGCM, data: bytes, context: bytes) -> bytes:
    return cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], context)


def _decode(sealed: str) -> bytes:
    version, _, text = sealed.partition(".")
    if version != _VERSION:
        _refuse("The stored token was sealed by a newer version of this program.")
    try:
        return base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        _refuse("The stored token is damaged.")


def _refuse(message: str) -> NoReturn:
    raise VaultUnusable(message) from None
