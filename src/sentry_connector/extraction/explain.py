"""What a plan will take before it is carried out: rows, requests, the budget that bounds it, time. Arithmetic only."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sentry_connector.extraction.plan import RESOLUTIONS, Slice, alternatives
from sentry_connector.extraction.survey import Survey
from sentry_connector.extraction.ways import Choose, Cost, Pace, chosen, cost_of, rows_per_list, total
from sentry_connector.reports.details import Details
from sentry_connector.reports.model import Endpoint, Paging, Report, Shape
from sentry_connector.sentry.wire import Request


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One of equal ways to a slice's rows.

    Attributes:
        endpoint: that is asked.
        cost: requests.
        seconds: that they take at the least, for this slice alone.
        bound: the lane that takes longest.
        taken: whether this way is the one that is gone.
    """

    endpoint: Endpoint
    cost: Cost
    seconds: float
    bound: str | None
    taken: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class SlicePlan:
    """What is expected of a slice.

    Attributes:
        one: the slice.
        rows: of the report; None where Sentry does not tell how many there will be.
        first: the first request.
        ways: the one that is taken, and its equals.
    """

    one: Slice
    rows: int | None
    first: Request
    ways: tuple[Way, ...]

    @property
    def taken(self) -> Way:
        """The way that is gone."""
        return next(way for way in self.ways if way.taken)

    @property
    def is_open(self) -> bool:
        """Whether there may be more pages than the one that is reckoned with, since nobody has counted the rows."""
        return self.one.rows is None and self.taken.endpoint.paging is not Paging.NONE


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    """What is expected of all slices together.

    Attributes:
        rows: None where those of a slice are not known.
        requests: by lane.
        seconds: that it takes at the least: all lanes and hosts at once.
        bound: the lane that takes longest; None where one answer after another takes longer than any lane, or nothing is asked.
        pace: of the host that takes longest; None where nothing is asked.
        is_open: there may be more requests, and it may take longer.
    """

    rows: int | None
    requests: Mapping[str, int]
    seconds: float
    bound: str | None
    pace: Pace | None
    is_open: bool


def explained(
    report: Report,
    details: Details,
    slices: Sequence[Slice],
    surveys: Mapping[str, Survey],
    pace_of: Callable[[str], Pace],
    choose: Choose,
) -> tuple[SlicePlan, ...]:
    """What is expected of each slice, in their order; on a server that has the report's first endpoint.

    Args:
        report, details: what is read.
        slices: the plan.
        surveys: scope id → where its rows lie in time, for scopes of which that is known.
        pace_of: how fast the host of a base URL may be asked.
        choose: picks among equal ways.
    """
    rows = sum(one.rows or 0 for one in slices)
    taken = chosen(report, details, slices, pace_of, choose)
    return tuple(
        _slice(report, details, one, surveys.get(one.scope.id), rows, pace_of(one.scope.url), taken[one.id])
        for one in slices
    )


def outlook(plans: Sequence[SlicePlan], pace_of: Callable[[str], Pace]) -> Outlook:
    """What is expected of all slices together."""
    by_host = {
        url: total(plan.taken.cost for plan in plans if plan.one.scope.url == url)
        for url in dict.fromkeys(plan.one.scope.url for plan in plans)
    }
    slowest = max(by_host, key=lambda url: by_host[url].seconds(pace_of(url)), default=None)
    rows = [plan.rows for plan in plans]
    return Outlook(
        rows=None if None in rows else sum(number or 0 for number in rows),
        requests=total(by_host.values()).requests,
        seconds=0.0 if slowest is None else by_host[slowest].seconds(pace_of(slowest)),
        bound=None if slowest is None else _bound(by_host[slowest], pace_of(slowest)),
        pace=None if slowest is None else pace_of(slowest),
        is_open=any(plan.is_open for plan in plans),
    )


def _slice(
    report: Report, details: Details, one: Slice, survey: Survey | None, all_rows: int, pace: Pace, taken: Endpoint
) -> SlicePlan:
    best = alternatives(report, details, one)[0]
    ways = []
    for endpoint in (best.endpoint, *best.endpoint.equal):
        cost = total([_cost(endpoint, one, survey, all_rows, pace)] * len(best.requests))
        ways.append(
            Way(
                endpoint=endpoint,
                cost=cost,
                seconds=cost.seconds(pace),
                bound=_bound(cost, pace),
                taken=endpoint is taken,
            )
        )
    return SlicePlan(one=one, rows=_rows(report, details, one), first=best.requests[0], ways=tuple(ways))


def _cost(endpoint: Endpoint, one: Slice, survey: Survey | None, all_rows: int, pace: Pace) -> Cost:
    """Of one way; a list is read in parts of its span, and each part ends with a page that is not full."""
    if survey is None or one.span is None or endpoint.each is not None:
        return cost_of(endpoint, one.rows or 0)
    rows = survey.between(one.span)
    parts = max(1, math.ceil(rows / rows_per_list(all_rows, endpoint.page_size, pace.concurrency(endpoint.family))))
    each = math.ceil(rows / parts)
    # Rows of a part's pages are asked for one page after another.
    return Cost(
        requests=total([cost_of(endpoint, each)] * parts).requests, chain=max(1, math.ceil(each / endpoint.page_size))
    )


def _rows(report: Report, details: Details, one: Slice) -> int | None:
    """The rows of a slice: a count has one for each bucket, and nobody counts the entries of events."""
    if report.shape is Shape.POINTS and one.span is not None and one.span[0] is not None:
        return round((one.span[1] - one.span[0]).total_seconds() / RESOLUTIONS[details.resolution or "1h"])
    return None if report.shape is Shape.ENTRIES else one.rows


def _bound(cost: Cost, pace: Pace) -> str | None:
    """The lane that takes longest, if it takes longer than the answers that wait for one another."""
    lanes = Cost(requests=cost.requests)
    return lanes.bound(pace) if lanes.seconds(pace) >= cost.chain * pace.latency else None
