"""How far back Sentry keeps what happened."""

from __future__ import annotations

import datetime as dt

SHORTEST_RETENTION = dt.timedelta(days=30)
LONGEST_RETENTION = dt.timedelta(days=90)
"""How long Sentry's plans keep errors: https://docs.sentry.io/security-legal-pii/security/data-retention-periods/."""

RETENTION_EDGE = dt.timedelta(hours=24)
"""What is so close to the end of Sentry's retention may be half gone already."""


def forgotten_before(now: dt.datetime, retention: dt.timedelta | None) -> dt.datetime:
    """Before when nothing is kept any more, where nobody has said how long: by the plan that keeps it longest."""
    return now - (LONGEST_RETENTION if retention is None else retention)


def kept_since(now: dt.datetime, retention: dt.timedelta | None, oldest: dt.datetime | None) -> dt.datetime:
    """Since when all that happened is kept, for certain.

    Where nobody has said how long it is, every plan keeps 30 days, and what was read shows how far back this one reaches.

    Args:
        now: when it was read.
        retention: how long Sentry keeps events; None where nobody has said it.
        oldest: the time of the organization's oldest row; None where there is none.
    """
    if retention is not None:
        return now - retention + RETENTION_EDGE
    shortest, longest = (now - kept + RETENTION_EDGE for kept in (SHORTEST_RETENTION, LONGEST_RETENTION))
    return max(longest, shortest if oldest is None else min(shortest, oldest))
