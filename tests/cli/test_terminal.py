"""On a terminal there are colours and a bar, unless NO_COLOR is set; the data never reach it as commands."""

from __future__ import annotations

from tests.cli.shell import Shell

ISSUES = ("pull", "projects-issues", "--organization", "*", "--project", "*")


def test_a_bar_shows_how_far_a_pull_is(shell: Shell) -> None:
    code, seen = shell.with_env(TERM="xterm").on_terminal("pull", "projects-users", "--project", "*", "--limit", "1")
    assert code == 0
    assert b"\x1b[" in seen
    assert b"Projects Users" in seen
    assert b" requests" in seen


def test_no_color_means_no_escape_codes(shell: Shell) -> None:
    plain = shell.with_env(TERM="xterm", NO_COLOR="1")
    for call in (("reports",), ("pull", "organizations"), ("pull", "--help"), ("pul",)):
        assert b"\x1b" not in plain.on_terminal(*call)[1]


def test_control_characters_in_the_data_are_shown_and_not_obeyed(shell: Shell) -> None:
    code, seen = shell.with_env(TERM="xterm", NO_COLOR="1").on_terminal(*ISSUES, "--format", "csv")
    assert code == 0
    assert b"\\x1b" in seen
    assert b"\x1b" not in seen


def test_binary_formats_are_refused_on_a_terminal(shell: Shell) -> None:
    code, seen = shell.with_env(NO_COLOR="1").on_terminal("pull", "organizations", "--format", "parquet")
    assert code == 2
    assert b"--output FILE.parquet" in seen
