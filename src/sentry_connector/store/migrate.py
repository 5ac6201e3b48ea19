"""Brings a database to the state that this program needs, in one transaction: whole or not at all."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, column, inspect, select, table

from sentry_connector.errors import StoreNewer
from sentry_connector.store.database import Database

HEAD = "0012"
"""The newest migration in `migrations/versions`; a database at this state is opened without loading Alembic."""


def migrate(database: Database) -> None:
    """Make the tables, or change them to what this program needs.

    Of several processes that begin at once one does it, and the others wait: no two write at a time.

    Raises:
        StoreNewer: the database was made by a newer version of the program.
        StoreUnusable: it cannot be used.
    """
    with database.reading() as connection:
        if _revision(connection) == HEAD:
            return
    import alembic.command  # noqa: F401, PLC0415  # slow to import: before anybody has to wait for us

    with database.writing() as connection:
        _upgrade(connection, database.name)


def check(database: Database) -> None:
    """See to it that no newer program has changed the database while it was open.

    Raises:
        StoreNewer: one has.
        Locked, StoreUnusable: the database cannot be read.
    """
    with database.reading() as connection:
        revision = connection.scalar(_REVISION)
    if revision != HEAD:
        raise StoreNewer(
            f"The database {database.name} was changed by a newer version of this program while it was open"
            f" (its state is {revision!r})."
        )


def _revision(connection: Connection) -> str | None:
    """The database's migration; None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(_REVISION)
    return found


_REVISION: Select[Any] = select(column("version_num")).select_from(table("alembic_version"))


def _upgrade(connection: Connection, name: str) -> None:
    """Run the missing migrations within the connection's transaction."""
    from alembic import command  # noqa: PLC0415  # slow to import, and rarely needed
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "sentry_connector.store:migrations")
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    revision = _revision(connection)
    if revision is not None and revision not in known:
        raise StoreNewer(
            f"The database {name} was made by a newer version of this program (its state is {revision!r})."
        )
    command.upgrade(config, "head")
