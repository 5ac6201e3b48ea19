"""Hostile text becomes harmless on its way to the terminal, and stays what it was in JSON."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentry_connector.cli.options import seconds
from sentry_connector.cli.output import counted, json_text, visible
from sentry_connector.cli.tables import cell, print_table
from sentry_connector.errors import UsageError
from sentry_connector.simulator.texts import HOSTILE


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_a_terminal_obeys_is_printed(text: str) -> None:
    assert all(character.isprintable() or ord(character) >= 0xA0 for character in visible(text))
    assert "\x1b" not in cell(text)


def test_control_characters_are_shown_by_their_number() -> None:
    assert visible("\x1b[31m\x9b\u202e\ud800\n") == r"\x1b[31m\x9b\u202e\ud800\x0a"


@given(st.text())
def test_json_says_the_same_without_control_characters(text: str) -> None:
    written = json_text({"text": text}, indent=2)
    assert json.loads(written) == {"text": text}
    assert "\x1b" not in written
    assert "\x9b" not in written


def test_one_row_is_a_row() -> None:
    assert [counted(count, "row") for count in (0, 1, 2, 1200)] == ["0 rows", "1 row", "2 rows", "1,200 rows"]


def test_cells_say_values_in_words() -> None:
    instant = dt.datetime(2026, 3, 1, 6, 30, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    values = [None, True, 1.5, 7, instant, dt.datetime(2026, 3, 1), {"a": 1}, ["a", None], "[red]x[/red]"]  # noqa: DTZ001
    assert [cell(value) for value in values] == [
        "", "yes", "1.50", "7", "2026-03-01 04:30:00Z", "2026-03-01 00:00:00", '{"a": 1}', "a, ", "[red]x[/red]",
    ]  # fmt: skip


def test_on_a_narrow_terminal_names_stay_whole_and_prose_is_folded(capsys: pytest.CaptureFixture[str]) -> None:
    name, prose = "01m8dmhjymzhg5whvy5c", "a sentence of many words that " * 6
    rows = [[name, "COMPLETE", dt.datetime(2026, 3, 1, tzinfo=dt.UTC), 1_000_000, prose]]
    screen = io.StringIO()
    with contextlib.redirect_stdout(screen):
        screen.isatty = lambda: True  # type: ignore[method-assign]
        print_table(["id", "verdict", "started at", "rows", "reason"], rows)
    lines = screen.getvalue().splitlines()
    assert any(
        name in line and "COMPLETE" in line and "2026-03-01 00:00:00Z" in line and "1000000" in line for line in lines
    )
    assert len(lines) > 5, "the sentence takes several lines"


def test_what_is_not_there_is_said_and_is_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["id"], [], empty="Nothing was run yet.")
    assert capsys.readouterr() == ("", "Nothing was run yet.\n")


@pytest.mark.parametrize(("text", "expected"), [("0s", 0), ("30s", 30), ("5m", 300), ("1h", 3600)])
def test_times_have_units(text: str, expected: float) -> None:
    assert seconds("--wait-lock", text) == expected


@pytest.mark.parametrize("text", ["30", "s", "-1s", "1.5m", "1 year", ""])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--wait-lock"):
        seconds("--wait-lock", text)
