"""Which run answered which request, within a transaction of somebody else's: a key is stored with what it stands for."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Connection, delete, select

from sentry_connector.errors import UsageError
from sentry_connector.store.records import RequestKey
from sentry_connector.store.rows import insert_once
from sentry_connector.store.tables import request_keys

KEPT = dt.timedelta(hours=24)
"""How long a request that comes again is known."""


def add_key(connection: Connection, key: RequestKey, run_id: str, now: dt.datetime) -> None:
    """Keep that a run is the answer, unless the request has one; what is too old is forgotten here.

    Raises:
        UsageError: another request had the key.
    """
    connection.execute(delete(request_keys).where(request_keys.c.at <= now - KEPT))
    values = {"key": key.key, "digest": key.digest, "run_id": run_id, "at": now}
    if not insert_once(connection, request_keys, values):
        known_answer(connection, key, now)


def known_answer(connection: Connection, key: RequestKey, now: dt.datetime) -> str | None:
    """The id of the run that answered the request before; None where none did.

    Raises:
        UsageError: another request had the key.
    """
    fresh = (request_keys.c.key == key.key, request_keys.c.at > now - KEPT)
    found = connection.execute(select(request_keys.c.digest, request_keys.c.run_id).where(*fresh)).first()
    if found is None:
        return None
    if found.digest != key.digest:
        raise UsageError(
            f"The Idempotency-Key {key.key!r} was that of another request.",
            remedy="Make a new key for each request; one that is sent again has its first key.",
        )
    return str(found.run_id)
