"""Statements of the SQL console on a large table, in its own processes: how long people wait, and how soon one stops.

`python -m bench.console measure FOLDER` asks; the table is made by `bench.tables`.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import quantiles

from bench.measure import Result, run

ROWS = 1_000_000
SHOWN = 10_000
ROUNDS, STOPS = 20, 10
STATEMENTS = (
    "SELECT count(*) FROM events",
    "SELECT * FROM events LIMIT 100",
    "SELECT * FROM events ORDER BY date_created DESC LIMIT 100",
    "SELECT platform, count(*) AS events FROM events GROUP BY ALL ORDER BY events DESC",
    "SELECT date_trunc('day', date_created) AS day, count(*) AS events FROM events GROUP BY ALL ORDER BY ALL",
    "SELECT title, count(*) AS events FROM events GROUP BY ALL ORDER BY events DESC LIMIT 20",
    "SELECT count(DISTINCT user_id) AS people FROM events",
    "SELECT event_id, title FROM events WHERE title ILIKE '%timeout%' LIMIT 100",
    "SELECT platform, count(*) AS n FROM events JOIN (SELECT event_id FROM events LIMIT 1000) USING (event_id) GROUP BY ALL",
    "SELECT nothing FROM events",
)
ENDLESS = "SELECT count(*) FROM range(10000000000) a, range(10000000000) b WHERE a.range * b.range % 7 = 3"


def results() -> Iterator[Result]:
    """The 95th percentile of what people would ask, one statement after the other; and the slowest stop."""
    with tempfile.TemporaryDirectory() as folder:
        run("-m", "bench.tables", "stage", folder, 1, 0, ROWS, 1)
        run("-m", "bench.tables", "commit", folder, 1, "append")
        done = run("-m", "bench.console", "measure", folder)
        asked, stopped = done.said
        times = f"{len(STATEMENTS)} statements, {ROUNDS} times"
        name = "console: 1,000,000 rows, 95th percentile"
        yield Result(
            name=name, rows=ROWS, runs=len(asked), seconds=_percentile(asked), cpu_seconds=done.cpu_seconds, note=times
        )
        name = "console: an endless statement stops, the slowest"
        yield Result(name=name, runs=len(stopped), seconds=max(stopped), cpu_seconds=done.cpu_seconds)


def _percentile(seconds: Sequence[float]) -> float:
    return quantiles(seconds, n=20)[-1]


def measure(folder: str) -> tuple[list[float], list[float]]:
    """Seconds of each statement, and from each stop to the end of what was stopped."""
    from sentry_connector.destinations.delta import DeltaDestination  # noqa: PLC0415  # the measuring process must stay small
    from sentry_connector.errors import Cancelled, SqlError  # noqa: PLC0415  # as above
    from sentry_connector.queries.messages import Statement  # noqa: PLC0415  # as above
    from sentry_connector.queries.pool import Limits, Queries  # noqa: PLC0415  # as above
    from sentry_connector.queries.views import told  # noqa: PLC0415  # as above

    table, queries = (
        DeltaDestination(folder).table("events"),
        Queries(Limits(seconds=60, memory_mib=1024, folders=(Path(folder),)), time.monotonic),
    )

    def ask(sql: str, ticket: str | None = None) -> float:
        """As the page does, from the look at the table to the last row."""
        began = time.perf_counter()
        snapshot = table.snapshot()
        assert snapshot is not None  # noqa: S101  # it was committed
        try:
            with queries.rows(
                Statement(sql=sql, views={"events": told(snapshot)}, limit=SHOWN), ticket=ticket
            ) as reader:
                reader.read_all()
        except (SqlError, Cancelled):  # which are answers too
            pass
        return time.perf_counter() - began

    def stop() -> float:
        thread = threading.Thread(target=ask, args=(ENDLESS, "one"))
        thread.start()
        time.sleep(0.5)  # it is well under way
        began = time.perf_counter()
        queries.cancel("one")
        thread.join()
        return time.perf_counter() - began

    queries.warm()
    ask("SELECT 1")  # once the process is there
    asked = [ask(sql) for _ in range(ROUNDS) for sql in STATEMENTS]
    stopped = [stop() for _ in range(STOPS)]
    queries.close()
    return asked, stopped


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(sys.argv[2])))
