"""`serve` as a real process: it keeps schedules, does what is asked for, answers over HTTP, and dies without harm."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import Any

import aiohttp
import pytest

from sentry_connector.simulator import Simulation, World, start_in_thread
from sentry_connector.store.database import WAIT_FOR_LOCK
from sentry_connector.store.records import Run, RunState, Trigger, Verdict
from sentry_connector.store.store import Store
from tests.cli.shell import Shell, shell_on

JSON = {"Content-Type": "application/json"}


@dataclass
class Served:
    """A server that answers."""

    process: subprocess.Popen[bytes]
    url: str

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        self.process.communicate()
        return self.process.returncode


@contextmanager
def serving(shell: Shell, *options: str) -> Iterator[Served]:
    process = shell.process("serve", "--port", "0", "--json", *options, stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield Served(process, json.loads(line)["url"])
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def served(shell: Shell) -> Iterator[Served]:
    with serving(shell) as server:
        yield server


@pytest.fixture
async def http(served: Served) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(served.url) as session:
        yield session


@pytest.fixture(scope="module")
def refusing(sentry: Simulation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of which nothing is asked that it does."""
    with serving(shell_on(sentry, tmp_path_factory.mktemp("refusing") / "home")) as server:
        yield server


@pytest.fixture
def slow() -> Iterator[Simulation]:
    """A Sentry whose every answer takes a second."""
    world = World.build(now=dt.datetime.now(dt.UTC), events=2000, issues=20)
    with start_in_thread(world, latency_ms=1000) as simulation:
        yield simulation


async def answered(http: aiohttp.ClientSession, path: str) -> tuple[int, str]:
    async with http.get(path) as answer:
        return answer.status, await answer.text()


async def until_ready(http: aiohttp.ClientSession) -> None:
    while (await answered(http, "/readyz"))[0] != 200:
        pass


async def told(response: aiohttp.ClientResponse) -> dict[str, Any]:
    """A problem document."""
    assert response.content_type == "application/problem+json"
    problem: dict[str, Any] = await response.json()
    assert {"type", "title", "status", "name", "code", "message", "remedy"} <= problem.keys()
    assert problem["status"] == response.status
    return problem


async def end_of(http: aiohttp.ClientSession, run_id: str) -> dict[str, Any]:
    """The run, once it has ended."""
    events = await (await http.get(f"/api/v1/runs/{run_id}/events")).text()
    ended: dict[str, Any] = json.loads(events.rpartition("data: ")[2])
    return ended


async def heard(http: aiohttp.ClientSession, path: str, after: str = "") -> list[tuple[str, Any]]:
    """The events of a stream, after one of them: name and data."""
    text = await (await http.get(path, headers={"Last-Event-ID": after})).text()
    blocks = [block.split("\n") for block in text.strip().split("\n\n")[1:]]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for *_, name, data in blocks]


async def test_a_run_is_asked_for_and_followed_to_its_end(shell: Shell, http: aiohttp.ClientSession) -> None:
    shell.ok("datasets", "create", "--name", "Events", "--report", "project-events", "--project", "acme/shop")
    asked = await http.post("/api/v1/runs", json={"dataset": "events"})
    assert asked.status == 202
    run = await asked.json()
    assert (run["dataset"], run["trigger"], run["verdict"]) == ("Events", "manual", None)
    events = (await (await http.get(f"{asked.headers['Location']}/events")).text()).strip().split("\n\n")
    assert events[0] == "retry: 3000"
    *_, (last, name, data) = (block.split("\n") for block in events)
    ended = json.loads(data.removeprefix("data: "))
    assert (last, name, ended["id"], ended["verdict"]) == ("id: end", "event: end", run["id"], "COMPLETE")
    again = await http.get(f"{asked.headers['Location']}/events", headers={"Last-Event-ID": "end"})
    assert again.status == 204, "an EventSource does not come back"
    cut_off = await http.get(f"{asked.headers['Location']}/events", headers={"Last-Event-ID": "3"})
    assert json.loads((await cut_off.text()).rpartition("data: ")[2]) == ended
    assert await (await http.get(asked.headers["Location"])).json() == ended
    log = await (await http.get(f"{asked.headers['Location']}/log")).json()
    assert [log[0]["event"], log[-1]["event"]] == ["run begins", "run ends"]
    lines = await heard(http, f"{asked.headers['Location']}/log/events")
    assert [one for name, one in lines if name == "line"] == log
    assert lines[-1] == ("end", ended)
    rest = await heard(http, f"{asked.headers['Location']}/log/events", after=str(len(log) - 1))
    assert [one for name, one in rest if name == "line"] == log[-1:], "whoever was cut off hears what is new"
    listed = await (await http.get("/api/v1/runs", params={"dataset": "Events"})).json()
    assert listed == [ended]


