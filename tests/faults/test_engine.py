"""The engine and whoever asks it for something, in virtual time: handing over, cancelling, coming to rest."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any, Self, cast
from unittest import mock

import pytest

from sentry_connector.datasets.definition import Definition
from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.errors import ConnectorError, Locked, StoreUnusable, UsageError
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import accounts, datasets, runs
from sentry_connector.operations.running import is_served
from sentry_connector.reports.details import Details
from sentry_connector.runs.due import tick
from sentry_connector.runs.engine import STOP_WITHIN, Engine
from sentry_connector.runs.execute import execute
from sentry_connector.runs.lease import held
from sentry_connector.simulator import TOKENS
from sentry_connector.store.records import AccountStatus, CatchUp, DataSet, Kind, Run, RunState, Verdict
from tests.faults.ground import ground
from tests.faults.process import Fate, Process, passing_journals
from tests.faults.town import Town, silent
from tests.virtual_time import run as in_virtual_time


@pytest.fixture
def town() -> Iterator[Town]:
    with ground() as place, passing_journals():
        yield Town(1, place)


def made(process: Process, name: str = "Projects", **more: object) -> DataSet:
    definition = Definition(name=name, report="projects", details=Details(), **more)  # type: ignore[arg-type]
    return datasets.create(process, definition, None)


def played(town: Town, story: Coroutine[Any, Any, None]) -> None:
    async def whole() -> None:
        asyncio.get_running_loop().set_exception_handler(town.left_behind)
        await story

    in_virtual_time(whole())
    assert town.differences == []


class Living:
    """An engine that is at work while the block lasts."""

    def __init__(self, process: Process) -> None:
        self.told: list[Run] = []
        self.engine = Engine(house=process, log=silent(), told=self.told.append, runs_at_once=2)
        self.stop = asyncio.Event()

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self.engine.run(self.stop))
        await asyncio.sleep(2)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop.set()
        await asyncio.wait([self.task])

    async def die(self) -> None:
        """As `kill -9`: nothing is put away."""
        self.engine.house.fate.dead = True  # type: ignore[attr-defined]
        self.task.cancel()
        await asyncio.wait([self.task])


class Noted:
    """A log that keeps what was told."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def _note(self, event: str, **_facts: object) -> None:
        self.events.append(event)

    info = warning = error = exception = _note


def slow(town: Town) -> Process:
    """A process to which Sentry answers after a minute of trying only."""
    return town.process(Fate(town.ledger), down=True)


def test_a_living_server_does_what_somebody_asks_for(town: Town) -> None:
    async def story() -> None:
        person = town.process(Fate(town.ledger))
        made(person)
        assert not is_served(person)
        async with Living(town.process(Fate(town.ledger))) as living:
            assert is_served(person)
            progress = Progress()
            done = await datasets.run(person, "Projects", progress=progress)
            assert done.verdict is Verdict.COMPLETE
            assert [run.id for run in living.told] == [done.id]
        assert not is_served(person), "one that came to rest is gone at once"

    played(town, story())


def test_what_a_dead_server_had_begun_is_gone_on_with_by_whoever_waits_for_it(town: Town) -> None:
    async def story() -> None:
        person = town.process(Fate(town.ledger))
        made(person)
        async with Living(slow(town)) as living:
            waiting = asyncio.create_task(datasets.run(person, "Projects", progress=Progress()))
            await asyncio.sleep(5)
            assert living.engine.active
            await living.die()
            done = await waiting
            assert done.verdict is Verdict.COMPLETE
            assert [(one.number, one.begun) for one in done.attempts] == [(1, 2)], "two processes began with it"

    played(town, story())


