"""The tables of the store. `migrations/` makes them; a test holds the two to one another."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    false,
    text,
)

from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.extraction.progress import Snapshot
from sentry_connector.reports.details import Details, Window
from sentry_connector.reports.scopes import Scope
from sentry_connector.store.records import (
    AccountStatus,
    Attempt,
    CatchUp,
    Kind,
    Missing,
    Part,
    Problem,
    Retry,
    RunState,
    Trigger,
    Verdict,
)
from sentry_connector.store.rights import Level, Right, Role, Thing

_Reading = Callable[[Any], Any]
"""From what the database's driver gives to the value; one call for each, where `process_result_value` costs three."""


def _utc_of_text(value: str | None) -> dt.datetime | None:
    return None if value is None else dt.datetime.fromisoformat(f"{value}+00:00")


def _utc_of_time(value: dt.datetime | None) -> dt.datetime | None:
    return None if value is None else value.astimezone(dt.UTC)


class UtcTime(TypeDecorator[dt.datetime]):
    """An instant: goes in with any zone, comes out in UTC. SQLite keeps no zones, so what it keeps is UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        """Python → database."""
        if value is None:
            return None
        utc = value.astimezone(dt.UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def result_processor(self, dialect: Dialect, coltype: object) -> _Reading:  # noqa: ARG002  # as SQLAlchemy asks
        """Database → Python; SQLite's text in one step, since lists hold thousands of times."""
        return _utc_of_text if dialect.name == "sqlite" else _utc_of_time


