"""Where the vault's key comes from: the environment, a file, the system's keyring; or it is made at first use.

The key is changed in three steps, each of them whole or not at all: the new key is kept beside the old one (`next_key`), all
tokens are sealed with it, and it takes the old one's place (`promote`). Whoever comes between them finds both keys.
"""

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
from sentry_connector.store.private_files import is_private, sync_folder, write_private
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


def load_keys(settings: Settings, *, backend: KeyringBackend | None, make: bool) -> list[bytes]:
    """The vault's key: from the settings, else the keyring's, else the key file's under home; then the next one, if any.

    Args:
        settings: says where to look.
        backend: the keyring, as `system_keyring` finds it; None = there is none.
        make: make a new key where there is none. Only where no token is stored yet: a new key opens none.

    Raises:
        VaultUnusable: there is no key, or it is weak, malformed, or others may read its file.
    """
    if settings.key is not None:
        return [_parsed(settings.key, "SENTRY_CONNECTOR_KEY")]
    if settings.key_file is not None:
        return [read_key_file(settings.key_file)]
    place = _place(settings, backend)
    text = place.text(CURRENT)
    if text is None and not make:
        raise VaultUnusable("Tokens are stored, but the key that opens them is not there.")
    key = place.make(CURRENT) if text is None else _parsed(text, place.about)
    following = _decoded(place.text(NEXT) or "")
    # One that was not kept whole never sealed anything; one that is in use has taken its place already.
    return [key] if following is None or following == key else [key, following]


def is_given(settings: Settings) -> bool:
    """Whether the key comes from outside, so that it is not ours to change."""
    return settings.key is not None or settings.key_file is not None


def next_key(settings: Settings, *, backend: KeyringBackend | None) -> bytes:
    """A new key, kept beside the one in use; the one that is there, where an earlier change of the key was interrupted.

    Raises:
        VaultUnusable: it cannot be kept, or the one in use cannot be read.
    """
    _, *following = load_keys(settings, backend=backend, make=False)
    return following[0] if following else _place(settings, backend).make(NEXT)


def promote(settings: Settings, *, backend: KeyringBackend | None) -> str:
    """Put the next key in the place of the one in use, and answer where that is, in words.

    Raises:
        VaultUnusable: the keyring or the file system refuses.
    """
    place = _place(settings, backend)
    place.promote()
    return place.about


CURRENT, NEXT = "", "next"


class _Files:
    """Keys in files that only their owner may read."""

    def __init__(self, path: Path) -> None:
        self.about = f"the file {path}"
        self._paths = {CURRENT: path, NEXT: path.with_suffix(f"{path.suffix}.{NEXT}")}

    def text(self, which: str) -> str | None:
        path = self._paths[which]
        return _private_text(path) if path.exists() else None

    def make(self, which: str) -> bytes:
        key, path = os.urandom(KEY_BYTES), self._paths[which]
        try:
            if which == NEXT:
                path.unlink(missing_ok=True)  # what is there seals nothing
            write_private(path, f"{_encoded(key)}\n".encode())
        except FileExistsError:
            return read_key_file(path)  # another process was quicker
        except OSError as error:
            raise VaultUnusable(f"The key file {path} cannot be made: {error.strerror}.") from error
        return key

    def promote(self) -> None:
        path = self._paths[CURRENT]
        try:
            self._paths[NEXT].replace(path)
            sync_folder(path.parent)
        except OSError as error:
            raise VaultUnusable(f"The key file {path} cannot be replaced: {error.strerror}.") from error


class _Entries:
    """Keys in the system's keyring, whose entries are named by the home folder: several homes have several keys."""

    def __init__(self, backend: KeyringBackend, home: str) -> None:
        self.about = f"the system's keyring, as {home}"
        self._backend = backend
        self._names = {CURRENT: home, NEXT: f"{home} ({NEXT})"}

    def text(self, which: str) -> str | None:
        try:
            return self._backend.get_password(APPLICATION, self._names[which])
        except keyring.errors.KeyringError as error:
            raise VaultUnusable("The system keyring does not give the key.") from error

    def make(self, which: str) -> bytes:
        key = os.urandom(KEY_BYTES)
        self._set(which, _encoded(key))
        return key

    def promote(self) -> None:
        text = self.text(NEXT)
        if text is not None:
            self._set(CURRENT, text)
        try:
            self._backend.delete_password(APPLICATION, self._names[NEXT])
        except keyring.errors.KeyringError as error:
            raise VaultUnusable("The system keyring does not give up the key that was moved.") from error

    def _set(self, which: str, text: str) -> None:
        try:
            self._backend.set_password(APPLICATION, self._names[which], text)
        except keyring.errors.KeyringError as error:
            raise VaultUnusable("The system keyring does not take the key.") from error


def _place(settings: Settings, backend: KeyringBackend | None) -> _Files | _Entries:
    """Where the key is: in the keyring, unless there is none, or a key file was made while there was none."""
    path, home = settings.home / "vault.key", str(settings.home)
    entries = None if backend is None else _Entries(backend, home)
    if entries is None or (path.exists() and entries.text(CURRENT) is None):
        return _Files(path)
    return entries


def read_key_file(path: Path) -> bytes:
    """The key in a file that only its owner may read.

    Raises:
        VaultUnusable: others may read it, it cannot be read, or it holds no good key.
    """
    return _parsed(_private_text(path), f"the file {path}")


def _private_text(path: Path) -> str:
    try:
        if not is_private(path):
            raise VaultUnusable(f"Others may read the key file {path}.", remedy=f"Run: chmod 600 '{path}'")
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError as error:
        raise VaultUnusable(f"The key file {path} cannot be read: {error.strerror}.") from error


def _parsed(text: str, place: str) -> bytes:
    """The key that a text says in hexadecimal digits or base64 (either alphabet)."""
    key = _decoded(text)
    if key is None:
        problem = f"no key of {KEY_BYTES} bytes"
    elif len(set(key)) < LEAST_DISTINCT_BYTES:
        problem = "a weak key"
    else:
        return key
    raise VaultUnusable(
        f"There is {problem} in {place}.",
        remedy="Make one with `openssl rand -base64 32`; 64 hexadecimal digits will do too.",
    )


def _decoded(text: str) -> bytes | None:
    """The bytes that a text says; None where they are no key."""
    try:
        if len(text) == 2 * KEY_BYTES:
            return bytes.fromhex(text)
        standard = text.replace("-", "+").replace("_", "/").rstrip("=")
        key = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (ValueError, binascii.Error):
        return None
    return key if len(key) == KEY_BYTES else None


def _encoded(key: bytes) -> str:
    return base64.b64encode(key).decode()
