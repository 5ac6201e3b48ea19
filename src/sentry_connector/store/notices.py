"""Notices in the store: channels, the episodes that are not over, and what is on its way.

A notice and its deliveries are stored in one transaction with what it is about, so that neither is there without the other.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    RowMapping,
    Select,
    Update,
    and_,
    bindparam,
    case,
    delete,
    exists,
    false,
    func,
    insert,
    or_,
    select,
    update,
)

from sentry_connector.errors import UnknownName
from sentry_connector.store.database import Database
from sentry_connector.store.records import Channel, Delivery, Kind, Notice, Outgoing
from sentry_connector.store.rows import (
    Record,
    find_named,
    fold,
    insert_once,
    read_all,
    read_record,
    refuse_taken,
    select_records,
)
from sentry_connector.store.tables import LIVE, UtcTime, channels, datasets, deliveries, episodes, notices

WAITING = (deliveries.c.sent_at.is_(None), deliveries.c.given_up_at.is_(None))
"""A delivery that is not done."""


class DeliveryState(StrEnum):
    """How far a notice is on its way to a channel."""

    WAITING = "waiting"
    FAILING = "failing"
    SENT = "sent"
    GIVEN_UP = "given up"


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

    def recent(
        self, *subject_ids: str, before: str | None = None, limit: int | None = 100, most: int | None = None
    ) -> list[tuple[Notice, list[Delivery]]]:
        """Notices with their deliveries, newest first.

        Args:
            subject_ids: only those about these; none = all.
            before: the id of a notice: only those that come after it.
            limit: how many notices at most.
            most: how many deliveries of each at most, those that have not arrived first; None = all.

        Raises:
            UnknownName: nothing ever had the id.
        """
        query = select_records(notices, Notice).order_by(notices.c.at.desc(), notices.c.id.desc()).limit(limit)
        if subject_ids:
            query = query.where(notices.c.subject_id.in_(subject_ids))
        sent: dict[str, list[Delivery]] = {}
        with self._database.reading() as connection:
            if before is not None:
                query = query.where(_after(connection, before))
            found = read_all(connection, query, Notice)
            for one in read_all(connection, _deliveries([notice.id for notice in found], most), Delivery):
                sent.setdefault(one.notice_id, []).append(one)
        return [(notice, sent.get(notice.id, [])) for notice in found]

    def takers(self, ids: Collection[str]) -> dict[str, int]:
        """Id of each of these notices → to how many channels it goes; without those that go to none."""
        query = select(deliveries.c.notice_id, func.count()).where(deliveries.c.notice_id.in_(ids))
        with self._database.reading() as connection:
            return dict(connection.execute(query.group_by(deliveries.c.notice_id)).all())

    def due(self, now: dt.datetime) -> list[str]:
        """The ids of the channels that something waits for, and that do not rest."""
        with self._database.reading() as connection:
            return list(connection.scalars(_WAITED_FOR, {"now": now}))

    def next(self, channel_id: str, now: dt.datetime) -> Outgoing | None:
        """What a channel is to take first; None where nothing waits for it, or where it rests."""
        of_delivery = (deliveries.c[name] for name in Delivery.__struct_fields__)
        now_muted = func.coalesce(datasets.c.muted, false()).label("now_muted")
        query = (
            _due(*of_delivery, notices, channels.c.failures, now_muted, _begun().label("begun"))
            .join(notices, notices.c.id == deliveries.c.notice_id)
            .outerjoin(datasets, datasets.c.id == notices.c.dataset_id)
            .where(deliveries.c.channel_id == channel_id)
            .order_by(notices.c.at, notices.c.recovered, notices.c.id)
        )
        with self._database.reading() as connection:
            row = connection.execute(query.limit(1), {"now": now}).mappings().first()
        if row is None:
            return None
        more = {"failures": row["failures"], "muted": row["now_muted"], "begun": row["begun"]}
        return Outgoing(delivery=_read(Delivery, row), notice=_read(Notice, row), **more)

    def states(self) -> dict[DeliveryState, int]:
        """How many deliveries there are of each state."""
        state = case(
            (deliveries.c.sent_at.is_not(None), DeliveryState.SENT),
            (deliveries.c.given_up_at.is_not(None), DeliveryState.GIVEN_UP),
            (deliveries.c.attempts > 0, DeliveryState.FAILING),
            else_=DeliveryState.WAITING,
        )
        with self._database.reading() as connection:
            found = connection.execute(select(state, func.count()).select_from(deliveries).group_by(state))
            return {DeliveryState(word): count for word, count in found}

    def sent(self, delivery: Delivery, now: dt.datetime) -> None:
        """A channel has taken a notice; `delivery` counts this attempt."""
        with self._database.writing() as connection:
            connection.execute(_change(delivery, sent_at=now, error=None))
            connection.execute(_of_channel(delivery, failures=0, rests_until=None))

    def failed(self, delivery: Delivery, error: str, again: dt.datetime) -> None:
        """A channel has not, as `sent`: it rests until then, with all that waits for it."""
        with self._database.writing() as connection:
            connection.execute(_change(delivery, error=error))
            connection.execute(_of_channel(delivery, failures=channels.c.failures + 1, rests_until=again))

    def give_up(self, delivery: Delivery, why: str, now: dt.datetime) -> None:
        """A channel is not to take a notice any more."""
        with self._database.writing() as connection:
            connection.execute(_change(delivery, error=why, given_up_at=now))

    def add_channel(self, channel: Channel, sealed_address: str) -> bool:
        """Store a new channel with its sealed address, unless one with its id is there.

        It is told of what has begun to be wrong and is not over.

        Returns:
            Whether it is new.

        Raises:
            UsageError: there is a channel of that name.
        """
        with self._database.writing() as connection:
            if connection.scalar(select(channels.c.id).where(channels.c.id == channel.id)) is not None:
                return False
            refuse_taken(connection, channels, "a channel", channel.name, but=channel.id)
            values = {**msgspec.structs.asdict(channel), "name_fold": fold(channel.name)}
            connection.execute(insert(channels).values(**values, sealed_address=sealed_address))
            for notice in _open(connection):
                if channel.takes(notice.kind, _concerned(connection, notice)):
                    _deliver(connection, notice, [channel.id])
        return True

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
        """The channel of that name, compared without case, or of that id.

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
        if notice.recovered:
            _end(connection, notice)
        else:
            _begin(connection, notice)