def test_a_run_that_is_under_way_is_stopped_within_two_seconds_and_the_table_stays(town: Town) -> None:
    async def story() -> None:
        person = town.process(Fate(town.ledger))
        dataset = made(person)
        async with Living(slow(town)) as living:
            run, _ = datasets.ask(person, "Projects")
            await asyncio.sleep(5)
            assert list(living.engine.active) == [run.id]
            began = asyncio.get_running_loop().time()
            done = await runs.cancel(person, "Projects")
            assert asyncio.get_running_loop().time() - began <= 2.0
            assert (done.state, done.verdict) == (RunState.DONE, Verdict.CANCELLED)
            assert done.error is not None
            assert done.error.code == 60
            assert not living.engine.active
        assert not town.table_of(dataset.id).exists()
        with pytest.raises(UsageError, match="has ended"):
            await runs.cancel(person, "Projects")

    played(town, story())


def test_a_run_that_nobody_is_at_work_on_is_cancelled_at_once(town: Town) -> None:
    async def story() -> None:
        person = town.process(Fate(town.ledger))
        made(person)
        run, _ = datasets.ask(person, "Projects")
        done = await runs.cancel(person, run.id)
        assert (done.verdict, done.requests, done.epoch) == (Verdict.CANCELLED, 0, None)

    played(town, story())


def test_the_run_of_a_process_that_was_killed_is_cancelled_once_its_lease_is_over(town: Town) -> None:
    async def story() -> None:
        person = town.process(Fate(town.ledger))
        made(person)
        run, _ = datasets.ask(person, "Projects")
        async with Living(slow(town)) as living:
            await asyncio.sleep(5)
            await living.die()
            done = await runs.cancel(person, run.id)
        assert (done.state, done.verdict) == (RunState.DONE, Verdict.CANCELLED)
        assert done.error is not None
        assert done.error.message == "The run was cancelled.", "it had begun"

    played(town, story())


def test_a_run_whose_commit_was_made_before_it_was_cancelled_has_ended_well(town: Town) -> None:
    async def story() -> None:
        dying: Any = town.process(Fate(town.ledger))
        made(dying)
        run, _ = datasets.ask(dying, "Projects")
        commit = dying.destination.table

        def then_die(dataset_id: str) -> Any:
            table = commit(dataset_id)
            inner = table.commit

            def committing(wanted: Any) -> Any:
                done = inner(wanted)
                dying.fate.dead = True
                return done

            table.commit = committing
            return table

        dying.destination.table = then_die
        with pytest.raises(BaseException):  # noqa: B017, PT011  # it is dead
            await execute(run.id, dying, progress=Progress())
        person = town.process(Fate(town.ledger))
        person.store.runs.ask_to_stop(run.id, person.now())
        await asyncio.sleep(120)  # until the dead process's lease is over
        done = await runs.cancel(person, run.id)
        assert done.verdict is Verdict.COMPLETE
        assert done.rows_written > 0

    played(town, story())


def test_an_engine_comes_to_rest_in_time_and_the_next_one_goes_on(town: Town) -> None:
    async def story() -> None:
        person = town.process(Fate(town.ledger))
        made(person)
        run, _ = datasets.ask(person, "Projects")
        async with Living(slow(town)):
            await asyncio.sleep(5)
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began <= STOP_WITHIN
        left = person.store.runs.get(run.id)
        assert left is not None
        assert (left.state, left.requests > 0) == (RunState.RUNNING, True)
        assert left.attempts[-1].begun == 0, "nobody died at it"
        async with Living(town.process(Fate(town.ledger))) as living:
            await asyncio.sleep(10)
            assert [one.verdict for one in living.told] == [Verdict.COMPLETE]
            assert living.told[0].epoch == left.epoch

    played(town, story())


def test_of_two_engines_one_does_each_slot(town: Town) -> None:
    async def story() -> None:
        person = town.process(Fate(town.ledger))
        for number in range(4):
            made(person, f"Projects {number}", schedule="every 1m", update_method=UpdateMethod.UPSERT)
        async with Living(town.process(Fate(town.ledger))) as one, Living(town.process(Fate(town.ledger))) as other:
            await asyncio.sleep(600)
            told = [run.id for run in [*one.told, *other.told]]
            assert len(told) == len(set(told)) == 40
            assert {run.verdict for run in [*one.told, *other.told]} == {Verdict.COMPLETE}

    played(town, story())


