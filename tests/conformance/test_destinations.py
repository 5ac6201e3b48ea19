"""What every destination promises, held by the same tests: Delta tables on a disk or as objects, PostgreSQL, DuckDB, SQLite."""
# ruff: noqa: S311  # seeded sequences, not cryptography

from __future__ import annotations

import datetime as dt
import random
import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sentry_connector.destinations.looks import absent, by_hour, rows_of
from sentry_connector.destinations.model import Days, Forgotten, Selection, UpdateMethod
from sentry_connector.destinations.query import Snapshot, as_files, query, read
from sentry_connector.errors import DestinationRefused, KeyViolated, TableChanged, UnknownName, UsageError
from tests.conformance.grounds import DATABASES, DELTA, NAMES, Fate, Ground, ground_of
from tests.conformance.matrix import STORIES, deaths, state
from tests.destinations.tables import (
    SCHEMA,
    Row,
    commit_of,
    day_of,
    is_there,
    ordered,
    put,
    row,
    stage,
    stored,
    without_day,
)
from tests.faults.memory import MemoryTable

REPLACE, APPEND, UPSERT, PARTITION = UpdateMethod
METHODS = list(UpdateMethod)
SAMPLE, MOST = 4, 80
WHOLE = Days(whole=frozenset({day_of(0)}))


@pytest.fixture(params=NAMES)
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Ground:
    name = request.param
    server = request.getfixturevalue("postgres") if name == "postgresql" else None
    storage = request.getfixturevalue("storage") if name == "objects" else None
    return ground_of(name, tmp_path / name, server, storage)


@pytest.fixture(params=DATABASES)
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Ground:
    """Those whose tables lie in a database."""
    name = request.param
    server = request.getfixturevalue("postgres") if name == "postgresql" else None
    return ground_of(name, tmp_path / name, server)


# ---- the methods, against plain Python


def random_rows(rng: random.Random, epoch: int) -> list[dict[str, Any]]:
    """Rows with distinct keys, whose time never changes, whose value sometimes does and whose noise always does."""
    return [
        row(event, rng.choice("ab"), project=str(event % 3), noise=rng.randint(0, 9), day=event % 5, run=f"run{epoch}")
        for event in rng.sample(range(30), rng.randint(0, 18))
    ]


def of_replace(rng: random.Random, _rows: list[dict[str, Any]]) -> dict[str, Any]:
    noon = dt.datetime.combine(day_of(rng.randint(0, 4)), dt.time(0, 0, 6), dt.UTC)
    forgotten = Forgotten(
        marks={"project_id": "1"}, column="at", since=rng.choice([None, noon - dt.timedelta(hours=20)]), before=noon
    )
    return {"forgotten": rng.choice([(), (forgotten,)]), "keep_when_empty": rng.random() < 0.5}


def of_append(rng: random.Random, _rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"skip_stored": rng.random() < 0.6, "immutable_time": rng.choice(["at", None])}


def of_upsert(rng: random.Random, _rows: list[dict[str, Any]]) -> dict[str, Any]:
    compared = rng.choice([("value",), ("value", "noise"), ()])
    return {"replace_together": rng.choice([(), ("project_id",)]), "compared": compared}


def of_partition(rng: random.Random, rows: list[dict[str, Any]]) -> dict[str, Any]:
    kinds = {day_of(number): rng.choice(["whole", "gaining", "untouched"]) for number in range(5)}
    whole, gaining = (frozenset(day for day, kind in kinds.items() if kind == one) for one in ("whole", "gaining"))
    unread = rng.random() < 0.3
    rows[:] = [
        one for one in rows if kinds[one["at"].date()] != "untouched" and not (unread and one["project_id"] == "2")
    ]
    return {
        "days": Days(whole=whole, gaining=gaining, drop_before=rng.choice([None, day_of(0), day_of(1)])),
        "read": [{"project_id": project} for project in ("0", "1")] if unread else None,
    }


