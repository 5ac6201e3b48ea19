"""`runs`: what was run, and how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from sentry_connector.app import app as connector
from sentry_connector.cli.options import AsJson, WaitLock, seconds, typer_app
from sentry_connector.cli.output import note, print_json, print_line
from sentry_connector.cli.tables import cell, print_fields, print_table
from sentry_connector.errors import Locked
from sentry_connector.operations import runs as operations
from sentry_connector.operations.views import run_view
from sentry_connector.reports import windows
from sentry_connector.store.records import Attempt, DataSet, Run, RunState, Trigger, Verdict

app = typer_app()

IdOrName = Annotated[str, typer.Argument(metavar="ID|NAME", help="A run's id, or a DataSet: its latest run.")]
FIELDS_OF_A_LINE = ("timestamp", "level", "event", "run")


@app.callback()
def runs() -> None:
    """What was run, and how it ended."""


@app.command("list")
def list_(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Only this DataSet's.")] = None,
    state: Annotated[RunState | None, typer.Option(help="Only those in this state.")] = None,
    verdict: Annotated[Verdict | None, typer.Option(case_sensitive=False, help="Only those that ended so.")] = None,
    trigger: Annotated[Trigger | None, typer.Option(help="Only those that this asked for.")] = None,
    before: Annotated[str | None, typer.Option(metavar="ID", help="Only those that come after this run.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 100,
    *,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first."""
    with connector() as house:
        found = operations.history(
            house, name, state=state, verdict=verdict, trigger=trigger, before=before, limit=limit
        )
    if as_json:
        print_json([run_view(run, dataset) for run, dataset in found])
        return
    headings = ["id", "dataset", "trigger", "verdict", "started at", "seconds", "read", "written", "requests"]
    print_table(headings, [_row(run, dataset) for run, dataset in found], empty="There is no such run.")


def _row(run: Run, dataset: DataSet | None) -> list[object]:
    name, verdict = dataset.name if dataset else run.dataset_id, run.verdict or run.state
    again = f", attempt {run.attempt}" if run.attempt > 1 else ""
    counts = (run.rows_read, run.rows_written, run.requests)
    return [run.id, name, run.trigger, f"{verdict}{again}", run.started_at, run.seconds, *counts]


@app.command()
def show(run: IdOrName, *, as_json: AsJson = False) -> None:
    """Show a run: its windows, what it read and changed, and why it failed."""
    with connector() as house:
        found, dataset = operations.find(house, run)
    view = run_view(found, dataset)
    if as_json:
        print_json(view)
        return
    print_fields({name.replace("_", " "): value for name, value in (view | _in_words(found, dataset)).items()})
    if found.attempts:
        print_line("")
        headings = ["attempt", "begun", "seconds", "verdict", "requests", "worker", "error"]
        print_table(headings, map(_attempt_row, found.attempts))


def _attempt_row(one: Attempt) -> list[object]:
    facts = (one.seconds, one.verdict, one.requests, one.worker)
    return [one.number, one.started_at, *facts, one.error and one.error.message]


@app.command()
def logs(
    run: IdOrName,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print a run's log; followed as JSON, it is one line each."""
    with connector() as house:
        found, _ = operations.find(house, run)
        if not follow:
            lines = operations.log(house, found)
            if as_json:
                print_json(lines)
            else:
                _print_lines(lines, as_json=False)
                if not lines:
                    done = found.state is RunState.DONE
                    note("No log of it is kept any more." if done else f"No log yet: the run is {found.state}.")
            return
        asyncio.run(operations.follow(house, found.id, lambda lines: _print_lines(lines, as_json=as_json)))


def _print_lines(lines: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    for line in lines:
        if as_json:
            print_json(line, indent=None)
        else:
            print_line(_log_line(line))


@app.command()
def cancel(run: IdOrName, wait_lock: WaitLock = "2m", *, as_json: AsJson = False) -> None:
    """Stop a run that is not done: its table stays as it is. Of a chain, the runs that are left are dropped too.

    A process that was killed at it may have its lease for a minute; so long it is waited for.
    """
    patience = seconds("--wait-lock", wait_lock)
    with connector() as house:
        ended = asyncio.run(operations.cancel(house, run, patience=patience))
        _, dataset = operations.find(house, ended.id)
    if ended.state is not RunState.DONE:
        raise Locked(
            f"The run {ended.id} has been asked to stop, and has not come to rest yet.",
            remedy="Whoever is at work on it, or goes on with it, stops it. `sentry-connector runs show` tells.",
        )
    if as_json:
        print_json(run_view(ended, dataset))
    else:
        note(f"{ended.id}: {ended.verdict}.")


def _in_words(run: Run, dataset: DataSet | None) -> dict[str, Any]:
    """The fields of a run that are records, for people."""
    timezone = dataset.details.timezone if dataset else "UTC"
    return {
        "attempts": None,  # a table of its own
        "windows": [windows.describe(window, timezone) for window in run.windows],
        "incomplete": [f"{one.scope}: {one.reason}" for one in run.incomplete],
        "error": f"{run.error.name}: {run.error.message} {run.error.remedy}" if run.error else None,
    }


def _log_line(line: dict[str, Any]) -> str:
    """`2026-03-01T06:30:00Z info run begins dataset=Events`."""
    facts = [f"{name}={cell(value)}" for name, value in line.items() if name not in FIELDS_OF_A_LINE]
    return " ".join([str(line.get("timestamp", "")), str(line.get("level", "")), str(line.get("event", "")), *facts])
