"""A store in a folder of its own, and records to fill it with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentry_connector.store.store import Store


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'home' / 'connector.db'}"


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store(database_url) as store:
        yield store


@pytest.fixture
def now() -> dt.datetime:
    return dt.datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=dt.UTC)
