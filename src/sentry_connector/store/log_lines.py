"""The logs of runs in a store that several machines share: whoever did a run, everybody can read its log."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, insert, select

from sentry_connector.store.database import Database
from sentry_connector.store.tables import log_lines, runs


class LogLines:
    """The lines of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, run_id: str, lines: Sequence[str]) -> None:
        """Append lines to a run's log; those of a run that is no more are of no use to anybody."""
        if not lines:
            return
        last = select(func.coalesce(func.max(log_lines.c.number), 0)).where(log_lines.c.run_id == run_id)
        with self._database.writing() as connection:
            if connection.scalar(select(runs.c.id).where(runs.c.id == run_id)) is None:
                return
            first = connection.execute(last).scalar_one() + 1
            rows = [{"run_id": run_id, "number": first + place, "line": line} for place, line in enumerate(lines)]
            connection.execute(insert(log_lines), rows)

    def of(self, run_id: str) -> Sequence[str]:
        """The lines of a run's log, in their order."""
        query = select(log_lines.c.line).where(log_lines.c.run_id == run_id).order_by(log_lines.c.number)
        with self._database.reading() as connection:
            return connection.scalars(query).all()
