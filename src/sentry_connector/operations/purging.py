"""Deleted DataSets that go for good before their time; and what stays behind where a table cannot be dropped, or is to stay."""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

from sentry_connector.destinations.model import Remains
from sentry_connector.errors import ConnectorError
from sentry_connector.operations.audited import audited, write
from sentry_connector.runs.expired import forget
from sentry_connector.runs.house import House
from sentry_connector.runs.lease import held
from sentry_connector.store.records import DataSet

_ALL = 2**62
"""Beyond each epoch."""


class Purged(NamedTuple):
    """A DataSet that is no more, and what stays behind of it; None = nothing."""

    dataset: DataSet
    left: Remains | None


@audited("datasets purge", "leave_table")
async def purge(house: House, name: str, *, leave_table: bool = False) -> Purged:
    """Forget a deleted DataSet for good, with its table, its runs and their logs.

    Args:
        house: the parts.
        name: the DataSet's; the one deleted last where there are several.
        leave_table: the table stays where it is, which nobody has to reach for that.

    Raises:
        UnknownName: there is no such deleted DataSet.
        Locked: a run is still at work on it.
        ConnectorError: the table cannot be dropped. The DataSet stays where it is, and cannot be restored any more.
    """
    dataset = await house.aside(lambda: find(house, name))
    left = await house.aside(lambda: left_behind(house, dataset)) if leave_table else None

    async with held(house, f"dataset/{dataset.id}") as holding:
        await holding.aside(lambda: (_leave if leave_table else _drop)(house, dataset))
    return Purged(dataset, left)


def find(house: House, name: str) -> DataSet:
    """The deleted DataSet of that name, slug or id.

    Raises:
        UnknownName: there is none.
    """
    return house.store.datasets.find_deleted(name)


def left_behind(house: House, dataset: DataSet) -> Remains | None:
    """What stays behind of a DataSet when its table is not dropped; None where no run ever began to fill one.

    Nothing is asked of where the table lies.
    """
    return house.table(dataset).remains() if house.store.runs.history(dataset.id, limit=1) else None


def purged_view(purged: Purged) -> dict[str, Any]:
    """A DataSet that is no more."""
    left = purged.left
    return {
        "id": purged.dataset.id,
        "name": purged.dataset.name,
        "left": left and {"address": left.address, "table": left.name, "statements": list(left.statements)},
    }


def _leave(house: House, dataset: DataSet) -> None:
    forget(house, dataset, found=dataset)
    with contextlib.suppress(ConnectorError):  # what was staged is of no use to anybody
        house.table(dataset).sweep(_ALL)


def _drop(house: House, dataset: DataSet) -> None:
    house.store.datasets.condemn(dataset, house.now())  # nobody gets it back without its table
    try:
        house.table(dataset).drop()
    except ConnectorError as error:
        write(house, "datasets purge", about=dataset.name, outcome="refused", why=error.name)
        error.remedy += (
            f" Or forget the DataSet and leave its table where it is: `datasets purge {dataset.slug} --leave-table`."
        )
        raise
    forget(house, dataset)
