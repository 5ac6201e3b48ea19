"""`/api/v1/runs`: what was run, how far it is, and what is to be run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from sentry_connector.errors import ConnectorError
from sentry_connector.operations import runs
from sentry_connector.operations.views import run_view
from sentry_connector.runs.house import House
from sentry_connector.store.records import RunState, Trigger, Verdict
from sentry_connector.web import openapi, problems
from sentry_connector.web.answers import json_of
from sentry_connector.web.bodies import body
from sentry_connector.web.idempotency import KeyedRoute, Made
from sentry_connector.web.problems import Desk
from sentry_connector.web.schemas import NewRun

KEEP_ALIVE = 15.0
"""Seconds after which a silent stream says that it lives."""

POLL = 0.25
"""Seconds between two looks at a run: with `watch.LOOK` what is told of it is less than a second old."""

RETRY = b"retry: 3000\n\n"
"""Milliseconds after which a stream that was cut off is asked for again."""

END = "end"
"""The id of a stream's last event: whoever has it need not ask again."""

MOST = 1000

Last = Annotated[str | None, Header(alias="Last-Event-ID", description="The last event that was heard.")]


Stream = Callable[[House, Desk, str, int], AsyncIterator[bytes]]
"""Given the number of the last event that was heard: those that follow."""


class Wanted(BaseModel, extra="forbid"):
    """Which runs are listed."""

    dataset: str | None = Field(None, description="Only this DataSet's.")
    state: RunState | None = Field(None, description="Only those in this state.")
    verdict: Verdict | None = Field(None, description="Only those that ended so.")
    trigger: Trigger | None = Field(None, description="Only those that this asked for.")
    before: str | None = Field(None, description="The id of a run: only those that come after it in the list.")
    limit: int = Field(100, ge=1, le=MOST, description="How many at most.")


