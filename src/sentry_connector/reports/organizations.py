"""Organizations: every organization that the token sees."""

from __future__ import annotations

from sentry_connector.reports.model import Endpoint, Grain, Ranking, Report, boolean, json, optional, text, timestamp
from sentry_connector.reports.shared_columns import avatar

REPORT = Report(
    slug="organizations",
    name="Organizations",
    about="Organizations that the token sees, one row per organization.",
    scope="org:read",
    grain=Grain.ACCOUNT,
    endpoints=(Endpoint(path="/organizations/"),),
    menus={},
    columns=(
        text("organization_id", "Id of the organization; stays when the slug changes.", "id"),
        text("slug", "Slug of the organization, as it stands in Sentry's addresses."),
        text("name", "Name of the organization, as people read it."),
        text("status_id", "State of the organization: active, pending_deletion …", "status/id"),
        text("status_name", "State of the organization in words.", "status/name"),
        timestamp("date_created", "When the organization was created, UTC."),
        text("links_organization_url", "Address of the organization's own pages.", "links/organizationUrl"),
        text("links_region_url", "Address of the region that keeps the organization's data.", "links/regionUrl"),
        boolean("is_early_adopter", "Whether the organization gets new features before others."),
        boolean("require_2fa", "Whether members must use a second factor.", "require2FA"),
        boolean("has_auth_provider", "Whether members sign in through an identity provider."),
        boolean("allow_member_invite", "Whether members may invite others."),
        boolean("allow_member_project_creation", "Whether members may create projects."),
        boolean("allow_superuser_access", "Whether Sentry's staff may enter the organization."),
        *avatar("organization"),
        *optional(
            json(
                "features",
                "Features switched on for the organization; Sentry turns them on and off on its own.",
                noise=True,
            ),
        ),
        *optional(json("access", "Scopes that the token has in the organization.", noise=True)),
    ),
    key=("organization_id",),
    unchecked="Sentry gives no other count of them.",
    left_out={
        "extraOptions": "Settings of Sentry's own pages.",
        "onboardingTasks": "The check list that Sentry's own pages show to new organizations.",
        "requireEmailVerification": "A switch of older servers that Sentry has dropped.",
        "disableNewVisibilityFeatures": "A switch of older servers that Sentry has dropped.",
    },
    charts=(Ranking(title="Organizations by status", by="status_id", label="status_name"),),
    notes=("The list is by membership: the token of an integration, which is nobody's, may get an empty one.",),
    docs="https://docs.sentry.io/api/users/list-your-organizations/",
)
