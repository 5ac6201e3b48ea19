"""The composition root: the only place that chooses real parts.

Each part is made, and its library loaded, when it is first needed: a pull to a file needs neither the store nor the tables, and
starts sooner and stays smaller without them.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import getpass
import os
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import urlsplit

from sentry_connector.errors import TokenMissing, UsageError, VaultUnusable
from sentry_connector.runs.house import Actor, House
from sentry_connector.sentry.address import Origin, Reach, origin
from sentry_connector.sentry.budget import Budgets, Observer
from sentry_connector.sentry.client import Connection, SentryClient
from sentry_connector.sentry.lane import Turn
from sentry_connector.sentry.server_clock import Clock, SystemClock
from sentry_connector.settings import Settings, from_environment
from sentry_connector.store.private_files import private_directory
from sentry_connector.tracing import Quiet, Tracer

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

    from sentry_connector.destinations.delta import DeltaDestination
    from sentry_connector.destinations.model import Table
    from sentry_connector.destinations.sql_model import Database as SqlDatabase
    from sentry_connector.notices.channels import Address
    from sentry_connector.notices.message import Message
    from sentry_connector.queries.pool import Queries
    from sentry_connector.store.database import Database
    from sentry_connector.store.records import Account, DataSet, Destination
    from sentry_connector.store.store import Store
    from sentry_connector.store.turns import Line
    from sentry_connector.store.vault import Vault


Value = TypeVar("Value")


class App(House):
    """The connector as it runs on this machine."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock: Clock = SystemClock()
        self.rng: random.Random = random.SystemRandom()
        self.actor: Actor | None = None
        self._opening = threading.Lock()
        self._turns: Database | None = None
        self._databases: dict[tuple[str, str], SqlDatabase] = {}

    def now(self) -> dt.datetime:
        """The present, UTC."""
        return dt.datetime.now(dt.UTC)

    def shared_now(self) -> dt.datetime:
        """The present by the clock of all who share the store: PostgreSQL's, or this machine's."""
        return self.store.present(self.now()) if self.settings.is_shared else self.now()

    async def aside(self, work: Callable[[], Value]) -> Value:
        """Do blocking work in a thread."""
        return await asyncio.to_thread(work)

    @cached_property
    def tracer(self) -> Tracer:
        """Whoever hears of spans: nobody, where no collector is named."""
        url = self.settings.traces_url
        if url is None:
            return Quiet()
        try:
            from sentry_connector.telemetry import Telemetry
        except ModuleNotFoundError:
            raise UsageError(
                "A collector of traces is named, and OpenTelemetry is not installed.",
                remedy="pip install 'sentry-connector[telemetry]', or unset OTEL_EXPORTER_OTLP_ENDPOINT"
                " and OTEL_EXPORTER_OTLP_TRACES_ENDPOINT.",
            ) from None
        return Telemetry(url, self._spans_are_lost)

    def _spans_are_lost(self, said: str) -> None:
        """Keep what OpenTelemetry says of it; its collector's address may hold a key."""
        from sentry_connector.redact import Redactor
        from sentry_connector.runs.log import process_log

        place = urlsplit(self.settings.traces_url or "")
        redactor = Redactor(filter(None, [place.password, place.path, place.query]))
        with contextlib.suppress(OSError), process_log(self.logs, "traces", redactor) as log:
            log.warning("spans are lost", said=said)

    @cached_property
    def store(self) -> Store:
        """The connector's own database, made or brought up to date when it is first opened."""
        from sentry_connector.store.store import Store

        private_directory(self.settings.home)
        return Store(self.settings.database_url)

    def close(self) -> None:
        """Leave what is shared to other processes, and close the store, where it was opened."""
        if "tracer" in self.__dict__:
            self.tracer.close()
        if "queries" in self.__dict__:
            self.queries.close()
        if "budgets" in self.__dict__:
            self.budgets.close()
        if self._turns is not None:
            self._turns.engine.dispose()
        if "store" in self.__dict__:  # a cached property that was used
            self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def vault(self) -> Vault:
        """Seals and opens tokens, with the key of now; it is made when the first secret is stored."""
        from sentry_connector.store.keys import load_keys
        from sentry_connector.store.vault import Vault

        private_directory(self.settings.home)
        vault = Vault(*load_keys(self.settings, backend=self.keyring, make=self.store.sealed.is_empty()))
        if self.settings.is_shared:
            from sentry_connector.store.sharing import agree_about_key

            agree_about_key(self.store.facts, vault)
        return vault

    @property
    def keyring(self) -> KeyringBackend | None:
        """The system's keyring, where it is one that works without a person."""
        from sentry_connector.store.keys import system_keyring

        return system_keyring()

    @cached_property
    def destination(self) -> DeltaDestination:
        """The Delta tables; where several machines share the store, those that the others have too."""
        from sentry_connector.destinations.delta import DeltaDestination
        from sentry_connector.store.sharing import agree_about_storage, insist_on_storage, rely_on_storage

        settings, place = self.settings, self.settings.storage_place
        made = DeltaDestination(
            settings.storage,
            storage_options=settings.storage_options,
            ready=lambda: rely_on_storage(self.store.facts, settings.storage, settings.storage_options, place),
        )
        if not settings.is_shared:
            return made
        known = agree_about_storage(self.store.facts, place, lambda: f"{self.rng.getrandbits(128):032x}")
        return replace(made, look=lambda: insist_on_storage(place, known))

    def table(self, dataset: DataSet) -> Table:
        """The table of a DataSet: a Delta table, or one of a database."""
        from sentry_connector.store.records import DELTA

        if dataset.destination == DELTA:
            return self.destination.table(dataset.id)
        from sentry_connector.destinations.sql import SqlDestination

        place = self.database(self.store.destinations.find(dataset.destination))
        files = self.destination
        sql = SqlDestination(
            database=place,
            staging=files.root,
            staging_options=files.storage_options,
            ready=files.ready,
            clock=self.clock.time,
        )
        return sql.table(dataset.id, dataset.slug)

    def database(self, destination: Destination, password: str | None = None) -> SqlDatabase:
        """The database of a destination; its stored password is opened when somebody connects, an empty one is none."""
        from sentry_connector.destinations.sql_addresses import database

        if password is not None:
            return database(destination.url, lambda: password or None)
        key = (destination.id, destination.url)
        with self._opening:
            if key not in self._databases:
                self._databases[key] = database(destination.url, lambda: self._password(*key))
            return self._databases[key]

    def _password(self, id_: str, url: str) -> str | None:
        from sentry_connector.store.sealed import destination_owner

        sealed = self.store.destinations.sealed_password(id_)
        return None if sealed is None else self.vault.open(sealed, destination_owner(id_, url), None)

    @cached_property
    def budgets(self) -> Budgets:
        """How fast each Sentry may be asked; all clients of this process share them, and take turns with other processes."""
        return Budgets(self.clock, concurrency=self.settings.concurrency, turn=self._turn)

    def _turn(self, place: Origin, identity: str, family: str) -> Turn:
        from sentry_connector.store.turns import LeasedTurn, lease_name

        name = lease_name(place, identity, family)
        return LeasedTurn(lambda: self._line(name), clock=self.clock, aside=self.aside)

    def _line(self, name: str) -> Line | None:
        """Those who take turns; None where there is no store: asking Sentry makes none."""
        from sentry_connector.store.turns import WAIT_FOR_LOCK, Line

        if not _is_there(self.settings.database_url):
            return None
        from sentry_connector.store.database import Database
        from sentry_connector.store.leases import Leases
        from sentry_connector.store.processes import this_process

        with self._opening:  # several threads may be the first
            self._turns = self._turns or Database(self.settings.database_url, wait=WAIT_FOR_LOCK)
        return Line(Leases(self._turns), name, this_process())

    @cached_property
    def queries(self) -> Queries:
        """The processes that run SQL; none is started before there is a statement."""
        from sentry_connector.queries.pool import Limits, Queries

        settings = self.settings
        storage = urlsplit(settings.storage)
        folders = (Path(storage.path),) if storage.scheme in ("", "file") else ()
        for folder in folders:
            private_directory(folder)  # a process can be let into what is there when it starts
        limits = Limits(seconds=settings.query_seconds, memory_mib=settings.query_mib, folders=folders)
        return Queries(limits, self.clock.monotonic)

    @property
    def logs(self) -> Path:
        """The folder of the runs' logs."""
        return self.settings.home / "logs"

    def connection(self, account: Account | None) -> Connection:
        """How to reach Sentry with a stored account, or with the environment's token."""
        if account is None:
            if self.settings.auth_token is None:
                raise TokenMissing("No account is named, and SENTRY_AUTH_TOKEN is not set.")
            return self._asking(self.settings.url, self.settings.auth_token)  # which no person of several has set
        try:
            token = self._token(account)
        except VaultUnusable:
            # The key may have been changed between the look at the token and that at the key.
            token = self._token(account)
        return replace(self.with_token(account.url, token), identity=account.identity)

    def _token(self, account: Account) -> str:
        sealed = self.store.accounts.sealed_token(account.id)
        if sealed is None:
            raise TokenMissing(f"The account {account.name!r} has no token.")
        return self.vault.open(sealed, account.id, account.url)

    def with_token(self, url: str, token: str) -> Connection:
        """How to reach Sentry with a token that is not stored."""
        return replace(self._asking(url, token), reach=self.reach())

    def _asking(self, url: str, token: str) -> Connection:
        settings = self.settings
        return Connection(
            url=url,
            token=token,
            ca_file=str(settings.ca_file) if settings.ca_file else None,
            proxy=settings.proxy,
            max_answer_bytes=settings.max_answer_mib * 2**20,
            max_wait=settings.max_wait,
        )

    def reach(self) -> Reach | None:
        """What of private networks may be asked: all, while one person has the machine to themselves; else what was allowed."""
        if not _is_there(self.settings.database_url) or not self.store.people.exist():
            return None
        ours = filter(None, (self.settings.url, self.settings.oidc_issuer))  # which no person of several has set
        allowed = map(origin, (*ours, *self.store.origins.list()))
        return frozenset((host, port) for _, host, port in allowed)

    async def send(self, address: Address, message: Message) -> None:
        """Hand a message to the service at an address."""
        from sentry_connector.notices.channels import send

        await send(address, message, self.clock.time(), self.aside, reach=await self.aside(self.reach))

    def client(self, connection: Connection, observer: Observer | None = None) -> SentryClient:
        """A client for that connection, to be entered with `async with`."""
        return SentryClient(
            connection,
            clock=self.clock,
            rng=self.rng,
            observer=observer,
            budgets=self.budgets,
            tracer=self.tracer,
        )


def _is_there(database_url: str) -> bool:
    """Whether there may be a database: only SQLite's file shows it without being opened."""
    kind, _, path = database_url.partition(":///")
    return not kind.startswith("sqlite") or Path(path.partition("?")[0]).exists()


def app(env: Mapping[str, str] | None = None) -> App:
    """The connector with the settings of the environment.

    Raises:
        UsageError: a setting is wrong; the error names its variable.
    """
    made = App(from_environment(os.environ if env is None else env))
    made.actor = Actor(_machine_user(), "command line")
    return made


def _machine_user() -> str:
    """The name of the machine's user, or their number where they have none, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "unknown user"
