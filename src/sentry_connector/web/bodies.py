"""What requests bring: read up to a limit, and decoded into the record that is wanted. What it does not know is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from fastapi import Request
from starlette.exceptions import HTTPException

from sentry_connector.errors import UsageError
from sentry_connector.web.answers import JSON

MOST_BYTES = 2**20
"""Of a request's body."""

Record = TypeVar("Record", bound=msgspec.Struct)


async def whole_body(request: Request) -> bytes:
    """The request's body; it is read once, and remembered.

    Raises:
        HTTPException: it is too large (413).
    """
    known: bytes | None = getattr(request.state, "whole_body", None)
    if known is not None:
        return known
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MOST_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body may have {MOST_BYTES:,} bytes.")
    request.state.whole_body = bytes(data)
    return bytes(data)


def body(kind: type[Record]) -> Callable[[Request], Awaitable[Record]]:
    """A dependency of FastAPI: the request's body as a record of that kind.

    Raises:
        UsageError: it is no JSON, or not such a record.
        HTTPException: it is no JSON by its own word (415), or too large (413).
    """
    decoder = msgspec.json.Decoder(kind)

    async def read(request: Request) -> Record:
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
        if media_type != JSON:
            raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send the body as {JSON}.")
        data = await whole_body(request)
        try:
            return decoder.decode(data)
        except RecursionError:
            raise _not_understood("it is nested too deeply") from None
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise _not_understood(str(error)) from None

    return read


def given(record: msgspec.Struct) -> dict[str, Any]:
    """The fields that were given; the others are unset."""
    return {name: value for name, value in msgspec.structs.asdict(record).items() if value is not msgspec.UNSET}


def _not_understood(why: str) -> UsageError:
    return UsageError(f"The body is not what is wanted: {why}.", remedy="/api/v1/openapi.json describes the requests.")
