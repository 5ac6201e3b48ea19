"""The real parts that a run is made of. `app.py` chooses them; everything below takes them as they come."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:  # only named here, and some of them load large libraries
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
    from sentry_connector.store.store import Store
    from sentry_connector.store.vault import Vault
    from sentry_connector.tracing import Tracer


Value = TypeVar("Value")


class Actor(NamedTuple):
    """Who does something, for the audit log.

    Attributes:
        name: a person's, or that of the machine's user.
        via: `command line`, `Python`, `session`, `API key NAME`.
    """

    name: str
    via: str


class House(Protocol):
    """What the use cases stand on."""

    settings: Settings
    clock: Clock
    rng: random.Random
    actor: Actor | None
    """Whose changes go to the audit log; None where nobody changes anything, as in the engine's own work."""

    def now(self) -> dt.datetime:
        """The present, UTC."""

    def shared_now(self) -> dt.datetime:
        """The present by the clock of all who share the store, which slots go by; it may ask the store.

        Raises:
            Locked, StoreUnusable: the store cannot be asked.
        """

    async def aside(self, work: Callable[[], Value]) -> Value:
        """Do blocking work while others go on."""

    @property
    def tracer(self) -> Tracer:
        """Whoever hears of spans.

        Raises:
            UsageError: somebody is to, and OpenTelemetry is not installed.
        """

    @property
    def store(self) -> Store:
        """The connector's own database."""

    @property
    def vault(self) -> Vault:
        """Seals and opens the accounts' tokens.

        Raises:
            VaultUnusable: there is no key, or not a good one.
        """

    @property
    def keyring(self) -> KeyringBackend | None:
        """The system's keyring, where it is one that works without a person; else None."""

    @property
    def destination(self) -> DeltaDestination:
        """Where the Delta tables are, and where rows are staged for all tables."""

    def table(self, dataset: DataSet) -> Table:
        """The table of a DataSet, in its destination, whether or not anything was committed to it.

        Raises:
            UnknownName: the destination is not known (any more).
            UsageError: its driver is not installed.
        """

    def database(self, destination: Destination, password: str | None = None) -> Database:
        """The database of a destination.

        Args:
            destination: which.
            password: stands for the stored one where it is tried before it is stored; empty = none.
        """

    @property
    def queries(self) -> Queries:
        """Runs SQL that somebody has written, in processes of its own."""

    @property
    def logs(self) -> Path:
        """The folder of the runs' logs."""

    def connection(self, account: Account | None) -> Connection:
        """How to reach Sentry with a stored account, or with the environment's token.

        Raises:
            TokenMissing: no account is named and the environment has no token.
            VaultUnusable: the account's token cannot be opened.
        """

    def with_token(self, url: str, token: str) -> Connection:
        """How to reach Sentry with a token that is not stored."""

    def reach(self) -> Reach | None:
        """What of private networks may be asked; None = all, while one person has the machine to themselves."""

    async def send(self, address: Address, message: Message) -> None:
        """Hand a message to the service at an address.

        Raises:
            NoticeRefused: the service does not want this one.
            NotDelivered: the service did not take it.
        """

    def client(self, connection: Connection, observer: Observer | None = None) -> SentryClient:
        """A client for that connection, to be entered with `async with`."""


async def wholly(house: House, work: Callable[[], Value]) -> Value:
    """As `house.aside`; a task that is cancelled meanwhile waits for the end of the work.

    No thread can be stopped, and what it stores must not come after what is stored next.
    """
    thread = asyncio.ensure_future(house.aside(work))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        await asyncio.wait([thread])
        thread.exception()  # it was looked at: whoever is cancelled tells of nothing else
        raise
