"""The vault's key is changed: whatever happens on the way, every token opens."""
# ruff: noqa: S311  # seeded kills, not cryptography

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from sentry_connector.errors import UsageError, VaultUnusable
from sentry_connector.operations import accounts, vault
from sentry_connector.simulator import Simulation, World, running
from sentry_connector.store import keys
from sentry_connector.store.vault import Vault
from tests.operations.test_accounts import SECRET, TOKENS
from tests.runs.acme import HastyApp, app_in, small_world

KEY = bytes(range(100, 132)).hex()
SAMPLE, ALL = range(4), range(100)
LONGEST = 1.5
"""Seconds within which a process is killed; it takes about one."""


@pytest.fixture
def world() -> World:
    return small_world()


@pytest.fixture
async def sentry(world: World) -> AsyncIterator[Simulation]:
    async with running(world, clock=lambda: world.time, tokens=dict(TOKENS)) as simulation:
        yield simulation


@pytest.fixture
async def app(tmp_path: Path, sentry: Simulation) -> HastyApp:
    app = app_in(tmp_path, sentry)
    for name in ("one", "two"):
        await accounts.add(app, name, sentry.url, SECRET)
    return app


def opened(app: HastyApp) -> list[str]:
    """The tokens of all accounts, as a run gets them."""
    return [app.connection(account).token for account in accounts.everything(app)]


def sealed(app: HastyApp) -> list[str | None]:
    return [app.store.accounts.sealed_token(account.id) for account in accounts.everything(app)]


def key_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("vault.key*"))


def key_file(folder: Path) -> Path:
    path = folder / "new.key"
    path.write_text(KEY)
    path.chmod(0o600)
    return path


async def test_all_tokens_are_sealed_with_the_new_key_and_with_no_other(app: HastyApp, tmp_path: Path) -> None:
    before, old = sealed(app), (tmp_path / "vault.key").read_bytes()
    done = await vault.rotate(app)
    assert (done.secrets, done.place) == (2, f"the file {tmp_path / 'vault.key'}")
    assert opened(app) == [SECRET, SECRET]
    assert not set(before) & set(sealed(app))
    assert key_files(tmp_path) == ["vault.key"]
    (tmp_path / "vault.key").write_bytes(old)
    with pytest.raises(VaultUnusable):
        opened(app)


async def test_interrupted_before_the_tokens_are_sealed_anew_it_is_gone_on_with(app: HastyApp, tmp_path: Path) -> None:
    following = keys.next_key(app.settings, backend=None)
    assert opened(app) == [SECRET, SECRET]
    await accounts.add(app, "three", app.settings.url, SECRET)
    await vault.rotate(app)
    assert keys.load_keys(app.settings, backend=None, make=False) == [following]
    assert opened(app) == [SECRET] * 3


async def test_interrupted_after_the_tokens_are_sealed_anew_it_is_gone_on_with(app: HastyApp) -> None:
    """A token that is stored before it is finished is sealed with the key that was in use."""
    old, new = app.vault, Vault(keys.next_key(app.settings, backend=None))
    app.store.sealed.change(lambda text, id_, url: new.seal(old.open(text, id_, url), id_, url))
    assert opened(app) == [SECRET, SECRET]
    await accounts.add(app, "three", app.settings.url, SECRET)
    assert opened(app) == [SECRET] * 3
    await vault.rotate(app)
    assert opened(app) == [SECRET] * 3


async def test_a_next_key_that_was_never_whole_hinders_nothing(app: HastyApp, tmp_path: Path) -> None:
    """An earlier version of this program could leave an empty file where the disk was full."""
    (tmp_path / "vault.key.next").touch(0o600)
    assert opened(app) == [SECRET, SECRET]
    await accounts.add(app, "three", app.settings.url, SECRET)
    assert (await vault.rotate(app)).secrets == 3
    assert opened(app) == [SECRET] * 3
    assert key_files(tmp_path) == ["vault.key"]


async def test_a_token_that_does_not_open_stops_it_and_the_others_open_as_before(app: HastyApp, tmp_path: Path) -> None:
    broken = accounts.find(app, "one")
    app.store.accounts.replace_token(broken, broken, app.vault.seal(SECRET, "of another account", broken.url))
    before = sealed(app)
    with pytest.raises(VaultUnusable):
        await vault.rotate(app)
    assert sealed(app) == before
    assert app.connection(accounts.find(app, "two")).token == SECRET


async def test_a_key_from_outside_is_changed_for_one_that_is_named(tmp_path: Path, sentry: Simulation) -> None:
    old = bytes(range(32, 64)).hex()
    app = app_in(tmp_path / "home", sentry, SENTRY_CONNECTOR_KEY=old)
    await accounts.add(app, "one", sentry.url, SECRET)
    with pytest.raises(UsageError) as refused:
        await vault.rotate(app)
    assert "--new-key-file" in refused.value.remedy
    done = await vault.rotate(app, key_file(tmp_path))
    assert (done.secrets, done.place) == (1, f"the file {tmp_path / 'new.key'}")
    with pytest.raises(VaultUnusable):
        opened(app)
    changed = app_in(tmp_path / "home", sentry, SENTRY_CONNECTOR_KEY_FILE=str(tmp_path / "new.key"))
    assert opened(changed) == [SECRET]
    assert (await vault.rotate(app, key_file(tmp_path))).secrets == 1, "repeated, it changes nothing that opens"


def rotated_or_killed(folder: Path, seconds: float) -> None:
    """A process of its own changes the key, and is killed after so many seconds."""
    command = [sys.executable, "-m", "sentry_connector", "vault", "rotate"]
    environment = os.environ | {"SENTRY_CONNECTOR_HOME": str(folder)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()


async def check_kills(numbers: range, app: HastyApp, folder: Path) -> None:
    for number in numbers:
        rotated_or_killed(folder, random.Random(f"vault:{number}").uniform(0.2, LONGEST))
        assert opened(app) == [SECRET, SECRET], number
        with closing(sqlite3.connect(folder / "connector.db")) as store, store:
            store.execute("UPDATE leases SET expires_at = '2026-01-01 00:00:00.000000'")  # it has lapsed by every clock
    await vault.rotate(app)
    assert opened(app) == [SECRET, SECRET]


async def test_killed_at_any_moment_every_token_opens(app: HastyApp, tmp_path: Path) -> None:
    await check_kills(SAMPLE, app, tmp_path)


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_killed_a_hundred_times_every_token_opens(app: HastyApp, tmp_path: Path) -> None:
    await check_kills(ALL, app, tmp_path)
