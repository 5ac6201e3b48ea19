"""A version of a table as it is told to the process that runs statements, and as that has it."""

from __future__ import annotations

import pyarrow as pa

from sentry_connector.destinations.query import Snapshot, Unread
from sentry_connector.queries.messages import View


def told(table: Snapshot | Unread) -> View:
    """A table, whose files are on this machine, in words."""
    schema = bytes(table.schema.serialize())
    if isinstance(table, Unread):
        return View(schema=schema, is_named=False)
    return View(schema=schema, files=table.files, holds_days=table.holds_days)


def understood(view: View) -> Snapshot | Unread:
    """The table of a view."""
    schema = pa.ipc.read_schema(pa.py_buffer(view.schema))
    if not view.is_named:
        return Unread(schema=schema)
    return Snapshot(files=view.files, schema=schema, holds_days=view.holds_days)
