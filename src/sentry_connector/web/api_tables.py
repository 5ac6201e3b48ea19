"""`/api/v1/datasets/{name}/…`: a DataSet's table, its rows, its earlier days, and when it runs next."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from sentry_connector.errors import UsageError
from sentry_connector.extraction.progress import Progress
from sentry_connector.formats.model import Profile
from sentry_connector.operations import backfill, datasets, updates
from sentry_connector.operations.coming import coming, coming_view
from sentry_connector.operations.schedules import MOST_SLOTS
from sentry_connector.operations.views import (
    columns_view,
    deleted_view,
    reverted_view,
    run_view,
    stats_view,
    versions_view,
)
from sentry_connector.reports import menus
from sentry_connector.reports.details import DateRange
from sentry_connector.runs.house import House
from sentry_connector.web import openapi
from sentry_connector.web.answers import json_of
from sentry_connector.web.api_rows import rows_of
from sentry_connector.web.bodies import body
from sentry_connector.web.idempotency import KeyedRoute, Made
from sentry_connector.web.schemas import LARGEST, Back, Days, Format, Update
from sentry_connector.web.streaming import Form, RowStreams, objects


class Wanted(BaseModel, extra="forbid"):
    """Which rows, and as what."""

    format: Format = Field("jsonl", description="In which form.")
    version: int | None = Field(None, ge=0, le=LARGEST, description="One that `versions` lists; by default the newest.")
    profile: Profile = Field(Profile.DATA, description="Whom they are for; in `spreadsheet` formulas are inert.")


class Slots(BaseModel, extra="forbid"):
    """How many slots are told."""

    count: int = Field(5, ge=1, le=MOST_SLOTS, description="How many slots.")


def table_routes(house: House, streams: RowStreams) -> APIRouter:
    """The routes about tables."""
    routes = APIRouter(prefix="/api/v1/datasets/{name}", tags=["datasets"], route_class=KeyedRoute)
    unknown = openapi.refusals(HTTPStatus.NOT_FOUND)

    @routes.get("/rows", summary="Its rows", response_class=StreamingResponse, responses=openapi.rows() | unknown)
    async def rows(name: str, wanted: Annotated[Wanted, Query()]) -> Response:
        """As a file of the DataSet's name. An answer that breaks off has no end: HTTP tells that it is not whole."""
        form = Form(format_name=wanted.format, profile=wanted.profile)
        return await rows_of(house, streams, name, wanted.version, form)

    @routes.get("/schema", summary="Its columns", responses=openapi.answers("TableColumn", many=True) | unknown)
    def schema(name: str) -> Response:
        return json_of(columns_view(house, name))

    @routes.get("/stats", summary="How large its table is", responses=openapi.answers("Stats") | unknown)
    def stats(name: str) -> Response:
        return json_of(stats_view(datasets.table_of(house, datasets.find(house, name))))

    @routes.get(
        "/versions",
        summary="The states that it can be reverted to, newest first",
        responses=openapi.answers("Version", many=True) | unknown,
    )
    def versions(name: str) -> Response:
        return json_of(versions_view(datasets.versions(house, name)))

    @routes.get(
        "/next",
        name="next",
        summary="When it runs next by itself, and which slots had no run",
        responses=openapi.answers("Coming") | unknown,
    )
    def next_slots(name: str, wanted: Annotated[Slots, Query()]) -> Response:
        return json_of(coming_view(coming(house, name, wanted.count)))

    @routes.get(
        "/preview",
        summary="The first hundred rows that a run would bring",
        responses=openapi.lines() | unknown | openapi.refusals(HTTPStatus.BAD_GATEWAY),
    )
    async def preview(name: str) -> Response:
        """They are read from Sentry, and stored nowhere."""
        found = await datasets.preview(house, name, progress=Progress())
        return json_of(await run_in_threadpool(objects, found.schema, found.to_batches()))

    _add_changes(routes, house)
    return routes


def _add_changes(routes: APIRouter, house: House) -> None:
    """What changes a table, or has it changed."""
    unknown = openapi.refusals(HTTPStatus.NOT_FOUND)

    @routes.post(
        "/revert",
        summary="Make its table what it was at a version; that is itself a new version",
        responses=openapi.answers("Reverted") | unknown,
        openapi_extra=openapi.takes(Back),
    )
    async def revert(name: str, asked: Annotated[Back, Depends(body(Back))]) -> Response:
        committed = await datasets.revert(house, name, asked.to_version)

        def view() -> dict[str, Any]:
            return reverted_view(datasets.table_of(house, datasets.find(house, name)), committed, asked.to_version)

        return json_of(await run_in_threadpool(view))

    @routes.post(
        "/delete-update",
        name="delete_update",
        summary="Delete the rows that one run appended; that is itself a new version",
        responses=openapi.answers("Deleted") | unknown,
        openapi_extra=openapi.takes(Update),
    )
    async def delete_update(name: str, asked: Annotated[Update, Depends(body(Update))]) -> Response:
        """Only where runs append: those of other update methods put rows in the place of earlier ones."""
        return json_of(deleted_view(await updates.delete_update(house, name, asked.run)))

    @routes.post(
        "/backfill",
        name="backfill",
        summary="Read earlier days by a chain of runs, newest first",
        status_code=HTTPStatus.ACCEPTED,
        responses=openapi.answers("Run", HTTPStatus.ACCEPTED, many=True) | unknown,
        openapi_extra=openapi.takes(Days),
    )
    def fill(name: str, asked: Annotated[Days, Depends(body(Days))], made: Made) -> Response:
        """The answer is the runs that are left: where the same days are being backfilled already, that chain goes on."""
        days = menus.duration_from_options(start=asked.start, end=asked.end)
        if not isinstance(days, DateRange):
            raise UsageError("A backfill is of a range of days.", remedy="Give start and end.")
        chain = backfill.begin(house, name, days, made)
        return json_of([run_view(run, chain.dataset) for run in chain.runs], status=HTTPStatus.ACCEPTED)
