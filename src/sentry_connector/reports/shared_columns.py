"""Groups of columns that several reports have in common, and the fields that they leave out for the same reasons."""

from __future__ import annotations

from collections.abc import Iterable

from sentry_connector.reports.model import Column, boolean, integer, json, optional, text, timestamp

EARLIEST = "2008-05-08T00:00:00"
"""A start before every event. Sentry clamps it to its retention; without a start some lists stop at 90 days."""

ORGANIZATION = (
    text("organization", "Slug of the organization, as it is now.", context="organization"),
    text("organization_id", "Id of the organization; stays when the slug changes.", context="organization_id"),
)
"""Which organization a row belongs to, where only the slice knows it."""

PROJECT = (
    text("project", "Slug of the project, as it is now.", context="project"),
    text("project_id", "Id of the project; stays when the slug changes.", context="project_id"),
)
"""Which project a row belongs to, where only the slice knows it."""

TEAM = (
    text("team", "Slug of the team, as it is now.", context="team"),
    text("team_id", "Id of the team; stays when the slug changes.", context="team_id"),
)
"""Which team a row belongs to, where only the slice knows it."""

POINT = (
    text("stat", "What was counted: received, rejected, blacklisted …", context="stat"),
    text("resolution", "Width of the bucket: 10s, 1h or 1d (a day of UTC).", context="resolution"),
    timestamp("timestamp", "Start of the bucket, UTC.", "timestamp"),
    integer("timestamp_epoch", "Start of the bucket in seconds since 1970-01-01 UTC.", "timestamp"),
    integer("events", "Number of events in the bucket; 0 where there were none.", "events"),
)
"""One point of a series of counts."""

OUTCOMES_NOTE = (
    "received = accepted, filtered and rate-limited together; rejected = rate-limited; blacklisted = filtered."
)

POINT_NOTES = (
    "Buckets without events are rows with 0.",
    "Counts cover errors only, and those of the last hours may still grow: reading them again replaces them.",
)


def avatar(of: str) -> tuple[Column, ...]:
    """The picture of an organization or a team.

    Args:
        of: what it pictures, for the descriptions.
    """
    return (
        text("avatar_type", f"Kind of picture of the {of}: letter_avatar, upload …", "avatar/avatarType"),
        text("avatar_uuid", f"Id of the {of}'s uploaded picture.", "avatar/avatarUuid"),
        text("avatar_url", f"Address of the {of}'s uploaded picture.", "avatar/avatarUrl"),
    )


PROJECT_IDENTITY = (
    text("project_id", "Id of the project; stays when the slug changes.", "id"),
    text("slug", "Slug of the project, as it stands in Sentry's addresses."),
    text("name", "Name of the project, as people read it."),
)
"""The identity of a project in a list of projects."""

