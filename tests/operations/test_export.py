"""Where rows go: to a whole file or none, into what is no file without replacing it, and a clear error where they cannot."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pyarrow as pa
import pytest

from sentry_connector.errors import DestinationRefused, UsageError
from sentry_connector.operations.export import check_output, write

SCHEMA = pa.schema([pa.field("id", pa.string())])
ROWS = [pa.RecordBatch.from_pylist([{"id": "a"}, {"id": "b"}], SCHEMA)]
LINES = b'{"id":"a"}\n{"id":"b"}\n'


def export(output: Path | str, *, whole: bool = True) -> None:
    check_output(str(output), "jsonl")
    write(ROWS, SCHEMA, format_name="jsonl", output=str(output), whole=whole)


def test_a_file_appears_whole_and_alone(tmp_path: Path) -> None:
    export(tmp_path / "rows.jsonl")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"rows.jsonl": LINES}


def test_an_incomplete_file_says_so_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("earlier")
    export(tmp_path / "rows.jsonl", whole=False)
    assert (tmp_path / "rows.jsonl").read_text() == "earlier"
    assert (tmp_path / "rows.jsonl.partial").read_bytes() == LINES


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("earlier")
    (tmp_path / "link").symlink_to("rows.jsonl")
    export(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "rows.jsonl").read_bytes() == LINES


def test_a_pipe_is_written_into_and_not_replaced(tmp_path: Path) -> None:
    """As `--output >(gzip > rows.gz)` gives one."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    export(pipe)
    reader.join()
    assert read == [LINES]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_file_that_cannot_be_made_is_refused_before_anything_else(tmp_path: Path) -> None:
    with pytest.raises(DestinationRefused, match="too long"):
        check_output(str(tmp_path / ("x" * 300)), "jsonl")
    with pytest.raises(DestinationRefused):
        check_output(str(tmp_path), "jsonl")
    with pytest.raises(UsageError, match="no folder"):
        check_output(str(tmp_path / "nowhere" / "rows.jsonl"), "jsonl")
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_writing_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("earlier")

    def rows() -> object:
        yield ROWS[0]
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        write(rows(), SCHEMA, format_name="jsonl", output=str(tmp_path / "rows.jsonl"))  # type: ignore[arg-type]
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"rows.jsonl": "earlier"}
