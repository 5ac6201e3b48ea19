"""`accounts`: stored Sentry tokens. A token comes from standard input, the environment or a prompt, never as an argument."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from sentry_connector.app import App
from sentry_connector.app import app as connector
from sentry_connector.cli.options import AsJson, Yes, confirm, read_secret, typer_app
from sentry_connector.cli.output import note, print_json
from sentry_connector.cli.sharing import add_share
from sentry_connector.cli.tables import print_thing, print_things
from sentry_connector.operations import accounts as operations
from sentry_connector.operations.views import account_view
from sentry_connector.store.records import Account
from sentry_connector.store.rights import Thing

app = typer_app()
add_share(app, Thing.ACCOUNT)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The account.")]


@app.callback()
def accounts() -> None:
    """Stored Sentry tokens. A token is read from standard input, SENTRY_AUTH_TOKEN or a prompt, and never shown."""


@app.command()
def add(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="What to call the account; by default Sentry Account.")
    ] = None,
    url: Annotated[str | None, typer.Option(metavar="URL", help="Sentry's address; by default SENTRY_URL.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Store a token under a name, once Sentry takes it."""
    with connector() as house:
        account = asyncio.run(operations.add(house, name, url or house.settings.url, _read_token(house)))
        _print(house, account, as_json=as_json)


@app.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List the accounts."""
    with connector() as house:
        views = [account_view(*one) for one in operations.with_users(house, operations.everything(house))]
    names = ("name", "url", "status", "checked_at", "token_hint", "token_since", "used_by")
    print_things(views, names, as_json=as_json, empty="No accounts yet: `sentry-connector accounts add` connects one.")


@app.command()
def show(name: Name, *, as_json: AsJson = False) -> None:
    """Show an account."""
    with connector() as house:
        _print(house, operations.find(house, name), as_json=as_json)


@app.command()
def check(name: Name, *, as_json: AsJson = False) -> None:
    """Ask Sentry whether the token is good, and what it may."""
    with connector() as house:
        account = asyncio.run(operations.check(house, name))
        _print(house, account, as_json=as_json)


@app.command()
def rename(
    name: Name,
    new_name: Annotated[str, typer.Argument(metavar="NEW-NAME", help="What to call it.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Give an account another name; its DataSets keep it."""
    with connector() as house:
        _print(house, operations.rename(house, name, new_name), as_json=as_json)


@app.command("replace-token")
def replace_token(
    name: Name,
    url: Annotated[str | None, typer.Option(metavar="URL", help="Another address of Sentry.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Replace the token, once Sentry takes the new one."""
    with connector() as house:
        operations.find(house, name)
        account = asyncio.run(operations.replace_token(house, name, _read_token(house), url))
        _print(house, account, as_json=as_json)


@app.command()
def delete(name: Name, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Forget an account and its token; DataSets that use it stay and wait for another."""
    with connector() as house:
        account = operations.find(house, name)
        users = operations.used_by(house, account)
        impact = f"it is used by {', '.join(one.name for one in users)}" if users else "no DataSet uses it"
        note(f"{account.name}: {impact}.")
        confirm(f"Delete the account {account.name}?", yes=yes)
        operations.delete(house, name)
    if as_json:
        print_json(account_view(account, users))
    else:
        note("Deleted.")


def _read_token(house: App) -> str:
    """The token: from standard input where something is piped, else from the environment, else from a prompt.

    Raises:
        TokenMissing: there is none.
        UsageError: what was given is no token.
    """
    token = read_secret("Token", house.settings.auth_token)
    operations.refuse_no_token(token)
    return token


def _print(house: App, account: Account, *, as_json: bool) -> None:
    view = account_view(account, operations.used_by(house, account))
    if excess := view["scopes_beyond_reading"]:
        note(f"The token may do more than read: {', '.join(excess)}. The connector never needs that.")
    print_thing(view, as_json=as_json)
