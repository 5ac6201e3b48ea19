"""`/api/v1/exports` and `/pull`: rows, in any format, streamed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from http import HTTPStatus
from typing import Annotated

import pyarrow as pa
from fastapi import APIRouter, Depends
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from sentry_connector.errors import RunIncomplete, UsageError
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import accounts, datasets
from sentry_connector.operations.explained import explained_view
from sentry_connector.operations.pull import Pulled, explain, pull
from sentry_connector.operations.query import run_query
from sentry_connector.reports import catalogue, menus
from sentry_connector.runs.house import House
from sentry_connector.web import openapi
from sentry_connector.web.access import own_key
from sentry_connector.web.answers import json_of
from sentry_connector.web.bodies import body
from sentry_connector.web.idempotency import KeyedRoute
from sentry_connector.web.schemas import NewExport, Pull
from sentry_connector.web.streaming import Form, RowStreams


def row_routes(house: House, streams: RowStreams, statements: RowStreams) -> APIRouter:
    """The routes about rows of several DataSets.

    Args:
        house: as whoever asks sees it.
        streams: answers with the rows of DataSets and reports.
        statements: answers with the rows of SQL.
    """
    routes = APIRouter(prefix="/api/v1", tags=["rows"], route_class=KeyedRoute)

    @routes.post(
        "/exports",
        summary="A file of rows: of a DataSet, or of one SELECT",
        response_class=StreamingResponse,
        responses=openapi.rows() | openapi.refusals(HTTPStatus.NOT_FOUND),
        openapi_extra=openapi.takes(NewExport),
    )
    async def export(asked: Annotated[NewExport, Depends(body(NewExport))]) -> Response:
        """The answer is the file; nothing of it is kept on the server."""
        sql, name = asked.sql, asked.dataset
        if sql is not None and name is None and asked.version is None:
            form = Form(format_name=asked.format, profile=asked.profile, name="query", ascii_name="query")
            ticket = None if asked.ticket is None else own_key(asked.ticket)
            return await statements.answer(lambda: run_query(house, sql, ticket=ticket), form)
        if name is None or sql is not None or asked.ticket is not None:
            raise UsageError(
                "An export is of the rows of a DataSet or of a SELECT.",
                remedy="Give dataset, with or without its version, or sql, with or without a ticket.",
            )
        return await rows_of(house, streams, name, asked.version, Form(format_name=asked.format, profile=asked.profile))

    @routes.post(
        "/pull",
        name="pull",
        summary="Read one report now, straight to the answer; nothing is stored",
        response_class=StreamingResponse,
        responses=openapi.rows(instead="Plan") | openapi.refusals(HTTPStatus.NOT_FOUND, HTTPStatus.BAD_GATEWAY),
        openapi_extra=openapi.takes(Pull),
    )
    async def pull_rows(asked: Annotated[Pull, Depends(body(Pull))]) -> Response:
        """The answer begins once all is read; where something is missing, it is refused with what that is."""
        report = catalogue.find(asked.report)
        details = menus.check(report, asked.details, storing=False)
        connection = await run_in_threadpool(lambda: accounts.connection(house, asked.account))
        if asked.explain:
            plan = await explain(report, details, connection, house, limit=asked.limit)
            return json_of(explained_view(plan, report, asked.limit))
        form = Form(format_name=asked.format, profile=asked.profile, name=report.name, ascii_name=report.slug)
        async with contextlib.AsyncExitStack() as stack:
            reading = pull(report, details, connection, house, progress=Progress(), limit=asked.limit)
            pulled = await stack.enter_async_context(reading)
            _refuse_incomplete(pulled)
            rest = stack.pop_all()
            try:
                return await streams.answer(lambda: _opened(pulled), form, rest.aclose)
            except BaseException:
                await rest.aclose()
                raise

    return routes


def _refuse_incomplete(pulled: Pulled) -> None:
    if pulled.incomplete:
        reasons = "; ".join(f"{one.label}: {one.reason}" for one in pulled.incomplete)
        raise RunIncomplete(f"Not everything could be read. {reasons}", remedy="Leave out what cannot be read.")


@contextlib.contextmanager
def _opened(pulled: Pulled) -> Iterator[pa.RecordBatchReader]:
    yield pa.RecordBatchReader.from_batches(pulled.schema, pulled.batches())


async def rows_of(house: House, streams: RowStreams, name: str, version: int | None, form: Form) -> StreamingResponse:
    """The rows of a DataSet, as a file of its name.

    Raises:
        UnknownName: there is no such DataSet or version.
    """
    dataset = await run_in_threadpool(datasets.find, house, name)
    named = Form(format_name=form.format_name, profile=form.profile, name=dataset.name, ascii_name=dataset.slug)
    return await streams.answer(lambda: datasets.rows(house, dataset.id, version), named)
