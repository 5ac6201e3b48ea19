"""A single update of a table, taken out again."""

from __future__ import annotations

import contextlib

from sentry_connector.destinations.model import Committed, UpdateMethod
from sentry_connector.errors import ConnectorError, UsageError
from sentry_connector.operations import datasets
from sentry_connector.operations.audited import audited
from sentry_connector.runs.house import House
from sentry_connector.runs.lease import held
from sentry_connector.runs.measure import measure


@audited("datasets delete-update", "run_id")
async def delete_update(house: House, name: str, run_id: str, *, wait_lock: float = 0.0) -> Committed:
    """Delete the rows that one run appended, and no others; itself a new version. Watermarks stay, so no run reads them again.

    Raises:
        UnknownName: there is no such DataSet, or its table holds no row of that run.
        UsageError: another update method than Append: its runs have put rows in the place of others.
        Locked: a run is at work on the DataSet.
    """
    dataset = await house.aside(lambda: datasets.find(house, name))
    if dataset.update_method is not UpdateMethod.APPEND:
        raise UsageError(
            f"{dataset.name!r} is updated by {dataset.update_method}: a run puts rows in the place of earlier ones.",
            remedy="Revert to the version before that run; it brings back what was there.",
        )

    def take_out() -> Committed:
        table = datasets.table_of(house, dataset)
        done = table.delete_run(run_id, epoch=house.store.datasets.next_epoch(dataset.id, table.highest_epoch()))
        with contextlib.suppress(ConnectorError):  # then lists tell the figure from before until the next run
            measure(house, dataset, table)
        return done

    async with held(house, f"dataset/{dataset.id}", wait=wait_lock) as holding:
        return await holding.aside(take_out)
