"""A table, and processes that run statements over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.destinations.query import Snapshot
from sentry_connector.queries.pool import Queries
from tests.destinations.tables import commit_of, row, table_in
from tests.queries.asking import Tables, pool


@pytest.fixture(scope="module")
def queries(snapshot: Snapshot) -> Iterator[Queries]:
    made = pool(Path(snapshot.files[0]).parent)
    yield made
    made.close()


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    table = table_in(tmp_path_factory.mktemp("tables"))
    table.commit(commit_of(table, 1, UpdateMethod.APPEND, [row(number) for number in range(10)]))
    found = table.snapshot()
    assert found is not None
    return found


@pytest.fixture
def tables(snapshot: Snapshot) -> Tables:
    return {"shop": snapshot}
