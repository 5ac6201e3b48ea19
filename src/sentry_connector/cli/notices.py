"""`notices`: who is told when something is wrong. An address may hold passwords: it is never an argument."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from sentry_connector.app import App
from sentry_connector.app import app as connector
from sentry_connector.cli.options import AsJson, Yes, confirm, one_of, read_secret, typer_app
from sentry_connector.cli.output import note, print_json
from sentry_connector.cli.tables import View, print_fields, print_thing, print_things
from sentry_connector.errors import UsageError
from sentry_connector.operations import notices as operations
from sentry_connector.operations.views import channel_view, notice_view
from sentry_connector.store.records import Channel, Kind

app = typer_app()

Name = Annotated[str, typer.Argument(metavar="NAME", help="The channel.")]
Kinds = Annotated[
    list[str] | None,
    typer.Option("--kind", metavar="KIND", help=f"Only these: {', '.join(Kind)}; repeat for several."),
]
DataSets = Annotated[
    list[str] | None, typer.Option("--dataset", metavar="NAME", help="Only this DataSet's; repeat for several.")
]


@app.callback()
def notices() -> None:
    """Who is told when something is wrong, and when it is over: e-mail, chats, signed webhooks.

    A channel's address is read from standard input or a prompt, sealed, and never shown.
    """


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call the channel.")],
    kind: Kinds = None,
    dataset: DataSets = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Add a channel.

    Its address: https://… for a signed webhook, or one of Apprise, such as mailtos://… or slack://….
    """
    with connector() as house:
        adding = operations.add(house, name, _read_address(), kinds=_kinds(kind), datasets=dataset or ())
        channel, secret = asyncio.run(adding)
        view = channel_view(channel, house.store.datasets.names()) | ({"secret": secret} if secret else {})
    if as_json:
        print_json(view)
        return
    print_fields(view)
    if secret:
        note("The secret proves to your webhook who sends (standardwebhooks.com). It is not shown again.")
    note(f"Try it: sentry-connector notices test {channel.name!r}")


@app.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List the channels."""
    with connector() as house:
        datasets = house.store.datasets.names()
        views = [channel_view(channel, datasets) for channel in operations.everything(house)]
    names = ("name", "service", "hint", "kinds", "datasets")
    empty = "Nobody is told: there is no channel. `sentry-connector notices add NAME` adds one."
    print_things(views, names, as_json=as_json, empty=empty, row=lambda view: [_cell(view[one]) for one in names])


@app.command()
def show(name: Name, *, as_json: AsJson = False) -> None:
    """Show a channel."""
    with connector() as house:
        _print(house, operations.find(house, name), as_json=as_json)


@app.command()
def edit(
    name: Name,
    new_name: Annotated[str | None, typer.Option("--name", metavar="NEW-NAME", help="Another name.")] = None,
    kind: Kinds = None,
    dataset: DataSets = None,
    *,
    every_kind: Annotated[bool, typer.Option("--all-kinds", help="All kinds again.")] = False,
    every_dataset: Annotated[bool, typer.Option("--all-datasets", help="All DataSets' again.")] = False,
    address: Annotated[
        bool, typer.Option("--address", help="Read another address; a webhook keeps its secret.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Change a channel: what is given changes, the rest stays."""
    if (every_kind and kind) or (every_dataset and dataset):
        raise UsageError("All and only some contradict each other.", remedy="Leave one of the two options out.")
    with connector() as house:
        operations.find(house, name)
        changing = operations.edit(
            house,
            name,
            new_name=new_name,
            url=_read_address() if address else None,
            kinds=() if every_kind else _kinds(kind) or None,
            datasets=() if every_dataset else dataset or None,
        )
        _print(house, asyncio.run(changing), as_json=as_json)


@app.command("test")
def test_(name: Name, *, as_json: AsJson = False) -> None:
    """Send a test, on the way of every other notice."""
    with connector() as house:
        channel = asyncio.run(operations.test(house, name))
        view = channel_view(channel, house.store.datasets.names())
    if as_json:
        print_json(view)
    else:
        note(f"{channel.name} took it.")


@app.command()
def delete(name: Name, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Forget a channel and its address."""
    with connector() as house:
        channel = operations.find(house, name)
        confirm(f"Delete the channel {channel.name}?", yes=yes)
        view = channel_view(channel, house.store.datasets.names())
        operations.delete(house, name)
    if as_json:
        print_json(view)
    else:
        note("Deleted.")


@app.command()
def sent(
    dataset: Annotated[str | None, typer.Option("--dataset", metavar="NAME", help="Only this DataSet's.")] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="So many at most.")] = 30,
    *,
    as_json: AsJson = False,
) -> None:
    """List what was told, newest first, and what became of it on each channel."""
    with connector() as house:
        channels = operations.names(house)
        views = [notice_view(notice, to, channels) for notice, to in operations.told(house, dataset, limit=limit)]
    print_things(
        views,
        ["at", "notice", "message", "sent"],
        as_json=as_json,
        empty="Nothing was told: nothing was wrong so far.",
        row=lambda view: [view["at"], view["title"], view["message"], _became(view)],
    )


def _became(view: View) -> str:
    """`ops: sent; hook: waiting (The webhook answered 500.)`."""
    if view["muted"]:
        return "muted"
    found = view["deliveries"]
    parts = [f"{one['channel']}: {_word(one)}" for one in found] if isinstance(found, list) else []
    return "; ".join(parts) or "no channel"


def _word(one: dict[str, object]) -> str:
    word = "sent" if one["sent_at"] else "given up" if one["given_up_at"] else "waiting"
    return f"{word} ({one['error']})" if one["error"] else word


def _read_address() -> str:
    address = read_secret("Address")
    if not address:
        raise UsageError("No address was given.", remedy="Pipe it to standard input: https://…, mailtos://…, slack://…")
    return address


def _kinds(given: list[str] | None) -> tuple[Kind, ...]:
    return tuple(kind for text in given or () if (kind := one_of(Kind, "kind of notice", text)) is not None)


def _print(house: App, channel: Channel, *, as_json: bool) -> None:
    view = channel_view(channel, house.store.datasets.names())
    print_thing(view, as_json=as_json)


def _cell(value: object) -> object:
    return (", ".join(value) or "all") if isinstance(value, list) else value
