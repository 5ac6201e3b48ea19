"""Runs: what was run, and how it ended."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from sentry_connector.errors import Locked, UnknownName, UsageError
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import datasets
from sentry_connector.operations.audited import audited
from sentry_connector.operations.running import A_LEASE, POLL, do_here
from sentry_connector.runs.house import House
from sentry_connector.runs.shared_log import lines_of
from sentry_connector.store.records import DataSet, Run, RunState, Trigger, Verdict


def history(
    house: House,
    name: str | None = None,
    *,
    state: RunState | None = None,
    verdict: Verdict | None = None,
    trigger: Trigger | None = None,
    before: str | None = None,
    limit: int = 100,
) -> list[tuple[Run, DataSet | None]]:
    """Runs, newest first, each with its DataSet.

    Args:
        house: the parts.
        name: only those of this DataSet.
        state, verdict, trigger: only those that have it.
        before: id of a run: only those that come after it.
        limit: how many at most.

    Raises:
        UnknownName: there is no such DataSet, or no such run.
    """
    of = None if name is None else house.store.datasets.find(name)
    found = house.store.runs.search(
        dataset_id=None if of is None else of.id,
        state=state,
        verdict=verdict,
        trigger=trigger,
        before=None if before is None else find_by_id(house, before)[0],
        limit=limit,
    )
    datasets_of = {of.id: of} if of else house.store.datasets.some({run.dataset_id for run in found})
    return [(run, datasets_of.get(run.dataset_id)) for run in found]


def figures(house: House, name: str) -> dict[str, Any]:
    """How well the last runs of a DataSet have gone, those that have ended.

    Raises:
        UnknownName: there is no such DataSet.
    """
    ended = [run for run, _ in history(house, name, state=RunState.DONE)]
    complete = [run for run in ended if run.verdict is Verdict.COMPLETE]
    seconds = [run.seconds for run in complete if run.seconds is not None]
    return {
        "runs": len(ended),
        "complete": len(complete),
        "success_rate": len(complete) / len(ended) if ended else None,
        "mean_seconds": sum(seconds) / len(seconds) if seconds else None,
        "last_success": complete[0].finished_at if complete else None,
    }


def find(house: House, id_or_name: str) -> tuple[Run, DataSet | None]:
    """The run of that id, or the latest of the DataSet of that name.

    Raises:
        UnknownName: there is neither, or the DataSet has no run yet.
    """
    run = house.store.runs.get(id_or_name)
    if run is not None:
        return run, house.store.datasets.get(run.dataset_id)
    latest = history(house, id_or_name, limit=1)
    if not latest:
        raise UnknownName("run of", id_or_name, remedy="The DataSet has not run yet.")
    return latest[0]


def find_by_id(house: House, id: str) -> tuple[Run, DataSet | None]:  # noqa: A002  # the field's name
    """The run of that id, with its DataSet.

    Raises:
        UnknownName: there is no such run.
    """
    run = house.store.runs.get(id)
    if run is None:
        raise UnknownName("run", id, remedy="`sentry-connector runs list` names the runs.")
    return run, house.store.datasets.get(run.dataset_id)


def start(house: House, name: str, id: str | None = None) -> Run:  # noqa: A002  # the field's name
    """Ask for a run of a DataSet now, and do not wait for it; one that waits for its next attempt waits no longer.

    Args:
        house: the parts.
        name: the DataSet's.
        id: of the run, where it was chosen before: one that is there already is that run.

    Raises:
        UnknownName: there is no such DataSet.
        Locked: it has a run that is not done.
    """
    run, is_new = datasets.ask(house, name, id)
    if not is_new and run.state is not RunState.RETRYING:
        raise Locked(f"{name!r} has a run that is not done: {run.id}.", remedy="Wait for it, or cancel it.")
    return run


@audited("runs cancel", "id_or_name")
async def cancel(house: House, id_or_name: str, *, patience: float = A_LEASE) -> Run:
    """Stop a run: its table stays as it is, and it is not gone on with.

    Args:
        house: the parts.
        id_or_name: as `find`.
        patience: seconds that whoever is at work on it has to come to rest.

    Returns:
        The run: as a rule CANCELLED, COMPLETE where its rows were in the table already, not done where it is slow to stop.

    Raises:
        UnknownName: there is no such run.
        UsageError: it has ended.
    """
    run, _ = await house.aside(lambda: find(house, id_or_name))
    if run.state is RunState.DONE:
        raise UsageError(f"The run {run.id} has ended: {run.verdict}.", remedy="`runs list` names those that go on.")
    await house.aside(lambda: house.store.runs.ask_to_stop(run.id, house.now()))
    give_up = house.clock.monotonic() + patience
    while True:
        with contextlib.suppress(Locked):
            return await do_here(house, run, progress=Progress())  # where nobody is at work on it, it ends here
        now = await house.aside(lambda: house.store.runs.get(run.id)) or run
        if now.state is RunState.DONE or house.clock.monotonic() >= give_up:
            return now
        await house.clock.sleep(POLL)


def log(house: House, run: Run) -> list[dict[str, Any]]:
    """The lines of a run's log, oldest first; empty where there is none."""
    return lines_of(house, run)


async def follow(house: House, run_id: str, tell: Callable[[Sequence[dict[str, Any]]], None]) -> Run:
    """Tell the lines of a run's log as they come, until it has ended.

    Raises:
        UnknownName: there is no such run (any more).
    """
    told = 0
    while True:
        run, _ = find_by_id(house, run_id)
        lines = log(house, run)
        tell(lines[told:])
        told = len(lines)
        if run.state is RunState.DONE:
            return run
        await house.clock.sleep(POLL)