def _begin(connection: Connection, notice: Notice) -> None:
    values = {"subject_id": notice.subject_id, "kind": notice.kind, "since": notice.since}
    if not insert_once(connection, episodes, values):
        return
    concerned = _concerned(connection, notice)
    takers = [one.id for one in _channels(connection) if one.takes(notice.kind, concerned)]
    _store(connection, notice, [] if notice.muted else takers)


def _end(connection: Connection, notice: Notice) -> None:
    """That an episode is over goes where its beginning went: what was told is taken back there, and nowhere else."""
    which = (episodes.c.subject_id == notice.subject_id, episodes.c.kind == notice.kind)
    since = connection.scalar(delete(episodes).where(*which).returning(episodes.c.since))
    if since is None:
        return
    told = msgspec.structs.replace(notice, since=since, at=max(since, notice.at))
    query = select(notices.c.id, notices.c.muted).where(*_begins(told.subject_id, told.kind, since))
    began = connection.execute(query).first()
    if began is None:
        _store(connection, told, [])
        return
    takers = connection.scalars(select(deliveries.c.channel_id).where(deliveries.c.notice_id == began.id))
    _store(connection, msgspec.structs.replace(told, muted=began.muted), takers.all())


def _store(connection: Connection, notice: Notice, takers: Iterable[str]) -> None:
    connection.execute(insert(notices).values(**msgspec.structs.asdict(notice)))
    _deliver(connection, notice, takers)


