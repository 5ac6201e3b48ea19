"""The plan of a pull as JSON."""

from __future__ import annotations

from typing import Any

from sentry_connector.extraction.explain import Outlook, SlicePlan, Way
from sentry_connector.operations.pull import Explained
from sentry_connector.reports.model import Report


def explained_view(plan: Explained, report: Report, limit: int | None) -> dict[str, Any]:
    """The plan as JSON."""
    outlook = plan.outlook
    return {
        "report": report.slug,
        "windows": list(plan.windows),
        "limit": limit,
        "slices": [_slice_view(one) for one in plan.slices],
        "rows": outlook.rows,
        "requests": sum(outlook.requests.values()),
        "requests_by_budget": dict(outlook.requests),
        "at_least": outlook.is_open,
        "bound": None if outlook.bound is None else budget_view(outlook, outlook.bound),
        "seconds": round(outlook.seconds, 3),
        "incomplete": [{"scope": one.label, "reason": one.reason} for one in plan.incomplete],
        "requests_for_plan": plan.asked,
    }


def _slice_view(plan: SlicePlan) -> dict[str, Any]:
    start, end = plan.one.span or (None, None)
    return {
        "scope": plan.one.scope.label,
        "start": start,
        "end": end,
        "rows": plan.rows,
        "counted": plan.one.rows,
        "at_least": plan.is_open,
        "url": plan.first.url,
        "ways": [_way_view(way) for way in plan.ways],
    }


def _way_view(way: Way) -> dict[str, Any]:
    return {
        "path": way.endpoint.path,
        "for_each_of": way.endpoint.each.items.path if way.endpoint.each else None,
        "requests": way.cost.total,
        "requests_by_budget": dict(way.cost.requests),
        "bound": way.bound,
        "seconds": round(way.seconds, 3),
        "taken": way.taken,
    }


def budget_view(outlook: Outlook, lane: str) -> dict[str, Any]:
    """What a budget allows."""
    limit = outlook.pace.limit(lane) if outlook.pace else None
    return {
        "budget": lane,
        "requests": limit.requests if limit else None,
        "seconds": limit.seconds if limit else None,
        "at_once": outlook.pace.concurrency(lane) if outlook.pace else None,
    }
