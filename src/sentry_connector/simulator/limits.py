"""Rate limits as sentry.io has them: a fixed window and a number of requests at once, per caller and family."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from sentry_connector.simulator.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Limit:
    """`requests` in each fixed window of `window` seconds, `concurrent` of them at once (None: as many as you like)."""

    requests: int
    window: int = 1
    concurrent: int | None = None


Category = str  # "user", "organization" (integrations) or "address" (organization tokens)

DEFAULT = Limit(40, 1, 25)
_EVENTS = Limit(60, 60, 1)
LIMITS: Mapping[str, Mapping[Category, Limit]] = {
    "project-events": {"user": _EVENTS, "address": _EVENTS, "organization": Limit(60, 60, 2)},
    "project-users": {"organization": Limit(5, 60)},
    "project-stats": {one: Limit(5) for one in ("user", "organization", "address")},
    "project-issues": {one: Limit(5) for one in ("user", "organization", "address")},
    "issues": {one: Limit(10) for one in ("user", "organization", "address")},
    "event-detail": {one: Limit(15) for one in ("user", "organization", "address")},
    "issue-detail": {one: Limit(5) for one in ("user", "organization", "address")},
}
"""By family and category; what is not here shares one default bucket per caller."""


@dataclass(slots=True)
class _Bucket:
    window: int = -1
    used: int = 0
    running: int = 0


@dataclass(slots=True)
class Limits:
    """The counters of one server. A refused request counts too, as it does in Sentry.

    Attributes:
        window_divisor: how many times shorter than Sentry's all windows are; what may run at once stays.
        refused: how many requests have got a 429.
    """

    window_divisor: int = 1
    refused: int = 0
    _buckets: dict[tuple[str, str], _Bucket] = field(default_factory=dict)

    @contextmanager
    def admitted(self, family: str, category: Category, caller: str, now: float) -> Iterator[dict[str, str]]:
        """Let a request in, and hand out the headers that its answer must bear.

        Raises:
            Refusal: 429, the window is used up or too many requests of this caller are running.
        """
        limit = LIMITS.get(family, {}).get(category)
        name = family if limit else "default"
        limit = limit or DEFAULT
        bucket = self._buckets.setdefault((caller, name), _Bucket())
        self._count(bucket, limit, now)
        bucket.running += 1
        try:
            yield self._headers(limit, bucket)
        finally:
            bucket.running -= 1

    def _count(self, bucket: _Bucket, limit: Limit, now: float) -> None:
        window = int(now * self.window_divisor // limit.window)
        if window != bucket.window:
            bucket.window, bucket.used = window, 0
        bucket.used += 1
        if bucket.used > limit.requests:
            self.refused += 1
            told = f"Limit is {limit.requests} requests in {self._seconds(limit.window)} seconds"
            raise Refusal.too_many(
                f"You are attempting to use this endpoint too frequently. {told}", self._headers(limit, bucket)
            )
        if limit.concurrent is not None and bucket.running >= limit.concurrent:
            self.refused += 1
            told = f"Concurrency limit is {limit.concurrent}"
            raise Refusal.too_many(
                f"You are attempting to go above the allowed concurrency for this endpoint. {told}",
                self._headers(limit, bucket),
            )

    def _headers(self, limit: Limit, bucket: _Bucket) -> dict[str, str]:
        """The X-Sentry-Rate-Limit headers; Reset is the end of the window in unix seconds, with a fraction where it has one."""
        told = {
            "Limit": limit.requests,
            "Remaining": max(0, limit.requests - bucket.used),
            "Reset": self._seconds((bucket.window + 1) * limit.window),
        }
        if limit.concurrent is not None:
            told["ConcurrentLimit"] = limit.concurrent
            told["ConcurrentRemaining"] = max(0, limit.concurrent - bucket.running - 1)
        return {f"X-Sentry-Rate-Limit-{name}": str(value) for name, value in told.items()}

    def _seconds(self, unscaled: int) -> float:
        """A time of the limits' own clock in seconds; a whole number stays one."""
        whole, rest = divmod(unscaled, self.window_divisor)
        return unscaled / self.window_divisor if rest else whole