async def test_a_second_run_is_refused_while_one_is_not_done_and_cancelling_ends_it(
    shell: Shell, slow: Simulation
) -> None:
    there = shell.with_env(SENTRY_URL=slow.url)
    there.ok("datasets", "create", "--name", "Events", "--report", "project-events", "--project", "acme/shop")
    with serving(there) as server:
        async with aiohttp.ClientSession(server.url) as http:
            run = await (await http.post("/api/v1/runs", json={"dataset": "Events"})).json()
            problem = await told(await http.post("/api/v1/runs", json={"dataset": "Events"}))
            assert (problem["status"], problem["name"]) == (409, "store.locked")
            assert run["id"] in problem["message"]
            again = {"Idempotency-Key": "stop"}
            asked = await http.post(f"/api/v1/runs/{run['id']}/cancel", headers=again)
            assert asked.status in {200, 202}
            answered_then = (asked.status, await asked.json())
            ended = await end_of(http, run["id"])
            assert (ended["state"], ended["verdict"], ended["error"]["code"]) == ("done", "CANCELLED", 60)
            assert (await told(await http.post(f"/api/v1/runs/{run['id']}/cancel")))["status"] == 422
            repeated = await http.post(f"/api/v1/runs/{run['id']}/cancel", headers=again)
            assert (repeated.status, await repeated.json()) == answered_then
    assert there.json("datasets", "show", "Events")["rows"] == 0


async def test_a_stream_that_breaks_says_why_and_goes_on_counting_where_it_was(shell: Shell, slow: Simulation) -> None:
    there = shell.with_env(SENTRY_URL=slow.url)
    there.ok("datasets", "create", "--name", "Events", "--report", "project-events", "--project", "acme/shop")
    with serving(there) as server:
        async with aiohttp.ClientSession(server.url) as http:
            run = await (await http.post("/api/v1/runs", json={"dataset": "Events"})).json()
            stream = await http.get(f"/api/v1/runs/{run['id']}/events", headers={"Last-Event-ID": "41"})
            assert await stream.content.readuntil(b"\n\n") == b"retry: 3000\n\n"
            assert (await stream.content.readuntil(b"\n\n")).startswith(b"id: 42\nevent: progress\ndata: {")
            with closing(sqlite3.connect(there.home / "connector.db")) as connection, connection:
                connection.execute("UPDATE runs SET windows = '{'")
            name, data = (await stream.text()).strip().rpartition("\n\n")[2].split("\n")
            assert name == "event: error"
            assert json.loads(data.removeprefix("data: "))["name"] == "store.unusable"


