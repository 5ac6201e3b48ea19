"""A DataSet's table, looked at: pages of its rows, figures of its columns, charts, what Sentry sent that no column takes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from sentry_connector.destinations import figures as asked
from sentry_connector.destinations.figures import ColumnFigures, Common
from sentry_connector.destinations.looking import Look, field_of
from sentry_connector.destinations.model import EXTRA
from sentry_connector.destinations.paging import Finds, Page
from sentry_connector.destinations.paging import page as page_of
from sentry_connector.destinations.paging import page_at_hand as at_hand
from sentry_connector.destinations.query import Snapshot, Source
from sentry_connector.destinations.sql_model import Sql
from sentry_connector.destinations.sql_text import quoted
from sentry_connector.errors import UnknownName
from sentry_connector.extraction.schema import arrow_schema
from sentry_connector.operations import datasets
from sentry_connector.operations.timelines import bars
from sentry_connector.operations.views import common_view
from sentry_connector.reports import catalogue, windows
from sentry_connector.reports.model import Ranking, Timeline
from sentry_connector.runs.house import House
from sentry_connector.store.records import DataSet


def page(house: House, name: str, look: Look, finds: Finds, version: int | None = None) -> Page:
    """Some rows of a DataSet.

    Args:
        house: the parts.
        name: the DataSet's.
        look: which rows, in which order.
        finds: what is known from earlier pages.
        version: of its table; None = the newest.

    Raises:
        UnknownName: there is no such DataSet, version or column.
        UsageError: a value is none of its column's.
        QueryTimeout: it took longer than a look may.
        DestinationUnavailable, DestinationRefused: the table's database does not answer.
    """
    dataset = datasets.find(house, name)
    key = dataset.key or catalogue.find(dataset.report).key
    return page_of(source_of(house, dataset, version), look, key, finds)


def page_at_hand(house: House, dataset: DataSet, look: Look, finds: Finds) -> Page | None:
    """Some rows of a DataSet, where they are there at once; None where they have to be looked for."""
    return at_hand(source_of(house, dataset, None), look, finds)


def column_figures(
    house: House, name: str, columns: Sequence[str] = (), version: int | None = None
) -> list[ColumnFigures]:
    """What is to be said of the columns of a DataSet; of all of them where none is named.

    Raises:
        as `page`.
    """
    source = source_of(house, datasets.find(house, name), version)
    return asked.figures(source, [field_of(one, source.schema) for one in columns or source.schema.names])


def most_common(house: House, name: str, column: str, version: int | None = None) -> list[Common]:
    """The values of a column that most rows have.

    Raises:
        as `page`.
    """
    source = source_of(house, datasets.find(house, name), version)
    field = field_of(column, source.schema)
    return asked.most_common(source, lambda _: quoted(field.name), field.type)


@dataclass(frozen=True, kw_only=True, slots=True)
class ChartData:
    """A chart of a DataSet.

    Attributes:
        title: what it shows.
        kind: `timeline`, whose values are the times at which bars begin, or `ranking`.
        width: of a timeline: how wide its bars are.
        bars: what is drawn, in its order; a value that is None stands for rows without one.
        rest: of a ranking: how much has other values.
    """

    title: str
    kind: str
    width: str | None = None
    bars: tuple[Common, ...] = ()
    rest: int = 0


def chart(house: House, name: str, number: int, version: int | None = None) -> ChartData:
    """One of the charts that fit a DataSet's report.

    Raises:
        UnknownName: there is no such DataSet, version or chart.
        QueryTimeout, DestinationUnavailable, DestinationRefused: as `page`.
    """
    dataset = datasets.find(house, name)
    charts = catalogue.find(dataset.report).charts
    if number not in range(len(charts)):
        raise UnknownName("chart", str(number), map(str, range(len(charts))))
    wanted, source = charts[number], source_of(house, dataset, version)
    return _timeline(wanted, source, dataset) if isinstance(wanted, Timeline) else _ranking(wanted, source)


def drift(house: House, name: str, version: int | None = None) -> dict[str, int]:
    """What Sentry sent that no column takes: the path in its answer, and in how many rows something is there.

    Raises:
        as `page`.
    """
    source = source_of(house, datasets.find(house, name), version)
    return asked.keys_of(source, EXTRA) if EXTRA in source.schema.names else {}


def source_of(house: House, dataset: DataSet, version: int | None = None) -> Source:
    """A version of a DataSet's table, for a look; without rows, but with its columns, where nothing was committed.

    Raises:
        UnknownName: there is no such version.
    """
    stored = datasets.table_of(house, dataset).snapshot(version)
    found = stored or Snapshot(files=(), schema=arrow_schema(catalogue.find(dataset.report)))
    return replace(found, seconds=house.settings.look_seconds)


def chart_view(data: ChartData) -> dict[str, Any]:
    """A chart."""
    return {
        "title": data.title,
        "kind": data.kind,
        "width": data.width,
        "bars": [common_view(one) for one in data.bars],
        "rest": data.rest,
    }


def _timeline(chart: Timeline, source: Source, dataset: DataSet) -> ChartData:
    if chart.time not in source.schema.names:
        return ChartData(title=chart.title, kind=chart.kind)
    width, found = bars(asked.by_hour(source, chart.time, chart.sum), windows.zone(dataset.details.timezone))
    drawn = tuple(Common(value=one.at.astimezone(dt.UTC), rows=one.rows) for one in found)
    return ChartData(title=chart.title, kind=chart.kind, width=width, bars=drawn)


def _ranking(chart: Ranking, source: Source) -> ChartData:
    if chart.by not in source.schema.names:
        return ChartData(title=chart.title, kind=chart.kind)
    column, tag = quoted(chart.by), chart.tag

    def value(sql: Sql) -> str:
        return column if tag is None else sql.dialect.tag(column, tag)

    kind = pa.string() if tag is not None else source.schema.field(chart.by).type
    found = asked.most_common(source, value, kind, label=chart.label, summed=chart.sum)
    rest = asked.total(source, chart.sum) - sum(one.rows for one in found)
    return ChartData(title=chart.title, kind=chart.kind, bars=tuple(found), rest=rest)
