"""A small table to test with: staging rows as the spool does, and reading back what is stored."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from sentry_connector.destinations.delta import Delta, DeltaDestination
from sentry_connector.destinations.model import Commit, StagedFile, Table, UpdateMethod
from sentry_connector.destinations.query import query
from sentry_connector.extraction.parts import write_whole

SCHEMA = pa.schema(
    [
        pa.field("project_id", pa.string(), metadata={"comment": "Id of the project."}),
        pa.field("event_id", pa.string()),
        pa.field("at", pa.timestamp("us", tz="UTC")),
        pa.field("value", pa.string()),
        pa.field("noise", pa.int64()),
        pa.field("_run_id", pa.string()),
    ]
)
KEY = ("project_id", "event_id")
FIRST_DAY = dt.date(2026, 3, 1)

Row = Mapping[str, Any]
_numbers = itertools.count()


def row(
    event: int, value: str = "a", *, project: str = "1", noise: int = 0, day: int = 0, run: str = "r"
) -> dict[str, Any]:
    """One row; its time follows from the day and the event."""
    midnight = dt.datetime.combine(FIRST_DAY, dt.time(), dt.UTC) + dt.timedelta(days=day)
    return {
        "project_id": project,
        "event_id": f"e{event}",
        "at": midnight + dt.timedelta(seconds=event),
        "value": value,
        "noise": noise,
        "_run_id": run,
    }


def day_of(number: int) -> dt.date:
    return FIRST_DAY + dt.timedelta(days=number)


def table_in(folder: Path) -> Delta:
    return DeltaDestination(str(folder)).table("ds1")


def stage(
    table: Table, epoch: int, rows: Sequence[Row], *, schema: pa.Schema = SCHEMA, day: dt.date | None = None
) -> StagedFile:
    """Put rows where the spool puts them."""
    name = f"s{next(_numbers)}"
    path = f"e{epoch:08d}/{name}.parquet" if day is None else f"_day={day}/e{epoch:08d}-{name}.parquet"
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([dict(one) for one in rows], schema=schema), sink, compression="zstd")
    content = sink.getvalue().to_pybytes()
    put(table, path, content)
    return StagedFile(path=path, rows=len(rows), bytes=len(content), day=day)


def put(table: Table, path: str, content: bytes) -> None:
    """Write a file below the table's root, wherever that is."""
    filesystem, root = table.location()
    write_whole(filesystem, f"{root}/{path}", content)


def is_there(table: Table, path: str = "") -> bool:
    """Whether there is anything below the table's root, or by that path."""
    filesystem, root = table.location()
    return bool(filesystem.get_file_info(f"{root}/{path}".rstrip("/")).type is not pafs.FileType.NotFound)


def stage_days(table: Table, epoch: int, rows: Iterable[Row], schema: pa.Schema = SCHEMA) -> list[StagedFile]:
    by_day: dict[dt.date, list[Row]] = {}
    for one in rows:
        by_day.setdefault(one["at"].date(), []).append(one)
    return [stage(table, epoch, those, schema=schema, day=day) for day, those in by_day.items()]


def commit_of(table: Table, epoch: int, method: UpdateMethod, rows: Sequence[Row], **more: Any) -> Commit:
    """A commit of these rows, staged in files of at most seven."""
    if method is UpdateMethod.PARTITION:
        files = stage_days(table, epoch, rows, more.get("schema", SCHEMA))
    else:
        schema = more.get("schema", SCHEMA)
        files = [stage(table, epoch, rows[start : start + 7], schema=schema) for start in range(0, len(rows), 7)]
    settings = {"schema": SCHEMA, "key": KEY, "run_id": f"run{epoch}", "compared": ("value",), **more}
    return Commit(epoch=epoch, method=method, files=files, **settings)


def stored(table: Table, version: int | None = None) -> list[dict[str, Any]]:
    """The rows as DuckDB reads them from the snapshot, in the order of their keys."""
    snapshot = table.snapshot(version)
    if snapshot is None:
        return []
    with query("SELECT * FROM t", {"t": snapshot}) as reader:
        return ordered(reader.read_all().to_pylist())


def ordered(rows: Iterable[Row]) -> list[dict[str, Any]]:
    return sorted((dict(one) for one in rows), key=lambda one: [str(value) for value in one.values()])


def without_day(rows: Iterable[Row]) -> list[dict[str, Any]]:
    return ordered({name: value for name, value in one.items() if name != "_day"} for one in rows)
