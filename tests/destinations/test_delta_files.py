"""Statistics never hide a row: what the log says of a file's values holds for all of them."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentry_connector.destinations.delta_files import Bounds, DataFile, Folder, bounded_columns, open_folder
from tests.destinations.tables import SCHEMA

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
TIMES = st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001  # Hypothesis wants bounds without a zone
COLUMNS = {"text": pa.string(), "time": pa.timestamp("us", tz="UTC"), "number": pa.int64()}


@settings(deadline=None)
@given(
    texts=st.lists(st.none() | TEXTS, min_size=1, max_size=6),
    time=TIMES,
    number=st.integers(-(2**63), 2**63 - 1),
    per_group=st.integers(1, 3),
)
def test_all_values_lie_within_the_bounds(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str | None], time: dt.datetime, number: int, per_group: int
) -> None:
    folder = open_folder(str(tmp_path_factory.mktemp("files")))
    rows = pa.table({"text": texts, "time": [time] * len(texts), "number": [number] * len(texts)}, pa.schema(COLUMNS))
    pq.write_table(rows, folder.absolute("a.parquet"), row_group_size=per_group)
    file = folder.described("a.parquet", columns=COLUMNS)
    stats = json.loads(file.stats())
    assert stats["numRecords"] == len(texts)
    assert stats["nullCount"]["text"] == texts.count(None)
    filled = [text for text in texts if text is not None]
    assert all(stats["minValues"].get("text", "") <= text for text in filled)
    if "text" in stats["maxValues"]:
        assert all(text <= stats["maxValues"]["text"] for text in filled)
    least, greatest = (dt.datetime.fromisoformat(stats[name]["time"]) for name in ("minValues", "maxValues"))
    assert least <= time <= greatest
    assert greatest - least < dt.timedelta(milliseconds=1) or time.microsecond % 1000
    assert stats["minValues"]["number"] == stats["maxValues"]["number"] == number
    assert all(file.may_hold({"text": (text, text), "time": (time, time)}) for text in filled)


@pytest.mark.parametrize(
    ("least", "greatest", "expected"), [(1, 4, False), (1, 5, True), (9, 9, True), (10, 12, False), (None, None, True)]
)
def test_a_file_is_left_out_only_where_no_row_can_be_in_it(least: int, greatest: int, expected: bool) -> None:  # noqa: FBT001  # parametrized
    file = DataFile(path="a", rows=1, bytes=1, bounds={"n": Bounds(least=5, greatest=9, nulls=0)})
    assert file.may_hold({"n": (least, greatest)}) is expected
    assert file.may_hold({"unknown": (least, greatest)})


def test_key_times_and_integers_have_bounds() -> None:
    assert bounded_columns(SCHEMA, ("event_id",)) == {"event_id", "at", "noise"}


def test_addresses_lead_to_their_stores(tmp_path: Path) -> None:
    here = open_folder(str(tmp_path))
    assert (here.is_local, here.address) == (True, str(tmp_path))
    bucket = open_folder("s3://bucket/a/ds1/", {"aws_region": "eu-west-1"})
    assert (bucket.root, bucket.is_local, bucket.address) == ("a/ds1", False, "s3://bucket/a/ds1")
    assert bucket.absolute("e1/a.parquet") == "a/ds1/e1/a.parquet"
    azure = {"azure_storage_account_name": "acme", "azure_storage_account_key": "aGk="}
    assert open_folder("az://box/ds1", azure).root == "ds1"


def test_a_folder_lists_paths_below_its_root(tmp_path: Path) -> None:
    folder: Folder = open_folder(str(tmp_path))
    (tmp_path / "e1").mkdir()
    (tmp_path / "e1" / "a").write_bytes(b"xyz")
    assert (folder.listing(), folder.listing("e1"), folder.listing("none")) == ({"e1/a": 3}, {"e1/a": 3}, {})
