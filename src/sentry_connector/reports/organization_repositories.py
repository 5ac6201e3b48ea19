"""Organization Repositories: the version control repositories of an organization."""

from __future__ import annotations

from sentry_connector.reports.model import (
    Endpoint,
    Grain,
    Menu,
    Need,
    Ranking,
    Report,
    boolean,
    json,
    optional,
    text,
    timestamp,
)
from sentry_connector.reports.shared_columns import ORGANIZATION

REPORT = Report(
    slug="organization-repositories",
    name="Organization Repositories",
    about="Version control repositories that an organization has connected, one row per repository.",
    scope="org:read",
    grain=Grain.ORGANIZATION,
    endpoints=(Endpoint(path="/organizations/{organization}/repos/", params=(("expand", "settings"),), family="cli"),),
    menus={Menu.ORGANIZATIONS: Need.REQUIRED},
    columns=(
        *ORGANIZATION,
        text("repository_id", "Id of the repository in Sentry.", "id"),
        text("name", "Name of the repository, such as acme/shop."),
        text("url", "Address of the repository at its provider."),
        text("provider_id", "Provider, such as integrations:github.", "provider/id"),
        text("provider_name", "Name of the provider, such as GitHub.", "provider/name"),
        text("status", "State of the repository: active, disabled, hidden …"),
        timestamp("date_created", "When the repository was connected to Sentry, UTC."),
        text("integration_id", "Id of the integration that connects it; null where none does."),
        text("external_slug", "Slug or number of the repository at its provider."),
        text("external_id", "Id of the repository at its provider."),
        *optional(
            boolean(
                "settings_enabled_code_review",
                "Whether Sentry reviews its pull requests.",
                "settings/enabledCodeReview",
            ),
            json(
                "settings_code_review_triggers",
                "What makes Sentry review a pull request.",
                "settings/codeReviewTriggers",
            ),
        ),
    ),
    key=("organization_id", "repository_id"),
    unchecked="Sentry gives no other count of them.",
    left_out={},
    charts=(
        Ranking(title="Repositories by provider", by="provider_name"),
        Ranking(title="Repositories by status", by="status"),
    ),
    notes=("Repositories that were deleted in Sentry are not listed.",),
    docs="https://docs.sentry.io/api/organizations/list-an-organizations-repositories/",
)