def test_a_server_that_is_at_work_on_a_dataset_refuses_a_second_run(town: Town) -> None:
    async def story() -> None:
        person = town.process(Fate(town.ledger))
        made(person)
        async with Living(slow(town)):
            datasets.ask(person, "Projects")
            await asyncio.sleep(5)
            with pytest.raises(Locked):
                await datasets.run(person, "Projects", progress=Progress())
            assert len(runs.history(person, "Projects")) == 1

    played(town, story())


def test_whoever_is_refused_takes_no_waiting_run_of_the_schedule_along(town: Town) -> None:
    async def story() -> None:
        person = town.process(Fate(town.ledger))
        dataset = made(person, schedule="every 5m")
        await asyncio.sleep(300)
        tick(person, person.now())
        (waiting,) = person.store.runs.unfinished()
        async with held(person, f"dataset/{dataset.id}"):
            with pytest.raises(Locked):
                await datasets.run(person, dataset.name, progress=Progress())
        assert person.store.runs.unfinished() == [waiting]

    played(town, story())


def test_the_slots_of_a_pause_are_passed_over_and_the_next_one_runs(town: Town) -> None:
    async def story() -> None:
        person = town.process(Fate(town.ledger))
        dataset = made(person, schedule="every 5m")
        datasets.pause(person, dataset.name)
        await asyncio.sleep(3600)
        resumed = datasets.resume(person, dataset.name)
        assert not resumed.paused
        assert person.store.runs.unfinished() == [], "no burst"
        assert [(one.count, one.run_id) for one in datasets.passed(person, dataset)] == [(12, None)]
        await asyncio.sleep(300)
        tick(person, person.now())
        assert [run.trigger for run in person.store.runs.unfinished()] == ["schedule"]

    played(town, story())


def test_slots_of_another_schedule_count_from_the_change_on(town: Town) -> None:
    async def story() -> None:
        person = town.process(Fate(town.ledger))
        dataset = made(person)
        await asyncio.sleep(3600)
        datasets.edit(person, dataset.name, {"schedule": "every 5m"})
        tick(person, person.now())
        assert person.store.runs.unfinished() == []
        assert datasets.passed(person, dataset) == []

    played(town, story())


@pytest.mark.parametrize("seen", [False, True])
@pytest.mark.parametrize(
    "changes",
    [{"schedule": "daily 03:00"}, {"details": Details(projects=("acme/shop",), timezone="Asia/Kathmandu")}],
    ids=["rule", "zone"],
)
def test_slots_of_a_schedule_that_is_changed_are_passed_over_unless_a_look_has_found_them(
    town: Town, *, changes: dict[str, object], seen: bool
) -> None:
    async def story() -> None:
        person = town.process(Fate(town.ledger))
        definition = Definition(
            name="Events",
            report="project-events",
            details=Details(projects=("acme/shop",)),
            schedule="hourly",
            catch_up=CatchUp.ALL,
        )
        dataset = datasets.create(person, definition, None)
        await asyncio.sleep(2 * 3600)
        if seen:
            tick(person, person.now())
        await asyncio.sleep(3600)
        datasets.edit(person, dataset.name, changes)
        tick(person, person.now())
        assert len(person.store.runs.unfinished()) == (2 if seen else 0)
        assert [(one.count, one.reason) for one in datasets.passed(person, dataset)] == [
            (1 if seen else 3, "the schedule was changed")
        ]

    played(town, story())


def test_slots_until_a_deleted_dataset_comes_back_are_passed_over(town: Town) -> None:
    async def story() -> None:
        person = town.process(Fate(town.ledger))
        dataset = made(person, schedule="hourly")
        await asyncio.sleep(2 * 3600)
        datasets.delete(person, dataset.name)
        await asyncio.sleep(3 * 3600)
        datasets.restore(person, dataset.name)
        assert [(one.count, one.reason) for one in datasets.passed(person, dataset)] == [(5, "the DataSet was deleted")]
        await asyncio.sleep(3600)
        tick(person, person.now())
        assert len(person.store.runs.unfinished()) == 1

    played(town, story())


