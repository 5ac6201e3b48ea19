"""Statements in processes of their own: what they answer, and how they end."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import msgspec
import pytest

from sentry_connector.destinations.query import Snapshot
from sentry_connector.errors import Cancelled, QueriesBusy, SqlError, UsageError
from sentry_connector.queries import pool as pools
from sentry_connector.queries.messages import Kind, Statement
from sentry_connector.queries.pool import Queries
from sentry_connector.queries.process import MOST_BYTES
from tests.destinations.tables import SCHEMA
from tests.queries.asking import ENDLESS, Tables, pool, rows

MANY = "SELECT range AS n FROM range(5000000)"


def test_rows_are_those_of_the_tables(queries: Queries, tables: Tables) -> None:
    assert rows(queries, "SELECT count(*) AS n, max(event_id) AS last FROM shop", tables) == [{"n": 10, "last": "e9"}]


def test_a_result_without_rows_has_its_columns(queries: Queries, tables: Tables) -> None:
    nothing = {"nothing": Snapshot(files=(), schema=SCHEMA)}
    with queries.rows(Statement(sql="SELECT 1 AS one, 'x' AS word WHERE false", views={})) as reader:
        assert (reader.schema.names, reader.read_all().num_rows) == (["one", "word"], 0)
    assert rows(queries, "SELECT * FROM nothing", nothing) == []


def test_types_whose_values_stand_beside_the_rows_come_whole(queries: Queries) -> None:
    """An ENUM is a dictionary in Arrow."""
    sql = (
        "SELECT CAST(CASE WHEN i % 2 = 0 THEN 'even' ELSE 'odd' END AS ENUM ('even', 'odd')) AS kind FROM range(3) t(i)"
    )
    assert rows(queries, sql) == [{"kind": "even"}, {"kind": "odd"}, {"kind": "even"}]


def test_large_rows_come_in_small_parts(queries: Queries) -> None:
    sql = f"SELECT repeat('x', {MOST_BYTES // 4}) AS text FROM range(9)"
    with queries.rows(Statement(sql=sql, views={})) as reader:
        sizes = [batch.nbytes for batch in reader]
    assert sum(sizes) > 2 * MOST_BYTES
    assert max(sizes) <= MOST_BYTES


def test_a_limit_ends_the_result(queries: Queries) -> None:
    assert rows(queries, MANY, limit=2) == [{"n": 0}, {"n": 1}]
    assert len(rows(queries, "SHOW TABLES", {"a": Snapshot(files=(), schema=SCHEMA)}, limit=5)) == 1


def test_a_refusal_says_where_in_the_statement(queries: Queries, tables: Tables) -> None:
    with pytest.raises(SqlError, match=r"nothing.*\(line 2: FROM nothing\)") as refused:
        rows(queries, "SELECT 1\nFROM nothing", tables)
    assert refused.value.data == {"line": 2, "column": 6}
    with pytest.raises(SqlError) as near:
        rows(queries, "SELECT * FROM shoop", tables)
    assert near.value.remedy == "Did you mean: shop?"


def test_what_goes_wrong_among_the_rows_is_told_after_those_before(queries: Queries) -> None:
    sql = "SELECT CASE WHEN range > 900000 THEN error('at ' || range) ELSE range END AS n FROM range(1000000)"
    with pytest.raises(SqlError, match="at 900001"):
        rows(queries, sql)
    assert rows(queries, "SELECT 1 AS n") == [{"n": 1}]


def test_a_process_that_dies_is_one_failed_statement(queries: Queries) -> None:
    with queries.rows(Statement(sql=MANY, views={})) as reader:
        reader.read_next_batch()
        (running,) = queries._running.values()  # as the system's own killer would find it
        assert running.process is not None
        os.kill(running.process._process.pid, signal.SIGKILL)
        with pytest.raises(SqlError, match=r"has died \(signal 9\)"):
            reader.read_all()
    assert rows(queries, "SELECT 1 AS n") == [{"n": 1}]


def test_one_that_dies_between_two_statements_is_none(queries: Queries) -> None:
    rows(queries, "SELECT 1")
    (process,) = queries._idle  # as above
    os.kill(process._process.pid, signal.SIGKILL)
    process._process.wait()
    assert rows(queries, "SELECT 1 AS n") == [{"n": 1}]


def test_a_process_outlives_nobody_who_asks(queries: Queries) -> None:
    """The pipe to it is closed where who asks dies, whatever it is at."""
    with queries.rows(Statement(sql="SELECT 1", views={})) as reader:
        reader.read_all()
        (running,) = queries._running.values()
        assert running.process is not None
        process = running.process._process
        running.process.tell(Kind.STATEMENT, msgspec.msgpack.encode(Statement(sql=ENDLESS, views={})))
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait() == 0


def endless(queries: Queries, ticket: str, ended: list[BaseException]) -> threading.Thread:
    """A statement that somebody else waits for."""

    def wait() -> None:
        try:
            rows(queries, ENDLESS, ticket=ticket)
        except BaseException as error:  # noqa: BLE001  # which the test looks at
            ended.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_a_statement_is_stopped_by_its_ticket() -> None:
    queries, ended = pool(), list[BaseException]()
    try:
        thread = endless(queries, "mine", ended)
        while not queries.cancel("mine"):
            pass
        thread.join()
        assert [type(one) for one in ended] == [Cancelled]
        assert not queries.cancel("mine"), "it has ended"
        assert rows(queries, "SELECT 1 AS n") == [{"n": 1}]
    finally:
        queries.close()


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queries]:
    """A pool for one statement, which is run."""
    monkeypatch.setattr(pools, "AT_ONCE", 1)
    monkeypatch.setattr(pools, "PATIENCE", 0.01)
    made = pool()
    yield made
    made.close()


def test_where_all_places_are_taken_the_next_statement_is_sent_away(full: Queries) -> None:
    with full.rows(Statement(sql=MANY, views={}), ticket="first"):
        with pytest.raises(QueriesBusy):
            rows(full, "SELECT 1")
        with pytest.raises(UsageError, match="ticket"):
            rows(full, "SELECT 1", ticket="first")
    assert rows(full, "SELECT 1 AS n") == [{"n": 1}]


def test_one_whose_rows_nobody_takes_makes_room(full: Queries, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "STALLED", 0.0)
    with full.rows(Statement(sql=MANY, views={})) as stalled:
        stalled.read_next_batch()
        assert rows(full, "SELECT 1 AS n") == [{"n": 1}]
        with pytest.raises(SqlError, match="Nobody took its rows"):
            stalled.read_all()


def test_a_warm_pool_has_a_process_ready(queries: Queries) -> None:
    warm = pool()
    try:
        warm.warm()
        assert len(warm._idle) == 1  # nothing else shows it
        with pytest.raises(SqlError):
            rows(warm, "SELECT error('no')")
        with warm.rows(Statement(sql=MANY, views={})):
            pass  # which is left before its end
        assert len(warm._idle) == 1
    finally:
        warm.close()
    assert warm._idle == []