async def test_runs_are_listed_by_what_became_of_them_and_page_by_page(
    shell: Shell, http: aiohttp.ClientSession
) -> None:
    shell.ok("datasets", "create", "--name", "Projects", "--report", "projects")
    with Store(f"sqlite:///{shell.home / 'connector.db'}") as store:
        dataset, now = store.datasets.find("Projects"), dt.datetime.now(dt.UTC)
        for number in range(7):
            verdict = Verdict.FAILED if number % 3 == 0 else Verdict.COMPLETE
            one = Run(
                id=f"run-{number}", dataset_id=dataset.id, trigger=Trigger.BACKFILL,
                state=RunState.DONE, verdict=verdict, queued_at=now,
            )  # fmt: skip
            store.runs.add(one)
    listed, query = list[list[str]](), "/api/v1/runs?dataset=projects&limit=3"
    while query:
        answer = await http.get(query)
        listed.append([run["id"] for run in await answer.json()])
        query = str(answer.links["next"]["url"]) if answer.links else ""
    assert listed == [["run-6", "run-5", "run-4"], ["run-3", "run-2", "run-1"], ["run-0"]]
    failed = await (await http.get("/api/v1/runs?verdict=FAILED&state=done&trigger=backfill&before=run-6")).json()
    assert [run["id"] for run in failed] == ["run-3", "run-0"]
    wanted = ("--verdict", "failed", "--state", "done", "--trigger", "backfill", "--before", "run-6")
    assert shell.json("runs", "list", *wanted) == failed
    assert shell.json("runs", "list", "--trigger", "manual") == []


async def test_what_is_answered_is_what_the_document_says(shell: Shell, http: aiohttp.ClientSession) -> None:
    shell.ok("datasets", "create", "--name", "Projects", "--report", "projects")
    document = await (await http.get("/api/v1/openapi.json")).json()
    run = await (await http.post("/api/v1/runs", json={"dataset": "Projects"})).json()
    schemas = document["components"]["schemas"]
    assert set(run) == set(schemas["Run"]["properties"]) == set(schemas["Run"]["required"])
    problem = await told(await http.get("/api/v1/runs/none"))
    assert set(schemas["ProblemDocument"]["required"]) <= set(problem)
    assert "runs list" in problem["remedy"]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            answers = operation["responses"]
            schemas_of = [one["schema"] for answer in answers.values() for one in answer.get("content", {}).values()]
            assert all(schemas_of), path
            for status, answer in answers.items():
                if path.startswith("/api/") and int(status) >= 400:
                    assert list(answer["content"]) == ["application/problem+json"]
    assert list(document["paths"]["/metrics"]["get"]["responses"]["200"]["content"]) == ["text/plain"]
    events = document["paths"]["/api/v1/runs/{run_id}/events"]["get"]["responses"]["200"]
    assert list(events["content"]) == ["text/event-stream"]


async def test_a_request_that_is_sent_again_has_the_same_run_for_its_answer(
    shell: Shell, http: aiohttp.ClientSession
) -> None:
    shell.ok("datasets", "create", "--name", "Projects", "--report", "projects")

    async def ask(key: str, dataset: str = "Projects") -> aiohttp.ClientResponse:
        return await http.post("/api/v1/runs", json={"dataset": dataset}, headers={"Idempotency-Key": key})

    answers = await asyncio.gather(*(ask("one") for _ in range(8)))
    assert {answer.status for answer in answers} == {202}
    (id_,) = {(await answer.json())["id"] for answer in answers}
    await end_of(http, id_)
    again = await ask("one")
    assert (again.status, await again.json()) == (202, await answers[0].json())
    assert again.headers["Location"] == f"/api/v1/runs/{id_}"
    assert (await told(await ask("one", "projects")))["status"] == 422
    assert (await told(await ask("x" * 256)))["status"] == 422
    assert [run["id"] for run in shell.json("runs", "list")] == [id_]
    assert (await (await ask("another")).json())["id"] != id_


