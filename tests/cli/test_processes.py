"""Real processes: pipes that close, signals, defects."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from sentry_connector.simulator import TOKEN
from tests.cli.shell import Shell


@pytest.mark.parametrize("extra", [(), ("--format", "csv")])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_enough_is_no_error(shell: Shell, extra: tuple[str, ...], unbuffered: str) -> None:
    """Without a buffer of Python's own a write may take a part only, as here where the reader goes in its midst."""
    call = ("pull", "project-events-entries", "--organization", "acme", "--project", "*", *extra)
    process = shell.with_env(PYTHONUNBUFFERED=unbuffered).process(*call, stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    assert process.stdout.read(10)
    process.stdout.close()
    assert process.wait() == 141
    assert process.stderr is not None
    with process.stderr as stream:
        assert b"Traceback" not in (said := stream.read())
        assert b"error" not in said.lower()


def test_pipes_get_no_escape_codes_whatever_the_environment_asks_for(shell: Shell) -> None:
    forced = shell.with_env(FORCE_COLOR="1", TTY_COMPATIBLE="1", GITHUB_ACTIONS="1")
    calls = [("--help",), ("pull", "--help"), ("reports",), ("pull", "organizations", "--format", "csv"), ("pul",)]
    for call in calls:
        process = forced.process(*call, stdout=PIPE, stderr=PIPE)
        output, said = process.communicate()
        assert b"\x1b" not in output + said


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_stop_a_command_cleanly(shell: Shell, number: int, code: int) -> None:
    process = shell.process("simulate", "--events", "0", "--json", stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    served = json.loads(process.stdout.readline())
    assert served["url"].startswith("http://127.0.0.1:")
    process.send_signal(number)
    _, said = process.communicate()
    assert process.returncode == code
    assert b"Traceback" not in said


def test_a_run_keeps_others_out_and_once_stopped_gives_its_lease_back_and_goes_on(shell: Shell) -> None:
    slow = shell.process("simulate", "--events", "2000", "--latency-ms", "100", "--json", stdout=PIPE)
    try:
        assert slow.stdout is not None
        there = shell.with_env(SENTRY_URL=json.loads(slow.stdout.readline())["url"])
        there.ok("datasets", "create", "--name", "E", "--report", "project-events-entries", "--project", "*")
        run = there.process("datasets", "run", "E", stdout=PIPE, stderr=PIPE)
        while [one["state"] for one in there.json("runs", "list")] != ["running"]:  # until it has begun
            assert run.poll() is None
        assert there("datasets", "run", "E").exit_code == 50
        run.send_signal(signal.SIGTERM)
        _, said = run.communicate()
        assert run.returncode == 143, said
        begun = there.json("runs", "list")
        assert [one["state"] for one in begun] == ["running"]
        finished = there.json("datasets", "run", "E")
        assert [(one["id"], one["verdict"]) for one in finished] == [(begun[0]["id"], "COMPLETE")]
    finally:
        slow.terminate()
        slow.communicate()


def test_a_defect_is_one_line_and_its_traceback_is_in_the_log(shell: Shell, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import sentry_connector.reports.catalogue as c\n"
        f"def find(name): raise ZeroDivisionError('{TOKEN}')\n"
        "c.find = find\n"
    )
    process = shell.with_env(PYTHONPATH=f"{broken}{os.pathsep}").process(
        "reports", "show", "x", stdout=PIPE, stderr=PIPE
    )
    output, said = process.communicate()
    log = shell.home / "logs" / "command-line.jsonl"
    assert process.returncode == 1
    assert output == b""
    assert said.decode().splitlines()[0] == f"error unexpected: ZeroDivisionError. The traceback is in {log}."
    assert "ZeroDivisionError" in log.read_text()
    assert TOKEN not in log.read_text() + said.decode()


def test_a_token_is_prompted_for_on_a_terminal(shell: Shell) -> None:
    parent, child = os.openpty()
    process = shell.without("SENTRY_AUTH_TOKEN").process(
        "accounts", "add", "A", "--json", stdin=child, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    os.close(child)
    assert process.stderr is not None
    said = b""
    while not said.endswith(b": "):  # what is typed before the prompt is thrown away
        said += process.stderr.read(1)
    os.write(parent, f"{TOKEN}\n".encode())
    output, more = process.communicate()
    os.close(parent)
    assert process.returncode == 0, more
    assert json.loads(output)["status"] == "valid"
    assert TOKEN.encode() not in output + said + more


def test_what_the_demo_says_to_type_next_works_as_it_is(shell: Shell, tmp_path: Path) -> None:
    """The program need not be on anybody's path."""
    program = Path(sys.executable).with_name("sentry-connector")
    demo = subprocess.run([program, "demo"], cwd=tmp_path, env=shell.env, capture_output=True, text=True, check=True)
    *_, told = demo.stderr.splitlines()
    rows = subprocess.run(["sh", "-c", told], cwd=tmp_path, env=shell.env, capture_output=True, text=True, check=True)
    assert "short_id" in rows.stdout


def test_the_installed_module_runs(shell: Shell) -> None:
    process = shell.process("--version", stdout=subprocess.PIPE)
    output, _ = process.communicate()
    assert output.startswith(b"sentry-connector ")
