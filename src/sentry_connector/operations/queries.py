"""Saved queries: SQL with a name, one's own or shared with all. Whoever runs one runs it with their own rights."""

from __future__ import annotations

from collections.abc import Sequence

from sentry_connector.datasets.definition import LONGEST_NAME, plain_text
from sentry_connector.errors import UsageError
from sentry_connector.operations.audited import audited
from sentry_connector.runs.house import House
from sentry_connector.store.ids import new_id
from sentry_connector.store.records import SavedQuery

LONGEST_SQL = 100_000


@audited("queries save", "shared")
def save(house: House, name: str, sql: str, *, shared: bool = False) -> SavedQuery:
    """Save a statement under a name, in place of what one has saved under it. It need not run: its DataSets may come later.

    Args:
        house: the parts.
        name: unique, compared without case.
        sql: the statement.
        shared: all who may use the server see it.

    Raises:
        UsageError: the name or the statement is empty or too long.
        NotAllowed: the name is somebody else's, or viewers share nothing.
    """
    now = house.now()
    if not sql.strip():
        raise UsageError("The statement is empty.", remedy="Give one SELECT.")
    if len(sql) > LONGEST_SQL or "\0" in sql:
        raise UsageError(f"A statement has at most {LONGEST_SQL:,} characters, none of which is NUL.")
    query = SavedQuery(
        id=new_id(now, house.rng),
        name=plain_text("name", name, LONGEST_NAME),
        sql=sql,
        shared=shared,
        created_at=now,
        updated_at=now,
    )
    return house.store.queries.save(query)


def everything(house: House) -> Sequence[SavedQuery]:
    """One's own and those that are shared, by name."""
    return house.store.queries.list()


def find(house: House, name: str) -> SavedQuery:
    """The saved query of that name or id.

    Raises:
        UnknownName: there is none; the nearest names are given.
    """
    return house.store.queries.find(name)


@audited("queries delete")
def delete(house: House, name: str) -> SavedQuery:
    """Forget a saved query.

    Raises:
        UnknownName: there is none of that name.
        NotAllowed: it is somebody else's.
    """
    query = find(house, name)
    house.store.queries.delete(query)
    return query
