"""Tables for people: plain columns, whole cells in pipes, colours only where a terminal wants them."""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, TextIO

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sentry_connector.cli.output import json_text, note, print_json, visible

View = Mapping[str, Any]
"""A thing as programs have it: the names of its fields, and their values."""

UNLIMITED = 100_000
"""Width in pipes, where nothing may be cut or wrapped."""

MOST_COLUMNS = 12
"""Rows of more columns are printed one below the other."""

LONGEST_CELL = 120
"""Characters of a cell on a terminal."""

LEAST_PROSE = 24
"""Characters to which a column of prose may be folded."""

GAP = 3
"""Characters between two columns, at most."""


def console(stream: TextIO) -> Console:
    """A Rich console that writes escape codes only to a terminal, and no colours where NO_COLOR is set.

    Markup is off, and so is what Rich guesses from the environment of other programs.
    """
    terminal = stream.isatty()
    return Console(
        file=stream,
        force_terminal=terminal,
        color_system="auto" if terminal and not os.environ.get("NO_COLOR") else None,
        width=None if terminal else UNLIMITED,
        markup=False,
        highlight=False,
        emoji=False,
    )


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str | None = None) -> None:
    """A table on standard output; numbers stand to the right.

    Names, times and numbers stay whole, so that they can be read and copied; prose is folded where a terminal is narrow.

    Args:
        headings: of the columns.
        rows: their values.
        empty: what is said instead, on standard error, where there is no row.
    """
    rows = [list(row) for row in rows]
    if empty is not None and not rows:
        note(empty)
        return
    table = Table(box=box.SIMPLE_HEAD if sys.stdout.isatty() else None, show_edge=False, pad_edge=False)
    cells = [[cell(value) for value in row] for row in rows]
    least = 0
    for number, heading in enumerate(headings):
        texts = [row[number] for row in cells]
        numeric = any(_is_number(row[number]) for row in rows)
        whole = numeric or not any(_is_prose(row[number], text) for row, text in zip(rows, texts, strict=True))
        widest = max(cell_len(text) for text in [visible(heading), *texts])
        least += GAP + (widest if whole else min(widest, LEAST_PROSE))
        table.add_column(Text(visible(heading)), justify="right" if numeric else "left", overflow="fold", no_wrap=whole)
    for row in cells:
        table.add_row(*map(Text, row))
    _print(table, least=least)


def _is_prose(value: object, text: str) -> bool:
    return not isinstance(value, dt.datetime) and " " in text and len(text) > LEAST_PROSE


def print_fields(fields: Mapping[str, object]) -> None:
    """The fields of one thing on standard output, one a line; those without a value are left out."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in fields.items():
        if value not in (None, "", [], ()):
            table.add_row(Text(visible(name)), Text(cell(value)))
    _print(table)


def print_things(
    views: Sequence[View],
    headings: Sequence[str],
    *,
    as_json: bool,
    empty: str,
    row: Callable[[View], Sequence[object]] | None = None,
) -> None:
    """Things on standard output: all that is known of each as JSON, or a table.

    Args:
        views: the things.
        headings: of the table's columns, where there is no `row` the names of the fields that it has.
        as_json: which of the two.
        empty: as `print_table`.
        row: what the table has of a thing, if not those fields.
    """
    if as_json:
        print_json(views)
        return
    cells = row or (lambda view: [view[name] for name in headings])
    print_table([_words(name) for name in headings], map(cells, views), empty=empty)


def print_thing(view: View, *, as_json: bool) -> None:
    """One thing on standard output: as JSON, or its fields one a line."""
    if as_json:
        print_json(view)
    else:
        print_fields({_words(name): value for name, value in view.items()})


def _words(name: str) -> str:
    return name.replace("_", " ")


def print_rows(names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows of data on standard output: as a table, or field below field where there are many columns."""
    if len(names) <= MOST_COLUMNS:
        print_table(names, ([_shortened(value) for value in row] for row in rows))
        return
    for number, row in enumerate(rows, start=1):
        _print(Text(f"row {number}"))
        print_fields({f"  {name}": _shortened(value) for name, value in zip(names, row, strict=True)})


def cell(value: object) -> str:
    """A value in words, on one line and safe to show."""
    match value:
        case None:
            text = ""
        case bool():
            text = "yes" if value else "no"
        case float():
            text = f"{value:.2f}"
        case dt.datetime(tzinfo=dt.tzinfo()):
            text = value.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        case dict():
            text = json_text(value, indent=None)
        case list() | tuple():
            text = ", ".join(cell(one) for one in value)
        case _:
            text = visible(str(value.value if isinstance(value, Enum) else value))
    return text


def _shortened(value: object) -> object:
    """A long text is cut on a terminal, where it would push everything else off the screen."""
    if isinstance(value, str) and len(value) > LONGEST_CELL and sys.stdout.isatty():
        return f"{value[:LONGEST_CELL]}…"
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _print(what: Any, *, least: int = 0) -> None:
    """Print it, at least so wide; in pipes without the blanks that fill up lines."""
    screen = console(sys.stdout)
    screen.width = max(screen.width, least)
    with screen.capture() as captured:
        screen.print(what)
    text = captured.get()
    sys.stdout.write(text if screen.is_terminal else "".join(f"{line.rstrip()}\n" for line in text.splitlines()))
    sys.stdout.flush()  # what is noted on standard error next comes after it, wherever both go
