"""`queries`: SQL with a name."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sentry_connector.app import app as connector
from sentry_connector.cli.files import FileOptions
from sentry_connector.cli.options import AsJson, Yes, confirm, typer_app, with_options
from sentry_connector.cli.output import note, print_json, print_line
from sentry_connector.cli.tables import print_things
from sentry_connector.operations import queries as operations
from sentry_connector.operations.views import saved_view, saved_views

app = typer_app()

Name = Annotated[str, typer.Argument(metavar="NAME", help="The saved query.")]


@app.callback()
def queries() -> None:
    """Saved SQL: to run it again by its name, here or in the browser."""


@app.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List the saved queries."""
    with connector() as house:
        views = saved_views(house, operations.everything(house))
    print_things(
        views,
        ["name", "owner", "shared with", "changed"],
        as_json=as_json,
        empty="None is saved yet. `sentry-connector queries save NAME SQL` saves one.",
        row=lambda one: [
            one["name"],
            one["owner"] or "this machine",
            "all" if one["shared"] else "",
            one["updated_at"],
        ],
    )


@app.command()
def save(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    sql: Annotated[str, typer.Argument(metavar="SQL|-", help="The statement; - reads it from standard input.")],
    *,
    shared: Annotated[bool, typer.Option("--shared", help="Show it to all who may use the server.")] = False,
    as_json: AsJson = False,
) -> None:
    """Save a statement under a name; what was saved under it before is replaced."""
    with connector() as house:
        saved = operations.save(house, name, sys.stdin.read() if sql == "-" else sql, shared=shared)
        view = saved_view(house, saved)
    if as_json:
        print_json(view)
    else:
        note(f"Saved. Run it: sentry-connector queries run {saved.name!r}")


@app.command()
def show(name: Name, *, as_json: AsJson = False) -> None:
    """Show the SQL of a saved query."""
    with connector() as house:
        view = saved_view(house, operations.find(house, name))
    if as_json:
        print_json(view)
    else:
        for line in view["sql"].splitlines():
            print_line(line)


@app.command()
@with_options(files=FileOptions)
def run(name: Name, files: FileOptions, *, as_json: AsJson = False) -> None:
    """Run a saved query, as `query` does with its SQL."""
    from sentry_connector.cli.query import print_rows_of  # noqa: PLC0415  # loads Arrow

    with connector() as house:
        print_rows_of(house, operations.find(house, name).sql, files, as_json=as_json)


@app.command()
def delete(name: Name, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Forget a saved query."""
    with connector() as house:
        found = operations.find(house, name)
        confirm(f"Delete the saved query {found.name}?", yes=yes)
        view = saved_view(house, found)
        operations.delete(house, found.id)
    if as_json:
        print_json(view)
    else:
        note("Deleted.")
