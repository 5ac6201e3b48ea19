"""How far runs are, as a bar for each on standard error where that is a terminal."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator

from sentry_connector.cli.output import counted, visible
from sentry_connector.extraction.progress import Progress

Begin = Callable[[str], Progress]
"""Begins to show how far something is, under a label."""


@contextlib.contextmanager
def shown_progress(label: str) -> Iterator[Progress]:
    """A progress record that a bar shows while the block lasts."""
    with progress_bars() as begin:
        yield begin(label)


@contextlib.contextmanager
def progress_bars() -> Iterator[Begin]:
    """Bars while the block lasts, one below the other: how far, rows, pages, requests, waits, time left.

    A bar lives on escape codes, so without a terminal, or where NO_COLOR is set, there is none.
    """
    if not sys.stderr.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        yield lambda _label: Progress()
        return
    with _bars() as begin:
        yield begin


@contextlib.contextmanager
def _bars() -> Iterator[Begin]:
    # Loaded for terminals alone: the library takes longer to load than many a run takes.
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bars  # noqa: PLC0415
    from rich.table import Column  # noqa: PLC0415

    from sentry_connector.cli.tables import console  # noqa: PLC0415

    bars = Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[counts]}", markup=False, table_column=Column(no_wrap=True)),
        console=console(sys.stderr),
        transient=True,
    )

    def begin(label: str) -> Progress:
        task = bars.add_task(visible(label), total=None, counts="")

        def show(progress: Progress) -> None:
            done, total = how_far(progress)
            bars.update(task, total=total or None, completed=done, counts=counts(progress))

        return Progress(listener=show)

    with bars:
        yield begin


def how_far(progress: Progress) -> tuple[int, int]:
    """So much is done of so much: rows where it is known how many there will be, else slices."""
    slices = progress.slices_done + progress.slices_failed
    if progress.expected_rows and slices < progress.slices:
        return min(progress.rows, progress.expected_rows), progress.expected_rows
    return slices, progress.slices


def counts(progress: Progress) -> str:
    """`1,200 rows, 1 page, 14 requests`, and what is waited for."""
    line = ", ".join(
        counted(count, noun)
        for count, noun in ((progress.rows, "row"), (progress.pages, "page"), (progress.requests, "request"))
    )
    if progress.waiting is None:
        return line
    reason, seconds = progress.waiting
    return f"{line}; waiting {seconds:.0f} s: {visible(reason)}"
