"""Issues: the lists of an organization and of a project, one issue, and the two ways to an issue's id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

from sentry_connector.simulator.call import Answer, Call
from sentry_connector.simulator.counts import bucket_starts
from sentry_connector.simulator.events import event_type, iso, metadata
from sentry_connector.simulator.model import Event, Issue, Project, between
from sentry_connector.simulator.pages import Page, by_key, limit
from sentry_connector.simulator.refusals import refuse

Json = dict[str, Any]
DEFAULT_QUERY = "is:unresolved"
STATES = ("unresolved", "resolved", "ignored")
PERIODS = {"24h": (86400, 3600), "14d": (14 * 86400, 86400), "30d": (30 * 86400, 86400)}
TOTALS = ("count", "userCount", "firstSeen", "lastSeen")
EXPANDED: Json = {
    "inbox": {"reason": 0, "reason_details": None, "date_added": "2026-01-01T00:00:00Z"},
    "owners": {"type": "ownershipRule", "owner": "team:1", "date_added": "2026-01-01T00:00:00Z"},
    "integrationIssues": [],
    "sentryAppIssues": [],
    "latestEventHasAttachments": False,
}
DERIVED: Json = {
    "blocker": "none",
    "progress": "none",
    "status": "open",
    "viewCount": 0,
    "hasOpenFixPr": False,
    "hasRootCause": False,
    "lastCompletedAutofixStep": "none",
    "lastProgressedAt": None,
}
SORTS: dict[str, Callable[[Sequence[Event], Issue], float]] = {
    "date": lambda events, _issue: events[-1].time * 1000,
    "new": lambda _events, issue: issue.first_seen * 1000,
    "freq": lambda events, _issue: len(events),
    "user": lambda events, _issue: _users(events),
}


class Seen(NamedTuple):
    """An issue with those of its events that lie in the window asked for; it sorts as Sentry's lists do, the last first."""

    score: float
    number: int
    issue: Issue
    events: Sequence[Event]


_SCORE = attrgetter("score")


