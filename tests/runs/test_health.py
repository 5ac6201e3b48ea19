"""How a DataSet is, in a word, and what wants attention."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest

from sentry_connector.runs.health import FEWEST, attention, health
from sentry_connector.store.records import (
    Account,
    AccountStatus,
    DataSet,
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
