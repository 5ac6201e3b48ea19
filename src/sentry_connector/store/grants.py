"""Who may do what with which DataSet, account and destination."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from sentry_connector.errors import UsageError
from sentry_connector.store.database import Database
from sentry_connector.store.rights import Grant, Level, Thing, User
from sentry_connector.store.rows import columns_of, read_record, select_records
from sentry_connector.store.tables import grants, users


class Grants:
    """The grants of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def level(self, user_id: str, thing: Thing, object_id: str) -> Level | None:
        """What a person was given of one thing; None = nothing."""
        query = select(grants.c.level).where(grants.c.user_id == user_id, *_of(thing, object_id))
        with self._database.reading() as connection:
            return connection.scalar(query)

    def of_user(self, user_id: str, thing: Thing) -> dict[str, Level]:
        """What a person was given: id of the thing → level."""
        query = select(grants.c.object_id, grants.c.level).where(grants.c.user_id == user_id, grants.c.thing == thing)
        with self._database.reading() as connection:
            return {row.object_id: row.level for row in connection.execute(query)}

    def of_object(self, thing: Thing, object_id: str) -> Sequence[tuple[User, Grant]]:
        """Who was given what of a thing, oldest first."""
        whose = users.join(grants, grants.c.user_id == users.c.id)
        query = select(*columns_of(users, User)).select_from(whose).where(*_of(thing, object_id))
        with self._database.reading() as connection:
            people = {row["id"]: read_record(User, row) for row in connection.execute(query).mappings()}
            given = select_records(grants, Grant).where(*_of(thing, object_id)).order_by(grants.c.granted_at)
            found = [read_record(Grant, row) for row in connection.execute(given).mappings()]
        return [(people[one.user_id], one) for one in found if one.user_id in people]

    def owners(self, thing: Thing, object_id: str) -> list[str]:
        """The names of a thing's owners, the first one first; empty where it is nobody's own."""
        return [user.name for user, grant in self.of_object(thing, object_id) if grant.level is Level.OWNER]

    def all_owners(self, thing: Thing) -> dict[str, list[str]]:
        """Id of each thing that somebody owns → the names of its owners, the first one first."""
        whose = users.join(grants, grants.c.user_id == users.c.id)
        query = select(grants.c.object_id, users.c.name).select_from(whose).order_by(grants.c.granted_at)
        found: dict[str, list[str]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(query.where(grants.c.thing == thing, grants.c.level == Level.OWNER)):
                found.setdefault(row.object_id, []).append(row.name)
        return found

    def refuse_beyond(self, thing: Thing, object_id: str, *levels: Level | None) -> None:
        """Refuse levels that whoever shares does not have; whoever has the whole store has all of them."""

    def give(self, grant: Grant) -> None:
        """Give a person another level of a thing.

        Raises:
            UsageError: it would have no owner any more.
        """
        with self._database.writing() as connection:
            _refuse_last_owner(connection, grant.user_id, grant.thing, grant.object_id, grant.level)
            changed = update(grants).where(grants.c.user_id == grant.user_id, *_of(grant.thing, grant.object_id))
            if not connection.execute(changed.values(level=grant.level)).rowcount:
                connection.execute(insert(grants).values(**msgspec.structs.asdict(grant)))

    def take(self, user_id: str, thing: Thing, object_id: str) -> None:
        """Take from a person what they were given of a thing.

        Raises:
            UsageError: it would have no owner any more.
        """
        with self._database.writing() as connection:
            _refuse_last_owner(connection, user_id, thing, object_id, None)
            connection.execute(delete(grants).where(grants.c.user_id == user_id, *_of(thing, object_id)))


def add_owner(connection: Connection, user_id: str | None, thing: Thing, object_id: str, now: dt.datetime) -> None:
    """Make whoever makes a thing its owner, in the step that stores it; what the machine's user makes is nobody's own."""
    if user_id is not None:
        values = {"user_id": user_id, "thing": thing, "object_id": object_id, "level": Level.OWNER, "granted_at": now}
        connection.execute(insert(grants).values(**values))


def forget_grants(connection: Connection, thing: Thing, object_id: str) -> None:
    """Forget who was given what of a thing that is no more."""
    connection.execute(delete(grants).where(*_of(thing, object_id)))


def _of(thing: Thing, object_id: str) -> tuple[ColumnElement[bool], ...]:
    return grants.c.thing == thing, grants.c.object_id == object_id


def _refuse_last_owner(connection: Connection, user_id: str, thing: Thing, object_id: str, level: Level | None) -> None:
    if level is Level.OWNER:
        return
    owners = set(
        connection.scalars(select(grants.c.user_id).where(*_of(thing, object_id), grants.c.level == Level.OWNER))
    )
    if owners == {user_id}:
        raise UsageError(
            f"That is the last owner of the {thing}.", remedy="Make somebody else an owner first (`--level owner`)."
        )
