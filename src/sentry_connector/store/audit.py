"""The audit log: who did what, and when. Entries are only ever added, and each holds the digest of the one before.

What was changed or is missing shows when the chain is reckoned anew; the last digest stands beside the entries, so that their
end cannot be cut off unseen. Whoever may write to the database could reckon a whole new chain: an export that lies elsewhere,
or a digest written down, shows that too.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, insert, select, update

from sentry_connector.errors import AuditBroken
from sentry_connector.store.database import Database
from sentry_connector.store.rows import read_record, select_records
from sentry_connector.store.tables import audit, audit_head

FIRST = "0" * 64
"""What stands in place of the digest before the first entry."""

LARGEST = 2**63 - 1
"""The highest number that a database can be asked about."""


class Wanted(NamedTuple):
    """Which entries are looked for; empty = any.

    Attributes:
        actor, action, object: stand in those fields, compared without case.
        outcome: `done` or `refused`.
    """

    actor: str = ""
    action: str = ""
    object: str = ""
    outcome: str = ""


EVERYTHING = Wanted()


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, or refused.

    Attributes:
        number: from 1, without gaps.
        at: when.
        actor: who: a person's name, or the machine's user.
        via: by what: `command line`, `session`, `API key NAME`.
        action: what, in the words of the command line, such as `datasets edit`.
        object: the name of what it was done to.
        outcome: `done` or `refused`.
        facts: what else is to be known, as text.
        previous: the digest of the entry before.
        digest: of all that, SHA-256.
    """

    number: int
    at: dt.datetime
    actor: str
    via: str
    action: str
    object: str | None
    outcome: str
    facts: dict[str, str]
    previous: str
    digest: str


class Audit:
    """The audit log of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        now: dt.datetime,
        *,
        actor: str,
        via: str,
        action: str,
        about: str | None = None,
        outcome: str = "done",
        facts: dict[str, str] | None = None,
    ) -> Entry:
        """Write an entry."""
        with self._database.writing() as connection:
            number, previous = _head(connection, hold=True)
            told: dict[str, Any] = {
                "number": number + 1,
                "at": now.astimezone(dt.UTC),
                "actor": actor,
                "via": via,
                "action": action,
                "object": about,
                "outcome": outcome,
                "facts": facts or {},
                "previous": previous,
            }
            entry = Entry(**told, digest=digest_of(told))
            connection.execute(insert(audit).values(**msgspec.structs.asdict(entry)))
            connection.execute(update(audit_head).values(number=entry.number, digest=entry.digest))
        return entry

    def recent(self, *, before: int | None = None, limit: int = 100, wanted: Wanted = EVERYTHING) -> Sequence[Entry]:
        """Entries, newest first; `before` may be any number, of whatever length."""
        query = select_records(audit, Entry).order_by(audit.c.number.desc()).limit(limit)
        query = query.where(*_conditions(wanted))
        if before is not None:
            query = query.where(audit.c.number < min(max(before, 0), LARGEST))
        with self._database.reading() as connection:
            return [read_record(Entry, row) for row in connection.execute(query).mappings()]

    def everything(self) -> Iterator[Entry]:
        """All entries, oldest first, as they were in one moment.

        They are read before the first one is given: PostgreSQL ends a transaction that waits for a slow reader.
        """
        with self._database.reading() as connection:
            rows = connection.execute(select_records(audit, Entry).order_by(audit.c.number)).mappings().all()
        for row in rows:
            yield read_record(Entry, row)

    def verify(self) -> tuple[int, str]:
        """Reckon the whole chain anew.

        Returns:
            How many entries there are, and the last digest.

        Raises:
            AuditBroken: an entry was changed, added by somebody else, or is missing.
        """
        with self._database.reading() as connection:
            head, number, previous = _head(connection), 0, FIRST
            for row in connection.execute(select_records(audit, Entry).order_by(audit.c.number)).mappings():
                entry = read_record(Entry, row)
                number += 1
                told = msgspec.structs.asdict(entry)
                digest = told.pop("digest")
                if entry.number != number:
                    raise AuditBroken(f"The audit log's entry {number} is missing.")
                if entry.previous != previous or digest != digest_of(told):
                    raise AuditBroken(f"The audit log's entry {number} is not as it was written.")
                previous = digest
        if head != (number, previous):
            raise AuditBroken(f"The audit log ends with entry {number}, and {head[0]} were written.")
        return number, previous


def digest_of(told: dict[str, Any]) -> str:
    """SHA-256 of the digest before and an entry's canonical JSON: the fields by name, the time in UTC."""
    canonical = msgspec.json.encode(told, order="deterministic")
    return hashlib.sha256(told["previous"].encode() + b"\n" + canonical).hexdigest()


def _head(connection: Connection, *, hold: bool = False) -> tuple[int, str]:
    """The last entry's number and digest; nobody else writes an entry until the transaction has ended, where it is held."""
    query = select(audit_head.c.number, audit_head.c.digest)
    row = connection.execute(query.with_for_update() if hold else query).first()
    if row is None:
        raise AuditBroken("The audit log's end is missing.")
    return row.number, row.digest


def _conditions(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    parts = {audit.c.actor: wanted.actor, audit.c.action: wanted.action, audit.c.object: wanted.object}
    for column, text in parts.items():
        if text:
            yield column.icontains(text, autoescape=True)
    if wanted.outcome:
        yield audit.c.outcome == wanted.outcome
