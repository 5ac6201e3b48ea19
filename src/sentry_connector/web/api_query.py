"""`/api/v1/query` and `/queries`: SQL over the DataSets, and saved SQL."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from sentry_connector.operations import queries
from sentry_connector.operations.query import cancel, first_rows, names, run_query
from sentry_connector.operations.query_views import names_view, shown_view
from sentry_connector.operations.views import saved_view, saved_views
from sentry_connector.runs.house import House
from sentry_connector.store.records import SavedQuery
from sentry_connector.web import openapi
from sentry_connector.web.access import own_key
from sentry_connector.web.answers import json_of
from sentry_connector.web.bodies import body
from sentry_connector.web.idempotency import KeyedRoute
from sentry_connector.web.schemas import Look, Query, QueryToSave
from sentry_connector.web.streaming import Form, RowStreams


def query_routes(house: House, streams: RowStreams) -> APIRouter:
    """The routes about SQL."""
    routes = APIRouter(prefix="/api/v1", tags=["query"], route_class=KeyedRoute)
    _add_statements(routes, house, streams)
    _add_saved(routes, house)
    return routes


def _add_statements(routes: APIRouter, house: House, streams: RowStreams) -> None:
    @routes.post(
        "/query",
        summary="Run one read-only SELECT over the DataSets",
        response_class=StreamingResponse,
        responses=openapi.rows(),
        openapi_extra=openapi.takes(Query),
    )
    async def query(asked: Annotated[Query, Depends(body(Query))]) -> Response:
        """Each DataSet is a view under its slug; `connector.datasets`, `.runs`, `.slots` and `.notices` tell about them.

        An answer that breaks off has no end: HTTP tells that it is not whole.
        """
        form, ticket = Form(format_name=asked.format, profile=asked.profile), _own(asked.ticket)
        return await streams.answer(lambda: run_query(house, asked.sql, ticket=ticket), form)

    @routes.post(
        "/query/first-rows",
        summary="The first rows of one SELECT, to look at",
        responses=openapi.answers("FirstRows"),
        openapi_extra=openapi.takes(Look),
    )
    async def look(asked: Annotated[Look, Depends(body(Look))]) -> Response:
        """Whole numbers beyond 2^53 are text. `more` says that there are more rows, or larger ones, than are answered."""
        ticket = _own(asked.ticket)
        shown = await streams.aside(lambda: first_rows(house, asked.sql, limit=asked.limit, ticket=ticket))
        return await run_in_threadpool(lambda: json_of(shown_view(shown)))

    @routes.post(
        "/query/{ticket}/cancel",
        summary="Stop a statement that is run, by the ticket that it was sent with",
        responses=openapi.facts("status") | openapi.refusals(HTTPStatus.NOT_FOUND),
    )
    def stop(ticket: str) -> Response:
        """Only one's own can be stopped. It ends at once, and its request is refused as `run.cancelled`."""
        cancel(house, own_key(ticket))
        return json_of({"status": "stopped"})

    @routes.get("/query/names", summary="What a statement may name", responses=openapi.answers("Names"))
    def list_names() -> Response:
        """The DataSets and the connector's own records with their columns, functions, and words of SQL."""
        return json_of(names_view(names(house)))


def _own(ticket: str | None) -> str | None:
    return None if ticket is None else own_key(ticket)


def _add_saved(routes: APIRouter, house: House) -> None:
    unknown = openapi.refusals(HTTPStatus.NOT_FOUND)

    def answer(query: SavedQuery) -> Response:
        return json_of(saved_view(house, query))

    @routes.get("/queries", summary="Saved queries", responses=openapi.answers("SavedQuery", many=True))
    def list_queries() -> Response:
        """One's own, and those that are shared."""
        return json_of(saved_views(house, queries.everything(house)))

    @routes.get(
        "/queries/{name:path}",
        summary="A saved query, by name or id",
        responses=openapi.answers("SavedQuery") | unknown,
    )
    def show_query(name: str) -> Response:
        return answer(queries.find(house, name))

    @routes.put(
        "/queries/{name:path}",
        summary="Save a query under a name",
        responses=openapi.answers("SavedQuery"),
        openapi_extra=openapi.takes(QueryToSave),
    )
    async def save(name: str, asked: Annotated[QueryToSave, Depends(body(QueryToSave))]) -> Response:
        """What one has saved under that name is replaced. Whoever runs it runs it with their own rights."""
        saved = await run_in_threadpool(lambda: queries.save(house, name, asked.sql, shared=asked.shared))
        return await run_in_threadpool(answer, saved)

    @routes.delete(
        "/queries/{name:path}",
        summary="Forget a saved query",
        responses=openapi.answers("SavedQuery") | unknown,
    )
    def delete(name: str) -> Response:
        return answer(queries.delete(house, name))
