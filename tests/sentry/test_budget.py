from __future__ import annotations

import asyncio

import pytest
from tests.sentry.support import VirtualClock, http_date

from sentry_connector.errors import RateLimited
from sentry_connector.sentry.budget import PUBLISHED, SELF_HOSTED_CONCURRENCY, Budget, ServerClock


def limit_headers(limit: int, remaining: int, reset: float, **more: object) -> dict[str, str]:
    headers = {"limit": limit, "remaining": remaining, "reset": int(reset)} | more
    return {f"x-sentry-rate-limit-{name}": str(value) for name, value in headers.items()}


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
    async with budget.slot("default"):
        budget.learn("default", 200, {"date": http_date(server_now), **limit_headers(40, 0, server_now + 30)})
    await spend(budget, "default", 1)
    assert clock.sleeps == [30.0]


async def test_the_remaining_requests_are_spent_before_waiting() -> None:
    clock = VirtualClock()
    budget = Budget("sentry.io", clock=clock)
    async with budget.slot("default"):
        budget.learn("default", 200, {"date": http_date(clock.time()), **limit_headers(40, 3, clock.time() + 9)})
    await spend(budget, "default", 3)
    assert clock.sleeps == []
    await spend(budget, "default", 1)
    assert clock.sleeps == [9.0]


async def test_an_answer_that_was_overtaken_does_not_give_back_what_is_spent() -> None:
    clock = VirtualClock()
    budget = Budget("sentry.io", clock=clock)
    async with budget.slot("default"):
        budget.learn("default", 200, {"date": http_date(clock.time()), **limit_headers(40, 0, clock.time() + 9)})
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
        await spend(budget, "default", 3)
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
    budget = Budget("sentry.io", clock=clock, max_wait=60, observer=lambda *wait: heard.append(wait))
    budget.learn("default", 429, {"retry-after": "60"})
    await spend(budget, "default", 1)
    budget.learn("default", 429, {"retry-after": "999999999"})
    with pytest.raises(RateLimited) as caught:
        await spend(budget, "default", 1)
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


@pytest.mark.parametrize("ahead", [-86_400.0, 0.0, 0.4, 86_400.0])
def test_the_servers_clock_is_never_believed_to_be_later_than_it_is(ahead: float) -> None:
    clock = VirtualClock()
    server = ServerClock(clock)
    assert server.skew() is None
    for _ in range(20):
        clock.elapsed += 0.37
        server.observe(http_date(float(int(clock.time() + ahead))))
        assert server.now() <= clock.time() + ahead
    assert server.now() > clock.time() + ahead - 0.4


@pytest.mark.parametrize("wrong", [-3600.0, 3600.0])
async def test_one_wrong_date_does_not_outlive_its_own_answer(wrong: float) -> None:
    clock = VirtualClock()
    budget = Budget("sentry.example.com", clock=clock)
    budget.learn("default", 200, {"date": http_date(clock.time() + wrong)})
    async with budget.slot("default"):
        budget.learn("default", 200, {"date": http_date(clock.time()), **limit_headers(40, 0, clock.time() + 30)})
    await spend(budget, "default", 1)
    assert clock.sleeps == [30.0]


def test_a_date_that_is_a_little_early_is_forgotten_in_time() -> None:
    clock = VirtualClock()
    server = ServerClock(clock)
    server.observe(http_date(clock.time() + 4))
    for _ in range(100):
        clock.elapsed += 1
        server.observe(http_date(clock.time()))
    assert server.skew() == 0


@pytest.mark.parametrize("value", ["", "x", "-1", "1e3", "9" * 400, "٣"])
async def test_numbers_that_are_none_are_ignored(value: str) -> None:
    budget = Budget("sentry.example.com", clock=VirtualClock())
    names = ("limit", "remaining", "reset", "concurrentlimit", "concurrentremaining")
    budget.learn("default", 200, {f"x-sentry-rate-limit-{name}": value for name in names})
    assert not budget.enforced
