"""Organization Teams: the teams of an organization."""

from __future__ import annotations

from sentry_connector.reports.model import (
    Endpoint,
    Grain,
    Menu,
    Need,
    Ranking,
    Report,
    boolean,
    integer,
    json,
    text,
    timestamp,
)
from sentry_connector.reports.shared_columns import ORGANIZATION, avatar

REPORT = Report(
    slug="organization-teams",
    name="Organization Teams",
    about="Teams of an organization, one row per team.",
    scope="org:read",
    grain=Grain.ORGANIZATION,
    # Not detailed: a team otherwise comes with each of its projects in full.
    endpoints=(Endpoint(path="/organizations/{organization}/teams/", params=(("detailed", "0"),)),),
    menus={Menu.ORGANIZATIONS: Need.REQUIRED},
    columns=(
        *ORGANIZATION,
        text("team_id", "Id of the team; stays when the slug changes.", "id"),
        text("slug", "Slug of the team, as it stands in Sentry's addresses."),
        text("name", "Name of the team, as people read it."),
        integer("member_count", "Number of members of the team."),
        timestamp("date_created", "When the team was created, UTC."),
        json("flags", "Flags of the team, such as whether an identity provider manages it."),
        *avatar("team"),
        boolean("is_member", "Whether the token's user is in the team.", noise=True),
        text("team_role", "Role of the token's user in the team.", noise=True),
        boolean("is_pending", "Whether the token's user has asked to join the team.", noise=True),
        boolean("has_access", "Whether the token may open the team.", noise=True),
        json("access", "Scopes that the token has in the team.", noise=True),
    ),
    key=("organization_id", "team_id"),
    unchecked="Sentry gives no other count of them.",
    left_out={
        "projects": "The Team Projects report holds it; it is not even asked for, which keeps pages small.",
        "externalTeams": "Names of the team in chat tools, sent only together with all the projects.",
        "organization": "Not sent in the list of one organization's teams; the Organizations report holds it.",
    },
    charts=(
        Ranking(title="Teams with the most members", by="team_id", label="name", sum="member_count"),
        Ranking(title="Teams by organization", by="organization"),
    ),
    docs="https://docs.sentry.io/api/teams/list-an-organizations-teams/",
)
