"""How far a run is, as a bar on standard error where that is a terminal."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Column

from sentry_connector.cli.output import visible
from sentry_connector.cli.tables import console
from sentry_connector.extraction.progress import Progress


@contextlib.contextmanager
def shown_progress(label: str) -> Iterator[Progress]:
    """A progress record that a bar shows while the block lasts: slices, rows, pages, requests, waits, time left.

    A bar lives on escape codes, so without a terminal, or where NO_COLOR is set, there is none.
    """
    if not sys.stderr.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        yield Progress()
        return
    bar = Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[counts]}", markup=False, table_column=Column(no_wrap=True)),
        console=console(sys.stderr),
        transient=True,
    )
    task = bar.add_task(visible(label), total=None, counts="")

    def show(progress: Progress) -> None:
        done = progress.slices_done + progress.slices_failed
        bar.update(task, total=progress.slices or None, completed=done, counts=counts(progress))

    with bar:
        yield Progress(listener=show)


def counts(progress: Progress) -> str:
    """`1,200 rows, 12 pages, 14 requests`, and what is waited for."""
    line = f"{progress.rows:,} rows, {progress.pages:,} pages, {progress.requests:,} requests"
    if progress.waiting is None:
        return line
    reason, seconds = progress.waiting
    return f"{line}; waiting {seconds:.0f} s: {visible(reason)}"