def test_a_pause_ends_the_runs_that_wait_while_another_one_is_under_way(town: Town) -> None:
    async def story() -> None:
        person = town.process(Fate(town.ledger))
        made(person, schedule="every 5m", catch_up=CatchUp.ALL)
        await asyncio.sleep(25 * 60)
        async with Living(slow(town)) as living:
            await asyncio.sleep(5)
            (first,) = living.engine.active
            datasets.pause(person, "Projects")
            assert [run.id for run in person.store.runs.unfinished()] == [first]
        assert [run.id for run in person.store.runs.unfinished()] == [first]

    played(town, story())


def test_a_run_that_is_under_way_stops_when_its_dataset_is_deleted(town: Town) -> None:
    async def story() -> None:
        person = town.process(Fate(town.ledger))
        made(person)
        async with Living(slow(town)) as living:
            run, _ = datasets.ask(person, "Projects")
            await asyncio.sleep(5)
            assert list(living.engine.active) == [run.id]
            datasets.delete(person, "Projects")
            await asyncio.sleep(2)
            stopped = person.store.runs.get(run.id)
            assert stopped is not None
            assert stopped.verdict is Verdict.CANCELLED

    played(town, story())


def test_an_attempt_that_waits_is_given_up_with_its_account(town: Town) -> None:
    async def story() -> None:
        person: Any = town.process(Fate(town.ledger))
        await accounts.add(person, "Main", person.settings.url, person.settings.auth_token)
        definition = Definition(name="P", report="projects", details=Details(), schedule="every 5m")
        datasets.create(person, definition, "Main")
        async with Living(slow(town)):
            await asyncio.sleep(600)
        (waiting,) = person.store.runs.unfinished()
        assert waiting.state is RunState.RETRYING
        accounts.delete(person, "Main")
        dropped = person.store.runs.get(waiting.id)
        assert (dropped.state, dropped.verdict) == (RunState.DONE, Verdict.CANCELLED)
        assert "account" in dropped.error.message

    played(town, story())


def test_a_clock_that_was_set_back_does_not_silence_a_schedule(town: Town) -> None:
    async def story() -> None:
        person = town.process(Fate(town.ledger))
        made(person, schedule="every 5m")
        person.clock.skew = 30 * 24 * 3600.0  # type: ignore[attr-defined]
        tick(person, person.now())
        person.clock.skew = 0.0  # type: ignore[attr-defined]
        tick(person, person.now())
        await asyncio.sleep(300)
        tick(person, person.now())
        slots = sorted(run.slot for run in person.store.runs.history(person.store.datasets.list()[0].id) if run.slot)
        assert len(slots) == 1, "the run of the wrong time is in the way until it has ended"
        (one,) = person.store.slots.scheduled()
        assert one.until <= person.now()

    played(town, story())


def test_a_schedule_that_this_program_does_not_know_leaves_the_others_alone(town: Town) -> None:
    async def story() -> None:
        person = town.process(Fate(town.ledger))
        odd, good = made(person, "odd", schedule="every 5m"), made(person, "good", schedule="every 5m")
        person.store.datasets.change(odd.id, {"schedule": "whenever it suits"})
        await asyncio.sleep(600)
        unkept = tick(person, person.now())
        assert [one.dataset_id for one in unkept] == [odd.id]
        assert [run.dataset_id for run in person.store.runs.unfinished()] == [good.id]

    played(town, story())


