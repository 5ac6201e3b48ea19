"""Small reports that the tests of this room decode."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa

from sentry_connector.extraction.decode import Context, Decoder
from sentry_connector.reports.model import (
    Endpoint,
    Grain,
    Report,
    Shape,
    boolean,
    integer,
    json,
    real,
    text,
    timestamp,
)

NOW = dt.datetime(2026, 3, 10, 12, 0, tzinfo=dt.UTC)

THINGS = Report(
    slug="things",
    name="Things",
    about="Things with one column of each type.",
    scope="project:read",
    grain=Grain.PROJECT,
    endpoints=(Endpoint(path="/projects/{organization}/{project}/things/"),),
    menus={},
    columns=(
        text("organization", "Slug.", context="organization"),
        text("project_id", "Id.", "projectID", context="project_id"),
        text("id", "Id.", "id"),
        integer("count", "A number.", "lifetime/count", "count"),
        real("score", "A number.", "score"),
        boolean("seen", "A flag.", "hasSeen"),
        timestamp("date_created", "A time.", "dateCreated"),
        text("user_email", "Text below an object.", "user/email"),
        json("tags", "JSON.", "tags"),
    ),
    key=("project_id", "id"),
    time_column="date_created",
    immutable_time=True,
    item_owner=("projectID", "project_id"),
    left_out={"noise": "nobody wants it", "user/name": "nobody wants it"},
)

ENTRIES = Report(
    slug="parts",
    name="Parts",
    about="One row per entry.",
    scope="project:read",
    grain=Grain.PROJECT,
    shape=Shape.ENTRIES,
    endpoints=(Endpoint(path="/projects/{organization}/{project}/events/"),),
    menus={},
    columns=(
        text("event_id", "Id.", "eventID"),
        integer("entry_index", "Place.", "@index"),
        text("entry_type", "Type.", "@entry/type"),
        json("entry_data", "Data.", "@entry/data"),
    ),
    key=("event_id", "entry_index"),
    left_out={},
)


def context(**changes: object) -> Context:
    """What the rows of a page have in common."""
    facts: dict[str, object] = {
        "values": {"organization": "acme", "project_id": "7"},
        "host": "sentry.example",
        "run_id": "run-1",
        "extracted_at": NOW,
    }
    return Context(**(facts | changes))  # type: ignore[arg-type]


def batch_of(decoder: Decoder, body: bytes, common: Context) -> pa.RecordBatch:
    """The rows of one page."""
    batch, _ = decoder.batch([decoder.page(body, common)])
    return batch
