"""Where the vault's key comes from: the environment, a file, the system's keyring; or it is made at first use."""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path

import keyring
import keyring.errors
from keyring.backend import KeyringBackend

from sentry_connector.errors import VaultUnusable
from sentry_connector.settings import APPLICATION, Settings
from sentry_connector.store.private_files import is_private, private_file
from sentry_connector.store.vault import KEY_BYTES

LEAST_DISTINCT_BYTES = 16
"""32 random bytes have about 30 distinct ones; fewer than 16 happens to one key in more than 10^14."""

_SILENT_KEYRINGS = ("keyring.backends.Windows", "keyring.backends.macOS")
"""Keyrings that are always there and never ask. Linux's Secret Service lives in the desktop's session: a scheduled run
would not find it, and a locked one opens a window."""


def system_keyring() -> KeyringBackend | None:
    """The system's keyring, where it is one that works without a person; else None."""
    backend = keyring.get_keyring()
    return backend if type(backend).__module__.startswith(_SILENT_KEYRINGS) else None


def load_key(settings: Settings, *, backend: KeyringBackend | None, make: bool) -> bytes:
    """The vault's key: from the settings, else the keyring's, else the key file's under home.

    Args:
        settings: says where to look.
        backend: the keyring, as `system_keyring` finds it; None = there is none.
        make: make a new key where there is none. Only where no token is stored yet: a new key opens none.

    Raises:
        VaultUnusable: there is no key, or it is weak, malformed, or others may read its file.
    """
    if settings.key is not None:
        return _parsed(settings.key, "SENTRY_CONNECTOR_KEY")
    if settings.key_file is not None:
        return _read_file(settings.key_file)
    found = _existing(settings, backend)
    if found is not None:
        return found
    if not make:
        raise VaultUnusable("Tokens are stored, but the key that opens them is not there.")
    return _made(settings, backend)


def _existing(settings: Settings, backend: KeyringBackend | None) -> bytes | None:
    """The key that an earlier call made."""
    if backend is not None:
        text = _from_keyring(backend, str(settings.home))
        if text is not None:
            return _parsed(text, "The system keyring's key")
    path = _key_path(settings)
    return _read_file(path) if path.exists() else None


def _made(settings: Settings, backend: KeyringBackend | None) -> bytes:
    """A new key, stored in the keyring, else in a file."""
    key = os.urandom(KEY_BYTES)
    text = base64.b64encode(key).decode()
    if backend is not None:
        try:
            backend.set_password(APPLICATION, str(settings.home), text)
        except keyring.errors.KeyringError as error:
            raise VaultUnusable("The system keyring does not take the key.") from error
        return key
    try:
        private_file(_key_path(settings), f"{text}\n".encode())
    except FileExistsError:
        return _read_file(_key_path(settings))  # another process was quicker
    except OSError as error:
        raise VaultUnusable(f"The key file {_key_path(settings)} cannot be made: {error.strerror}.") from error
    return key


def _from_keyring(backend: KeyringBackend, home: str) -> str | None:
    """The keyring's entry for this home; several homes have several keys."""
    try:
        return backend.get_password(APPLICATION, home)
    except keyring.errors.KeyringError as error:
        raise VaultUnusable("The system keyring does not give the key.") from error


def _key_path(settings: Settings) -> Path:
    return settings.home / "vault.key"


def _read_file(path: Path) -> bytes:
    """The key in a file that only its owner may read."""
    try:
        if not is_private(path):
            raise VaultUnusable(f"Others may read the key file {path}.", remedy=f"Run: chmod 600 '{path}'")
        text = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise VaultUnusable(f"The key file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise VaultUnusable(f"The key file {path} holds no key.") from error
    return _parsed(text, f"The key file {path}")


def _parsed(text: str, where: str) -> bytes:
    """The key that a text says in hexadecimal digits or base64 (either alphabet)."""
    key = _decoded(text)
    if key is None or len(key) != KEY_BYTES:
        problem = f"holds no key of {KEY_BYTES} bytes"
    elif len(set(key)) < LEAST_DISTINCT_BYTES:
        problem = "holds a weak key"
    else:
        return key
    raise VaultUnusable(
        f"{where} {problem}.", remedy="Make one with `openssl rand -base64 32`; 64 hexadecimal digits will do too."
    )


def _decoded(text: str) -> bytes | None:
    try:
        if len(text) == 2 * KEY_BYTES:
            return bytes.fromhex(text)
        standard = text.replace("-", "+").replace("_", "/").rstrip("=")
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (ValueError, binascii.Error):
        return None
