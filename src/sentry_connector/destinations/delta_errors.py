"""What a failed write means, by the class and number of the error and by the room that is left; never by its text."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
from deltalake.exceptions import CommitFailedError, DeltaError

from sentry_connector.destinations.objects import holds_objects, plain_words
from sentry_connector.errors import DestinationError, DestinationRefused, DestinationUnavailable, DiskFull

_FULL = {errno.ENOSPC, errno.EDQUOT}
_SLACK = 1024 * 1024
"""Bytes: delta-rs and DuckDB hide the number of a failed write, so where less room is left than the write needs and this,
the disk is what was in the way."""


@contextmanager
def destination_errors(root: str, *, needed: int) -> Iterator[None]:
    """Turn what the libraries raise while they write into `DiskFull`, `DestinationRefused` or `DestinationUnavailable`.

    `CommitFailedError` passes: another writer was first, which is for the caller to look at.

    Args:
        root: the folder that is written to, or the address in a store of objects.
        needed: bytes that the write may take.
    """
    try:
        yield
    except CommitFailedError:
        raise
    except (OSError, DeltaError, duckdb.IOException, duckdb.OutOfMemoryException) as error:
        raise _meaning(error, root, needed) from error


def _meaning(error: Exception, root: str, needed: int) -> DestinationError:
    if (
        holds_objects(root)
        and isinstance(error, OSError)
        and not isinstance(error, FileNotFoundError | PermissionError)
    ):
        return DestinationUnavailable(
            f"{root} does not answer as it must: {plain_words(error)}",
            remedy="See what the store has: `sentry-connector doctor --storage`.",
        )
    if getattr(error, "errno", None) in _FULL or _room(root) < needed + _SLACK:
        return DiskFull(f"No space is left where {root} lies; the table is as it was.")
    return DestinationRefused(f"{root} could not be written: {plain_words(error)}")


def _room(root: str) -> float:
    """Bytes that are free where a local folder lies; without end for anything else."""
    try:
        return shutil.disk_usage(root).free
    except OSError:
        return float("inf")
