"""The OpenAPI document: requests and answers by the records that they are decoded into and made of."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.routing import APIRoute

from sentry_connector.formats.model import FORMATS
from sentry_connector.operations.choices import Choice
from sentry_connector.store.records import Account, Channel, DataSet, Delivery, Notice, Run
from sentry_connector.store.rights import User
from sentry_connector.web import problems
from sentry_connector.web.answers import JSON
from sentry_connector.web.schemas import ANSWERS, REQUESTS, WORDS
from sentry_connector.web.streaming import MEDIA_TYPES

_REF = "#/components/schemas/{name}"

Answers = dict[int | str, dict[str, Any]]

ALWAYS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.CONFLICT,
    HTTPStatus.MISDIRECTED_REQUEST,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""What any request may be refused with."""

WHERE_SOMETHING_CHANGES = (HTTPStatus.INSUFFICIENT_STORAGE,)
WITH_A_BODY = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)

_TEXT = {"type": "string"}
_MAYBE_TEXT = {"type": ["string", "null"]}
_TEXTS = {"type": "array", "items": _TEXT}
_MAYBE_TIME = {"type": ["string", "null"], "format": "date-time"}


def answers(name: str, *statuses: HTTPStatus, many: bool = False) -> Answers:
    """Answers of that schema, with these statuses; 200 where none is given."""
    schema = {"$ref": _REF.format(name=name)}
    return _json({"type": "array", "items": schema} if many else schema, statuses or (HTTPStatus.OK,))


def facts(*names: str, statuses: Sequence[HTTPStatus] = (HTTPStatus.OK,)) -> Answers:
    """Answers of a few named texts."""
    schema = {"type": "object", "properties": {name: {"type": ["string", "null"]} for name in names}}
    return _json(schema | {"required": list(names)}, statuses)


def lines() -> Answers:
    """An answer of objects whose fields are their own."""
    return _json({"type": "array", "items": {"type": "object"}})


def texts() -> Answers:
    """An answer of texts."""
    return _json({"type": "array", "items": {"type": "string"}})


def text(media_type: str) -> Answers:
    """An answer that is no JSON."""
    content = {media_type.partition(";")[0]: {"schema": {"type": "string"}}}
    return {int(HTTPStatus.OK): {"description": HTTPStatus.OK.phrase, "content": content}}


def events(*names: str) -> Answers:
    """An answer of server-sent events of these names, whose data are JSON; the schema is that of one event."""
    data = {"type": "string", "contentMediaType": JSON}
    properties = {"event": {"enum": list(names)}, "id": _TEXT, "data": data, "retry": {"type": "integer"}}
    content = {"text/event-stream": {"schema": {"type": "object", "properties": properties}}}
    return {int(HTTPStatus.OK): {"description": "The events, as they come.", "content": content}}


def rows(instead: str | None = None) -> Answers:
    """An answer of rows, in one of the formats, or of that schema in their place."""
    content: dict[str, Any] = {MEDIA_TYPES[name].partition(";")[0]: {"schema": _TEXT} for name in FORMATS}
    if instead is not None:
        content[JSON] = {"schema": {"$ref": _REF.format(name=instead)}}
    return {int(HTTPStatus.OK): {"description": "The rows.", "content": content}}


def refusals(*statuses: HTTPStatus) -> Answers:
    """Problem documents with these statuses."""
    content = {problems.MEDIA_TYPE: {"schema": {"$ref": _REF.format(name="ProblemDocument")}}}
    return {int(one): {"description": one.phrase, "content": content} for one in statuses}


def takes(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """That a request brings a record of that kind."""
    schema = {"$ref": _REF.format(name=kind.__name__)}
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}}


def operation_id(route: APIRoute) -> str:
    """What a generated client calls it: `datasets_create`."""
    tag = (str(route.tags[0]) if route.tags else "service").replace(" ", "_").replace("-", "_")
    return f"{tag}_{'list' if route.name == f'list_{tag}' else route.name}"


