"""Errors as problem documents (RFC 9457), with the names and codes of the error tree."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import Request
from fastapi.responses import Response

from sentry_connector.errors import (
    ConnectorError,
    Locked,
    StoreUnusable,
    UnknownName,
    UsageError,
)

MEDIA_TYPE = "application/problem+json"

STATUSES: tuple[tuple[type[ConnectorError], HTTPStatus], ...] = (
    (UnknownName, HTTPStatus.NOT_FOUND),
    (UsageError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Locked, HTTPStatus.CONFLICT),
    (StoreUnusable, HTTPStatus.SERVICE_UNAVAILABLE),
)
"""Class → status, the first that fits; what is none of these is the server's own affair."""


def problem(error: ConnectorError, status: HTTPStatus | None = None) -> Response:
    """An error as an answer."""
    status = status or status_of(error)
    return Response(msgspec.json.encode(document(error, status)), status_code=status, media_type=MEDIA_TYPE)


def document(error: ConnectorError, status: HTTPStatus) -> dict[str, Any]:
    """An error as a problem document."""
    return {
        "type": f"urn:sentry-connector:{error.name}",
        "title": error.message,
        "status": int(status),
        **error.as_dict(),
    }


def status_of(error: ConnectorError) -> HTTPStatus:
    """The status that says what kind of error it is."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)


async def answer_connector_error(_request: Request, error: Exception) -> Response:
    """The handler of all errors that are raised on purpose."""
    if not isinstance(error, ConnectorError):
        raise error
    return problem(error)


async def answer_invalid_request(_request: Request, error: Exception) -> Response:
    """A request that does not have the form that it must have."""
    errors: list[dict[str, Any]] = getattr(error, "errors", list)()
    said = (
        "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in errors)
        or "The request has no such form."
    )
    return problem(UsageError(said, remedy="/api/v1/openapi.json describes the requests."))


async def answer_http_error(_request: Request, error: Exception) -> Response:
    """A path or a method that there is not."""
    status = HTTPStatus(getattr(error, "status_code", 500))
    return problem(UsageError(f"{status.phrase}.", remedy="/api/v1/openapi.json lists what there is."), status)
