"""What a run could not read."""

from __future__ import annotations

from dataclasses import dataclass

from sentry_connector.errors import (
    AccessDenied,
    MalformedAnswer,
    NotFound,
    RateLimited,
    ScopeMissing,
    SentryUnavailable,
    SentryUnreachable,
)

ONE_SCOPE_ONLY = (
    AccessDenied,
    ScopeMissing,
    NotFound,
    MalformedAnswer,
    RateLimited,
    SentryUnavailable,
    SentryUnreachable,
)
"""Failures of one scope that leave the others their chance. Anything else (a rejected token, a full disk) ends the run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Incomplete:
    """Something chosen that is not whole, and why.

    Attributes:
        scope: the scope's id; None where the choice could not even be looked up.
        label: for people.
        reason: one sentence.
        error: the stable name of the error.
    """

    scope: str | None
    label: str
    reason: str
    error: str
