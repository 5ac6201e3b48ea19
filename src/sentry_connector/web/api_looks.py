"""`/api/v1/datasets/{name}/…`: what there is to see in a DataSet's table: its rows page by page, figures, charts, lineage."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from sentry_connector.destinations.paging import Finds, Page
from sentry_connector.operations import runs, tables
from sentry_connector.operations.lineage import lineage
from sentry_connector.operations.views import common_view, figures_view
from sentry_connector.runs.house import House
from sentry_connector.store.rights import Role
from sentry_connector.web import openapi
from sentry_connector.web.access import visitor
from sentry_connector.web.answers import json_of
from sentry_connector.web.idempotency import KeyedRoute
from sentry_connector.web.looks import Asked, look_of
from sentry_connector.web.schemas import LARGEST
from sentry_connector.web.streaming import RowStreams, objects


class AtVersion(BaseModel, extra="forbid"):
    """Which state of the table is looked at."""

    version: int | None = Field(None, ge=0, le=LARGEST, description="One that `versions` lists; by default the newest.")


class Columns(AtVersion):
    """Which columns, of which state of the table."""

    column: list[str] = Field([], max_length=1000, description="Only this column; repeated for several.")


def look_routes(house: House, finds: Finds, streams: RowStreams) -> APIRouter:
    """The routes that look into tables.

    Args:
        house: as whoever asks sees it.
        finds: what looks have found lately.
        streams: which rows are read for when, a few at a time.
    """
    routes = APIRouter(prefix="/api/v1/datasets/{name}", tags=["datasets"], route_class=KeyedRoute)
    unknown = openapi.refusals(HTTPStatus.NOT_FOUND)

    async def told(look: Callable[[], Any]) -> Response:
        """What a look finds, once it is its turn: each may take the memory of a statement."""
        return await streams.aside(lambda: json_of(look()))

    @routes.get("/rows/page", name="page", summary="A page of its rows", responses=openapi.answers("RowPage") | unknown)
    async def page(name: str, asked: Annotated[Asked, Query()]) -> Response:
        """Sorted, filtered and searched; rows that are equal in all that they are sorted by keep one order from page to page."""
        look = look_of(asked)
        return await told(lambda: page_view(tables.page(house, name, look, finds, asked.version), asked.offset))

    @routes.get(
        "/stats/columns",
        name="column_stats",
        summary="Figures of its columns",
        responses=openapi.answers("ColumnStats", many=True) | unknown,
    )
    async def column_stats(name: str, wanted: Annotated[Columns, Query()]) -> Response:
        """Counts, least, greatest and mean values, lengths of texts. Different values of a Delta table are an estimate."""
        return await told(
            lambda: [figures_view(one) for one in tables.column_figures(house, name, wanted.column, wanted.version)]
        )

    @routes.get(
        "/stats/columns/{column}",
        name="most_common",
        summary="The values of a column that most rows have",
        responses=openapi.answers("CommonValue", many=True) | unknown,
    )
    async def most_common(name: str, column: str, wanted: Annotated[AtVersion, Query()]) -> Response:
        """Texts are cut at 200 characters; those that begin alike are counted together."""
        return await told(lambda: [common_view(one) for one in tables.most_common(house, name, column, wanted.version)])

    @routes.get(
        "/charts/{number}",
        name="chart",
        summary="One of the charts that its report names",
        responses=openapi.answers("ChartData") | unknown,
    )
    async def chart(name: str, number: int, wanted: Annotated[AtVersion, Query()]) -> Response:
        """They are numbered from 0, as `/reports/{report}` lists them."""
        return await told(lambda: tables.chart_view(tables.chart(house, name, number, wanted.version)))

    @routes.get(
        "/drift",
        name="drift",
        summary="What Sentry sent that no column takes",
        responses=openapi.answers("Drifted", many=True) | unknown,
    )
    async def drift(name: str, wanted: Annotated[AtVersion, Query()]) -> Response:
        """The paths that stand in `_extra`, each with the number of rows that have it."""
        return await told(
            lambda: [{"path": path, "rows": rows} for path, rows in tables.drift(house, name, wanted.version).items()]
        )

    @routes.get(
        "/history",
        name="history",
        summary="How well its runs have gone",
        responses=openapi.answers("RunFigures") | unknown,
    )
    def run_figures(name: str) -> Response:
        """Of its last 100 runs that have ended; `/runs` lists them."""
        return json_of(runs.figures(house, name))

    @routes.get(
        "/lineage",
        name="lineage",
        summary="What it is made from, where it lies, and how programs read it",
        responses=openapi.answers("Lineage") | unknown,
    )
    def show_lineage(name: str) -> Response:
        """The address of its table is told to admins alone, where people sign in."""
        return json_of(lineage(house, name, places=may_see_places()))

    return routes


def page_view(page: Page, offset: int) -> dict[str, Any]:
    """Some rows of a table, and how many there are."""
    schema = page.rows.schema
    return {
        "total": page.total,
        "offset": offset,
        "columns": [{"name": one.name, "type": str(one.type)} for one in schema],
        "rows": objects(schema, page.rows.to_batches()),
    }


def may_see_places() -> bool:
    """Whether whoever asks may be told where on the machine, or in which database, things lie."""
    person = visitor().person
    return person is None or person.is_at_least(Role.ADMIN)