def _json(schema: dict[str, Any], statuses: Sequence[HTTPStatus] = (HTTPStatus.OK,)) -> Answers:
    content = {JSON: {"schema": schema}}
    return {int(one): {"description": one.phrase, "content": content} for one in statuses}


def describe(app: FastAPI) -> None:
    """Put into the application's document the schemas that it names, and what any request may be refused with."""
    make = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = make()
            made["components"] = {"schemas": _schemas()}
            for operations in made["paths"].values():
                for method, operation in operations.items():
                    _add_refusals(method, operation)
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's own way to extend the document


def _add_refusals(method: str, operation: dict[str, Any]) -> None:
    statuses = [*ALWAYS]
    if method != "get":
        statuses += WHERE_SOMETHING_CHANGES
    if "requestBody" in operation:
        statuses += WITH_A_BODY
    known = operation["responses"]
    known.pop(str(int(HTTPStatus.UNPROCESSABLE_ENTITY)), None)  # FastAPI's own, which nobody answers here
    for status, refused in refusals(*statuses).items():
        said = known.setdefault(str(status), refused)
        said["content"] = said["content"] | refused["content"]
    operation["responses"] = dict(sorted(known.items()))


_VIEWS: dict[type[msgspec.Struct], tuple[tuple[str, ...], dict[str, Any]]] = {
    Run: (
        ("dataset_id",),
        {
            "dataset": {"type": "string", "description": "The DataSet's name."},
            "seconds": {"type": ["number", "null"], "description": "From its beginning to its end."},
        },
    ),
    DataSet: (
        ("account_id", "scopes"),
        {
            "account": {"type": ["string", "null"], "description": "The account's name."},
            "timezone": {"type": "string", "description": "That of the details."},
            "health": {"type": "string", "description": "How it is, in a word."},
            "attention": {"type": "array", "items": _TEXT, "description": "What wants attention, in sentences."},
            "rows": {"type": ["integer", "null"]},
            "columns": {"type": ["integer", "null"]},
            "version": {"type": ["integer", "null"]},
            "table_error": {"type": ["string", "null"], "description": "Why the table cannot be looked at."},
            "owner": {
                "type": ["string", "null"],
                "description": "The person who owns it; null on a server without people.",
            },
            "last_run": {"anyOf": [{"$ref": _REF.format(name="Run")}, {"type": "null"}]},
            "next_slot": _MAYBE_TIME,
            "served": {"type": "boolean", "description": "Whether a server lives that keeps the schedules."},
        },
    ),
    Account: (
        ("identity",),
        {
            "scopes_beyond_reading": _TEXTS,
            "used_by": {"type": "array", "items": _TEXT, "description": "The names of the DataSets that use it."},
        },
    ),
    Channel: (("dataset_ids",), {"datasets": _TEXTS}),
    Delivery: (("notice_id", "channel_id"), {"channel": _MAYBE_TEXT}),
    Notice: ((), {"title": _TEXT, "deliveries": {"type": "array", "items": {"$ref": _REF.format(name="Delivery")}}}),
    Choice: ((), {}),
}
"""Record → which of its fields are not answered, and what is answered beside them."""


def _schemas() -> dict[str, Any]:
    _, found = msgspec.json.schema_components([*_VIEWS, User, *ANSWERS, *REQUESTS, *WORDS], ref_template=_REF)
    for record, (without, more) in _VIEWS.items():
        schema = found[record.__name__]
        properties = {name: one for name, one in schema["properties"].items() if name not in without} | more
        schema["properties"], schema["required"] = properties, list(properties)  # a record is answered whole
    new = found["Channel"]
    properties = {**new["properties"], "secret": {"type": "string", "description": "Of a webhook; shown this once."}}
    found["NewlyMadeChannel"] = {**new, "title": "NewlyMadeChannel", "properties": properties}
    return found