class Json(TypeDecorator[Any]):
    """A record as JSON text, checked against its type when it is read."""

    impl = Text
    cache_ok = True

    def __init__(self, type: Any) -> None:  # noqa: A002  # a TypeDecorator's cache key names attributes as parameters
        super().__init__()
        self.type = type

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Python → database; None is NULL."""
        return None if value is None else msgspec.json.encode(value).decode()

    def result_processor(self, dialect: Dialect, coltype: object) -> _Reading:  # noqa: ARG002  # as SQLAlchemy asks
        """Database → Python."""
        decode = msgspec.json.Decoder(self.type).decode
        return lambda value: None if value is None else decode(value)


class Word(TypeDecorator[Any]):
    """One of an enumeration's words."""

    impl = String
    cache_ok = True

    def __init__(self, words: type) -> None:
        super().__init__(32)
        self.words = words
        self._known = {str(word): word for word in words}  # type: ignore[attr-defined]  # an enumeration

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Python → database."""
        return None if value is None else str(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> _Reading:  # noqa: ARG002  # as SQLAlchemy asks
        """Database → Python."""
        known, words = self._known, self.words
        return lambda value: None if value is None else known.get(value) or msgspec.convert(value, words)


Words = tuple[str, ...]

metadata = MetaData()

accounts = Table(
    "accounts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_fold", Text, nullable=False, unique=True),
    Column("url", Text, nullable=False),
    Column("token_hint", Text, nullable=False),
    Column("sealed_token", Text, nullable=False),
    Column("status", Word(AccountStatus), nullable=False),
    Column("checked_at", UtcTime),
    Column("message", Text),
    Column("scopes", Json(Words)),
    Column("identity", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("token_since", UtcTime),
)

datasets = Table(
    "datasets",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_fold", Text, nullable=False),
    Column("slug", Text, nullable=False, unique=True),
    Column("description", Text, nullable=False),
    Column("tags", Json(Words), nullable=False),
    Column("report", Text, nullable=False),
    # No foreign key: the id of a deleted account stays, so that the environment's token is not taken in its place.
    Column("account_id", String(64)),
    Column("details", Json(Details), nullable=False),
    Column("update_method", Word(UpdateMethod), nullable=False),
    Column("key", Json(Words), nullable=False),
    Column("keep_days", Integer),
    Column("destination", Text, nullable=False),
    Column("schedule", Text, nullable=False),
    Column("retry", Json(Retry)),
    Column("keep_when_empty", Boolean, nullable=False),
    Column("accept_loss", Boolean, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("scopes", Json(dict[str, Scope]), nullable=False),
    Column("epoch", BigInteger, nullable=False, server_default=text("0")),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("deleted_at", UtcTime),
    Column("catch_up", Word(CatchUp), nullable=False, server_default=CatchUp.ONE.value),
    Column("slots_until", UtcTime),
    Column("muted", Boolean, nullable=False, server_default=false()),
)

LIVE = datasets.c.deleted_at.is_(None)

# On PostgreSQL it is of the live ones too, which its migration says; said here, every start would load that dialect.
Index("datasets_name", datasets.c.name_fold, unique=True, sqlite_where=LIVE)

runs = Table(
    "runs",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("dataset_id", String(64), ForeignKey("datasets.id", ondelete="CASCADE"), nullable=False),
    Column("trigger", Word(Trigger), nullable=False),
    Column("slot", UtcTime),
    Column("attempt", Integer, nullable=False),
    Column("state", Word(RunState), nullable=False),
    Column("verdict", Word(Verdict)),
    Column("epoch", BigInteger),
    Column("part", Json(Part)),
    Column("windows", Json(tuple[Window, ...]), nullable=False),
    Column("queued_at", UtcTime, nullable=False),
    Column("started_at", UtcTime),
    Column("finished_at", UtcTime),
    Column("rows_read", BigInteger, nullable=False),
    Column("rows_written", BigInteger, nullable=False),
    Column("rows_updated", BigInteger, nullable=False),
    Column("rows_deleted", BigInteger, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("waited_seconds", Float, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("table_version", BigInteger),
    Column("warnings", Json(Words), nullable=False),
    Column("error", Json(Problem)),
    Column("incomplete", Json(tuple[Missing, ...]), nullable=False),
    Column("requests_refused", BigInteger, nullable=False, server_default=text("0")),
    Column("attempts", Json(tuple[Attempt, ...]), nullable=False, server_default="[]"),
    Column("not_before", UtcTime),
    Column("cancel_asked_at", UtcTime),
    Column("progress", Json(Snapshot)),
    Column("drift", Json(Words), nullable=False, server_default="[]"),
)

Index("runs_by_dataset", runs.c.dataset_id, runs.c.queued_at)
Index("runs_by_state", runs.c.state)
Index("runs_by_time", runs.c.queued_at, runs.c.id)

slots = Table(
    "slots",
    metadata,
    Column("number", Integer, primary_key=True),  # a clock that is set back tells of a slot twice
    Column("dataset_id", String(64), ForeignKey("datasets.id", ondelete="CASCADE"), nullable=False),
    Column("first", UtcTime, nullable=False),
    Column("last", UtcTime, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("run_id", String(128)),
    Column("merged", Boolean, nullable=False),
)

Index("slots_by_dataset", slots.c.dataset_id, slots.c.number)

channels = Table(
    "channels",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_fold", Text, nullable=False, unique=True),
    Column("service", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("kinds", Json(tuple[Kind, ...]), nullable=False),
    Column("dataset_ids", Json(Words), nullable=False),
    Column("sealed_address", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("rests_until", UtcTime),
)

destinations = Table(
    "destinations",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_fold", Text, nullable=False, unique=True),
    Column("url", Text, nullable=False),
    Column("password_since", UtcTime),
    Column("sealed_password", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
)

episodes = Table(  # those that are not over
    "episodes",
    metadata,
    Column("subject_id", String(64), primary_key=True),
    Column("kind", Word(Kind), primary_key=True),
    Column("since", UtcTime, nullable=False),
)

notices = Table(
    "notices",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("kind", Word(Kind), nullable=False),
    Column("recovered", Boolean, nullable=False),
    Column("subject_id", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Column("dataset_id", String(64)),
    Column("message", Text, nullable=False),
    Column("run_id", String(128)),
    Column("since", UtcTime, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("muted", Boolean, nullable=False),
)

Index("notices_by_time", notices.c.at)

deliveries = Table(
    "deliveries",
    metadata,
    Column("notice_id", String(64), ForeignKey("notices.id", ondelete="CASCADE"), primary_key=True),
    Column("channel_id", String(64), ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True),
    Column("attempts", Integer, nullable=False),
    Column("sent_at", UtcTime),
    Column("given_up_at", UtcTime),
    Column("error", Text),
)

request_keys = Table(
    "request_keys",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("made", String(64), nullable=False),  # the id of what the request makes, chosen before that is there
    Column("holder", Text),  # who is at work on it; NULL once it is answered
    Column("at", UtcTime, nullable=False),
    Column("status", Integer),  # NULL until it is answered
    Column("location", Text),
    Column("body", Text),
)

log_lines = Table(  # where several machines share the store
    "log_lines",
    metadata,
    Column("run_id", String(128), ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("line", Text, nullable=False),
)

facts = Table(  # that all who share the store must agree about
    "facts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("holder", Text, nullable=False),
    Column("acquired_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("epoch", BigInteger, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_fold", Text, nullable=False, unique=True),
    Column("role", Word(Role), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("password", Text),  # its hash
    Column("issuer", Text),
    Column("subject", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("signed_in_at", UtcTime),
    Column("factor_since", UtcTime),
)

Index("users_by_subject", users.c.issuer, users.c.subject, unique=True)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("user_id", String(64), ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("used_at", UtcTime, nullable=False),
    Column("address", Text),
)

factors = Table(
    "factors",
    metadata,
    Column("user_id", String(64), ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("sealed", Text),  # the seed in use
    Column("pending", Text),  # one that nobody has shown a code of yet
    Column("used_step", BigInteger, nullable=False),
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("user_id", String(64), ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("user_id", String(64), ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("hint", Text, nullable=False),
    Column("rights", Json(tuple[Right, ...]), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("used_at", UtcTime),
)

grants = Table(
    "grants",
    metadata,
    Column("user_id", String(64), ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("thing", Word(Thing), primary_key=True),
    Column("object_id", String(64), primary_key=True),
    Column("level", Word(Level), nullable=False),
    Column("granted_at", UtcTime, nullable=False),
)

Index("grants_by_object", grants.c.thing, grants.c.object_id)

saved_queries = Table(
    "saved_queries",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_fold", Text, nullable=False, unique=True),
    Column("sql", Text, nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("owner_id", String(64), ForeignKey("users.id", ondelete="SET NULL")),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
)

origins = Table(  # servers in a private network that an admin has allowed
    "origins",
    metadata,
    Column("origin", String(512), primary_key=True),
    Column("added_at", UtcTime, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("via", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("object", Text),
    Column("outcome", Text, nullable=False),
    Column("facts", Json(dict[str, str]), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
)

audit_head = Table(  # one row
    "audit_head",
    metadata,
    Column("number", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
)
