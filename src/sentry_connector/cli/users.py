"""`users`: who may sign in. A password comes from standard input or a prompt, never as an argument."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated

import typer

from sentry_connector.app import App
from sentry_connector.app import app as connector
from sentry_connector.cli.options import AsJson, Yes, confirm, one_of, read_secret, typer_app
from sentry_connector.cli.output import note, print_json, print_line
from sentry_connector.cli.tables import print_fields, print_thing, print_things
from sentry_connector.errors import UsageError
from sentry_connector.operations import factors
from sentry_connector.operations import people as operations
from sentry_connector.operations.views import session_view, user_view
from sentry_connector.store.rights import Role, User

app = typer_app()

Name = Annotated[str, typer.Argument(metavar="NAME", help="The person.")]
RoleName = Annotated[str, typer.Option("--role", metavar="ROLE", help=f"One of: {', '.join(Role)}.")]
COLUMNS = ("name", "role", "active", "issuer", "factor_since", "signed_in_at")
SESSION_COLUMNS = ("id", "address", "created_at", "used_at")


@app.callback()
def users() -> None:
    """Who may sign in to the server. While there is nobody, this machine's user may do all there, and nobody else is there."""


@app.command()
def add(
    name: Name,
    role: RoleName = Role.VIEWER.value,
    issuer: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The identity provider that signs the person in, in place of a password."),
    ] = None,
    subject: Annotated[str | None, typer.Option(metavar="ID", help="Who the person is there.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Let a person sign in. From the first person on, who has to be an admin, everybody has to."""
    if (issuer is None) is not (subject is None):
        raise UsageError("An identity provider's person has an issuer and a subject.", remedy="Give both, or neither.")
    given = _role(role)
    with connector() as house:
        if issuer is not None and subject is not None:
            made = operations.add_known_elsewhere(house, name, given, issuer, subject)
        else:
            made = operations.add(house, name, given, _read_password())
    _print(made, as_json=as_json)


@app.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List the people."""
    with connector() as house:
        views = [user_view(one) for one in operations.everybody(house)]
    empty = "Nobody yet: `sentry-connector users add NAME --role admin` adds the first admin."
    print_things(views, COLUMNS, as_json=as_json, empty=empty)


@app.command()
def show(name: Name, *, as_json: AsJson = False) -> None:
    """Show a person."""
    with connector() as house:
        _print(operations.find(house, name), as_json=as_json)


@app.command("set-role")
def set_role(
    name: Name,
    role: Annotated[str, typer.Argument(metavar="ROLE", help=f"One of: {', '.join(Role)}.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Give a person another role; their sessions and API keys end."""
    given = _role(role)
    _change(lambda house: operations.set_role(house, name, given), as_json=as_json)


@app.command("set-password")
def set_password(name: Name, *, as_json: AsJson = False) -> None:
    """Give a person another password; their sessions and API keys end."""
    _change(
        lambda house: operations.set_password(house, operations.find(house, name).name, _read_password()),
        as_json=as_json,
    )


@app.command()
def deactivate(name: Name, *, as_json: AsJson = False) -> None:
    """Keep a person from signing in; their sessions and API keys end, what they own stays theirs."""
    _change(lambda house: operations.deactivate(house, name), as_json=as_json)


@app.command()
def activate(name: Name, *, as_json: AsJson = False) -> None:
    """Let a person sign in again."""
    _change(lambda house: operations.activate(house, name), as_json=as_json)


@app.command()
def delete(name: Name, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Forget a person; what only they owned is the admins' affair from then on."""
    with connector() as house:
        user = operations.find(house, name)
        confirm(f"Delete {user.name}?", yes=yes)
        operations.delete(house, name)
    if as_json:
        print_json(user_view(user))
    else:
        note("Deleted.")


@app.command()
def sessions(name: Name, *, as_json: AsJson = False) -> None:
    """List where a person is signed in."""
    with connector() as house:
        views = [session_view(one) for one in operations.sessions(house, operations.find(house, name))]
    print_things(views, SESSION_COLUMNS, as_json=as_json, empty="Signed in nowhere.")


@app.command("sign-out")
def sign_out(name: Name, *, as_json: AsJson = False) -> None:
    """End a person's sessions; their API keys stay."""
    _change(lambda house: operations.sign_out(house, name), as_json=as_json)


@app.command("new-factor")
def new_factor(name: Name, *, as_json: AsJson = False) -> None:
    """Make a second factor for a person, for their authenticator; asked for once `users confirm-factor` was shown a code."""
    with connector() as house:
        offered = asyncio.run(factors.offer(house, name))
    shown = {"seed": offered.seed, "uri": offered.uri}
    if as_json:
        print_json(shown)
    else:
        print_fields(shown)
        note(f"Give the seed to an authenticator, then its code to: sentry-connector users confirm-factor {name}")


@app.command("confirm-factor")
def confirm_factor(name: Name, *, as_json: AsJson = False) -> None:
    """Ask a person for the second factor from now on, once its code was shown; their sessions end. Prints recovery codes."""
    with connector() as house:
        codes = factors.confirm(house, name, read_secret("Code"))
    if as_json:
        print_json({"recovery_codes": codes})
        return
    for code in codes:
        print_line(code)
    note("Each stands for the second factor once, where the phone is lost. They are not shown again.")


@app.command("reset-factor")
def reset_factor(name: Name, *, as_json: AsJson = False) -> None:
    """Ask a person for the password alone, as where phone and recovery codes are lost; their sessions and API keys end."""
    _change(lambda house: factors.forget(house, name), as_json=as_json)


@app.command("sign-out-all")
def sign_out_all(*, yes: Yes = False, as_json: AsJson = False) -> None:
    """End all sessions and API keys of everybody, as after a theft."""
    with connector() as house:
        confirm("End all sessions and API keys of everybody?", yes=yes)
        ended = operations.sign_out_all(house)
    if as_json:
        print_json({"ended": ended})
    else:
        note(f"Ended: {ended} sessions and API keys.")


def _change(change: Callable[[App], User], *, as_json: bool) -> None:
    with connector() as house:
        _print(change(house), as_json=as_json)


def _role(given: str) -> Role:
    return one_of(Role, "role", given) or Role.VIEWER


def _read_password() -> str:
    """The password: from standard input where something is piped, else from a prompt, without the line's end."""
    return read_secret("Password")


def _print(user: User, *, as_json: bool) -> None:
    view = user_view(user)
    print_thing(view, as_json=as_json)
