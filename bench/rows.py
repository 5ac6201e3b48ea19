"""Rows of Project Events, as many as wanted, and the commits of them."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bench import pages
from sentry_connector.destinations.delta import Delta
from sentry_connector.destinations.model import Commit, StagedFile, UpdateMethod
from sentry_connector.extraction.decode import Decoder
from sentry_connector.extraction.schema import TIMESTAMP, arrow_schema
from sentry_connector.reports import catalogue

REPORT = catalogue.find("project-events")
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
FOLDER = "staged-{epoch}"
"""Where the files of an epoch lie below the table's root."""


def stage(root: str, epoch: int, chunks: Iterable[pa.Table]) -> None:
    """Write a file of each chunk into the table's folder, as a run leaves them there before its commit."""
    folder = Path(root, FOLDER.format(epoch=epoch))
    folder.mkdir(parents=True)
    for number, chunk in enumerate(chunks):
        pq.write_table(chunk, folder / f"{number:05}.parquet", compression="zstd", coerce_timestamps="us")


def samples() -> pa.Table:
    """The 20,000 events of the simulated Sentry."""
    world, project_id = pages.project()
    decoder, context = Decoder(REPORT), pages.context(project_id)
    return pa.Table.from_batches([decoder.batch([decoder.page(body, context)])[0] for body in pages.plain(world)])


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
    """The commit of what is staged for the epoch."""
    root = Path(table.location()[1])
    files = sorted((root / FOLDER.format(epoch=epoch)).iterdir())
    return Commit(
        epoch=epoch,
        run_id=f"bench-{epoch}",
        method=UpdateMethod(method),
        files=[
            StagedFile(
                path=str(file.relative_to(root)),
                rows=pq.read_metadata(file).num_rows,
                bytes=file.stat().st_size,
            )
            for file in files
        ],
        schema=arrow_schema(REPORT),
        key=REPORT.key,
        compared=tuple(column.name for column in REPORT.columns if not column.noise and column.name not in REPORT.key),
        immutable_time=REPORT.time_column,
    )
