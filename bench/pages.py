"""Pages of events as Sentry sends them, made by the simulated Sentry's own functions."""

from __future__ import annotations

import datetime as dt
import json

from sentry_connector.extraction.decode import Context
from sentry_connector.simulator import World
from sentry_connector.simulator.events import slim_json

ROWS = 100
"""Events on a page of the list form."""

NOW = dt.datetime(2026, 3, 10, 12, 0, tzinfo=dt.UTC)


def project() -> tuple[World, str]:
    """A world with 20,000 events in one project, and the project's id."""
    world = World.build(now=NOW, events={"acme/shop": 20_000})
    return world, world.project("acme", "shop").id


def plain(world: World) -> list[bytes]:
    """All events of the project, page by page: nothing in them is unknown."""
    rows = [slim_json(event) for event in world.project("acme", "shop").events]
    return [b"[" + b",".join(rows[start : start + ROWS]) + b"]" for start in range(0, len(rows), ROWS)]


def surprising(pages: list[bytes]) -> list[bytes]:
    """The same pages, each with one event whose title is an object, which no struct takes."""
    return [_surprised(page) for page in pages]


def _surprised(page: bytes) -> bytes:
    items = json.loads(page)
    items[0]["title"] = {"text": items[0]["title"]}
    return json.dumps(items).encode()


def context(project_id: str) -> Context:
    """What the rows of these pages have in common."""
    values = {"organization": "acme", "organization_id": "1", "project": "shop", "project_id": project_id}
    return Context(values=values, host="sentry.example", run_id="bench", extracted_at=NOW)
