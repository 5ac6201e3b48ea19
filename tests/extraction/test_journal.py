"""Answers that are kept can be had again, whole or not at all."""

from __future__ import annotations

import datetime as dt
import resource
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentry_connector.errors import DestinationError
from sentry_connector.extraction import journal as journals
from sentry_connector.extraction.journal import Journal, Note, files_of

NOON = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)


def note(slice_id: str, key: str, next_cursor: str | None = None) -> Note:
    return Note(slice_id, key, next_cursor, "gzip", NOON)


def taken_over(folder: Path, attempt: str, *former: str) -> Journal:
    """The journal of an attempt that goes on where others were."""
    return Journal(folder, attempt, [ref for one in former for ref in files_of(folder, one)])


def test_an_answer_is_had_again_by_a_later_attempt(tmp_path: Path) -> None:
    first = Journal(tmp_path, "1-a")
    first.keep(note("s", "1 /x", "0:100:0"), b"packed")
    first.keep(note("t", "1 /x"), b"")
    later = taken_over(tmp_path, "2-b", "1-a")
    kept = later.recall("s", "1 /x")
    assert kept is not None
    assert (kept.packed, kept.note) == (b"packed", note("s", "1 /x", "0:100:0"))
    assert later.recall("t", "1 /x") is not None
    assert later.recall("s", "2 /x") is None
    assert first.recall("s", "1 /x") is None, "an attempt asks itself nothing twice"


def test_what_an_attempt_that_was_thought_dead_still_writes_is_not_looked_at(tmp_path: Path) -> None:
    zombie = Journal(tmp_path, "1-a")
    zombie.keep(note("s", "a"), b"before")
    later = taken_over(tmp_path, "2-b", "1-a")
    zombie.keep(note("s", "b"), b"after")
    files = later.files
    assert Journal(tmp_path, "3-c", files).recall("s", "b") is None
    assert Journal(tmp_path, "3-c", files).recall("s", "a") is not None


@settings(max_examples=150, deadline=None)
@given(data=st.data(), bodies=st.lists(st.binary(max_size=40), min_size=1, max_size=6))
def test_a_torn_or_damaged_end_costs_the_answers_from_there_on_and_no_others(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, bodies: list[bytes]
) -> None:
    """Wherever the file is cut, or whichever bit is turned."""
    folder = tmp_path_factory.mktemp("journal")
    writing, ends = Journal(folder, "1-a"), []
    for number, body in enumerate(bodies):
        writing.keep(note("s", str(number)), body)
        ends.append(writing.files[0].bytes)
    path = folder / writing.files[0].name
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content = content[:place]
    else:
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    later = taken_over(folder, "2-b", "1-a")
    whole = sum(end <= place for end in ends)
    for number, body in enumerate(bodies):
        kept = later.recall("s", str(number))
        assert (kept.packed if kept else None) == (body if number < whole else None)


def test_a_file_goes_when_all_slices_in_it_are_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what is kept does not grow with the run."""
    monkeypatch.setattr(journals, "GENERATION_BYTES", 100)
    writing = Journal(tmp_path, "1-a")
    for number in range(50):
        writing.keep(note(f"s{number}", "a"), bytes(60))
        writing.forget([f"s{number - 1}"])
        assert len(list(tmp_path.iterdir())) <= 3
    assert taken_over(tmp_path, "2-b", "1-a").recall("s49", "a") is not None


def test_a_slice_that_lasts_keeps_its_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "GENERATION_BYTES", 100)
    writing = Journal(tmp_path, "1-a")
    for number in range(20):
        writing.keep(note("long", str(number)), bytes(60))
        writing.keep(note(f"s{number}", "a"), bytes(60))
        writing.forget([f"s{number}"])
    later = taken_over(tmp_path, "2-b", "1-a")
    assert all(later.recall("long", str(number)) is not None for number in range(20))


def test_an_answer_that_does_not_fit_on_the_disk_is_an_error(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, before[1]))
    try:
        with pytest.raises(DestinationError):
            Journal(tmp_path, "1-a").keep(note("s", "a"), bytes(100))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_that_is_gone_holds_nothing(tmp_path: Path) -> None:
    Journal(tmp_path, "1-a").keep(note("s", "a"), b"x")
    later = taken_over(tmp_path, "2-b", "1-a")
    for path in tmp_path.iterdir():
        path.unlink()
    assert later.recall("s", "a") is None
