"""Projects Users: the people whom the events of a project affected."""

from __future__ import annotations

from sentry_connector.reports.model import (
    Column,
    ColumnType,
    Endpoint,
    Grain,
    Menu,
    Need,
    Ranking,
    Report,
    text,
    timestamp,
)
from sentry_connector.reports.shared_columns import ORGANIZATION, PROJECT

REPORT = Report(
    slug="projects-users",
    name="Projects Users",
    aliases=("Project Users",),
    about="People whom the events of a project affected, one row per person.",
    scope="project:read",
    grain=Grain.PROJECT,
    endpoints=(Endpoint(path="/projects/{organization}/{project}/users/", family="project-users"),),
    menus={Menu.PROJECTS: Need.REQUIRED},
    columns=(
        *ORGANIZATION,
        *PROJECT,
        Column(
            name="user_key",
            type=ColumnType.TEXT,
            about="The person's identity, as kind:value of the first known of id, username, email and ip.",
            # `identifier` is the person's own id on every server; `id` numbers the server's own row on old ones.
            keyed=(("id", "identifier"), ("username", "username"), ("email", "email"), ("ip", "ipAddress")),
        ),
        text("id", "Sentry's id of the person; on old servers the number of the server's own row."),
        text("identifier", "Id that the application gave the person."),
        text("username", "User name of the person."),
        text("email", "Email address of the person."),
        text("name", "Display name of the person."),
        text("ip_address", "IP address of the person, IPv4 or IPv6."),
        text("tag_value", "The person as the value of the tag user, such as id:8."),
        text("hash", "MD5 of the identity, in hexadecimal."),
        text("avatar_url", "Address of a picture made from the email address."),
        timestamp("date_created", "When the server first saw the person, UTC; null on current servers."),
    ),
    key=("project_id", "user_key"),
    unchecked="Sentry gives no other count of them.",
    left_out={},
    charts=(Ranking(title="People by project", by="project"),),
    notes=(
        "The list has no time: each run reads all of it, at five pages a minute on sentry.io.",
        "Sentry looks at up to 50,000 combinations of a project's people and addresses; a larger list ends early.",
    ),
    docs="https://docs.sentry.io/api/projects/list-a-projects-users/",
)
