"""The audit log: whatever is changed in it afterwards is found."""

from __future__ import annotations

import datetime as dt
import itertools
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

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


def edited(tmp_path: Path, *statements: str) -> None:
    """As somebody does who has the file: the triggers are no obstacle to them."""
    with closing(sqlite3.connect(tmp_path / "home" / "connector.db")) as database, database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            assert database.execute(statement).rowcount > 0


def test_each_entry_holds_the_digest_of_the_one_before(written: Store) -> None:
    entries = list(written.audit.everything())
    assert [entry.number for entry in entries] == [1, 2, 3, 4, 5, 6]
    assert [entry.previous for entry in entries] == [FIRST, *(entry.digest for entry in entries[:-1])]
    told = msgspec.structs.asdict(entries[-1])
    assert told.pop("digest") == digest_of(told)
    assert written.audit.verify() == (6, entries[-1].digest)
    assert list(written.audit.recent(before=3, limit=1)) == [entries[1]]


COLUMNS = [name for name in Entry.__struct_fields__ if name not in {"number", "at", "facts"}]


@pytest.mark.parametrize(
    "change",
    [
        *(f"UPDATE audit SET {name} = 'x' WHERE number = {one}" for name, one in itertools.product(COLUMNS, (1, 3, 6))),
        "UPDATE audit SET at = '2026-03-01 12:30:16.000000' WHERE number = 3",
        "UPDATE audit SET facts = '{}' WHERE number = 3",
        "UPDATE audit SET number = 60 WHERE number = 6",
        *(f"DELETE FROM audit WHERE number = {number}" for number in range(1, 7)),
        "DELETE FROM audit",
        "DELETE FROM audit WHERE number > 3",
        "INSERT INTO audit SELECT 7, at, actor, via, action, object, outcome, facts, digest, previous FROM audit LIMIT 1",
        "DELETE FROM audit_head",
        "UPDATE audit_head SET number = 5",
    ],
)  # fmt: skip
def test_any_edit_is_found(written: Store, tmp_path: Path, change: str) -> None:
    edited(tmp_path, change)
    with pytest.raises(AuditBroken):
        written.audit.verify()


@pytest.mark.parametrize("change", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit WHERE number = 6"])
def test_the_database_itself_lets_entries_only_be_added(written: Store, tmp_path: Path, change: str) -> None:
    with (
        closing(sqlite3.connect(tmp_path / "home" / "connector.db")) as database,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        database.execute(change)
    assert written.audit.verify()[0] == 6


def test_those_who_write_at_once_make_one_chain(written: Store, database_url: str) -> None:
    with Store(database_url) as other:
        for store in (written, other) * 3:
            store.audit.add(NOW, actor="Bob", via="command line", action="runs cancel")
    assert written.audit.verify()[0] == 12


def test_an_error_of_the_log_is_one_of_the_store() -> None:
    assert issubclass(AuditBroken, ConnectorError)
    assert AuditBroken.exit_code == 51
