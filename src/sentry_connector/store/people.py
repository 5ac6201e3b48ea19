"""People in the store, with what shows who they are: of passwords, sessions and API keys only digests are kept."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, delete, exists, func, insert, select, update

from sentry_connector.errors import Locked, SignInNeeded, UnknownName, UsageError
from sentry_connector.store.database import Database
from sentry_connector.store.rights import ApiKey, Role, Session, User
from sentry_connector.store.rows import (
    columns_of,
    find_named,
    fold,
    read_record,
    read_some,
    refuse_taken,
    select_records,
)
from sentry_connector.store.tables import api_keys, sessions, users

IDLE, LONGEST = dt.timedelta(minutes=30), dt.timedelta(hours=12)
"""A session is over when nothing was asked for so long, and in any case after so long."""

SESSION_ID = 16
"""Characters of a digest."""

MARKED = dt.timedelta(minutes=1)
"""How exactly it is kept when a session or a key was last used: not each request is a change."""


class People:
    """The people of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def exist(self) -> bool:
        """Whether there is anybody: then everything needs a login."""
        with self._database.reading() as connection:
            return _anybody(connection)

    def add(self, user: User, password: str | None, *, first: bool = False) -> User:
        """Store a new person.

        Args:
            user: who.
            password: its hash; None for whoever signs in elsewhere.
            first: only where there is nobody yet.

        Raises:
            UsageError: the name is taken, or there is somebody already.
        """
        with self._database.writing() as connection:
            if first and _anybody(connection):
                raise UsageError("There are people already.", remedy="Ask an admin.")
            refuse_taken(connection, users, "somebody", user.name, but=user.id)
            values = {**msgspec.structs.asdict(user), "name_fold": fold(user.name), "password": password}
            connection.execute(insert(users).values(**values))
        return user

    def list(self) -> Sequence[User]:
        """All people, by name."""
        with self._database.reading() as connection:
            rows = connection.execute(select_records(users, User).order_by(users.c.name_fold)).mappings().all()
        return [read_record(User, row) for row in rows]

    def get(self, id: str) -> User | None:  # noqa: A002  # the field's name
        """The person with that id, or None."""
        return self._one(users.c.id == id)

    def some(self, ids: Collection[str]) -> dict[str, User]:
        """Id → the person, of those with these ids."""
        with self._database.reading() as connection:
            return read_some(connection, users, User, ids)

    def find(self, name: str) -> User:
        """The person of that name, compared without case.

        Raises:
            UnknownName: there is none; the nearest names are given.
        """
        return find_named("person", name, self.list())

    def by_subject(self, issuer: str, subject: str) -> User | None:
        """Who somebody is whom an identity provider knows; None where that is nobody here."""
        return self._one(users.c.issuer == issuer, users.c.subject == subject)

    def password(self, name: str) -> tuple[User, str | None] | None:
        """The person of that name, with the hash of their password; None where there is nobody."""
        query = select(*columns_of(users, User), users.c.password).where(users.c.name_fold == fold(name))
        with self._database.reading() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else (User(**{name: row[name] for name in User.__struct_fields__}), row["password"])

    def change(self, id: str, changes: Mapping[str, Any]) -> User:  # noqa: A002  # the field's name
        """Change a person, and end all their sessions and API keys in the same step.

        Raises:
            UnknownName: there is no such person (any more).
            UsageError: no admin would be left, or the name is taken.
        """
        values = dict(changes)
        with self._database.writing() as connection:
            if "name" in changes:
                refuse_taken(connection, users, "somebody", changes["name"], but=id)
                values["name_fold"] = fold(changes["name"])
            change = update(users).where(users.c.id == id).values(**values).returning(*columns_of(users, User))
            row = connection.execute(change).mappings().first()
            if row is None:
                raise UnknownName("person", id)
            if changes.keys() & {"role", "active"}:
                _refuse_without_admin(connection)
            _end(connection, id)
        return read_record(User, row)

    def rehash(self, id: str, kept: str, password: str) -> None:  # noqa: A002  # the field's name
        """Keep another hash of the same password in the place of the `kept` one; nothing where that is another by now."""
        with self._database.writing() as connection:
            same = (users.c.id == id, users.c.password == kept)
            connection.execute(update(users).where(*same).values(password=password))

    def delete(self, id: str) -> None:  # noqa: A002  # the field's name
        """Forget a person, with their sessions, keys and grants.

        Raises:
            UsageError: no admin would be left.
        """
        with self._database.writing() as connection:
            gone = connection.scalar(delete(users).where(users.c.id == id).returning(users.c.role))
            if gone is Role.ADMIN and _anybody(connection):
                _refuse_without_admin(connection)

    def sign_in(self, user: User, digest: str, now: dt.datetime, address: str | None = None) -> None:
        """Begin a session; those that are over are forgotten here.

        Args:
            user: whose, as they were when they showed who they are.
            digest: of its secret.
            now: the present.
            address: where it comes from.

        Raises:
            SignInNeeded: they have another password, role or second factor by now, or may not sign in: what ended their
                sessions ends this one before it begins.
        """
        same = (
            users.c.id == user.id,
            users.c.active,
            users.c.updated_at == user.updated_at,
            users.c.factor_since.is_not_distinct_from(user.factor_since),
        )
        with self._database.writing() as connection:
            if not connection.execute(update(users).where(*same).values(signed_in_at=now)).rowcount:
                raise SignInNeeded("What you sign in with was changed in this moment.", remedy="Sign in again.")
            connection.execute(delete(sessions).where(sessions.c.created_at <= now - LONGEST))
            begun = {"digest": digest, "user_id": user.id, "created_at": now, "used_at": now, "address": address}
            connection.execute(insert(sessions).values(**begun))

    def sign_out(self, digest: str) -> None:
        """End a session."""
        with self._database.writing() as connection:
            connection.execute(delete(sessions).where(sessions.c.digest == digest))

    def sessions(self, user_id: str, now: dt.datetime) -> Sequence[Session]:
        """Where a person is signed in, the newest first; what is over is left out."""
        query = (
            select(sessions).where(sessions.c.user_id == user_id, *_fresh(now)).order_by(sessions.c.created_at.desc())
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return [
            Session(
                id=session_id(row["digest"]),
                address=row["address"],
                created_at=row["created_at"],
                used_at=row["used_at"],
            )
            for row in rows
        ]

    def end_sessions(self, user_id: str, *, id: str | None = None, but: str | None = None) -> int:  # noqa: A002  # the field's name
        """End sessions of a person; their API keys stay.

        Args:
            user_id: whose.
            id: the one to end; None = all.
            but: the digest of one that goes on.

        Returns:
            How many there were.
        """
        which = [sessions.c.user_id == user_id]
        if id is not None:
            which.append(func.substr(sessions.c.digest, 1, SESSION_ID) == id)
        if but is not None:
            which.append(sessions.c.digest != but)
        with self._database.writing() as connection:
            return connection.execute(delete(sessions).where(*which)).rowcount

    def of_session(self, digest: str, now: dt.datetime, *, used: bool = True) -> User | None:
        """Whose session that is; None where it is over.

        Args:
            digest: of the session.
            now: the present.
            used: whether somebody asks for something by it, so that it goes on.
        """
        fresh = (sessions.c.digest == digest, *_fresh(now))
        whose = users.join(sessions, sessions.c.user_id == users.c.id)
        query = select(*columns_of(users, User), sessions.c.used_at).select_from(whose).where(*fresh, users.c.active)
        with self._database.reading() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            return None
        if used and now - row["used_at"] >= MARKED:
            self._mark(sessions, digest, now)
        return User(**{name: row[name] for name in User.__struct_fields__})

    def add_key(self, key: ApiKey, digest: str, *, as_of: dt.datetime | None = None) -> ApiKey:
        """Store a new API key by its digest.

        Args:
            key: the key.
            digest: of its secret.
            as_of: the `updated_at` that the person must have; None = any.

        Raises:
            UsageError: the person has a key of that name, or was changed since then, which has ended their keys.
        """
        with self._database.writing() as connection:
            whose = select(users.c.updated_at).where(users.c.id == key.user_id).with_for_update()
            if as_of is not None and connection.scalar(whose) != as_of:
                raise UsageError("Whose key it is was changed meanwhile.", remedy="Look at them again, then repeat.")
            same = select(api_keys.c.id).where(api_keys.c.user_id == key.user_id, api_keys.c.name == key.name)
            if connection.scalar(same) is not None:
                raise UsageError(f"There is an API key named {key.name!r} already.", remedy="Choose another name.")
            connection.execute(insert(api_keys).values(**msgspec.structs.asdict(key), digest=digest))
        return key

    def keys(self, user_id: str | None = None) -> Sequence[ApiKey]:
        """The API keys of one person or of all, oldest first."""
        query = select_records(api_keys, ApiKey).order_by(api_keys.c.created_at, api_keys.c.id)
        with self._database.reading() as connection:
            rows = connection.execute(query if user_id is None else query.where(api_keys.c.user_id == user_id))
            return [read_record(ApiKey, row) for row in rows.mappings()]

    def of_key(self, digest: str, now: dt.datetime, *, used: bool = True) -> tuple[User, ApiKey] | None:
        """The API key of that digest, and whose it is; None where there is none, or it has expired."""
        good = (api_keys.c.digest == digest, api_keys.c.expires_at > now)
        with self._database.reading() as connection:
            row = connection.execute(select_records(api_keys, ApiKey).where(*good)).mappings().first()
        if row is None:
            return None
        key = read_record(ApiKey, row)
        user = self._one(users.c.id == key.user_id, users.c.active)
        if user is None:
            return None
        if used and (key.used_at is None or now - key.used_at >= MARKED):
            self._mark(api_keys, digest, now)
        return user, key

    def revoke(self, key_id: str) -> None:
        """Forget an API key."""
        with self._database.writing() as connection:
            connection.execute(delete(api_keys).where(api_keys.c.id == key_id))

    def revoke_all(self) -> int:
        """End every session and every API key; how many there were."""
        with self._database.writing() as connection:
            return sum(connection.execute(delete(table)).rowcount for table in (sessions, api_keys))

    def _one(self, *which: Any) -> User | None:
        with self._database.reading() as connection:
            row = connection.execute(select_records(users, User).where(*which)).mappings().first()
        return None if row is None else read_record(User, row)

    def _mark(self, table: Table, digest: str, now: dt.datetime) -> None:
        with contextlib.suppress(Locked), self._database.writing() as connection:
            connection.execute(update(table).where(table.c.digest == digest).values(used_at=now))


def _anybody(connection: Connection) -> bool:
    return bool(connection.scalar(select(exists().select_from(users))))


def _refuse_without_admin(connection: Connection) -> None:
    """A server without an admin could be administered by nobody but whoever has its machine."""
    admins = select(func.count()).select_from(users).where(users.c.role == Role.ADMIN, users.c.active)
    if not connection.scalar(admins):
        raise UsageError("That is the last admin.", remedy="Make somebody else an admin first.")


def session_id(digest: str) -> str:
    """What tells a session from others: the beginning of its digest, by which nobody comes in."""
    return digest[:SESSION_ID]


def _fresh(now: dt.datetime) -> tuple[ColumnElement[bool], ...]:
    return sessions.c.created_at > now - LONGEST, sessions.c.used_at > now - IDLE


def _end(connection: Connection, user_id: str) -> None:
    for table in (sessions, api_keys):
        connection.execute(delete(table).where(table.c.user_id == user_id))
