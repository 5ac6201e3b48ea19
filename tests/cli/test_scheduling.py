"""Schedules, retries and pauses from the command line."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from typer.testing import Result

from sentry_connector.store.records import Run, Trigger
from sentry_connector.store.store import Store
from tests.cli.shell import Shell

PROJECTS = ("--report", "projects")


def make(shell: Shell, *options: str) -> dict[str, object]:
    created: dict[str, object] = shell.json("datasets", "create", "--name", "P", *PROJECTS, *options)
    return created


def test_what_a_dataset_says_of_its_schedule(shell: Shell) -> None:
    view = make(
        shell, "--schedule", "WEEKDAYS  06:30", "--retry-every", "10m", "--retry-times", "5", "--catch-up", "all"
    )
    assert (view["schedule"], view["retry"], view["catch_up"]) == ("weekdays 06:30", {"every": 600, "times": 5}, "all")
    assert str(view["next_slot"]).endswith("T06:30:00Z")
    assert (view["paused"], view["health"], view["attention"]) == (False, "never run", [])


def test_a_schedule_without_an_account_is_told_whose_token_it_takes(shell: Shell) -> None:
    create = ("datasets", "create", *PROJECTS, "--name")
    assert "SENTRY_AUTH_TOKEN" not in shell.ok(*create, "by hand").stderr
    assert "has no account: the server" in shell.ok(*create, "by itself", "--schedule", "hourly").stderr
    shell.ok("accounts", "add", "Main")
    with_account = shell.ok(*create, "of Main", "--schedule", "hourly", "--account", "Main")
    assert "has no account" not in with_account.stderr


def test_without_options_it_is_manual_and_would_be_tried_again_three_times(shell: Shell) -> None:
    view = make(shell)
    assert (view["schedule"], view["retry"], view["catch_up"]) == ("manual", {"every": 900, "times": 3}, "one")
    assert view["next_slot"] is None


def test_a_change_of_one_part_of_the_retry_leaves_the_other(shell: Shell) -> None:
    make(shell, "--retry-every", "10m", "--retry-times", "5")
    assert shell.json("datasets", "edit", "P", "--retry-times", "2")["retry"] == {"every": 600, "times": 2}
    assert shell.json("datasets", "edit", "P", "--no-retry")["retry"] is None
    assert shell.json("datasets", "edit", "P", "--retry-every", "1h")["retry"] == {"every": 3600, "times": 3}
    assert shell.json("datasets", "edit", "P", "--description", "x")["retry"] == {"every": 3600, "times": 3}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--schedule", "sometimes"), "sometimes"),
        (("--schedule", "monthly 31"), "lacks a time"),
        (("--retry-every", "4m"), "5 to 60 minutes"),
        (("--retry-every", "61m"), "5 to 60 minutes"),
        (("--retry-every", "330s"), "5 to 60 minutes"),
        (("--retry-every", "soon"), "not a time"),
        (("--retry-times", "0"), "1 to 10"),
        (("--retry-times", "11"), "1 to 10"),
        (("--no-retry", "--retry-times", "2"), "contradict"),
        (("--catch-up", "two"), "catch-up"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_nothing_is_made(shell: Shell, options: tuple[str, ...], said: str) -> None:
    refused = shell("datasets", "create", "--name", "P", *PROJECTS, *options)
    assert refused.exit_code == 2
    assert said in refused.stderr
    assert shell.json("datasets", "list") == []


def test_pausing_keeps_the_schedule_and_resuming_goes_on_with_its_next_slot(shell: Shell) -> None:
    make(shell, "--schedule", "hourly")
    paused = shell.json("datasets", "pause", "P")
    assert (paused["paused"], paused["schedule"], paused["next_slot"], paused["health"]) == (
        True,
        "hourly",
        None,
        "paused",
    )
    coming = shell.ok("datasets", "next", "P")
    assert "paused" in coming.stderr
    resumed = shell.json("datasets", "resume", "P")
    assert resumed["paused"] is False
    slots = shell.json("datasets", "next", "P", "--count", "3")
    assert slots["slots"][0]["at"] == resumed["next_slot"]
    assert len(slots["slots"]) == 3


def test_the_coming_slots_are_shown_in_the_datasets_zone(shell: Shell) -> None:
    shell.ok(
        "datasets", "create", "--name", "E", "--report", "project-events", "--project", "acme/shop",
        "--schedule", "daily 06:30", "--timezone", "Asia/Kathmandu",
    )  # fmt: skip
    shown = shell.ok("datasets", "next", "E").stdout
    assert "06:30 +05:45" in shown
    assert "00:45Z" in shown


def test_a_log_is_followed_to_its_end(shell: Shell) -> None:
    make(shell)
    shell.ok("datasets", "run", "P")
    whole = shell.ok("runs", "logs", "P").stdout
    assert shell.ok("runs", "logs", "P", "--follow").stdout == whole
    lines = shell.ok("runs", "logs", "P", "--follow", "--json").stdout.splitlines()
    assert len(lines) == len(whole.splitlines())


def test_a_run_that_has_ended_cannot_be_cancelled(shell: Shell) -> None:
    make(shell)
    shell.ok("datasets", "run", "P")
    refused = shell("runs", "cancel", "P")
    assert refused.exit_code == 2
    assert "COMPLETE" in refused.stderr


def test_a_run_that_does_not_come_to_rest_is_not_cancelled_yet(shell: Shell) -> None:
    make(shell)
    now = dt.datetime.now(dt.UTC)
    with Store(f"sqlite:///{shell.home / 'connector.db'}") as store:
        (dataset,) = store.datasets.list()
        store.runs.add(Run(id="r", dataset_id=dataset.id, trigger=Trigger.MANUAL, queued_at=now))
        lease = store.leases.acquire(
            f"dataset/{dataset.id}", "process 1 on another machine", now, dt.timedelta(hours=1)
        )
        slow = shell("runs", "cancel", "r", "--wait-lock", "0s", "--json")
        assert (slow.exit_code, json.loads(slow.stdout)["error"]["name"]) == (50, "store.locked")
        assert shell.json("runs", "show", "r")["state"] == "queued"
        store.leases.release(lease)
    assert shell.json("runs", "cancel", "r")["verdict"] == "CANCELLED"


def test_a_run_shows_its_attempts(shell: Shell) -> None:
    make(shell)
    shell.ok("datasets", "run", "P")
    run = shell.json("runs", "show", "P")
    (attempt,) = run["attempts"]
    assert (attempt["number"], attempt["verdict"], attempt["requests"]) == (1, "COMPLETE", run["requests"])
    assert run["seconds"] >= 0
    *fields, row = shell.ok("runs", "show", "P").stdout.splitlines()
    assert [row.split()[0], row.split()[4]] == ["1", "COMPLETE"]
    assert "{" not in "".join(fields)


def test_a_schedule_that_this_program_does_not_know_is_told_and_hides_no_other(shell: Shell) -> None:
    make(shell, "--schedule", "daily 06:30")
    shell.ok("datasets", "create", "--name", "Other", *PROJECTS)
    with Store(f"sqlite:///{shell.home / 'connector.db'}") as store:
        store.datasets.change(store.datasets.find("P").id, {"schedule": "whenever it suits"})
    _, odd = sorted(shell.json("datasets", "list"), key=lambda view: str(view["name"]))
    assert (odd["health"], odd["next_slot"]) == ("schedule unknown", None)
    assert "whenever" in odd["attention"][0]
    assert "schedule unknown" in shell.ok("datasets", "list").stdout
    assert "whenever" in shell.ok("datasets", "show", "P").stdout


def test_a_schedule_that_nobody_keeps_is_told(shell: Shell) -> None:
    make(shell, "--schedule", "every 1m")
    for command in (("list",), ("show", "P"), ("next", "P")):
        assert "No server lives" in shell.ok("datasets", *command).stderr
    assert not shell.json("datasets", "show", "P")["served"]
    with Store(f"sqlite:///{shell.home / 'connector.db'}") as store:
        (one,) = store.slots.scheduled()
        assert store.slots.account(one, one.until - dt.timedelta(minutes=4))
    view = shell.json("datasets", "show", "P")
    assert view["health"] == "late"
    assert "serve" in view["attention"][0]
    assert "No server lives" not in make_manual(shell).stderr


def make_manual(shell: Shell) -> Result:
    return shell.ok("datasets", "create", "--name", "Manual", *PROJECTS)


def test_a_slot_that_will_not_run_is_not_promised(shell: Shell) -> None:
    shell.ok("accounts", "add", "Main", stdin=shell.env["SENTRY_AUTH_TOKEN"])
    make(shell, "--schedule", "every 1m", "--account", "Main")
    assert shell.json("datasets", "show", "P")["next_slot"]
    shell.ok("accounts", "delete", "Main", "--yes")
    assert shell.json("datasets", "show", "P")["next_slot"] is None
    coming = shell.json("datasets", "next", "P")
    assert (coming["slots"], coming["rests"]) == ([], "its account was deleted")
    assert "its account was deleted" in shell.ok("datasets", "next", "P").stderr
