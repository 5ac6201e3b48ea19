"""Configuration as code: files are read, compared with what is stored, and applied; what is stored is written as such a file."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from sentry_connector.datasets.config import (
    AccountEntry,
    ChannelEntry,
    Configuration,
    DataSetEntry,
    DestinationEntry,
    Reference,
    definition_of,
    entry_of,
)
from sentry_connector.datasets.config_reader import Placed, Read, read
from sentry_connector.datasets.yaml_tree import MOST_BYTES, parse
from sentry_connector.errors import ConnectorError, UnknownName, UsageError
from sentry_connector.notices.channels import WEBHOOK
from sentry_connector.operations import accounts, datasets, destinations, edits, notices
from sentry_connector.operations.config_secrets import Secrets
from sentry_connector.operations.config_steps import Action, Planned, Step, step_view
from sentry_connector.operations.destinations import refuse_file
from sentry_connector.operations.planning import planned
from sentry_connector.runs import check as runs_check
from sentry_connector.runs.house import House
from sentry_connector.runs.lease import held
from sentry_connector.store.datasets import slug_of
from sentry_connector.store.records import Account, DataSet, Destination

STANDARD_INPUT = "-"
SUFFIXES = {".yaml", ".yml"}
PATIENCE = 30.0
"""Seconds to wait for another process that applies a configuration."""


class State(StrEnum):
    """What became of a step."""

    DONE = "done"
    FAILED = "failed"
    NOT_DONE = "not done"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of a step that was to be taken.

    Attributes:
        step: the step.
        state: what became of it.
        error: why it failed.
        secret: what a new webhook's notices are signed with, where it was made here: shown now, and never again.
    """

    step: Step
    state: State
    error: ConnectorError | None = None
    secret: str | None = None


def read_files(names: Sequence[str], stdin: BinaryIO) -> Read:
    """The entries of files, which are one configuration together.

    Args:
        names: files; folders, whose `*.yaml` and `*.yml` are taken; `-` for standard input.
        stdin: what `-` is read from.

    Raises:
        UnknownName: there is no such file, or a folder has none.
        UsageError: it cannot be read.
        ConfigInvalid: something in them is wrong; everything that can be told of it is.
    """
    return read([parse(_bytes(path, stdin), str(path)) for name in names for path in _files(name)])


def _files(name: str) -> list[Path]:
    path = Path(name)
    if name == STANDARD_INPUT or not path.is_dir():
        return [path]
    found = sorted(one for one in path.iterdir() if one.suffix in SUFFIXES and one.is_file())
    if not found:
        raise UnknownName("configuration in the folder", name, remedy="Its files end in .yaml or .yml.")
    return found


def _bytes(path: Path, stdin: BinaryIO) -> bytes:
    if str(path) == STANDARD_INPUT:
        return stdin.read(MOST_BYTES + 1)
    try:
        with path.open("rb") as stream:
            return stream.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise UnknownName("file", str(path), remedy="Give the path of a YAML file, or - for standard input.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.", remedy="Let it be read.") from error


def read_texts(texts: Mapping[str, str]) -> Read:
    """The entries of texts that come from elsewhere; what only the server's own machine may say is refused.

    Args:
        texts: name → YAML; they are one configuration together.

    Raises:
        ConfigInvalid: something in them is wrong.
        UsageError: a secret is to be read from a file of the server.
    """
    found = read([parse(text.encode(), name) for name, text in texts.items()])
    with_secrets: list[Placed[Any]] = [*found.accounts, *found.destinations, *found.notices]
    for placed in with_secrets:
        fields = msgspec.structs.asdict(placed.entry)
        if any(isinstance(one, Reference) and one.file is not None for one in fields.values()):
            raise UsageError(
                f"{placed.place}: a secret that comes with a request is no file of the server.",
                remedy="Write `env: NAME`, and send it as NAME in `secrets`.",
            )
    return found


def refuse_files(to_do: Planned) -> None:
    """Refuse a plan that comes from elsewhere and would add a database that is a file of the server.

    Raises:
        UsageError: it would.
    """
    for step in to_do.steps:
        if step.action is Action.CREATE and step.placed is not None and isinstance(step.placed.entry, DestinationEntry):
            refuse_file(step.placed.entry.url)


def plan(house: House, wanted: Read, env: Mapping[str, str], *, prune: bool = False) -> Planned:
    """What is to be done for the configuration to be what is stored. Nothing is written, and nothing is asked of Sentry.

    Args:
        house: the parts.
        wanted: the configuration.
        env: where the secrets' variables are.
        prune: delete what the files' sections do not name.

    Raises:
        ConfigInvalid: it cannot be applied as it is; everything that can be told of it is.
        VaultUnusable: a secret that is stored cannot be opened to be compared.
    """
    return planned(house, wanted, Secrets(env), prune=prune)


