"""`worker` as real processes on one PostgreSQL.

Machines are folders of their own, which share the database, the tables and the key.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from sentry_connector.simulator import TOKEN, World, start_in_thread
from sentry_connector.store.sharing import MARK
from tests.cli.shell import Shell
from tests.postgres import Server

Machine = Callable[..., Shell]


@pytest.fixture
def machine(shell: Shell, postgres: Server, tmp_path: Path) -> Machine:
    """Makes machines, each with a home of its own."""
    shared = {
        "SENTRY_CONNECTOR_DATABASE_URL": postgres.fresh_database().replace("postgres@", "postgres:p4ssw0rd@"),
        "SENTRY_CONNECTOR_STORAGE": str(tmp_path / "tables"),
        "SENTRY_CONNECTOR_KEY": base64.b64encode(os.urandom(32)).decode(),
    }

    def made(name: str, **env: str) -> Shell:
        return shell.with_env(SENTRY_CONNECTOR_HOME=str(tmp_path / name), **{**shared, **env})

    return made


@contextmanager
def working(on: Shell, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """A worker that others see at work."""
    process = on.process("worker", "--json", *options, stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield process, json.loads(line)
    finally:
        process.kill()
        process.communicate()


def test_with_sqlite_it_is_refused_with_what_to_do(shell: Shell) -> None:
    refused = shell("worker")
    assert refused.exit_code == 2
    assert "serve" in refused.stderr
    assert "SENTRY_CONNECTOR_DATABASE_URL" in refused.stderr
    assert shell.json("workers") == []


def test_what_one_machine_asks_for_another_one_does_and_all_can_read_it(machine: Machine) -> None:
    desk, rack = machine("desk"), machine("rack")
    desk.ok("accounts", "add", "Main", stdin=TOKEN)
    desk.ok(
        "datasets", "create", "--name", "E", "--report", "project-events", "--project", "acme/shop", "--account", "Main"
    )
    with working(rack) as (process, told):
        (seen,) = desk.json("workers")
        assert seen["process"] == told["process"]
        assert f"process {process.pid} on" in seen["process"]
        (run,) = desk.json("datasets", "run", "E")
        assert run["verdict"] == "COMPLETE"
        assert run["attempts"][0]["worker"] == told["process"]
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 143
    assert desk.json("workers") == []
    assert desk.json("runs", "logs", "E")[0]["event"] == "run begins"
    assert not (desk.home / "logs" / f"{run['id']}.jsonl").exists(), (
        "it is in the file of the other machine, and in the store"
    )
    assert desk.json("query", "SELECT count(*) AS n FROM e")[0]["n"] == run["rows_written"]


def test_what_a_machine_that_died_was_doing_is_gone_on_with(machine: Machine) -> None:
    """On this machine the system itself proves the death; of another one the lease has to lapse."""
    world = World.build(now=dt.datetime.now(dt.UTC), events=400, issues=20)
    with start_in_thread(world, latency_ms=200) as slow:
        env = {"SENTRY_URL": slow.url, "SENTRY_AUTH_TOKEN": slow.token}
        desk, two = machine("desk", **env), machine("two", **env)
        desk.ok("datasets", "create", "--name", "E", "--report", "project-events-entries", "--project", "*")
        with working(machine("one", **env)) as (first, _):
            (run,) = desk.json("datasets", "run", "E", "--no-wait")
            while not desk.json("runs", "show", run["id"])["attempts"]:
                assert first.poll() is None
            first.kill()
            first.wait()
        with working(two):
            (ended,) = desk.json("datasets", "run", "E", "--wait-lock", "60s")
    assert (ended["id"], ended["verdict"]) == (run["id"], "COMPLETE")
    assert "lease of the dead" in (two.home / "logs" / "worker.jsonl").read_text(), "nobody waited until it lapsed"
    assert len(desk.json("datasets", "versions", "E")) == 1


def test_a_machine_with_tables_of_its_own_is_refused(machine: Machine, tmp_path: Path) -> None:
    desk, stray = machine("desk"), machine("stray", SENTRY_CONNECTOR_STORAGE=str(tmp_path / "elsewhere"))
    desk.ok("datasets", "create", "--name", "O", "--report", "organizations")
    desk.ok("datasets", "run", "O")
    for call in (("worker",), ("datasets", "run", "O"), ("query", "SELECT 1 AS one"), ("serve", "--port", "0")):
        refused = stray(*call)
        assert refused.exit_code == 51, call
        assert "storage.differs" in refused.stderr
    assert not (tmp_path / "elsewhere").exists()
    (tmp_path / "tables").rename(tmp_path / "elsewhere")
    assert stray.json("datasets", "show", "O")["rows"] > 0, "the folder's mark went with it"
    assert desk("datasets", "run", "O").exit_code == 51, "where it was is nothing any more"


def test_tables_that_were_moved_without_their_mark_are_looked_for_there_once_that_is_said(
    machine: Machine, tmp_path: Path
) -> None:
    desk = machine("desk")
    desk.ok("datasets", "create", "--name", "O", "--report", "organizations")
    desk.ok("datasets", "run", "O")
    moved = machine("desk", SENTRY_CONNECTOR_STORAGE=str(tmp_path / "moved"))
    (tmp_path / "tables").rename(tmp_path / "moved")
    (tmp_path / "moved" / MARK).unlink()
    refused = moved("worker")
    assert refused.exit_code == 51
    assert "--storage-moved" in refused.stderr
    with working(moved, "--storage-moved"):
        assert moved.json("datasets", "show", "O")["rows"] > 0


def test_a_machine_with_another_key_is_refused_before_it_seals_anything(machine: Machine) -> None:
    machine("desk").ok("accounts", "add", "Main", stdin=TOKEN)
    other = machine("other", SENTRY_CONNECTOR_KEY=base64.b64encode(os.urandom(32)).decode())
    for call in (("worker",), ("accounts", "add", "Second")):
        refused = other(*call, stdin=TOKEN)
        assert refused.exit_code == 51, call
        assert "one key" in refused.stderr
    assert [one["name"] for one in other.json("accounts", "list")] == ["Main"]


def test_keys_of_all_machines_are_changed_with_what_shows_them(machine: Machine, tmp_path: Path) -> None:
    desk = machine("desk")
    desk.ok("accounts", "add", "Main", stdin=TOKEN)
    new = tmp_path / "new.key"
    new.write_text(base64.b64encode(os.urandom(32)).decode())
    new.chmod(0o600)
    desk.ok("vault", "rotate", "--new-key-file", str(new))
    assert desk("accounts", "check", "Main").exit_code == 51
    changed = desk.without("SENTRY_CONNECTOR_KEY").with_env(SENTRY_CONNECTOR_KEY_FILE=str(new))
    assert changed.json("accounts", "check", "Main")["status"] == "valid"


def test_monitors_are_answered_where_they_are_wanted_and_nobody_else(machine: Machine) -> None:
    with working(machine("rack"), "--health-port", "0") as (_, told):

        def status(path: str) -> int:
            try:
                with urllib.request.urlopen(told["url"] + path) as answer:  # noqa: S310  # this machine's own worker
                    return int(answer.status)
            except urllib.error.HTTPError as error:
                with error:
                    return error.code

        assert status("/livez") == 200
        while status("/readyz") != 200:
            pass
        with urllib.request.urlopen(told["url"] + "/metrics") as answer:  # noqa: S310
            assert b"\nsentry_connector_workers 1.0\n" in answer.read()
        assert status("/api/v1/runs") == 404


def test_the_databases_password_is_shown_nowhere(machine: Machine, tmp_path: Path) -> None:
    desk = machine("desk")
    shown = [desk("settings").output, desk("settings", "--json").output, desk("doctor").output]
    with working(desk, "--health-port", "0") as (process, told):
        for path in ("/readyz", "/metrics"):
            with ExitStack() as stack:
                try:
                    answer = stack.enter_context(urllib.request.urlopen(told["url"] + path))  # noqa: S310
                except urllib.error.HTTPError as error:
                    answer = stack.enter_context(error)
                shown.append(answer.read().decode())
        process.send_signal(signal.SIGTERM)
        shown += [one.decode() for one in process.communicate()]
    shown += [path.read_text() for path in desk.home.rglob("*.jsonl")]
    away = desk.with_env(SENTRY_CONNECTOR_DATABASE_URL="postgresql://postgres:p4ssw0rd@127.0.0.1:1/x")
    shown += [away("datasets", "list").output, away("worker").output]
    assert not [one for one in shown if "p4ssw0rd" in one]
