"""`/`: all DataSets, and `/bin`: those that can be restored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from sentry_connector.operations import glance
from sentry_connector.operations.glance import Line
from sentry_connector.operations.overview import Group, Show, Sort, overview
from sentry_connector.reports import catalogue
from sentry_connector.runs.house import House
from sentry_connector.store.rights import Level, Thing
from sentry_connector.web.access import levels, visitor
from sentry_connector.web.api_overview import Choice
from sentry_connector.web.pages.rendering import Pages

ACTIONS: Mapping[str, tuple[str, str]] = {
    "run": ("POST", "/api/v1/datasets/{name}/backfill"),
    "pause": ("POST", "/api/v1/datasets/{name}/pause"),
    "edit": ("PATCH", "/api/v1/datasets/{name}"),
    "share": ("PUT", "/api/v1/datasets/{name}/shares/{person}"),
    "delete": ("DELETE", "/api/v1/datasets/{name}"),
}
"""What can be done with several DataSets at once → a route that needs as much."""

CHARTED = (96, 22)
"""Width and height of a line of rows, as its picture counts them."""


def datacenter_pages(house: House, pages: Pages) -> APIRouter:
    """The pages about all DataSets."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    def show_datasets(request: Request, asked: Annotated[Choice, Query()]) -> Response:
        seen = overview(house, asked.wanted(), asked.group or None)
        return pages.page(
            request,
            "datacenter/list.html",
            seen=seen,
            asked=asked,
            may=_may(pages, seen.lines),
            link=_links(asked),
            points=points,
            reports={one.slug: one.name for one in catalogue.CATALOGUE},
            shows=[one for one in Show if one is not Show.MINE or visitor().person],
            groups=list(Group),
            sorts=list(Sort),
        )

    @routes.get("/datasets")
    def lead_to_datasets(request: Request) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        return Response(status_code=HTTPStatus.SEE_OTHER, headers={"Location": f"/{query}"})

    @routes.get("/bin")
    def show_bin(request: Request) -> Response:
        reports = {one.slug: one.name for one in catalogue.CATALOGUE}
        return pages.page(request, "datacenter/bin.html", deleted=glance.deleted(house), reports=reports)

    return routes


def _may(pages: Pages, lines: Sequence[Line]) -> dict[str, list[str]]:
    """DataSet's id → what whoever asks may do with it."""
    level_of = levels(Thing.DATASET)
    of_level: dict[Level | None, list[str]] = {
        level: [one for one, (method, path) in ACTIONS.items() if pages.can_with(method, path, level)]
        for level in (None, *Level)
    }
    return {line.dataset.id: of_level[level_of(line.dataset.id)] for line in lines}


def _links(asked: Choice) -> Callable[..., str]:
    """Given what is to be otherwise: the address of the same page with that; what is not chosen is not in it."""
    usual = Choice.model_validate({}).model_dump(mode="json")
    here = asked.model_dump(mode="json") | {"page": 1}

    def link(**other: Any) -> str:
        said = here | other
        query = {name: str(value).lower() if value is True else value for name, value in said.items()}
        chosen = {name: value for name, value in query.items() if value != usual[name]}
        return f"/?{urlencode(chosen)}" if chosen else "/"

    return link


def points(rows: Sequence[int]) -> str:
    """A line through numbers, for a picture of `CHARTED`'s size: the largest one at its top, nothing at its bottom."""
    width, height = CHARTED
    step, most = width / max(1, len(rows) - 1), max(*rows, 1)
    return " ".join(f"{number * step:.1f},{height - one / most * height + 1:.1f}" for number, one in enumerate(rows))
