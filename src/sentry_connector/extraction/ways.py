"""Which of equal ways to the same rows is the cheapest, and how long a plan takes. Arithmetic only."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sentry_connector.extraction.plan import Slice, alternatives
from sentry_connector.reports.details import Details
from sentry_connector.reports.model import Endpoint, Paging, Report
from sentry_connector.sentry.client import SentryClient
from sentry_connector.sentry.lane import Limit, lane_of

USUAL_LATENCY = 0.25
"""Seconds that an answer of Sentry takes where none was measured yet."""

ITEMS_PER_ROW = 0.1
"""Items of a list that fills a placeholder, for each row that they lead to, where nobody has counted them: an issue to ten
events."""

WORTH = 2.0
"""A way of more requests is taken only where it is so many times as fast."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How fast a server may be asked.

    Attributes:
        limit: of a lane; None where the server enforces none.
        concurrency: requests at once in a lane.
        latency: seconds that an answer takes.
    """

    limit: Callable[[str], Limit | None]
    concurrency: Callable[[str], int]
    latency: float = USUAL_LATENCY


def pace_of(client: SentryClient, url: str) -> Pace:
    """How fast the host of a base URL may be asked, as far as a client knows."""
    budget = client.budget(url)
    return Pace(limit=budget.limit, concurrency=budget.concurrency, latency=client.usage.latency or USUAL_LATENCY)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What a way to some rows takes.

    Attributes:
        requests: by lane.
        chain: requests of which each has to wait for the answer to the one before.
    """

    requests: Mapping[str, int] = field(default_factory=dict)
    chain: int = 0

    def __add__(self, other: Cost) -> Cost:
        """Both, side by side."""
        both = Counter(self.requests) + Counter(other.requests)
        return Cost(requests=both, chain=max(self.chain, other.chain))

    def then(self, other: Cost) -> Cost:
        """Both, where the second begins with what the first one brings."""
        return replace(self + other, chain=self.chain + other.chain)

    @property
    def total(self) -> int:
        """All requests."""
        return sum(self.requests.values())

    def seconds(self, pace: Pace) -> float:
        """How long they take at the least, all lanes at once."""
        lanes = (_seconds(lane, count, pace) for lane, count in self.requests.items())
        return max(self.chain * pace.latency, *lanes, 0.0)

    def bound(self, pace: Pace) -> str | None:
        """The lane that takes longest; None where there is nothing to do."""
        by_time = {lane: _seconds(lane, count, pace) for lane, count in self.requests.items()}
        return max(by_time, key=by_time.__getitem__, default=None)


def _seconds(lane: str, requests: int, pace: Pace) -> float:
    """A window's requests may all start at once; each further window has to be waited for."""
    at_once = requests * pace.latency / max(1, pace.concurrency(lane))
    limit = pace.limit(lane)
    if limit is None:
        return at_once
    windows = (math.ceil(requests / limit.requests) - 1) * limit.seconds
    last = requests - limit.requests * (math.ceil(requests / limit.requests) - 1)
    return max(at_once, windows + last * pace.latency / max(1, pace.concurrency(lane)))


def cost_of(endpoint: Endpoint, rows: int, items: int | None = None) -> Cost:
    """The requests that an endpoint takes for so many rows.

    Args:
        endpoint: one that is asked for the list itself, or for each item of another list.
        rows: that it will give.
        items: how many there are of the list that fills its placeholder; None where nobody has counted them.
    """
    if endpoint.paging is Paging.NONE:
        return Cost(requests={lane_of(endpoint.family): 1}, chain=1)
    if endpoint.each is None:
        return Cost(requests={lane_of(endpoint.family): max(1, math.ceil(rows / endpoint.page_size))}, chain=1)
    items = math.ceil(rows * ITEMS_PER_ROW) if items is None else items
    # Each item has a page that is not full, half of one as a rule.
    pages = min(rows, math.ceil(rows / endpoint.page_size + items / 2)) if rows else items
    return cost_of(endpoint.each.items, items).then(Cost(requests={lane_of(endpoint.family): pages}, chain=1))


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Rows of a slice: the endpoint that they are asked of, and how many there will be; None where nobody has counted them."""

    endpoint: Endpoint
    rows: int | None

    def equal(self, pace: Pace) -> Endpoint:
        """The fastest of the endpoint's equals, the endpoint itself where there is none or nobody has counted the rows."""
        if self.rows is None:
            return self.endpoint
        rows = self.rows
        return min(self.endpoint.equal, key=lambda one: cost_of(one, rows).seconds(pace), default=self.endpoint)


def cheapest(wanted: Sequence[Wanted], pace: Pace) -> list[Endpoint]:
    """The endpoint of each slice of a host, or one of its equals where all slices together come much faster that way.

    The slices share the host's budgets: where the endpoints' own budget would take long, the larger slices are read by an equal
    that draws from another one, as many of them as bring the end forward.
    """
    own = [one.endpoint for one in wanted]
    equals = [one.equal(pace) for one in wanted]
    movable = [number for number, one in enumerate(wanted) if equals[number] is not one.endpoint]
    movable.sort(key=lambda number: wanted[number].rows or 0, reverse=True)

    def costs(endpoints: Sequence[Endpoint], numbers: Iterable[int]) -> list[Cost]:
        """Of none of these slices, of the first one, of the first two and so on."""
        each = (cost_of(endpoints[number], wanted[number].rows or 0) for number in numbers)
        return list(itertools.accumulate(each, initial=Cost()))

    staying = costs(own, set(range(len(wanted))) - set(movable))[-1]
    by_equal, by_own = costs(equals, movable), costs(own, reversed(movable))[::-1]
    seconds = [(staying + some + rest).seconds(pace) for some, rest in zip(by_equal, by_own, strict=True)]
    best = min(range(len(seconds)), key=seconds.__getitem__)
    moved = set(movable[:best] if seconds[best] * WORTH < seconds[0] else ())
    return [equals[number] if number in moved else own[number] for number in range(len(wanted))]


Choose = Callable[[Sequence[Wanted], Pace], Sequence[Endpoint]]
"""Which of its endpoint and the equals of that each slice of a host asks, by the rows that are expected and the server's pace."""


def chosen(
    report: Report, details: Details, slices: Sequence[Slice], pace: Callable[[str], Pace], choose: Choose
) -> dict[str, Endpoint]:
    """Slice id → the endpoint that it is read by: one of the report's first way, chosen for all slices of a host together.

    Args:
        report, details: what is read.
        slices: the plan.
        pace: how fast the host of a base URL may be asked.
        choose: picks among equal ways.
    """
    by_host: dict[str, list[Slice]] = {}
    for one in slices:
        by_host.setdefault(one.scope.url, []).append(one)
    found: dict[str, Endpoint] = {}
    for url, there in by_host.items():
        wanted = [Wanted(endpoint=alternatives(report, details, one)[0].endpoint, rows=one.rows) for one in there]
        found |= zip((one.id for one in there), choose(wanted, pace(url)), strict=True)
    return found


def rows_per_list(rows: int, page_size: int, concurrency: int) -> int:
    """How many rows each of several lists should have, so that they keep so many requests busy without much waste.

    Each list ends with a page that is not full, and its pages come one after another.
    """
    if concurrency == 1:
        return max(1, rows)
    return min(50 * page_size, max(3 * page_size, math.ceil(rows / (2 * concurrency))))


def total(costs: Iterable[Cost]) -> Cost:
    """What all of them take together."""
    return sum(costs, Cost())
