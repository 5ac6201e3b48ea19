"""DataSets in outline: what lists show of each, in one row of one question, however many there are.

SQLite's driver lets other threads on between any two rows, and a busy one then holds up whoever reads: few rows are quick rows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, ScalarSelect, Select, literal, select

from sentry_connector.store.records import DataSet, Latest, Verdict
from sentry_connector.store.rows import columns_of
from sentry_connector.store.sizes import PREFIX, Measured, Size
from sentry_connector.store.slots import UNTIL
from sentry_connector.store.tables import datasets, facts, runs


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """A DataSet in outline.

    Attributes:
        dataset: what it is.
        last: its newest run; None where it has none.
        fresh_at: when its newest COMPLETE run ended.
        until: up to when its slots are accounted for.
        measured: what is known of the size of its table.
    """

    dataset: DataSet
    last: Latest | None
    fresh_at: dt.datetime | None
    until: dt.datetime
    measured: Measured


def outlines(connection: Connection, *conditions: ColumnElement[bool]) -> list[Outline]:
    """The DataSets that fulfil the conditions, by name."""
    return [_read(row) for row in connection.execute(_OUTLINES.where(*conditions)).all()]


_OF_DATASET, _OF_RUN = DataSet.__struct_fields__, Latest.__struct_fields__
_LAST = len(_OF_DATASET) + len(_OF_RUN)


def _read(row: Sequence[Any]) -> Outline:
    of_run, (fresh_at, until, epoch, size) = row[len(_OF_DATASET) : _LAST], row[_LAST:]
    return Outline(
        dataset=DataSet(**dict(zip(_OF_DATASET, row, strict=False))),  # as many as it has fields
        last=None if of_run[0] is None else Latest(**dict(zip(_OF_RUN, of_run, strict=True))),
        fresh_at=fresh_at,
        until=until,
        measured=Measured(epoch=epoch, size=None if size is None else msgspec.json.decode(size, type=Size)),
    )


_other = runs.alias("other")


def _of_newest(column: ColumnElement[Any], *conditions: ColumnElement[bool]) -> ScalarSelect[Any]:
    """What a column says in the newest of a DataSet's runs that fulfils the conditions: one look into the index for each."""
    query = select(column).where(_other.c.dataset_id == datasets.c.id, *conditions)
    return query.order_by(_other.c.queued_at.desc(), _other.c.id.desc()).limit(1).correlate(datasets).scalar_subquery()


def _outlines() -> Select[Any]:
    complete = (_other.c.verdict == Verdict.COMPLETE, _other.c.finished_at.is_not(None))
    of_dataset, of_run = columns_of(datasets, DataSet), columns_of(runs, Latest)
    fresh_at = _of_newest(_other.c.finished_at, *complete)
    with_run = datasets.outerjoin(runs, runs.c.id == _of_newest(_other.c.id))
    with_size = with_run.outerjoin(facts, facts.c.name == literal(PREFIX).concat(datasets.c.id))
    query = select(*of_dataset, *of_run, fresh_at, UNTIL, datasets.c.epoch, facts.c.value).select_from(with_size)
    return query.order_by(datasets.c.name_fold, datasets.c.id)


_OUTLINES = _outlines()
"""Built once: it names so many columns that building takes longer than doing."""
