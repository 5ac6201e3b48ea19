"""`/notices`: what was told, and the channels that it is sent to."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sentry_connector.operations import datasets, notices
from sentry_connector.operations.views import channel_view, notice_view
from sentry_connector.runs.house import House
from sentry_connector.store.records import Kind
from sentry_connector.web.pages.rendering import Pages

MOST = 200
"""Notices on the page; the API has all."""


def notice_pages(house: House, pages: Pages) -> APIRouter:
    """The pages about notices."""
    routes = APIRouter(prefix="/notices", include_in_schema=False)

    def choices() -> dict[str, Any]:
        return {
            "kinds": [one.value for one in Kind],
            "datasets": [one.name for one in datasets.everything(house)],
        }

    @routes.get("")
    def show_notices(request: Request, dataset: str = "") -> Response:
        told = notices.told(house, dataset or None, limit=MOST)
        return pages.page(
            request,
            "notices/list.html",
            notices=[notice_view(house, one, sent) for one, sent in told],
            datasets=[one.name for one in datasets.everything(house)],
            dataset=dataset,
            most=MOST,
        )

    @routes.get("/channels")
    def show_channels(request: Request) -> Response:
        known = [channel_view(house, one) for one in notices.everything(house)]
        return pages.page(request, "notices/channels.html", channels=known, **choices())

    @routes.get("/channels/{name}")
    def show_channel(request: Request, name: str) -> Response:
        found = channel_view(house, notices.find(house, name))
        return pages.page(request, "notices/channel.html", channel=found, **choices())

    return routes