async def test_a_run_that_waits_for_its_next_attempt_is_begun_when_somebody_asks(
    shell: Shell, http: aiohttp.ClientSession
) -> None:
    shell.ok("datasets", "create", "--name", "Projects", "--report", "projects")
    with Store(f"sqlite:///{shell.home / 'connector.db'}") as store:
        now = dt.datetime.now(dt.UTC)
        waits = Run(
            id="waits",
            dataset_id=store.datasets.find("Projects").id,
            trigger=Trigger.SCHEDULE,
            slot=now,
            state=RunState.RETRYING,
            queued_at=now,
            not_before=now + dt.timedelta(hours=1),
        )
        store.runs.add(waits)
    asked = await http.post("/api/v1/runs", json={"dataset": "Projects"}, headers={"Idempotency-Key": "now"})
    assert (asked.status, (await asked.json())["id"]) == (202, "waits")
    assert (await end_of(http, "waits"))["verdict"] == "COMPLETE"
    again = await http.post("/api/v1/runs", json={"dataset": "Projects"}, headers={"Idempotency-Key": "now"})
    assert (await again.json())["id"] == "waits"


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("GET", "/api/v1/runs/none", {}, 404),
        ("GET", "/api/v1/runs/none/events", {}, 404),
        ("GET", "/api/v1/runs?dataset=none", {}, 404),
        ("GET", "/api/v1/runs?limit=0", {}, 422),
        ("GET", "/api/v1/runs?state=none", {}, 422),
        ("GET", "/api/v1/runs?status=done", {}, 422),
        ("GET", "/api/v1/runs?before=none", {}, 404),
        ("POST", "/api/v1/runs", {"json": {"dataset": "none", "trigger": "backfill"}}, 422),
        ("POST", "/api/v1/runs", {"json": {"dataset": "none"}}, 404),
        ("POST", "/api/v1/runs", {"json": {"name": "none"}}, 422),
        ("POST", "/api/v1/runs", {"data": b"{", "headers": JSON}, 422),
        ("DELETE", "/api/v1/runs", {}, 405),
        ("GET", "/nowhere", {}, 404),
        ("GET", "/livez", {"headers": {"Host": "attacker.example"}}, 421),
        ("GET", "/livez", {"headers": {"Host": "127.0.0.1.attacker.example:8642"}}, 421),
        ("GET", "/livez", {"headers": {"Host": "[::ffff:7f00:1]"}}, 421),
        ("POST", "/api/v1/runs", {"json": {"dataset": "x"}, "headers": {"Origin": "https://attacker.example"}}, 403),
        ("POST", "/api/v1/runs", {"json": {"dataset": "x"}, "headers": {"Origin": "null"}}, 403),
        ("POST", "/api/v1/runs", {"json": {"dataset": "x"}, "headers": {"Sec-Fetch-Site": "cross-site"}}, 403),
        ("POST", "/api/v1/runs", {"json": {"dataset": "x"}, "headers": {"Sec-Fetch-Site": "same-site"}}, 403),
    ],
)
async def test_what_is_wrong_is_a_problem_document(
    refusing: Served, method: str, path: str, options: dict[str, Any], status: int
) -> None:
    async with aiohttp.ClientSession(refusing.url) as http:
        assert (await told(await http.request(method, path, **options)))["status"] == status


async def test_monitors_see_whether_it_lives_is_ready_and_what_it_does(
    shell: Shell, http: aiohttp.ClientSession
) -> None:
    shell.ok("datasets", "create", "--name", "Projects", "--report", "projects")
    assert (await http.get("/livez")).status == (await http.head("/livez")).status == 200
    await until_ready(http)
    assert (await http.head("/readyz")).status == 200
    assert (await (await http.get("/version")).json())["version"]
    figures = (await (await http.get("/metrics")).text()).splitlines()
    assert 'sentry_connector_runs_total{trigger="schedule",verdict="FAILED"} 0.0' in figures, "the first one is a rise"
    assert 'sentry_connector_rows_total{what="deleted"} 0.0' in figures
    assert 'sentry_connector_last_complete_timestamp_seconds{dataset="projects"} 0.0' in figures
    run = await (await http.post("/api/v1/runs", json={"dataset": "Projects"})).json()
    await (await http.get(f"/api/v1/runs/{run['id']}/events")).text()
    ended = shell.json("runs", "show", run["id"])
    figures = (await (await http.get("/metrics")).text()).splitlines()
    assert 'sentry_connector_runs_total{trigger="manual",verdict="COMPLETE"} 1.0' in figures
    assert f"sentry_connector_requests_total {float(ended['requests'])}" in figures
    assert f'sentry_connector_rows_total{{what="written"}} {float(ended["rows_written"])}' in figures
    assert "sentry_connector_slots_late 0.0" in figures
    assert "sentry_connector_oldest_waiting_run_seconds 0.0" in figures
    assert 'sentry_connector_episodes_open{kind="failed"} 0.0' in figures
    assert 'sentry_connector_deliveries{state="given up"} 0.0' in figures
    assert 'sentry_connector_accounts{status="invalid"} 0.0' in figures
    assert "sentry_connector_server_log_lines_dropped_total 0.0" in figures
    for name in ("last_tick_timestamp_seconds", 'last_complete_timestamp_seconds{dataset="projects"}'):
        assert any(line.startswith(f"sentry_connector_{name} 1") for line in figures)
    assert sum(line.startswith("sentry_connector_disk_free_bytes{") for line in figures) == 2
    assert not any("_created" in line for line in figures)


