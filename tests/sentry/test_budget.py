from __future__ import annotations

import asyncio
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sentry.counting import Counting, ask_until_answered, limit_headers
from tests.sentry.support import VirtualClock, http_date
from tests.virtual_time import LoopClock, run

from sentry_connector.errors import RateLimited
from sentry_connector.sentry.budget import FAILURES, Budget, Budgets
from sentry_connector.sentry.lane import PUBLISHED, SELF_HOSTED_CONCURRENCY, Limit
from sentry_connector.sentry.server_clock import ServerClock


async def spend(budget: Budget, family: str, times: int) -> None:
    for _ in range(times):
        async with budget.slot(family):
            pass


async def most_at_once(budget: Budget, family: str, tasks: int) -> int:
    running = most = 0

    async def one() -> None:
        nonlocal running, most
        async with budget.slot(family):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            running -= 1

    await asyncio.gather(*(one() for _ in range(tasks)))
    return most


async def test_a_self_hosted_server_is_asked_without_pause_by_a_few_at_once() -> None:
    clock = VirtualClock()
    budget = Budget("sentry.example.com", clock=clock)
    await spend(budget, "project-events", 1000)
    assert clock.sleeps == []
    assert await most_at_once(budget, "project-events", 50) == SELF_HOSTED_CONCURRENCY


@pytest.mark.parametrize("host", ["sentry.io", "us.sentry.io"])
@pytest.mark.parametrize("family", list(PUBLISHED))
async def test_the_first_requests_to_sentry_io_keep_the_published_limits(host: str, family: str) -> None:
    clock, limit = VirtualClock(), PUBLISHED[family]
    budget = Budget(host, clock=clock)
    await spend(budget, family, limit.requests)
    assert clock.elapsed == 0
    await spend(budget, family, 1)
    assert clock.elapsed == limit.seconds
    assert await most_at_once(Budget(host, clock=clock), family, 30) == min(limit.concurrency, limit.requests, 30)


async def test_a_host_that_only_looks_like_sentry_io_has_no_published_limits() -> None:
    assert not Budget("notsentry.io", clock=VirtualClock()).enforced


async def test_families_without_a_limit_of_their_own_share_one() -> None:
    budget = Budget("sentry.io", clock=VirtualClock())
    assert budget.lane("cli") is budget.lane("default")
    assert budget.lane("project-users") is not budget.lane("default")


async def test_when_nothing_remains_the_next_request_waits_for_the_reset_by_the_servers_clock() -> None:
    clock = VirtualClock()
    budget = Budget("sentry.example.com", clock=clock)
    server_now = clock.time() + 86_400  # the server is a day ahead
    async with budget.slot("default") as place:
        place.learn(200, {"date": http_date(server_now), **limit_headers(40, 0, server_now + 30)})
    await spend(budget, "default", 1)
    assert clock.sleeps == [30.0]


async def test_the_remaining_requests_are_spent_before_waiting() -> None:
    clock = VirtualClock()
    budget = Budget("sentry.io", clock=clock)
    async with budget.slot("default") as place:
        place.learn(200, {"date": http_date(clock.time()), **limit_headers(40, 3, clock.time() + 9)})
    await spend(budget, "default", 3)
    assert clock.sleeps == []
    await spend(budget, "default", 1)
    assert clock.sleeps == [9.0]


async def test_an_answer_that_was_overtaken_does_not_give_back_what_is_spent() -> None:
    clock = VirtualClock()
    budget = Budget("sentry.io", clock=clock)
    async with budget.slot("default") as place:
        place.learn(200, {"date": http_date(clock.time()), **limit_headers(40, 0, clock.time() + 9)})
        budget.learn("default", 200, {"date": http_date(clock.time()), **limit_headers(40, 5, clock.time() + 9)})
        budget.learn("default", 200, {"date": http_date(clock.time()), **limit_headers(40, 5, clock.time() - 9)})
    assert budget.lane("default").pause() == 9.0


async def test_an_answer_in_flight_does_not_shorten_a_429s_wait() -> None:
    clock = VirtualClock()
    budget = Budget("sentry.io", clock=clock)
    told = {"date": http_date(clock.time()), **limit_headers(40, 0, clock.time() + 9)}
    budget.learn("default", 429, told | {"retry-after": "30"})
    budget.learn("default", 200, told)
    assert budget.lane("default").pause() == 30.0


