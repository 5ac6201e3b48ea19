"""Team Projects: the projects of a team."""

from __future__ import annotations

from sentry_connector.reports.charts import PROJECT_CHARTS
from sentry_connector.reports.model import Endpoint, Grain, Menu, Need, Report
from sentry_connector.reports.shared_columns import (
    ORGANIZATION,
    PROJECT_FACTS,
    PROJECT_IDENTITY,
    PROJECT_LEFT_OUT,
    TEAM,
)

REPORT = Report(
    slug="team-projects",
    name="Team Projects",
    about="Projects of a team, one row per team and project.",
    scope="project:read",
    grain=Grain.TEAM,
    endpoints=(Endpoint(path="/teams/{organization}/{team}/projects/"),),
    menus={Menu.ORGANIZATIONS: Need.REQUIRED, Menu.TEAMS: Need.REQUIRED},
    columns=(*ORGANIZATION, *TEAM, *PROJECT_IDENTITY, *PROJECT_FACTS),
    key=("team_id", "project_id"),
    unchecked="Sentry gives no other count of them.",
    left_out=PROJECT_LEFT_OUT,
    charts=PROJECT_CHARTS,
    notes=("A project of several teams is a row for each of them.",),
    docs="https://docs.sentry.io/api/teams/list-a-teams-projects/",
)
