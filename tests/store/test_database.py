"""The database on SQLite: made and changed whole or not at all, private, and honest about what is wrong with it."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
import traceback
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from sentry_connector.errors import Locked, StoreUnusable
from sentry_connector.store.migrate import HEAD
from sentry_connector.store.store import Store
from sentry_connector.store.tables import metadata
from tests.store.examples import account


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'home' / 'connector.db'}"


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", "sentry_connector.store:migrations")
    return ScriptDirectory.from_config(config)


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(store: Store) -> None:
    with store.accounts._database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_newest_migration_is_the_one_that_the_code_expects() -> None:
    assert scripts().get_current_head() == HEAD


def test_opening_again_keeps_what_is_stored(database_url: str) -> None:
    with Store(database_url) as store:
        store.accounts.add(account(), "v1.a")
    with Store(database_url) as store:
        assert store.accounts.list() == [account()]


def test_opening_a_database_that_is_up_to_date_does_not_load_alembic(database_url: str) -> None:
    Store(database_url).close()
    script = "import sys; from sentry_connector.store.store import Store; Store(sys.argv[1]); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script, database_url], capture_output=True, check=True, text=True)
    assert "sqlalchemy" in run.stdout.split()
    assert "alembic" not in run.stdout.split()


def test_a_newer_database_is_refused_and_left_as_it_is(database_url: str) -> None:
    Store(database_url).close()
    with closing(sqlite3.connect(path_of(database_url))) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreUnusable, match="newer version"):
        Store(database_url)
    with closing(sqlite3.connect(path_of(database_url))) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]


KILLED = """
import os, sys
import alembic.command  # once, and not in each child
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sentry_connector.store.store import Store

executed = 0

@event.listens_for(Engine, "after_cursor_execute")
def die_after_the_last(*_):
    global executed
    executed += 1
    if executed == step:
        os._exit(9)

for step in range(1, 1000, int(sys.argv[2])):
    child = os.fork()
    if not child:
        Store(f"sqlite:///{sys.argv[1]}/{step}/connector.db").close()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status))
    if not status:
        break
"""


def killed_at(folder: Path, every: int) -> int:
    """At how many statements it was killed, and was as if it never began."""
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder), str(every)], capture_output=True, check=True, text=True
    )
    *killed, finished = run.stdout.split()
    assert set(killed) == {"9"}
    assert finished == "0"
    steps = range(1, every * len(killed) + 1, every)
    for step in steps:
        url = f"sqlite:///{folder / str(step) / 'connector.db'}"
        with closing(sqlite3.connect(path_of(url))) as connection:
            assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
    for step in {
        steps[0],
        steps[len(steps) // 2],
        steps[-1],
    }:  # what is empty is begun with anew, wherever it was killed
        with Store(f"sqlite:///{folder / str(step) / 'connector.db'}") as store:
            store.accounts.add(account(), "v1.a")
    return len(killed)


def test_a_migration_that_is_killed_at_some_statements_is_as_if_it_never_began(tmp_path: Path) -> None:
    killed_at(tmp_path, every=9)


@pytest.mark.long
def test_a_migration_that_is_killed_at_any_statement_is_as_if_it_never_began(tmp_path: Path) -> None:
    assert killed_at(tmp_path, every=1) > len(metadata.tables)


def test_a_file_that_is_no_database_is_refused_by_name_and_left_as_it_is(database_url: str) -> None:
    path = path_of(database_url)
    path.parent.mkdir()
    path.write_bytes(b"this is no database, " * 100)
    with pytest.raises(StoreUnusable, match="damaged") as caught:
        Store(database_url)
    assert str(path) in caught.value.message
    assert path.read_bytes() == b"this is no database, " * 100


def test_damage_within_the_database_is_told(database_url: str) -> None:
    with Store(database_url) as store:
        for number in range(200):
            store.accounts.add(account(f"name {number}"), "v1." + "x" * 200)
    path = path_of(database_url)
    data = bytearray(path.read_bytes())
    data[8192:] = os.urandom(len(data) - 8192)
    path.write_bytes(bytes(data))

    def use() -> None:
        with Store(database_url) as store:
            store.accounts.list()

    with pytest.raises(StoreUnusable) as caught:
        use()
    assert str(path) in caught.value.message


@pytest.mark.parametrize("url", ["nonsense", "nosuchdatabase://host/x", "sqlite:////dev/null/x/connector.db"])
def test_a_database_url_that_leads_nowhere_is_refused(url: str) -> None:
    with pytest.raises(StoreUnusable):
        Store(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:s3cr3t@127.0.0.1:1/x",
        "postgres://user:s3cr3t@127.0.0.1:1/x?connect_timeout=2",
        "postgresql+psycopg2://127.0.0.1:1/x?user=user&password=s3cr3t",
        "postgresql://user:s3cr3t@127.0.0.1:s3cr3t/x",
        "mysql://user:s3cr3t@127.0.0.1/x",
    ],
)
def test_a_database_password_is_in_no_error(url: str) -> None:
    with pytest.raises(StoreUnusable) as caught:
        Store(url)
    told = "".join(traceback.format_exception(caught.value))
    assert "s3cr3t" not in caught.value.message + caught.value.remedy + told


def test_files_and_folders_are_private_whatever_the_umask(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    old = os.umask(0)
    try:
        with Store(f"sqlite:///{home / 'connector.db'}") as store:
            store.accounts.add(account(), "v1.a")
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (home.parent, *home.parent.rglob("*"))}
    finally:
        os.umask(old)
    assert modes == {
        "new": 0o700,
        "home": 0o700,
        "connector.db": 0o600,
        "connector.db-wal": 0o600,
        "connector.db-shm": 0o600,
    }


def test_a_database_that_others_could_read_is_made_private_when_it_is_opened(database_url: str) -> None:
    Store(database_url).close()
    path_of(database_url).chmod(0o644)
    Store(database_url).close()
    assert stat.S_IMODE(path_of(database_url).stat().st_mode) == 0o600


def test_readers_are_not_kept_waiting_by_a_writer(store: Store) -> None:
    store.accounts.add(account("one"), "v1.a")
    with store.accounts._database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM accounts")
        seen: list[int] = []
        reader = threading.Thread(target=lambda: seen.append(len(store.accounts.list())))
        reader.start()
        reader.join()
    assert seen == [1]
    assert store.accounts.list() == []


def test_a_writer_that_waits_in_vain_is_told_that_the_database_is_locked(store: Store, database_url: str) -> None:
    with Store(database_url) as other:
        with other.accounts._database.reading() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout = 1")  # milliseconds, for the one connection in the pool
        with store.accounts._database.writing(), pytest.raises(Locked, match=r"connector\.db"):
            other.accounts.add(account(), "v1.a")


def test_an_error_within_a_transaction_leaves_nothing_of_it(store: Store) -> None:
    def fail() -> None:
        with store.accounts._database.writing() as connection:
            connection.exec_driver_sql("INSERT INTO leases VALUES ('a', 'b', '', '', 1)")
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    with store.accounts._database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM leases").scalar() == 0