async def test_requests_in_flight_are_taken_from_a_window_that_the_server_began_unforeseen() -> None:
    clock = VirtualClock()
    budget = Budget("sentry.example.com", clock=clock)
    async with budget.slot("default"), budget.slot("default"), budget.slot("default"):
        budget.learn("default", 200, {"date": http_date(clock.time()), **limit_headers(40, 1, clock.time() + 600)})
        budget.learn("default", 200, {"date": http_date(clock.time()), **limit_headers(40, 5, clock.time() + 900)})
        await spend(budget, "default", 2)
        assert clock.sleeps == []
        await spend(budget, "default", 1)
    assert clock.sleeps == [900.0]


async def test_a_server_that_turns_out_to_limit_gets_all_published_limits() -> None:
    clock = VirtualClock()
    budget = Budget("sentry.example.com", clock=clock)
    await spend(budget, "project-events", 1)
    budget.learn("default", 200, {"date": http_date(clock.time()), **limit_headers(40, 39, clock.time() + 1)})
    assert budget.lane("project-events").concurrency == 1
    assert budget.lane("project-users").limit == PUBLISHED["project-users"]


async def test_the_servers_own_numbers_replace_the_published_ones() -> None:
    clock = VirtualClock()
    budget = Budget("sentry.io", clock=clock)
    headers = limit_headers(7, 6, clock.time() + 1, concurrentlimit=3, concurrentremaining=2)
    budget.learn("default", 200, {"date": http_date(clock.time()), **headers})
    limit = budget.lane("default").limit
    assert limit is not None
    assert (limit.requests, limit.concurrency, budget.lane("default").concurrency) == (7, 3, 3)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "5"}, 5.0),
        ({"retry-after": http_date(1_700_000_012)}, 12.0),
        ({"x-sentry-rate-limit-reset": "1700000020", "x-sentry-rate-limit-remaining": "0"}, 20.0),
    ],
)
async def test_after_a_429_nobody_starts_before_the_told_instant(headers: dict[str, str], seconds: float) -> None:
    clock = VirtualClock()
    budget = Budget("sentry.example.com", clock=clock)
    assert budget.learn("default", 429, {"date": http_date(clock.time()), **headers}) == seconds
    await asyncio.gather(*(spend(budget, "default", 1) for _ in range(5)))
    assert clock.elapsed >= seconds


@pytest.mark.parametrize(
    "headers", [{}, {"retry-after": "0"}, {"retry-after": http_date(1_600_000_000)}, {"retry-after": "soon"}]
)
async def test_a_429_that_does_not_say_how_long_closes_nothing(headers: dict[str, str]) -> None:
    budget = Budget("sentry.example.com", clock=VirtualClock())
    assert budget.learn("default", 429, {"date": http_date(1_700_000_000), **headers}) is None
    assert budget.lane("default").pause() == 0


async def test_too_many_at_once_lowers_concurrency_and_new_windows_raise_it_again() -> None:
    clock = VirtualClock()
    budget = Budget("sentry.io", clock=clock)
    lane = budget.lane("default")
    headers = limit_headers(40, 30, clock.time() + 1, concurrentlimit=25, concurrentremaining=0)
    assert budget.learn("default", 429, {"date": http_date(clock.time()), **headers}) is None
    assert lane.concurrency == 12
    for second in range(2, 40):
        budget.learn("default", 200, limit_headers(40, 39, clock.time() + second, concurrentlimit=25))
    assert lane.concurrency == 25


async def test_a_wait_beyond_patience_is_an_error_at_once_and_the_observer_hears_of_all_others() -> None:
    clock, heard = VirtualClock(), list[tuple[str, float]]()
    budget = Budget("sentry.io", clock=clock)

    async def ask() -> None:
        async with budget.slot("default", max_wait=60, observer=lambda *wait: heard.append(wait)):
            pass

    budget.learn("default", 429, {"retry-after": "60"})
    await ask()
    budget.learn("default", 429, {"retry-after": "999999999"})
    with pytest.raises(RateLimited) as caught:
        await ask()
    assert caught.value.data["retry_after"] == 999999999
    assert heard == [("rate limit", 60.0)]


async def test_a_cancelled_waiter_leaves_the_lane_usable() -> None:
    budget = Budget("sentry.io", clock=VirtualClock())
    async with budget.slot("project-events"):
        waiter = asyncio.create_task(spend(budget, "project-events", 1))
        await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
    await spend(budget, "project-events", 1)


