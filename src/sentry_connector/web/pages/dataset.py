"""`/datasets/NAME`: a DataSet, a tab for each side of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from sentry_connector.destinations.looking import Look, Sort
from sentry_connector.destinations.paging import Finds
from sentry_connector.errors import ConnectorError
from sentry_connector.operations import datasets, days, runs, tables
from sentry_connector.operations.coming import coming, coming_view
from sentry_connector.operations.lineage import lineage
from sentry_connector.operations.views import columns_view, dataset_view, run_view, versions_view
from sentry_connector.reports import catalogue
from sentry_connector.reports.model import ColumnType, Report
from sentry_connector.runs.house import House
from sentry_connector.store.records import DataSet, RunState
from sentry_connector.web.api_looks import may_see_places, page_view
from sentry_connector.web.pages.rendering import Pages
from sentry_connector.web.pages.wizard import settings_context
from sentry_connector.web.pages.words import language_asked, translations

SHOWN_COLUMNS = 12
"""Of the rows, where nobody has chosen."""

FIRST_ROWS = 100
LAST_RUNS = 10
RUNS_ON_A_PAGE = 50


def dataset_pages(house: House, pages: Pages, finds: Finds) -> APIRouter:
    """The pages about one DataSet.

    Args:
        house: as whoever asks sees it.
        pages: makes them.
        finds: what looks have found lately.
    """
    routes = APIRouter(prefix="/datasets/{name}", include_in_schema=False)

    def page(request: Request, name: str, tab: str, **values: Any) -> Response:
        dataset = datasets.find(house, name)
        view = dataset_view(house, dataset)
        last = view["last_run"]
        under_way = last if last is not None and last["state"] != RunState.DONE else None
        return pages.page(
            request,
            f"dataset/{tab}.html",
            dataset=view,
            report=catalogue.find(dataset.report),
            tab=tab,
            run=under_way,
            **{"api": f"/api/v1/datasets/{dataset.slug}", "home": f"/datasets/{dataset.slug}", **values},
        )

    @routes.get("")
    def show_overview(request: Request, name: str) -> Response:
        dataset = datasets.find(house, name)
        return page(
            request,
            name,
            "overview",
            runs=[run_view(run, dataset) for run, _ in runs.history(house, name, limit=LAST_RUNS)],
            coming=coming_view(coming(house, name, say=translations(language_asked(request)).gettext)),
            days=days.days_now(house, dataset),
            figures=runs.figures(house, name),
            size=datasets.table_of(house, dataset).size(),
        )

    @routes.get("/data")
    def show_data(request: Request, name: str, version: int | None = None) -> Response:
        dataset = datasets.find(house, name)
        report, columns = catalogue.find(dataset.report), columns_view(house, name)
        shown = shown_at_first(report)
        look = None if request.query_params else first_look(report, shown, {one["name"] for one in columns})
        rows = look and _at_hand(dataset, look)
        first = None if look is None or rows else asked_as(look)
        return page(request, name, "data", columns=columns, shown=shown, at=version, first=first, rows=rows)

    @routes.get("/schema")
    def show_schema(request: Request, name: str, search: str = "") -> Response:
        wanted = search.strip().casefold()
        columns = columns_view(house, name)
        found = [one for one in columns if wanted in f"{one['name']}\n{one['about']}\n{one['source']}".casefold()]
        return page(request, name, "schema", columns=found, search=search, drift=tables.drift(house, name))

    @routes.get("/stats")
    def show_stats(request: Request, name: str) -> Response:
        return page(request, name, "stats")

    def _at_hand(dataset: DataSet, look: Look) -> str | None:
        """The rows as the API tells them, where they are there at once: the page comes with them."""
        with contextlib.suppress(ConnectorError):  # the script asks for them, and tells why there are none
            found = tables.page_at_hand(house, dataset, look, finds)
            return None if found is None else msgspec.json.encode(page_view(found, look.offset)).decode()
        return None

    _add_history(routes, house, page)
    _add_settings(routes, house, pages, page)
    return routes


Maker = Callable[..., Response]
"""Makes a page of a tab: of a request, a DataSet's name, and what the tab shows."""


def _add_history(routes: APIRouter, house: House, page: Maker) -> None:
    """What became of it: runs and versions."""

    @routes.get("/history")
    def show_history(request: Request, name: str, before: str | None = None) -> Response:
        dataset = datasets.find(house, name)
        found = [run for run, _ in runs.history(house, name, before=before, limit=RUNS_ON_A_PAGE)]
        table = datasets.table_of(house, dataset)
        return page(
            request,
            name,
            "history",
            runs=[run_view(run, dataset) for run in found],
            further=found[-1].id if len(found) == RUNS_ON_A_PAGE else None,
            before=before,
            figures=runs.figures(house, name),
            versions=versions_view(table.versions()),
            keeps_versions=table.keeps_versions,
        )


def _add_settings(routes: APIRouter, house: House, pages: Pages, page: Maker) -> None:
    """What it is made of and made for."""

    @routes.get("/settings")
    def show_settings(request: Request, name: str) -> Response:
        return page(request, name, "settings", **settings_context(house, pages, datasets.find(house, name)))

    @routes.get("/lineage")
    def show_lineage(request: Request, name: str) -> Response:
        return page(request, name, "lineage", lineage=lineage(house, name, places=may_see_places()))

    @routes.get("/export")
    def show_export(request: Request, name: str, version: int | None = None) -> Response:
        known = lineage(house, name, places=may_see_places())
        return page(request, name, "export", readers=known["readers"], at=version)


def first_look(report: Report, shown: Sequence[str], known: Collection[str]) -> Look:
    """What `dataset-rows.js` shows first where nobody has chosen anything."""
    newest = tuple(Sort(one, descending=True) for one in known if one == report.time_column)
    return Look(columns=tuple(name for name in shown if name in known), sort=newest, limit=FIRST_ROWS)


def asked_as(look: Look) -> str:
    """How the script asks for it: a browser that is told asks before it runs scripts."""
    asked = [("offset", str(look.offset)), ("limit", str(look.limit)), *(("column", name) for name in look.columns)]
    return urlencode([*asked, *(("sort", f"-{one.column}" if one.descending else one.column) for one in look.sort)])


def shown_at_first(report: Report) -> list[str]:
    """The columns that are shown where nobody has chosen: the time, then what every row has and people can read."""
    named = [one.name for one in report.columns if not (one.optional or one.noise or one.name.endswith("_id"))]
    readable = [one for one in named if report.column(one).type is not ColumnType.JSON or one == "tags"]
    time = [report.time_column] if report.time_column else []
    return list(dict.fromkeys([*time, *readable]))[:SHOWN_COLUMNS]
