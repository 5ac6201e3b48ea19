"""`plan`: what a configuration file would change."""

from __future__ import annotations

from typing import Annotated

import typer

from sentry_connector.app import app as connector
from sentry_connector.cli.config import Files, Prune, planned, print_plan
from sentry_connector.cli.options import AsJson, typer_app
from sentry_connector.cli.output import print_json
from sentry_connector.operations.config_steps import plan_view

app = typer_app()

CHANGES = 3
"""The exit code of a plan that has something to do, where it was asked for: 2 is a wrong call."""


@app.command()
def plan(
    files: Files,
    *,
    prune: Prune = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 3 where there is something to do.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what `apply` would change. Nothing is written, and nothing is asked of Sentry.

    Several files are one configuration. What they do not name stays, unless --prune is given.
    """
    with connector() as house:
        found = planned(house, files, prune=prune)
    if as_json:
        print_json(plan_view(found))
    else:
        print_plan(found)
    if detailed_exitcode and found.steps:
        raise typer.Exit(CHANGES)
