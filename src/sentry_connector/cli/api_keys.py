"""`api-keys`: keys of people's programs. A key is shown once, when it is made."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sentry_connector.app import App
from sentry_connector.app import app as connector
from sentry_connector.cli.options import AsJson, one_of, typer_app
from sentry_connector.cli.output import note, print_json, print_line
from sentry_connector.cli.tables import print_things
from sentry_connector.errors import UnknownName
from sentry_connector.operations import people as operations
from sentry_connector.operations.people import KEY_DAYS, LONGEST_KEY_DAYS
from sentry_connector.operations.views import key_view
from sentry_connector.store.rights import Right, User

app = typer_app()

COLUMNS = ("name", "owner", "hint", "scopes", "expires_at", "used_at")
Owner = Annotated[str | None, typer.Option("--user", metavar="PERSON", help="Only this person's.")]


@app.callback()
def api_keys() -> None:
    """Keys of people's programs, for the server's API: `Authorization: Bearer sck_…`."""


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call the key.")],
    user: Annotated[str, typer.Option("--user", metavar="PERSON", help="Whose it is; it may never do more than they.")],
    scope: Annotated[
        list[str] | None, typer.Option(metavar="SCOPE", help=f"One of: {', '.join(Right)}; repeat for several.")
    ] = None,
    days: Annotated[
        int, typer.Option(min=1, max=LONGEST_KEY_DAYS, metavar="N", help="Days that the key is good for.")
    ] = KEY_DAYS,
    *,
    as_json: AsJson = False,
) -> None:
    """Make an API key and show it, once."""
    rights = [right for one in scope or [Right.READ.value] if (right := one_of(Right, "scope", one)) is not None]
    with connector() as house:
        owner = operations.find(house, user)
        made, key = operations.add_key(house, name, owner, rights, days=days)
    if as_json:
        print_json(key_view(made, owner) | {"key": key})
        return
    print_line(key)
    note(
        f"{made.name}: {', '.join(made.rights)} as {owner.name}, until {made.expires_at:%Y-%m-%d}. It is not shown again."
    )


@app.command("list")
def list_(user: Owner = None, *, as_json: AsJson = False) -> None:
    """List the API keys, without the keys themselves."""
    with connector() as house:
        views = [key_view(*one) for one in operations.keys(house, _owner(house, user))]
    empty = "No API keys: `sentry-connector api-keys add NAME --user PERSON` makes one."
    print_things(views, COLUMNS, as_json=as_json, empty=empty)


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Its name or id.")],
    user: Owner = None,
    *,
    as_json: AsJson = False,
) -> None:
    """End an API key."""
    with connector() as house:
        found = operations.find_key(house, key, _owner(house, user))
        views: list[dict[str, Any]] = [key_view(*one) for one in operations.keys(house) if one[0].id == found.id]
        if not views:
            raise UnknownName("API key", key)
        operations.revoke_key(house, found)
    if as_json:
        print_json(views[0])
    else:
        note("Ended.")


def _owner(house: App, user: str | None) -> User | None:
    return None if user is None else operations.find(house, user)
