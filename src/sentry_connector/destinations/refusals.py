"""Why a table does not take a commit, in the same words wherever it lies."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import pyarrow as pa

from sentry_connector.destinations.model import Days, UpdateMethod
from sentry_connector.errors import DestinationRefused, KeyViolated, TableChanged, UnknownName


def null_key(name: str, rows: int) -> KeyViolated:
    """A key column without a value tells nothing apart."""
    return KeyViolated(f"The key column {name!r} is null in {rows} rows.", column=name)


def doubled_key(key: Sequence[str], values: Iterable[Any]) -> KeyViolated:
    """Of two rows with one key nobody knows which one counts."""
    shown = ", ".join(f"{name}={value!r:.100}" for name, value in zip(key, values, strict=True))
    return KeyViolated(f"The key ({shown}) is in the run's rows more than once.", key=list(key))


def overtaken(epoch: int, there: int) -> TableChanged:
    """A later run was first."""
    return TableChanged(f"Epoch {epoch} was overtaken: the table has epoch {there}.")


def no_update(run_id: str) -> UnknownName:
    """There is nothing to delete."""
    return UnknownName(
        "update", run_id, remedy="The table holds no row of that run; `runs list` tells what each of them wrote."
    )


def refuse_other_types(there: pa.Schema, wanted: pa.Schema) -> None:
    """A column never changes its type.

    Raises:
        DestinationRefused: one would.
    """
    for one in wanted:
        if one.name in there.names and there.field(one.name).type != one.type:
            raise DestinationRefused(f"The column {one.name!r} is {there.field(one.name).type}, not {one.type}.")


def refuse_strays(staged: Collection[dt.date | None], days: Days) -> None:
    """Rows of a day that a Partition commit does not touch are a defect.

    Raises:
        ValueError: there are such.
    """
    strays = set(staged) - days.whole - days.gaining
    if strays:
        raise ValueError(f"Rows are staged for days that the commit does not touch: {strays}.")


def wrong_partitions(method: UpdateMethod) -> DestinationRefused:
    """Rows that lie there would have to be written anew under another rule; a Replace run does that, or empties the table."""
    if method is UpdateMethod.PARTITION:
        return DestinationRefused(
            "The table holds rows and is not partitioned by day.",
            remedy="Empty it with a Replace run that returns no rows, or create a new DataSet with Partition.",
        )
    return DestinationRefused(
        f"The table is partitioned by day, which {method} does not keep.",
        remedy="Run it once with Replace, or keep the update method Partition.",
    )