OPTIONS: dict[UpdateMethod, Callable[[random.Random, list[dict[str, Any]]], dict[str, Any]]] = {
    REPLACE: of_replace,
    APPEND: of_append,
    UPSERT: of_upsert,
    PARTITION: of_partition,
}


def go_through(ground: Ground, method: UpdateMethod, seed: int) -> None:
    """Commit after commit, on the table and on a list of Python's; after each both are the same, in rows and in counts."""
    rng, table, oracle = random.Random(seed), ground.table(f"t{seed}"), MemoryTable(str(ground.folder / f"o{seed}"))
    unique = method is not APPEND or rng.random() < 0.5
    for epoch in range(1, 5):
        rows = random_rows(rng, epoch)
        options = OPTIONS[method](rng, rows)
        options |= {"skip_stored": True} if method is APPEND and unique else {}
        marks = {f"project:{rng.randint(1, 4)}": rng.randint(-1, 9)}
        done = table.commit(commit_of(table, epoch, method, rows, watermarks=marks, **options))
        said = oracle.commit(commit_of(oracle, epoch, method, rows, watermarks=marks, **options))  # type: ignore[arg-type]
        assert state(table) == state(oracle)
        assert (done.written, done.updated, done.deleted) == (said.written, said.updated, said.deleted)
        assert table.rows() == len(oracle.state.rows)


@pytest.mark.parametrize("method", METHODS)
def test_every_update_method_does_what_plain_python_says(ground: Ground, method: UpdateMethod) -> None:
    for seed in range(SAMPLE if ground.name == DELTA else 1):
        go_through(ground, method, seed)


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("method", METHODS)
def test_every_update_method_does_what_plain_python_says_of_many_seeds(ground: Ground, method: UpdateMethod) -> None:
    for seed in range(MOST):
        go_through(ground, method, seed)


# ---- once, or not at all


