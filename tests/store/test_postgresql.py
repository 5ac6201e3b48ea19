"""The store on PostgreSQL: many processes at once, a server that goes away, clocks that are wrong."""

from __future__ import annotations

import datetime as dt
import os
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from sentry_connector.errors import Locked, StoreNewer, StoreUnreachable, StoreUnusable
from sentry_connector.store import postgresql
from sentry_connector.store.database import Database
from sentry_connector.store.processes import this_process
from sentry_connector.store.store import Store
from sentry_connector.store.tables import metadata
from tests.postgres import Server, running_postgres
from tests.store.conftest import empty
from tests.store.examples import account, dataset, run

MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def database_url(migrated: str) -> str:
    empty(migrated)
    return migrated


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.engine.dispose()


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(database: Database) -> None:
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_newer_database_is_refused_and_left_as_it_is(database_url: str, database: Database) -> None:
    with Store(database_url) as open_before:
        with database.writing() as connection:
            was = connection.scalar(text("SELECT version_num FROM alembic_version"))
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        try:
            with pytest.raises(StoreNewer, match="newer version"):
                Store(database_url)
            with pytest.raises(StoreNewer, match="while it was open"):
                open_before.check()
            with database.reading() as connection:
                assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
        finally:
            with database.writing() as connection:
                connection.execute(text("UPDATE alembic_version SET version_num = :was"), {"was": was})
        open_before.check()


# ---- migrations


KILLED = """
import os, signal, sys
import alembic.command, alembic.config, alembic.script, psycopg
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sentry_connector.store.store import Store

url, first, every = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
executed = 0

@event.listens_for(Engine, "after_cursor_execute")
def die_after_the_last(*_):
    global executed
    executed += 1
    if executed == step:
        os.kill(os.getpid(), signal.SIGKILL)

for step in range(first, 400, every):
    child = os.fork()
    if not child:
        Store(url).close()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
    if not status:
        break
"""


