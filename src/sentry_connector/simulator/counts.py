"""Event counts: series of buckets, counted from the very events and outcomes that the other endpoints give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from sentry_connector.simulator.call import RETENTION, Answer, Call
from sentry_connector.simulator.model import Project, between
from sentry_connector.simulator.population import FILTER_REASONS
from sentry_connector.simulator.refusals import Refusal, refuse

RESOLUTIONS = {"10s": 10, "1h": 3600, "1d": 86400}
AUTOMATIC = ((3600, 10), (7 * 86400, 3600))
MOST_BUCKETS = 10_000
"""Sentry reads no more (key, bucket) pairs than this, newest first, and calls the rest 0."""

SUMMARIES = ("received", "rejected", "blacklisted")
Series = list[list[float]]


def organization_stats(call: Call) -> Answer:
    """`O/stats/`: unknown `stat`s are a permanent 500; `group=project` counts the projects of the user's teams."""
    organization, stat = call.organization(), call.get("stat") or "received"
    grouped = call.get("group") == "project"
    if stat not in SUMMARIES and not (stat == "generated" and grouped):
        raise Refusal.internal_error()
    buckets, width = _buckets(call)
    if grouped:
        mine = [project for project in organization.projects if call.access.is_in(project)]
        chosen = [one for one in mine if not call.all("projectID") or one.id in call.all("projectID")]
        return Answer({one.id: _series(call, [one], stat, buckets, width) for one in chosen})
    return Answer(_series(call, organization.projects, stat, buckets, width))


def project_stats(call: Call) -> Answer:
    """`P/stats/`."""
    project, stat = call.project(), call.get("stat") or "received"
    if stat not in (*SUMMARIES, "generated", *FILTER_REASONS):
        raise Refusal.internal_error() if call.era == "old" else refuse(400, f"Invalid stat: {stat}")
    return Answer(_series(call, [project], stat, *_buckets(call)))


def team_stats(call: Call) -> Answer:
    """`T/stats/`: ignores `stat`, and answers nothing to who is not a member."""
    team = call.team()
    buckets, width = _buckets(call)
    if not team.projects or not call.access.is_in(team):
        return Answer([])
    return Answer(_series(call, team.projects, "generated", buckets, width))


def bucket_starts(since: float, until: float, width: int) -> list[int]:
    """The buckets of a span: walking back from `until`, so that of `since` may be missing."""
    steps = int((until - since) // width)
    return [int((until - step * width) // width) * width for step in range(steps, -1, -1)]


def project_series(project: Project, stat: str, buckets: Sequence[int], width: int) -> Counter[int]:
    """How often each bucket's `stat` happened in a project."""
    if not buckets:
        return Counter()
    first, last = buckets[0], buckets[-1] + width
    return Counter(int(time // width) * width for time in _times(project, stat, first, last))


def _series(call: Call, projects: Sequence[Project], stat: str, buckets: Sequence[int], width: int) -> Series:
    most = max(1, MOST_BUCKETS // max(1, len(projects)))
    read = [one for one in buckets if one + width > call.now - RETENTION][-most:]
    total: Counter[int] = Counter()
    for project in projects:
        total += project_series(project, stat, read, width)
    return [[float(bucket) if call.era == "old" else bucket, total[bucket]] for bucket in buckets]


def _times(project: Project, stat: str, start: int, end: int) -> Iterable[int]:
    """When the counted things happened; received = stored, limited and filtered, and transactions are no errors."""
    if stat in ("received", "generated"):
        yield from (event.time for event in between(project.events, start, end))
    for outcome in project.outcomes:
        if start <= outcome.time < end and _counts(outcome.kind, outcome.reason, stat):
            yield outcome.time


def _counts(kind: str, reason: str, stat: str) -> bool:
    if stat in FILTER_REASONS:
        return reason == stat
    wanted = {
        "received": ("rate_limited", "filtered", "lost"),
        "generated": ("lost",),
        "rejected": ("rate_limited",),
        "blacklisted": ("filtered",),
    }
    return reason != "filtered-transaction" and kind in wanted.get(stat, ())


def _buckets(call: Call) -> tuple[list[int], int]:
    since, until = _span(call)
    chosen = call.get("resolution")
    if chosen and chosen not in RESOLUTIONS:
        raise refuse(400, "Invalid resolution")
    width = RESOLUTIONS[chosen] if chosen else next((fine for most, fine in AUTOMATIC if until - since <= most), 86400)
    return bucket_starts(since, until, width), width


def _span(call: Call) -> tuple[float, float]:
    """Default: the last 24 hours, less a second."""
    try:
        until = float(call.get("until") or call.now)
        since = float(call.get("since") or until - 86399)
    except ValueError:
        raise refuse(400, "since and until must be numbers") from None
    if since > until:
        raise refuse(400, "since must be before until")
    return since, until
