"""The house as one person of several sees it: what was not shared with them is not there, and their changes bear their name."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sentry_connector.errors import NotAllowed
from sentry_connector.runs.house import Actor, House
from sentry_connector.store.rights import Person, Role
from sentry_connector.store.store import Store

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

    from sentry_connector.destinations.delta import DeltaDestination
    from sentry_connector.destinations.model import Table
    from sentry_connector.destinations.sql_model import Database
    from sentry_connector.notices.channels import Address
    from sentry_connector.notices.message import Message
    from sentry_connector.queries.pool import Queries
    from sentry_connector.sentry.address import Reach
    from sentry_connector.sentry.budget import Observer
    from sentry_connector.sentry.client import Connection, SentryClient
    from sentry_connector.sentry.server_clock import Clock
    from sentry_connector.settings import Settings
    from sentry_connector.store.records import Account, DataSet, Destination
    from sentry_connector.store.vault import Vault
    from sentry_connector.tracing import Tracer

Value = TypeVar("Value")


class Passing(House):
    """Another house; what it does is done there."""

    def __init__(self, house: House) -> None:
        self._house = house

    @property
    def inner(self) -> House:
        """Where it is done."""
        return self._house

    @property
    def settings(self) -> Settings:  # type: ignore[override]  # a protocol's attributes may be set, and nobody sets these
        return self.inner.settings

    @property
    def clock(self) -> Clock:  # type: ignore[override]
        return self.inner.clock

    @property
    def rng(self) -> random.Random:  # type: ignore[override]
        return self.inner.rng

    @property
    def actor(self) -> Actor | None:  # type: ignore[override]
        return self.inner.actor

    def now(self) -> dt.datetime:
        return self.inner.now()

    def shared_now(self) -> dt.datetime:
        return self.inner.shared_now()

    async def aside(self, work: Callable[[], Value]) -> Value:
        return await self.inner.aside(work)

    @property
    def tracer(self) -> Tracer:
        return self.inner.tracer

    @property
    def store(self) -> Store:
        return self.inner.store

    @property
    def vault(self) -> Vault:
        return self.inner.vault

    @property
    def keyring(self) -> KeyringBackend | None:
        return self.inner.keyring

    @property
    def destination(self) -> DeltaDestination:
        return self.inner.destination

    def table(self, dataset: DataSet) -> Table:
        return self.inner.table(dataset)

    def database(self, destination: Destination, password: str | None = None) -> Database:
        return self.inner.database(destination, password)

    @property
    def queries(self) -> Queries:
        return self.inner.queries

    @property
    def logs(self) -> Path:
        return self.inner.logs

    def connection(self, account: Account | None) -> Connection:
        return self.inner.connection(account)

    def with_token(self, url: str, token: str) -> Connection:
        return self.inner.with_token(url, token)

    def reach(self) -> Reach | None:
        return self.inner.reach()

    async def send(self, address: Address, message: Message) -> None:
        await self.inner.send(address, message)

    def client(self, connection: Connection, observer: Observer | None = None) -> SentryClient:
        return self.inner.client(connection, observer)


class Seen(Passing):
    """The house as one person sees it."""

    def __init__(self, house: House, asks: Person, person: Callable[[], Person]) -> None:
        """Show a house to somebody.

        Args:
            house: the whole one.
            asks: who asks: what they do bears their name, also where it ends their own session.
            person: the same, as they are now; raises SignInNeeded once they are signed out.
        """
        super().__init__(house)
        self.person, self._actor = person, Actor(asks.user.name, asks.via)

    @property
    def actor(self) -> Actor | None:  # type: ignore[override]
        """The person."""
        return self._actor

    @cached_property
    def store(self) -> Store:
        """What the person may see."""
        return self.inner.store.seen_by(self.person)

    def connection(self, account: Account | None) -> Connection:
        """How to reach Sentry with an account; the token of the server's own environment is the admins'."""
        if account is None and not self.person().is_at_least(Role.ADMIN):
            raise NotAllowed("Only admins use the token of the server's own environment; name an account.")
        return super().connection(account)
