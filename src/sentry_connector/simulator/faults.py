"""Faults by seed: everything that networks, proxies and overloaded servers do to a client now and then."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from random import Random


class Fault(StrEnum):
    """What can go wrong with one answer."""

    STORM = "storm"  # the rate limit's 429 for this and some following requests
    THROTTLED = "throttled"  # the query service's 429, with Retry-After
    INTERNAL_ERROR = "500"
    BAD_GATEWAY = "502"
    UNAVAILABLE = "503"
    GATEWAY_TIMEOUT = "504"
    RESET_BEFORE = "reset_before"  # the connection breaks before an answer
    RESET_WITHIN = "reset_within"  # the connection breaks in the middle of the body
    TRUNCATED = "truncated"  # fewer bytes than Content-Length says
    TRUNCATED_GZIP = "truncated_gzip"  # a whole HTTP answer whose compressed body is cut
    HTML = "html"  # a proxy's page, with status 200
    SLOW = "slow"
    SHIFTED = "shifted"  # a row-offset page begins some rows early, and the next one follows it: rows come twice
    JSON_ERROR = "json_error"  # an error as JSON, with status 200


EVERY_FAULT = tuple(fault for fault in Fault if fault is not Fault.JSON_ERROR)
"""Those that are over when the request is made again. A lasting answer could not be told from an error with status 200."""

LONGEST_STREAK = 2
LONGEST_STORM = 4


@dataclass(slots=True)
class Faults:
    """Decides which requests are struck; the same seed strikes the same requests in the same way.

    A request (its path and query) is never struck more than twice in a row: whoever tries three times gets through.

    Attributes:
        rate: share of the requests that are struck, 0 to 1.
        seed: what the choice follows from.
        kinds: which faults there are.
        struck: how often each has happened.
    """

    rate: float
    seed: int = 1
    kinds: tuple[Fault, ...] = EVERY_FAULT
    struck: dict[Fault, int] = field(default_factory=dict)
    _asked: dict[str, int] = field(default_factory=dict)
    _streak: dict[str, int] = field(default_factory=dict)
    _storm: int = 0

    def strike(self, target: str) -> Fault | None:
        """What happens to this request; `target` is its path and query."""
        asked = self._asked[target] = self._asked.get(target, 0) + 1
        if self._streak.get(target, 0) >= LONGEST_STREAK:
            self._streak[target] = 0
            return None
        fault = self._draw(Random(f"{self.seed}:{asked}:{target}"))
        self._streak[target] = self._streak.get(target, 0) + 1 if fault else 0
        if fault:
            self.struck[fault] = self.struck.get(fault, 0) + 1
        return fault

    def _draw(self, random: Random) -> Fault | None:
        if self._storm:
            self._storm -= 1
            return Fault.STORM
        if random.random() >= self.rate:
            return None
        fault = random.choice(self.kinds)
        if fault is Fault.STORM:
            self._storm = random.randint(0, LONGEST_STORM)
        return fault
