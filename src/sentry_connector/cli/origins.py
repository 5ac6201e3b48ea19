"""`origins`: servers in private networks that may be asked, once several people use the connector."""

from __future__ import annotations

from typing import Annotated

import typer

from sentry_connector.app import app as connector
from sentry_connector.cli.options import AsJson, typer_app
from sentry_connector.cli.output import note, print_json
from sentry_connector.cli.tables import print_table
from sentry_connector.operations import origins as operations

app = typer_app()

Url = Annotated[str, typer.Argument(metavar="URL", help="The server's address.")]


@app.callback()
def origins() -> None:
    """Servers in private networks that may be asked, once several people use the connector.

    Otherwise whoever may add an account could look around in the network that the server is in.
    """


@app.command()
def add(url: Url, *, as_json: AsJson = False) -> None:
    """Allow a server."""
    with connector() as house:
        allowed = operations.add(house, url)
    if as_json:
        print_json({"origin": allowed})
    else:
        note(f"Allowed: {allowed}")


@app.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List the servers that were allowed."""
    with connector() as house:
        found = operations.everything(house)
    if as_json:
        print_json(list(found))
        return
    empty = "None: once there are people, only servers of the public Internet and that of SENTRY_URL are asked."
    print_table(["origin"], [[one] for one in found], empty=empty)


@app.command()
def remove(url: Url, *, as_json: AsJson = False) -> None:
    """Allow a server no more."""
    with connector() as house:
        gone = operations.remove(house, url)
    if as_json:
        print_json({"origin": gone})
    else:
        note(f"No longer allowed: {gone}")