async def apply(
    house: House, to_do: Planned, env: Mapping[str, str], tell: Callable[[Outcome], None] = lambda _: None
) -> list[Outcome]:
    """Take the steps of a plan, in their order, up to the first that fails. Before, Sentry is asked about every new token.

    Args:
        house: the parts.
        to_do: the plan.
        env: where the secrets' variables are.
        tell: told of each step once it is done or has failed.

    Returns:
        What became of each step.

    Raises:
        UsageError: what is stored was changed after the plan was made; nothing was done.
        ConfigInvalid: as `plan`; nothing was done.
        Locked: another process applies a configuration.
    """
    secrets = Secrets(env)
    async with held(house, "configuration", wait=PATIENCE):
        if await house.aside(lambda: planned(house, to_do.wanted, secrets, prune=to_do.prune)) != to_do:
            raise UsageError(
                "What is stored was changed after this plan was made; nothing was done.",
                remedy="Look at the plan again.",
            )
        refused = await _refused_token(house, to_do, secrets)
        outcomes: list[Outcome] = []
        for step in to_do.steps:
            if refused is not None:
                outcome = refused if step is refused.step else Outcome(step=step, state=State.NOT_DONE)
            elif any(one.state is State.FAILED for one in outcomes):
                outcome = Outcome(step=step, state=State.NOT_DONE)
            else:
                outcome = await _taken(house, step, secrets)
            outcomes.append(outcome)
            if outcome.state is not State.NOT_DONE:
                tell(outcome)
    return outcomes


async def _refused_token(house: House, to_do: Planned, secrets: Secrets) -> Outcome | None:
    """The first step whose token Sentry does not take, if there is one."""

    async def refused(step: Step, url: str, token: str) -> Outcome | None:
        try:
            await runs_check.identify(house, house.with_token(url, token))
        except ConnectorError as error:
            return Outcome(step=step, state=State.FAILED, error=error)
        return None

    asked = []
    for step in to_do.steps:
        placed = step.placed
        if placed is not None and isinstance(placed.entry, AccountEntry) and step.changes_any("token", "url"):
            token = secrets.needed(placed.entry.token, placed.place)
            asked.append(refused(step, placed.entry.url, token))
    return next((one for one in await asyncio.gather(*asked) if one is not None), None)


async def _taken(house: House, step: Step, secrets: Secrets) -> Outcome:
    try:
        secret = await _take(house, step, secrets)
    except ConnectorError as error:
        return Outcome(step=step, state=State.FAILED, error=error)
    return Outcome(step=step, state=State.DONE, secret=secret)


async def _take(house: House, step: Step, secrets: Secrets) -> str | None:
    """Take a step; answers the secret that was made for it, if one was."""
    placed, stored = step.placed, step.stored
    if placed is None:
        await house.aside(lambda: _DELETE[step.section](house, step.name))
        return None
    if isinstance(placed.entry, AccountEntry):
        await _account(house, placed, stored, step, secrets)
        return None
    if isinstance(placed.entry, DestinationEntry):
        await _destination(house, placed.entry, stored, secrets.of(placed.entry.password, placed.place))
        return None
    if isinstance(placed.entry, DataSetEntry):
        entry = placed.entry
        await house.aside(lambda: _dataset(house, entry, stored, step))
        return None
    return await _channel(house, placed, stored, step, secrets)


_DELETE: Mapping[str, Callable[[House, str], object]] = {
    "accounts": accounts.delete,
    "destinations": destinations.delete,
    "datasets": datasets.delete,
    "notices": notices.delete,
}


async def _account(
    house: House, placed: Placed[AccountEntry], stored: str | None, step: Step, secrets: Secrets
) -> None:
    entry = placed.entry
    if stored is None:
        await accounts.add(house, entry.name, entry.url, secrets.needed(entry.token, placed.place))
        return
    if step.changes_any("name"):
        await house.aside(lambda: accounts.rename(house, stored, entry.name))
    if step.changes_any("token", "url"):
        token = secrets.needed(entry.token, placed.place)
        await accounts.replace_token(house, entry.name, token, entry.url)


async def _destination(house: House, entry: DestinationEntry, stored: str | None, password: str | None) -> None:
    if stored is None:
        await destinations.add(house, entry.name, entry.url, password)
    else:
        await destinations.replace_password(house, stored, password)


