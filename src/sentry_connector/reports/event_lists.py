"""The lists of events that several reports read, with and without bodies, and how they stand for one another."""

from __future__ import annotations

from dataclasses import replace

from sentry_connector.reports.events_counts_project import STORED_BY_HOUR
from sentry_connector.reports.model import Each, Endpoint, Figures, WindowParams
from sentry_connector.reports.projects_issues import ORGANIZATION_LIST, PROJECT_LIST
from sentry_connector.reports.shared_columns import EARLIEST

PAGE_SIZE_OF_BODIES = 10
"""Sentry silently clamps pages of full events to ten rows, since August 2026."""


def full(endpoint: Endpoint) -> Endpoint:
    """The same list of events with their full bodies."""
    return replace(endpoint, params=(*endpoint.params, ("full", "true")), page_size=PAGE_SIZE_OF_BODIES)


OF_PROJECT = Endpoint(
    path="/projects/{organization}/{project}/events/",
    window=WindowParams.START_END,
    open_start=EARLIEST,
    family="project-events",
)
_OF_ISSUE = Endpoint(
    path="/organizations/{organization}/issues/{issue}/events/",
    window=WindowParams.START_END,
    open_start=EARLIEST,
)
# Older servers know only the form without an organization; a region's host of sentry.io may not route it.
_OF_ISSUE_FORMERLY = replace(_OF_ISSUE, path="/issues/{issue}/events/")
OF_ISSUE = (_OF_ISSUE, _OF_ISSUE_FORMERLY)


def _by_issue(events: Endpoint, issues: Endpoint) -> Endpoint:
    """The events of each issue in turn: all events of the project, drawn from another rate budget than the project's list."""
    each = Each(items=issues, fills="issue", id="id", rows="count", first="firstSeen", last="lastSeen")
    return replace(full(events), each=each)


# The project's list holds errors only, so other kinds of issues are not asked for.
_ERRORS = (("query", "issue.category:error"), *(pair for pair in ORGANIZATION_LIST.params if pair[0] != "query"))
BODIES_OF_PROJECT = replace(
    full(OF_PROJECT),
    equal=(
        _by_issue(_OF_ISSUE, replace(ORGANIZATION_LIST, params=_ERRORS)),
        _by_issue(_OF_ISSUE_FORMERLY, PROJECT_LIST),
    ),
)
"""Full events of a project: 600 a minute on sentry.io by the project's list, many times as many by its issues."""

FIGURES = Figures(endpoint=STORED_BY_HOUR, percent=0, item="eventID")
