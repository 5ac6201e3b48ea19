"""What the answers are, for the OpenAPI document: the schemas of the records that they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI

from sentry_connector.store.records import Run
from sentry_connector.web import problems

_REF = "#/components/schemas/{name}"

Answers = dict[int | str, dict[str, Any]]


class ProblemDocument(msgspec.Struct, kw_only=True):
    """An error, as RFC 9457 has it, with the name and the code of the command line; some have further fields."""

    type: str
    title: str
    status: int
    name: str
    code: int
    message: str
    remedy: str


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


def text(media_type: str) -> Answers:
    """An answer that is no JSON."""
    content = {media_type.partition(";")[0]: {"schema": {"type": "string"}}}
    return {int(HTTPStatus.OK): {"description": HTTPStatus.OK.phrase, "content": content}}


def refusals(*statuses: HTTPStatus) -> Answers:
    """Problem documents with these statuses."""
    content = {problems.MEDIA_TYPE: {"schema": {"$ref": _REF.format(name="ProblemDocument")}}}
    return {int(one): {"description": one.phrase, "content": content} for one in statuses}


def _json(schema: dict[str, Any], statuses: Sequence[HTTPStatus] = (HTTPStatus.OK,)) -> Answers:
    content = {"application/json": {"schema": schema}}
    return {int(one): {"description": one.phrase, "content": content} for one in statuses}


def describe(app: FastAPI) -> None:
    """Put the schemas that answers name into the application's document."""
    make = app.openapi

    def document() -> dict[str, Any]:
        made = make()
        made.setdefault("components", {}).setdefault("schemas", {}).update(_schemas())
        return made

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's own way to extend the document


def _schemas() -> dict[str, Any]:
    _, found = msgspec.json.schema_components([Run, ProblemDocument], ref_template=_REF)
    run = found["Run"]
    del run["properties"]["dataset_id"]
    run["properties"]["dataset"] = {"type": "string", "description": "The DataSet's name."}
    run["properties"]["seconds"] = {"type": ["number", "null"], "description": "From its beginning to its end."}
    run["required"] = list(run["properties"])  # a record is answered whole
    return found
