"""What people see of a table, in every destination: pages, figures, tags, keys; and an update that is taken out again."""
# ruff: noqa: S311  # seeded sequences, not cryptography

from __future__ import annotations

import datetime as dt
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sentry_connector.destinations.asking import answer
from sentry_connector.destinations.figures import by_hour, figures, keys_of, most_common, total
from sentry_connector.destinations.looking import Condition, Look, Operator, Sort, field_of
from sentry_connector.destinations.model import Table, UpdateMethod
from sentry_connector.destinations.paging import Finds, page
from sentry_connector.destinations.query import Source
from sentry_connector.destinations.sql_text import quoted
from sentry_connector.errors import QueryTimeout, TableChanged, UnknownName, UsageError
from tests.conformance.grounds import NAMES, OBJECTS, Ground, ground_of
from tests.destinations.tables import KEY, SCHEMA, commit_of, row, stored

LOOKS, LOOKS_AT_OBJECTS = 15, 4
"""A store of objects is the same table, and slow here."""

JSON = {"type": "json"}
WIDE = pa.schema(
    [
        *SCHEMA,
        pa.field("ratio", pa.float64()),
        pa.field("flag", pa.bool_()),
        pa.field("tags", pa.string(), metadata=JSON),
        pa.field("_extra", pa.string(), metadata=JSON),
    ]
)
HOSTILE = ("", "it's", '"quoted"', "100%_\\", "日本", "Ärger", "<script>alert(1)</script>", "$1", "?")


@pytest.fixture(params=NAMES)
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Ground:
    name = request.param
    server = request.getfixturevalue("postgres") if name == "postgresql" else None
    storage = request.getfixturevalue("storage") if name == "objects" else None
    return ground_of(name, tmp_path / name, server, storage)


def tags(**values: str) -> str:
    return json.dumps([{"key": key, "value": value} for key, value in values.items()], ensure_ascii=False)


def some_rows(rng: random.Random, epoch: int, count: int = 40) -> list[dict[str, Any]]:
    return [
        row(100 * epoch + event, rng.choice(HOSTILE), noise=rng.randint(-3, 3), day=event % 3, run=f"run{epoch}")
        | {
            "value": rng.choice([None, *HOSTILE]),
            "noise": rng.choice([None, -3, 0, 2**40]),
            "ratio": rng.choice([None, -0.5, 1e30]),
            "flag": rng.choice([None, True, False]),
            "tags": rng.choice([None, "[]", tags(level="error", release="a'1"), tags(level='say "no"')]),
            "_extra": rng.choice([None, None, '{"new/field":1}', '{"new/field":null,"other":[1]}']),
        }
        for event in range(count)
    ]


