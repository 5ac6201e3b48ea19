"""Statements over tables, as the pool is asked to run them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sentry_connector.destinations.query import Snapshot
from sentry_connector.queries.messages import Statement
from sentry_connector.queries.pool import Limits, Queries
from sentry_connector.queries.views import told

Tables = Mapping[str, Snapshot]

ENDLESS = "SELECT count(*) FROM range(10000000000) a, range(10000000000) b WHERE a.range * b.range % 7 = 3"


def pool(*folders: Path, seconds: float = 60, memory_mib: int = 256) -> Queries:
    return Queries(Limits(seconds=seconds, memory_mib=memory_mib, folders=folders), time.monotonic)


def rows(
    queries: Queries, sql: str, tables: Tables | None = None, *, limit: int | None = None, ticket: str | None = None
) -> list[dict[str, Any]]:
    known = tables or {}
    statement = Statement(sql=sql, views={name: told(one) for name, one in known.items()}, limit=limit)
    with queries.rows(statement, ticket=ticket) as reader:
        found: list[dict[str, Any]] = reader.read_all().to_pylist()
    return found
