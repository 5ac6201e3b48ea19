"""`audit`: who did what, and when."""

from __future__ import annotations

from typing import Annotated

import typer

from sentry_connector.app import app as connector
from sentry_connector.cli.options import AsJson, typer_app
from sentry_connector.cli.output import json_text, note, print_json, print_line
from sentry_connector.cli.tables import print_table
from sentry_connector.operations import audit as operations
from sentry_connector.operations.views import entry_view

app = typer_app()

COLUMNS = ("number", "at", "actor", "via", "action", "object", "outcome")


@app.callback()
def audit() -> None:
    """Who did what, and when: an append-only log in which each entry holds the digest of the one before."""


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="How many at most.")] = 100,
    before: Annotated[int | None, typer.Option(metavar="NUMBER", help="Only entries with a lower number.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List entries, newest first."""
    with connector() as house:
        views = [entry_view(one) for one in operations.recent(house, before=before, limit=limit)]
    if as_json:
        print_json(views)
        return
    rows = [[view[name] for name in COLUMNS] for view in views]
    print_table(COLUMNS, rows, empty="Nothing was changed yet.")


@app.command()
def verify(*, as_json: AsJson = False) -> None:
    """Prove that no entry was changed or is missing."""
    with connector() as house:
        number, digest = operations.verify(house)
    if as_json:
        print_json({"entries": number, "digest": digest})
        return
    print_line(f"{number} entries are as they were written; the last one's digest is {digest}.")
    note("Kept elsewhere, that digest shows later whether the log still holds these entries.")


@app.command()
def export(*, as_json: AsJson = False) -> None:  # noqa: ARG001  # it is JSON in any case
    """Print all entries, oldest first, as JSON Lines, with their digests."""
    with connector() as house:
        for entry in operations.everything(house):
            print_line(json_text(entry_view(entry), indent=None))
