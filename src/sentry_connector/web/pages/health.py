"""`/health`: whether the service does what it is there for, what it stands on, and its settings."""

from __future__ import annotations

import dataclasses

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sentry_connector import __version__
from sentry_connector.operations import workers
from sentry_connector.runs import readiness
from sentry_connector.runs.engine import Engine
from sentry_connector.runs.house import House
from sentry_connector.web.pages.rendering import Pages


def health_pages(house: House, pages: Pages, engine: Engine) -> APIRouter:
    """The page about the service."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/health")
    def show_health(request: Request) -> Response:
        return pages.page(
            request,
            "health/show.html",
            wrong=readiness.wrong(engine),
            ticked_at=engine.ticked_at,
            version=__version__,
            workers=[dataclasses.asdict(one) for one in workers.living(house)],
            settings=house.settings.described(),
        )

    return routes
