"""The audit log: read, proved, taken elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sentry_connector.runs.house import House
from sentry_connector.store.audit import EVERYTHING, Entry, Wanted


def recent(
    house: House, *, before: int | None = None, limit: int = 100, wanted: Wanted = EVERYTHING
) -> Sequence[Entry]:
    """Entries, newest first.

    Args:
        house: the parts.
        before: the number of an entry: only those that are older.
        limit: how many at most.
        wanted: which.
    """
    return house.store.audit.recent(before=before, limit=limit, wanted=wanted)


def everything(house: House) -> Iterator[Entry]:
    """All entries, oldest first."""
    return house.store.audit.everything()


def verify(house: House) -> tuple[int, str]:
    """Prove that no entry was changed or is missing.

    Returns:
        How many there are, and the digest of the last, which proves all of them: written down elsewhere, it shows later
        whether the log still holds what it held.

    Raises:
        AuditBroken: one was, or is.
    """
    return house.store.audit.verify()
