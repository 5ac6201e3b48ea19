"""`/api/v1/destinations`: where tables can lie, by name. Where a database is, is said on the server's own machine."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from sentry_connector.operations import destinations
from sentry_connector.runs.house import House
from sentry_connector.web import openapi
from sentry_connector.web.answers import json_of
from sentry_connector.web.idempotency import KeyedRoute


def destination_routes(house: House) -> APIRouter:
    """The route about destinations."""
    routes = APIRouter(prefix="/api/v1/destinations", tags=["destinations"], route_class=KeyedRoute)

    @routes.get(
        "",
        summary="The destinations that DataSets can name",
        responses=openapi.answers("OfferedDestination", many=True),
    )
    def list_destinations() -> Response:
        """`sentry-connector destinations add` adds a database."""
        return json_of(destinations.offered(house))

    return routes
