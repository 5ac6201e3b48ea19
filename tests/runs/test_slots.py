"""Each slot of a schedule is accounted for once: a run of its own, stood for by another one, or passed over with a reason."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentry_connector.datasets import schedule as schedules
from sentry_connector.reports import windows
from sentry_connector.reports.details import Details
from sentry_connector.runs.slots import GRACE, MOST_MISSED, becoming
from sentry_connector.store.records import AccountStatus, CatchUp, Passed, Run, Scheduled, Trigger

NOW = dt.datetime(2026, 3, 28, 12, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
HOURLY = Scheduled(
    dataset_id="d",
    schedule="hourly",
    details=Details(timezone="Europe/Berlin"),
    paused=False,
    catch_up=CatchUp.ONE,
    account_id="a",
    account_status=AccountStatus.VALID,
    until=NOW,
)
DUE = [NOW - dt.timedelta(hours=hours) for hours in (3, 2, 1, 0)]


def slots_of(passed: Passed, schedule: str, zone: str) -> list[dt.datetime]:
    """The very slots that are passed over."""
    rule = schedules.parse(schedule)
    found = schedules.between(rule, windows.zone(zone), passed.first - MINUTE, passed.last)
    assert len(found) == passed.count
    return found


@given(
    schedule=st.sampled_from(
        ["every 7m", "hourly 22-4", "daily 02:30,03:30", "weekdays 01:15", "cron: */20 * * * SUN"]
    ),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    gaps=st.lists(st.integers(1, 3000), min_size=1, max_size=25),
    catch_up=st.sampled_from(CatchUp),
    data=st.data(),
)
def test_every_slot_is_accounted_for_once(
    schedule: str, zone: str, gaps: list[int], catch_up: CatchUp, data: st.DataObject
) -> None:
    one = msgspec.structs.replace(HOURLY, schedule=schedule, details=Details(timezone=zone), catch_up=catch_up)
    rule, zoneinfo = schedules.parse(schedule), windows.zone(zone)
    told: Counter[dt.datetime] = Counter()
    now = one.until
    for gap in gaps:
        now += gap * MINUTE
        busy = data.draw(st.sampled_from([None, "another"]), label="busy")
        paused = data.draw(st.booleans(), label="paused")
        due = schedules.between(rule, zoneinfo, one.until, now)
        become = becoming(msgspec.structs.replace(one, paused=paused), due, now, busy)
        told.update(run.slot for run in become.runs if run.slot is not None)
        for passed in become.passed:
            told.update(slots_of(passed, schedule, zone))
        one = msgspec.structs.replace(one, until=due[-1] if due else one.until)
    assert told == Counter(schedules.between(rule, zoneinfo, NOW, now))


def test_of_missed_slots_one_run_stands_for_all() -> None:
    become = becoming(HOURLY, DUE, NOW, None)
    (run,) = become.runs
    assert (run.slot, run.trigger, run.id) == (NOW, Trigger.SCHEDULE, "d@20260328T120000Z")
    (passed,) = become.passed
    assert (passed.first, passed.last, passed.count) == (DUE[0], DUE[2], 3)
    assert (passed.run_id, passed.merged) == (run.id, True)


def test_a_slot_that_is_found_late_is_a_catch_up() -> None:
    late = NOW + GRACE + dt.timedelta(seconds=1)
    assert becoming(HOURLY, [NOW], NOW + GRACE, None).runs[0].trigger is Trigger.SCHEDULE
    assert becoming(HOURLY, [NOW], late, None).runs[0].trigger is Trigger.CATCH_UP


def test_all_missed_slots_run_where_that_is_wanted_even_behind_another_run() -> None:
    everything = msgspec.structs.replace(HOURLY, catch_up=CatchUp.ALL)
    become = becoming(everything, DUE, NOW, "another")
    assert [run.slot for run in become.runs] == DUE
    assert become.passed == ()


def test_what_was_missed_long_ago_is_passed_over_with_the_reason() -> None:
    everything = msgspec.structs.replace(HOURLY, catch_up=CatchUp.ALL)
    due = [NOW - number * MINUTE for number in reversed(range(MOST_MISSED + 5))]
    become = becoming(everything, due, NOW, None)
    assert [run.slot for run in become.runs] == due[5:]
    assert [(one.count, one.reason) for one in become.passed] == [(5, "more than 1000 slots were missed")]


def test_no_missed_slot_runs_where_none_is_wanted() -> None:
    nothing = msgspec.structs.replace(HOURLY, catch_up=CatchUp.NONE)
    in_time = becoming(nothing, DUE, NOW, None)
    assert [run.slot for run in in_time.runs] == [NOW]
    assert [one.count for one in in_time.passed] == [3]
    late = becoming(nothing, DUE, NOW + 2 * GRACE, None)
    assert late.runs == ()
    assert [(one.count, one.merged) for one in late.passed] == [(4, False)]


def test_a_slot_behind_a_run_that_is_not_done_is_passed_over_and_names_it() -> None:
    become = becoming(HOURLY, [NOW], NOW, "d@before")
    assert become.runs == ()
    assert [(one.run_id, one.merged) for one in become.passed] == [("d@before", False)]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"paused": True}, "paused"),
        ({"account_status": None}, "deleted"),
        ({"account_status": AccountStatus.INVALID}, "token"),
    ],
)
@pytest.mark.parametrize("catch_up", CatchUp)
def test_nothing_runs_while_something_is_in_the_way(catch_up: CatchUp, changes: dict[str, object], reason: str) -> None:
    become = becoming(msgspec.structs.replace(HOURLY, catch_up=catch_up, **changes), DUE, NOW, None)
    assert become.runs == ()
    assert [one.count for one in become.passed] == [4]
    assert reason in become.passed[0].reason


@pytest.mark.parametrize("account", [None, "a"])
def test_a_dataset_of_the_environments_token_has_no_account_that_could_be_missing(account: str | None) -> None:
    one = msgspec.structs.replace(HOURLY, account_id=account, account_status=AccountStatus.VALID if account else None)
    assert len(becoming(one, [NOW], NOW, None).runs) == 1


def test_ids_of_slots_go_by_the_instant_alone() -> None:
    ids = [run.id for run in becoming(msgspec.structs.replace(HOURLY, catch_up=CatchUp.ALL), DUE, NOW, None).runs]
    assert all(first < second for first, second in pairwise(ids))
    local = NOW.astimezone(windows.zone("Asia/Kathmandu"))
    assert becoming(HOURLY, [local], NOW, None).runs[0].id == "d@20260328T120000Z"
    assert isinstance(becoming(HOURLY, [local], NOW, None).runs[0], Run)
