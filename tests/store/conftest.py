"""A store on either database, and records to fill it with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, text

from sentry_connector.store.audit import FIRST
from sentry_connector.store.store import Store
from sentry_connector.store.tables import audit_head, metadata
from tests.fresh import lay_store
from tests.postgres import Server

BOTH = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def migrated(postgres: Server) -> str:
    """The address of a PostgreSQL database with the tables of a store."""
    url = postgres.fresh_database()
    Store(url).close()
    return url


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a store with nothing in it; a file whose tests are of one database alone has its own."""
    if request.param == "sqlite":
        file = tmp_path / "home" / "connector.db"
        lay_store(file)
        return f"sqlite:///{file}"
    url: str = request.getfixturevalue("migrated")
    empty(url)
    return url


def empty(url: str) -> None:
    """Leave nothing in a store on PostgreSQL but what its migrations put there."""
    with Store(url) as store, store.accounts._database.writing() as connection:
        connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY CASCADE"))
        connection.execute(insert(audit_head).values(number=0, digest=FIRST))


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store whose leases go by the time that tests say."""
    with Store(database_url, own_time=False) as store:
        yield store


@pytest.fixture
def now() -> dt.datetime:
    return dt.datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=dt.UTC)
