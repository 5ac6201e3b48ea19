"""History that nobody needs any more: what a store that grew for ever would one day be slow with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import delete, exists, func, select

from sentry_connector.store.database import Database
from sentry_connector.store.notices import WAITING
from sentry_connector.store.records import RunState
from sentry_connector.store.tables import deliveries, episodes, notices, runs, slots

AT_ONCE = 1000
"""Rows of a transaction: others write in between."""


class Thinning:
    """What is old in one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def runs(self, before: dt.datetime, keep: int) -> Sequence[str]:
        """Forget runs that ended before a time, but for the last `keep` of each DataSet; some of them, if they are many.

        Returns:
            Their ids: empty where no more are left.
        """
        newest_first = (runs.c.queued_at.desc(), runs.c.id.desc())
        place = func.row_number().over(partition_by=runs.c.dataset_id, order_by=newest_first)
        placed = select(runs.c.id, runs.c.state, runs.c.finished_at, place.label("place")).subquery()
        old = (placed.c.state == RunState.DONE, placed.c.finished_at < before, placed.c.place > keep)
        with self._database.writing() as connection:
            ids = connection.scalars(select(placed.c.id).where(*old).limit(AT_ONCE)).all()
            connection.execute(delete(runs).where(runs.c.id.in_(ids)))
        return ids

    def slots(self, before: dt.datetime) -> None:
        """Forget slots without a run that were due before a time."""
        with self._database.writing() as connection:
            connection.execute(delete(slots).where(slots.c.last < before))

    def notices(self, before: dt.datetime) -> None:
        """Forget notices from before a time, but for those that are still to be sent, and those of episodes that go on."""
        waits = exists().where(deliveries.c.notice_id == notices.c.id, *WAITING)
        goes_on = exists().where(
            episodes.c.subject_id == notices.c.subject_id,
            episodes.c.kind == notices.c.kind,
            episodes.c.since == notices.c.since,
        )
        with self._database.writing() as connection:
            connection.execute(delete(notices).where(notices.c.at < before, ~waits, ~goes_on))
