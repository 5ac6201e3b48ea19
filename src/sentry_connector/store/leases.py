"""Leases: who works on what, between threads, processes and machines that share a store.

A lease ends by itself when its holder dies. It does not fence a holder that slept past its end and wakes up: the epoch
that travels inside a table's commit does.
"""

from __future__ import annotations

import datetime as dt

import msgspec
from sqlalchemy import ColumnElement, delete, update

from sentry_connector.errors import LeaseLost, Locked
from sentry_connector.store.database import Database
from sentry_connector.store.processes import for_people, is_dead
from sentry_connector.store.records import Lease
from sentry_connector.store.rows import columns_of, insert_once, read_record, select_records
from sentry_connector.store.tables import leases

_LONG_AGO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Leases:
    """The leases of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def acquire(self, name: str, holder: str, now: dt.datetime, ttl: dt.timedelta) -> Lease:
        """Take a lease that nobody holds, or whose time is over, or whose holder is known to be dead.

        Raises:
            Locked: somebody holds it; the error's data name the holder and since when.
        """
        lease = self.try_acquire(name, holder, now, ttl)
        held = self._read(name) if lease is None else None
        if held is not None and is_dead(held.holder):
            self.release(held)
            lease = self.try_acquire(name, holder, now, ttl)
        if lease is None:
            raise self._in_use(name, Locked)
        return lease

    def try_acquire(self, name: str, holder: str, now: dt.datetime, ttl: dt.timedelta) -> Lease | None:
        """As `acquire`; None where somebody holds it."""
        lease = Lease(name=name, holder=holder, acquired_at=now, expires_at=now + ttl, epoch=1)
        takeover = (
            update(leases)
            .where(leases.c.name == name, leases.c.expires_at <= now)
            .values(holder=holder, acquired_at=now, expires_at=lease.expires_at, epoch=leases.c.epoch + 1)
            .returning(*columns_of(leases, Lease))
        )
        with self._database.writing() as connection:
            taken = connection.execute(takeover).mappings().first()
            if taken is not None:
                return read_record(Lease, taken)
            return lease if insert_once(connection, leases, msgspec.structs.asdict(lease)) else None

    def renew(self, lease: Lease, now: dt.datetime, ttl: dt.timedelta) -> Lease:
        """Hold a lease for longer: `ttl` from now.

        Raises:
            LeaseLost: somebody else has taken it over.
        """
        renewed = msgspec.structs.replace(lease, expires_at=now + ttl)
        if not self._set_end(lease, renewed.expires_at):
            raise self._in_use(lease.name, LeaseLost)
        return renewed

    def release(self, lease: Lease, end: dt.datetime = _LONG_AGO) -> None:
        """Give a lease back, to be taken from `end` on; one that somebody else has taken over stays theirs.

        Its epoch is remembered.
        """
        self._set_end(lease, end)

    def holder_of(self, name: str, now: dt.datetime) -> Lease | None:
        """The lease of that name, if somebody holds it."""
        lease = self._read(name)
        return lease if lease is not None and lease.expires_at > now else None

    def living(self, prefix: str, now: dt.datetime) -> list[Lease]:
        """The leases that somebody holds and whose names begin so."""
        query = select_records(leases, Lease).where(_begins(prefix), leases.c.expires_at > now)
        with self._database.reading() as connection:
            return [read_record(Lease, row) for row in connection.execute(query).mappings()]

    def forget(self, prefix: str, before: dt.datetime) -> None:
        """Remove the leases whose names begin so and which ended before; their names must never be used again."""
        with self._database.writing() as connection:
            connection.execute(delete(leases).where(_begins(prefix), leases.c.expires_at < before))

    def _set_end(self, lease: Lease, end: dt.datetime) -> bool:
        """Move the end of this very holding; says whether it still was the latest."""
        mine = (leases.c.name == lease.name, leases.c.holder == lease.holder, leases.c.epoch == lease.epoch)
        with self._database.writing() as connection:
            return connection.execute(update(leases).where(*mine).values(expires_at=end)).rowcount == 1

    def _read(self, name: str) -> Lease | None:
        with self._database.reading() as connection:
            row = connection.execute(select_records(leases, Lease).where(leases.c.name == name)).mappings().first()
        return None if row is None else read_record(Lease, row)

    def _in_use(self, name: str, error: type[Locked]) -> Locked:
        lease = self._read(name)
        if lease is None:
            return error(f"{name} is in use.", lease=name)
        since, holder = lease.acquired_at.isoformat(timespec="seconds"), for_people(lease.holder)
        return error(f"{name} is in use by {holder} since {since}.", lease=name, holder=holder, since=since)


def _begins(prefix: str) -> ColumnElement[bool]:
    return leases.c.name.startswith(prefix, autoescape=True)
