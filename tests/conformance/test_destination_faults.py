"""What goes wrong with a database: it is lost at any message, others lock, change and drop tables, permissions go."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sentry_connector.destinations.model import Days, UpdateMethod
from sentry_connector.destinations.sql import PAUSES, SqlDestination, SqlTable
from sentry_connector.destinations.sql_model import Database, Session
from sentry_connector.destinations.sql_postgres import Postgres
from sentry_connector.destinations.sql_sqlite import Sqlite
from sentry_connector.errors import DestinationRefused, DestinationUnavailable
from tests.conformance.grounds import DATABASES, NAMES, Died, Fate, Ground, MortalDatabase, ground_of
from tests.conformance.matrix import STORIES, state, wanted
from tests.conformance.proxy import Cut, way_to
from tests.conformance.victim import killed
from tests.destinations.tables import SCHEMA, commit_of, day_of, ordered, row, stored
from tests.postgres import Server

REPLACE, APPEND, UPSERT, PARTITION = UpdateMethod
METHODS = list(UpdateMethod)


@pytest.fixture(params=NAMES)
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Ground:
    return _ground(request, tmp_path)


@pytest.fixture(params=DATABASES)
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Ground:
    """Those whose tables lie in a database."""
    return _ground(request, tmp_path)


def _ground(request: pytest.FixtureRequest, folder: Path) -> Ground:
    server = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    storage = request.getfixturevalue("storage") if request.param == "objects" else None
    return ground_of(request.param, folder / request.param, server, storage)


@pytest.fixture
def pg(postgres: Server, tmp_path: Path) -> Ground:
    return ground_of("postgresql", tmp_path / "pg", postgres)


def other_url(ground: Ground, options: str) -> str:
    return f"{ground.url}?{options}"


# ---- the connection: F37


def cut_at(pg: Ground, server: int, method: UpdateMethod, at: int, cut: Cut) -> list[str]:
    """Cut the way at a message of the second commit; the messages that passed until its end."""
    story, name = STORIES[method], f"t{at}_{cut.name.lower()}_{method}"
    first = pg.table(name)
    first.commit(story.commit(first, 1))
    with way_to(server) as proxy:
        proxy.at, proxy.cut = at, cut
        table = pg.table(name, url=proxy.url(str(pg.url)))
        done = table.commit(story.commit(table, 2))
        assert (done.version, done.findings) == (2, "{2}")
        assert state(first) == wanted(story, pg.folder, 2)
        again = table.commit(story.commit(table, 2))
        assert again.repeated
    assert state(first) == wanted(story, pg.folder, 2)
    return proxy.messages


def messages_of(pg: Ground, server: int, method: UpdateMethod) -> list[str]:
    """The messages of a second commit that nobody cuts."""
    story, name = STORIES[method], f"whole_{method}"
    first = pg.table(name)
    first.commit(story.commit(first, 1))
    with way_to(server) as proxy:
        table = pg.table(name, url=proxy.url(str(pg.url)))
        table.commit(story.commit(table, 2))
    return proxy.messages


@pytest.mark.parametrize("method", [APPEND, UPSERT])
def test_a_connection_that_is_cut_when_commit_was_sent_applies_the_commit_once(
    pg: Ground, postgres: Server, method: UpdateMethod
) -> None:
    """Nobody can know whether it was made: the ledger is looked at."""
    messages = messages_of(pg, postgres.port, method)
    commit = next(number for number, one in enumerate(messages, start=1) if one.startswith("Q COMMIT"))
    for cut in Cut:
        cut_at(pg, postgres.port, method, commit, cut)


def test_a_connection_that_is_cut_at_some_messages_applies_the_commit_once(pg: Ground, postgres: Server) -> None:
    count = len(messages_of(pg, postgres.port, UPSERT))
    for number, at in enumerate(range(1, count + 1, count // 4)):
        cut_at(pg, postgres.port, UPSERT, at, list(Cut)[number % 2])


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("cut", list(Cut))
@pytest.mark.parametrize("method", METHODS)
def test_a_connection_that_is_cut_at_any_message_applies_the_commit_once(
    pg: Ground, postgres: Server, method: UpdateMethod, cut: Cut
) -> None:
    for at in range(1, len(messages_of(pg, postgres.port, method)) + 1):
        cut_at(pg, postgres.port, method, at, cut)


@dataclass
class Trouble:
    """Does something once, at a point of the writer's first attempt."""

    at: str
    what: Any
    fate: Fate = field(default_factory=Fate)
    done: bool = False

    def __post_init__(self) -> None:
        count = self.fate.point

        def point(what: str) -> None:
            count(what)
            if what == self.at and not self.done:
                self.done = True
                self.what()

        self.fate.point = point  # type: ignore[method-assign]