PROJECT_FACTS = (
    text("platform", "Platform chosen for the project, such as python or javascript-react."),
    timestamp("date_created", "When the project was created, UTC."),
    json("teams", "Teams that own the project: a list of objects with id, slug and name."),
    json("platforms", "Platforms that the project's events really came from."),
    json("environments", "Names of the environments seen in the project's events."),
    text("latest_release_version", "Version of the project's latest release.", "latestRelease/version"),
    json("latest_deploys", "Latest deploy of each environment, by its name."),
    timestamp("first_event", "When the project received its first event, UTC; null before that."),
    boolean("first_transaction_event", "Whether the project has ever received a transaction."),
    boolean("has_feedbacks", "Whether the project has received user feedback."),
    boolean("has_new_feedbacks", "Whether the project has received feedback from the feedback widget."),
    boolean("has_user_reports", "Whether the project has received crash reports written by users."),
    boolean("has_flags", "Whether the project's events have carried feature flags."),
    boolean("has_minified_stack_trace", "Whether the project has received stack traces of minified code."),
    boolean("has_monitors", "Whether the project has cron monitors."),
    boolean("has_profiles", "Whether the project has received profiles."),
    boolean("has_replays", "Whether the project has received session replays."),
    boolean("has_sessions", "Whether the project has received sessions (release health)."),
    boolean("has_logs", "Whether the project has received logs."),
    boolean("has_trace_metrics", "Whether the project has received metrics bound to traces."),
    boolean("has_insights_http", "Whether Insights has data about outgoing HTTP requests."),
    boolean("has_insights_db", "Whether Insights has data about database queries."),
    boolean("has_insights_assets", "Whether Insights has data about browser assets."),
    boolean("has_insights_app_start", "Whether Insights has data about the start of mobile apps."),
    boolean("has_insights_screen_load", "Whether Insights has data about the loading of mobile screens."),
    boolean("has_insights_vitals", "Whether Insights has data about Web Vitals."),
    boolean("has_insights_caches", "Whether Insights has data about caches."),
    boolean("has_insights_queues", "Whether Insights has data about queues."),
    boolean("has_insights_agent_monitoring", "Whether Insights has data about AI agents."),
    boolean("has_insights_mcp", "Whether Insights has data about MCP servers.", "hasInsightsMCP"),
    json("features", "Features switched on for the project; Sentry turns them on and off on its own.", noise=True),
    boolean("is_bookmarked", "Whether the token's user has bookmarked the project.", noise=True),
    boolean("is_member", "Whether the token's user is in one of the project's teams.", noise=True),
    boolean("has_access", "Whether the token may open the project.", noise=True),
    json("access", "Scopes that the token has in the project.", noise=True),
)
"""Everything else that a list of projects says about one project."""

PROJECT_LEFT_OUT = {
    "team": "It repeats the first of teams, for old clients of Sentry.",
    "options": "Settings of the project, sent to Sentry's own pages only.",
    "stats": "Sent only where a sparkline is asked for; the Events Counts reports hold counts.",
    "transactionStats": "Sent only where a sparkline is asked for.",
    "sessionStats": "Sent only where a sparkline is asked for.",
    "eventProcessing": "Health of Sentry's own processing at this moment.",
    "hasInsightsLlmMonitoring": "Older name; hasInsightsAgentMonitoring took its place.",
}

USER = (
    text("user_id", "Id that the application gave the person who was affected.", "user/id"),
    text("user_email", "Email address of that person.", "user/email"),
    text("user_username", "User name of that person.", "user/username"),
    text("user_ip_address", "IP address of that person, IPv4 or IPv6.", "user/ip_address"),
    text("user_name", "Display name of that person.", "user/name"),
    json("user_geo", "Where the IP address is: country_code, city, region …", "user/geo"),
    json("user_data", "Further facts about the person that the application sent.", "user/data"),
)
"""The person whom an event affected, as the application's SDK said."""

EVENT_IDENTITY = (
    *ORGANIZATION,
    text("project", "Slug of the project, as it is now.", context="project"),
    text("project_id", "Id of the project that received the event.", "projectID", context="project_id"),
    text(
        "issue_id",
        "Id of the issue that the event belongs to; changes when issues are merged.",
        "groupID",
        context="issue_id",
    ),
    text("event_id", "Id of the event: 32 hexadecimal digits, unique in the project.", "eventID"),
)
"""What tells an event apart and where it belongs."""

EVENT_FACTS = (
    text("title", "Title of the event: the exception's type and value, or the message's first line."),
    text("type", "Kind of event: error, default (a message), csp, transaction …", "event.type", "type"),
    text("platform", "Platform of the SDK that sent the event, such as python."),
    # A transaction has no dateCreated in the full form; its time is when it ended.
    timestamp(
        "date_created", "When the event happened by the application's clock, UTC.", "dateCreated", "endTimestamp"
    ),
    text("culprit", "Where it happened: the function, the route or the page."),
    text("location", "File in which it happened."),
)
"""What every report about events says of one event."""

EVENT_DETAILS = (
    text("message", "Message of the event; text made for searching where it is an exception."),
    text("crash_file", "Address of the minidump or crash file, where there is one."),
    json("metadata", "What the title is made of: type, value, filename, function …"),
    json("tags", "Tags of the event: a list of objects with key and value."),
    *USER,
)
"""What the list form of an event says besides."""

