"""The vault's key: found where the settings say, made once, never weak, never readable by others."""

from __future__ import annotations

import base64
import errno
import itertools
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keyring.backend
import keyring.backends.fail
import keyring.backends.null
import keyring.errors
import pytest

from sentry_connector.errors import VaultUnusable
from sentry_connector.settings import APPLICATION, Settings, from_environment
from sentry_connector.store.keys import is_given, load_keys, next_key, promote, system_keyring

KEY = bytes(range(100, 132))
BASE64 = base64.b64encode(KEY).decode()


class MemoryKeyring(keyring.backend.KeyringBackend):
    """A keyring that works, in memory."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]


class LockedKeyring(MemoryKeyring):
    """A keyring that does not give or take."""

    def get_password(self, service: str, username: str) -> str | None:
        raise keyring.errors.KeyringLocked


def load_key_in_use(settings: Settings, *, backend: keyring.backend.KeyringBackend | None, make: bool) -> bytes:
    (key,) = load_keys(settings, backend=backend, make=make)
    return key


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path)


def settings_of(home: Path, **variables: str) -> Settings:
    return from_environment(
        {"SENTRY_CONNECTOR_HOME": str(home), **{f"SENTRY_CONNECTOR_{name}": value for name, value in variables.items()}}
    )


@pytest.mark.parametrize(
    "text", [BASE64, BASE64.rstrip("="), KEY.hex(), KEY.hex().upper(), base64.urlsafe_b64encode(KEY).decode()]
)
def test_the_environments_key_comes_first_in_base64_or_hexadecimal(tmp_path: Path, text: str) -> None:
    assert load_key_in_use(settings_of(tmp_path, KEY=text), backend=MemoryKeyring(), make=True) == KEY
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    ["secret", "changeme" * 4, "0" * 64, base64.b64encode(b"A" * 32).decode(), BASE64[:20], KEY.hex()[:63], "é" * 64],
)
def test_weak_short_and_malformed_keys_are_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(VaultUnusable, match="SENTRY_CONNECTOR_KEY") as caught:
        load_key_in_use(settings_of(tmp_path, KEY=text), backend=None, make=True)
    assert text not in caught.value.message


def test_a_key_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "my.key"
    path.write_text(f"{BASE64}\n")
    path.chmod(0o600)
    assert load_key_in_use(settings_of(tmp_path, KEY_FILE=str(path)), backend=MemoryKeyring(), make=True) == KEY


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_key_file_that_others_may_use_is_refused_with_the_fix(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "my.key"
    path.write_text(BASE64)
    path.chmod(mode)
    with pytest.raises(VaultUnusable) as caught:
        load_key_in_use(settings_of(tmp_path, KEY_FILE=str(path)), backend=None, make=True)
    assert caught.value.remedy == f"Run: chmod 600 '{path}'"


@pytest.mark.parametrize("content", [None, b"", b"nonsense", b"\xff" * 32])
def test_a_key_file_without_a_key_is_refused_by_name(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "my.key"
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o600)
    with pytest.raises(VaultUnusable, match=r"my\.key"):
        load_key_in_use(settings_of(tmp_path, KEY_FILE=str(path)), backend=None, make=True)


def test_at_first_use_a_private_key_file_is_made_and_found_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    old = os.umask(0)
    try:
        key = load_key_in_use(settings_of(home), backend=None, make=True)
    finally:
        os.umask(old)
    assert load_key_in_use(settings_of(home), backend=None, make=False) == key
    assert stat.S_IMODE((home / "vault.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_two_installations_share_no_key(tmp_path: Path) -> None:
    keys = {load_key_in_use(settings_of(tmp_path / name), backend=None, make=True) for name in ("a", "b")}
    assert len(keys) == 2


def test_a_lost_key_is_not_replaced_in_silence(settings: Settings) -> None:
    with pytest.raises(VaultUnusable, match="not there"):
        load_key_in_use(settings, backend=None, make=False)
    assert not settings.home.joinpath("vault.key").exists()


def test_a_keyring_that_works_holds_the_key_one_for_each_home(tmp_path: Path) -> None:
    backend = MemoryKeyring()
    one = load_key_in_use(settings_of(tmp_path / "one"), backend=backend, make=True)
    two = load_key_in_use(settings_of(tmp_path / "two"), backend=backend, make=True)
    assert one != two
    assert load_key_in_use(settings_of(tmp_path / "one"), backend=backend, make=False) == one
    assert list(tmp_path.iterdir()) == []


def test_a_key_file_that_was_made_without_a_keyring_is_still_found_with_one(tmp_path: Path) -> None:
    key = load_key_in_use(settings_of(tmp_path), backend=None, make=True)
    assert load_key_in_use(settings_of(tmp_path), backend=MemoryKeyring(), make=True) == key


def test_a_keyring_that_refuses_is_an_error_and_not_a_new_key(settings: Settings) -> None:
    with pytest.raises(VaultUnusable, match="keyring"):
        load_key_in_use(settings, backend=LockedKeyring(), make=True)


@pytest.mark.parametrize("backend", [None, MemoryKeyring()], ids=["file", "keyring"])
def test_a_next_key_is_kept_beside_the_one_in_use_until_it_takes_its_place(
    backend: MemoryKeyring | None, settings: Settings
) -> None:
    key = load_key_in_use(settings, backend=backend, make=True)
    following = next_key(settings, backend=backend)
    assert load_keys(settings, backend=backend, make=False) == [key, following]
    assert next_key(settings, backend=backend) == following, "one that was interrupted is gone on with"
    assert str(settings.home) in promote(settings, backend=backend)
    assert load_keys(settings, backend=backend, make=False) == [following]
    assert len({key, following, next_key(settings, backend=backend)}) == 3
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in settings.home.iterdir())


@pytest.mark.parametrize("backend", [None, MemoryKeyring()], ids=["file", "keyring"])
@pytest.mark.parametrize("torn", ["", BASE64[:20], "\0" * 45, "é" * 64])
def test_a_next_key_that_was_not_kept_whole_is_none(
    backend: MemoryKeyring | None, torn: str, settings: Settings
) -> None:
    """Nothing can have been sealed with it."""
    key = load_key_in_use(settings, backend=backend, make=True)
    if backend is None:
        path = settings.home / "vault.key.next"
        path.write_text(torn, encoding="utf-8")
        path.chmod(0o600)
    else:
        backend.set_password(APPLICATION, f"{settings.home} (next)", torn)
    assert load_key_in_use(settings, backend=backend, make=False) == key
    following = next_key(settings, backend=backend)
    assert load_keys(settings, backend=backend, make=False) == [key, following]
    promote(settings, backend=backend)
    assert load_key_in_use(settings, backend=backend, make=False) == following


class HeedlessKeyring(MemoryKeyring):
    """A keyring that forgets nothing, as for a process that is killed before it asks for it."""

    def delete_password(self, service: str, username: str) -> None:
        raise keyring.errors.PasswordDeleteError


def test_a_next_key_that_is_in_use_already_is_none(settings: Settings) -> None:
    """To change the key once more is to make another one."""
    backend = HeedlessKeyring()
    load_key_in_use(settings, backend=backend, make=True)
    following = next_key(settings, backend=backend)
    with pytest.raises(VaultUnusable):
        promote(settings, backend=backend)
    assert load_key_in_use(settings, backend=backend, make=False) == following
    assert next_key(settings, backend=backend) != following


CALLS = ("open", "fdopen", "fsync", "link", "unlink", "replace", "close")
"""What the system is asked to do on the way to a key that is kept."""

Fail = Callable[[str], None]


@contextmanager
def struck(fail: Fail) -> Iterator[None]:
    """Something happens in place of calls of the system."""
    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, _striking(fail, name, getattr(os, name)))
        yield


def _striking(fail: Fail, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **named: Any) -> Any:
        fail(name)
        return real(*args, **named)

    return call


class Killed(BaseException):
    """The process is dead: it does nothing any more."""


@dataclass
class Fate:
    """What strikes at one call: a disk that is full, or death, after which every call is struck."""

    at: int
    deadly: bool
    calls: list[str] = field(default_factory=list)

    def __call__(self, name: str) -> None:
        self.calls.append(name)
        if self.deadly and len(self.calls) >= self.at:
            raise Killed
        if len(self.calls) == self.at:
            raise OSError(errno.ENOSPC, "No space left on device")


@dataclass
class Changes:
    """A key that is made and changed for another, as far as that gets."""

    settings: Settings
    key: bytes | None = None
    following: bytes | None = None

    def go_on(self) -> None:
        self.key, *_ = load_keys(self.settings, backend=None, make=self.key is None)
        self.following = next_key(self.settings, backend=None)
        promote(self.settings, backend=None)


@pytest.mark.parametrize("deadly", [False, True], ids=["full disk", "killed"])
def test_whatever_happens_while_a_key_is_made_and_changed_none_is_lost(tmp_path: Path, *, deadly: bool) -> None:
    struck_at: list[str] = []
    for at in itertools.count(1):
        home, fate = tmp_path / str(at), Fate(at, deadly)
        changes = Changes(settings_of(home))
        with struck(fate), suppress(VaultUnusable, Killed):
            changes.go_on()
        if len(fate.calls) < at:
            break
        struck_at.append(fate.calls[at - 1])
        left = load_keys(changes.settings, backend=None, make=changes.key is None)
        needed = {changes.key, changes.following} if changes.following else {changes.key} - {None}
        promoted = changes.following is not None and left == [changes.following]
        assert promoted or needed <= set(left), struck_at
        files = {path.name for path in home.iterdir()}
        assert deadly or struck_at[-1] == "unlink" or files <= {"vault.key", "vault.key.next"}, struck_at
        following = changes.following
        changes.go_on()
        assert load_keys(changes.settings, backend=None, make=False) == [changes.following]
        assert promoted or following in {None, changes.following}, "one that was interrupted is gone on with"
    assert {"fdopen", "fsync", "link", "unlink", "replace"} <= set(struck_at)


def test_a_key_file_stays_the_place_where_a_keyring_comes_later(settings: Settings) -> None:
    load_key_in_use(settings, backend=None, make=True)
    following = next_key(settings, backend=MemoryKeyring())
    assert promote(settings, backend=MemoryKeyring()) == f"the file {settings.home / 'vault.key'}"
    assert load_key_in_use(settings, backend=None, make=False) == following


def test_a_key_from_the_environment_is_not_ours_to_change(tmp_path: Path) -> None:
    assert is_given(settings_of(tmp_path, KEY=BASE64))
    assert is_given(settings_of(tmp_path, KEY_FILE=str(tmp_path / "key")))
    assert not is_given(settings_of(tmp_path))


def test_keyrings_that_are_none_or_may_ask_are_not_used() -> None:
    before = keyring.get_keyring()
    try:
        for kind in (keyring.backends.fail.Keyring, keyring.backends.null.Keyring, MemoryKeyring):
            keyring.set_keyring(kind())
            assert system_keyring() is None
    finally:
        keyring.set_keyring(before)
