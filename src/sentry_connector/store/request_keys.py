"""What became of requests that have a key, so that one which is sent again is not done again."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, delete, select, update

from sentry_connector.errors import Locked, UsageError
from sentry_connector.store.database import Database
from sentry_connector.store.processes import is_dead
from sentry_connector.store.records import Answer, Claim, RequestKey
from sentry_connector.store.rows import insert_once
from sentry_connector.store.tables import request_keys

KEPT = dt.timedelta(hours=24)
"""How long a request that comes again is known."""

LONGEST_WORK = dt.timedelta(minutes=10)
"""After so long a request without an answer is another's to do, also where nobody can tell whether its process lives."""


class RequestKeys:
    """The keys of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, key: RequestKey, made: str, holder: str, now: dt.datetime) -> Claim:
        """Begin with a request, or learn what became of it. What is too old is forgotten here.

        Where whoever began with it died, it is begun once more, and makes what has the id of then: what is there is not made
        twice.

        Args:
            key: the request's.
            made: the id of what it makes, if it makes something.
            holder: who does it.
            now: the present.

        Raises:
            UsageError: another request had the key.
            Locked: somebody is at work on it.
        """
        with self._database.writing() as connection:
            connection.execute(delete(request_keys).where(request_keys.c.at <= now - KEPT))
            values = {"key": key.key, "digest": key.digest, "made": made, "holder": holder, "at": now}
            if insert_once(connection, request_keys, values):
                return Claim(made=made)
            return _known(connection, key, holder, now)

    def keep(self, key: RequestKey, answer: Answer) -> None:
        """Keep the answer to a request that was claimed."""
        values = {"holder": None, **msgspec.structs.asdict(answer)}
        with self._database.writing() as connection:
            connection.execute(update(request_keys).where(request_keys.c.key == key.key).values(**values))

    def leave(self, key: RequestKey) -> None:
        """Let anybody go on with a request that was claimed, and of which it is not known what it has made."""
        with self._database.writing() as connection:
            connection.execute(update(request_keys).where(*_unanswered(key)).values(holder=None))

    def release(self, key: RequestKey) -> None:
        """Forget a request that was claimed and has no answer: it can be tried again with its key."""
        with self._database.writing() as connection:
            connection.execute(delete(request_keys).where(*_unanswered(key)))


def _unanswered(key: RequestKey) -> tuple[ColumnElement[bool], ...]:
    return request_keys.c.key == key.key, request_keys.c.status.is_(None)


def _known(connection: Connection, key: RequestKey, holder: str, now: dt.datetime) -> Claim:
    found = connection.execute(select(request_keys).where(request_keys.c.key == key.key)).first()
    if found is None:  # it was refused, and forgotten, in this moment
        raise _under_way()
    if found.digest != key.digest:
        raise UsageError(
            f"The Idempotency-Key {key.key!r} was that of another request.",
            remedy="Make a new key for each request; one that is sent again has its first key.",
        )
    if found.status is not None:
        return Claim(made=found.made, answer=Answer(status=found.status, location=found.location, body=found.body))
    if not (_is_left(found, now) and _taken_over(connection, found, holder, now)):
        raise _under_way()
    return Claim(made=found.made)


def _under_way() -> Locked:
    return Locked("The first request with this Idempotency-Key has no answer yet.", remedy="Send it again in a moment.")


def _is_left(found: Row[Any], now: dt.datetime) -> bool:
    """Whether nobody is at work on a request without an answer."""
    return found.holder is None or is_dead(found.holder) or found.at <= now - LONGEST_WORK


def _taken_over(connection: Connection, found: Row[Any], holder: str, now: dt.datetime) -> bool:
    """Whether nobody else has taken the request over in this moment."""
    holder_was = request_keys.c.holder.is_(None) if found.holder is None else request_keys.c.holder == found.holder
    as_it_was = (request_keys.c.key == found.key, holder_was, request_keys.c.at == found.at)
    taken = update(request_keys).where(*as_it_was).values(holder=holder, at=now).returning(request_keys.c.key)
    return connection.scalar(taken) is not None