def _deliver(connection: Connection, notice: Notice, takers: Iterable[str]) -> None:
    for channel_id in takers:
        one = Delivery(notice_id=notice.id, channel_id=channel_id)
        connection.execute(insert(deliveries).values(**msgspec.structs.asdict(one)))


def _open(connection: Connection) -> list[Notice]:
    """The notices with which the episodes began that are not over; those of muted DataSets are nobody's."""
    query = select_records(notices, Notice).where(*_begins(episodes.c.subject_id, episodes.c.kind, episodes.c.since))
    return [read_record(Notice, row) for row in connection.execute(query.where(~notices.c.muted)).mappings()]


def _concerned(connection: Connection, notice: Notice) -> Sequence[str]:
    """The DataSets that a notice is about: one, or those of an account whose notices are sent."""
    if notice.dataset_id:
        return [notice.dataset_id]
    of_account = (datasets.c.account_id == notice.subject_id, LIVE, ~datasets.c.muted)
    return connection.scalars(select(datasets.c.id).where(*of_account)).all()


def _due(*columns: Any) -> Select[Any]:
    """What waits for channels that do not rest at `now`, which is to be given."""
    awake = or_(channels.c.rests_until.is_(None), channels.c.rests_until <= bindparam("now", type_=UtcTime))
    of_channel = deliveries.join(channels, channels.c.id == deliveries.c.channel_id)
    return select(*columns).select_from(of_channel).where(*WAITING, awake)


_WAITED_FOR = _due(deliveries.c.channel_id).distinct()
"""Built once: an engine asks it every few seconds."""


def _begins(subject_id: Any, kind: Any, since: Any, table: FromClause = notices) -> tuple[ColumnElement[bool], ...]:
    """The notice that an episode has begun."""
    column = table.c
    return (column.subject_id == subject_id, column.kind == kind, column.since == since, ~column.recovered)


def _begun() -> ColumnElement[bool]:
    """Whether a delivery's channel has taken the beginning of its notice's episode."""
    first, its = notices.alias(), deliveries.alias()
    its_own = (its.c.notice_id == first.c.id, its.c.channel_id == deliveries.c.channel_id, its.c.sent_at.is_not(None))
    episode = (notices.c.subject_id, notices.c.kind, notices.c.since)
    return exists().where(*_begins(*episode, first), *its_own).correlate(notices, deliveries)


def _after(connection: Connection, id_: str) -> ColumnElement[bool]:
    """That a notice stands after that one, newest first."""
    at = connection.scalar(select(notices.c.at).where(notices.c.id == id_))
    if at is None:
        raise UnknownName("notice", id_, remedy="`before` is the id of the last notice of the page before.")
    return or_(notices.c.at < at, and_(notices.c.at == at, notices.c.id < id_))


def _deliveries(notice_ids: Collection[str], most: int | None) -> Select[Any]:
    """The deliveries of some notices; of each so many at most, those that have not arrived first."""
    query = select_records(deliveries, Delivery).where(deliveries.c.notice_id.in_(notice_ids))
    if most is None:
        return query
    order = (deliveries.c.sent_at.is_not(None), deliveries.c.channel_id)
    place = func.row_number().over(partition_by=deliveries.c.notice_id, order_by=order).label("place")
    each = query.add_columns(place).subquery()
    return select(*(each.c[name] for name in Delivery.__struct_fields__)).where(each.c.place <= most)


def _change(delivery: Delivery, **values: Any) -> Update:
    which = (deliveries.c.notice_id == delivery.notice_id, deliveries.c.channel_id == delivery.channel_id)
    return update(deliveries).where(*which).values(attempts=delivery.attempts, **values)


def _of_channel(delivery: Delivery, **values: Any) -> Update:
    return update(channels).where(channels.c.id == delivery.channel_id).values(**values)


def _channels(connection: Connection) -> list[Channel]:
    query = select_records(channels, Channel).order_by(channels.c.name_fold)
    return [read_record(Channel, row) for row in connection.execute(query).mappings()]


def _read(record: type[Record], row: RowMapping) -> Record:
    return record(**{name: row[name] for name in record.__struct_fields__})
