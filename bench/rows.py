"""Rows of Project Events, as many as wanted, and the commits of them."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.fs as pafs

from bench import pages
from sentry_connector.destinations.delta import Delta
from sentry_connector.destinations.model import Commit, StagedFile, UpdateMethod
from sentry_connector.extraction.decode import Decoder
from sentry_connector.extraction.schema import TIMESTAMP, arrow_schema
from sentry_connector.extraction.spool import Layout, Spool
from sentry_connector.reports import catalogue

REPORT = catalogue.find("project-events")
SLICE = "bench"
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def spool(root: str, epoch: int) -> Spool:
    """Where the files of a run lie."""
    return Spool(
        filesystem=pafs.LocalFileSystem(),
        root=root,
        epoch=epoch,
        nonce=SLICE,
        schema=arrow_schema(REPORT),
        layout=Layout(key=REPORT.key),
    )


def samples() -> pa.Table:
    """The 20,000 events of the simulated Sentry."""
    world, project_id = pages.project()
    decoder, context = Decoder(REPORT), pages.context(project_id)
    return pa.Table.from_batches([decoder.page(body, context).batch for body in pages.plain(world)])


def events(of: pa.Table, numbers: Sequence[int], epoch: int) -> pa.Table:
    """Events that look like the samples, each with an id and a time that follow from its number; the culprit names the epoch."""
    table = of.take([number % of.num_rows for number in numbers])
    columns = {
        "event_id": pa.array([hashlib.md5(b"%d" % number).hexdigest() for number in numbers]),  # noqa: S324  # spreads
        "date_created": pa.array([START + dt.timedelta(seconds=number) for number in numbers], TIMESTAMP),
        "culprit": pa.array([f"edition {epoch}"] * len(numbers)),
    }
    for name, values in columns.items():
        position = of.schema.get_field_index(name)
        table = table.set_column(position, of.schema.field(position), values)
    return table


def commit_of(table: Delta, epoch: int, method: str) -> Commit:
    """The commit of what is staged for the epoch.

    Raises:
        ValueError: nothing is staged.
    """
    record = spool(table.location()[1], epoch).record(SLICE)
    if record is None:
        raise ValueError(f"Nothing is staged for epoch {epoch}.")
    return Commit(
        epoch=epoch,
        run_id=f"bench-{epoch}",
        method=UpdateMethod(method),
        files=[StagedFile(path=file.path, rows=file.rows, bytes=file.bytes) for file in record.files],
        schema=arrow_schema(REPORT),
        key=REPORT.key,
        compared=tuple(column.name for column in REPORT.columns if not column.noise and column.name not in REPORT.key),
        immutable_time=REPORT.time_column,
    )
