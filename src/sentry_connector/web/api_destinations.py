"""`/api/v1/destinations`: where tables can lie. A password is given and never answered.

A database that is a file is added on the server's own machine: it would be written wherever the server can write.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from sentry_connector.operations import destinations
from sentry_connector.operations.views import destination_view
from sentry_connector.runs.house import House
from sentry_connector.store.records import Destination
from sentry_connector.web import openapi
from sentry_connector.web.answers import json_of
from sentry_connector.web.bodies import body
from sentry_connector.web.idempotency import KeyedRoute
from sentry_connector.web.schemas import NewDestination, OtherPassword


def destination_routes(house: House) -> APIRouter:
    """The routes about destinations."""
    routes = APIRouter(prefix="/api/v1/destinations", tags=["destinations"], route_class=KeyedRoute)
    unknown, asks = openapi.refusals(HTTPStatus.NOT_FOUND), openapi.refusals(HTTPStatus.SERVICE_UNAVAILABLE)

    def view(destination: Destination) -> dict[str, Any]:
        return destination_view(destination, destinations.used_by(house, destination))

    @routes.get(
        "",
        summary="The destinations that DataSets can name",
        responses=openapi.answers("OfferedDestination", many=True),
    )
    def list_destinations() -> Response:
        return json_of(destinations.offered(house))

    @routes.post(
        "",
        summary="Add a PostgreSQL database, once a table can be made in it",
        status_code=HTTPStatus.CREATED,
        responses=openapi.answers("Destination", HTTPStatus.CREATED) | asks,
        openapi_extra=openapi.takes(NewDestination),
    )
    async def add(asked: Annotated[NewDestination, Depends(body(NewDestination))]) -> Response:
        destinations.refuse_file(asked.url)
        made, _ = await destinations.add(house, asked.name, asked.url, asked.password)
        return json_of(await run_in_threadpool(view, made), status=HTTPStatus.CREATED)

    @routes.get("/{name}", summary="A destination", responses=openapi.answers("Destination") | unknown)
    def show(name: str) -> Response:
        return json_of(view(destinations.find(house, name)))

    @routes.post(
        "/{name}/check",
        summary="Connect to a database, make a table in it, and drop that",
        responses=openapi.answers("Destination") | unknown | asks,
    )
    async def check(name: str) -> Response:
        found, _ = await destinations.check(house, name)
        return json_of(await run_in_threadpool(view, found))

    @routes.post(
        "/{name}/replace-password",
        summary="Replace the password, once the database takes the new one",
        responses=openapi.answers("Destination") | unknown | asks,
        openapi_extra=openapi.takes(OtherPassword),
    )
    async def replace_password(name: str, asked: Annotated[OtherPassword, Depends(body(OtherPassword))]) -> Response:
        changed = await destinations.replace_password(house, name, asked.password)
        return json_of(await run_in_threadpool(view, changed))

    @routes.delete(
        "/{name}",
        summary="Forget a database and its password, where no DataSet's table lies in it",
        responses=openapi.answers("Destination") | unknown,
    )
    def delete(name: str) -> Response:
        return json_of(destination_view(destinations.delete(house, name), []))

    return routes