def some_points(count: int) -> list[int]:
    """A sample that holds the last ones, between which the commit is made."""
    return [count // 2, *range(count - 2, count + 1)]


@pytest.mark.parametrize("method", METHODS)
def test_a_process_that_dies_within_a_commit_leaves_all_or_nothing_and_the_next_one_goes_on(
    ground: Ground, method: UpdateMethod
) -> None:
    found = deaths(ground, STORIES[method], some_points)
    assert {one.committed for one in found} == {False, True}


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("method", METHODS)
def test_a_process_that_dies_at_any_point_of_a_commit_leaves_all_or_nothing(
    ground: Ground, method: UpdateMethod
) -> None:
    deaths(ground, STORIES[method])


@pytest.mark.parametrize("method", METHODS)
def test_a_repeated_epoch_does_nothing_and_tells_what_it_did(ground: Ground, method: UpdateMethod) -> None:
    table = ground.table()
    first = table.commit(commit_of(table, 3, method, [row(1), row(2)], days=WHOLE, findings="found"))
    again = table.commit(commit_of(table, 3, method, [row(3)], days=WHOLE))
    assert (first.repeated, again.repeated, again.version, again.written) == (False, True, first.version, 2)
    assert (again.findings, table.epoch_of("run3")) == ("found", 3)
    assert without_day(stored(table)) == [row(1), row(2)]
    assert table.committed(3) == again


def test_an_epoch_after_a_later_one_is_refused(ground: Ground) -> None:
    table = ground.table()
    table.commit(commit_of(table, 5, APPEND, [row(1)]))
    with pytest.raises(TableChanged, match="overtaken"):
        table.commit(commit_of(table, 4, APPEND, [row(2)]))
    assert (table.rows(), table.epoch(), table.committed(4)) == (1, 5, None)


@pytest.mark.parametrize("method", METHODS)
def test_of_two_writers_with_one_epoch_only_one_changes_the_table(ground: Ground, method: UpdateMethod) -> None:
    """The table is made by both at once, too."""
    tables = [ground.table(), ground.table()]
    commits = [commit_of(table, 1, method, [row(number)], days=WHOLE) for number, table in enumerate(tables)]
    start, done = threading.Barrier(2), []

    def work(number: int) -> None:
        start.wait()
        done.append(tables[number].commit(commits[number]))

    writers = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    assert sorted(one.repeated for one in done) == [False, True]
    assert (ground.table().rows(), len(stored(ground.table()))) == (1, 1)


def test_many_datasets_are_committed_at_once(ground: Ground) -> None:
    """They share the ledger, and the first ones make it."""
    names = [f"t{number}" for number in range(4)]
    failed: list[BaseException] = []

    def work(name: str) -> None:
        try:
            table = ground.table(name)
            for epoch in (1, 2):
                table.commit(commit_of(table, epoch, UPSERT, [row(epoch)], watermarks={"project:1": epoch}))
        except BaseException as error:  # noqa: BLE001  # it is looked at below
            failed.append(error)

    writers = [threading.Thread(target=work, args=(name,)) for name in names]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    assert failed == []
    assert [state(ground.table(name))[1:] for name in names] == [(2, {"project:1": 2})] * len(names)


def test_a_table_that_nothing_was_committed_to_is_empty_and_not_there(ground: Ground) -> None:
    table = ground.table()
    assert (table.exists(), table.epoch(), table.highest_epoch(), table.watermarks()) == (False, 0, 0, {})
    assert (table.rows(), table.schema(), table.versions(), table.snapshot()) == (0, None, [], None)
    assert (table.committed(1), table.epoch_of("run1")) == (None, None)
    far = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
    assert table.count_outside("at", far, far) == 0
    table.mend()
    table.maintain(now=far)
    table.drop()


# ---- refusals leave the table as it was


@pytest.mark.parametrize("method", METHODS)
def test_a_null_in_a_key_column_is_refused_and_named(ground: Ground, method: UpdateMethod) -> None:
    table = ground.table()
    table.commit(commit_of(table, 1, method, [row(1)], days=WHOLE, watermarks={"project:1": 1}))
    before = state(table)
    bad = [row(2), {**row(3), "event_id": None}]
    with pytest.raises(KeyViolated, match="event_id' is null in 1 rows"):
        table.commit(commit_of(table, 2, method, bad, days=WHOLE, watermarks={"project:1": 2}))
    assert state(table) == before


@pytest.mark.parametrize("method", METHODS)
def test_a_doubled_key_is_refused_and_named(ground: Ground, method: UpdateMethod) -> None:
    table = ground.table()
    with pytest.raises(KeyViolated, match="event_id='e4'"):
        table.commit(commit_of(table, 1, method, [row(number % 9) for number in range(4, 14)], days=WHOLE))
    assert not table.exists()


def test_append_without_a_key_takes_doubles(ground: Ground) -> None:
    table = ground.table()
    table.commit(commit_of(table, 1, APPEND, [row(1), row(1), {**row(2), "event_id": None}], key=()))
    assert table.rows() == 3


def test_rows_staged_for_a_day_that_is_not_touched_are_a_defect(ground: Ground) -> None:
    table = ground.table()
    with pytest.raises(ValueError, match="2026, 3, 2"):
        table.commit(commit_of(table, 1, PARTITION, [row(1, day=1)], days=WHOLE))
    assert not table.exists()


def test_a_staged_file_that_is_not_what_was_written_is_refused(ground: Ground) -> None:
    table = ground.table()
    commit = commit_of(table, 1, APPEND, [row(1)])
    put(table, commit.files[0].path, b"PAR1 something else")
    with pytest.raises(DestinationRefused, match="not what was written"):
        table.commit(commit)
    assert not table.exists()


def test_a_column_never_changes_its_type(ground: Ground) -> None:
    table = ground.table()
    table.commit(commit_of(table, 1, APPEND, [row(1)]))
    other = SCHEMA.set(SCHEMA.get_field_index("noise"), pa.field("noise", pa.float64()))
    with pytest.raises(DestinationRefused, match="'noise' is int64, not double"):
        table.commit(commit_of(table, 2, APPEND, [row(2)], schema=other))
    assert (table.rows(), table.epoch()) == (1, 1)


# ---- columns and shapes


def test_new_columns_are_null_in_old_rows_and_missing_ones_null_in_new_rows(ground: Ground) -> None:
    table = ground.table()
    added = pa.field("added", pa.string(), metadata={"comment": "New.", "type": "json"})
    wide = pa.schema([one for one in SCHEMA if one.name != "noise"]).append(added)
    table.commit(commit_of(table, 1, UPSERT, [row(1), row(2)]))
    table.commit(commit_of(table, 2, UPSERT, [{**row(2, "b"), "added": "x"}, {**row(3), "added": "y"}], schema=wide))
    seen = {one["event_id"]: (one["value"], one["added"], one["noise"]) for one in stored(table)}
    assert seen == {"e1": ("a", None, 0), "e2": ("b", "x", None), "e3": ("a", "y", None)}
    schema = table.schema()
    assert schema is not None
    assert schema.field("added").metadata == {b"comment": b"New.", b"type": b"json"}
    assert schema.field("project_id").metadata == {b"comment": b"Id of the project."}


def test_a_filled_table_is_partitioned_only_after_it_was_emptied(ground: Ground) -> None:
    table = ground.table()
    table.commit(commit_of(table, 1, REPLACE, [row(1)], watermarks={"project:1": 5}))
    with pytest.raises(DestinationRefused, match="not partitioned"):
        table.commit(commit_of(table, 2, PARTITION, [row(2)], days=WHOLE))
    table.commit(commit_of(table, 3, REPLACE, []))
    table.commit(commit_of(table, 4, PARTITION, [row(2)], days=WHOLE))
    assert [one["_day"] for one in stored(table)] == [dt.date(2026, 3, 1)]
    assert (table.epoch(), table.watermarks()) == (4, {"project:1": 5})


def test_replace_takes_the_partitions_away_and_other_methods_are_refused(ground: Ground) -> None:
    table = ground.table()
    table.commit(commit_of(table, 1, PARTITION, [row(1)], days=WHOLE))
    for method in (APPEND, UPSERT):
        with pytest.raises(DestinationRefused, match="partitioned by day"):
            table.commit(commit_of(table, 2, method, [row(2)]))
    table.commit(commit_of(table, 3, REPLACE, [], keep_when_empty=True))
    assert without_day(stored(table)) == [row(1)]
    table.commit(commit_of(table, 4, REPLACE, [row(3)]))
    assert stored(table) == [row(3)]


def test_an_empty_replace_empties_the_table_and_keeps_its_columns(ground: Ground) -> None:
    table = ground.table()
    table.commit(commit_of(table, 1, REPLACE, [row(1)]))
    assert table.commit(commit_of(table, 2, REPLACE, [])).deleted == 1
    schema = table.schema()
    assert (table.rows(), stored(table), schema and schema.names) == (0, [], SCHEMA.names)


NAMES_OF_COLUMNS = [
    "select",
    "Order",
    "a b",
    'quo"ted',
    "semi;colon --",
    "ünï€",
    "_extra",
    "percent%s",
    "br{ace}",
    "$1",
]


def test_names_of_columns_are_never_sql(ground: Ground) -> None:
    """Of the databases' own words, and of what would end a name."""
    # Parquet's readers take no others of a Delta table.
    names = [one for one in NAMES_OF_COLUMNS if ground.name != "delta" or not set(one) & set(' ;{}"')]
    schema = pa.schema([*SCHEMA, *((name, pa.string()) for name in names)])
    table = ground.table()
    rows = [row(number) | {name: f"{name} {number}" for name in names} for number in range(3)]
    table.commit(commit_of(table, 1, UPSERT, rows[:2], schema=schema, compared=()))
    table.commit(commit_of(table, 2, UPSERT, rows, schema=schema, compared=()))
    assert stored(table) == ordered(rows)


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40) | st.sampled_from(
    [
        "'",
        "''",
        '"',
        "\\",
        "\\'; DROP TABLE events; --",
        "$$",
        "%s",
        "{}",
        "\n",
        "\r\t",
        "\x1b[31m",
        "NULL",
        "",
        " ",
        "\u202e",
        "\U0001f600",
    ]
)


