"""Projects: every project that the token sees."""

from __future__ import annotations

from sentry_connector.reports.charts import PROJECT_CHARTS
from sentry_connector.reports.model import Endpoint, Grain, Report, text
from sentry_connector.reports.organization_projects import ENDPOINT
from sentry_connector.reports.shared_columns import PROJECT_FACTS, PROJECT_IDENTITY, PROJECT_LEFT_OUT

_LEGACY_LIST = Endpoint(
    path="/projects/",
    owner=("organization/id", "organization_id"),
    partial="The token may not list the projects of an organization: only those of its user's own teams are read.",
)
_LEGACY_ONLY = "Only the legacy list of all projects has it."
_ORGANIZATIONS_OWN = "A fact about the organization, which the Organizations report holds."

REPORT = Report(
    slug="projects",
    name="Projects",
    about="Projects of all organizations that the token sees, one row per project.",
    scope="project:read",
    grain=Grain.ORGANIZATION,
    # The legacy list answers for one region and for the teams of the token's user only, and Sentry is switching it off.
    endpoints=(ENDPOINT, _LEGACY_LIST),
    menus={},
    columns=(
        text("organization", "Slug of the organization, as it is now.", "organization/slug", context="organization"),
        text(
            "organization_id",
            "Id of the organization; stays when the slug changes.",
            "organization/id",
            context="organization_id",
        ),
        *PROJECT_IDENTITY,
        *PROJECT_FACTS,
    ),
    key=("project_id",),
    unchecked="Sentry gives no other count of them.",
    left_out=PROJECT_LEFT_OUT
    | dict.fromkeys(("isInternal", "isPublic", "avatar", "color", "status"), _LEGACY_ONLY)
    | dict.fromkeys(
        (
            "organization/name",
            "organization/status",
            "organization/dateCreated",
            "organization/isEarlyAdopter",
            "organization/require2FA",
            "organization/requireEmailVerification",
            "organization/avatar",
            "organization/links",
            "organization/features",
            "organization/extraOptions",
            "organization/access",
            "organization/onboardingTasks",
            "organization/hasAuthProvider",
            "organization/allowMemberInvite",
            "organization/allowMemberProjectCreation",
            "organization/allowSuperuserAccess",
            "organization/disableNewVisibilityFeatures",
        ),
        _ORGANIZATIONS_OWN,
    ),
    charts=PROJECT_CHARTS,
    notes=("The projects are read organization by organization, in every region.",),
)
