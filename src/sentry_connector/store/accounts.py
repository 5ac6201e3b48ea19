"""Accounts in the store. Sealed tokens go through here as they are; only the vault opens them."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from sentry_connector.errors import UnknownName, UsageError
from sentry_connector.store.database import Database
from sentry_connector.store.grants import add_owner, forget_grants
from sentry_connector.store.notices import add_notices
from sentry_connector.store.records import Account, Notice
from sentry_connector.store.rights import Thing
from sentry_connector.store.rows import (
    columns_of,
    find_named,
    fold,
    read_record,
    read_some,
    refuse_taken,
    select_records,
)
from sentry_connector.store.tables import accounts

FOUND = ("status", "checked_at", "message", "scopes", "identity")
"""The fields of an account that a check of its token fills."""


class Accounts:
    """The accounts of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, account: Account, sealed_token: str, *, numbered: bool = False, owner: str | None = None) -> Account:
        """Store a new account with its sealed token, and answer it. One that has its id stays as it is.

        Args:
            account: the account.
            sealed_token: its token.
            numbered: where its name is taken it gets a number: no account ever comes in another's place.
            owner: id of the person whose it is.

        Raises:
            UsageError: there is an account of that name.
        """
        with self._database.writing() as connection:
            known = connection.execute(select_records(accounts, Account).where(accounts.c.id == account.id)).mappings()
            if (row := known.first()) is not None:
                return read_record(Account, row)
            if numbered:
                account = msgspec.structs.replace(account, name=_free_name(connection, account.name))
            refuse_taken(connection, accounts, "an account", account.name, but=account.id)
            connection.execute(insert(accounts).values(**_values(account), sealed_token=sealed_token))
            add_owner(connection, owner, Thing.ACCOUNT, account.id, account.created_at)
        return account

    def list(self) -> Sequence[Account]:
        """All accounts, by name."""
        with self._database.reading() as connection:
            rows = connection.execute(select_records(accounts, Account).order_by(accounts.c.name_fold)).mappings().all()
        return [read_record(Account, row) for row in rows]

    def get(self, id: str) -> Account | None:  # noqa: A002  # the field's name
        """The account with that id, or None."""
        with self._database.reading() as connection:
            row = connection.execute(select_records(accounts, Account).where(accounts.c.id == id)).mappings().first()
        return None if row is None else read_record(Account, row)

    def some(self, ids: Collection[str]) -> dict[str, Account]:
        """Id → the account, of those with these ids."""
        with self._database.reading() as connection:
            return read_some(connection, accounts, Account, ids)

    def find(self, name: str) -> Account:
        """The account of that name, compared without case, or of that id.

        Raises:
            UnknownName: there is none; the nearest names are given.
        """
        return find_named("account", name, self.list())

    def rename(self, account: Account, name: str, now: dt.datetime) -> Account:
        """Give the account another name, and answer it as it is then; whatever else was changed meanwhile stays.

        Raises:
            UsageError: another account has that name.
            UnknownName: the account was deleted meanwhile.
        """
        with self._database.writing() as connection:
            refuse_taken(connection, accounts, "an account", name, but=account.id)
            changes = {"name": name, "name_fold": fold(name), "updated_at": now}
            renamed = _changed(connection, changes, accounts.c.id == account.id)
        if renamed is None:
            raise UnknownName("account", account.name)
        return renamed

    def save_check(self, account: Account, news: Iterable[Notice] = ()) -> None:
        """Store what a check of the token found, with the notices about it, unless the account has another token by now."""
        with self._database.writing() as connection:
            if _changed(connection, _facts(account, FOUND), *_same_token(account)) is not None:
                add_notices(connection, news)

    def replace_token(self, before: Account, after: Account, sealed_token: str, news: Iterable[Notice] = ()) -> Account:
        """Store another sealed token, all that goes with it, and the notices about it in one step.

        Args:
            before: the account as it was read.
            after: its URL, the new token's hint, and what a check of that found.
            sealed_token: the token.
            news: the notices.

        Returns:
            The account as it is then; a name that it was given meanwhile stays.

        Raises:
            UsageError: it was deleted, or given another token, meanwhile.
        """
        changes = _facts(after, ("url", "token_hint", "token_since", *FOUND, "updated_at"))
        with self._database.writing() as connection:
            replaced = _changed(connection, {**changes, "sealed_token": sealed_token}, *_same_token(before))
            if replaced is None:
                raise UsageError(
                    f"The account {before.name!r} was deleted, or given another token, meanwhile.",
                    remedy="`sentry-connector accounts list` shows how it is; repeat the command if it is still wanted.",
                )
            add_notices(connection, news)
        return replaced

    def sealed_token(self, id: str) -> str | None:  # noqa: A002  # the field's name
        """The sealed token of the account with that id; None where there is no such account."""
        with self._database.reading() as connection:
            return connection.scalar(select(accounts.c.sealed_token).where(accounts.c.id == id))

    def delete(self, id: str) -> None:  # noqa: A002  # the field's name
        """Delete an account with its sealed token. DataSets that used it stay, and name an account that is no more."""
        with self._database.writing() as connection:
            connection.execute(delete(accounts).where(accounts.c.id == id))
            forget_grants(connection, Thing.ACCOUNT, id)


def _free_name(connection: Connection, name: str) -> str:
    taken = set(connection.scalars(select(accounts.c.name_fold)))
    names = itertools.chain([name], (f"{name} {number}" for number in itertools.count(2)))
    return next(one for one in names if fold(one) not in taken)


def _changed(connection: Connection, changes: Mapping[str, Any], *which: ColumnElement[bool]) -> Account | None:
    """Change the columns of an account, and answer it as it is then; None where there is no such account."""
    change = update(accounts).where(*which).values(**changes).returning(*columns_of(accounts, Account))
    row = connection.execute(change).mappings().first()
    return None if row is None else read_record(Account, row)


def _same_token(account: Account) -> tuple[ColumnElement[bool], ...]:
    """That the account is there, with the token that it had when it was read."""
    return accounts.c.id == account.id, accounts.c.token_since == account.token_since


def _facts(account: Account, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(account, name) for name in names}


def _values(account: Account) -> dict[str, Any]:
    return {**msgspec.structs.asdict(account), "name_fold": fold(account.name)}
