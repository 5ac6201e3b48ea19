"""The store: one database and the records in it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from sentry_connector.store.accounts import Accounts
from sentry_connector.store.audit import Audit
from sentry_connector.store.database import Database
from sentry_connector.store.datasets import DataSets
from sentry_connector.store.destinations import Destinations
from sentry_connector.store.factors import Factors
from sentry_connector.store.facts import Facts
from sentry_connector.store.grants import Grants
from sentry_connector.store.leases import Leases
from sentry_connector.store.log_lines import LogLines
from sentry_connector.store.migrate import check, migrate
from sentry_connector.store.notices import Notices
from sentry_connector.store.origins import Origins
from sentry_connector.store.people import People
from sentry_connector.store.queries import SavedQueries
from sentry_connector.store.request_keys import RequestKeys
from sentry_connector.store.rights import Person
from sentry_connector.store.runs import Runs
from sentry_connector.store.sealed import Sealed
from sentry_connector.store.sizes import Sizes
from sentry_connector.store.slots import Slots
from sentry_connector.store.thinning import Thinning


class Store:
    """An open store. Safe to use from several threads; several processes may have it open."""

    def __init__(self, url: str, *, own_time: bool = True) -> None:
        """Open the store at an SQLAlchemy URL; make it, or bring it up to date, where needed.

        Args:
            url: of SQLAlchemy.
            own_time: as `Database` has it.

        Raises:
            StoreUnusable: the database is damaged, cannot be reached, or is newer than this program.
            Locked: another process has been writing to it for 30 seconds.
        """
        self._database = Database(url, own_time=own_time)
        try:
            migrate(self._database)
        except BaseException:
            self.close()
            raise
        self.fill()

    def fill(self) -> None:
        """Make the repositories."""
        self.accounts = Accounts(self._database)
        self.datasets = DataSets(self._database)
        self.destinations = Destinations(self._database)
        self.runs = Runs(self._database)
        self.slots = Slots(self._database)
        self.notices = Notices(self._database)
        self.queries = SavedQueries(self._database)
        self.request_keys = RequestKeys(self._database)
        self.sealed = Sealed(self._database)
        self.thinning = Thinning(self._database)
        self.leases = Leases(self._database)
        self.facts = Facts(self._database)
        self.sizes = Sizes(self._database)
        self.log_lines = LogLines(self._database)
        self.people = People(self._database)
        self.factors = Factors(self._database)
        self.grants = Grants(self._database)
        self.origins = Origins(self._database)
        self.audit = Audit(self._database)

    def seen_by(self, person: Callable[[], Person]) -> Store:
        """The store as one person sees it.

        Args:
            person: who asks, as they are whenever something is asked; raises SignInNeeded once they are signed out.
        """
        from sentry_connector.store.seen import SeenStore  # noqa: PLC0415  # which is a store itself

        return SeenStore(self._database, person)

    def check(self) -> None:
        """See to it that the store can be read, is where it was, and is what this program made of it.

        Raises:
            Locked, StoreUnusable: it cannot, or is not.
        """
        self._database.check()
        check(self._database)

    def copy(self, target: Path) -> None:
        """Write the store as it is now into a new file, where it is SQLite's; as `Database.copy`."""
        self._database.copy(target)

    def present(self, now: dt.datetime) -> dt.datetime:
        """The time that all go by who share the store: its own, where it has one, else `now`."""
        with self._database.reading() as connection:
            return self._database.present(connection, now)

    def close(self) -> None:
        """Close the connections."""
        self._database.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