def run_routes(house: House) -> APIRouter:
    """The routes about runs."""
    routes = APIRouter(prefix="/api/v1/runs", tags=["runs"], route_class=KeyedRoute)
    unknown = openapi.refusals(HTTPStatus.NOT_FOUND)
    heard: openapi.Answers = {int(HTTPStatus.NO_CONTENT): {"description": "The last event was heard already."}}

    @routes.get("", summary="Runs, newest first", responses=openapi.answers("Run", many=True) | unknown)
    def list_runs(request: Request, wanted: Annotated[Wanted, Query()]) -> Response:
        """Where there may be more, the header `Link` names where they are."""
        found = runs.history(house, wanted.dataset, **wanted.model_dump(exclude={"dataset"}))
        following = request.url.include_query_params(before=found[-1][0].id) if len(found) == wanted.limit else None
        headers = {"Link": f'<{following}>; rel="next"'} if following else None
        return json_of([run_view(run, of) for run, of in found], headers=headers)

    @routes.post(
        "",
        summary="Run a DataSet now",
        status_code=HTTPStatus.ACCEPTED,
        responses=openapi.answers("Run", HTTPStatus.ACCEPTED) | unknown,
        openapi_extra=openapi.takes(NewRun),
    )
    def start(asked: Annotated[NewRun, Depends(body(NewRun))], made: Made) -> Response:
        """Whoever serves does it; `/runs/{run_id}/events` tells how far it is."""
        run = runs.start(house, asked.dataset, made)
        of = house.store.datasets.get(run.dataset_id)
        headers = {"Location": f"/api/v1/runs/{run.id}"}
        return json_of(run_view(run, of), status=HTTPStatus.ACCEPTED, headers=headers)

    @routes.get("/{run_id}", summary="A run", responses=openapi.answers("Run") | unknown)
    def show(run_id: str) -> Response:
        return json_of(run_view(*runs.find_by_id(house, run_id)))

    @routes.get("/{run_id}/log", summary="The lines of a run's log", responses=openapi.lines() | unknown)
    def log(run_id: str) -> Response:
        run, _ = runs.find_by_id(house, run_id)
        return json_of(runs.log(house, run))

    @routes.post(
        "/{run_id}/cancel",
        summary="Stop a run that is not done",
        responses=openapi.answers("Run", HTTPStatus.OK, HTTPStatus.ACCEPTED) | unknown,
    )
    async def cancel(run_id: str) -> Response:
        """Answers at once: 202 while whoever is at work on it has yet to hear of it."""
        _, dataset = await run_in_threadpool(lambda: runs.find_by_id(house, run_id))
        run = await runs.cancel(house, run_id, patience=0.0)
        status = HTTPStatus.OK if run.state is RunState.DONE else HTTPStatus.ACCEPTED
        return json_of(run_view(run, dataset), status=status)

    @routes.get(
        "/{run_id}/events",
        summary="How far a run is, as server-sent events",
        response_class=StreamingResponse,
        responses=openapi.events("progress", "end", "error") | heard | unknown,
    )
    def events(request: Request, run_id: str, last: Last = None) -> Response:
        """`progress` whenever something has changed, `end` with the run, `error` with a problem document."""
        return answer_events(request, run_id, last, _events)

    @routes.get(
        "/{run_id}/log/events",
        summary="The lines of a run's log as they come, as server-sent events",
        response_class=StreamingResponse,
        responses=openapi.events("line", "end", "error") | heard | unknown,
    )
    def log_events(request: Request, run_id: str, last: Last = None) -> Response:
        """`line` for each line, from the first one or after the last one heard; `end` when the run has ended."""
        return answer_events(request, run_id, last, _lines)

    def answer_events(request: Request, run_id: str, last: str | None, stream: Stream) -> Response:
        run, _ = runs.find_by_id(house, run_id)  # what is not there is told before the stream begins
        if last == END and run.state is RunState.DONE:
            return Response(status_code=HTTPStatus.NO_CONTENT)  # tells an EventSource not to come back
        number = int(last) if last is not None and last.isascii() and last.isdecimal() else 0
        events = stream(house, request.app.state.desk, run_id, number)
        return StreamingResponse(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    return routes


async def _lines(house: House, desk: Desk, run_id: str, number: int) -> AsyncIterator[bytes]:
    """The lines after the one of that number."""
    yield RETRY
    silent = 0.0
    try:
        while True:
            run, dataset = await house.aside(lambda: runs.find_by_id(house, run_id))
            lines = await house.aside(partial(runs.log, house, run))
            for line in lines[number:]:
                number += 1
                yield _event("line", line, str(number))
                silent = 0.0
            if run.state is RunState.DONE:
                yield _event("end", run_view(run, dataset), END)
                return
            if silent >= KEEP_ALIVE:
                yield b": alive\n\n"
                silent = 0.0
            await house.clock.sleep(POLL)
            silent += POLL
    except ConnectorError as error:
        yield _event("error", problems.document(desk.told(error), problems.status_of(error)))


async def _events(house: House, desk: Desk, run_id: str, number: int) -> AsyncIterator[bytes]:
    """The events of a stream that goes on after the one of that number."""
    yield RETRY
    told, silent = None, 0.0
    try:
        while True:
            run, dataset = await house.aside(lambda: runs.find_by_id(house, run_id))
            if run.state is RunState.DONE:
                yield _event("end", run_view(run, dataset), END)
                return
            progress = await house.aside(lambda: house.store.runs.progress(run_id))
            facts = {"state": run.state, "attempt": run.attempt, "progress": progress}
            if facts != told:
                number += 1
                yield _event("progress", facts, str(number))
                told, silent = facts, 0.0
            elif silent >= KEEP_ALIVE:
                yield b": alive\n\n"
                silent = 0.0
            await house.clock.sleep(POLL)
            silent += POLL
    except ConnectorError as error:
        yield _event("error", problems.document(desk.told(error), problems.status_of(error)))


def _event(name: str, facts: dict[str, Any], id_: str | None = None) -> bytes:
    """An event; one without an id leaves the last one heard as it is."""
    lines = [f"id: {id_}"] if id_ is not None else []
    return "\n".join([*lines, f"event: {name}", f"data: {msgspec.json.encode(facts).decode()}", "", ""]).encode()
