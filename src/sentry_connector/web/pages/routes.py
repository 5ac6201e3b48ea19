"""All pages."""

from __future__ import annotations

from fastapi import APIRouter

from sentry_connector.destinations.paging import Finds
from sentry_connector.runs.engine import Engine
from sentry_connector.runs.house import House
from sentry_connector.web.pages.accounts import account_pages
from sentry_connector.web.pages.assets import asset_routes
from sentry_connector.web.pages.audit import audit_pages
from sentry_connector.web.pages.datacenter import datacenter_pages
from sentry_connector.web.pages.dataset import dataset_pages
from sentry_connector.web.pages.door import Doors, door_pages
from sentry_connector.web.pages.health import health_pages
from sentry_connector.web.pages.notices import notice_pages
from sentry_connector.web.pages.oneself import own_pages
from sentry_connector.web.pages.people import people_pages
from sentry_connector.web.pages.query import query_pages
from sentry_connector.web.pages.rendering import Pages
from sentry_connector.web.pages.runs import run_pages
from sentry_connector.web.pages.wizard import wizard_pages


def page_routes(house: House, pages: Pages, doors: Doors, engine: Engine, finds: Finds) -> list[APIRouter]:
    """The routes of all pages, and of the files that they are made of.

    Args:
        house: as whoever asks sees it.
        pages: makes them.
        doors: the ways in that there are.
        engine: does the runs.
        finds: what looks have found lately.
    """
    return [
        asset_routes(pages.assets),
        door_pages(house, pages, doors),
        datacenter_pages(house, pages),
        run_pages(house, pages),
        account_pages(house, pages),
        query_pages(house, pages),
        notice_pages(house, pages),
        people_pages(house, pages),
        audit_pages(house, pages),
        health_pages(house, pages, engine),
        own_pages(house, pages),
        wizard_pages(house, pages),
        dataset_pages(house, pages, finds),  # after it: `new` is no DataSet's name
    ]