def test_a_store_that_is_locked_for_a_while_ends_no_engine(town: Town) -> None:
    async def story() -> None:
        person = town.process(Fate(town.ledger))
        made(person, schedule="every 1m")
        process: Any = town.process(Fate(town.ledger))
        async with Living(process) as living:
            real = process.store.runs.waiting
            failures = iter([Locked("busy"), ConnectorError("odd"), ValueError("a defect")])

            def waiting(now: Any) -> Any:
                error = next(failures, None)
                if error is not None:
                    raise error
                return real(now)

            process.store.runs.waiting = waiting
            await asyncio.sleep(240)
            process.store.runs.waiting = real
            assert next(failures, None) is None
            assert living.told, "it goes on"

    played(town, story())


def test_an_engine_whose_looks_at_the_schedules_fail_is_not_ready_until_they_do_not(town: Town) -> None:
    async def story() -> None:
        process: Any = town.process(Fate(town.ledger))
        async with Living(process) as living:
            assert living.engine.troubles() == []
            real = process.store.slots.scheduled

            def scheduled(dataset_id: str | None = None) -> Any:
                raise Locked("The database is locked.")

            process.store.slots.scheduled = scheduled
            await asyncio.sleep(300)
            assert ["schedules" in one for one in living.engine.troubles()] == [True]
            process.store.slots.scheduled = real
            await asyncio.sleep(10)
            assert living.engine.troubles() == []

    played(town, story())


def test_an_engine_whose_queue_fails_is_not_ready_until_it_does_not(town: Town) -> None:
    async def story() -> None:
        process: Any = town.process(Fate(town.ledger))
        async with Living(process) as living:
            real = process.store.runs.waiting

            def waiting(_now: Any) -> Any:
                raise Locked("The database is locked.")

            process.store.runs.waiting = waiting
            await asyncio.sleep(3600)
            assert ["queue" in one for one in living.engine.troubles()] == [True]
            process.store.runs.waiting = real
            await asyncio.sleep(10)
            assert living.engine.troubles() == []

    played(town, story())


def test_an_engine_whose_heartbeat_the_store_does_not_take_is_not_ready(town: Town) -> None:
    async def story() -> None:
        process: Any = town.process(Fate(town.ledger))
        async with Living(process) as living:
            real = process.store.leases.renew

            def renew(*_: Any) -> Any:
                raise StoreUnusable("attempt to write a readonly database")

            process.store.leases.renew = renew
            await asyncio.sleep(60)
            assert ["could not be written" in one for one in living.engine.troubles()] == [True]
            process.store.leases.renew = real
            await asyncio.sleep(10)
            assert living.engine.troubles() == []

    played(town, story())


def test_a_loop_that_hangs_is_told_and_one_that_ends_ends_the_engine(town: Town) -> None:
    async def story() -> None:
        process: Any = town.process(Fate(town.ledger))
        async with Living(process) as living:
            real, aside = process.store.runs.waiting, process.aside
            never = asyncio.Event()

            async def hanging(work: Any) -> Any:
                await never.wait()
                return work()

            process.aside = hanging
            await asyncio.sleep(3600)
            assert any("queue" in one for one in living.engine.troubles())
            process.aside = aside
            never.set()

            def waiting(_now: Any) -> Any:
                raise asyncio.CancelledError  # as from a library, though nobody has cancelled the loop

            process.store.runs.waiting = waiting
            await asyncio.wait([living.task])
            process.store.runs.waiting = real
            with pytest.raises(ConnectorError, match="queue"):
                living.task.result()
            assert not is_served(town.process(Fate(town.ledger)))

    played(town, story())


def test_a_clock_that_is_set_back_while_a_server_lives_stops_no_schedule(town: Town) -> None:
    async def story() -> None:
        process: Any = town.process(Fate(town.ledger))
        dataset = made(process, schedule="every 5m")
        async with Living(process) as living:
            await asyncio.sleep(601)
            before = len(living.told)
            process.clock.skew = -6 * 3600.0
            await asyncio.sleep(3 * 3600)
            assert living.engine.troubles() == []
            assert len(living.told) - before >= 3 * 12 - 1
            assert living.told[-1].verdict is Verdict.COMPLETE
            (one,) = process.store.slots.scheduled(dataset.id)
            assert one.until <= process.now()

    played(town, story())


