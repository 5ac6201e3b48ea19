"""The routes of the API as a page, from its OpenAPI document."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from sentry_connector.app import app
from sentry_connector.redact import Redactor
from sentry_connector.runs.engine import Engine
from sentry_connector.runs.log import ProcessLines, bound_log, log_path
from sentry_connector.web.application import application
from sentry_connector.web.metrics import Metrics
from sentry_connector.web.place import Place


def document() -> dict[str, Any]:
    """The OpenAPI document; nothing is opened for it."""
    with app({"HOME": "/"}) as house:
        lines = ProcessLines(log_path(house.logs, "docs"))
        engine = Engine(house=house, log=bound_log(lines, Redactor(), "docs"), runs_at_once=1)
        return application(engine, Metrics(engine, lines), Place()).openapi()


def page() -> str:
    """A table for each kind of thing."""
    groups = itertools.groupby(_operations(document()), key=lambda one: one[0])
    tables = "\n\n".join(f"## {tag}\n\n{_table([row for _, row in rows])}" for tag, rows in groups)
    return (
        "# Routes\n\n"
        "Every route of [the API](api.md), from the document at `/api/v1/openapi.json`, which describes what each takes and\n"
        "answers.\n"
        "Each `GET` can be asked as `HEAD`. Beside the statuses that are given here, [any](api.md#errors) may be refused.\n\n"
        f"{tables}\n"
    )


def _operations(made: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    rows = [
        (operation["tags"][0], path, method, operation)
        for path, operations in made["paths"].items()
        for method, operation in operations.items()
    ]
    for tag, path, method, operation in sorted(rows, key=lambda one: one[0]):
        yield tag, f"| `{method.upper()} {path}` | {_takes(operation)} | {_statuses(operation)} | {_about(operation)} |"


def _table(rows: list[str]) -> str:
    return "\n".join(["| route | takes | answers | |", "|---|---|---|---|", *rows])


def _takes(operation: Mapping[str, Any]) -> str:
    named = [f"`{one['name']}`" for one in operation.get("parameters", ()) if one["in"] == "query"]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return ", ".join([*named, *([f"a body: {body['$ref'].rpartition('/')[2]}"] if body else [])])


def _statuses(operation: Mapping[str, Any]) -> str:
    return ", ".join(status for status in operation["responses"] if int(status) < 300)  # noqa: PLR2004  # what went well


def _about(operation: Mapping[str, Any]) -> str:
    text = f"{operation['summary']}. {operation.get('description', '')}"
    return " ".join(text.split()).replace("|", "\\|")
