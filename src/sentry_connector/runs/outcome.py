"""How a run ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from sentry_connector.errors import ConnectorError
from sentry_connector.store.records import Missing, Verdict

if TYPE_CHECKING:  # they load Arrow, which no outcome needs
    from sentry_connector.destinations.model import Committed
    from sentry_connector.extraction.read import Extraction


class _Findings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What reading found, as a commit carries it."""

    rows_read: int = 0
    incomplete: tuple[Missing, ...] = ()
    warnings: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()


_FORGOTTEN = Missing(
    scope="all",
    reason="The run's rows are in the table. Whether any were missing is not known: the entry that said so has been "
    "cleaned from the table's log. A further run tells.",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The end of one attempt.

    Attributes:
        verdict: COMPLETE, INCOMPLETE, FAILED or CANCELLED.
        committed: what changed in the table; None where nothing was committed.
        rows_read: rows that Sentry gave, each counted once.
        incomplete: what is missing, and why.
        warnings: sentences that a COMPLETE run still has to say.
        drift: as `Run`.
        error: why it failed.
    """

    verdict: Verdict
    committed: Committed | None = None
    rows_read: int = 0
    incomplete: tuple[Missing, ...] = ()
    warnings: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()
    error: ConnectorError | None = None

    @classmethod
    def of_reading(
        cls, incomplete: tuple[Missing, ...], *, rows_read: int, warnings: tuple[str, ...], drift: tuple[str, ...] = ()
    ) -> Outcome:
        """The outcome that follows from what was read: INCOMPLETE where anything is missing."""
        verdict = Verdict.INCOMPLETE if incomplete else Verdict.COMPLETE
        return cls(verdict=verdict, incomplete=incomplete, rows_read=rows_read, warnings=warnings, drift=drift)

    @classmethod
    def of_commit(cls, committed: Committed) -> Outcome:
        """The outcome of a run that ended for the table and not for the store: the commit itself says what was found.

        Where the table's history has been cleaned beyond it, nobody can say that the run was complete, so it is not said.
        """
        if committed.findings is None:
            return cls.of_reading((_FORGOTTEN,), rows_read=0, warnings=()).with_commit(committed)
        found = msgspec.json.decode(committed.findings, type=_Findings)
        outcome = cls.of_reading(
            found.incomplete, rows_read=found.rows_read, warnings=found.warnings, drift=found.drift
        )
        return outcome.with_commit(committed)

    def rows(self) -> dict[str, int]:
        """What was read, and what that did to the table, as a run and an attempt say it."""
        done = self.committed
        return {
            "rows_read": self.rows_read,
            "rows_written": done.written if done else 0,
            "rows_updated": done.updated if done else 0,
            "rows_deleted": done.deleted if done else 0,
        }

    def findings(self) -> str:
        """What reading found, to be kept with the commit: it is told even where the store forgot that the run began."""
        found = _Findings(
            rows_read=self.rows_read, incomplete=self.incomplete, warnings=self.warnings, drift=self.drift
        )
        return msgspec.json.encode(found).decode()

    def with_commit(self, committed: Committed) -> Outcome:
        """The outcome once the rows are in the table."""
        return replace(self, committed=committed)

    def warned(self, *sentences: str) -> Outcome:
        """The outcome with further warnings."""
        return replace(self, warnings=(*self.warnings, *sentences))


def drift_warnings(extraction: Extraction, *, most: int = 8) -> list[str]:
    """One sentence about what the catalogue does not know; empty where there was nothing."""
    drift = extraction.drift
    if not drift:
        return []
    shown = ", ".join(f"{path} ({rows} rows)" for path, rows in drift.most_common(most))
    more = f" and {len(drift) - most} more" if len(drift) > most else ""
    return [f"Fields that the catalogue does not know, or values that do not fit, are kept in _extra: {shown}{more}."]
