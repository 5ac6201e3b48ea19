"""What waits is sent: in its order, each to its end, whoever comes by, and whatever a channel makes of it. In virtual time."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from sentry_connector.errors import ConnectorError, NotDelivered, NoticeRefused
from sentry_connector.notices.channels import Address
from sentry_connector.notices.message import Message
from sentry_connector.operations import datasets, notices
from sentry_connector.runs import news, outbox
from sentry_connector.store.notices import DeliveryState
from sentry_connector.store.records import DataSet, Delivery, Kind, Notice
from tests.parts import NOW, StandingApp
from tests.virtual_time import LoopClock, run

Scenario = Callable[["Sender"], Coroutine[Any, Any, None]]


class Sender(StandingApp):
    """The connector in virtual time; services are the functions that the test puts in place of them."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, "http://127.0.0.1:9", "x" * 64)
        self.clock = LoopClock(NOW.timestamp())
        self.ids = map(str, itertools.count())
        self.heard: list[tuple[str, str]] = []
        self.tried: Counter[str] = Counter()
        self.seconds: dict[str, float] = {}
        self.errors: dict[str, ConnectorError] = {}

    def now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.clock.time(), dt.UTC)

    async def aside(self, work: Callable[[], Any]) -> Any:
        return work()

    async def send(self, address: Address, message: Message) -> None:
        channel = address.url.rpartition("/")[2]
        self.tried[channel] += 1
        await self.clock.sleep(self.seconds.get(channel, 0.2))
        for one in (channel, message.title):
            if one in self.errors:
                raise self.errors[one]
        self.heard.append((channel, message.title))

    async def channel(self, name: str, **more: Any) -> None:
        await notices.add(self, name, f"https://example.com/{name}", **more)

    def dataset(self, name: str) -> DataSet:
        made = DataSet(id=name, name=name, slug="", report="projects", created_at=NOW, updated_at=NOW)
        return self.store.datasets.add(made)

    def tells(self, name: str, kind: Kind = Kind.FAILED, *, recovered: bool = False) -> None:
        """Something is found about a DataSet."""
        now, dataset = self.now(), self.store.datasets.get(name)
        told = Notice(
            id=next(self.ids), kind=kind, recovered=recovered, subject_id=name, subject=name, dataset_id=name,
            message="", since=now, at=now, muted=dataset is not None and dataset.muted,
        )  # fmt: skip
        self.store.notices.add([told])

    def sent(self, title: str) -> Delivery:
        """What became of a notice on the one channel that it goes to."""
        [found] = [one for view, [one] in self.store.notices.recent() if f"{view.subject}: {view.kind}" == title]
        return found

    def titles(self, channel: str = "ops") -> list[str]:
        return [title for name, title in self.heard if name == channel]


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Scenario], None]:
    def playing(scenario: Scenario) -> None:
        with Sender(tmp_path) as app:
            run(scenario(app))

    return playing


def test_what_is_stored_while_another_task_sends_is_sent_before_anybody_leaves(
    play: Callable[[Scenario], None],
) -> None:
    async def scenario(app: Sender) -> None:
        await app.channel("ops")
        app.seconds["ops"] = 3.0

        async def one(number: int) -> None:
            await app.clock.sleep(number)
            app.tells(f"Shop {number}")
            await outbox.deliver(app)

        await asyncio.gather(*map(one, range(4)))
        assert app.titles() == [f"Shop {number}: failed" for number in range(4)]

    play(scenario)


def test_who_waits_for_another_process_sends_what_it_leaves(play: Callable[[Scenario], None]) -> None:
    async def scenario(app: Sender) -> None:
        await app.channel("ops")
        app.store.leases.acquire("notices", "a process that has died", app.now(), outbox.TTL)
        app.tells("Shop")
        await outbox.deliver(app)
        assert app.titles() == []
        await outbox.deliver(app, wait=30)
        assert app.titles() == ["Shop: failed"]

    play(scenario)


def test_a_channel_that_fails_rests_and_keeps_its_order(play: Callable[[Scenario], None]) -> None:
    async def scenario(app: Sender) -> None:
        await app.channel("ops")
        app.errors["ops"] = NotDelivered("It is down.")
        app.tells("One")
        await outbox.deliver(app)
        app.tells("Two")
        await outbox.deliver(app)
        assert app.tried["ops"] == 1
        [channel] = notices.everything(app)
        assert (channel.failures, channel.rests_until is not None) == (1, True)
        await app.clock.sleep(31)
        await outbox.deliver(app)
        await app.clock.sleep(31)
        await outbox.deliver(app)
        assert app.tried["ops"] == 2, "each time it rests for twice as long"
        app.errors.clear()
        await app.clock.sleep(31)
        app.tells("Three")
        await outbox.deliver(app)
        assert app.titles() == ["One: failed", "Two: failed", "Three: failed"]
        [channel] = notices.everything(app)
        assert (channel.failures, channel.rests_until) == (0, None)

    play(scenario)


def test_a_channel_that_was_changed_is_tried_at_once(play: Callable[[Scenario], None]) -> None:
    async def scenario(app: Sender) -> None:
        await app.channel("ops")
        app.errors["ops"] = NotDelivered("It is no more.")
        app.tells("Shop")
        await outbox.deliver(app)
        await notices.edit(app, "ops", url="https://example.com/other")
        await outbox.deliver(app)
        assert app.titles("other") == ["Shop: failed"]

    play(scenario)


