"""How a DataSet is, in a word, and what wants attention."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest

from sentry_connector.runs.health import FEWEST, Keeping, attention, health, of_running
from sentry_connector.store.records import (
    Account,
    AccountStatus,
    DataSet,
    Kind,
    Missing,
    Problem,
    Run,
    RunState,
    Trigger,
    Verdict,
)
from tests.parts import NOW

MINUTE = dt.timedelta(minutes=1)
DATASET = DataSet(id="d", name="D", slug="d", report="projects", account_id="a", created_at=NOW, updated_at=NOW)
ACCOUNT = Account(id="a", name="A", url="https://sentry.io", token_hint="", created_at=NOW, updated_at=NOW)
LATER = NOW + 10 * MINUTE


def run(verdict: Verdict | None = Verdict.COMPLETE, **more: Any) -> Run:
    state = RunState.DONE if verdict else RunState.RUNNING
    values = {"rows_read": 100, "started_at": NOW, "finished_at": NOW + MINUTE, "state": state, **more}
    return Run(id="r", dataset_id="d", trigger=Trigger.SCHEDULE, queued_at=NOW, verdict=verdict, **values)


@pytest.mark.parametrize(
    ("history", "word"),
    [
        ([], "never run"),
        ([run()], "good"),
        ([run(None)], "running"),
        ([run(None, state=RunState.RETRYING), run()], "retrying"),
        ([run(Verdict.FAILED), run()], "failing"),
        ([run(Verdict.INCOMPLETE)], "incomplete"),
        ([run(Verdict.CANCELLED)], "cancelled"),
        ([run(None, state=RunState.QUEUED, slot=NOW)], "late"),
        ([run(None, state=RunState.QUEUED, slot=LATER - MINUTE)], "queued"),
    ],
)
def test_a_word_for_each_state(history: list[Run], word: str) -> None:
    assert health(DATASET, ACCOUNT, history, LATER) == word


def test_a_missing_account_and_a_bad_token_go_before_everything_else() -> None:
    invalid = msgspec.structs.replace(ACCOUNT, status=AccountStatus.INVALID, message="Sentry does not know the token.")
    assert health(DATASET, None, [run()], LATER) == "account missing"
    assert health(DATASET, invalid, [run()], LATER) == "token rejected"
    assert "does not know the token" in attention(DATASET, invalid, [run()], LATER)[0]
    own = msgspec.structs.replace(DATASET, account_id=None)
    assert health(own, None, [run()], LATER) == "good"


def test_a_paused_dataset_says_so_unless_it_is_at_work() -> None:
    paused = msgspec.structs.replace(DATASET, paused=True)
    assert health(paused, ACCOUNT, [run(Verdict.FAILED)], LATER) == "paused"
    assert health(paused, ACCOUNT, [run(None)], LATER) == "running"


def test_what_went_wrong_is_said_with_what_to_do() -> None:
    problem = Problem(name="disk.full", code=31, message="No space is left.", remedy="Free space.")
    missing = Missing(scope="acme/shop", reason="gone")
    assert attention(DATASET, ACCOUNT, [run(Verdict.FAILED, error=problem)], LATER) == [
        "The last run failed: No space is left. Free space."
    ]
    assert attention(DATASET, ACCOUNT, [run(Verdict.INCOMPLETE, incomplete=(missing,))], LATER) == [
        "The last run is incomplete: acme/shop: gone"
    ]
    assert attention(DATASET, ACCOUNT, [run(warnings=("drift",))], LATER) == ["drift"]
    assert attention(DATASET, ACCOUNT, [run()], LATER) == []


def test_a_run_that_is_unusual_is_told_once_it_is_known_what_is_usual() -> None:
    slow = run(finished_at=NOW + 4 * MINUTE)
    empty = run(rows_read=0)
    usual = [run()] * FEWEST
    assert attention(DATASET, ACCOUNT, [slow, *usual], LATER) == ["The last run took 240 s, where 60 s are usual."]
    assert attention(DATASET, ACCOUNT, [empty, *usual], LATER) == ["The last run read no row, where 100 are usual."]
    for odd in (slow, empty):
        assert attention(DATASET, ACCOUNT, [odd, *usual[1:]], LATER) == []


def under_way(minutes: int) -> Run:
    return run(None, started_at=LATER - minutes * MINUTE, finished_at=None)


def test_a_run_that_does_not_end_is_told_while_it_is_under_way() -> None:
    usual = [run()] * FEWEST
    assert of_running(DATASET, under_way(3), usual, LATER) == []
    (slow,) = of_running(DATASET, under_way(4), usual, LATER)
    assert (slow.kind, slow.message) == (Kind.SLOW, "The run has been under way for 240 s, where 60 s are usual.")
    assert attention(DATASET, ACCOUNT, [under_way(4), *usual], LATER) == [slow.message]


def test_a_run_behind_which_slots_are_passed_over_is_late_unless_its_runs_take_so_long() -> None:
    often = msgspec.structs.replace(DATASET, schedule="every 5m")
    assert of_running(often, under_way(7), [], LATER) == []
    (late,) = of_running(often, under_way(11), [], LATER)
    assert late.kind is Kind.LATE
    long = [run(finished_at=NOW + 12 * MINUTE)] * FEWEST
    assert of_running(often, under_way(11), long, LATER) == []
    for other in (
        msgspec.structs.replace(often, paused=True),
        DATASET,
        msgspec.structs.replace(often, schedule="whenever it suits"),
    ):
        assert of_running(other, under_way(60), [], LATER) == []


def test_a_schedule_that_is_not_known_and_one_that_nobody_keeps_are_told() -> None:
    odd = msgspec.structs.replace(DATASET, schedule="whenever it suits")
    assert health(odd, ACCOUNT, [run()], LATER) == "schedule unknown"
    assert "whenever" in attention(odd, ACCOUNT, [run()], LATER)[0]
    missed = Keeping(missed=NOW)
    assert health(DATASET, ACCOUNT, [run()], LATER, missed) == "late"
    assert "serve" in attention(DATASET, ACCOUNT, [run()], LATER, missed)[0]


def test_a_run_at_which_nobody_is_at_work_is_interrupted() -> None:
    nobody = Keeping(at_work=False)
    assert health(DATASET, ACCOUNT, [under_way(1)], LATER, nobody) == "interrupted"
    assert "goes on with it" in attention(DATASET, ACCOUNT, [under_way(1)], LATER, nobody)[0]
    assert health(DATASET, ACCOUNT, [run()], LATER, nobody) == "good"


def test_a_retry_says_which_when_and_why() -> None:
    problem = Problem(name="sentry.unavailable", code=20, message="Sentry is down.", remedy="Wait.")
    waiting = run(None, state=RunState.RETRYING, attempt=1, not_before=LATER, error=problem)
    assert attention(DATASET, ACCOUNT, [waiting], LATER) == ["Retrying 2/4, again at 12:10Z: Sentry is down."]