async def test_what_a_run_asks_for_is_counted_while_it_is_at_work(shell: Shell, slow: Simulation) -> None:
    there = shell.with_env(SENTRY_URL=slow.url)
    there.ok("datasets", "create", "--name", "Events", "--report", "project-events", "--project", "acme/shop")
    with serving(there) as server:
        async with aiohttp.ClientSession(server.url) as http:
            run = await (await http.post("/api/v1/runs", json={"dataset": "Events"})).json()
            while "sentry_connector_requests_total 0.0\n" in await (await http.get("/metrics")).text():
                pass
            assert (await (await http.get(f"/api/v1/runs/{run['id']}")).json())["state"] == "running"


def test_commands_leave_runs_to_it(shell: Shell, served: Served) -> None:
    shell.ok("datasets", "create", "--name", "Projects", "--report", "projects")
    (done,) = shell.json("datasets", "run", "Projects")
    assert done["verdict"] == "COMPLETE"
    log = (shell.home / "logs" / "server.jsonl").read_text()
    assert "engine begins" in log
    (left,) = shell.json("datasets", "run", "Projects", "--no-wait")
    assert left["state"] == "queued"


def test_without_a_server_a_run_is_not_left_to_nobody(shell: Shell) -> None:
    shell.ok("datasets", "create", "--name", "Projects", "--report", "projects")
    refused = shell("datasets", "run", "Projects", "--no-wait")
    assert refused.exit_code == 2
    assert "serve" in refused.stderr
    assert shell.json("runs", "list") == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_brings_it_to_rest_and_its_runs_go_on_elsewhere(
    shell: Shell, slow: Simulation, number: int, code: int
) -> None:
    there = shell.with_env(SENTRY_URL=slow.url)
    there.ok("datasets", "create", "--name", "Events", "--report", "project-events", "--project", "acme/shop")
    with serving(there) as server:
        (run,) = there.json("datasets", "run", "Events", "--no-wait")
        while there.json("runs", "show", run["id"])["state"] == "queued":
            pass
        assert server.stop(number) == code
    done = shell.json("datasets", "run", "Events", "--wait-lock", "5s")[0]
    assert done["id"] == run["id"]


