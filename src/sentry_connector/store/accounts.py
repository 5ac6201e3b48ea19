"""Accounts in the store. Sealed tokens go through here as they are; only the vault opens them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select, update

from sentry_connector.store.database import Database
from sentry_connector.store.notices import add_notices
from sentry_connector.store.records import Account, Notice
from sentry_connector.store.rows import find_named, fold, read_record, refuse_taken, select_records
from sentry_connector.store.tables import accounts


class Accounts:
    """The accounts of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, account: Account, sealed_token: str) -> None:
        """Store a new account with its sealed token.

        Raises:
            UsageError: there is an account of that name.
        """
        with self._database.writing() as connection:
            refuse_taken(connection, accounts, "an account", account.name, but=account.id)
            connection.execute(insert(accounts).values(**_values(account), sealed_token=sealed_token))

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

    def find(self, name: str) -> Account:
        """The account of that name, compared without case.

        Raises:
            UnknownName: there is none; the nearest names are given.
        """
        return find_named("account", name, self.list())

    def save(self, account: Account) -> None:
        """Store the account's new state. Its token stays.

        Raises:
            UsageError: another account has that name.
        """
        with self._database.writing() as connection:
            refuse_taken(connection, accounts, "an account", account.name, but=account.id)
            connection.execute(update(accounts).where(accounts.c.id == account.id).values(**_values(account)))

    def save_check(self, account: Account, news: Iterable[Notice] = ()) -> None:
        """Store what a check of the token found, with the notices about it, unless somebody has changed the account since."""
        found = {name: getattr(account, name) for name in ("status", "checked_at", "message", "scopes", "identity")}
        unchanged = (accounts.c.id == account.id, accounts.c.updated_at == account.updated_at)
        with self._database.writing() as connection:
            if connection.execute(update(accounts).where(*unchanged).values(**found)).rowcount == 1:
                add_notices(connection, news)

    def replace_token(self, account: Account, sealed_token: str, news: Iterable[Notice] = ()) -> None:
        """Store another sealed token with the account's new state (hint, URL, status) and the notices about it, in one step."""
        with self._database.writing() as connection:
            changed = {**_values(account), "sealed_token": sealed_token}
            connection.execute(update(accounts).where(accounts.c.id == account.id).values(**changed))
            add_notices(connection, news)

    def sealed_token(self, id: str) -> str | None:  # noqa: A002  # the field's name
        """The sealed token of the account with that id; None where there is no such account."""
        with self._database.reading() as connection:
            return connection.scalar(select(accounts.c.sealed_token).where(accounts.c.id == id))

    def delete(self, id: str) -> None:  # noqa: A002  # the field's name
        """Delete an account with its sealed token. DataSets that used it stay, and name an account that is no more."""
        with self._database.writing() as connection:
            connection.execute(delete(accounts).where(accounts.c.id == id))


def _values(account: Account) -> dict[str, Any]:
    return {**msgspec.structs.asdict(account), "name_fold": fold(account.name)}
