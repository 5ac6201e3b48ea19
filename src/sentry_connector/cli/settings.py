"""`settings`: what the environment decides."""

from __future__ import annotations

import os

from sentry_connector.cli.options import AsJson, typer_app
from sentry_connector.cli.output import print_json
from sentry_connector.cli.tables import print_table
from sentry_connector.settings import SETTINGS, from_environment

app = typer_app()


@app.command()
def settings(*, as_json: AsJson = False) -> None:
    """Print the settings, secrets masked."""
    found = from_environment(os.environ)
    if as_json:
        print_json(found.described())
        return
    values = found.masked()
    rows = [[one.variable, values[one.variable] or f"({one.default})", one.about] for one in SETTINGS]
    print_table(["variable", "value", "about"], rows)
