"""The audit log: whatever is changed in it afterwards is found."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from sentry_connector.errors import AuditBroken, ConnectorError
from sentry_connector.store.audit import FIRST, Entry, digest_of
from sentry_connector.store.store import Store
from tests.store.examples import NOW


@pytest.fixture
def written(store: Store) -> Store:
    for number in range(6):
        store.audit.add(
            NOW + dt.timedelta(seconds=number), actor="Ada", via="session", action="datasets edit", about=f"D{number}",
            facts={"changes": "name"},
        )  # fmt: skip
    return store


@contextmanager
def without_triggers(store: Store) -> Iterator[Connection]:
    """A transaction of somebody who has the database: the triggers are no obstacle to them."""
    with store.audit._database.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("ALTER TABLE audit DISABLE TRIGGER USER")
        else:
            for name in connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        yield connection
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("ALTER TABLE audit ENABLE TRIGGER USER")


def test_each_entry_holds_the_digest_of_the_one_before(written: Store) -> None:
    entries = list(written.audit.everything())
    assert [entry.number for entry in entries] == [1, 2, 3, 4, 5, 6]
    assert [entry.previous for entry in entries] == [FIRST, *(entry.digest for entry in entries[:-1])]
    told = msgspec.structs.asdict(entries[-1])
    assert told.pop("digest") == digest_of(told)
    assert written.audit.verify() == (6, entries[-1].digest)
    assert list(written.audit.recent(before=3, limit=1)) == [entries[1]]
    assert list(written.audit.recent(before=10**30, limit=1)) == [entries[-1]]
    assert list(written.audit.recent(before=-(10**30))) == []


COLUMNS = [name for name in Entry.__struct_fields__ if name not in {"number", "at", "facts"}]


@pytest.mark.parametrize(
    "change",
    [
        *(f"UPDATE audit SET {name} = 'x' WHERE number = 3" for name in COLUMNS),
        *(f"UPDATE audit SET actor = 'x' WHERE number = {number}" for number in (1, 6)),
        "UPDATE audit SET at = '2026-03-01 12:30:16.000000' WHERE number = 3",
        "UPDATE audit SET facts = '{}' WHERE number = 3",
        "UPDATE audit SET number = 60 WHERE number = 6",
        *(f"DELETE FROM audit WHERE number = {number}" for number in (1, 4, 6)),
        "DELETE FROM audit",
        "DELETE FROM audit WHERE number > 3",
        "INSERT INTO audit SELECT 7, at, actor, via, action, object, outcome, facts, digest, previous FROM audit LIMIT 1",
        "DELETE FROM audit_head",
        "UPDATE audit_head SET number = 5",
    ],
)  # fmt: skip
def test_any_edit_is_found(written: Store, change: str) -> None:
    with without_triggers(written) as connection:
        assert connection.exec_driver_sql(change).rowcount > 0
    with pytest.raises(AuditBroken):
        written.audit.verify()


@pytest.mark.parametrize("change", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit WHERE number = 6"])
def test_the_database_itself_lets_entries_only_be_added(written: Store, change: str) -> None:
    with (
        pytest.raises(DBAPIError, match="append-only"),
        written.audit._database.engine.connect() as connection,
        connection.begin(),
    ):
        connection.exec_driver_sql(change)
    assert written.audit.verify()[0] == 6


def test_those_who_write_at_once_make_one_chain(written: Store, database_url: str) -> None:
    with Store(database_url) as other:
        for store in (written, other) * 3:
            store.audit.add(NOW, actor="Bob", via="command line", action="runs cancel")
    assert written.audit.verify()[0] == 12


def test_an_error_of_the_log_is_one_of_the_store() -> None:
    assert issubclass(AuditBroken, ConnectorError)
    assert AuditBroken.exit_code == 51