@given(values=st.lists(TEXTS | st.none(), min_size=1, max_size=8), number=st.integers(-(2**63), 2**63 - 1))
@example(values=["\U00020000"], number=0)
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_values_come_back_as_they_were(ground: Ground, values: list[str | None], number: int) -> None:
    """In columns and in keys; the widest integer too."""
    table = ground.table()
    rows = [row(place, project=value or "", noise=number) | {"value": value} for place, value in enumerate(values)]
    table.commit(commit_of(table, table.epoch() + 1, REPLACE, rows))
    assert stored(table) == ordered(rows)
    again = table.commit(commit_of(table, table.epoch() + 1, UPSERT, rows))
    assert (again.written, again.updated, again.deleted) == (0, 0, 0)


def test_times_keep_their_microseconds_and_their_order(ground: Ground) -> None:
    table = ground.table()
    times = [
        dt.datetime(1, 1, 1, tzinfo=dt.UTC),
        dt.datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC),
        dt.datetime(2026, 3, 1, 0, 0, 0, 1, tzinfo=dt.UTC),
        dt.datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC),
    ]
    rows = [row(number) | {"at": at} for number, at in enumerate(times)] + [row(9) | {"at": None}]
    table.commit(commit_of(table, 1, REPLACE, rows))
    assert [one["at"] for one in stored(table)] == [*times, None]
    assert table.count_outside("at", times[1], times[2]) == 3
    assert table.count_outside("at", times[0], times[3]) == 1
    assert table.count_outside("nothing", times[0], times[3]) == 0