# ---- the server's clock


@given(
    ahead=st.floats(-1e5, 1e5),
    answers=st.lists(st.tuples(st.floats(0, 3), st.floats(0, 0.4), st.floats(0, 1)), min_size=1, max_size=30),
)
def test_the_servers_clock_is_always_within_what_is_believed(
    ahead: float, answers: list[tuple[float, float, float]]
) -> None:
    """Whenever answers come, however long each takes, and wherever in between the server writes its Date."""
    clock = VirtualClock()
    server = ServerClock(clock)
    assert server.skew() is None
    for pause, latency, part in answers:
        clock.elapsed += pause
        sent = clock.monotonic()
        written = clock.time() + part * latency + ahead
        clock.elapsed += latency
        server.observe(float(math.floor(written)), sent)
        now = clock.time() + ahead
        assert server.earliest() <= now + 1e-6
        assert server.earliest() + server.doubt >= now - 1e-6
        assert server.doubt <= 1 + latency + 1e-6


def test_many_answers_tell_the_servers_clock_to_a_fraction_of_a_second() -> None:
    clock, ahead = VirtualClock(), 3600.4
    server = ServerClock(clock)
    for _ in range(40):
        clock.elapsed += 0.07
        server.observe(float(math.floor(clock.time() + ahead)))
    assert server.doubt <= 0.08
    assert server.earliest() == pytest.approx(clock.time() + ahead, abs=0.08)


@pytest.mark.parametrize("wrong", [-3600.0, 3600.0])
async def test_one_wrong_date_does_not_outlive_its_own_answer(wrong: float) -> None:
    clock = VirtualClock()
    budget = Budget("sentry.example.com", clock=clock)
    budget.learn("default", 200, {"date": http_date(clock.time() + wrong)})
    async with budget.slot("default") as place:
        place.learn(200, {"date": http_date(clock.time()), **limit_headers(40, 0, clock.time() + 30)})
    await spend(budget, "default", 1)
    assert clock.sleeps == [30.0]


# ---- a server that counts


def read(
    family: str, server_limit: Limit, *, requests: int, ahead: float = 0.0, latency: float = 0.05, start: float = 0.0
) -> tuple[float, Counting]:
    """Seconds that so many requests, all wanted at once, take; and the server."""

    async def work() -> tuple[float, Counting]:
        clock = LoopClock(1_700_000_000.0 + start)
        budget = Budget("sentry.io", clock=clock)
        server = Counting(server_limit, clock, ahead=ahead, latency=latency)
        async with asyncio.TaskGroup() as group:
            for _ in range(requests):
                group.create_task(ask_until_answered(budget, server, family))
        return clock.monotonic(), server

    return run(work())


@given(
    family=st.sampled_from(["default", "project-events", "org-issues", "project-users", "event-detail"]),
    ahead=st.floats(-1e5, 1e5),
    start=st.floats(0, 60),
    latency=st.floats(0.001, 1.0),
    shorter=st.sampled_from([1.0, 0.1]),
    requests=st.integers(1, 200),
)
@settings(deadline=None, max_examples=150)
def test_no_limit_is_ever_run_into(  # each is a way in which servers differ
    family: str, ahead: float, start: float, latency: float, shorter: float, requests: int
) -> None:
    """With clocks far apart, slow answers, and windows that are shorter than those that are known."""
    published = PUBLISHED[family]
    limit = Limit(published.requests, published.seconds * shorter, published.concurrency)
    _, server = read(family, limit, requests=requests, ahead=ahead, latency=latency, start=start)
    assert server.refused == 0
    assert sum(server.used.values()) == requests


@pytest.mark.parametrize(
    ("family", "requests", "latency", "windows", "share"),
    [
        ("project-events", 300, 0.05, 1.0, 0.95),
        ("project-events", 300, 0.3, 1.0, 0.95),
        ("default", 800, 0.1, 1.0, 0.95),
        ("org-issues", 200, 0.2, 1.0, 0.95),
        ("project-events", 300, 0.05, 0.1, 0.95),
        ("default", 4000, 0.05, 0.1, 0.89),  # an answer takes half a window
    ],
)
@pytest.mark.parametrize("start", [0.0, 0.37, 0.93])
def test_the_limit_is_used_to_the_full(  # each is a way in which servers differ
    family: str, requests: int, latency: float, windows: float, share: float, start: float
) -> None:
    """Of the requests that the windows have room for, the given share is made."""
    published = PUBLISHED[family]
    limit = Limit(published.requests, published.seconds * windows, published.concurrency)
    seconds, server = read(family, limit, requests=requests, latency=latency, start=start * published.seconds)
    rate = min(limit.requests / limit.seconds, limit.concurrency / (latency / 2))
    best = max(0.0, requests - limit.requests) / rate
    assert seconds <= best / share + limit.seconds + latency
    assert server.refused == 0


