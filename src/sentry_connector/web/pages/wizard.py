"""`/datasets/new`: a DataSet in four panes, which are its settings too. What is entered is the browser's until it is saved."""

from __future__ import annotations

import calendar
import zoneinfo
from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from sentry_connector.datasets.definition import (
    LONGEST_DESCRIPTION,
    LONGEST_NAME,
    RETRY_TIMES,
    Definition,
)
from sentry_connector.operations import accounts, destinations, edits
from sentry_connector.operations.views import report_view
from sentry_connector.reports import catalogue, menus
from sentry_connector.reports.details import Details, SinceLastRun
from sentry_connector.reports.model import Menu, Report, Shape
from sentry_connector.runs.house import House
from sentry_connector.store.records import CatchUp, DataSet
from sentry_connector.web.api_datasets import version_tag
from sentry_connector.web.pages.rendering import Pages

RETRY_CHOICES = (5, 10, 15, 30, 60)
"""Minutes between attempts that the page offers."""


def wizard_pages(house: House, pages: Pages) -> APIRouter:
    """The page that makes a DataSet."""
    routes = APIRouter(prefix="/datasets", include_in_schema=False)

    @routes.get("/new")
    def show_new_dataset(request: Request, account: str = "") -> Response:
        values = new_values() | {"account": account}
        return pages.page(request, "wizard/new.html", dataset=None, values=values, **pane_context(house, pages))

    return routes


def settings_context(house: House, pages: Pages, dataset: DataSet) -> dict[str, Any]:
    """What the panes show of a DataSet that there is.

    Args:
        house: as whoever asks sees it.
        pages: knows what they may.
        dataset: whose settings they are.
    """
    return {
        "version_tag": version_tag(dataset),
        "values": pane_values(edits.definition_of(dataset), dataset.account_id or ""),
        **pane_context(house, pages),
    }


def pane_context(house: House, pages: Pages) -> dict[str, Any]:
    """What the panes offer, whatever is chosen in them.

    Args:
        house: as whoever asks sees it.
        pages: knows what they may.
    """
    uses_own_token = house.settings.auth_token is not None and pages.can("GET", "/api/v1/doctor")
    return {
        "accounts": accounts.everything(house),
        "own_token": uses_own_token,
        "sentry_url": house.settings.url,
        "reports": [report_shape(report) for report in catalogue.CATALOGUE],
        "menu_labels": {menu.value: label for menu, label in menus.LABELS.items()},
        "date_menus": menus.DATE_MENUS,
        "day_kinds": (menus.RELATIVE, menus.SPECIFIC),
        "resolutions": tuple(menus.RESOLUTIONS),
        "zones": zones(),
        "destinations": destinations.offered(house),
        "retry_minutes": RETRY_CHOICES,
        "retry_times": RETRY_TIMES,
        "catch_ups": [one.value for one in CatchUp],
        "longest_name": LONGEST_NAME,
        "longest_description": LONGEST_DESCRIPTION,
        "weekdays": [one[:3].casefold() for one in calendar.day_name],
        "months": [one[:3].casefold() for one in calendar.month_name[1:]],
    }


def new_values() -> dict[str, Any]:
    """What the panes hold at the beginning: the defaults of a DataSet, for the first report."""
    first = catalogue.CATALOGUE[0]
    return pane_values(Definition(name="", report=first.slug, details=Details()), account="")


def pane_values(definition: Definition, account: str) -> dict[str, Any]:
    """A DataSet as the panes hold it: its fields as JSON, and what it chooses in the date menus.

    Args:
        definition: what it is, or is to be.
        account: the id of its account; empty = the server's own token.
    """
    report, details = catalogue.find(definition.report), definition.details
    duration = details.duration or menus.default_duration(report)
    dates = menus.chosen_dates(report, details)
    days: dict[str, Any] = {} if duration is None else msgspec.to_builtins(duration)
    fields: dict[str, Any] = msgspec.to_builtins(definition)
    return fields | {
        "account": account,
        "details": msgspec.structs.asdict(details),
        "dates": dates,
        "days": days,
        "overlap": duration.overlap if isinstance(duration, SinceLastRun) else SinceLastRun().overlap,
    }


def report_shape(report: Report) -> dict[str, Any]:
    """What the panes have to know of a report, as data: which menus it has and what they offer."""
    view = report_view(report)
    return {name: view[name] for name in ("slug", "name", "about", "menus", "durations", "stats", "key", "notes")} | {
        "has_dates": Menu.DATES in report.menus,
        "counts": report.shape is Shape.POINTS,
        "bodies": bool(report.bodies),
        "columns": [column.name for column in report.columns],
    }


@cache
def zones() -> Sequence[str]:
    """The names of all time zones; UTC first."""
    return ["UTC", *sorted(zoneinfo.available_timezones() - {"UTC"})]