# ---- what runs ask


def test_rows_of_a_query_an_export_and_a_run_are_the_same(ground: Ground) -> None:
    table = ground.table()
    rows = [row(number, day=number % 3) for number in range(50)]
    days = Days(whole=frozenset(map(day_of, range(3))))
    table.commit(commit_of(table, 1, PARTITION, rows, days=days))
    snapshot = table.snapshot()
    assert snapshot is not None
    with read(snapshot) as reader:
        assert reader.schema == table.schema()
        exported = without_day(reader.read_all().to_pylist())
    sql = "SELECT a._day, count(*) AS n FROM t a JOIN t b USING (event_id) GROUP BY ALL ORDER BY ALL"
    with query(sql, {"t": snapshot}) as answer:
        assert [one["n"] for one in answer.read_all().to_pylist()] == [17, 17, 16]
    assert exported == without_day(stored(table)) == ordered(rows)


def test_items_are_counted_by_the_hour_and_absent_ones_are_found(ground: Ground) -> None:
    rng, table = random.Random(1), ground.table()
    midnight = dt.datetime.combine(day_of(1), dt.time(), dt.UTC)
    part = Selection(marks={"project_id": "1"}, time="at", start=midnight, end=midnight + dt.timedelta(days=2))
    rows: list[Row] = [
        row(event * 700, project=str(event % 2), day=event % 4) | {"event_id": f"e'{event // 3}"}
        for event in rng.sample(range(60), 40)
    ]
    table.commit(commit_of(table, 1, APPEND, rows, key=()))
    hours: dict[int, set[object]] = defaultdict(set)
    inside = [
        one for one in rows if one["project_id"] == "1" and midnight <= one["at"] < midnight + dt.timedelta(days=2)
    ]
    for one in inside:
        hours[int(one["at"].timestamp() // 3600 * 3600)].add(one["event_id"])
    snapshot = table.snapshot()
    assert snapshot is not None
    assert by_hour(snapshot, part, "event_id") == {hour: len(items) for hour, items in hours.items()}
    seen = [{**one, "gone": None} for one in rng.sample(rows, 10)]
    marked = SCHEMA.append(pa.field("gone", pa.string()))
    file = stage(table, 2, seen, schema=marked)
    filesystem, root = table.location()
    store = None if isinstance(filesystem, pafs.LocalFileSystem) else filesystem
    read_again = Snapshot(files=(f"{root}/{file.path}",), schema=marked, filesystem=store)
    missing = sorted({one["event_id"] for one in inside} - {one["event_id"] for one in seen})
    with as_files(snapshot) as files:
        assert absent(files, read_again, part, "event_id", "gone") == missing
        found = [one for batch in rows_of(files, part, "event_id", missing, SCHEMA) for one in batch.to_pylist()]
    assert ordered(found) == ordered(one for one in inside if one["event_id"] in missing)


def test_what_was_staged_is_swept_and_a_later_run_goes_above_it(ground: Ground) -> None:
    table = ground.table()
    table.commit(commit_of(table, 1, APPEND, [row(1)]))
    spool = "_spool/00000007"
    put(table, f"{spool}/x.json", b"{}")
    left = commit_of(table, 7, APPEND, [row(2)]).files[0].path
    assert (table.epoch(), table.highest_epoch()) == (1, 7)
    table.sweep(7)
    assert is_there(table, left), "it belongs to the run of epoch 7"
    table.sweep(8)
    assert (is_there(table, left), is_there(table, spool), table.highest_epoch()) == (False, False, 1)
    table.maintain(now=dt.datetime.now(dt.UTC))
    assert stored(table) == [row(1)]


def test_drop_leaves_nothing_and_may_be_repeated(ground: Ground) -> None:
    table = ground.table()
    table.commit(commit_of(table, 1, APPEND, [row(1)], watermarks={"project:1": 1}))
    commit_of(table, 2, APPEND, [row(2)])
    table.drop()
    table.drop()
    assert (table.exists(), table.watermarks(), is_there(table)) == (False, {}, False)
    table.commit(commit_of(table, 1, APPEND, [row(3)]))
    assert stored(table) == [row(3)]


def test_two_datasets_do_not_see_each_other(ground: Ground) -> None:
    one, other = ground.table("one"), ground.table("one_2")
    one.commit(commit_of(one, 1, APPEND, [row(1)], watermarks={"project:1": 10}))
    assert (other.exists(), other.watermarks()) == (False, {})
    other.commit(commit_of(other, 4, APPEND, [row(2)]))
    assert (one.epoch(), stored(one), stored(other)) == (1, [row(1)], [row(2)])


def test_versions_say_what_there_is_and_only_what_is_there_can_be_reverted_to(ground: Ground) -> None:
    table = ground.table()
    for epoch in (1, 2):
        table.commit(commit_of(table, epoch, REPLACE, [row(epoch)]))
    versions = table.versions()
    assert [(one.run_id, one.operation, one.rows) for one in versions][:1] == [("run2", "replace", 1)]
    assert stored(table, versions[0].version) == [row(2)]
    with pytest.raises(UnknownName):
        table.snapshot(77)
    if table.keeps_versions:
        table.revert(versions[1].version, epoch=3)
        assert stored(table) == [row(1)]
        return
    assert len(versions) == 1
    with pytest.raises(UsageError, match="keeps no earlier versions"):
        table.revert(versions[0].version, epoch=3)
    assert (stored(table), table.epoch()) == ([row(2)], 2)


def test_a_reader_has_the_table_before_a_commit_or_after_it(base: Ground) -> None:
    """Whatever the writer has done within its transaction; one that keeps readers out lets nobody see a half."""
    fate = Fate()
    table, other = base.table(fate=fate), base.table()
    other.commit(commit_of(other, 1, REPLACE, [row(1), row(2)]))
    seen: list[Any] = []

    def look() -> None:
        if fate.passed[-1] in {"after INSERT INTO", "after DELETE FROM", "before COMMIT"}:
            seen.append([one["event_id"] for one in stored(other)])

    point = fate.point

    def looked(what: str) -> None:
        point(what)
        look()

    fate.point = looked  # type: ignore[method-assign]
    table.commit(commit_of(table, 2, REPLACE, [row(3)]))
    assert len(seen) > 3
    assert all(one == ["e1", "e2"] for one in seen)
    assert stored(other) == [row(3)]
