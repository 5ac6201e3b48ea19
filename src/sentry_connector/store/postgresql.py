"""PostgreSQL as the store's database: its connections, what its transactions hold, and its errors in our words.

Any number of processes, on any number of machines, may share it. What is said here of locks and timeouts is PostgreSQL's own
documentation: https://www.postgresql.org/docs/current/explicit-locking.html and …/runtime-config-client.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, select
from sqlalchemy.exc import DBAPIError, OperationalError

from sentry_connector.errors import ConnectorError, DiskFull, Locked, StoreUnreachable

DRIVER = "postgresql+psycopg"
"""The one driver that is used, whichever the URL names: psycopg 3."""

CONNECTIONS, MORE_CONNECTIONS = 4, 8
"""Of a process: those that stay open, and those beside them while there is much to do. A transaction is over in milliseconds."""

LONGEST_IDLE = 15.0
"""Seconds after which PostgreSQL ends a transaction whose process does nothing: one that was stopped must not hold others up."""

_WRITERS = 7_305_461_239
"""Number of the advisory lock that writers take one after another: any that nobody else uses."""

_LOCKED = frozenset({"55P03", "40001", "40P01"})  # lock_not_available, serialization_failure, deadlock_detected
_AWAY = frozenset({"25P03", "53300", "57P01", "57P02", "57P03", "57P05"})
"""Ended while idle, too many connections, shut down, crashed, starting up, ended while idle (…/errcodes-appendix.html)."""
_CONNECTION = "08"
_DISK_FULL = "53100"


def name_of(url: URL) -> str:
    """`postgresql://host:port/name`, which holds neither user nor password, nor what a query may hide."""
    port = f":{url.port}" if url.port else ""
    return f"postgresql://{url.host or ''}{port}/{url.database or ''}"


def engine_of(url: URL, wait: float) -> Engine:
    """The connections to a database.

    Args:
        url: of SQLAlchemy; what its query says of a connection stands before what is chosen here.
        wait: seconds that a statement waits for what another process holds, and a thread for a connection.
    """
    network = {
        "connect_timeout": max(2, min(10, round(wait))),
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,  # milliseconds after which a peer that confirms nothing is taken for gone
        "application_name": "sentry-connector",
    }
    made = create_engine(
        url.set(drivername=DRIVER),
        pool_size=CONNECTIONS,
        max_overflow=MORE_CONNECTIONS,
        pool_timeout=wait,
        pool_pre_ping=True,  # a server that was started again has forgotten the connections of before
        hide_parameters=True,
        connect_args={name: value for name, value in network.items() if name not in url.query},
    )
    event.listen(made, "connect", partial(_prepare, wait))
    event.listen(made, "before_cursor_execute", _without_nul, retval=True)
    return made


def _prepare(wait: float, connection: Any, _record: Any) -> None:
    """Nobody waits for ever, and nobody who stands still is waited for."""
    patience = {"lock_timeout": max(1, round(1000 * wait)), "idle_in_transaction_session_timeout": 1000 * LONGEST_IDLE}
    with connection.cursor() as cursor:
        for name, milliseconds in patience.items():
            cursor.execute("SELECT set_config(%s, %s, false)", [name, f"{milliseconds:.0f}"])
    connection.commit()


def _without_nul(
    _connection: Connection,
    _cursor: Any,
    statement: str,
    parameters: Any,
    _context: Any,
    many: bool,  # noqa: FBT001
) -> tuple[str, Any]:
    """A name of Sentry's may hold the character 0, which no text of PostgreSQL can; it is shown as what cannot be shown."""
    return statement, [_clean(one) for one in parameters] if many else _clean(parameters)


def _clean(parameters: Any) -> Any:
    if not isinstance(parameters, Mapping):
        return parameters
    return {
        name: value.replace("\x00", "\ufffd") if isinstance(value, str) else value for name, value in parameters.items()
    }


READING: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
"""All statements of a transaction see the one state that the first of them saw."""

WRITING: dict[str, Any] = {"isolation_level": "READ COMMITTED"}
"""Each statement sees what was stored before it began: whoever is alone sees what is so, and not what was before it waited."""


def be_alone(connection: Connection) -> None:
    """Until the transaction ends nobody else is in one that has called this: what it reads is still so when it writes."""
    connection.execute(select(func.pg_advisory_xact_lock(_WRITERS)))


def meaning(error: DBAPIError, name: str) -> ConnectorError | None:
    """The database's error in our words, by its SQLSTATE; None where it is none of the well-known ones."""
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if state in _LOCKED:
        return Locked(f"Another process is writing to the database {name}.")
    if state == _DISK_FULL:
        return DiskFull(f"No space is left for the database {name}.")
    lost = error.connection_invalidated or state in _AWAY or state.startswith(_CONNECTION)
    if lost or (not state and isinstance(error, OperationalError)):  # a connection that was not made has no state
        return StoreUnreachable(f"The database {name} cannot be reached: {one_line(error.orig)}.")
    return None


def one_line(error: object) -> str:
    """The first line of what the database says, which says what is wrong, without a full stop; hints follow it."""
    return next(iter(str(error).splitlines()), "").strip().rstrip(".")