EVENT_BODY = optional(
    timestamp("date_received", "When the event reached Sentry, UTC. Null without bodies."),
    json(
        "entries",
        "Exception, request, breadcrumbs and so on: a list of objects with type and data. Null without bodies.",
    ),
    json("contexts", "Operating system, browser, device, runtime, trace …, by name. Null without bodies."),
    json("context", "Extra data that the application attached. Null without bodies."),
    json("packages", "Modules of the application by name, with their versions. Null without bodies."),
    text("sdk_name", "SDK that sent the event, such as sentry.python. Null without bodies.", "sdk/name"),
    text("sdk_version", "Version of that SDK. Null without bodies.", "sdk/version"),
    text("dist", "Build of the release. Null without bodies."),
    json(
        "release",
        "The event's release as an object, where the server adds it to bodies; the tag release has its version.",
    ),
    integer("size", "Size of the stored event in bytes. Null without bodies."),
    json("fingerprints", "Hashes that the event was grouped by. Null without bodies."),
    json("grouping_config", "Configuration that grouped the event. Null without bodies."),
    json("errors", "What went wrong while Sentry processed the event. Null without bodies."),
    json("occurrence", "The detected problem behind an event that is no error. Null without bodies."),
    timestamp("start_timestamp", "When a transaction began, UTC; null for errors and without bodies."),
    timestamp("end_timestamp", "When a transaction ended, UTC; null for errors and without bodies."),
    json("measurements", "Measurements of a transaction, such as Web Vitals. Null without bodies."),
    json("breakdowns", "Time of a transaction by kind of operation. Null without bodies."),
    json("meta", "What was removed or cut for privacy and size, by place. Null without bodies.", "_meta"),
)
"""What only the full form of an event says; old servers (9.1.2) send it always."""

EVENT_LEFT_OUT = {
    "id": "It repeats eventID; on old servers it numbers the server's own row.",
    "sdk/upstream": "Whether a newer SDK exists: a fact about the SDK, sent by old servers only.",
    "userReport": "Only the detail of a single event has it; Project Feedback lists what users wrote.",
    "sdkUpdates": "Only the detail of a single event has it: advice for Sentry's own pages.",
    "resolvedWith": "Only the detail of a single event has it: advice for Sentry's own pages.",
    "nextEventID": "Only the detail of a single event has it: a link of Sentry's own pages.",
    "previousEventID": "Only the detail of a single event has it: a link of Sentry's own pages.",
}

EVENTS = (*EVENT_IDENTITY, *EVENT_FACTS, *EVENT_DETAILS, *EVENT_BODY)
"""The columns of a report with one row per event."""

ENTRIES = (
    *EVENT_IDENTITY,
    integer(
        "entry_index", "Place of the entry in the event, from 0, in the order in which Sentry shows them.", "@index"
    ),
    text("entry_type", "Kind of entry: exception, message, request, breadcrumbs, threads, spans …", "@entry/type"),
    json("entry_data", "The entry itself; its form depends on the type.", "@entry/data"),
    *EVENT_FACTS,
    timestamp("date_received", "When the event reached Sentry, UTC."),
)
"""The columns of a report with one row per entry of an event."""


def top_fields(columns: Iterable[Column], left_out: Iterable[str] = ()) -> list[str]:
    """Names of the fields, at the top of an item, that the columns read or that are left out; each once, in order."""
    sources = [source for column in columns for source in column.sources]
    return list(dict.fromkeys(path.split("/")[0] for path in (*sources, *left_out)))


def entries_left_out() -> dict[str, str]:
    """Fields of an event that the entries reports do not repeat on each row, with the reason."""
    taken = set(top_fields(ENTRIES)) | {"entries"}
    reason = "The report with one row per event holds it."
    repeated = {name: reason for name in top_fields(EVENTS) if name not in taken}
    # The whole of `sdk` is left out here, so that nothing below it needs a reason of its own.
    return repeated | {path: why for path, why in EVENT_LEFT_OUT.items() if path.split("/")[0] not in repeated}