def _dataset(house: House, entry: DataSetEntry, stored: str | None, step: Step) -> None:
    wanted = definition_of(entry)
    if stored is None:
        made = datasets.create(house, wanted, entry.account)
    elif {change.field for change in step.changes} <= {"paused", "muted"}:
        made = datasets.find(house, stored)
    else:
        changes = {name: getattr(wanted, name) for name in wanted.__struct_fields__}
        without = entry.account is None
        made = datasets.edit(house, stored, changes, entry.account, no_account=without, as_of=step.as_of)
    if entry.paused is not None and entry.paused is not made.paused:
        (datasets.pause if entry.paused else datasets.resume)(house, made.slug)
    if entry.muted is not None and entry.muted is not made.muted:
        datasets.mute(house, made.slug, muted=entry.muted)


async def _channel(
    house: House, placed: Placed[ChannelEntry], stored: str | None, step: Step, secrets: Secrets
) -> str | None:
    entry = placed.entry
    secret = secrets.of(entry.secret, placed.place)
    if stored is None:
        address = secrets.needed(entry.address, placed.place)
        _, made = await notices.add(house, entry.name, address, kinds=entry.kind, datasets=entry.dataset, secret=secret)
        return None if secret else made
    await notices.edit(
        house,
        stored,
        new_name=entry.name,
        url=secrets.of(entry.address, placed.place) if step.changes_any("address", "secret") else None,
        kinds=entry.kind,
        datasets=entry.dataset,
        secret=secret,
    )
    return None


def outcome_view(outcome: Outcome) -> dict[str, Any]:
    """What became of a step, as JSON."""
    error = None if outcome.error is None else outcome.error.as_dict()
    secret = {} if outcome.secret is None else {"secret": outcome.secret}
    return step_view(outcome.step) | {"state": str(outcome.state), "error": error} | secret


def export(house: House) -> tuple[Configuration, list[str]]:
    """What is stored, as a configuration, and what could not be said in it. Secrets are references to variables to be set.

    The names of the variables follow from the names of the accounts and channels.
    """
    notes: list[str] = []
    known = {account.id: account for account in house.store.accounts.list()}
    stored = house.store.datasets.list()
    configuration = Configuration(
        accounts=_exported_accounts(list(known.values())),
        destinations=_exported_destinations(house.store.destinations.list()),
        datasets=tuple(_exported_dataset(one, known, notes) for one in stored),
        notices=_exported_channels(house, {one.id: one.name for one in stored}, notes),
    )
    return configuration, notes


def _exported_accounts(stored: Sequence[Account]) -> tuple[AccountEntry, ...]:
    tokens = variables("SENTRY_AUTH_TOKEN", [one.name for one in stored])
    return tuple(
        AccountEntry(name=one.name, url=one.url, token=Reference(env=token))
        for one, token in zip(stored, tokens, strict=True)
    )


def _exported_destinations(stored: Sequence[Destination]) -> tuple[DestinationEntry, ...]:
    passwords = variables("DESTINATION_PASSWORD", [one.name for one in stored])
    return tuple(
        DestinationEntry(name=one.name, url=one.url, password=Reference(env=password) if one.password_since else None)
        for one, password in zip(stored, passwords, strict=True)
    )


def _exported_dataset(dataset: DataSet, known: Mapping[str, Account], notes: list[str]) -> DataSetEntry:
    account = known.get(dataset.account_id or "")
    if dataset.account_id and account is None:
        notes.append(f"{dataset.name}: its account was deleted, so that it is written without one.")
    entry = entry_of(edits.definition_of(dataset), account.name if account else None)
    return msgspec.structs.replace(entry, paused=dataset.paused or None, muted=dataset.muted or None)


def _exported_channels(house: House, names: Mapping[str, str], notes: list[str]) -> tuple[ChannelEntry, ...]:
    found = []
    stored = house.store.notices.channels()
    every = [one.name for one in stored]
    addresses, secrets = variables("NOTICE_ADDRESS", every), variables("NOTICE_SECRET", every)
    for channel, address, secret in zip(stored, addresses, secrets, strict=True):
        heard = tuple(names[one] for one in channel.dataset_ids if one in names)
        if channel.dataset_ids and not heard:
            notes.append(f"{channel.name}: the DataSets that it hears of were deleted, so that it is left out.")
            continue
        found.append(
            ChannelEntry(
                name=channel.name,
                address=Reference(env=address),
                secret=Reference(env=secret) if channel.service == WEBHOOK else None,
                kind=channel.kinds,
                dataset=heard,
            )
        )
    return tuple(found)


def variables(prefix: str, names: Sequence[str]) -> list[str]:
    """A variable's name for each of these names, no two alike: `SENTRY_AUTH_TOKEN_ACME`."""
    found: list[str] = []
    for name in names:
        wanted = f"{prefix}_{slug_of(name).upper().strip('_')}"
        taken = {one for one in found if re.fullmatch(rf"{wanted}(_[0-9]+)?", one)}
        number = next(number for number in range(1, len(found) + 2) if _numbered(wanted, number) not in taken)
        found.append(_numbered(wanted, number))
    return found


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}_{number}"
