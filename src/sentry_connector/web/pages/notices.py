"""`/notices`: what was told, and the channels that it is sent to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sentry_connector.operations import notices
from sentry_connector.operations.views import channel_view, notice_view
from sentry_connector.runs.house import House
from sentry_connector.store.records import Kind
from sentry_connector.web.pages.navigation import address
from sentry_connector.web.pages.rendering import Pages

PAGE = 50
"""Notices on a page."""

NAMED = 5
"""Channels that a notice names; the others are counted."""


def notice_pages(house: House, pages: Pages) -> APIRouter:
    """The pages about notices."""
    routes = APIRouter(prefix="/notices", include_in_schema=False)

    def choices(names: Mapping[str, str]) -> dict[str, Any]:
        return {
            "kinds": [one.value for one in Kind],
            "datasets": list(names.values()),
        }

    @routes.get("")
    def show_notices(request: Request, dataset: str = "", before: str = "") -> Response:
        told = notices.told(house, dataset or None, before=before or None, limit=PAGE + 1, most=NAMED)
        channels, shown = notices.names(house), told[:PAGE]
        return pages.page(
            request,
            "notices/list.html",
            notices=[notice_view(one, sent, channels) for one, sent in shown],
            takers=house.store.notices.takers([one.id for one, _ in shown]),
            datasets=list(house.store.datasets.names().values()),
            dataset=dataset,
            newest=address("/notices", dataset=dataset) if before else None,
            older=address("/notices", dataset=dataset, before=shown[-1][0].id) if len(told) > PAGE else None,
        )

    @routes.get("/channels")
    def show_channels(request: Request) -> Response:
        names = house.store.datasets.names()
        known = [channel_view(one, names) for one in notices.everything(house)]
        return pages.page(request, "notices/channels.html", channels=known, **choices(names))

    @routes.get("/channels/{name}")
    def show_channel(request: Request, name: str) -> Response:
        names = house.store.datasets.names()
        found = channel_view(notices.find(house, name), names)
        return pages.page(request, "notices/channel.html", channel=found, **choices(names))

    return routes
