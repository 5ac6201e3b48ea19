"""`apply`: change what is stored into what a configuration file says."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

import typer

from sentry_connector.app import app as connector
from sentry_connector.cli.config import Files, Prune, called, planned, print_plan
from sentry_connector.cli.options import AsJson, Yes, confirm, typer_app
from sentry_connector.cli.output import note, print_error, print_json
from sentry_connector.operations import config as operations
from sentry_connector.operations.config import Outcome, State, outcome_view
from sentry_connector.operations.config_steps import Action, plan_view

app = typer_app()

DONE = {Action.CREATE: "Created", Action.CHANGE: "Changed", Action.DELETE: "Deleted"}


@app.command()
def apply(files: Files, *, prune: Prune = False, yes: Yes = False, as_json: AsJson = False) -> None:
    """Show the plan, ask, and do it: accounts and destinations, then DataSets, then channels; deletions last.

    Everything is checked before anything is written: the files, what they would do to tables, and each new token on Sentry.
    At the first step that fails it stops, and says what was done and what was not. Applied twice, there is nothing to do.
    """
    with connector() as house:
        plan = planned(house, files, prune=prune)
        if not as_json:
            print_plan(plan)
        if plan.steps:
            confirm("Do that?", yes=yes)
        outcomes = asyncio.run(operations.apply(house, plan, os.environ, _say_nothing if as_json else _tell))
    if as_json:
        print_json({**plan_view(plan), "steps": [outcome_view(one) for one in outcomes]})
    else:
        _tell_end(outcomes)
    failed = next((one.error for one in outcomes if one.error is not None), None)
    if failed is not None:
        raise typer.Exit(failed.exit_code)


def _say_nothing(_: Outcome) -> None:
    """Where all is told at the end."""


def _tell(outcome: Outcome) -> None:
    """A step that was done; one that failed is told at the end."""
    if outcome.state is State.DONE:
        note(f"{DONE[outcome.step.action]} {called(outcome.step)}.")
    if outcome.secret is not None:
        note(f"  Its secret proves to your webhook who sends, and is not shown again: {outcome.secret}")


def _tell_end(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.error is not None:
            note(f"{called(outcome.step)}:")
            print_error(outcome.error.as_dict(), as_json=False)
    left = [called(one.step) for one in outcomes if one.state is State.NOT_DONE]
    if left:
        note(f"Not done: {', '.join(left)}.")
    if any(one.state is State.FAILED for one in outcomes):
        note("Apply again once that is mended: what was done stays, and is not done again.")
