"""`/api/v1/runs`: what was run, how far it is, and what is to be run."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Query
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field

from sentry_connector.operations import runs
from sentry_connector.operations.running import POLL
from sentry_connector.operations.views import run_view
from sentry_connector.runs.house import House
from sentry_connector.store.records import RequestKey, RunState

KEEP_ALIVE = 15.0
"""Seconds after which a silent stream says that it lives."""

MOST = 1000


Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Made anew for each request, and sent again with it: for a day a request that comes twice is done once.",
    ),
]


class Asked(BaseModel, extra="forbid"):
    """What is to be run."""

    dataset: str = Field(description="A DataSet's name or slug.")


def run_routes(house: House) -> APIRouter:
    """The routes about runs."""
    routes = APIRouter(prefix="/api/v1/runs", tags=["runs"])

    @routes.get("", summary="Runs, newest first")
    def list_runs(
        dataset: Annotated[str | None, Query(description="Only this DataSet's.")] = None,
        limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
    ) -> Response:
        return json_of([run_view(run, of) for run, of in runs.history(house, dataset, limit=limit)])

    @routes.post("", summary="Run a DataSet now", status_code=HTTPStatus.ACCEPTED)
    def start(asked: Asked, key: Key = None) -> Response:
        run = runs.start(house, asked.dataset, _request_key(key, "run", asked.dataset))
        of = house.store.datasets.get(run.dataset_id)
        headers = {"Location": f"/api/v1/runs/{run.id}"}
        return json_of(run_view(run, of), status=HTTPStatus.ACCEPTED, headers=headers)

    @routes.get("/{run_id}", summary="A run")
    def show(run_id: str) -> Response:
        return json_of(run_view(*runs.find_by_id(house, run_id)))

    @routes.get("/{run_id}/log", summary="The lines of a run's log")
    def log(run_id: str) -> Response:
        run, _ = runs.find_by_id(house, run_id)
        return json_of(runs.log(house, run))

    @routes.post("/{run_id}/cancel", summary="Stop a run that is not done")
    async def cancel(run_id: str, key: Key = None) -> Response:
        runs.find_by_id(house, run_id)
        run = await runs.cancel(house, run_id, patience=0.0, key=_request_key(key, "cancel", run_id))
        status = HTTPStatus.OK if run.state is RunState.DONE else HTTPStatus.ACCEPTED
        return json_of(run_view(run, house.store.datasets.get(run.dataset_id)), status=status)

    @routes.get("/{run_id}/events", summary="How far a run is, as server-sent events")
    def events(run_id: str) -> StreamingResponse:
        runs.find_by_id(house, run_id)  # what is not there is told before the stream begins
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(_events(house, run_id), media_type="text/event-stream", headers=headers)

    return routes


async def _events(house: House, run_id: str) -> AsyncIterator[bytes]:
    """`progress` whenever something has changed, `end` with the run when it is done."""
    told, silent = None, 0.0
    while True:
        run, dataset = await house.aside(lambda: runs.find_by_id(house, run_id))
        if run.state is RunState.DONE:
            yield _event("end", run_view(run, dataset))
            return
        progress = await house.aside(lambda: house.store.runs.progress(run_id))
        facts = {"state": run.state, "attempt": run.attempt, "progress": progress}
        if facts != told:
            yield _event("progress", facts)
            told, silent = facts, 0.0
        elif silent >= KEEP_ALIVE:
            yield b": alive\n\n"
            silent = 0.0
        await house.clock.sleep(POLL)
        silent += POLL


def _request_key(key: str | None, *what: str) -> RequestKey | None:
    return None if key is None else RequestKey(key=key, digest=hashlib.sha256(msgspec.json.encode(what)).hexdigest())


def _event(name: str, facts: dict[str, Any]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(facts) + b"\n\n"


def json_of(value: Any, *, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None) -> Response:
    """An answer."""
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json", headers=headers)
