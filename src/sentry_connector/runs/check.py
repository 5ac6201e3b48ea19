"""Whether an account's token is good: asked when it is stored, when somebody wants to know, and by the engine every day."""

from __future__ import annotations

import asyncio
import datetime as dt

import msgspec

from sentry_connector.errors import CredentialError, NotFound, ScopeMissing
from sentry_connector.runs import news
from sentry_connector.runs.house import House, wholly
from sentry_connector.sentry.client import Connection
from sentry_connector.sentry.directory import Directory, Identity
from sentry_connector.store.records import Account, AccountStatus

EVERY = dt.timedelta(days=1)
"""Between two checks of a token that was good."""

SOON = dt.timedelta(hours=1)
"""Between two checks of one that was not: Sentry, or whoever looks after it, may have changed its mind."""

AT_ONCE = 8
"""Accounts that are asked about at one time: a host that does not answer keeps no others waiting."""


async def identify(house: House, connection: Connection) -> Identity:
    """What Sentry says about the token.

    Raises:
        TokenRejected: Sentry does not know it.
        ConnectionFailed, NotSentry: there is no Sentry to ask.
    """
    async with house.client(connection) as client:
        directory = Directory(client)
        identity = await directory.who_am_i()
        # The root of the API answers anybody; only a list shows whether the token is known. A refusal for want of a scope
        # shows that it is.
        for probe in (directory.organizations, directory.projects_seen):
            try:
                await probe()
            except (ScopeMissing, NotFound):
                continue
            break
        return identity


async def check(house: House, account: Account) -> None:
    """Ask Sentry about a stored account, and keep what it says, unless it has another token by then.

    Raises:
        CredentialError: Sentry does not take the token; the account is invalid from now on.
        ConnectionFailed, NotSentry: there is no Sentry to ask; the account stays as it was.
    """
    try:
        identity = await identify(house, await house.aside(lambda: house.connection(account)))
    except CredentialError as error:
        message = error.message
        await wholly(house, lambda: refused(house, account, message))
        raise
    checked = found(account, identity, house)
    await wholly(house, lambda: house.store.accounts.save_check(checked, news.of_account(house, checked)))


async def check_due(house: House) -> list[tuple[Account, Exception]]:
    """Check all accounts for which it is time, and answer those of which that did not find a good token, with the reason."""
    room = asyncio.Semaphore(AT_ONCE)

    async def in_turn(account: Account) -> None:
        async with room:
            await check(house, account)

    accounts = await house.aside(lambda: house.store.accounts.list())  # noqa: PLW0108  # the store is opened aside too
    due = [account for account in accounts if is_due(account, house.now())]
    ends = await asyncio.gather(*map(in_turn, due), return_exceptions=True)
    return [(account, end) for account, end in zip(due, ends, strict=True) if isinstance(end, Exception)]


def refused(house: House, account: Account, message: str) -> None:
    """Keep that Sentry does not take the token which the account had when it was read, and what it says."""
    invalid = {"status": AccountStatus.INVALID, "checked_at": house.now(), "message": message}
    account = msgspec.structs.replace(account, **invalid)
    house.store.accounts.save_check(account, news.of_account(house, account))


def found(account: Account, identity: Identity, house: House) -> Account:
    """The account as Sentry knows it."""
    return msgspec.structs.replace(
        account,
        status=AccountStatus.VALID,
        checked_at=house.now(),
        message=None,
        scopes=identity.scopes,
        identity=identity.user_id,
    )


def is_due(account: Account, now: dt.datetime) -> bool:
    """Whether it is time to ask again."""
    every = SOON if account.status is AccountStatus.INVALID else EVERY
    return account.checked_at is None or not now - every < account.checked_at <= now
