"""What each report must bring from a simulated world: the details to choose, and the keys of all rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sentry_connector.reports.details import DateRange, Details

Truth = dict[str, Any]
Keys = set[tuple[object, ...]]
Expected = tuple[Details, Keys]

LAST_WEEK = DateRange(start=6, end=0)
HOURS = 6 * 24 + 12
"""Whole hours from the start of the first day to the tests' noon."""


def _shop(truth: Truth) -> Truth:
    found: Truth = next(one for one in _acme(truth)["projects"] if one["slug"] == "shop")
    return found


def _acme(truth: Truth) -> Truth:
    found: Truth = next(one for one in truth["organizations"] if one["slug"] == "acme")
    return found


def _busiest_issue(truth: Truth) -> tuple[str, list[str]]:
    issues = _shop(truth)["issues"]
    issue = max(issues, key=lambda one: len(issues[one]["events"]))
    return issue, issues[issue]["events"]


def _keys(first: object, others: Iterable[object]) -> Keys:
    return {(first, other) for other in others}


def _hourly(identity: object, stat: str, epoch_of_start: int) -> Keys:
    return {(identity, stat, "1h", epoch_of_start + 3600 * hour) for hour in range(HOURS)}


START = 1772582400  # 2026-03-04T00:00Z, six days before the tests' day


def counts_organization(truth: Truth) -> Expected:
    details = Details(organizations=("acme",), stat="received", duration=LAST_WEEK)
    return details, _hourly(_acme(truth)["id"], "received", START)


def counts_project(truth: Truth) -> Expected:
    details = Details(projects=("acme/shop",), stat="generated", duration=LAST_WEEK)
    return details, _hourly(_shop(truth)["id"], "generated", START)


def counts_team(truth: Truth) -> Expected:
    team = next(one for one in _acme(truth)["teams"] if len(one["projects"]) > 1)
    details = Details(organizations=("acme",), teams=(team["slug"],), stat="generated", duration=LAST_WEEK)
    return details, _hourly(team["id"], "generated", START)


def issues_events(truth: Truth) -> Expected:
    issue, events = _busiest_issue(truth)
    return Details(issue=issue), _keys(_shop(truth)["id"], events)


def project_events(truth: Truth) -> Expected:
    return Details(projects=("acme/shop",)), _keys(_shop(truth)["id"], _shop(truth)["events"])


def organization_projects(truth: Truth) -> Expected:
    acme = _acme(truth)
    return Details(organizations=("acme",)), _keys(acme["id"], (one["id"] for one in acme["projects"]))


def organization_repositories(truth: Truth) -> Expected:
    acme = _acme(truth)
    return Details(organizations=("acme",)), _keys(acme["id"], acme["repositories"])


def organization_teams(truth: Truth) -> Expected:
    acme = _acme(truth)
    return Details(organizations=("acme",)), _keys(acme["id"], (one["id"] for one in acme["teams"]))


def organizations(truth: Truth) -> Expected:
    return Details(), {(one["id"],) for one in truth["organizations"]}


def projects(truth: Truth) -> Expected:
    return Details(), {(project["id"],) for one in truth["organizations"] for project in one["projects"]}


def project_feedback(truth: Truth) -> Expected:
    return Details(projects=("acme/shop",)), _keys(_shop(truth)["id"], _shop(truth)["feedback"])


def projects_issues(truth: Truth) -> Expected:
    return Details(projects=("acme/shop",)), _keys(_shop(truth)["id"], _shop(truth)["issues"])


def projects_users(truth: Truth) -> Expected:
    return Details(projects=("acme/shop",)), _keys(_shop(truth)["id"], _shop(truth)["users"])


def team_projects(truth: Truth) -> Expected:
    details = Details(organizations=("acme",), teams=("*",))
    return details, {(team["id"], project) for team in _acme(truth)["teams"] for project in team["projects"]}


EXPECTED: dict[str, Callable[[Truth], Expected]] = {
    "events-counts-organization": counts_organization,
    "events-counts-project": counts_project,
    "events-counts-team": counts_team,
    "issues-events": issues_events,
    "issues-events-entries": issues_events,
    "organization-projects": organization_projects,
    "organization-repositories": organization_repositories,
    "organization-teams": organization_teams,
    "organizations": organizations,
    "projects": projects,
    "project-feedback": project_feedback,
    "project-events": project_events,
    "project-events-entries": project_events,
    "projects-issues": projects_issues,
    "projects-users": projects_users,
    "team-projects": team_projects,
}
"""For the entries reports: the keys of their events, without the entry's number."""
