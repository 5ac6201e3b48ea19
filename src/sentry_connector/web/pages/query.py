"""`/query`: SQL over the DataSets, its result as a table and a chart, and saved SQL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sentry_connector.destinations.sql_text import quoted
from sentry_connector.operations import datasets, queries
from sentry_connector.operations.query import MOST_SHOWN
from sentry_connector.operations.views import saved_view, saved_views
from sentry_connector.reports import catalogue
from sentry_connector.runs.house import House
from sentry_connector.store.records import DataSet
from sentry_connector.store.rights import Role
from sentry_connector.web.access import visitor
from sentry_connector.web.pages.rendering import Pages

EXAMPLES = 4
FILES = ("xlsx", "csv", "csv-spreadsheet", "jsonl", "parquet")
"""What a result can be exported as; one of them is CSV whose formulas are inert."""


class Example(NamedTuple):
    """A statement to begin with: the newest rows of a DataSet, its rows a day, or some of its rows."""

    kind: str
    name: str
    sql: str


def query_pages(house: House, pages: Pages) -> APIRouter:
    """The page about SQL."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/query")
    def show_query(request: Request, name: str | None = None, sql: str = "") -> Response:
        """The editor; `name` is a saved query's, `sql` a text that is not saved."""
        saved = None if name is None else queries.find(house, name)
        person = visitor().person
        known = datasets.everything(house)
        return pages.page(
            request,
            "query/show.html",
            saved=None if saved is None else saved_view(house, saved),
            sql=sql if saved is None else saved.sql,
            queries=saved_views(house, queries.everything(house)),
            examples=list(islice(_examples(known), EXAMPLES)),
            datasets=[{"slug": one.slug, "name": one.name, "sql": _named(one.slug)} for one in known],
            may_save=pages.can("PUT", "/api/v1/queries/x"),
            may_share=person is None or person.is_at_least(Role.EDITOR),
            files=FILES,
            most=MOST_SHOWN,
        )

    return routes


def _examples(known: Sequence[DataSet]) -> list[Example]:
    found = []
    for dataset in known:
        table, time = _named(dataset.slug), catalogue.find(dataset.report).time_column
        if time is None:
            found.append(Example("some", dataset.name, f"SELECT *\nFROM {table}\nLIMIT 100"))
            continue
        newest = f"SELECT *\nFROM {table}\nORDER BY {time} DESC\nLIMIT 100"
        days = f"SELECT date_trunc('day', {time}) AS day, count(*) AS number\nFROM {table}\nGROUP BY ALL\nORDER BY day"
        found += [Example("newest", dataset.name, newest), Example("days", dataset.name, days)]
    return found


_PLAIN = re.compile(r"[a-z]+(_[a-z0-9]+)+")
"""Names that no SQL keyword is like, so that nothing need be written around them."""


def _named(slug: str) -> str:
    return slug if _PLAIN.fullmatch(slug) else quoted(slug)
