"""What a DataSet may become: a filled table keeps its report, its days, its server and its place."""

from __future__ import annotations

import msgspec

from sentry_connector.datasets.definition import Definition, check
from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.errors import LossNotAccepted, UsageError
from sentry_connector.operations.days import days_now, window_now
from sentry_connector.reports import catalogue
from sentry_connector.runs.house import House
from sentry_connector.sentry.address import Origin, server
from sentry_connector.store.records import DELTA, DataSet


def check_edit(house: House, dataset: DataSet, definition: Definition, origin: Origin | None) -> Definition:
    """The definition with its defaults filled in, where it suits a DataSet that is there.

    Args:
        house: the parts.
        dataset: as it is.
        definition: what it is to be.
        origin: the server that it is to ask; None = one that is not known any more.

    Raises:
        UsageError, LossNotAccepted: as `datasets.edit`.
    """
    definition = with_destination(house, check(definition), kept=dataset.destination)
    if definition.details != dataset.details:
        days_now(house, definition)
    refuse_strange_place(house, dataset, definition)
    _refuse_strange_rows(house, dataset, definition)
    _refuse_strange_server(house, dataset, origin)
    if definition != definition_of(dataset):
        refuse_loss(house, dataset, definition)
    return definition


def with_destination(house: House, definition: Definition, *, kept: str | None = None) -> Definition:
    """The definition with its destination's name as that is spelled.

    Args:
        house: the parts.
        definition: names it.
        kept: the one that it has already, which whoever edits it need not be allowed to use.

    Raises:
        UnknownName: there is no such destination, or not for whoever asks.
    """
    given = definition.destination
    if given.strip().casefold() == DELTA:
        return msgspec.structs.replace(definition, destination=DELTA)
    if given == kept:
        return definition
    return msgspec.structs.replace(definition, destination=house.store.destinations.find(given).name)


def refuse_strange_place(house: House, dataset: DataSet, definition: Definition) -> None:
    """A filled table stays where it is: in another place the next run would find neither its rows nor its watermarks.

    Raises:
        UsageError: it is filled, and to be somewhere else.
    """
    if definition.destination != dataset.destination and house.table(dataset).exists():
        raise UsageError(
            f"The table of {dataset.name!r} lies in {dataset.destination}, and is filled.",
            remedy="Make a new DataSet with the other destination.",
            field="destination",
        )


def definition_of(dataset: DataSet) -> Definition:
    """A stored DataSet as a person described it."""
    return Definition(**{name: getattr(dataset, name) for name in Definition.__struct_fields__})


def _refuse_strange_rows(house: House, dataset: DataSet, definition: Definition) -> None:
    """A filled table keeps its report, its resolution and whether it is partitioned: other rows would not fit beside the old.

    Replace empties the table anyway, so that it may change everything but the columns.
    """
    if not house.table(dataset).exists():
        return
    if definition.report != dataset.report:
        raise UsageError(
            f"{dataset.name!r} holds rows of {dataset.report}; rows of {definition.report} have other columns.",
            remedy="Make a new DataSet for the other report.",
            field="report",
        )
    replaces = definition.update_method is UpdateMethod.REPLACE
    if definition.details.resolution != dataset.details.resolution and not replaces:
        raise UsageError(
            "Counts of another resolution do not fit beside those in the table.",
            remedy="Change to --update-method replace first and run once, or make a new DataSet.",
            field="resolution",
        )
    was_partitioned = dataset.update_method is UpdateMethod.PARTITION
    if (definition.update_method is UpdateMethod.PARTITION) is not was_partitioned:
        raise UsageError(
            "A filled table is either partitioned by day or not.",
            remedy="Make a new DataSet with the other update method.",
            field="update_method",
        )
    if was_partitioned and definition.details.timezone != dataset.details.timezone:
        raise UsageError(
            f"The table is partitioned by the days of {dataset.details.timezone}; other days would overlap them.",
            remedy="Make a new DataSet for the other time zone.",
            field="timezone",
        )


def refuse_loss(house: House, dataset: DataSet, definition: Definition) -> None:
    """Refuse what would make Replace drop rows of the table, where somebody is there to consent.

    Raises:
        LossNotAccepted: the dates are shorter than what the table holds.
    """
    table, report = house.table(dataset), catalogue.find(definition.report)
    column = report.time_column
    may_lose = definition.update_method is UpdateMethod.REPLACE and not definition.accept_loss
    if not may_lose or column is None or not table.exists():
        return
    window = window_now(house, report, definition.details)
    rows = 0 if window.start is None else table.count_outside(column, window.start, window.end)
    if rows:
        raise LossNotAccepted(
            f"The next run would drop {rows:,} rows of {dataset.name!r} that lie outside these dates.",
            remedy="Choose longer dates or another update method, or consent with --accept-loss.",
            rows=rows,
        )


def _refuse_strange_server(house: House, dataset: DataSet, origin: Origin | None) -> None:
    """A filled table keeps its server: on another one the same ids, and the watermarks built on them, mean something else."""
    old = server_of(house, dataset.account_id)
    if old is not None and old != origin and house.table(dataset).exists():
        raise UsageError(
            f"{dataset.name!r} holds rows of another Sentry server than the account's.",
            remedy="Make a new DataSet for the other server.",
            field="account",
        )


def server_of(house: House, account_id: str | None) -> Origin | None:
    """Where an account's rows come from, or the environment's; None for an account that was deleted."""
    account = house.store.accounts.get(account_id) if account_id else None
    if account_id and account is None:
        return None
    return server(account.url if account else house.settings.url)