def test_a_window_that_somebody_else_uses_too_is_kept_to_after_a_few_429s() -> None:
    """What the server tells is all that is known of them; whoever is refused waits and comes again."""

    async def work() -> tuple[int, int]:
        clock = LoopClock(1_700_000_000.0)
        server = Counting(PUBLISHED["default"], clock, ahead=0.0, latency=0.05)
        ours, theirs = Budget("sentry.io", clock=clock), Budget("sentry.io", clock=clock)
        async with asyncio.TaskGroup() as group:
            for budget in (ours, theirs):
                for _ in range(400):
                    group.create_task(ask_until_answered(budget, server, "default"))
        return sum(server.used.values()) - server.refused, server.refused

    answered, refused = run(work())
    assert answered == 800
    assert refused < 80


def test_a_429_holds_back_a_part_of_the_next_windows() -> None:
    clock = VirtualClock()
    budget = Budget("sentry.io", clock=clock)
    lane = budget.lane("default")
    told = {"date": http_date(clock.time()), **limit_headers(40, 0, clock.time() + 1)}
    budget.learn("default", 429, told)
    clock.elapsed += 2
    budget.learn("default", 200, {"date": http_date(clock.time()), **limit_headers(40, 1, clock.time() + 1)})
    assert lane.pause() == 0, "one clean window takes it back"
    for _ in range(2):
        budget.learn("default", 429, {"date": http_date(clock.time()), **limit_headers(40, 0, clock.time() + 1)})
    clock.elapsed += 2
    budget.learn("default", 200, {"date": http_date(clock.time()), **limit_headers(40, 2, clock.time() + 1)})
    assert lane.pause() > 0


# ---- one host, many askers


async def test_whoever_asks_as_the_same_identity_shares_one_budget() -> None:
    budgets = Budgets(VirtualClock())
    sentry, other = ("https", "sentry.io", 443), ("https", "de.sentry.io", 443)
    assert budgets.of(sentry, "7") is budgets.of(sentry, "7")
    assert budgets.of(sentry, "7") is not budgets.of(sentry, "8")
    assert budgets.of(sentry, "7") is not budgets.of(other, "7")


def test_a_budget_is_made_anew_for_another_event_loop() -> None:
    """What waits in a loop that is over cannot be woken from another one."""
    budgets, place = Budgets(VirtualClock()), ("https", "sentry.io", 443)

    async def one() -> Budget:
        return budgets.of(place, "7")

    assert asyncio.run(one()) is not asyncio.run(one())


async def test_a_host_that_failed_often_is_tried_by_one_at_a_time_until_it_is_well() -> None:
    budget = Budget("sentry.example.com", clock=VirtualClock())
    assert await most_at_once(budget, "default", 20) == SELF_HOSTED_CONCURRENCY
    for _ in range(FAILURES):
        budget.breaker.failed()
    assert await most_at_once(budget, "default", 20) == 1
    budget.breaker.answered()
    assert await most_at_once(budget, "default", 20) == SELF_HOSTED_CONCURRENCY


async def test_whoever_waits_for_a_host_to_be_well_goes_on_when_it_is() -> None:
    budget = Budget("sentry.example.com", clock=VirtualClock())
    for _ in range(FAILURES):
        budget.breaker.failed()
    async with budget.slot("default"):
        waiting = asyncio.gather(*(spend(budget, "default", 1) for _ in range(5)))
        await asyncio.sleep(0)
        budget.breaker.answered()
        await asyncio.wait_for(waiting, 5)


@pytest.mark.parametrize("value", ["", "x", "-1", "1e3", "9" * 400, "٣"])
async def test_numbers_that_are_none_are_ignored(value: str) -> None:
    budget = Budget("sentry.example.com", clock=VirtualClock())
    names = ("limit", "remaining", "reset", "concurrentlimit", "concurrentremaining")
    budget.learn("default", 200, {f"x-sentry-rate-limit-{name}": value for name in names})
    assert not budget.enforced
