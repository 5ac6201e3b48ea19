"""Notices in the store: channels, the episodes that are not over, and what is on its way.

A notice and its deliveries are stored in one transaction with what it is about, so that neither is there without the other.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Connection, RowMapping, Update, delete, func, insert, or_, select, update

from sentry_connector.store.database import Database
from sentry_connector.store.records import Channel, Delivery, Kind, Notice
from sentry_connector.store.rows import Record, find_named, fold, insert_once, read_record, refuse_taken, select_records
from sentry_connector.store.tables import channels, deliveries, episodes, notices

WAITING = (deliveries.c.sent_at.is_(None), deliveries.c.given_up_at.is_(None))
"""A delivery that is not done."""


class Notices:
    """The notices of one store, and the channels that they are sent to."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, subject_id: str | None = None) -> dict[str, set[Kind]]:
        """Subject → the kinds of its episodes that are not over; of all subjects, or of one."""
        query = select(episodes.c.subject_id, episodes.c.kind)
        if subject_id is not None:
            query = query.where(episodes.c.subject_id == subject_id)
        found: dict[str, set[Kind]] = {}
        with self._database.reading() as connection:
            for subject, kind in connection.execute(query):
                found.setdefault(subject, set()).add(kind)
        return found

    def add(self, news: Iterable[Notice]) -> None:
        """Store notices, each with its deliveries, unless the episode has begun or is over for another process already."""
        with self._database.writing() as connection:
            add_notices(connection, news)

    def forget(self, subject_id: str) -> None:
        """End the episodes of what is no more, without a word."""
        with self._database.writing() as connection:
            connection.execute(delete(episodes).where(episodes.c.subject_id == subject_id))

    def recent(self, subject_id: str | None = None, *, limit: int | None = 100) -> list[tuple[Notice, list[Delivery]]]:
        """Notices with their deliveries, newest first; of all subjects, or of one."""
        query = select_records(notices, Notice).order_by(notices.c.at.desc(), notices.c.id.desc()).limit(limit)
        if subject_id is not None:
            query = query.where(notices.c.subject_id == subject_id)
        with self._database.reading() as connection:
            found = [read_record(Notice, row) for row in connection.execute(query).mappings()]
            ids = [notice.id for notice in found]
            rows = connection.execute(select_records(deliveries, Delivery).where(deliveries.c.notice_id.in_(ids)))
            sent = [read_record(Delivery, row) for row in rows.mappings()]
        return [(notice, [one for one in sent if one.notice_id == notice.id]) for notice in found]

    def due(self, now: dt.datetime) -> list[tuple[Delivery, Notice]]:
        """What is to be sent now, oldest first."""
        query = (
            select(*(deliveries.c[name] for name in Delivery.__struct_fields__), notices)
            .join(notices, notices.c.id == deliveries.c.notice_id)
            .where(*WAITING, or_(deliveries.c.not_before.is_(None), deliveries.c.not_before <= now))
            .order_by(notices.c.at, notices.c.id)
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return [(_read(Delivery, row), _read(Notice, row)) for row in rows]

    def waiting(self) -> int:
        """How many deliveries are not done."""
        with self._database.reading() as connection:
            return connection.scalar(select(func.count()).select_from(deliveries).where(*WAITING)) or 0

    def sent(self, delivery: Delivery, now: dt.datetime) -> None:
        """A channel has taken a notice."""
        done = {"sent_at": now, "attempts": delivery.attempts + 1, "not_before": None, "error": None}
        with self._database.writing() as connection:
            connection.execute(_change(delivery, done))

    def failed(self, delivery: Delivery, error: str, again: dt.datetime | None, now: dt.datetime) -> None:
        """A channel has not: it is tried again then, with all that waits for it; None: this one is given up."""
        found = {"attempts": delivery.attempts + 1, "error": error, "given_up_at": now if again is None else None}
        with self._database.writing() as connection:
            connection.execute(_change(delivery, found))
            if again is not None:
                of_channel = (deliveries.c.channel_id == delivery.channel_id, *WAITING)
                connection.execute(update(deliveries).where(*of_channel).values(not_before=again))

    def add_channel(self, channel: Channel, sealed_address: str) -> None:
        """Store a new channel with its sealed address.

        Raises:
            UsageError: there is a channel of that name.
        """
        with self._database.writing() as connection:
            refuse_taken(connection, channels, "a channel", channel.name, but=channel.id)
            values = {**msgspec.structs.asdict(channel), "name_fold": fold(channel.name)}
            connection.execute(insert(channels).values(**values, sealed_address=sealed_address))

    def save_channel(self, channel: Channel, sealed_address: str | None = None) -> None:
        """Store a channel's new state, with another address where there is one.

        Raises:
            UsageError: another channel has that name.
        """
        values = {**msgspec.structs.asdict(channel), "name_fold": fold(channel.name)}
        if sealed_address is not None:
            values["sealed_address"] = sealed_address
        with self._database.writing() as connection:
            refuse_taken(connection, channels, "a channel", channel.name, but=channel.id)
            connection.execute(update(channels).where(channels.c.id == channel.id).values(**values))

    def channels(self) -> Sequence[Channel]:
        """All channels, by name."""
        with self._database.reading() as connection:
            return _channels(connection)

    def find_channel(self, name: str) -> Channel:
        """The channel of that name, compared without case.

        Raises:
            UnknownName: there is none; the nearest names are given.
        """
        return find_named("channel", name, self.channels())

    def sealed_address(self, channel_id: str) -> str | None:
        """The sealed address of the channel with that id; None where there is no such channel."""
        with self._database.reading() as connection:
            return connection.scalar(select(channels.c.sealed_address).where(channels.c.id == channel_id))

    def delete_channel(self, channel_id: str) -> None:
        """Delete a channel with its sealed address; what waits for it is not sent."""
        with self._database.writing() as connection:
            connection.execute(delete(channels).where(channels.c.id == channel_id))


def add_notices(connection: Connection, news: Iterable[Notice]) -> None:
    """As `Notices.add`, within a transaction of somebody else's."""
    for notice in news:
        which = (episodes.c.subject_id == notice.subject_id, episodes.c.kind == notice.kind)
        if notice.recovered:
            since = connection.scalar(delete(episodes).where(*which).returning(episodes.c.since))
            if since is None:
                continue
        else:
            since = notice.since
            values = {"subject_id": notice.subject_id, "kind": notice.kind, "since": since}
            if not insert_once(connection, episodes, values):
                continue
        told = msgspec.structs.replace(notice, since=since)
        connection.execute(insert(notices).values(**msgspec.structs.asdict(told)))
        for channel in [] if told.muted else _channels(connection):
            if channel.takes(told):
                one = Delivery(notice_id=told.id, channel_id=channel.id)
                connection.execute(insert(deliveries).values(**msgspec.structs.asdict(one)))


def _change(delivery: Delivery, values: dict[str, object]) -> Update:
    which = (deliveries.c.notice_id == delivery.notice_id, deliveries.c.channel_id == delivery.channel_id)
    return update(deliveries).where(*which).values(**values)


def _channels(connection: Connection) -> list[Channel]:
    query = select_records(channels, Channel).order_by(channels.c.name_fold)
    return [read_record(Channel, row) for row in connection.execute(query).mappings()]


def _read(record: type[Record], row: RowMapping) -> Record:
    return record(**{name: row[name] for name in record.__struct_fields__})
