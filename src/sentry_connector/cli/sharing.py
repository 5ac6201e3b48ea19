"""`datasets share`, `accounts share`, `destinations share`: one command, of three groups."""

from __future__ import annotations

from typing import Annotated

import typer

from sentry_connector.app import app as connector
from sentry_connector.cli.options import AsJson, one_of
from sentry_connector.cli.output import print_json
from sentry_connector.cli.tables import print_table
from sentry_connector.errors import UsageError
from sentry_connector.operations import sharing
from sentry_connector.operations.views import share_view
from sentry_connector.store.rights import Level, Thing

NONE = "none"
"""In place of a level: nothing any more."""


Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name.")]
PersonName = Annotated[str | None, typer.Argument(metavar="PERSON", help="Who is given something of it.")]
LevelName = Annotated[
    str | None, typer.Option("--level", metavar="LEVEL", help=f"{', '.join(Level)}; {NONE} takes it from them.")
]


def add_share(app: typer.Typer, thing: Thing) -> None:
    """Add the command to a group."""
    kind = "DataSet" if thing is Thing.DATASET else thing.value

    def share(
        name: Name,
        person: PersonName = None,
        level: LevelName = None,
        *,
        as_json: AsJson = False,
    ) -> None:
        if (person is None) is not (level is None):
            raise UsageError(
                "A person needs a level, and a level a person.", remedy="Give both, or neither for the list."
            )
        with connector() as house:
            if person is None or level is None:
                found = sharing.shares(house, thing, name)
            else:
                wanted = None if level == NONE else one_of(Level, "level", level)
                found = sharing.share(house, thing, name, person, wanted)
        views = [share_view(*one) for one in found]
        if as_json:
            print_json(views)
            return
        columns = ("person", "level", "granted_at")
        nobody = f"It is nobody's own, and shared with nobody: this machine's user and admins have the {kind}."
        rows = [[view[column] for column in columns] for view in views]
        print_table([column.replace("_", " ") for column in columns], rows, empty=nobody)

    share.__doc__ = f"""Show who may do what with the {kind}, or give a person a level of it.

    Each level includes those before: use it, share it, edit it, own it.
    """
    app.command("share")(share)
