"""A version of a table as it is told to the process that runs statements, and as that has it."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.fs as pafs

from sentry_connector.destinations.query import Snapshot, Unread
from sentry_connector.queries.far_files import FarFiles, Piece
from sentry_connector.queries.messages import View


def told(table: Snapshot | Unread) -> View:
    """A table in words that need no file system."""
    schema = bytes(table.schema.serialize())
    if isinstance(table, Unread):
        return View(schema=schema, is_named=False)
    there, files = table.filesystem, list(table.files)
    sizes = None if there is None else tuple(info.size for info in there.get_file_info(files))
    return View(schema=schema, files=table.files, holds_days=table.holds_days, sizes=sizes)


def far_files(table: Snapshot | Unread) -> Mapping[str, pafs.FileSystem]:
    """Those of its files that are in an object store, each with the store."""
    if isinstance(table, Unread) or table.filesystem is None:
        return {}
    return dict.fromkeys(table.files, table.filesystem)


def understood(view: View, piece: Piece) -> Snapshot | Unread:
    """The table of a view.

    Args:
        view: as it was told.
        piece: reads a part of a file in an object store.
    """
    schema = pa.ipc.read_schema(pa.py_buffer(view.schema))
    if not view.is_named:
        return Unread(schema=schema)
    sizes = None if view.sizes is None else dict(zip(view.files, view.sizes, strict=True))
    there = None if sizes is None else FarFiles(sizes, piece).filesystem()
    return Snapshot(files=view.files, schema=schema, filesystem=there, holds_days=view.holds_days)