def others(ground: Ground, sql: str) -> Any:
    return lambda: ground.run(sql)


KILL_ALL = (
    "DO $$ BEGIN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid(); END $$"
)


@pytest.mark.parametrize("at", ["before LOAD", "after LOAD", "after INSERT INTO", "before COMMIT", "after COMMIT"])
def test_a_connection_that_the_server_ends_is_made_anew(pg: Ground, at: str) -> None:
    first = pg.table()
    first.commit(commit_of(first, 1, UPSERT, [row(1)]))
    trouble = Trouble(at, others(pg, KILL_ALL))
    table = pg.table(fate=trouble.fate)
    table.commit(commit_of(table, 2, UPSERT, [row(1, "b"), row(2)]))
    assert trouble.done
    assert stored(first) == [row(1, "b"), row(2)]


# ---- transactions of others: F38


@pytest.mark.parametrize("state_", ["40001", "40P01", "55P03", "57014", "53300"])
def test_a_transaction_that_the_server_gives_up_is_tried_again_as_a_whole(pg: Ground, state_: str) -> None:
    """A serialization failure, a deadlock, a lock, a timeout, too many clients: raised by the server itself, by its own codes."""
    sessions: list[Session] = []
    raising = f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state_}'; END $$"
    trouble = Trouble("after LOAD", lambda: sessions[-1].execute(raising))
    table = watched(pg, sessions, trouble)
    done = table.commit(commit_of(table, 1, APPEND, [row(1)]))
    assert (done.repeated, trouble.done, len(sessions)) == (False, True, 2)
    assert stored(pg.table()) == [row(1)]


def watched(ground: Ground, sessions: list[Session], trouble: Trouble) -> SqlTable:
    """A table whose real sessions are noted."""

    @dataclass(frozen=True)
    class Noting:
        inner: Database

        @property
        def address(self) -> str:
            return self.inner.address

        @contextmanager
        def session(self, *, writing: bool = False, seconds: float | None = None) -> Iterator[Session]:
            with self.inner.session(writing=writing, seconds=seconds) as session:
                if writing:
                    sessions.append(session)
                yield session

        def version(self, session: Session) -> str:
            return self.inner.version(session)

    database = MortalDatabase(Noting(ground.database()), trouble.fate)
    place = SqlDestination(database=database, staging=str(ground.folder), sleep=lambda _: None)
    return place.table("id of events", "events")


def test_two_that_lock_each_others_tables_are_told_apart_by_the_server_and_both_commit(pg: Ground) -> None:
    """A real deadlock: ours waits for the other's table, the other one for ours; whoever the server stops goes on."""
    table = pg.table()
    table.commit(commit_of(table, 1, UPSERT, [row(1)]))
    pg.run("CREATE TABLE theirs (x integer)", "INSERT INTO theirs VALUES (1)")
    ours_waits, ended = threading.Event(), threading.Event()

    def other() -> None:
        with pg.database().session(writing=True) as session:
            session.execute("SET deadlock_timeout = '10s'")  # so that the server stops ours
            session.execute("LOCK TABLE theirs")
            ours_waits.set()
            session.execute("UPDATE events SET noise = noise")
            session.commit()
        ended.set()

    sessions: list[Session] = []
    trouble = Trouble("after DELETE FROM", lambda: None)
    rival = threading.Thread(target=other)

    def meet() -> None:
        rival.start()
        ours_waits.wait()
        sessions[-1].execute("UPDATE theirs SET x = 2")

    trouble.what = meet
    table = watched(pg, sessions, trouble)
    table.commit(commit_of(table, 2, UPSERT, [row(1, "b")]))
    rival.join()
    assert ended.is_set()
    assert [one["value"] for one in stored(pg.table())] == ["b"]


def test_a_database_that_stays_locked_is_told_as_unavailable_and_the_pauses_grow(base: Ground, tmp_path: Path) -> None:
    table = base.table()
    table.commit(commit_of(table, 1, APPEND, [row(1)]))
    slept: list[float] = []
    place = SqlDestination(database=Closed(base.database()), staging=str(base.folder), sleep=slept.append)
    closed = place.table("id of events", "events")
    with pytest.raises(DestinationUnavailable) as told:
        closed.commit(commit_of(closed, 2, APPEND, [row(2)]))
    assert (tuple(slept), told.value.retryable, told.value.exit_code) == (PAUSES, True, 30)
    assert list(slept) == sorted(slept)
    assert (table.epoch(), stored(table)) == (1, [row(1)])


