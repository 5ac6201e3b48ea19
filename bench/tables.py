"""DataSets of events: appends, upserts, a query, and what a page shows of them.

`python -m bench.tables stage FOLDER EPOCH FIRST COUNT STEP` writes the files of a run,
`… commit FOLDER EPOCH METHOD` commits them, `… query FOLDER` and `… look FOLDER NAME` read the table. Each is a process of its
own, so that making rows does not count as memory of committing them.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bench.measure import Result, medians, run

CHANGED = 1000
CHUNK_ROWS = 50_000
QUERIES = 5
RUNS = 3
SHOWN = (
    "date_created",
    "title",
    "type",
    "platform",
    "culprit",
    "message",
    "user_email",
    "issue_id",
    "event_id",
    "project",
)
LOOKS: Mapping[str, tuple[str | None, int]] = {
    "first rows": (None, 0),
    "newest first": ("date_created", 0),
    "sorted by title": ("title", 0),
    "sorted by event": ("event_id", 0),
    "the last of them, sorted by event": ("event_id", 999_900),
}
"""What is shown: the column that rows are sorted by, and the first row; the last one goes on from a page that was shown."""
QUERY = "SELECT * FROM events ORDER BY date_created DESC LIMIT 100"


def results() -> Iterator[Result]:
    """An append, then upserts of newest rows and of rows from all over the table, then a query."""
    for of_one_kind in zip(*(list(_sequence()) for _ in range(RUNS)), strict=True):
        yield medians(of_one_kind)


def _sequence() -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as folder:
        yield _commit(folder, "append 200,000 rows", epoch=1, method="append", count=200_000)
        yield from _upserts(folder, 200_000, epoch=2)
        _commit(folder, "the rest", epoch=4, method="append", first=200_000, count=800_000)
        yield from _upserts(folder, 1_000_000, epoch=5)
        done = run("-m", "bench.tables", "query", folder)
        yield Result(name="query: 1,000,000 rows sorted, the first 100", peak_mib=done.peak_mib, **done.said)
        for name in LOOKS:
            done = run("-m", "bench.tables", "look", folder, name)
            yield Result(name=f"page of 1,000,000 rows: {name}", peak_mib=done.peak_mib, **done.said)


def _upserts(folder: str, rows: int, *, epoch: int) -> Iterator[Result]:
    """Changed rows that are the newest ones, in one file; then as many from all files."""
    into = f"into {rows:,} rows: {CHANGED:,} changed"
    yield _commit(folder, f"{into}, the newest", epoch=epoch, method="upsert", first=rows - CHANGED, count=CHANGED)
    yield _commit(
        folder, f"{into}, in all files", epoch=epoch + 1, method="upsert", count=CHANGED, step=rows // CHANGED
    )


def _commit(folder: str, name: str, *, epoch: int, method: str, count: int, first: int = 0, step: int = 1) -> Result:
    run("-m", "bench.tables", "stage", folder, epoch, first, count, step)
    done = run("-m", "bench.tables", "commit", folder, epoch, method)
    return Result(name=f"{method if method == 'upsert' else 'commit'}: {name}", peak_mib=done.peak_mib, **done.said)


def stage(folder: str, epoch: int, first: int, count: int, step: int) -> None:
    """Write `count` events, numbered from `first` on in steps; an event of a later epoch differs from that of an earlier one."""
    from bench import rows  # noqa: PLC0415  # the measuring process must stay small

    samples = rows.samples()
    chunks = (
        range(first + start * step, first + min(start + CHUNK_ROWS, count) * step, step)
        for start in range(0, count, CHUNK_ROWS)
    )
    rows.stage(f"{folder}/events", epoch, (rows.events(samples, numbers, epoch) for numbers in chunks))


def commit(folder: str, epoch: int, method: str) -> dict[str, float]:
    """Commit what is staged for the epoch."""
    from bench import rows  # noqa: PLC0415  # the measuring process must stay small
    from sentry_connector.destinations.delta import DeltaDestination  # noqa: PLC0415  # as above

    table = DeltaDestination(folder).table("events")
    what = rows.commit_of(table, epoch, method)
    return {"rows": sum(file.rows for file in what.files), **_timed(lambda: table.commit(what))}


def query(folder: str) -> dict[str, float]:
    """The first rows of the sorted table; the median of some queries."""
    from sentry_connector.destinations.delta import DeltaDestination  # noqa: PLC0415  # as above
    from sentry_connector.destinations.query import query as read  # noqa: PLC0415  # as above

    table = DeltaDestination(folder).table("events")

    def first_rows() -> None:
        snapshot = table.snapshot()
        assert snapshot is not None  # noqa: S101  # it was committed
        with read(QUERY, {"events": snapshot}) as reader:
            reader.read_all()

    done = sorted((_timed(first_rows) for _ in range(QUERIES)), key=lambda one: one["seconds"])
    return {"rows": table.rows(), **done[QUERIES // 2]}


def look(folder: str, name: str) -> dict[str, float]:
    """A page of 100 rows, as the Data tab asks for it; the median of some, each sorted anew unless it goes on."""
    from sentry_connector.destinations.delta import DeltaDestination  # noqa: PLC0415  # as above
    from sentry_connector.destinations.looking import Look, Sort  # noqa: PLC0415  # as above
    from sentry_connector.destinations.paging import Finds, page  # noqa: PLC0415  # as above

    table = DeltaDestination(folder).table("events")
    column, offset = LOOKS[name]
    sort = () if column is None else (Sort(column, descending=True),)
    known = Finds()

    def show(finds: Finds, first: int) -> None:
        snapshot = table.snapshot()
        assert snapshot is not None  # noqa: S101  # it was committed
        page(snapshot, Look(columns=SHOWN, sort=sort, offset=first), ("project_id", "event_id"), finds)

    show(known, 0)
    done = sorted(
        (_timed(lambda: show(known if offset else Finds(), offset)) for _ in range(QUERIES)),
        key=lambda one: one["seconds"],
    )
    return {"rows": table.rows(), **done[QUERIES // 2]}


def _timed(work: Callable[[], Any]) -> Mapping[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}


def main(command: str, folder: str, *arguments: str) -> None:
    """Do one of the four and print its figures."""
    if command == "stage":
        stage(folder, *map(int, arguments))
        return
    if command == "commit":
        figures = commit(folder, int(arguments[0]), arguments[1])
    else:
        figures = look(folder, *arguments) if command == "look" else query(folder)
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
