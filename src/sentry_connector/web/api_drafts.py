"""`/api/v1/days`, `/update-methods`, `/preview` and `/plan`: what a DataSet would be, before it is made. Nothing is stored."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from sentry_connector.datasets.methods import offers
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import accounts, drafts
from sentry_connector.operations.explained import explained_view
from sentry_connector.operations.views import schema_view
from sentry_connector.reports import catalogue, menus
from sentry_connector.reports.details import Duration
from sentry_connector.runs.house import House
from sentry_connector.sentry.client import Connection
from sentry_connector.web import openapi
from sentry_connector.web.answers import json_of
from sentry_connector.web.bodies import body
from sentry_connector.web.idempotency import KeyedRoute
from sentry_connector.web.pages.words import Language
from sentry_connector.web.schemas import Draft
from sentry_connector.web.sentences import sentences, spoken
from sentry_connector.web.streaming import objects

Word = Annotated[str | None, Field(max_length=100)]


class Dates(BaseModel, extra="forbid"):
    """A report, and its dates in the words of the command line."""

    report: str = Field(description="By slug, name or alias.", max_length=1000)
    date: Word = Field(None, description="One day: `2026-03-01`, `today`, `yesterday` or `today-N`.")
    days_back: Word = Field(None, description="The one day so many days ago.")
    start: Word = Field(None, description="The first day of a range.")
    end: Word = Field(None, description="Its last day; by default today.")
    start_days_back: Word = Field(None, description="The first day of a range, as days ago.")
    end_days_back: Word = Field(None, description="Its last day, as days ago.")
    last_days: Word = Field(None, description="Today and the days before, so many in all.")
    all_available: bool = Field(False, description="Everything that Sentry has.")
    since_last_run: bool = Field(False, description="What is new since the last successful run.")
    overlap: Word = Field(None, description="With `since_last_run`: what is read twice, such as `2h`.")

    def duration(self) -> Duration | None:
        """The dates; None where none are given."""
        return menus.duration_from_options(**self.model_dump(include=set(Dates.model_fields) - {"report"}))


class Zoned(Dates):
    """The same, with what days and buckets are of."""

    timezone: str = Field("UTC", description="The IANA time zone of the days.", max_length=100)
    resolution: Word = Field(None, description="Of counts: `1h`, `10s` or `1d`.")


def draft_routes(house: House) -> APIRouter:
    """The routes about DataSets that there are not yet."""
    routes = APIRouter(prefix="/api/v1", tags=["drafts"], route_class=KeyedRoute)
    unknown = openapi.refusals(HTTPStatus.NOT_FOUND)
    asks = unknown | openapi.refusals(HTTPStatus.BAD_GATEWAY)

    async def connection(asked: Draft) -> Connection:
        return await run_in_threadpool(lambda: accounts.connection(house, asked.account))

    @routes.get("/days", summary="What dates mean now", responses=openapi.answers("MeantDays") | unknown)
    def days(asked: Annotated[Zoned, Query()], language: Language) -> Response:
        """As a first run would read them; the options are those of the command line."""
        report = catalogue.find(asked.report)
        found = drafts.days(house, report, asked.duration(), asked.timezone, asked.resolution)
        return json_of(spoken(drafts.days_view(found), language, {"days"}))

    @routes.get(
        "/update-methods",
        name="update_methods",
        summary="What each update method would do to the table, and which cannot be chosen",
        responses=openapi.answers("Offer", many=True) | unknown,
    )
    def update_methods(asked: Annotated[Dates, Query()], language: Language) -> Response:
        report = catalogue.find(asked.report)
        duration = asked.duration() or menus.default_duration(report)
        found = [msgspec.to_builtins(one) for one in offers(report, duration)]
        return json_of(spoken(found, language, {"about", "refused"}))

    @routes.post(
        "/preview",
        summary="The first hundred rows that a DataSet would hold, with their columns",
        responses=openapi.answers("Preview") | asks,
        openapi_extra=openapi.takes(Draft),
    )
    async def preview(asked: Annotated[Draft, Depends(body(Draft))], language: Language) -> Response:
        """They are read from Sentry, and stored nowhere."""
        told: list[str] = []
        found = await drafts.preview(
            house,
            catalogue.find(asked.report),
            asked.details,
            await connection(asked),
            progress=Progress(),
            on_windows=told.extend,
        )
        rows = await run_in_threadpool(objects, found.schema, found.to_batches())
        return json_of(
            {
                "columns": schema_view(catalogue.find(asked.report), found.schema),
                "rows": rows,
                "windows": [*map(sentences(language), told)],
            }
        )

    @routes.post(
        "/plan",
        summary="What a first run would read, how, and how long it should take",
        responses=openapi.answers("Plan") | asks,
        openapi_extra=openapi.takes(Draft),
    )
    async def plan(asked: Annotated[Draft, Depends(body(Draft))], language: Language) -> Response:
        """Sentry is asked what the plan takes, and for no row."""
        report = catalogue.find(asked.report)
        found = await drafts.plan(house, report, asked.details, await connection(asked))
        return json_of(spoken(explained_view(found, report, None), language, {"windows", "reason"}))

    return routes
