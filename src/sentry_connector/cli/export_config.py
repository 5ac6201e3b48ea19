"""`export-config`: what is stored, as a configuration file."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sentry_connector.app import app as connector
from sentry_connector.cli.options import AsJson, typer_app
from sentry_connector.cli.output import note, print_json
from sentry_connector.datasets import config
from sentry_connector.operations import config as operations

app = typer_app()


@app.command()
def export_config(
    *,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of configuration files instead.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print accounts, DataSets and channels as the YAML that `apply` takes.

    No secret is in it: in the place of each stands the name of a variable, which `apply` wants only for what is new.
    The same store gives the same text, byte for byte.
    """
    if schema:
        print_json(config.schema())
        return
    with connector() as house:
        found, notes = operations.export(house)
    if as_json:
        print_json(config.sections(found))
    else:
        sys.stdout.write(config.text_of(found))
    if found == config.Configuration():
        note("There is nothing yet: no account, no DataSet, no channel.")
    for line in notes:
        note(line)
