"""Leases: who works on what, between threads, processes and machines that share a store.

A lease ends by itself when its holder dies. It does not fence a holder that slept past its end and wakes up: the epoch
that travels inside a table's commit does.

On PostgreSQL leases go by its clock. What comes in and what is answered is in the time of whoever asks, which may be another one:
its `now` is taken for the database's present, and only how long things last counts.
"""

from __future__ import annotations

import datetime as dt

import msgspec
from sqlalchemy import ColumnElement, bindparam, delete, update

from sentry_connector.errors import LeaseLost, Locked
from sentry_connector.store.database import Database
from sentry_connector.store.processes import for_people, is_dead
from sentry_connector.store.records import Lease
from sentry_connector.store.rows import columns_of, insert_once, read_record, select_records
from sentry_connector.store.tables import UtcTime, leases

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
        with self._database.writing(alone=False) as connection:
            at = self._database.present(connection, now)
            lease = Lease(name=name, holder=holder, acquired_at=at, expires_at=at + ttl, epoch=1)
            takeover = (
                update(leases)
                .where(leases.c.name == name, leases.c.expires_at <= at)
                .values(holder=holder, acquired_at=at, expires_at=lease.expires_at, epoch=leases.c.epoch + 1)
                .returning(*columns_of(leases, Lease))
            )
            taken = connection.execute(takeover).mappings().first()
            if taken is not None:
                lease = read_record(Lease, taken)
            elif not insert_once(connection, leases, msgspec.structs.asdict(lease)):
                return None
        return _moved(lease, now - at)

    def renew(self, lease: Lease, now: dt.datetime, ttl: dt.timedelta) -> Lease:
        """Hold a lease for longer: `ttl` from now.

        Raises:
            LeaseLost: somebody else has taken it over.
        """
        if not self._last(lease, now, ttl):
            raise self._in_use(lease.name, LeaseLost)
        return msgspec.structs.replace(lease, expires_at=now + ttl)

    def release(self, lease: Lease) -> None:
        """Give a lease back; one that somebody else has taken over stays theirs. Its epoch is remembered."""
        with self._database.writing(alone=False) as connection:
            connection.execute(_LAST, {**_this(lease), "end": _LONG_AGO})

    def leave(self, lease: Lease, now: dt.datetime, after: dt.timedelta) -> None:
        """As `release`, to be taken from so long after now on."""
        self._last(lease, now, after)

    def holder_of(self, name: str, now: dt.datetime) -> Lease | None:
        """The lease of that name, if somebody holds it."""
        found = self._living(now, leases.c.name == name)
        return found[0] if found else None

    def living(self, prefix: str, now: dt.datetime) -> list[Lease]:
        """The leases that somebody holds and whose names begin so, the oldest first."""
        return self._living(now, _begins(prefix))

    def forget(self, prefix: str, now: dt.datetime, after: dt.timedelta) -> None:
        """Remove the leases whose names begin so and which ended so long ago; their names must never be used again."""
        with self._database.writing() as connection:
            before = self._database.present(connection, now) - after
            connection.execute(delete(leases).where(_begins(prefix), leases.c.expires_at < before))

    def free_of_the_dead(self, prefix: str, now: dt.datetime) -> list[Lease]:
        """Free the leases whose names begin so and whose holders are known to be dead: else they lapse, which takes longer."""
        found = [lease for lease in self.living(prefix, now) if is_dead(lease.holder)]
        for lease in found:
            self.release(lease)
        return found

    def _living(self, now: dt.datetime, which: ColumnElement[bool]) -> list[Lease]:
        query = select_records(leases, Lease).order_by(leases.c.acquired_at, leases.c.name)
        with self._database.reading() as connection:
            at = self._database.present(connection, now)
            rows = connection.execute(query.where(which, leases.c.expires_at > at)).mappings()
            return [_moved(read_record(Lease, row), now - at) for row in rows]

    def _last(self, lease: Lease, now: dt.datetime, ttl: dt.timedelta) -> bool:
        """Let this very holding last until `ttl` from now; says whether it still was the latest."""
        with self._database.writing(alone=False) as connection:
            end = self._database.present(connection, now) + ttl
            return connection.execute(_LAST, {**_this(lease), "end": end}).rowcount == 1

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


_LAST = (
    update(leases)
    .where(
        leases.c.name == bindparam("this_name"),
        leases.c.holder == bindparam("this_holder"),
        leases.c.epoch == bindparam("this_epoch"),
    )
    .values(expires_at=bindparam("end", type_=UtcTime))
)
"""Lets a holding last until then. Built once, which takes longer than to do it: heartbeats come all the time."""


def _this(lease: Lease) -> dict[str, str | int]:
    return {"this_name": lease.name, "this_holder": lease.holder, "this_epoch": lease.epoch}


def _moved(lease: Lease, by: dt.timedelta) -> Lease:
    """The lease as it is by another clock."""
    if not by:
        return lease
    return msgspec.structs.replace(lease, acquired_at=lease.acquired_at + by, expires_at=lease.expires_at + by)


def _begins(prefix: str) -> ColumnElement[bool]:
    return leases.c.name.startswith(prefix, autoescape=True)
