"""Stored Sentry tokens."""

from __future__ import annotations

from collections.abc import Sequence

from sentry_connector.library.house import Open
from sentry_connector.operations import accounts as operations
from sentry_connector.store.records import Account


class Accounts:
    """The accounts of an open connector; names are compared without case. A token is never answered."""

    def __init__(self, open_: Open) -> None:
        self._open = open_

    def add(self, name: str | None = None, *, token: str, url: str | None = None) -> Account:
        """Store a token under a name, once Sentry takes it.

        Args:
            name: what to call the account; None = `Sentry Account`.
            token: an API token that may read.
            url: Sentry's address; None = SENTRY_URL, or sentry.io.

        Raises:
            UsageError: the name is taken, or the URL is none.
            TokenRejected, ConnectionFailed: Sentry could not be asked with it; nothing is stored.
        """
        house = self._open.house
        return self._open.wait(lambda: operations.add(house, name, url or house.settings.url, token))

    def list(self) -> Sequence[Account]:
        """All accounts, by name."""
        return operations.everything(self._open.house)

    def get(self, name: str) -> Account:
        """The account of that name.

        Raises:
            UnknownName: there is none.
        """
        return operations.find(self._open.house, name)

    def check(self, name: str) -> Account:
        """Ask Sentry about the account's token, and keep what it says.

        Raises:
            UnknownName: there is no such account.
            CredentialError, ConnectionFailed: Sentry does not take it, or could not be asked.
        """
        return self._open.wait(lambda: operations.check(self._open.house, name))

    def rename(self, name: str, new_name: str) -> Account:
        """Give an account another name; its DataSets keep it."""
        return operations.rename(self._open.house, name, new_name)

    def replace_token(self, name: str, *, token: str, url: str | None = None) -> Account:
        """Give an account another token, once Sentry takes it, and another address where one is given."""
        return self._open.wait(lambda: operations.replace_token(self._open.house, name, token, url))

    def delete(self, name: str) -> Account:
        """Forget an account and its token; DataSets that use it stay and wait for another."""
        return operations.delete(self._open.house, name)[0]