@dataclass(frozen=True, slots=True)
class Sparkline:
    """The counts of a period that rows bear; without a period they bear none.

    Attributes:
        starts: where its buckets start, unix seconds.
        width: how long each of them is, seconds.
        quiet: the points of an issue without events in the period.
    """

    period: str
    starts: Sequence[float]
    width: int
    quiet: Sequence[Sequence[float]]

    @classmethod
    def of(cls, call: Call, period: str) -> Sparkline:
        """The sparkline that ends now."""
        if not period:
            return cls(period, (), 1, ())
        length, width = PERIODS[period]
        starts: Sequence[float] = bucket_starts(call.now - length + 1, call.now, width)
        if call.era == "old":
            starts = [float(start) for start in starts]
        return cls(period, starts, width, [[start, 0] for start in starts])

    def points(self, one: Issue) -> Sequence[Sequence[float]]:
        """How many events of the issue fell into each bucket."""
        if one.last_seen < self.starts[0]:
            return self.quiet
        found = Counter(event.time // self.width * self.width for event in between(one.events, self.starts[0], None))
        return [[start, found[int(start)]] for start in self.starts]

    def stats(self, one: Issue) -> Json:
        """The field of a row, where there is a period."""
        return {"stats": {self.period: self.points(one)}} if self.period else {}


def organization_issues(call: Call) -> Answer:
    """`O/issues/`: issues with events in the window, which their top-level totals count; whole life in `lifetime`."""
    projects = _projects(call)
    start, end = call.window()
    tell = _organization_row(call)
    if call.all("group"):
        wanted = set(call.all("group"))
        found = [one for project in projects for one in project.issues if one.id in wanted]
        return Answer([tell(one, one.events) for one in found])
    page = _page(call, projects, call.get("sort") or "date", start, end)
    return call.answer(page, lambda seen: tell(seen.issue, seen.events))


def project_issues(call: Call) -> Answer:
    """`P/issues/`: reads no window; `statsPeriod` only picks the sparkline."""
    project = call.project()
    period = "24h" if call.get("statsPeriod") is None else call.get("statsPeriod") or ""
    if period not in ("", "24h", "14d"):
        raise refuse(400, "Invalid stats_period. Valid choices are '', '24h', and '14d'")
    query, sparkline = call.get("query"), Sparkline.of(call, period)
    if call.flag("shortIdLookup") and query:
        found = [one for one in project.issues if one.short_id == query.upper()]
        if found:
            return Answer([issue_row(call, one, one.events) | sparkline.stats(one) for one in found])
    page = _page(call, [project], "date")
    return call.answer(page, lambda seen: issue_row(call, seen.issue, seen.events) | sparkline.stats(seen.issue))


def issue(call: Call) -> Answer:
    """`O/issues/{id}/` and the legacy `issues/{id}/`: a merged id answers with the issue that survived."""
    one = call.issue()
    reports = sum(report.event.issue is one for report in one.project.feedback)
    extra = {"activity": [], "seenBy": [], "participants": [], "tags": [], "userReportCount": reports}
    row = issue_row(call, one, one.events) | extra | {"firstRelease": None, "lastRelease": None}
    return Answer(row | {"stats": {period: Sparkline.of(call, period).points(one) for period in ("24h", "30d")}})


def short_id(call: Call) -> Answer:
    """`O/shortids/{short}/`: which issue a short id means."""
    organization, wanted = call.organization(), call.segments["short"].upper()
    for project in organization.projects:
        for one in project.issues:
            if one.short_id == wanted:
                return Answer(_short_id(call, one))
    raise refuse(404)


def _short_id(call: Call, one: Issue) -> Json:
    return {
        "organizationSlug": one.project.organization.slug,
        "projectSlug": one.project.slug,
        "groupId": one.id,
        "group": issue_row(call, one, one.events),
        "shortId": one.short_id,
    }


def multi_project_refusal(call: Call) -> Answer:
    """What servers of 2019 say on `O/issues/`."""
    call.organization()
    raise refuse(400, "You do not have the multi project stream feature enabled")


# ---- choosing


def _projects(call: Call) -> list[Project]:
    """The projects named by id or slug; -1 = all; none named = those of the user's teams."""
    every, wanted = call.organization().projects, set(call.all("project"))
    if "-1" in wanted:
        return every
    if not wanted:
        return [one for one in every if call.access.is_in(one) or not call.access.has_user]
    found = [one for one in every if {one.id, one.slug} & wanted]
    if len(found) < len(wanted):
        raise refuse(403)
    return found


def _page(
    call: Call, projects: Sequence[Project], sort: str, start: float | None = None, end: float | None = None
) -> Page[Seen]:
    """One page of the issues with events in [start, end). A status filter works after the page is cut, as Sentry's does."""
    if sort not in SORTS:
        raise refuse(400, f"Invalid sort: {sort}")
    query, score = call.get("query"), SORTS[sort]
    words, state = _parse(DEFAULT_QUERY if query is None else query)
    found = [
        Seen(score(events, one), int(one.id), one, events)
        for project in projects
        for one in project.issues
        if (events := between(one.events, start, end))
    ]
    if words:
        found = [seen for seen in found if all(_matches(seen.issue, word) for word in words)]
    found.sort(reverse=True)
    keep = (lambda seen: seen.issue.status == state) if state else None
    return call.paged(by_key, found, _SCORE, size=limit(call.get("limit")), keep=keep)


def _parse(query: str) -> tuple[list[str], str | None]:
    """The words of a search, and the status that its `is:` asks for."""
    words, state = [], None
    for word in query.split():
        key, _, value = word.partition(":")
        if key == "is" and value in STATES:
            state = value
        elif key == "is":
            raise refuse(400, f'Invalid value for "is" search, valid values are {sorted(STATES)}')
        else:
            words.append(word)
    return words, state


def _matches(one: Issue, word: str) -> bool:
    key, colon, value = word.partition(":")
    if colon and key == "issue.category":
        return value == _category(one)
    if colon and key == "issue":
        return one.short_id == value.upper()
    if colon and key == "project":
        return one.project.slug == value
    return word.lower() in one.title.lower()


# ---- rows


def _organization_row(call: Call) -> Callable[[Issue, Sequence[Event]], Json]:
    """How `O/issues/` tells an issue: `expand` adds fields, `collapse` takes some away."""
    wanted, gone, sparkline = call.all("expand"), _collapsed(call), Sparkline.of(call, _period(call))
    expanded = {key: EXPANDED[key] for key in wanted if key in EXPANDED}
    if "sessions" in wanted:
        expanded["sessionCount"] = 0

    def tell(one: Issue, events: Sequence[Event]) -> Json:
        row = issue_row(call, one, events)
        lifetime = {key: row[key] for key in TOTALS} if events is one.events else _totals(one.events)
        row |= {"lifetime": lifetime | {"stats": None}, "filtered": None, **expanded}
        row |= sparkline.stats(one)
        for name in gone:
            row.pop(name, None)
        return row

    return tell


def _collapsed(call: Call) -> set[str]:
    """The fields that `collapse` leaves out; `stats` and `lifetime` take the totals of the top level with them."""
    gone = {"filtered": ("filtered",), "unhandled": ("isUnhandled",), "lifetime": ("lifetime", *TOTALS)}
    gone["stats"] = ("stats", "lifetime", *TOTALS)
    return {name for one in call.all("collapse") for name in gone.get(one, ())}


def _period(call: Call) -> str:
    period = call.get("groupStatsPeriod")
    if period not in (None, "", "24h", "14d", "auto"):
        raise refuse(400, "Invalid stats_period. Valid choices are '', '24h', and '14d'")
    return "24h" if period in (None, "auto") else str(period)


def issue_row(call: Call, one: Issue, events: Sequence[Event]) -> Json:
    """What all rows about an issue have in common; its totals are those of the events given."""
    project = one.project
    row: Json = {
        "id": one.id,
        "shareId": None,
        "shortId": one.short_id,
        "title": one.title,
        "culprit": one.culprit,
        "permalink": f"{call.link_url}/organizations/{project.organization.slug}/issues/{one.id}/",
        "logger": None,
        "level": one.level,
        "status": one.status,
        "statusDetails": {},
        "isPublic": False,
        "project": {"id": project.id, "name": project.name, "slug": project.slug, "platform": project.platform},
        "type": event_type(one),
        "metadata": metadata(one),
        "numComments": one.comments,
        "assignedTo": _assignee(one),
        "isBookmarked": False,
        "isSubscribed": False,
        "subscriptionDetails": None,
        "hasSeen": int(one.id) % 2 == 0,
        "annotations": [],
        **_totals(events),
    }
    return row if call.era == "old" else row | _young_fields(one)


def _young_fields(one: Issue) -> Json:
    """What servers of 2019 did not tell yet."""
    return {
        "platform": one.project.platform,
        "substatus": one.substatus,
        "priority": one.priority,
        "priorityLockedAt": None,
        "issueType": "performance_n_plus_one_db_queries" if one.is_transaction else "error",
        "issueCategory": _category(one),
        "isUnhandled": one.level == "error",
        "seerFixabilityScore": None,
        "seerAutofixLastTriggered": None,
        "seerExplorerAutofixLastTriggered": None,
        "matchingEventId": None,
        "matchingEventEnvironment": None,
        "derivedData": DERIVED | {"isAssigned": one.assignee is not None},
    }


def _category(one: Issue) -> str:
    return "performance" if one.is_transaction else "error"


def _assignee(one: Issue) -> Json | None:
    if one.assignee is None:
        return None
    return {"type": "user", "id": "7", "name": one.assignee, "email": f"{one.assignee}@example.com"}


def _totals(events: Sequence[Event]) -> Json:
    """`count` is a text in Sentry's answers, `userCount` a number."""
    return {
        "count": str(len(events)),
        "userCount": _users(events),
        "firstSeen": iso(events[0].time),
        "lastSeen": iso(events[-1].time),
    }


def _users(events: Sequence[Event]) -> int:
    return len({event.person.identity for event in events if event.person})
