"""Up to where each scope was read: the marks that the table remembers, and under which names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from sentry_connector.reports.details import Details

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)

LATE, FULL = "late@", "full@"
"""How the names of marks begin that are kept beside a watermark."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Marks:
    """The marks of a table as a run finds them, in microseconds since 1970 UTC by name."""

    known: Mapping[str, int]
    details: Details

    def read_to(self, scope_id: str) -> dt.datetime | None:
        """Where the scope's last window ended; None where it has none."""
        return self._at(watermark_name(scope_id, self.details))

    def looked_through(self, scope_id: str) -> dt.datetime | None:
        """Up to where it was read when it was last looked through for late events."""
        return self._at(late_name(scope_id, self.details))

    def read_whole(self, scope_id: str) -> dt.datetime | None:
        """Up to where it was read when all of it was last held against a full read."""
        return self._at(full_name(scope_id, self.details))

    def earliest(self) -> dt.datetime | None:
        """Where the window of the scope that is furthest behind ended; None where none was read yet."""
        of_these = watermark_name("", self.details).split(":")[1:]
        marks = [
            self._at(name)
            for name in self.known
            if not name.startswith((LATE, FULL)) and name.split(":")[2:] == of_these
        ]
        return min(filter(None, marks), default=None)

    def _at(self, name: str) -> dt.datetime | None:
        microseconds = self.known.get(name)
        return None if microseconds is None else _EPOCH + microseconds * _MICROSECOND


def microseconds(instant: dt.datetime) -> int:
    """An instant as a mark."""
    return (instant - _EPOCH) // _MICROSECOND


def watermark_name(scope_id: str, details: Details) -> str:
    """What a watermark is about: a scope and, for counts, their stat and resolution too."""
    return ":".join([scope_id, *filter(None, (details.stat, details.resolution))])


def late_name(scope_id: str, details: Details) -> str:
    """What is kept beside a scope's watermark: up to where it was when it was last looked through for late events."""
    return f"{LATE}{watermark_name(scope_id, details)}"


def full_name(scope_id: str, details: Details) -> str:
    """What is kept beside a scope's watermark: up to where it was when all of it was last held against a full read."""
    return f"{FULL}{watermark_name(scope_id, details)}"