@dataclass(frozen=True)
class Closed:
    """A database that nobody gets into."""

    inner: Database

    @property
    def address(self) -> str:
        return self.inner.address

    @contextmanager
    def session(self, *, writing: bool = False, seconds: float | None = None) -> Iterator[Session]:
        raise DestinationUnavailable("It is closed today.")
        yield  # it is a generator

    def version(self, session: Session) -> str:
        return self.inner.version(session)


def test_a_server_that_is_not_there_is_unavailable_and_its_password_is_not_told() -> None:
    lost = Postgres(url="postgresql://me@127.0.0.1:9/nothing", password=lambda: "hush-hush")
    with pytest.raises(DestinationUnavailable) as told, lost.session():
        pass
    assert "127.0.0.1" in told.value.message
    assert "hush" not in told.value.message + repr(lost) + repr(told.value.__cause__)


def test_a_server_that_breaks_off_its_rows_is_unavailable(postgres: Server, tmp_path: Path) -> None:
    ends = "CASE WHEN n = 100000 THEN pg_terminate_backend(pg_backend_pid()) END"
    sql = f"SELECT n::bigint, {ends} FROM generate_series(1, 200000) AS n"
    ground = ground_of("postgresql", tmp_path, postgres)
    with pytest.raises(DestinationUnavailable, match="terminating"), ground.database().session() as session:
        for _ in session.select(sql, pa.schema([("n", pa.int64()), ("ended", pa.bool_())])):
            pass


def test_who_only_looks_into_a_server_changes_nothing(postgres: Server, tmp_path: Path) -> None:
    ground = ground_of("postgresql", tmp_path, postgres)
    with pytest.raises(DestinationRefused, match="read-only"), ground.database().session() as session:
        session.execute("CREATE TABLE t (x integer)")


# ---- tables that others change: F39


def test_a_table_that_is_there_and_not_ours_is_refused_before_anything_is_written(base: Ground) -> None:
    base.run("CREATE TABLE events (x integer)", "INSERT INTO events VALUES (7)")
    table = base.table()
    with pytest.raises(DestinationRefused, match="not this DataSet's"):
        table.mend()
    for method in METHODS:
        with pytest.raises(DestinationRefused, match="not this DataSet's"):
            table.commit(commit_of(table, 1, method, [row(1)], days=Days(whole=frozenset({day_of(0)}))))
    table.drop()
    with base.database().session() as session:
        schema = pa.schema([("x", pa.int64())])
        assert [one for batch in session.select("SELECT x FROM events", schema) for one in batch.to_pylist()] == [
            {"x": 7}
        ]


def test_another_connectors_table_of_the_same_name_is_refused(base: Ground) -> None:
    mine, theirs = base.table(id_="mine"), base.table(id_="theirs")
    mine.commit(commit_of(mine, 1, APPEND, [row(1)]))
    with pytest.raises(DestinationRefused, match="not this DataSet's"):
        theirs.commit(commit_of(theirs, 1, APPEND, [row(2)]))
    base.run("DROP TABLE events")
    with pytest.raises(DestinationRefused, match="not this DataSet's"):
        theirs.commit(commit_of(theirs, 1, APPEND, [row(2)]))


def test_a_table_that_others_dropped_is_told_and_only_replace_makes_it_anew(base: Ground) -> None:
    table = base.table()
    table.commit(commit_of(table, 1, UPSERT, [row(1)], watermarks={"project:1": 1}))
    base.run("DROP TABLE events")
    for method in (APPEND, UPSERT, PARTITION):
        with pytest.raises(DestinationRefused, match="'events' is gone") as told:
            table.commit(commit_of(table, 2, method, [row(2)], days=Days(whole=frozenset({day_of(0)}))))
        assert "replace" in told.value.remedy
    assert (table.epoch(), table.watermarks()) == (1, {"project:1": 1})
    table.commit(commit_of(table, 2, REPLACE, [row(2)]))
    assert (stored(table), table.epoch()) == ([row(2)], 2)


