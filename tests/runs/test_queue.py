"""Which run is next."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from sentry_connector.runs.queue import in_order, in_turn
from sentry_connector.store.records import Part, Trigger, Waiting
from tests.parts import NOW

MINUTE = dt.timedelta(minutes=1)


def waiting(name: str, dataset: str, identity: str = "one", **more: Any) -> Waiting:
    values = {"trigger": Trigger.SCHEDULE, "slot": None, "part": None, "epoch": None, "queued_at": NOW}
    return Waiting(id=name, dataset_id=dataset, identity=identity, not_before=None, **{**values, **more})


def part(start: int, end: int) -> Part:
    first = dt.date(2026, 1, 1)
    days = [first + dt.timedelta(days=day) for day in (start, end, 0, 30)]
    return Part(chain="c", start=days[0], end=days[1], first=days[2], last=days[3])


def names(runs: list[Waiting]) -> list[str]:
    return [run.id for run in runs]


def test_identities_take_turns() -> None:
    """One person's hundred DataSets must not keep another's single one waiting."""
    runs = [waiting(f"a{number}", f"a{number}") for number in range(4)]
    runs += [waiting(f"b{number}", f"b{number}", "two", queued_at=NOW + MINUTE) for number in range(2)]
    assert names(in_turn(runs, NOW, {})) == ["a0", "b0", "a1", "b1", "a2", "a3"]


def test_an_identity_with_runs_under_way_comes_later() -> None:
    runs = [waiting("a", "a"), waiting("b", "b", "two", queued_at=NOW + MINUTE)]
    assert names(in_turn(runs, NOW, {"one": 2})) == ["b", "a"]


def test_of_a_dataset_one_run_at_a_time_and_the_begun_one_first() -> None:
    begun = waiting("begun", "a", epoch=7, queued_at=NOW + MINUTE)
    assert names(in_turn([waiting("older", "a"), begun], NOW, {})) == ["begun"]


def test_slots_run_in_their_order() -> None:
    later, earlier = waiting("later", "a", slot=NOW), waiting("earlier", "a", slot=NOW - MINUTE)
    assert names(in_order([later, earlier])) == ["earlier", "later"]


def test_a_chain_goes_after_what_was_asked_for_and_from_its_newest_days() -> None:
    old, new = (waiting(f"{end}", "a", trigger=Trigger.BACKFILL, part=part(end - 6, end)) for end in (6, 13))
    asked = waiting("asked", "a", trigger=Trigger.MANUAL, queued_at=NOW + MINUTE)
    assert names(in_order([old, new, asked])) == ["asked", "13", "6"]


def test_an_attempt_that_is_due_later_holds_back_the_runs_of_its_dataset_alone() -> None:
    """It has its epoch: another run would overtake it."""
    retried = msgspec.structs.replace(waiting("retried", "a", epoch=3), not_before=NOW + MINUTE)
    others = [waiting("same", "a"), waiting("other", "b")]
    assert names(in_turn([retried, *others], NOW, {})) == ["other"]
    assert names(in_turn([retried, *others], NOW + MINUTE, {})) == ["retried", "other"]


def test_a_chain_that_waits_after_a_failure_holds_nothing_back() -> None:
    failed = msgspec.structs.replace(
        waiting("failed", "a", trigger=Trigger.BACKFILL, part=part(0, 6)), not_before=NOW + MINUTE
    )
    assert names(in_turn([failed, waiting("asked", "a")], NOW, {})) == ["asked"]
    assert names(in_turn([failed], NOW, {})) == []
