"""The benchmark's bounds, compared with counting and with the simulated Sentry's own limits."""

from __future__ import annotations

import pytest
from bench.bounds import Budget, bodies, limited, pages, unlimited
from hypothesis import given
from hypothesis import strategies as st

from sentry_connector.simulator.limits import DEFAULT, LIMITS, Limits
from sentry_connector.simulator.refusals import Refusal

EVENTS, ISSUES = Budget(60, 6, 1), Budget(10, 0.1)
LATENCY, CONNECTIONS = 0.05, 25
EPOCH = 1_800_000_000.0
CHAINS = st.lists(st.integers(1, 12), min_size=1, max_size=30)
PHASES = st.floats(0, 6).map(lambda phase: EPOCH + phase)


def limit_of(chains: list[int], budget: Budget, start: float = EPOCH) -> float:
    return limited(chains, budget, latency=LATENCY, connections=CONNECTIONS, start=start)


def test_without_limits_the_connections_or_the_longest_chain_decide() -> None:
    assert unlimited([1] * 200 + [10] * 10, latency=LATENCY, connections=CONNECTIONS) == pytest.approx(0.6)
    assert unlimited([10] * 3, latency=LATENCY, connections=CONNECTIONS) == pytest.approx(0.5)
    assert [pages(rows) for rows in (0, 1, 100, 101)] == [1, 1, 1, 2]


@pytest.mark.parametrize(("phase", "seconds"), [(0.0, 19.0), (3.0, 16.0), (5.02, 15.98), (5.12, 18.98)])
def test_one_at_a_time_the_windows_that_are_begun_count(phase: float, seconds: float) -> None:
    """200 requests: from a window's start 60 in each of three, and 20 in the fourth; begun late, the first holds fewer."""
    assert limit_of([1] * 200, EVENTS, EPOCH + phase) == pytest.approx(seconds)


def test_ten_chains_of_ten_fill_ten_windows() -> None:
    assert limit_of([10] * 10, ISSUES) == pytest.approx(0.95)


@given(CHAINS, PHASES)
def test_a_limit_never_makes_it_faster(chains: list[int], start: float) -> None:
    free = unlimited(chains, latency=LATENCY, connections=CONNECTIONS)
    for budget in (EVENTS, ISSUES):
        assert limit_of(chains, budget, start) >= free - 1e-9


@given(CHAINS, PHASES)
def test_a_limit_that_binds_nothing_leaves_the_bound_of_whole_rounds(chains: list[int], start: float) -> None:
    """With chains the rounds are whole, so the time is a multiple of the latency, at most one round and one chain above."""
    free = unlimited(chains, latency=LATENCY, connections=CONNECTIONS)
    assert limit_of(chains, Budget(10**6, 60), start) <= free + max(chains) * LATENCY + 1e-9


@given(PHASES, st.integers(1, 150))
def test_what_it_counts_to_a_window_the_simulated_sentry_admits(start: float, count: int) -> None:
    """Requests one after the other, at the instants of the bound: none is refused, and none could start earlier."""
    limits, now, refused = Limits(10), start, 0
    for _ in range(count):
        while True:
            try:
                with limits.admitted("project-events", "user", "user:1", now):
                    break
            except Refusal:
                refused += 1
                now = (now * 10 // 60 + 1) * 6 + 1e-6
        now += LATENCY
    assert now - start == pytest.approx(limit_of([1] * count, EVENTS, start), abs=LATENCY + 1e-3)


def test_the_budgets_are_those_of_the_simulated_sentry() -> None:
    from bench.workloads import DEFAULT_LISTS, ISSUE_LISTS, PROJECT_EVENTS  # noqa: PLC0415

    told = {
        PROJECT_EVENTS: LIMITS["project-events"]["user"],
        ISSUE_LISTS: LIMITS["issues"]["user"],
        DEFAULT_LISTS: DEFAULT,
    }
    for budget, limit in told.items():
        assert (budget.requests, budget.window, budget.concurrent) == (limit.requests, limit.window, limit.concurrent)


def test_full_events_take_the_list_of_issues_and_the_lists_of_ten_of_each() -> None:
    sizes = [1] * 200 + [55] * 40
    lists = Budget(40, 0.1, 25)
    seconds = bodies(sizes, lists, latency=LATENCY, connections=CONNECTIONS, start=EPOCH)
    listing = pages(240) * LATENCY
    assert seconds == pytest.approx(listing + limit_of([1] * (200 + 40 * 6), lists, EPOCH + listing))
