"""The plan of a pull, in words and as JSON."""

from __future__ import annotations

from collections.abc import Mapping

from sentry_connector.cli.output import note, note_days, print_json, print_line
from sentry_connector.cli.tables import print_fields, print_table
from sentry_connector.extraction.explain import Outlook, SlicePlan, Way
from sentry_connector.operations.explained import budget_view, explained_view
from sentry_connector.operations.pull import Explained
from sentry_connector.reports.model import Endpoint, Report

HEADINGS = ("scope", "from", "to", "rows", "asked", "budgets", "requests", "seconds", "taken")

ANSWERS = "answers that wait for one another"
"""What bounds a plan that no budget bounds."""


def print_explained(plan: Explained, report: Report, limit: int | None, *, as_json: bool) -> None:
    """The plan on standard output; the resolved dates on standard error."""
    if as_json:
        print_json(explained_view(plan, report, limit))
        return
    note_days(plan.windows)
    for one in plan.incomplete:
        note(f"Missing: {one.label}: {one.reason}")
    print_table(HEADINGS, [_row(one, way) for one in plan.slices for way in one.ways])
    print_line("")
    least = "at least " if plan.outlook.is_open else ""
    print_fields(
        {
            "slices": len(plan.slices),
            "rows": _rows(plan, limit),
            "requests": f"{least}{sum(plan.outlook.requests.values()):,}",
            "bounded by": _bound(plan.outlook),
            "time": f"{least}{_time(plan.outlook.seconds)}",
            "asked for this plan": f"{plan.asked:,} request{'' if plan.asked == 1 else 's'}",
        }
    )


def _row(plan: SlicePlan, way: Way) -> list[object]:
    start, end = plan.one.span or (None, None)
    taken = way.taken if len(plan.ways) > 1 else None
    least = "≥ " if plan.is_open else ""
    rows = "" if plan.rows is None else f"{plan.rows:,}"
    requests, seconds = f"{least}{way.cost.total:,}", f"{least}{way.seconds:.2f}"
    return [
        plan.one.scope.label,
        start,
        end,
        rows,
        _asked(way.endpoint),
        _lanes(way.cost.requests),
        requests,
        seconds,
        taken,
    ]


def _asked(endpoint: Endpoint) -> str:
    """The path of an endpoint, and the list whose items it is asked for."""
    return f"{endpoint.path} for each of {endpoint.each.items.path}" if endpoint.each else endpoint.path


def _lanes(requests: Mapping[str, int]) -> str:
    return ", ".join(f"{lane} {count:,}" for lane, count in requests.items())


def _rows(plan: Explained, limit: int | None) -> str:
    if limit is not None:
        return f"{limit:,} at the most"
    if plan.outlook.rows is not None:
        return f"{plan.outlook.rows:,}"
    counted = [one.one.rows for one in plan.slices]
    if None in counted:
        return "not counted beforehand"
    return f"those of {sum(number or 0 for number in counted):,} events"


def _bound(outlook: Outlook) -> str:
    if outlook.bound is None:
        return ANSWERS
    view = budget_view(outlook, outlook.bound)
    at_once = f"{view['at_once']} at once"
    if view["requests"] is None:
        return f"{outlook.bound}: {at_once}"
    return f"{outlook.bound}: {view['requests']} requests in {view['seconds']:g} s, {at_once}"


def _time(seconds: float) -> str:
    """A time in words: seconds to a tenth, from two minutes on in minutes, from two hours on in hours."""
    if seconds < 120:  # noqa: PLR2004  # see above
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"  # noqa: PLR2004  # see above
