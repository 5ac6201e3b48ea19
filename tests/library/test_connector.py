"""The library of operations: what it does is what the command line does, wherever it is called from."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sentry_connector as sc
from sentry_connector.errors import (
    ConnectorError,
    LossNotAccepted,
    RunIncomplete,
    TokenRejected,
    UnknownName,
    UsageError,
)
from sentry_connector.library.loop import Loop
from sentry_connector.library.runs import error_of
from sentry_connector.reports.details import DateRange, SinceLastRun
from sentry_connector.simulator import EXPIRED_TOKEN, Simulation, World, start_in_thread
from sentry_connector.store.records import MANUAL, Problem, Verdict
from tests.cli.shell import Shell


@pytest.fixture(scope="module")
def sentry() -> Iterator[Simulation]:
    with start_in_thread(World.build(now=dt.datetime.now(dt.UTC), events=300, issues=30)) as simulation:
        yield simulation


@pytest.fixture
def env(sentry: Simulation, tmp_path: Path) -> dict[str, str]:
    return {
        "SENTRY_CONNECTOR_HOME": str(tmp_path / "home"),
        "SENTRY_URL": sentry.url,
        "SENTRY_AUTH_TOKEN": sentry.token,
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }


@pytest.fixture
def connector(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[sc.Connector]:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", env["PYTHON_KEYRING_BACKEND"])
    with sc.open(env=env) as opened:
        yield opened


def shop(connector: sc.Connector, **words: Any) -> str:
    chosen = {"project": "acme/shop", "since_last_run": True, "update_method": "upsert", **words}
    return connector.datasets.create("Shop", "Project Events", **chosen).name


def test_from_a_token_to_rows_in_every_form(connector: sc.Connector, sentry: Simulation) -> None:
    account = connector.accounts.add("acme", token=sentry.token)
    assert sentry.token not in repr(account)
    made = connector.datasets.create(
        "Shop", "Project Events", account="ACME", project="acme/shop", since_last_run=True, update_method="upsert"
    )
    assert (made.account_id, made.details.duration) == (account.id, SinceLastRun())
    run = connector.datasets.run("shop")
    assert run.verdict is Verdict.COMPLETE
    assert run.rows_written
    rows = connector.datasets.rows("Shop")
    forms = (rows.to_arrow().num_rows, len(rows.to_pandas()), rows.to_polars().height, len(rows.to_duckdb().fetchall()))
    assert set(forms) == {run.rows_written}
    assert sum(batch.num_rows for batch in rows.batches()) == rows.to_reader().read_all().num_rows == run.rows_written
    assert rows.schema == connector.datasets.schema("Shop") == rows.to_arrow().schema
    counted = connector.query("SELECT count(*) AS n FROM shop")
    assert counted.to_arrow().to_pylist() == [{"n": run.rows_written}]
    assert counted.schema.names == ["n"]
    assert connector.runs.list("shop") == [connector.runs.get(run.id)] == [run]
    assert connector.runs.log("shop")


def test_it_is_what_the_command_line_sees(connector: sc.Connector, env: dict[str, str]) -> None:
    shop(connector, tag=["a", "b"], schedule="hourly", retry_every="10m")
    options = (
        "--project", "acme/shop", "--since-last-run", "--update-method", "upsert", "--tag", "a", "--tag", "b",
        "--schedule", "hourly", "--retry-every", "10m",
    )  # fmt: skip
    shell = Shell(env)
    shell.ok("datasets", "create", "--name", "Other", "--report", "Project Events", *options)
    both = [shell.json("datasets", "show", name) for name in ("shop", "other")]
    for view in both:
        for name in ("id", "name", "slug", "created_at", "updated_at"):
            del view[name]
    assert both[0] == both[1]


def test_the_audit_log_says_that_it_was_python(connector: sc.Connector, env: dict[str, str]) -> None:
    shop(connector)
    shell = Shell(env)
    shell.ok("apply", "-", "--yes", stdin="datasets: [{name: By file, report: projects}]")
    entries = [(one["action"], one["object"], one["via"]) for one in shell.json("audit", "list")]
    assert ("datasets create", "Shop", "Python") in entries
    assert ("datasets create", "By file", "command line") in entries


def test_an_edit_changes_what_is_given_and_none_is_the_default(connector: sc.Connector) -> None:
    shop(connector, tag="a", schedule="hourly", description="x")
    edited = connector.datasets.edit("shop", last_days=3, tag=None, update_method="append")
    assert (edited.details.duration, edited.tags, edited.schedule, edited.description) == (
        DateRange(2, 0),
        (),
        "hourly",
        "x",
    )
    assert connector.datasets.edit("shop", schedule=None).schedule == MANUAL
    assert connector.datasets.edit("shop", no_retry=True).retry is None
    retry = connector.datasets.edit("shop", retry_times=5).retry
    assert retry is not None
    assert (retry.every, retry.times) == (900, 5)
    assert connector.datasets.edit("shop", new_name="Store").slug == "shop"


@pytest.mark.parametrize(
    "words", [{"projct": "x"}, {"last_days": "many"}, {"update_method": "upsrt"}, {"date": "someday"}, {"tag": 5}]
)
def test_wrong_words_are_usage_errors(connector: sc.Connector, words: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        connector.datasets.create("Shop", "Project Events", **{"project": "acme/shop", **words})
    assert connector.datasets.list() == []


def test_what_a_run_failed_with_is_raised_as_its_class(env: dict[str, str], connector: sc.Connector) -> None:
    shop(connector)
    with sc.open(env=env | {"SENTRY_AUTH_TOKEN": EXPIRED_TOKEN}) as late:
        with pytest.raises(TokenRejected) as error:
            late.datasets.run("shop")
        assert error.value.remedy
        assert len(late.runs.list("shop", verdict=Verdict.FAILED)) == 1


def test_incomplete_is_an_error_unless_it_is_allowed(connector: sc.Connector) -> None:
    shop(connector, project=["acme/shop", "acme/gone"])
    with pytest.raises(RunIncomplete, match="gone"):
        connector.datasets.run("shop")
    assert connector.datasets.run("shop", allow_incomplete=True).verdict is Verdict.INCOMPLETE


def test_rows_are_lost_only_with_consent_and_versions_come_back(connector: sc.Connector) -> None:
    connector.datasets.create("Shop", "Project Events", project="acme/shop", all_available=True)
    first = connector.datasets.run("shop")
    with pytest.raises(LossNotAccepted):
        connector.datasets.edit("shop", days_back=1)
    connector.datasets.edit("shop", days_back=1, accept_loss=True)
    connector.datasets.run("shop")
    assert connector.datasets.rows("shop").to_arrow().num_rows < (first.rows_written or 0)
    assert connector.datasets.rows("shop", version=0).to_arrow().num_rows == first.rows_written
    connector.datasets.revert("shop", to_version=0)
    assert connector.datasets.rows("shop").to_arrow().num_rows == first.rows_written


def test_days_are_read_again_by_a_chain(connector: sc.Connector) -> None:
    shop(connector)
    today = dt.datetime.now(dt.UTC).date()
    runs = connector.datasets.backfill("shop", today - dt.timedelta(days=9), today)
    assert len(runs) == 2
    assert {run.verdict for run in runs} == {Verdict.COMPLETE}


def test_the_rest_of_the_house(connector: sc.Connector, sentry: Simulation) -> None:
    assert "acme/shop" in [one.value for one in connector.choices("projects", organization="acme")]
    assert len(connector.reports()) == 16
    assert {check.name for check in connector.doctor()} >= {"token", "store"}
    assert [(check.name, check.ok) for check in connector.doctor(storage=True)] == [("storage", True)]
    connector.accounts.add(token=sentry.token)
    connector.accounts.rename("sentry account", "acme")
    assert connector.accounts.replace_token("acme", token=sentry.token).name == "acme"
    assert connector.accounts.check("acme") == connector.accounts.get("acme")
    shop(connector, schedule="hourly")
    assert connector.datasets.pause("shop").paused
    assert not connector.datasets.resume("shop").paused
    assert connector.datasets.preview("shop").num_rows
    connector.datasets.delete("shop")
    assert [one.name for one in connector.datasets.list(deleted=True)] == ["Shop"]
    assert connector.datasets.restore("shop").name == "Shop"
    connector.datasets.delete("shop")
    assert connector.datasets.purge("shop") is None
    assert connector.accounts.delete("acme").name == "acme"
    assert connector.accounts.list() == []
    with pytest.raises(UnknownName):
        connector.datasets.rows("nothing")


def test_it_may_be_called_where_an_event_loop_runs_and_from_several_threads(connector: sc.Connector) -> None:
    for number in range(3):
        connector.datasets.create(f"D{number}", "Projects")

    async def cell() -> Verdict | None:
        return connector.datasets.run("D0").verdict

    assert asyncio.run(cell()) is Verdict.COMPLETE
    ends: list[Verdict | None] = []
    threads = [
        threading.Thread(target=lambda n=n: ends.append(connector.datasets.run(f"D{n}").verdict)) for n in (1, 2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends == [Verdict.COMPLETE] * 2


def test_work_that_its_caller_leaves_comes_to_rest_first() -> None:
    """Ctrl-C in a notebook: the run gives its lease back before the cell ends."""
    code = textwrap.dedent(
        """
        import asyncio, sys
        from sentry_connector.library.loop import Loop

        async def work():
            try:
                print("begun", flush=True)
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                print("at rest", flush=True)

        with Loop() as loop:
            try:
                loop.run(work)
            except KeyboardInterrupt:
                print("left", flush=True)
        """
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        os.kill(process.pid, signal.SIGINT)
        assert process.stdout.read() == "at rest\nleft\n"
    assert process.returncode == 0


@pytest.mark.parametrize("is_begun", [True, False])
def test_work_whose_caller_leaves_while_it_is_handed_over_comes_to_rest_too(*, is_begun: bool) -> None:
    told: list[str] = []
    begun = threading.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            told.append("at rest")

    with Loop() as loop:
        inner = loop._started()
        hand_over = inner.call_soon_threadsafe

        def interrupted(callback: Callable[[], object]) -> None:
            inner.call_soon_threadsafe = hand_over  # type: ignore[method-assign]
            if is_begun:
                hand_over(callback)
                begun.wait()
            raise KeyboardInterrupt

        inner.call_soon_threadsafe = interrupted  # type: ignore[method-assign,assignment]
        with pytest.raises(KeyboardInterrupt):
            loop.run(work)
    assert told == (["at rest"] if is_begun else [])


def test_a_loop_hands_over_results_and_failures() -> None:
    async def fail() -> None:
        raise KeyError("x")

    async def answer() -> int:
        return 5

    with Loop() as loop:
        assert loop.run(answer) == 5
        with pytest.raises(KeyError):
            loop.run(fail)
        assert loop.run(answer) == 5


def test_every_error_that_a_run_can_keep_comes_back_as_its_class() -> None:
    def below(root: type[ConnectorError]) -> Iterator[type[ConnectorError]]:
        yield root
        for child in root.__subclasses__():
            yield from below(child)

    for kind in below(ConnectorError):
        found = error_of(Problem(name=kind.name, code=kind.exit_code, message="It broke.", remedy="Mend it."))
        assert found.as_dict()["name"] == kind.name
        assert (found.message, found.remedy, str(found)) == ("It broke.", "Mend it.", "It broke.")
