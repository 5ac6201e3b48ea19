"""Logs hold whole lines, whatever was cut off or could not be written before, and those of processes stay small."""

from __future__ import annotations

import fcntl
import json
import threading
from pathlib import Path

from sentry_connector.runs.log import Lines, ProcessLines, read_log


def line(number: int, writer: int = 0) -> str:
    return json.dumps({"event": "x" * 20, "writer": writer, "number": number}) + "\n"


def numbers(path: Path) -> list[tuple[int, int]]:
    found = [json.loads(one) for one in path.read_text().splitlines()]
    return [(one["writer"], one["number"]) for one in found]


def test_a_line_that_was_cut_off_takes_no_other_with_it(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(line(1) + line(2)[:10])
    lines = Lines(path)
    lines.write(line(3))
    with path.open("a") as another:
        another.write(line(4)[:10])
    lines.write(line(5))
    lines.close()
    assert [one["number"] for one in read_log(tmp_path, "run")] == [1, 3, 5]
    assert lines.dropped == 0


def test_a_log_of_processes_stays_small_and_keeps_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "server.jsonl"
    for number in range(200):
        ProcessLines(path, most_bytes=1000).write(line(number))
    files = [tmp_path / "server.1.jsonl", path]
    assert all(one.stat().st_size <= 1000 and one.stat().st_mode & 0o077 == 0 for one in files)
    kept = [number for one in files for _, number in numbers(one)]
    assert kept == list(range(200 - len(kept), 200))
    assert len(kept) > 1000 // len(line(199))


def test_of_several_who_write_at_once_none_loses_a_line_when_one_puts_the_log_aside(tmp_path: Path) -> None:
    path, each = tmp_path / "server.jsonl", 100

    def write(writer: int) -> None:
        lines = ProcessLines(path, most_bytes=3 * each * len(line(each, 0)))
        for number in range(each):
            lines.write(line(number, writer))

    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    found = numbers(tmp_path / "server.1.jsonl") + numbers(path)
    assert sorted(found) == [(writer, number) for writer in range(4) for number in range(each)]


def test_a_log_of_processes_is_written_by_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "server.jsonl"
    writer = threading.Thread(target=lambda: ProcessLines(path).write(line(1)))
    with (tmp_path / "server.lock").open("w") as another:
        fcntl.flock(another, fcntl.LOCK_EX)
        writer.start()
        writer.join(0.2)
        assert writer.is_alive()
        assert not path.exists()
    writer.join()
    assert numbers(path) == [(0, 1)]


def test_a_log_of_processes_tells_how_many_lines_it_dropped(tmp_path: Path) -> None:
    path = tmp_path / "server.jsonl"
    path.mkdir()
    lines = ProcessLines(path)
    for number in range(3):
        lines.write(line(number))
    assert lines.dropped == 3
    path.rmdir()
    lines.write(line(3))
    lines.write(line(4))
    told, *others = read_log(tmp_path, "server")
    assert (told["event"], told["lines"]) == ("lines dropped", 3)
    assert [one["number"] for one in others] == [3, 4]
