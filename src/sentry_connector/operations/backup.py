"""A copy of the connector's database, made while it is in use."""

from __future__ import annotations

from pathlib import Path

from sentry_connector.errors import UsageError, disk_error
from sentry_connector.operations.audited import audited
from sentry_connector.runs.house import House


@audited("backup")
def backup(house: House, target: Path) -> int:
    """Copy the store in one state, whoever writes to it meanwhile.

    Args:
        house: the parts.
        target: a new file.

    Returns:
        How many bytes it has.

    Raises:
        UsageError: the store is PostgreSQL's, which has tools of its own, or the file is there already.
        DiskFull, DestinationRefused: it cannot be written.
        StoreUnusable: the store cannot be read.
    """
    if house.settings.is_shared:
        raise UsageError(
            "The store is PostgreSQL's.",
            remedy='Use its own tools: pg_dump --format custom --file FILE "$SENTRY_CONNECTOR_DATABASE_URL"',
        )
    try:
        house.store.copy(target)
    except FileExistsError:
        raise UsageError(f"{target} is there already.", remedy="Name a new file.") from None
    except OSError as error:
        raise disk_error(error, str(target)) from error
    return target.stat().st_size