def test_whoever_comes_later_does_not_wait_for_all_that_was_there(town: Town) -> None:
    async def story() -> None:
        person: Any = town.process(Fate(town.ledger))
        await accounts.add(person, "Other", person.settings.url, person.settings.auth_token)
        for number in range(14):
            made(person, f"a{number:02}")
            datasets.ask(person, f"a{number:02}")
        datasets.create(person, Definition(name="b", report="projects", details=Details()), "Other")
        living = Living(town.process(Fate(town.ledger)))
        living.engine.runs_at_once = 1
        async with living:
            while not living.told:  # noqa: ASYNC110  # the loop's time passes
                await asyncio.sleep(0.1)
            done = len(living.told)
            asked, _ = datasets.ask(person, "b")
            await asyncio.sleep(600)
        place = [run.id for run in living.told].index(asked.id)
        assert len(living.told) == 15
        assert place <= done + 3, "those that were under way, or begun within the second"

    played(town, story())


def test_a_run_that_does_not_end_and_a_schedule_that_nobody_knows_are_told_once(town: Town) -> None:
    async def story() -> None:
        person: Any = town.process(Fate(town.ledger))
        made(person, "hanging", schedule="every 5m")
        odd = made(person, "odd", schedule="every 5m")
        person.store.datasets.change(odd.id, {"schedule": "whenever it suits"})
        process: Any = town.process(Fate(town.ledger))
        process.line.get = lambda *_: asyncio.Event().wait()  # no answer, for ever
        async with Living(process) as living:
            living.engine.log = cast("Any", noted := Noted())
            await asyncio.sleep(3600)
            assert len(living.engine.active) == 1
        told = [(one.subject, one.kind, one.recovered) for one, _ in person.store.notices.recent()]
        assert sorted(told) == [("hanging", Kind.LATE, False), ("odd", Kind.SCHEDULE_UNKNOWN, False)]
        assert noted.events.count("schedule cannot be kept") <= 1

    played(town, story())


def test_an_end_that_cannot_be_told_is_an_end_all_the_same(town: Town) -> None:
    async def story() -> None:
        person = town.process(Fate(town.ledger))
        made(person)
        living = Living(town.process(Fate(town.ledger)))

        def closed(_run: Run) -> None:
            raise BrokenPipeError

        living.engine.told, living.engine.log = closed, cast("Any", noted := Noted())
        async with living:
            run, _ = datasets.ask(person, "Projects")
            await asyncio.sleep(60)
            ended = person.store.runs.get(run.id)
            assert ended is not None
            assert ended.verdict is Verdict.COMPLETE
            assert "end not told" in noted.events
            assert "run could not be done" not in noted.events

    played(town, story())


def test_a_schedule_rests_while_its_token_is_not_good_and_goes_on_by_itself(town: Town) -> None:
    async def story() -> None:
        person: Any = town.process(Fate(town.ledger))
        await accounts.add(person, "Main", person.settings.url, person.settings.auth_token)
        definition = Definition(name="P", report="projects", details=Details(), schedule="every 30m")
        dataset = datasets.create(person, definition, "Main")
        other = town.process(Fate(town.ledger))
        with mock.patch.dict(TOKENS, clear=True):  # it is revoked at Sentry
            async with Living(other):
                await asyncio.sleep(2 * 3600 + 60)
        rejected = accounts.find(person, "Main")
        assert rejected.status is AccountStatus.INVALID
        (passed, *_) = datasets.passed(person, dataset)
        assert "does not take" in passed.reason
        assert passed.count == 3, "one run failed and told; then the schedule rested"
        async with Living(town.process(Fate(town.ledger))) as living:
            await asyncio.sleep(3600)
            assert accounts.find(person, "Main").status is AccountStatus.VALID
            assert [run.verdict for run in living.told][-1] is Verdict.COMPLETE

    played(town, story())
