"""`destinations`: databases that tables lie in. A password comes from standard input or a prompt, never as an argument."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from sentry_connector.app import App
from sentry_connector.app import app as connector
from sentry_connector.cli.options import AsJson, Yes, confirm, typer_app
from sentry_connector.cli.output import note, print_json
from sentry_connector.cli.sharing import add_share
from sentry_connector.cli.tables import print_thing, print_things
from sentry_connector.destinations.sql_addresses import takes_password
from sentry_connector.operations import destinations as operations
from sentry_connector.operations.views import destination_view
from sentry_connector.store.records import Destination
from sentry_connector.store.rights import Thing

app = typer_app()
add_share(app, Thing.DESTINATION)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The destination.")]


@app.callback()
def destinations() -> None:
    """Databases that tables lie in, beside Delta tables: PostgreSQL, DuckDB, SQLite.

    A password is read from standard input or a prompt, sealed, and never shown.
    """


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    url: Annotated[
        str,
        typer.Option(
            metavar="URL", help="postgresql://USER@HOST/DATABASE, duckdb:///FILE or sqlite:///FILE; without a password."
        ),
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Add a database, once a table can be made in it."""
    with connector() as house:
        password = _read_password() if takes_password(url) else None
        destination, version = asyncio.run(operations.add(house, name, url, password))
        _print(house, destination, as_json=as_json, version=version)
    note(f"Use it: sentry-connector datasets create … --destination {destination.name!r}")


@app.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List the databases."""
    with connector() as house:
        views = [destination_view(*one) for one in operations.with_users(house, operations.everything(house))]
    names = ("name", "kind", "url", "password_since", "used_by")
    empty = "All tables are Delta tables; `sentry-connector destinations add --help` tells how to add a database."
    print_things(views, names, as_json=as_json, empty=empty)


@app.command()
def show(name: Name, *, as_json: AsJson = False) -> None:
    """Show a database."""
    with connector() as house:
        _print(house, operations.find(house, name), as_json=as_json)


@app.command()
def check(name: Name, *, as_json: AsJson = False) -> None:
    """Connect to a database, make a table in it, and drop that."""
    with connector() as house:
        destination, version = asyncio.run(operations.check(house, name))
        _print(house, destination, as_json=as_json, version=version)


@app.command("replace-password")
def replace_password(name: Name, *, as_json: AsJson = False) -> None:
    """Replace a database's password, once it takes the new one; an empty one is none."""
    with connector() as house:
        operations.find(house, name)
        destination = asyncio.run(operations.replace_password(house, name, _read_password()))
        _print(house, destination, as_json=as_json)


@app.command()
def delete(name: Name, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Forget a database and its password, where no DataSet's table lies in it."""
    with connector() as house:
        destination = operations.find(house, name)
        confirm(f"Delete the destination {destination.name}?", yes=yes)
        operations.delete(house, name)
    if as_json:
        print_json(destination_view(destination, []))
    else:
        note("Deleted. Nothing in the database was changed.")


def _read_password() -> str:
    """What is piped to standard input, else what is typed unseen; empty = no password."""
    if not sys.stdin.isatty():
        return sys.stdin.read().rstrip("\r\n")
    asked = "Password (empty: none, or one that PostgreSQL's own files know)"
    return str(typer.prompt(asked, default="", show_default=False, hide_input=True, err=True))


def _print(house: App, destination: Destination, *, as_json: bool, version: str | None = None) -> None:
    view = destination_view(destination, operations.used_by(house, destination))
    view |= {"version": version} if version is not None else {}
    print_thing(view, as_json=as_json)
