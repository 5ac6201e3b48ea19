"""`/api/v1/reports` and `/api/v1/choices`: what can be pulled, and what a report's menus offer now."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from sentry_connector.errors import UsageError
from sentry_connector.operations import accounts, choices
from sentry_connector.operations.views import report_view
from sentry_connector.reports import catalogue
from sentry_connector.runs.house import House
from sentry_connector.web import openapi
from sentry_connector.web.answers import json_of
from sentry_connector.web.idempotency import KeyedRoute

Menu = Literal["organizations", "projects", "teams", "stats"]


class Asked(BaseModel, extra="forbid"):
    """Of whom a menu is asked, and for what."""

    account: str | None = Field(None, description="The account to ask with; by default the server's SENTRY_AUTH_TOKEN.")
    organization: list[str] = Field([], description="Only what belongs to it; repeat for several.")
    report: str | None = Field(None, description="For `stats`: the report whose stats are listed.")


def report_routes() -> APIRouter:
    """The routes about reports."""
    routes = APIRouter(prefix="/api/v1/reports", tags=["reports"], route_class=KeyedRoute)

    @routes.get("", summary="The catalogue", responses=openapi.answers("Report", many=True))
    async def list_reports() -> Response:
        return json_of([report_view(report) for report in catalogue.CATALOGUE])

    @routes.get(
        "/{report}",
        summary="A report, by slug, name or alias",
        responses=openapi.answers("Report") | openapi.refusals(HTTPStatus.NOT_FOUND),
    )
    async def show(report: str) -> Response:
        return json_of(report_view(catalogue.find(report)))

    return routes


def choice_routes(house: House) -> APIRouter:
    """The routes about menus."""
    routes = APIRouter(prefix="/api/v1/choices", tags=["choices"], route_class=KeyedRoute)

    @routes.get(
        "/{menu}",
        name="list",
        summary="What a menu offers now, as the account sees it",
        responses=openapi.answers("Choice", many=True) | openapi.refusals(HTTPStatus.NOT_FOUND, HTTPStatus.BAD_GATEWAY),
    )
    async def offered(menu: Menu, asked: Annotated[Asked, Query()]) -> Response:
        """Sentry is asked, but for `stats`, which the catalogue says."""
        if menu == "stats":
            if asked.report is None:
                raise UsageError(
                    "Each report has stats of its own.", remedy="Give report, such as events-counts-project."
                )
            found = choices.stats(asked.report)
        else:
            connection = await run_in_threadpool(lambda: accounts.connection(house, asked.account))
            found = await choices.choices(house, connection, menu, asked.organization)
        return json_of([msgspec.structs.asdict(one) for one in found])

    return routes
