"""Projects Issues: the issues of a project."""

from __future__ import annotations

from sentry_connector.reports.model import (
    Endpoint,
    Grain,
    Menu,
    Need,
    Paging,
    Ranking,
    Report,
    Timeline,
    Vanishing,
    WindowParams,
    boolean,
    integer,
    json,
    optional,
    real,
    text,
    timestamp,
    vanished,
)
from sentry_connector.reports.shared_columns import EARLIEST, ORGANIZATION

# An empty query asks for all statuses; without it Sentry lists unresolved issues only.
ORGANIZATION_LIST = Endpoint(
    path="/organizations/{organization}/issues/",
    params=(("query", ""), ("project", "{project_id}"), ("sort", "date")),
    paging=Paging.LIMIT,
    window=WindowParams.START_END,
    open_start=EARLIEST,
    family="org-issues",
)
PROJECT_LIST = Endpoint(
    path="/projects/{organization}/{project}/issues/",
    params=(("query", ""), ("statsPeriod", "")),  # an empty period: no sparkline is computed
    paging=Paging.LIMIT,
    family="project-issues",
)
BY_ID = Vanishing(
    item="issue_id",
    some=Endpoint(
        path="/organizations/{organization}/issues/",
        params=(("project", "{project_id}"),),
        paging=Paging.NONE,
        family="org-issues",
    ),
    ids="group",
    most=50,
    # Older servers know only the form without an organization.
    one=tuple(
        Endpoint(path=path, paging=Paging.NONE, family="issue-detail")
        for path in ("/organizations/{organization}/issues/{issue}/", "/issues/{issue}/")
    ),
    owner=("project/id", "project_id"),
)
_ON_REQUEST = "Sent only where it is asked for."
_OF_THE_SEARCH = "It says how the issue matched a search; everything is read here."

REPORT = Report(
    slug="projects-issues",
    name="Projects Issues",
    about="Issues of a project, of every status, one row per issue.",
    scope="event:read",
    grain=Grain.PROJECT,
    endpoints=(ORGANIZATION_LIST, PROJECT_LIST),
    menus={Menu.ORGANIZATIONS: Need.REQUIRED, Menu.PROJECTS: Need.REQUIRED, Menu.DATES: Need.OPTIONAL},
    columns=(
        *ORGANIZATION,
        text("project", "Slug of the project, as it is now.", "project/slug", context="project"),
        text("project_id", "Id of the project that the issue belongs to.", "project/id", context="project_id"),
        text("issue_id", "Id of the issue.", "id"),
        text("short_id", "Id as people read it: the project's slug and a number, such as SHOP-4A."),
        text("title", "Title of the issue: the exception's type and value, or the message."),
        text("culprit", "Where it happens: the function, the route or the page."),
        text("level", "Severity: fatal, error, warning, info, debug."),
        text("status", "State: unresolved, resolved, ignored …"),
        text("substatus", "State more closely: new, ongoing, escalating, regressed, archived_forever …"),
        json("status_details", "What the state depends on, such as the release that resolves it."),
        text("type", "Kind of the issue's events: error, default (a message), csp, transaction …"),
        text("issue_type", "What was detected, such as error or performance_n_plus_one_db_queries."),
        text("issue_category", "Category of what was detected: error, performance, feedback …"),
        integer("event_count", "Number of events over the issue's life.", "lifetime/count", "count"),
        integer("user_count", "Number of people affected over the issue's life.", "lifetime/userCount", "userCount"),
        timestamp(
            "first_seen", "Time of the first event over the issue's life, UTC.", "lifetime/firstSeen", "firstSeen"
        ),
        timestamp("last_seen", "Time of the latest event over the issue's life, UTC.", "lifetime/lastSeen", "lastSeen"),
        text("priority", "Priority: high, medium, low."),
        timestamp("priority_locked_at", "When a person set the priority, UTC; null where Sentry did."),
        text("platform", "Platform of the issue's events, such as python."),
        text("logger", "Logger that reported the events."),
        text("permalink", "Address of the issue in Sentry."),
        text("share_id", "Id of the issue's public page; null where it is not shared."),
        boolean("is_public", "Whether the issue is shared with the public."),
        boolean("is_unhandled", "Whether its latest events came from exceptions that nobody handled."),
        integer("num_comments", "Number of comments on the issue."),
        text("assigned_to_type", "What the issue is assigned to: user or team.", "assignedTo/type"),
        text("assigned_to_id", "Id of that user or team.", "assignedTo/id"),
        text("assigned_to_name", "Name of that user or team.", "assignedTo/name"),
        text("assigned_to_email", "Email address of that user; null for a team.", "assignedTo/email"),
        text("project_name", "Name of the project, as people read it.", "project/name"),
        text("project_platform", "Platform chosen for the project.", "project/platform"),
        json("metadata", "What the title is made of: type, value, filename, function …"),
        json("annotations", "Links to the issue in other trackers."),
        *optional(
            real("seer_fixability_score", "Sentry's own score of how well its Seer could fix it."),
            timestamp("seer_autofix_last_triggered", "When Seer last tried to fix it, UTC."),
            timestamp("seer_explorer_autofix_last_triggered", "When Seer Explorer last tried to fix it, UTC."),
            json("derived_data", "Progress of the work on the issue, as Sentry derives it.", noise=True),
            json("stats", "Events per bucket of the last hours, as Sentry's own list draws them.", noise=True),
        ),
        boolean("has_seen", "Whether the token's user has looked at the issue.", noise=True),
        boolean("is_bookmarked", "Whether the token's user has bookmarked the issue.", noise=True),
        boolean("is_subscribed", "Whether the token's user gets mail about the issue.", noise=True),
        json("subscription_details", "Why the token's user gets mail about it.", noise=True),
        *vanished("issue", "Id of the issue that it was merged into"),
    ),
    key=("project_id", "issue_id"),
    time_column="last_seen",
    vanishing=BY_ID,
    item_owner=("project/id", "project_id"),
    unchecked="Sentry gives no other count of them.",
    left_out={
        "lifetime/stats": "A sparkline; the Events Counts reports hold counts by time.",
        "filtered": _OF_THE_SEARCH,
        "matchingEventId": _OF_THE_SEARCH,
        "matchingEventEnvironment": _OF_THE_SEARCH,
        "inbox": _ON_REQUEST,
        "owners": _ON_REQUEST,
        "sessionCount": _ON_REQUEST,
        "integrationIssues": _ON_REQUEST,
        "sentryAppIssues": _ON_REQUEST,
        "pluginActions": _ON_REQUEST,
        "pluginIssues": _ON_REQUEST,
        "latestEventHasAttachments": _ON_REQUEST,
    },
    charts=(
        Timeline(title="Issues by when they were last seen", time="last_seen"),
        Timeline(title="New issues over time", time="first_seen"),
        Ranking(title="Issues with the most events", by="issue_id", label="title", sum="event_count"),
        Ranking(title="Issues by level", by="level"),
        Ranking(title="Issues by status", by="status"),
        Ranking(title="Issues by project", by="project"),
        Ranking(title="Issues by platform", by="platform"),
    ),
    notes=(
        "event_count, user_count, first_seen and last_seen are of the issue's whole life, whatever dates are chosen.",
        "Dates choose issues by last_seen; Sentry lists issues with an event within its retention, 90 days as a rule.",
        "A change of status or assignee moves no time: Since Last Successful Run reads the whole list once a week for it.",
        "Then it also marks the issues that are gone, by _deleted_at; one that is older than Sentry's retention is not.",
    ),
    docs="https://docs.sentry.io/api/events/list-an-organizations-issues/",
)
