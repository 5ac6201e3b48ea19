"""Accounts: a Sentry token, given once, kept sealed, used by any number of DataSets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

import msgspec

from sentry_connector.datasets.definition import LONGEST_NAME, plain_text
from sentry_connector.errors import TokenMissing, UnknownName, UsageError
from sentry_connector.operations.audited import audited
from sentry_connector.redact import token_hint
from sentry_connector.runs import check as runs_check
from sentry_connector.runs import news, queue
from sentry_connector.runs.house import House, wholly
from sentry_connector.sentry.address import normalise_url, server
from sentry_connector.sentry.client import Connection
from sentry_connector.store.ids import new_id
from sentry_connector.store.records import Account, DataSet

DEFAULT_NAME = "Sentry Account"

READ_SCOPES = frozenset({"org:read", "project:read", "team:read", "event:read"})
"""All that the sixteen reports need."""


@audited("accounts add", "url")
async def add(
    house: House,
    name: str | None,
    url: str,
    token: str,
    id: str | None = None,  # noqa: A002  # the field's name
) -> Account:
    """Connect an account: the token is tried on Sentry first, and stored sealed only if Sentry takes it.

    Args:
        house: the parts.
        name: what to call it; None = `Sentry Account`, with a number where that is taken.
        url: Sentry's address.
        token: the token.
        id: its id, where that was chosen before: an account that is there already is that one.

    Raises:
        UsageError: the name is empty or taken, the URL is none, or what was given is no token.
        TokenMissing, TokenRejected, ConnectionFailed, NotSentry: Sentry could not be asked with it; nothing is stored.
    """
    now = house.now()
    refuse_no_token(token)
    account = Account(
        id=id or new_id(now, house.rng),
        name=DEFAULT_NAME if name is None else plain_text("name", name, LONGEST_NAME),
        url=normalise_url(url),
        token_hint=token_hint(token),
        token_since=now,
        created_at=now,
        updated_at=now,
    )
    if name is not None:
        await house.aside(lambda: _refuse_taken(house, account))
    identity = await runs_check.identify(house, house.with_token(account.url, token))
    checked = runs_check.found(account, identity, house)

    def store() -> Account:
        sealed = house.vault.seal(token, checked.id, checked.url)
        return house.store.accounts.add(checked, sealed, numbered=name is None)

    async with _sealing(house):
        return await wholly(house, store)


def everything(house: House) -> Sequence[Account]:
    """All accounts, by name."""
    return house.store.accounts.list()


def find(house: House, name: str) -> Account:
    """The account of that name or id.

    Raises:
        UnknownName: there is none; the nearest names are given.
    """
    return house.store.accounts.find(name)


def connection(house: House, name: str | None) -> Connection:
    """How to reach Sentry with the account of that name; None = with the environment's token.

    Raises:
        UnknownName: there is no such account.
        TokenMissing: none is named, and the environment has no token.
        VaultUnusable: the account's token cannot be opened.
    """
    return house.connection(None if name is None else find(house, name))


@audited("accounts check")
async def check(house: House, name: str) -> Account:
    """Ask Sentry about a stored account, and keep what it says.

    Raises:
        UnknownName: there is no such account.
        CredentialError, ConnectionFailed: what Sentry says; a rejected token makes the account invalid, a host that cannot be
            reached leaves it as it was.
    """
    account = await house.aside(lambda: house.store.accounts.find(name))
    await runs_check.check(house, account)
    checked = await house.aside(lambda: house.store.accounts.get(account.id))
    if checked is None:
        raise UnknownName("account", name)
    return checked


@audited("accounts rename", "new_name")
def rename(house: House, name: str, new_name: str) -> Account:
    """Give an account another name; its DataSets keep it.

    Raises:
        UnknownName: there is no such account.
        UsageError: the new name is empty or taken.
    """
    account = house.store.accounts.find(name)
    return house.store.accounts.rename(account, plain_text("name", new_name, LONGEST_NAME), house.now())


@audited("accounts replace-token", "url")
async def replace_token(house: House, name: str, token: str, url: str | None = None) -> Account:
    """Give an account another token, and another URL where one is given; one that Sentry does not take changes nothing.

    Raises:
        UnknownName, TokenRejected, ConnectionFailed, NotSentry: the old token stays.
        UsageError: what was given is no token; the URL is of another server than the rows of the account's DataSets come from;
            or the account was deleted, or given another token, meanwhile, and that stays.
    """
    refuse_no_token(token)
    account = await house.aside(lambda: house.store.accounts.find(name))
    now = house.now()
    moved = msgspec.structs.replace(
        account,
        url=normalise_url(url) if url else account.url,
        token_hint=token_hint(token),
        token_since=now,
        updated_at=now,
    )
    await house.aside(lambda: refuse_strange_server(house, account, moved.url))
    identity = await runs_check.identify(house, house.with_token(moved.url, token))
    checked = runs_check.found(moved, identity, house)

    def store() -> Account:
        refuse_strange_server(house, account, checked.url)  # a run may have begun meanwhile
        sealed = house.vault.seal(token, checked.id, checked.url)
        return house.store.accounts.replace_token(account, checked, sealed, news.of_account(house, checked))

    async with _sealing(house):
        return await wholly(house, store)


def refuse_no_token(token: str) -> None:
    """Refuse what can be no token, before Sentry is asked with it.

    Raises:
        TokenMissing: there is none.
        UsageError: HTTP has no room for what it holds.
    """
    if not token:
        raise TokenMissing("No token was given.", remedy="Pipe it to standard input, or set SENTRY_AUTH_TOKEN.")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError("The token holds characters that no token has.", remedy="Give the token alone, on one line.")


@audited("accounts delete")
def delete(house: House, name: str) -> tuple[Account, list[DataSet]]:
    """Forget an account and its token; the DataSets that used it keep their tables and wait for another account.

    Returns:
        The account, and those DataSets.

    Raises:
        UnknownName: there is no such account.
    """
    account = house.store.accounts.find(name)
    users = used_by(house, account)
    house.store.accounts.delete(account.id)
    for dataset in house.store.datasets.of_account(account.id):
        queue.drop_scheduled(house, dataset.id, f"The account {account.name!r} was deleted.")
    return account, users


def used_by(house: House, account: Account) -> list[DataSet]:
    """The DataSets that use the account, among those that whoever asks may see."""
    return with_users(house, [account])[0][1]


def with_users(house: House, accounts: Sequence[Account]) -> list[tuple[Account, list[DataSet]]]:
    """Accounts, each with what `used_by` says; the DataSets are looked at once, however many accounts there are."""
    users: dict[str, list[DataSet]] = {account.id: [] for account in accounts}
    for dataset in house.store.datasets.list():
        if dataset.account_id in users:
            users[dataset.account_id].append(dataset)
    return [(account, users[account.id]) for account in accounts]


def scopes_beyond_reading(scopes: tuple[str, ...] | None) -> list[str]:
    """Scopes of a token that the connector never needs, since it only reads."""
    return sorted(scope for scope in scopes or () if scope not in READ_SCOPES and not scope.endswith(":read"))


OLD = dt.timedelta(days=365)
"""A token that is in use for longer is to be replaced: whoever has found it may use it still."""


def with_old_tokens(house: House) -> list[Account]:
    """The accounts whose tokens have been in use for more than a year."""
    before = house.now() - OLD
    return [one for one in house.store.accounts.list() if one.token_since is not None and one.token_since < before]


def refuse_strange_server(house: House, account: Account, url: str) -> None:
    """Filled tables keep their server: on another one the same ids, and the watermarks built on them, mean something else.

    So do those that a run which has begun may fill, and those of deleted DataSets, which can be restored.

    Raises:
        UsageError: the URL is of another server than the rows of the account's DataSets come from.
    """
    if server(url) == server(account.url):
        return
    filling = {run.dataset_id for run in house.store.runs.unfinished() if run.epoch is not None}
    filled = [
        f"{one.name} (deleted)" if one.deleted_at else one.name
        for one in house.store.datasets.of_account(account.id)
        if one.id in filling or house.table(one).exists()
    ]
    if filled:
        raise UsageError(
            f"The rows of {', '.join(filled)} come from {account.url}; {url} is another server.",
            remedy=f"Make another account, `sentry-connector accounts add NAME --url {url}`, and new DataSets with it.",
        )


def _sealing(house: House) -> AbstractAsyncContextManager[object]:
    """While no other process changes the key: a token that is sealed with a key which is being left would be lost."""
    from sentry_connector.operations.vault import sealing  # noqa: PLC0415  # loads the store, which a pull does without

    return sealing(house)


def _refuse_taken(house: House, wanted: Account) -> None:
    """A name that is taken is refused before Sentry is asked; the store refuses it once more, in one step with storing."""
    others = [one for one in house.store.accounts.list() if one.id != wanted.id]
    if any(one.name.casefold() == wanted.name.casefold() for one in others):
        raise UsageError(
            f"There is an account named {wanted.name!r} already.", remedy="Choose another name, or replace its token."
        )