def test_a_notice_that_is_refused_for_what_it_is_is_given_up_and_the_next_one_goes_on(
    play: Callable[[Scenario], None],
) -> None:
    async def scenario(app: Sender) -> None:
        await app.channel("ops")
        app.errors["Odd: failed"] = NoticeRefused("Too large.")
        app.tells("Odd")
        app.tells("Shop")
        for _ in range(5):
            await outbox.deliver(app)
            await app.clock.sleep(120)
        odd = app.sent("Odd: failed")
        assert (odd.attempts, odd.given_up_at is not None, odd.error) == (outbox.MOST_REFUSALS, True, "Too large.")
        assert app.titles() == ["Shop: failed"]

    play(scenario)


def test_a_notice_that_nobody_took_for_three_days_is_given_up(play: Callable[[Scenario], None]) -> None:
    async def scenario(app: Sender) -> None:
        await app.channel("ops")
        app.errors["ops"] = NotDelivered("It is down.")
        app.tells("Shop")
        for _ in range(80):
            await outbox.deliver(app)
            await app.clock.sleep(3601)
        assert app.sent("Shop: failed").given_up_at is not None
        assert set(app.store.notices.states()) <= {DeliveryState.SENT, DeliveryState.GIVEN_UP}

    play(scenario)


def test_a_channel_that_takes_its_time_delays_no_other(play: Callable[[Scenario], None]) -> None:
    async def scenario(app: Sender) -> None:
        await app.channel("ops")
        await app.channel("slow", kinds=[Kind.LATE])
        app.seconds["slow"] = 14.0
        for number in range(10):
            app.tells(f"Slow {number}", Kind.LATE)
        sending = asyncio.create_task(outbox.deliver(app))
        await app.clock.sleep(3)
        assert len(app.titles()) == 10
        app.tells("Shop")
        await app.clock.sleep(14)
        assert len(app.titles("slow")) == 1
        assert app.titles()[-1] == "Shop: failed"
        await sending
        assert len(app.titles("slow")) == 10

    play(scenario)


def test_what_waits_for_a_muted_dataset_is_dropped_with_its_end(play: Callable[[Scenario], None]) -> None:
    async def scenario(app: Sender) -> None:
        await app.channel("ops")
        app.dataset("Shop")
        app.tells("Shop")
        datasets.mute(app, "Shop", muted=True)
        app.tells("Shop", recovered=True)
        await outbox.deliver(app)
        datasets.mute(app, "Shop", muted=False)
        await outbox.deliver(app)
        assert app.heard == []
        (_, [end]), (_, [began]) = app.store.notices.recent()
        assert (began.error, end.error) == ("The DataSet is muted.", "The channel was not told that it began.")
        assert set(app.store.notices.states()) <= {DeliveryState.SENT, DeliveryState.GIVEN_UP}

    play(scenario)


def test_what_was_told_to_have_begun_is_told_to_be_over_muted_or_not(play: Callable[[Scenario], None]) -> None:
    async def scenario(app: Sender) -> None:
        await app.channel("ops")
        app.dataset("Shop")
        app.tells("Shop")
        await outbox.deliver(app)
        datasets.mute(app, "Shop", muted=True)
        app.tells("Shop", Kind.LATE)
        app.tells("Shop", recovered=True)
        await outbox.deliver(app)
        assert app.titles() == ["Shop: failed", "Shop: recovered (failed)"]

    play(scenario)


def test_the_end_of_what_began_muted_is_not_told(play: Callable[[Scenario], None]) -> None:
    async def scenario(app: Sender) -> None:
        app.dataset("Shop")
        await app.channel("ops")
        datasets.mute(app, "Shop", muted=True)
        app.tells("Shop")
        datasets.mute(app, "Shop", muted=False)
        app.tells("Shop", recovered=True)
        await outbox.deliver(app)
        assert app.heard == []
        assert [notice.muted for notice, _ in app.store.notices.recent()] == [True, True]

    play(scenario)


def test_a_new_channel_hears_of_what_is_wrong_now_and_of_its_end(play: Callable[[Scenario], None]) -> None:
    async def scenario(app: Sender) -> None:
        for name in ("Shop", "Blog"):
            app.dataset(name)
            app.tells(name)
        app.tells("Shop", Kind.LATE)
        app.tells("Shop", Kind.LATE, recovered=True)
        await app.channel("ops", datasets=["Shop"])
        await outbox.deliver(app)
        assert app.titles() == ["Shop: failed"], "neither what is over nor what is another DataSet's"
        app.tells("Shop", recovered=True)
        await outbox.deliver(app)
        assert app.titles() == ["Shop: failed", "Shop: recovered (failed)"]

    play(scenario)


def test_the_channel_of_a_dataset_hears_that_its_account_was_deleted_and_when_that_is_mended(
    play: Callable[[Scenario], None],
) -> None:
    async def scenario(app: Sender) -> None:
        for name in ("One", "Two"):
            app.store.datasets.change(app.dataset(name).id, {"account_id": "gone"})
        app.dataset("Other")
        await app.channel("all")
        await app.channel("two", datasets=["Two"])
        await app.channel("other", datasets=["Other"])
        for name in ("One", "Two", "Two"):
            news.look(app, app.now())
            await outbox.deliver(app)
            app.store.datasets.change(app.store.datasets.find(name).id, {"account_id": None})
        told = ["One, Two: account missing", "A deleted account: recovered (account missing)"]
        assert (app.titles("all"), app.titles("two"), app.titles("other")) == (told, told, [])
        news.look(app, app.now())
        assert app.store.notices.open() == {}

    play(scenario)


def test_a_clock_that_is_set_back_does_not_put_an_end_before_its_beginning(play: Callable[[Scenario], None]) -> None:
    async def scenario(app: Sender) -> None:
        await app.channel("ops")
        app.tells("Shop")
        app.clock = LoopClock(NOW.timestamp() - 3600)
        app.tells("Shop", recovered=True)
        await outbox.deliver(app)
        assert app.titles() == ["Shop: failed", "Shop: recovered (failed)"]

    play(scenario)