def filled(table: Table, rng: random.Random, *epochs: int) -> tuple[Source, list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    for epoch in epochs:
        more = some_rows(rng, epoch)
        table.commit(commit_of(table, epoch, UpdateMethod.APPEND, more, schema=WIDE, key=()))
        rows += more
    source = table.snapshot()
    assert source is not None
    return source, rows


# ---- pages


def random_look(rng: random.Random, rows: list[dict[str, Any]]) -> Look:
    names = [name for name in WIDE.names if name not in ("tags", "_extra")]
    sort = tuple(Sort(name, descending=rng.random() < 0.5) for name in rng.sample(names, rng.randint(0, 3)))
    conditions = tuple(
        random_condition(rng, rng.choice(rows), rng.choice(names)) for _ in range(rng.choice([0, 0, 1, 2]))
    )
    find = rng.choice(["", "", "SCRIPT", "e1", "'", "%", "ärger", "$1"])
    columns = tuple(rng.sample(WIDE.names, rng.choice([0, 2])))
    return Look(
        columns=columns, sort=sort, conditions=conditions, find=find, offset=rng.choice([0, 0, 7, 500]), limit=9
    )


def random_condition(rng: random.Random, one: Mapping[str, Any], name: str) -> Condition:
    value = one[name]
    if value is None:
        return Condition(name, rng.choice([Operator.EMPTY, Operator.FILLED]))
    written = value.isoformat() if isinstance(value, dt.datetime) else str(value)
    choices = [Operator.EQUALS, Operator.IN]
    choices += [Operator.CONTAINS] if isinstance(value, str) else []
    choices += [] if isinstance(value, (bool, str)) else [Operator.AT_LEAST, Operator.BELOW]
    operator = rng.choice(choices)
    return Condition(name, operator, (written, written) if operator is Operator.IN else (written,))


def holds(one: Mapping[str, Any], condition: Condition, typed: Callable[[str], Any]) -> bool:
    value = one[condition.column]
    if condition.operator in (Operator.EMPTY, Operator.FILLED):
        return (value in (None, "")) is (condition.operator is Operator.EMPTY)
    if value is None:
        return False
    wanted = [typed(one) for one in condition.values]
    found: dict[Operator, Callable[[], bool]] = {
        Operator.EQUALS: lambda: bool(value == wanted[0]),
        Operator.IN: lambda: value in wanted,
        Operator.CONTAINS: lambda: wanted[0].lower() in value.lower(),
        Operator.AT_LEAST: lambda: bool(value >= wanted[0]),
        Operator.BELOW: lambda: bool(value < wanted[0]),
    }
    return found[condition.operator]()


def in_python(rows: list[dict[str, Any]], look: Look) -> list[dict[str, Any]]:
    """The rows that a look is about, sorted as far as it says."""
    values: dict[str, dict[str, Any]] = {}
    for one in rows:
        for name, value in one.items():
            written = value.isoformat() if isinstance(value, dt.datetime) else str(value)
            values.setdefault(name, {})[written] = value
    found = [
        one
        for one in rows
        if all(holds(one, condition, values[condition.column].__getitem__) for condition in look.conditions)
        and any(look.find.lower() in value.lower() for value in one.values() if isinstance(value, str))
    ]
    for sort in reversed(look.sort):
        without = [one for one in found if one[sort.column] is None]
        found = sorted(
            (one for one in found if one[sort.column] is not None),
            key=lambda one: str(one[sort.column]).encode() if isinstance(one[sort.column], str) else one[sort.column],
            reverse=sort.descending,
        )
        found += without
    return found


def sorted_values(rows: list[dict[str, Any]], look: Look) -> list[tuple[Any, ...]]:
    return [tuple(one[sort.column] for sort in look.sort) for one in rows]


@pytest.mark.parametrize("seed", range(1))
def test_a_page_is_what_plain_python_says(ground: Ground, seed: int) -> None:
    rng, finds = random.Random(seed), Finds()
    source, rows = filled(ground.table(f"t{seed}"), rng, 1, 2)
    for _ in range(LOOKS_AT_OBJECTS if ground.name == OBJECTS else LOOKS):
        look = random_look(rng, rows)
        if ground.name == "sqlite" and look.find == "ärger":
            continue  # it knows upper and lower case of ASCII alone
        everything = Look(sort=look.sort, conditions=look.conditions, find=look.find, limit=1000)
        wanted = in_python(rows, look)
        found = page(source, everything, KEY, finds)
        shown = found.rows.to_pylist()
        assert sorted_values(shown, look) == sorted_values(wanted, look)
        assert {one["event_id"] for one in shown} == {one["event_id"] for one in wanted}
        part = page(source, look, KEY, finds)
        names = list(look.columns) or WIDE.names
        assert part.total == found.total
        assert part.rows.column_names == names
        assert part.rows.to_pylist() == [
            {name: one[name] for name in names} for one in shown[look.offset : look.offset + look.limit]
        ]


def test_pages_together_are_the_table_once(ground: Ground) -> None:
    """Also where nearly all rows are equal in what they are sorted by."""
    source, rows = filled(ground.table("t"), random.Random(1), 1, 2)
    for look in (Look(), Look(sort=(Sort("flag"),))):
        seen = [
            one["event_id"]
            for offset in range(0, len(rows), 17)
            for one in page(source, Look(sort=look.sort, offset=offset, limit=17), KEY, Finds()).rows.to_pylist()
        ]
        assert Counter(seen) == Counter(one["event_id"] for one in rows)


WRONG = [
    (Condition("noise", Operator.EQUALS, ("4.5",)), "no value of 'noise'"),
    (Condition("noise", Operator.EQUALS, ("9" * 30,)), "no value of 'noise'"),
    (Condition("ratio", Operator.BELOW, ("nan",)), "no value of 'ratio'"),
    (Condition("flag", Operator.EQUALS, ("yes",)), "no value of 'flag'"),
    (Condition("at", Operator.AT_LEAST, ("yesterday",)), "no value of 'at'"),
    (Condition("at", Operator.AT_LEAST, ("0001-01-01T00:00+01:00",)), "no value of 'at'"),
    (Condition("at", Operator.BELOW, ("9999-12-31T23:59-01:00",)), "no value of 'at'"),
    (Condition("at", Operator.CONTAINS, ("2026",)), "holds no texts"),
    (Condition("value", Operator.EQUALS), "takes 1 value"),
    (Condition("value", Operator.EMPTY, ("x",)), "takes 0 values"),
    (Condition('value"; DROP TABLE t; --', Operator.EMPTY), "no column named"),
]


def test_what_is_no_value_is_refused(ground: Ground) -> None:
    source, _ = filled(ground.table("t"), random.Random(1), 1)
    for condition, wrong in WRONG:
        with pytest.raises(UsageError, match=wrong):
            page(source, Look(conditions=(condition,)), KEY, Finds())
    for look in (Look(columns=("nowhere",)), Look(sort=(Sort("nowhere"),))):
        with pytest.raises(UnknownName, match="no column named 'nowhere'"):
            page(source, look, KEY, Finds())


# ---- figures


def test_figures_are_those_of_the_rows(ground: Ground) -> None:
    source, rows = filled(ground.table("t"), random.Random(3), 1, 2)
    found = {one.name: one for one in figures(source, list(WIDE))}
    for name in ("value", "noise", "ratio", "at", "flag"):
        values = [one[name] for one in rows if one[name] is not None]
        one = found[name]
        assert (one.rows, one.nulls) == (len(rows), len(rows) - len(values))
        assert one.distinct == (
            pytest.approx(len(set(values)), rel=0.1) if one.distinct_is_estimate else len(set(values))
        )
        if name in ("noise", "ratio", "at"):
            assert (one.least, one.greatest) == (min(values), max(values))
        if name in ("noise", "ratio"):
            assert one.mean == pytest.approx(sum(values) / len(values))
        if name == "value":
            lengths = [len(value) for value in values]
            assert (one.shortest, one.longest) == (min(lengths), max(lengths))
            assert one.mean_length == pytest.approx(sum(lengths) / len(lengths))
    assert total(source, None) == len(rows)
    assert total(source, "noise") == sum(one["noise"] or 0 for one in rows)


def test_the_values_that_most_rows_have(ground: Ground) -> None:
    source, rows = filled(ground.table("t"), random.Random(4), 1, 2)
    for name in ("value", "flag", "noise"):
        found = most_common(source, lambda _, name=name: quoted(name), field_of(name, WIDE).type)  # type: ignore[misc]
        assert {one.value: one.rows for one in found} == Counter(one[name] for one in rows)
        assert [one.rows for one in found] == sorted((one.rows for one in found), reverse=True)
    summed = most_common(source, lambda _: quoted("flag"), pa.bool_(), label="value", summed="noise", most=1)
    sums: Counter[Any] = Counter()
    for one in rows:
        sums[one["flag"]] += one["noise"] or 0
    assert summed[0].rows == max(sums.values())
    assert summed[0].label == max(one["value"] or "" for one in rows if one["flag"] is summed[0].value)


def test_tags_and_unknown_fields_are_counted(ground: Ground) -> None:
    """Also beside text that a database can make nothing of."""
    table = ground.table("t")
    rows = some_rows(random.Random(5), 1)
    rows[0]["tags"], rows[1]["tags"] = '[{"key":"level","value":"\\ud800"}]', '[{"key":"level","value":"\\u0000"}]'
    rows[0]["_extra"], rows[1]["_extra"] = '{"\\udfff":1}', '{"a":"\\u0000"}'
    table.commit(commit_of(table, 1, UpdateMethod.APPEND, rows, schema=WIDE, key=()))
    source = table.snapshot()
    assert source is not None
    levels = Counter(
        next((one["value"] for one in json.loads(each["tags"] or "[]") if one["key"] == "level"), None)
        for each in rows[2:]
    )
    found = {
        one.value: one.rows
        for one in most_common(source, lambda sql: sql.dialect.tag(quoted("tags"), "level"), pa.string())
    }
    assert {value: found[value] for value in ("error", 'say "no"')} == {
        value: levels[value] for value in ("error", 'say "no"')
    }
    keys = keys_of(source, "_extra")
    wanted = Counter(key for one in rows[2:] for key in json.loads(one["_extra"] or "{}"))
    assert {key: keys[key] for key in wanted} == wanted


def test_rows_are_counted_by_the_hour(ground: Ground) -> None:
    source, rows = filled(ground.table("t"), random.Random(6), 1, 2)
    hours = Counter(int(one["at"].timestamp()) // 3600 * 3600 for one in rows)
    assert by_hour(source, "at", None) == hours
    sums: Counter[int] = Counter()
    for one in rows:
        sums[int(one["at"].timestamp()) // 3600 * 3600] += one["noise"] or 0
    assert by_hour(source, "at", "noise") == sums


# ---- a time limit

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i > 0) SELECT count(*) AS rows FROM n"


def test_what_has_no_end_is_stopped(ground: Ground) -> None:
    """And the next one is answered."""
    source, rows = filled(ground.table("t"), random.Random(7), 1)
    with pytest.raises(QueryTimeout, match=r"stopped after 0\.01 seconds"):
        answer(replace(source, seconds=0.01), lambda _: ENDLESS, pa.schema([("rows", pa.int64())]))
    assert total(replace(source, seconds=600), None) == len(rows)


# ---- an update that is taken out


def test_an_update_is_deleted_and_no_other(ground: Ground) -> None:
    """Watermarks stay, and what was deleted is deleted once."""
    table = ground.table("t")
    for epoch in (1, 2, 3):
        rows = [row(10 * epoch + number, run=f"run{epoch}") for number in range(9)]
        marks = {"project:1": epoch}
        table.commit(commit_of(table, epoch, UpdateMethod.APPEND, rows, key=(), watermarks=marks))
    table.maintain(now=dt.datetime(2026, 3, 10, tzinfo=dt.UTC))  # so that rows of several updates lie in one file
    before = stored(table)
    done = table.delete_run("run2", epoch=4)
    assert (done.deleted, done.repeated) == (9, False)
    assert stored(table) == [one for one in before if one["_run_id"] != "run2"]
    assert (table.rows(), table.watermarks(), table.epoch()) == (18, {"project:1": 3}, 4)
    assert table.versions()[0].operation == "delete-update"
    assert table.delete_run("run2", epoch=4).repeated is True
    with pytest.raises(UnknownName, match="no update named 'run2'"):
        table.delete_run("run2", epoch=5)
    with pytest.raises(TableChanged):
        table.delete_run("run1", epoch=3)
    if table.keeps_versions:
        table.revert(table.versions()[1].version, epoch=6)
        assert stored(table) == before


def test_nothing_is_deleted_from_a_table_that_is_not_there(ground: Ground) -> None:
    with pytest.raises(UnknownName):
        ground.table("t").delete_run("run1", epoch=1)
