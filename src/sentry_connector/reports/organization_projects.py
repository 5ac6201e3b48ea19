"""Organization Projects: the projects of an organization."""

from __future__ import annotations

from sentry_connector.reports.charts import PROJECT_CHARTS
from sentry_connector.reports.model import Endpoint, Grain, Menu, Need, Report
from sentry_connector.reports.shared_columns import ORGANIZATION, PROJECT_FACTS, PROJECT_IDENTITY, PROJECT_LEFT_OUT

ENDPOINT = Endpoint(path="/organizations/{organization}/projects/")

REPORT = Report(
    slug="organization-projects",
    name="Organization Projects",
    about="Projects of an organization, one row per project.",
    scope="org:read",
    grain=Grain.ORGANIZATION,
    endpoints=(ENDPOINT,),
    menus={Menu.ORGANIZATIONS: Need.REQUIRED},
    columns=(*ORGANIZATION, *PROJECT_IDENTITY, *PROJECT_FACTS),
    key=("organization_id", "project_id"),
    unchecked="Sentry gives no other count of them.",
    left_out=PROJECT_LEFT_OUT,
    charts=PROJECT_CHARTS,
    docs="https://docs.sentry.io/api/organizations/list-an-organizations-projects/",
)
