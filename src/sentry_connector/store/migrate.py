"""Brings a database to the state that this program needs, in one transaction: whole or not at all."""

from __future__ import annotations

from sqlalchemy import Connection, column, func, inspect, select, table

from sentry_connector.errors import StoreUnusable
from sentry_connector.store.database import Database

HEAD = "0005"
"""The newest migration in `migrations/versions`; a database at this state is opened without loading Alembic."""

_LOCK = 7_305_461_238
"""Number of the PostgreSQL advisory lock that lets one process at a time migrate: any that nobody else uses."""


def migrate(database: Database) -> None:
    """Make the tables, or change them to what this program needs.

    Raises:
        StoreUnusable: the database was made by a newer version of the program, or cannot be used.
    """
    with database.reading() as connection:
        if _revision(connection) == HEAD:
            return
    with database.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        _upgrade(connection, database.name)


def _revision(connection: Connection) -> str | None:
    """The database's migration; None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.scalar(select(column("version_num")).select_from(table("alembic_version")))


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
        raise StoreUnusable(
            f"The database {name} was made by a newer version of this program (its state is {revision!r}).",
            remedy="Install the newer version again, or name another database or home.",
        )
    command.upgrade(config, "head")
