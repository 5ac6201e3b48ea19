"""How an error is answered: as a page to a browser that goes somewhere, and as a problem document to all others."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Protocol

from fastapi import Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import compile_path
from starlette.types import Scope

from sentry_connector.errors import ConnectorError, UsageError
from sentry_connector.web.pages.words import language_asked
from sentry_connector.web.problems import Desk, problem, status_of
from sentry_connector.web.sentences import sentences


class Refusing(Protocol):
    """Whoever makes pages of errors: `state.pages` of the application."""

    def refusal(self, scope: Scope, error: ConnectorError, status: HTTPStatus) -> Response:
        """An error as a page."""
        ...


def refusal(
    scope: Scope, error: ConnectorError, status: HTTPStatus | None = None, headers: dict[str, str] | None = None
) -> Response:
    """The answer to a request that ends in an error."""
    if not wants_a_page(scope):
        return problem(error, status, headers, sentences(language_asked(Request(scope))))
    pages: Refusing = scope["app"].state.pages
    return pages.refusal(scope, error, status or status_of(error))


def wants_a_page(scope: Scope) -> bool:
    """Whether a request is of a browser that goes somewhere, and not of a program or of a page's script."""
    if scope["method"] not in {"GET", "HEAD"} or scope["path"].startswith("/api/"):
        return False
    headers = dict(scope["headers"])
    return b"text/html" in headers.get(b"accept", b"") or b"hx-request" in headers


async def answer_connector_error(request: Request, error: Exception) -> Response:
    """The handler of all errors that are raised on purpose."""
    if not isinstance(error, ConnectorError):
        raise error
    desk: Desk = request.app.state.desk
    return refusal(request.scope, desk.told(error))


async def answer_invalid_request(request: Request, error: Exception) -> Response:
    """A request that does not have the form that it must have."""
    errors: list[dict[str, Any]] = getattr(error, "errors", list)()
    said = (
        "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in errors)
        or "The request has no such form."
    )
    return refusal(request.scope, UsageError(said, remedy="/api/v1/openapi.json describes the requests."))


async def answer_http_error(request: Request, error: Exception) -> Response:
    """A path or a method that there is not, or a body that is not taken."""
    if not isinstance(error, HTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers or {})
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods(request)) or headers.get("Allow", "")
    remedy = "/api/v1/openapi.json lists what there is." if error.detail == status.phrase else error.detail
    return refusal(request.scope, UsageError(f"{status.phrase}.", remedy=remedy), status, headers)


def _methods(request: Request) -> list[str]:
    """What can be done with a path, all routes to it together."""
    paths: dict[str, dict[str, Any]] = request.app.openapi()["paths"]
    found = {
        name.upper()
        for template, operations in paths.items()
        if compile_path(template)[0].match(request.scope["path"])
        for name in operations
    }
    return sorted(found | {"HEAD"} if "GET" in found else found)
