"""Runs of DataSets from the command line: which, several at a time, and what to say and exit with in the end."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from sentry_connector.app import App
from sentry_connector.cli.output import note
from sentry_connector.cli.progress import progress_bars
from sentry_connector.cli.tables import print_table
from sentry_connector.errors import ConnectorError, RunIncomplete, UsageError
from sentry_connector.extraction.lists import together
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import datasets as operations
from sentry_connector.operations.backfill import Chain
from sentry_connector.operations.running import tell_others, to_its_end
from sentry_connector.operations.views import run_view
from sentry_connector.reports import windows
from sentry_connector.runs import queue
from sentry_connector.store.records import DataSet, Run, Verdict

RUNS_AT_ONCE = 4
"""DataSets that are run at the same time; they share the budget of what may be asked of Sentry."""

COLUMNS = ("rows_read", "rows_written", "rows_updated", "rows_deleted", "requests")


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """How one DataSet's run ended.

    Attributes:
        dataset: its name.
        view: the run as JSON has it; where no run could begin, the DataSet and the error alone.
        seconds: how long it took.
        code: the exit code of this run alone.
        failed: it brought nothing.
        days: the resolved dates, one line each.
    """

    dataset: str
    view: dict[str, Any]
    seconds: float
    code: int
    failed: bool
    days: tuple[str, ...] = ()


def choose(house: App, names: Sequence[str], *, every: bool) -> list[DataSet]:
    """The DataSets to run, each once.

    Raises:
        UsageError: names and --all together, or neither.
        UnknownName: there is no such DataSet; nothing is run.
    """
    if every == bool(names):
        raise UsageError("Give either names or --all.", remedy="`sentry-connector datasets list` names the DataSets.")
    chosen = operations.everything(house) if every else [operations.find(house, name) for name in names]
    return list({dataset.id: dataset for dataset in chosen}.values())


def run_all(house: App, chosen: Sequence[DataSet], wait_lock: float) -> list[End]:
    """Run DataSets, several at a time; that one could not begin is an end too, so that the others still run."""
    return asyncio.run(_run_all(house, chosen, wait_lock))


async def _run_all(house: App, chosen: Sequence[DataSet], wait_lock: float) -> list[End]:
    room = asyncio.Semaphore(RUNS_AT_ONCE)
    with progress_bars() as begin:

        async def one(dataset: DataSet) -> list[End]:
            async with room:
                return await _run(house, dataset, begin, wait_lock)

        ends = list(itertools.chain.from_iterable(await together(one(dataset) for dataset in chosen)))
    await tell_others(house)
    return ends


async def _run(house: App, dataset: DataSet, begin: Callable[[str], Progress], wait_lock: float) -> list[End]:
    """A run now, then the rest of the chain that it may have become."""
    end = await _end(
        house, dataset, operations.run(house, dataset.slug, progress=begin(dataset.name), wait_lock=wait_lock)
    )
    return [end] if end.failed else [end, *await _go_through(house, dataset, begin, wait_lock)]


def run_chain(house: App, chain: Chain, wait_lock: float) -> list[End]:
    """Run what is left of a backfill, one run after another, until one fails."""

    async def work() -> list[End]:
        with progress_bars() as begin:
            ends = await _go_through(house, chain.dataset, begin, wait_lock)
        await tell_others(house)
        return ends

    return asyncio.run(work())


async def _go_through(house: App, dataset: DataSet, begin: Callable[[str], Progress], wait_lock: float) -> list[End]:
    """The runs of the DataSet's chains that are left; one that fails ends it, since the next would as a rule too."""
    ends: list[End] = []
    while not (ends and ends[-1].failed) and (left := queue.pending(house, dataset)):
        part = left[0].part
        name = dataset.name if part is None else f"{dataset.name} {part.start} to {part.end}"
        step = to_its_end(house, left[0], progress=begin(name), wait_lock=wait_lock)
        ends.append(await _end(house, dataset, step))
    return ends


async def _end(house: App, dataset: DataSet, running: Coroutine[Any, Any, Run]) -> End:
    """How a run ended; that it could not begin is an end too."""
    began = house.clock.monotonic()
    try:
        done = await running
    except ConnectorError as error:
        view: dict[str, Any] = {"dataset": dataset.name, "verdict": None, "error": error.as_dict()}
        return End(dataset=dataset.name, view=view, seconds=0.0, code=error.exit_code, failed=True)
    return End(
        dataset=dataset.name,
        view=run_view(done, dataset),
        seconds=house.clock.monotonic() - began,
        code=_code(done),
        failed=done.verdict not in {Verdict.COMPLETE, Verdict.INCOMPLETE},
        days=tuple(windows.describe(window, dataset.details.timezone) for window in done.windows),
    )


def most_severe(ends: Sequence[End]) -> int:
    """The exit code of several runs: a failure weighs more than INCOMPLETE, among failures the higher code."""
    return max(((end.failed, end.code) for end in ends), default=(False, 0))[1]


def tell(ends: Sequence[End]) -> None:
    """The results as a table; the resolved dates and each reason on standard error."""
    for end in ends:
        for line in end.days:
            note(f"{end.dataset}: {line}")
    headings = ["DataSet", "verdict", "read", "written", "updated", "deleted", "requests", "seconds", "version"]
    print_table(headings, [_row(end) for end in ends])
    tell_reasons(ends)


def tell_reasons(ends: Sequence[End]) -> None:
    """What is missing and what went wrong, on standard error."""
    for end in ends:
        for warning in end.view.get("warnings", ()):
            note(f"{end.dataset}: warning: {warning}")
        for one in end.view.get("incomplete", ()):
            note(f"{end.dataset}: missing {one['scope']}: {one['reason']}")
        error = end.view.get("error")
        if error:
            note(f"{end.dataset}: error {error['name']}: {error['message']}")
            note(f"  {error['remedy']}")


def _row(end: End) -> list[object]:
    counts = [end.view.get(column) for column in COLUMNS]
    return [
        end.dataset,
        end.view["verdict"] or end.view.get("state", "not run"),
        *counts,
        round(end.seconds, 2),
        end.view.get("table_version") if any(counts[1:4]) else None,
    ]


def _code(run: Run) -> int:
    if run.error is not None:
        return run.error.code
    return 0 if run.verdict is Verdict.COMPLETE else RunIncomplete.exit_code
