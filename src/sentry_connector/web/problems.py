"""Errors as problem documents (RFC 9457), with the names and codes of the error tree."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi.responses import Response

from sentry_connector.datasets.schedule import Say
from sentry_connector.errors import (
    Cancelled,
    ConnectionFailed,
    ConnectorError,
    CredentialError,
    DestinationError,
    DiskFull,
    EditedMeanwhile,
    KeyViolated,
    Locked,
    MalformedAnswer,
    NotAllowed,
    NotDelivered,
    OutOfResources,
    QueriesBusy,
    RateLimited,
    RequestRefused,
    RunIncomplete,
    SignInNeeded,
    StoreUnusable,
    TableChanged,
    TooManyTries,
    UnknownName,
    UsageError,
)
from sentry_connector.redact import redact_patterns
from sentry_connector.runs.log import Log
from sentry_connector.store.ids import new_id

MEDIA_TYPE = "application/problem+json"

STATUSES: tuple[tuple[type[ConnectorError], HTTPStatus], ...] = (
    (UnknownName, HTTPStatus.NOT_FOUND),
    (EditedMeanwhile, HTTPStatus.PRECONDITION_FAILED),
    (UsageError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (CredentialError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (KeyViolated, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Locked, HTTPStatus.CONFLICT),
    (Cancelled, HTTPStatus.CONFLICT),
    (TableChanged, HTTPStatus.CONFLICT),
    (QueriesBusy, HTTPStatus.SERVICE_UNAVAILABLE),
    (RateLimited, HTTPStatus.SERVICE_UNAVAILABLE),
    (ConnectionFailed, HTTPStatus.BAD_GATEWAY),
    (RequestRefused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (MalformedAnswer, HTTPStatus.BAD_GATEWAY),
    (RunIncomplete, HTTPStatus.BAD_GATEWAY),
    (NotDelivered, HTTPStatus.BAD_GATEWAY),
    (DiskFull, HTTPStatus.INSUFFICIENT_STORAGE),
    (DestinationError, HTTPStatus.SERVICE_UNAVAILABLE),
    (StoreUnusable, HTTPStatus.SERVICE_UNAVAILABLE),
    (OutOfResources, HTTPStatus.SERVICE_UNAVAILABLE),
    (SignInNeeded, HTTPStatus.UNAUTHORIZED),
    (NotAllowed, HTTPStatus.FORBIDDEN),
    (TooManyTries, HTTPStatus.TOO_MANY_REQUESTS),
)
"""Class → status, the first that fits; what is none of these is a defect of the server's own."""

OF_THE_INSIDE = (StoreUnusable, DestinationError, OutOfResources)
"""Errors whose words may name files, SQL or hosts of the server: whoever asked is told their kind, the log the rest."""

FACTS = frozenset({"field", "rows", "menu", "kind", "given", "retry_after", "steps", "line", "column"})
"""What an error knows beside its words, and programs may use."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """Where failures are written down."""

    log: Log
    now: Callable[[], datetime]
    rng: random.Random
    places: tuple[str, ...] = ()
    """Folders of the server, which nobody else is told of."""

    def told(self, error: ConnectorError, because: BaseException | None = None) -> ConnectorError:
        """What may be told of an error; where that is not all, the rest is in the log, under an id that is told.

        Args:
            error: what went wrong.
            because: what it was in truth, where it is a defect.
        """
        status = status_of(error)
        if status is not HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, OF_THE_INSIDE):
            return self._without_places(error)
        id_ = new_id(self.now(), self.rng)
        self.log.error("request failed", id=id_, error=error.name, said=error.message, exc_info=because or error)
        kind = (
            "Something went wrong that should not." if error.name == ConnectorError.name else _first_line(type(error))
        )
        remedy = error.default_remedy if error.name != ConnectorError.name else "Please report this with that log."
        told = type(error)(f"{kind} The server's log has more under {id_}.", remedy=remedy)
        told.data["id"] = id_
        return told

    def _without_places(self, error: ConnectorError) -> ConnectorError:
        if not any(place in error.message for place in self.places):
            return error
        told = copy.copy(error)
        for place in self.places:
            told.message = told.message.replace(place, "…")
        return told


def _first_line(kind: type[ConnectorError]) -> str:
    return (kind.__doc__ or kind.name).partition("\n")[0]


def problem(
    error: ConnectorError,
    status: HTTPStatus | None = None,
    headers: dict[str, str] | None = None,
    say: Say = str,
) -> Response:
    """An error as an answer; `say` says sentences in the language of whoever asked."""
    status = status or status_of(error)
    wait = error.data.get("retry_after")
    if isinstance(wait, int | float):
        headers = {"Retry-After": str(math.ceil(wait)), **(headers or {})}
    if isinstance(error, SignInNeeded):
        headers = {"WWW-Authenticate": 'Bearer realm="Sentry Connector"', **(headers or {})}
    content = msgspec.json.encode(document(error, status, say))
    return Response(content, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def document(error: ConnectorError, status: HTTPStatus, say: Say = str) -> dict[str, Any]:
    """An error as a problem document."""
    told = {"message": say(redact_patterns(error.message)), "remedy": say(redact_patterns(error.remedy))}
    words = error.as_dict() | told
    nearest: list[str] = getattr(error, "nearest", [])
    return {
        "type": f"urn:sentry-connector:{error.name}",
        "title": words["message"],
        "status": int(status),
        **words,
        **{name: value for name, value in error.data.items() if name in FACTS | {"id"}},
        **({"nearest": nearest} if nearest else {}),
    }


def status_of(error: ConnectorError) -> HTTPStatus:
    """The status that says what kind of error it is."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
