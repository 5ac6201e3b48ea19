"""`vault`: the key that stored tokens are sealed with."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path
from typing import Annotated

import typer

from sentry_connector.app import app as connector
from sentry_connector.cli.options import AsJson, typer_app
from sentry_connector.cli.output import note, print_json, print_line
from sentry_connector.operations import vault as operations

app = typer_app()


@app.callback()
def vault() -> None:
    """The key that stored tokens are sealed with."""


@app.command()
def rotate(
    *,
    new_key_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Holds the new key, where the key comes from the environment; by default one is made and kept.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Seal all stored tokens with a new key."""
    file = None if new_key_file is None else new_key_file.absolute()  # found from any folder
    with connector() as house:
        done = asyncio.run(operations.rotate(house, file))
    if as_json:
        print_json({"secrets": done.secrets, "place": done.place})
        return
    sealed = "1 secret is" if done.secrets == 1 else f"{done.secrets} secrets are"
    print_line(f"{sealed} sealed with a new key; it is in {done.place}.")
    if file is not None:
        setting = f"SENTRY_CONNECTOR_KEY_FILE={shlex.quote(str(file))}"
        note(f"From now on set {setting}; the former key opens nothing any more.")
