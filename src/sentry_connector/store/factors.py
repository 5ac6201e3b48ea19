"""Second factors in the store: seeds as the vault seals them, and recovery codes by their digests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import delete, func, insert, select, update

from sentry_connector.errors import EditedMeanwhile
from sentry_connector.store.database import Database
from sentry_connector.store.rows import insert_once
from sentry_connector.store.tables import api_keys, factors, recovery_codes, sessions, users


class Factor(NamedTuple):
    """A person's second factor.

    Attributes:
        sealed: the seed whose codes are asked for; None = there is none.
        pending: one that nobody has shown a code of yet.
        used_step: the last step of time whose code was taken.
    """

    sealed: str | None
    pending: str | None
    used_step: int


NONE = Factor(None, None, 0)


class Factors:
    """The second factors of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, user_id: str) -> Factor:
        """A person's."""
        query = select(factors.c.sealed, factors.c.pending, factors.c.used_step).where(factors.c.user_id == user_id)
        with self._database.reading() as connection:
            row = connection.execute(query).first()
        return NONE if row is None else Factor(*row)

    def offer(self, user_id: str, pending: str) -> None:
        """Keep a seed until a code of it is shown; what is in use stays in use until then."""
        with self._database.writing() as connection:
            if not insert_once(connection, factors, {"user_id": user_id, "pending": pending, "used_step": 0}):
                connection.execute(update(factors).where(factors.c.user_id == user_id).values(pending=pending))

    def take_up(
        self, user_id: str, pending: str, step: int, codes: Collection[str], now: dt.datetime, *, but: str | None
    ) -> None:
        """Use the pending seed from now on, with other recovery codes than before; the person's sessions end.

        Args:
            user_id: whose.
            pending: the seed that a code was shown of, as it is sealed.
            step: that of the code, which is used by this.
            codes: the digests of the recovery codes.
            now: the present.
            but: the digest of a session that goes on.

        Raises:
            EditedMeanwhile: another seed is pending by now.
        """
        with self._database.writing() as connection:
            same = (factors.c.user_id == user_id, factors.c.pending == pending)
            taken = {"sealed": pending, "pending": None, "used_step": step}
            if not connection.execute(update(factors).where(*same).values(**taken)).rowcount:
                raise EditedMeanwhile("Another second factor was begun meanwhile.", remedy="Begin again.")
            connection.execute(update(users).where(users.c.id == user_id).values(factor_since=now))
            connection.execute(delete(recovery_codes).where(recovery_codes.c.user_id == user_id))
            connection.execute(insert(recovery_codes), [{"digest": one, "user_id": user_id} for one in codes])
            others = sessions.c.user_id == user_id
            connection.execute(delete(sessions).where(others if but is None else others & (sessions.c.digest != but)))

    def use_step(self, user_id: str, step: int) -> bool:
        """Use a step of time up: True for the first who does, and never for one that is not after the last."""
        newer = (factors.c.user_id == user_id, factors.c.used_step < step)
        with self._database.writing() as connection:
            return connection.execute(update(factors).where(*newer).values(used_step=step)).rowcount == 1

    def use_code(self, user_id: str, digest: str) -> bool:
        """Use a recovery code up: True for the first who does."""
        this = (recovery_codes.c.user_id == user_id, recovery_codes.c.digest == digest)
        with self._database.writing() as connection:
            return connection.execute(delete(recovery_codes).where(*this)).rowcount == 1

    def codes_left(self, user_id: str) -> int:
        """How many recovery codes a person has left."""
        query = select(func.count()).select_from(recovery_codes).where(recovery_codes.c.user_id == user_id)
        with self._database.reading() as connection:
            return connection.scalar(query) or 0

    def forget(self, user_id: str) -> None:
        """Forget a person's second factor with its recovery codes; their sessions and API keys end."""
        with self._database.writing() as connection:
            for table in (factors, recovery_codes, sessions, api_keys):
                connection.execute(delete(table).where(table.c.user_id == user_id))
            connection.execute(update(users).where(users.c.id == user_id).values(factor_since=None))
