"""When something begins to be wrong one notice is told, and one when it is over, whatever is seen in between."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from sentry_connector.runs import episodes
from sentry_connector.runs.health import FEWEST, Concern
from sentry_connector.store.records import (
    Account,
    AccountStatus,
    DataSet,
    Kind,
    Missing,
    Notice,
    Problem,
    Run,
    RunState,
    Trigger,
    Verdict,
)
from tests.parts import NOW

DATASET = DataSet(id="d", name="D", slug="d", report="projects", account_id="a", created_at=NOW, updated_at=NOW)
ACCOUNT = Account(id="a", name="A", url="https://sentry.io", token_hint="", created_at=NOW, updated_at=NOW)
PROBLEM = Problem(name="sentry.unavailable", code=20, message="No.", remedy="Wait.")
REJECTED = Problem(name="token.rejected", code=10, message="No.", remedy="Replace it.")
MISSING = (Missing(scope="acme/shop", reason="gone"),)


def run(verdict: Verdict = Verdict.COMPLETE, **more: Any) -> Run:
    values = {"rows_read": 100, "started_at": NOW, "finished_at": NOW + dt.timedelta(minutes=1), **more}
    return Run(
        id="r", dataset_id="d", trigger=Trigger.SCHEDULE, queued_at=NOW, state=RunState.DONE, verdict=verdict, **values
    )


FAILED = run(Verdict.FAILED, error=PROBLEM)


class Teller:
    """One run after another ends; what is told of each."""

    def __init__(self) -> None:
        self.ids = map(str, itertools.count())
        self.open: set[Kind] = set()
        self.before: list[Run] = []

    def ends(self, one: Run, dataset: DataSet = DATASET) -> list[tuple[Kind, bool]]:
        told = episodes.of_run(dataset, one, self.before, self.open, NOW, lambda: next(self.ids))
        self.before.insert(0, one)
        return self.keep(told)

    def keep(self, told: list[Notice]) -> list[tuple[Kind, bool]]:
        self.open = (self.open | {one.kind for one in told if not one.recovered}) - {
            one.kind for one in told if one.recovered
        }
        return [(one.kind, one.recovered) for one in told]


def test_a_failure_is_told_once_and_its_end_once() -> None:
    told = Teller()
    assert [told.ends(one) for one in (run(), FAILED, FAILED, FAILED, run(), run())] == [
        [],
        [(Kind.FAILED, False)],
        [],
        [],
        [(Kind.FAILED, True)],
        [],
    ]


def test_a_run_that_is_incomplete_or_cancelled_does_not_show_that_failing_is_over() -> None:
    told = Teller()
    told.ends(FAILED)
    assert told.ends(run(Verdict.CANCELLED)) == []
    assert told.ends(run(Verdict.INCOMPLETE, incomplete=MISSING)) == [(Kind.INCOMPLETE, False)]
    assert told.ends(FAILED) == []
    assert told.ends(run()) == [(Kind.FAILED, True), (Kind.INCOMPLETE, True)]


def test_what_is_unusual_is_told_beside_what_is_usual() -> None:
    told = Teller()
    for _ in range(FEWEST):
        assert told.ends(run()) == []
    hour = NOW + dt.timedelta(hours=1)
    assert told.ends(run(finished_at=hour, rows_read=0)) == [(Kind.SLOW, False), (Kind.NO_ROWS, False)]
    assert told.ends(run()) == [(Kind.SLOW, True), (Kind.NO_ROWS, True)]
    assert told.ends(run(drift=("new.field",))) == [(Kind.DRIFT, False)]
    assert told.ends(run(drift=("new.field", "other"))) == []
    assert told.ends(run()) == [(Kind.DRIFT, True)]


def test_a_rejected_token_is_the_accounts_affair_unless_there_is_none() -> None:
    rejected = run(Verdict.FAILED, error=REJECTED)
    assert Teller().ends(rejected) == []
    assert Teller().ends(rejected, msgspec.structs.replace(DATASET, account_id=None)) == [(Kind.FAILED, False)]


def test_an_account_whose_token_is_rejected_is_told_once_with_what_rests() -> None:
    told = Teller()
    invalid = msgspec.structs.replace(ACCOUNT, status=AccountStatus.INVALID, message="Sentry does not know it.")
    users = [f"Data {number}" for number in range(7)]

    def seen(account: Account) -> list[Notice]:
        return episodes.of_account(account, told.open, users, NOW, lambda: "id")

    [first] = seen(invalid)
    assert "Sentry does not know it." in first.message
    assert "Data 4 and 2 more" in first.message
    assert "accounts replace-token 'A'" in first.message
    told.keep([first])
    assert seen(invalid) == []
    assert told.keep(seen(msgspec.structs.replace(ACCOUNT, status=AccountStatus.VALID))) == [
        (Kind.TOKEN_REJECTED, True)
    ]


def test_an_account_that_is_gone_is_told_once_for_all_its_datasets() -> None:
    told = Teller()
    users = [msgspec.structs.replace(DATASET, id=name, name=name, muted=name == "Two") for name in ("One", "Two")]

    def seen(users: list[DataSet]) -> list[Notice]:
        return episodes.of_deleted_account("a", told.open, users, NOW, lambda: "id")

    [first] = seen(users)
    assert (first.subject_id, first.subject, first.dataset_id, first.muted) == ("a", "One, Two", None, False)
    assert "One, Two" in first.message
    told.keep([first])
    assert seen(users) == seen(users[:1]) == []
    assert told.keep(seen([])) == [(Kind.ACCOUNT_MISSING, True)]
    assert [one.muted for one in seen(users[1:])] == [True], "nobody is to hear of those that it is about"


def test_a_pause_is_told_and_its_end() -> None:
    told, paused = Teller(), [Concern(Kind.PAUSED, "It rests.")]

    def seen(concerns: list[Concern]) -> list[tuple[Kind, bool]]:
        return told.keep(episodes.of_time(DATASET, concerns, told.open, NOW, lambda: "id"))

    told.open = {Kind.FAILED}  # which only a run can end
    assert [seen(paused), seen(paused), seen([]), seen([])] == [[(Kind.PAUSED, False)], [], [(Kind.PAUSED, True)], []]


def test_the_notices_of_a_muted_dataset_say_so() -> None:
    muted = msgspec.structs.replace(DATASET, muted=True)
    [one] = episodes.of_run(muted, FAILED, [], set(), NOW, lambda: "id")
    assert one.muted


def test_every_kind_has_a_sentence_for_its_end() -> None:
    assert episodes.OVER.keys() == set(Kind)


ENDS = st.sampled_from(
    [run(), FAILED, run(Verdict.INCOMPLETE, incomplete=MISSING), run(Verdict.CANCELLED), run(drift=("x",))]
)


@given(st.lists(ENDS, max_size=30))
def test_beginnings_and_ends_take_turns_whatever_happens(ends: list[Run]) -> None:
    told = Teller()
    seen = [change for one in ends for change in told.ends(one)]
    for kind in Kind:
        of_kind = [recovered for changed, recovered in seen if changed is kind]
        assert of_kind == [place % 2 == 1 for place in range(len(of_kind))]
    told.ends(run())
    assert told.open == set(), "a good run ends every episode that a run began"
