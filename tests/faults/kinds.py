"""What can go wrong in a simulated run, and the record of what really did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """A class of faults. Its value is what stands in traces and in the histogram."""

    # ---- of one answer
    REFUSED = "connection refused"
    RESET = "reset within the body"
    TRUNCATED = "body cut without a word"
    TRUNCATED_GZIP = "compressed body cut"
    TIMEOUT = "timeout"
    LIMITED = "429 with a reset"
    LIMITED_FOR = "429 with Retry-After"
    LIMITED_UNTIL = "429 with a date"
    LIMITED_BARE = "429 without a word"
    INTERNAL_ERROR = "500"
    BAD_GATEWAY = "502"
    UNAVAILABLE = "503"
    GATEWAY_TIMEOUT = "504"
    HTML = "HTML with 200"
    ERROR_WITH_200 = "JSON error with 200"
    REPEATED_PAGE = "page answered twice"
    EMPTY_PAGE = "empty page with a next one"
    DRIFT = "rows arrive while paging"
    # ---- of one run's scope
    FORBIDDEN = "403 for a scope"
    GONE = "404 for a scope"
    REFUSED_QUERY = "400 for a scope"
    RENAMED = "project renamed"
    OUTAGE = "500 for a scope, all the time"
    # ---- of the process
    KILLED_ASKING = "killed before a request"
    KILLED_ANSWERED = "killed after an answer"
    KILLED_LOOKING = "killed at a look at the clock"
    KILLED_AT_STORE = "killed at the store"
    KILLED_IN_PART = "killed in a part"
    KILLED_AFTER_PART = "killed after a part"
    KILLED_BEFORE_MANIFEST = "killed before a manifest"
    KILLED_AFTER_MANIFEST = "killed after a manifest"
    KILLED_BEFORE_COMMIT = "killed before the commit"
    KILLED_AFTER_COMMIT = "killed after the commit"
    OVERTAKEN = "stopped past its lease, then woken"
    # ---- of what it stands on
    STORE_LOCKED = "store locked"
    STORE_RESTORED = "store restored from a backup"
    DISK_FULL = "disk full"
    FLIPPED_BYTE = "flipped byte in the spool"
    CONFLICT = "commit conflict"
    CLOCK_AHEAD = "clock ahead"
    CLOCK_BEHIND = "clock behind"


OF_ANSWERS = tuple(Fault)[: tuple(Fault).index(Fault.DRIFT) + 1]
OF_SCOPES = (Fault.FORBIDDEN, Fault.GONE, Fault.REFUSED_QUERY, Fault.OUTAGE)


@dataclass
class Ledger:
    """Which faults fired, in their order."""

    trace: list[str] = field(default_factory=list)
    fired: Counter[Fault] = field(default_factory=Counter)

    def note(self, fault: Fault, where: str = "") -> None:
        """A fault has really happened."""
        self.fired[fault] += 1
        self.trace.append(f"{fault.value}: {where}" if where else fault.value)
