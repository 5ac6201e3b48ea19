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
    BEYOND_RETENTION = "dates beyond retention"
    # ---- of the process
    KILLED_ASKING = "killed before a request"
    KILLED_ANSWERED = "killed after an answer"
    KILLED_LOOKING = "killed at a look at the clock"
    KILLED_AT_STORE = "killed at the store"
    KILLED_IN_JOURNAL = "killed in the journal"
    KILLED_IN_PART = "killed in a part"
    KILLED_AFTER_PART = "killed after a part"
    KILLED_BEFORE_MANIFEST = "killed before a manifest"
    KILLED_AFTER_MANIFEST = "killed after a manifest"
    KILLED_BEFORE_COMMIT = "killed before the commit"
    KILLED_IN_COMMIT = "killed in the commit"
    KILLED_AFTER_COMMIT = "killed after the commit"
    OVERTAKEN = "stopped past its lease, then woken"
    OVERTAKEN_BY_FAILURE = "stopped past its lease; the other one failed"
    LATE_RETRY = "an old run retried"
    # ---- of what it stands on
    STORE_LOCKED = "store locked"
    STORE_RESTORED = "store restored from a backup"
    FULL_IN_JOURNAL = "disk full in the journal"
    FULL_IN_PART = "disk full in a part"
    FULL_IN_MANIFEST = "disk full in a manifest"
    FULL_IN_COMMIT = "disk full in the commit"
    FLIPPED_BYTE = "flipped byte in the spool"
    CONFLICT = "commit conflict"
    CLOCK_AHEAD = "clock ahead"
    CLOCK_BEHIND = "clock behind"


OF_ANSWERS = tuple(Fault)[: tuple(Fault).index(Fault.DRIFT) + 1]
OF_FULL_DISKS = (Fault.FULL_IN_JOURNAL, Fault.FULL_IN_PART, Fault.FULL_IN_MANIFEST, Fault.FULL_IN_COMMIT)
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