def killed(url: str, first: int, every: int) -> list[int]:
    """Migrate in processes each of which is killed some statements later than the one before, until one is at its end."""
    command = [sys.executable, "-c", KILLED, url, str(first), str(every)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    return [int(word) for word in done.stdout.split()]


def test_a_migration_that_is_killed_at_some_statements_is_as_if_it_never_began(postgres: Server) -> None:
    """Each of them finds what the one before left: were that anything, it would fail."""
    _killed_at(postgres, first=3, every=17)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_migration_that_is_killed_at_any_statement_is_as_if_it_never_began(postgres: Server) -> None:
    assert _killed_at(postgres, first=1, every=1) > len(metadata.tables)


def _killed_at(postgres: Server, *, first: int, every: int) -> int:
    url = postgres.fresh_database()
    *dead, finished = killed(url, first, every)
    assert set(dead) == {-9}
    assert finished == 0
    with Store(url) as store:
        with store.accounts._database.reading() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        store.accounts.add(account(), "v1.a")
    return len(dead)


def test_of_programs_that_begin_at_once_one_makes_the_tables_and_all_can_use_them(postgres: Server) -> None:
    url = postgres.fresh_database()
    script = (
        "import sys; from sentry_connector.store.store import Store; store = Store(sys.argv[1]);"
        "print(len(store.accounts.list())); store.close()"
    )
    programs = [
        subprocess.Popen([sys.executable, "-c", script, url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [one.communicate() for one in programs] == [("0\n", "")] * 3


# ---- several at once


def test_what_a_writer_reads_is_still_so_when_it_writes(database: Database) -> None:
    """Without that, two of them would store the same number."""
    with database.writing() as connection:
        connection.execute(text("INSERT INTO facts VALUES ('number', '0')"))

    def count() -> None:
        for _ in range(40):
            with database.writing() as connection:
                number = int(connection.scalar(text("SELECT value FROM facts")))
                connection.execute(text("UPDATE facts SET value = :value"), {"value": str(number + 1)})

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as connection:
        assert connection.scalar(text("SELECT value FROM facts")) == "160"


def test_a_reader_sees_one_state_whatever_is_written_meanwhile(database: Database) -> None:
    with database.reading() as reading:
        assert reading.scalar(text("SELECT count(*) FROM facts")) == 0
        with database.writing() as writing:
            writing.execute(text("INSERT INTO facts VALUES ('a', 'b')"))
        assert reading.scalar(text("SELECT count(*) FROM facts")) == 0


def test_a_reader_can_change_nothing(database: Database) -> None:
    with pytest.raises(StoreUnusable, match="read-only"), database.reading() as connection:
        connection.execute(text("DELETE FROM facts"))


def test_a_writer_that_waits_in_vain_is_told_that_the_database_is_locked(database: Database, database_url: str) -> None:
    other = Database(database_url, wait=0.05)
    try:
        with database.writing(), pytest.raises(Locked, match="Another process"), other.writing():
            pass
        with database.writing(alone=False), other.writing():
            pass
    finally:
        other.engine.dispose()


def test_who_stands_still_in_a_transaction_holds_nobody_up_for_long(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a process that was stopped in the midst of one, or a machine that was unplugged."""
    monkeypatch.setattr(postgresql, "LONGEST_IDLE", 0.2)
    stopped, other = Database(database_url), Database(database_url)

    def stand_still() -> None:
        with stopped.writing() as connection:
            connection.execute(text("INSERT INTO facts VALUES ('a', 'of who stood still')"))
            with other.writing() as theirs:
                theirs.execute(text("INSERT INTO facts VALUES ('a', 'of who waited')"))
            connection.execute(text("UPDATE facts SET value = 'woken'"))

    try:
        with pytest.raises(StoreUnreachable):
            stand_still()
        with other.reading() as connection:
            assert connection.scalars(text("SELECT value FROM facts")).all() == ["of who waited"]
    finally:
        stopped.engine.dispose()
        other.engine.dispose()


# ---- clocks


def test_a_machine_whose_clock_is_wrong_takes_nobodys_lease(database_url: str) -> None:
    """Theirs is an hour ahead: by it everybody's leases are over."""
    now = dt.datetime.now(dt.UTC)
    with Store(database_url) as right, Store(database_url) as wrong:
        held = right.leases.acquire("dataset/1", "process 7 on alpha", now, MINUTE)
        with pytest.raises(Locked):
            wrong.leases.acquire("dataset/1", "process 8 on beta", now + HOUR, MINUTE)
        seen = wrong.leases.holder_of("dataset/1", now + HOUR)
        assert seen is not None
        assert abs(seen.expires_at - (now + HOUR + MINUTE)) < MINUTE / 2, "in the time of whoever asks"
        assert [one.name for one in wrong.leases.living("dataset/", now + HOUR)] == ["dataset/1"]
        assert right.leases.renew(held, now, MINUTE).expires_at == now + MINUTE


def test_what_waits_behind_a_lease_waits_by_the_clock_of_the_database(database_url: str) -> None:
    now = dt.datetime.now(dt.UTC)
    with Store(database_url) as store:
        stored = store.datasets.add(dataset())
        store.runs.add(run(stored.id, state="queued", verdict=None))
        assert [one.id for one in store.runs.waiting(now)] == ["run-1"]
        store.leases.acquire(f"dataset/{stored.id}", "process 7 on alpha", now - HOUR, MINUTE)
        assert store.runs.waiting(now + HOUR) == []


def test_all_who_share_a_store_have_its_time(database_url: str) -> None:
    with Store(database_url) as store:
        assert abs(store.present(dt.datetime(2026, 1, 1, tzinfo=dt.UTC)) - dt.datetime.now(dt.UTC)) < MINUTE


# ---- a server that is away


@pytest.mark.parametrize("url", ["postgresql://user:s3cr3t@127.0.0.1:1/x", "postgres://user:s3cr3t@127.0.0.1:1/x"])
def test_a_server_that_was_never_there_is_told_at_once(url: str) -> None:
    with pytest.raises(StoreUnreachable, match=r"postgresql://127\.0\.0\.1:1/x") as caught:
        Store(url)
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))
    assert "\n" not in caught.value.message


def test_a_driver_that_is_missing_is_told_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreUnusable, match="psycopg") as caught:
        Store("postgresql://127.0.0.1/x")
    assert caught.value.remedy == "pip install 'sentry-connector[postgres]'"


def test_a_transaction_whose_connection_is_lost_leaves_nothing_and_the_next_one_is_well(database: Database) -> None:
    def lose() -> None:
        with database.writing() as connection:
            connection.execute(text("INSERT INTO facts VALUES ('a', 'b')"))
            own = connection.scalar(text("SELECT pg_backend_pid()"))
            with database.writing(alone=False) as other:
                other.execute(text("SELECT pg_terminate_backend(:id)"), {"id": own})
            connection.execute(text("INSERT INTO facts VALUES ('c', 'd')"))

    with pytest.raises(StoreUnreachable):
        lose()
    with database.writing() as connection:
        assert connection.scalar(text("SELECT count(*) FROM facts")) == 0


@pytest.fixture(scope="module")
def mortal() -> Iterator[Server]:
    """A server that may be killed."""
    with running_postgres() as server:
        yield server


def test_a_server_that_is_killed_and_started_again_is_waited_for_and_has_kept_what_was_stored(mortal: Server) -> None:
    with Store(mortal.fresh_database()) as store:
        store.accounts.add(account("before"), "v1.a")
        mortal.kill()
        again = threading.Thread(target=mortal.start)
        again.start()
        store.accounts.add(account("after"), "v1.a")
        again.join()
        assert [one.name for one in store.accounts.list()] == ["after", "before"]


def test_a_server_that_stays_away_is_not_waited_for_without_end(mortal: Server) -> None:
    database = Database(mortal.fresh_database(), wait=0.5)
    with database.reading() as connection:
        connection.execute(text("SELECT 1"))
    mortal.kill()
    try:
        with pytest.raises(StoreUnreachable) as caught:
            database.check()
        assert caught.value.retryable
    finally:
        database.engine.dispose()
        mortal.start()


def test_a_character_that_no_text_can_hold_is_shown_as_such(database_url: str) -> None:
    """Sentry's names may hold anything, and what is told of them is stored."""
    with Store(database_url) as store:
        store.accounts.add(account(message="a\x00b"), "v1.a")
        (found,) = store.accounts.list()
    assert found.message == "a\ufffdb"


def test_a_lease_of_another_machine_is_never_judged_by_a_process_id_of_this_one(database_url: str) -> None:
    """Whatever is true of a process here, that one is another."""
    now = dt.datetime.now(dt.UTC)
    mine = this_process()
    theirs = mine.replace(socket.gethostname(), "another-host").replace(f"process {os.getpid()} ", "process 4194303 ")
    with Store(database_url) as store:
        store.leases.acquire("dataset/1", theirs, now, MINUTE)
        assert store.leases.free_of_the_dead("dataset/", now) == []
        with pytest.raises(Locked, match="another-host"):
            store.leases.acquire("dataset/1", mine, now, MINUTE)
        dead = mine.replace(f"process {os.getpid()} ", "process 4194303 ")
        store.leases.acquire("dataset/2", dead, now, MINUTE)
        assert [one.name for one in store.leases.free_of_the_dead("dataset/", now)] == ["dataset/2"]
