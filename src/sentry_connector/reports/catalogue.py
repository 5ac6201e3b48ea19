"""The catalogue: all reports, in the order in which people see them, and how one is found by its name."""

from __future__ import annotations

import re

from sentry_connector.errors import UnknownName
from sentry_connector.reports import (
    events_counts_organization,
    events_counts_project,
    events_counts_team,
    issues_events,
    issues_events_entries,
    organization_projects,
    organization_repositories,
    organization_teams,
    organizations,
    project_events,
    project_events_entries,
    project_feedback,
    projects,
    projects_issues,
    projects_users,
    team_projects,
)
from sentry_connector.reports.model import Report

CATALOGUE: tuple[Report, ...] = (
    events_counts_organization.REPORT,
    events_counts_project.REPORT,
    events_counts_team.REPORT,
    issues_events.REPORT,
    issues_events_entries.REPORT,
    organization_projects.REPORT,
    organization_repositories.REPORT,
    organization_teams.REPORT,
    organizations.REPORT,
    projects.REPORT,
    project_feedback.REPORT,
    project_events.REPORT,
    project_events_entries.REPORT,
    projects_issues.REPORT,
    projects_users.REPORT,
    team_projects.REPORT,
)


def find(name: str) -> Report:
    """The report of that slug, name or alias, compared without case; blanks, hyphens and underscores are alike.

    Raises:
        UnknownName: no report is called so.
    """
    wanted = _fold(name)
    for report in CATALOGUE:
        if wanted in {_fold(known) for known in (report.slug, report.name, *report.aliases)}:
            return report
    raise UnknownName("report", name, [known for report in CATALOGUE for known in (report.name, *report.aliases)])


def _fold(name: str) -> str:
    return re.sub(r"[-_\s]+", "-", name.strip()).casefold()
