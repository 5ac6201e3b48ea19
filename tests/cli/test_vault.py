"""`vault rotate`: what it says, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentry_connector.simulator import TOKEN
from tests.cli.shell import Shell


def test_the_key_is_changed_and_the_accounts_go_on_to_work(shell: Shell) -> None:
    shell.ok("accounts", "add", "Main", "--url", shell.env["SENTRY_URL"], stdin=TOKEN)
    place = f"the file {shell.home / 'vault.key'}"
    assert shell.ok("vault", "rotate").stdout == f"1 secret is sealed with a new key; it is in {place}.\n"
    assert shell.json("vault", "rotate") == {"secrets": 1, "place": place}
    assert shell.json("accounts", "check", "Main")["status"] == "valid"


def test_without_an_account_there_is_nothing_to_seal(shell: Shell) -> None:
    assert shell.json("vault", "rotate")["secrets"] == 0


def test_a_key_from_the_environment_is_changed_for_one_in_a_file(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is named so that it is found from any folder."""
    monkeypatch.chdir(tmp_path)
    old, new = bytes(range(32)).hex(), tmp_path / "my new.key"
    new.write_text(bytes(range(64, 96)).hex())
    new.chmod(0o600)
    given = shell.with_env(SENTRY_CONNECTOR_KEY=old)
    given.ok("accounts", "add", "Main", "--url", shell.env["SENTRY_URL"], stdin=TOKEN)
    refused = given("vault", "rotate")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--new-key-file" in refused.stderr
    done = given.ok("vault", "rotate", "--new-key-file", new.name)
    assert done.stdout == f"1 secret is sealed with a new key; it is in the file {new}.\n"
    assert f"SENTRY_CONNECTOR_KEY_FILE='{new}'" in done.stderr
    assert given("accounts", "check", "Main").exit_code == 51
    changed = shell.with_env(SENTRY_CONNECTOR_KEY_FILE=str(new))
    assert changed.json("accounts", "check", "Main")["status"] == "valid"


def test_a_key_file_that_others_may_read_is_refused(shell: Shell, tmp_path: Path) -> None:
    new = tmp_path / "new.key"
    new.write_text(bytes(range(64, 96)).hex())
    new.chmod(0o644)
    refused = shell("vault", "rotate", "--new-key-file", str(new))
    assert refused.exit_code == 51
    assert "chmod 600" in refused.stderr
