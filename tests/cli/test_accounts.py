"""`accounts`: a token goes in by standard input or the environment, and never comes out."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import DEVNULL, PIPE

from sentry_connector.simulator import TOKEN, Access, Simulation, World, start_in_thread
from tests.cli.shell import Shell
from tests.parts import NOW


def test_a_token_is_read_from_standard_input(shell: Shell, sentry: Simulation) -> None:
    account = shell.without("SENTRY_AUTH_TOKEN").json("accounts", "add", "Main", stdin=f"{TOKEN}\n")
    assert account["name"] == "Main"
    assert account["url"] == sentry.url
    assert account["status"] == "valid"
    assert len(account["token_hint"]) < 20
    assert "token" not in account


def test_a_token_is_read_from_the_environment(shell: Shell) -> None:
    assert shell.json("accounts", "add", "Main")["status"] == "valid"


def test_standard_input_goes_before_the_environment(shell: Shell) -> None:
    result = shell.with_env(SENTRY_AUTH_TOKEN="sntryu_" + "e" * 64)("accounts", "add", "Main", stdin=TOKEN)
    assert result.exit_code == 0


def test_two_processes_that_add_accounts_without_a_name_to_a_fresh_home_make_two(shell: Shell) -> None:
    adding = [shell.process("accounts", "add", stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE) for _ in range(2)]
    assert [(one.communicate()[1], one.returncode) for one in adding] == [(b"", 0)] * 2
    assert [one["name"] for one in shell.json("accounts", "list")] == ["Sentry Account", "Sentry Account 2"]


def test_without_a_token_there_is_no_account(shell: Shell) -> None:
    result = shell.without("SENTRY_AUTH_TOKEN")("accounts", "add", "Main")
    assert result.exit_code == 10
    assert shell.json("accounts", "list") == []


def test_a_rejected_token_is_not_stored(shell: Shell) -> None:
    result = shell("accounts", "add", "Main", "--json", stdin="sntryu_" + "d" * 64)
    assert (result.exit_code, json.loads(result.stdout)["error"]["name"]) == (10, "token.rejected")
    assert shell.json("accounts", "list") == []


def test_a_text_that_is_no_token_is_refused(shell: Shell) -> None:
    assert shell("accounts", "add", "Main", stdin="two words").exit_code == 2


def test_the_life_of_an_account(shell: Shell) -> None:
    shell.ok("accounts", "add", "Main")
    assert shell.json("accounts", "check", "main")["checked_at"] is not None
    assert shell.json("accounts", "rename", "main", "Other")["name"] == "Other"
    assert shell.json("accounts", "replace-token", "Other", stdin=TOKEN)["status"] == "valid"
    shell.ok("datasets", "create", "--name", "P", "--report", "projects", "--account", "other")
    assert shell.json("accounts", "show", "other")["used_by"] == ["P"]
    refused = shell("accounts", "delete", "other")
    assert refused.exit_code == 2
    assert "used by P" in refused.stderr
    assert "--yes" in refused.stderr
    shell.ok("accounts", "delete", "other", "--yes")
    assert shell.json("accounts", "list") == []
    assert shell.json("datasets", "show", "P")["account"] is None


def test_a_token_that_may_do_more_than_read_is_told_whenever_the_account_is_shown(shell: Shell) -> None:
    access = Access(scopes=frozenset({"org:read", "project:write", "event:admin"}))
    with start_in_thread(World.build(now=NOW, events=0), tokens={TOKEN: access}) as sentry:
        there = shell.with_env(SENTRY_URL=sentry.url)
        told = "may do more than read: event:admin, project:write."
        assert told in there.ok("accounts", "add", "Main", stdin=TOKEN).stderr
        assert told in there.ok("accounts", "check", "Main").stderr
        assert told in there.ok("accounts", "show", "Main").stderr
        assert there.json("accounts", "show", "Main")["scopes_beyond_reading"] == ["event:admin", "project:write"]


def test_an_unknown_account_is_refused_with_the_nearest(shell: Shell) -> None:
    shell.ok("accounts", "add", "Main")
    result = shell("accounts", "show", "Mani")
    assert result.exit_code == 2
    assert "Did you mean: Main?" in result.stderr


def test_the_token_is_nowhere_after_everything_was_done_with_it(shell: Shell, tmp_path: Path) -> None:
    outputs = [
        shell.ok("accounts", "add", "Main", stdin=TOKEN),
        shell.ok("accounts", "list"),
        shell.ok("accounts", "list", "--json"),
        shell.ok("settings", "--json"),
        shell.ok("doctor", "--account", "Main"),
        shell.ok("datasets", "create", "--name", "P", "--report", "projects", "--account", "Main"),
        shell.ok("datasets", "run", "P"),
        shell.ok("runs", "logs", "P", "--json"),
        shell.ok("datasets", "show", "P", "--json"),
        shell("accounts", "add", f"x {TOKEN}", stdin=TOKEN + "x"),
        shell("pull", TOKEN),
    ]
    assert all(TOKEN not in result.output for result in outputs)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert all(TOKEN.encode() not in path.read_bytes() for path in files)