def test_a_commit_that_does_not_end_holds_nobody_up(shell: Shell, tmp_path: Path) -> None:
    """Without an end of its own the process would stay until the disk answers."""
    begun = tmp_path / "begun"
    hanging = (
        "import pathlib, time; from sentry_connector.destinations.delta import Delta;"
        f"Delta.commit = lambda self, commit: (pathlib.Path({str(begun)!r}).touch(), time.sleep(3600));"
        "from sentry_connector.cli import main; main()"
    )
    shell.ok("datasets", "create", "--name", "Projects", "--report", "projects")
    environment = {**os.environ, **shell.env}
    command = [sys.executable, "-c", hanging, "serve", "--port", "0", "--json"]
    with subprocess.Popen(command, env=environment, stdout=PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        shell.ok("datasets", "run", "Projects", "--no-wait")
        while not begun.exists():
            assert process.poll() is None
        process.terminate()
        assert process.wait(timeout=60) == 143


@pytest.mark.scenario("53")
def test_killed_at_any_moment_each_slot_is_accounted_for_once(shell: Shell) -> None:
    """The long form, with two hundred DataSets and ten minutes, is in `tests.faults.test_siege`."""
    now = dt.datetime.now(dt.UTC)
    times = ",".join(f"{now - dt.timedelta(minutes=minutes):%H:%M}" for minutes in (3, 2, 1))
    for name in ("one", "other"):
        shell.ok("datasets", "create", "--name", name, "--report", "projects", "--schedule", f"daily {times}")
    with Store(f"sqlite:///{shell.home / 'connector.db'}") as store:
        for one in store.slots.scheduled():  # as if they had been made before the first of these times
            assert store.slots.account(one, now - dt.timedelta(minutes=4))
        for _ in range(3):
            with serving(shell) as server:
                server.stop(signal.SIGKILL)
        for lease in store.leases.living("dataset/", now):
            store.leases.release(lease)  # as a minute does
    with serving(shell):
        while [run["state"] for run in shell.json("runs", "list")] != ["done", "done"]:
            pass
    for run in shell.json("runs", "list"):
        assert run["verdict"] == "COMPLETE"
        (passed,) = shell.json("datasets", "next", run["dataset"])["passed"]
        assert (passed["count"], passed["run_id"], passed["merged"]) == (2, run["id"], True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "this machine alone"),
        (("--people",), "this machine alone"),
        (("--behind-proxy", "10.0.0.1"), "nobody would have to sign in"),
        (("--behind-proxy", "10.0.0.1", "--people"), "--public-url"),
        (("--behind-proxy", "10.0.0.1", "--people", "--public-url", "http://c.example"), "https://NAME"),
        (("--behind-proxy", "everywhere"), "no network address"),
        (("--tls-cert", "c.pem"), "both files"),
        (("--tls-cert", "c.pem", "--tls-key", "k.pem", "--behind-proxy", "10.0.0.1"), "Either"),
        (
            ("--tls-cert", "c.pem", "--tls-key", "k.pem", "--people", "--public-url", "https://c.example"),
            "No such file",
        ),
    ],
)
def test_it_listens_on_this_machine_alone_unless_others_have_to_sign_in_by_tls(
    shell: Shell, options: tuple[str, ...], said: str
) -> None:
    refused = shell("serve", "--host", "0.0.0.0", *options)  # noqa: S104  # that is what is refused
    assert refused.exit_code == 2
    assert said in refused.stderr


def test_a_port_that_is_taken_is_told(shell: Shell, served: Served) -> None:
    port = served.url.rpartition(":")[2]
    refused = shell("serve", "--port", port)
    assert refused.exit_code == 2
    assert port in refused.stderr


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Inside the block another process is writing to the store."""
    with closing(sqlite3.connect(home / "connector.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


async def test_while_another_process_holds_the_store_it_answers_and_a_signal_ends_it(
    shell: Shell, slow: Simulation
) -> None:
    there = shell.with_env(SENTRY_URL=slow.url)
    there.ok("datasets", "create", "--name", "Events", "--report", "project-events", "--project", "acme/shop")
    with serving(there) as server:
        async with aiohttp.ClientSession(server.url, timeout=aiohttp.ClientTimeout(WAIT_FOR_LOCK / 2)) as http:
            await until_ready(http)
            (run,) = there.json("datasets", "run", "Events", "--no-wait")
            while there.json("runs", "show", run["id"])["state"] == "queued":
                pass
            with locked(there.home):
                while (ready := await answered(http, "/readyz"))[0] == 200:
                    assert (await answered(http, "/livez"))[0] == 200
                assert "store could not be written" in ready[1]
                server.process.terminate()
                assert server.process.wait(timeout=WAIT_FOR_LOCK / 2) == 143


async def test_a_server_whose_store_was_moved_away_is_not_ready(
    shell: Shell, served: Served, http: aiohttp.ClientSession
) -> None:
    await until_ready(http)
    store = shell.home / "connector.db"
    store.rename(shell.home / "elsewhere.db")
    status, said = await answered(http, "/readyz")
    assert status == 503
    assert ["moved away" in one for one in json.loads(said)["wrong"]] == [True]
    (shell.home / "elsewhere.db").rename(store)
    await until_ready(http)
