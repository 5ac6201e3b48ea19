"""A POST that is sent again is not done again: its answer is kept for a day, under the key that its sender chose.

The id of what it makes is chosen and stored first. Where the process dies before its answer is stored, the next request with the
key makes what has that id: what is there already is not made twice.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from sentry_connector.errors import ConnectorError, Locked, UsageError
from sentry_connector.runs.house import House
from sentry_connector.store.ids import new_id
from sentry_connector.store.processes import this_process
from sentry_connector.store.records import Answer, Claim, RequestKey
from sentry_connector.web import problems
from sentry_connector.web.access import own_key
from sentry_connector.web.answers import JSON, JsonAnswer
from sentry_connector.web.bodies import whole_body

LONGEST_KEY = 255
PATIENCE, POLL = 20.0, 0.1
"""Seconds for which the answer to the first of two equal requests is waited for, and between two looks at it."""

REPLAYED = "Idempotent-Replayed"
"""The header of an answer that was given before."""

SECRETS = frozenset({"token", "address", "password", "secret", "code", "old", "new", "secrets"})
"""Fields of which nothing is kept, not even a digest."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class KeyedRoute(APIRoute):
    """A route whose POSTs may have a key."""

    def __init__(self, *args: Any, **options: Any) -> None:
        if "POST" in (options.get("methods") or ()):
            options["dependencies"] = [*(options.get("dependencies") or ()), Depends(_described)]
        super().__init__(*args, **options)

    def get_route_handler(self) -> Handler:
        """The route's handler, done once for each key."""
        handler = super().get_route_handler()
        return _once(handler) if "POST" in (self.methods or ()) else handler


def _described(
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=LONGEST_KEY,
            description="Made anew for each request, and sent again with it: for a day a request that comes twice is done once.",
        ),
    ] = None,
) -> None:
    """Nothing is done here: OpenAPI learns of the header by it."""


def fresh_id(request: Request) -> str:
    """The id of what a request makes; the same one where it is gone on with."""
    house: House = request.app.state.house
    claimed: str | None = getattr(request.state, "made", None)
    return claimed or new_id(house.now(), house.rng)


Made = Annotated[str, Depends(fresh_id)]


def _once(handler: Handler) -> Handler:
    async def handle(request: Request) -> Response:
        name = request.headers.get("idempotency-key")
        if name is None:
            return await handler(request)
        if not 1 <= len(name) <= LONGEST_KEY:
            raise UsageError(f"An Idempotency-Key has 1 to {LONGEST_KEY} characters.")
        house: House = request.app.state.house
        key = RequestKey(key=own_key(name), digest=_digest(request, await whole_body(request)))
        claim = await _claimed(house, key)
        if claim.answer is not None:
            return _again(claim.answer)
        request.state.made = claim.made
        keys = house.store.request_keys
        try:
            response = await handler(request)
        except Exception as error:
            # A refusal has made nothing; after anything else, what was made has the id that was chosen.
            forget = keys.release if _status_of(error) < HTTPStatus.INTERNAL_SERVER_ERROR else keys.leave
            await _stored(lambda: forget(key))
            raise
        if isinstance(response, JsonAnswer):
            location = response.headers.get("location")
            answer = Answer(status=response.status_code, location=location, body=response.kept.decode())
            await _stored(lambda: keys.keep(key, answer))
        else:  # rows are read anew
            await _stored(lambda: keys.release(key))
        return response

    return handle


async def _claimed(house: House, key: RequestKey) -> Claim:
    made = new_id(house.now(), house.rng)
    give_up = house.clock.monotonic() + PATIENCE
    while True:
        try:
            return await run_in_threadpool(
                lambda: house.store.request_keys.claim(key, made, this_process(), house.now())
            )
        except Locked:
            if house.clock.monotonic() >= give_up:
                raise
        await house.clock.sleep(POLL)


async def _stored(work: Callable[[], None]) -> None:
    """What was answered, or refused, counts more than that it is remembered."""
    with contextlib.suppress(ConnectorError):
        await run_in_threadpool(work)


def _again(answer: Answer) -> Response:
    headers = {REPLAYED: "true"} | ({"Location": answer.location} if answer.location else {})
    return Response(answer.body, status_code=answer.status, media_type=JSON, headers=headers)


def _status_of(error: Exception) -> int:
    if isinstance(error, ConnectorError):
        return problems.status_of(error)
    if isinstance(error, HTTPException):
        return error.status_code
    return (
        HTTPStatus.UNPROCESSABLE_ENTITY
        if isinstance(error, RequestValidationError)
        else HTTPStatus.INTERNAL_SERVER_ERROR
    )


def _digest(request: Request, body: bytes) -> str:
    """Of what is asked for, in whatever spelling of JSON."""
    asked: Any = body
    with contextlib.suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
        asked = msgspec.json.decode(body)
    if isinstance(asked, dict):
        asked = {name: asked[name] for name in sorted(asked) if name not in SECRETS}
    what = [request.method, request.url.path, request.url.query, asked]
    return hashlib.sha256(msgspec.json.encode(what)).hexdigest()
