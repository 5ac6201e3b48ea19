"""Bounds: how fast a list of requests can be at best, as arithmetic. No clock, no network.

What a request costs beside waiting (the server's own work, the connector's) is left out on purpose: nothing can be faster.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PAGE = 100
BODIES_PAGE = 10
"""Rows a page: of lists, and of lists of events with bodies."""

ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Budget:
    """A rate limit: `requests` in each window of `window` seconds, `concurrent` at once (None: as many as one likes).

    Windows are fixed and aligned to the epoch, as Sentry's are: they end at multiples of their length in unix seconds.
    """

    requests: int
    window: float
    concurrent: int | None = None


def pages(rows: int, size: int = PAGE) -> int:
    """How many requests a list of so many rows takes: max(1, ⌈rows / size⌉); an empty list is asked for, too."""
    return max(1, math.ceil(rows / size))


def unlimited(chains: Iterable[int], *, latency: float, connections: int) -> float:
    """Seconds without limits: max(requests × latency / connections, longest chain × latency).

    Args:
        chains: how many requests must follow one another, for each list; `[1] * n` where all n pages can be asked for at once.
        latency: what a request takes, seconds.
        connections: how many there are.
    """
    lengths = list(chains)
    return max(sum(lengths) * latency / connections, max(lengths, default=0) * latency)


def limited(chains: Iterable[int], budget: Budget, *, latency: float, connections: int, start: float) -> float:
    """Seconds that an ideal scheduler takes under a limit.

    At every instant it starts as many requests as the window, the limit on concurrency and the connections leave, and takes
    those first that have the longest chain before them; which requests are counted to a window is decided by their start.

    Args:
        chains: as for `unlimited`.
        budget: the limit.
        latency: what a request takes, seconds.
        connections: how many there are.
        start: when the first request starts, unix seconds: its phase in the window counts.
    """
    ready = [-length for length in chains if length]
    heapq.heapify(ready)
    running: list[tuple[float, int]] = []
    slots = min(connections, budget.concurrent or connections)
    # Counted from the start of the window that `start` lies in: small numbers have finer fractions.
    now = end = began = start / budget.window % 1 * budget.window
    window, used = 0, 0
    while ready or running:
        while ready and len(running) < slots and used < budget.requests:
            heapq.heappush(running, (now + latency, heapq.heappop(ready) + 1))
            used += 1
        now = min(_instants(ready, running, slots, (window + 1) * budget.window))
        if math.floor(now / budget.window + ROUNDING) > window:
            window, used = math.floor(now / budget.window + ROUNDING), 0
        while running and running[0][0] <= now + ROUNDING:
            end, rest = heapq.heappop(running)
            if rest:
                heapq.heappush(ready, rest)
    return end - began


def bodies(sizes: Sequence[int], lists: Budget, *, latency: float, connections: int, start: float) -> float:
    """Seconds of the cheapest way under limits to the full events of a project whose issues have so many events.

    The issues are listed: ⌈issues / 100⌉ requests, one after the other. Then the events come by lists of ten, issue by issue:
    ⌈events / 10⌉ requests each. Single events, which have a limit of their own, are no part of it, since their rows are not
    equal to those of the lists; nor is the project's own list: one request at a time, it would bring less than a tenth meanwhile.

    Args:
        sizes: how many events each issue has.
        lists: the budget of lists of an issue's events.
        latency: what a request takes, seconds.
        connections: how many there are.
        start: when the first request starts, unix seconds.
    """
    listing = pages(len(sizes)) * latency
    requests = sum(pages(size, BODIES_PAGE) for size in sizes)
    return listing + limited([1] * requests, lists, latency=latency, connections=connections, start=start + listing)


def _instants(ready: list[int], running: list[tuple[float, int]], slots: int, window_end: float) -> Iterable[float]:
    """When something can change: a request ends, or, where requests wait for it alone, the window does."""
    if running:
        yield running[0][0]
    if ready and len(running) < slots:
        yield window_end