def test_columns_that_others_took_away_or_changed_are_told_one_by_one(pg: Ground) -> None:
    table = pg.table()
    table.commit(commit_of(table, 1, UPSERT, [row(1)]))
    pg.run("ALTER TABLE events DROP COLUMN value", "ALTER TABLE events ALTER COLUMN noise TYPE text")
    with pytest.raises(DestinationRefused, match="noise is text, not bigint; value is gone"):
        table.commit(commit_of(table, 2, UPSERT, [row(2)]))
    pg.run("ALTER TABLE events ALTER COLUMN noise TYPE bigint USING noise::bigint")
    with pytest.raises(DestinationRefused, match="value is gone"):
        table.commit(commit_of(table, 2, UPSERT, [row(2)]))
    assert table.epoch() == 1
    table.commit(commit_of(table, 2, REPLACE, [row(2)]))
    assert stored(table) == [row(2)]


def test_a_column_that_others_added_is_let_be(base: Ground) -> None:
    """One that the catalogue gets later is theirs only where it has the same type."""
    table = base.table()
    table.commit(commit_of(table, 1, UPSERT, [row(1)]))
    base.run("ALTER TABLE events ADD COLUMN theirs integer", "UPDATE events SET theirs = 7")
    table.commit(commit_of(table, 2, UPSERT, [row(1), row(2)]))
    assert stored(table) == [row(1), row(2)]
    wide = SCHEMA.append(pa.field("theirs", pa.string()))
    with pytest.raises(DestinationRefused, match="theirs is "):
        table.commit(commit_of(table, 3, UPSERT, [row(3) | {"theirs": "x"}], schema=wide))


def test_permissions_that_are_lost_are_told_and_the_table_stays(pg: Ground) -> None:
    table = pg.table()
    pg.run(
        "CREATE ROLE little LOGIN" if "little" not in roles(pg) else "ALTER ROLE little LOGIN",
        "GRANT CREATE ON SCHEMA public TO little",
    )
    url = str(pg.url).replace("postgres@", "little@")
    little = pg.table(url=url)
    little.commit(commit_of(little, 1, APPEND, [row(1)]))
    pg.run("ALTER TABLE events OWNER TO postgres", "GRANT SELECT ON events TO little")
    for method in (REPLACE, APPEND, UPSERT):
        with pytest.raises(DestinationRefused, match="permission denied"):
            little.commit(commit_of(little, 2, method, [row(2)]))
    assert (stored(little), little.epoch()) == ([row(1)], 1)
    pg.run("GRANT ALL ON events TO little")
    little.commit(commit_of(little, 2, APPEND, [row(2)]))
    assert stored(table) == [row(1), row(2)]


def roles(ground: Ground) -> set[str]:
    with ground.database().session() as session:
        schema = pa.schema([("name", pa.string())])
        found = session.select("SELECT rolname::text FROM pg_roles", schema)
        return {one for batch in found for one in batch["name"].to_pylist()}


def test_a_schema_of_the_search_path_is_where_tables_are_made(pg: Ground) -> None:
    pg.run("CREATE SCHEMA sentry")
    url = other_url(pg, "options=-csearch_path%3Dsentry,public")
    table = pg.table(url=url)
    table.commit(commit_of(table, 1, UPSERT, [row(1)]))
    assert pg.table().exists() is False
    pg.run("CREATE TABLE events (x integer)")
    table.commit(commit_of(table, 2, UPSERT, [row(2)]))
    assert stored(table) == [row(1), row(2)]


# ---- names and values: F42


def test_a_name_that_is_too_long_or_differs_in_case_alone_is_refused_and_not_bent(base: Ground) -> None:
    table = base.table()
    cases = pa.schema([*SCHEMA, ("Value", pa.string())])
    long = pa.schema([*SCHEMA, ("ü" * 32, pa.string())])
    if base.name == "postgresql":
        table.commit(commit_of(table, 1, APPEND, [row(1) | {"Value": "x"}], schema=cases))
        with pytest.raises(DestinationRefused, match="more than 63 bytes"):
            table.commit(commit_of(table, 2, APPEND, [row(2)], schema=long))
        return
    with pytest.raises(DestinationRefused, match="for one"):
        table.commit(commit_of(table, 1, APPEND, [row(1)], schema=cases))
    table.commit(commit_of(table, 1, APPEND, [row(1)], schema=long))


def test_nul_which_postgres_takes_in_no_text_has_a_sign_in_its_place(base: Ground) -> None:
    table = base.table()
    rows = [row(1) | {"value": "a\0b"}, row(2, project="p\0")]
    table.commit(commit_of(table, 1, UPSERT, rows))
    kept = {"postgresql": ["a\ufffdb", "p\ufffd"]}.get(base.name, ["a\0b", "p\0"])
    found = {one["event_id"]: one for one in stored(table)}
    assert [found["e1"]["value"], found["e2"]["project_id"]] == kept
    again = table.commit(commit_of(table, 2, UPSERT, rows))
    assert (again.written, again.updated) == (0, 0)


