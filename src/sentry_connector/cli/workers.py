"""`workers`: who does the runs."""

from __future__ import annotations

import dataclasses

from sentry_connector.app import app as connector
from sentry_connector.cli.options import AsJson, typer_app
from sentry_connector.cli.output import print_json
from sentry_connector.cli.tables import print_table
from sentry_connector.operations import workers as operations

app = typer_app()


@app.command()
def workers(*, as_json: AsJson = False) -> None:
    """List the workers that live, servers too, and what they are at work on."""
    with connector() as house:
        found = operations.living(house)
    if as_json:
        print_json([dataclasses.asdict(one) for one in found])
        return
    rows = [[one.name, one.process, one.since, one.heartbeat, ", ".join(one.datasets)] for one in found]
    none = "No worker lives: `sentry-connector serve` is one, and keeps schedules."
    print_table(["name", "process", "since", "heartbeat", "at work on"], rows, empty=none)