def test_a_key_longer_than_an_index_takes_is_stored(base: Ground) -> None:
    table = base.table()
    rows = [row(number, project="x" * 100_000 + str(number)) for number in range(3)]
    table.commit(commit_of(table, 1, UPSERT, rows))
    assert table.commit(commit_of(table, 2, UPSERT, rows)).updated == 0
    assert stored(table) == ordered(rows)


# ---- files of DuckDB and SQLite


def test_a_file_that_is_none_of_the_databases_is_refused_by_name(tmp_path: Path) -> None:
    for name in ("duckdb", "sqlite"):
        ground = ground_of(name, tmp_path / name, None)
        path = tmp_path / name / f"tables.{name}"
        path.write_bytes(b"this is no database, but it is long enough to be taken for one" * 100)
        table = ground.table()
        with pytest.raises(DestinationRefused, match=r"tables\."):
            table.commit(commit_of(table, 1, APPEND, [row(1)]))
        assert path.read_bytes().startswith(b"this is no database")


# ---- real processes


def kill_and_look(ground: Ground, method: UpdateMethod, at: int, name: str) -> bool:
    """Kill a process at a point; whether its commit was made."""
    story = STORIES[method]
    table = ground.table(name)
    table.commit(story.commit(table, 1))
    assert killed(ground, method, name, at) == -signal.SIGKILL
    made = table.committed(2) is not None
    assert state(table) == wanted(story, ground.folder, 2 if made else 1)
    table.commit(story.commit(table, 2))
    assert state(table) == wanted(story, ground.folder, 2)
    return made


def points(ground: Ground, method: UpdateMethod) -> list[str]:
    story, fate = STORIES[method], Fate()
    table = ground.table("counted")
    table.commit(story.commit(table, 1))
    mortal = ground.table("counted", fate=fate)
    mortal.commit(story.commit(mortal, 2))
    return fate.passed


def test_a_process_that_is_killed_just_before_and_after_the_commit(ground: Ground) -> None:
    passed = points(ground, UPSERT)
    made = [
        kill_and_look(ground, UPSERT, 1 + passed.index(point), f"t{number}")
        for number, point in enumerate(("before COMMIT", "after COMMIT"))
    ]
    assert made == [False, True]


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("method", METHODS)
def test_a_process_that_is_killed_at_any_point(ground: Ground, method: UpdateMethod) -> None:
    for at in range(1, 1 + len(points(ground, method)), 3):
        kill_and_look(ground, method, at, f"t{at}")


HOLDERS = {
    "duckdb": "import duckdb; c = duckdb.connect(PATH); c.execute('SELECT 1')",
    "sqlite": "import sqlite3; c = sqlite3.connect(PATH, isolation_level=None); c.execute('BEGIN IMMEDIATE')",
}


@contextmanager
def held(name: str, path: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has the file, until it is told to end."""
    code = f"PATH = {path!r}; {HOLDERS[name]}; print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("name", HOLDERS)
def test_a_file_that_another_process_has_is_busy_and_taken_once_it_lets_go(tmp_path: Path, name: str) -> None:
    ground = ground_of(name, tmp_path / name, None)
    table = ground.table()
    table.commit(commit_of(table, 1, APPEND, [row(1)]))
    path = str(tmp_path / name / f"tables.{name}")
    database: Database = Sqlite(path=path, patience=0.0) if name == "sqlite" else ground.database()
    slept: list[float] = []

    def waiting(letting_go: subprocess.Popen[bytes] | None) -> SqlTable:
        def sleep(seconds: float) -> None:
            slept.append(seconds)
            if letting_go is not None and len(slept) == 2:
                letting_go.kill()
                letting_go.wait()

        place = SqlDestination(database=database, staging=str(ground.folder), sleep=sleep)
        return place.table("id of events", "events")

    with held(name, path):
        with pytest.raises(DestinationUnavailable) as told:
            waiting(None).commit(commit_of(table, 2, APPEND, [row(2)]))
        assert path in told.value.message
        assert "process" in told.value.remedy
    slept.clear()
    with held(name, path) as process:
        waiting(process).commit(commit_of(table, 2, APPEND, [row(2)]))
    assert len(slept) == 2
    assert stored(table) == [row(1), row(2)]


def test_whoever_dies_is_found_out() -> None:
    """The harness itself: a fate that is never reached would prove nothing."""
    fate = Fate(at=1)
    with pytest.raises(Died):
        fate.point("here")
