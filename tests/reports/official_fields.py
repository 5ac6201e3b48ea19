"""What Sentry documents about the answers that the reports read: field path → type, by the report's slug.

Distilled from Sentry's OpenAPI description (November 2026); paths as the catalogue writes them. Objects are followed as
far as their fields are documented one by one and mean something by themselves.
"""

from __future__ import annotations


def _fields(prefix: str = "", **names_by_type: str) -> dict[str, str]:
    """`string="id name"` → {"id": "string", "name": "string"}, each below the prefix."""
    return {prefix + name: kind for kind, names in names_by_type.items() for name in names.split()}


AVATAR = _fields("avatar/", string="avatarType avatarUuid avatarUrl")

PROJECT = _fields(
    string="id slug name platform dateCreated firstEvent latestRelease/version",
    boolean=(
        "isBookmarked isMember hasAccess firstTransactionEvent hasFeedbacks hasFlags hasMinifiedStackTrace hasMonitors "
        "hasNewFeedbacks hasProfiles hasReplays hasSessions hasInsightsHttp hasInsightsDb hasInsightsAssets "
        "hasInsightsAppStart hasInsightsScreenLoad hasInsightsVitals hasInsightsCaches hasInsightsQueues "
        "hasInsightsAgentMonitoring hasInsightsMCP hasLogs hasTraceMetrics hasUserReports"
    ),
    array="features access teams platforms environments",
    object="latestDeploys options team latestRelease",
    any="stats transactionStats sessionStats",
)

ORGANIZATION = {
    **_fields(
        string="id slug name dateCreated status/id status/name links/organizationUrl links/regionUrl",
        boolean=(
            "isEarlyAdopter require2FA hasAuthProvider allowMemberInvite allowMemberProjectCreation "
            "allowSuperuserAccess"
        ),
        array="features access onboardingTasks",
        object="extraOptions status avatar links",
    ),
    **AVATAR,
}

TEAM = {
    **_fields(
        string="id slug name dateCreated teamRole",
        boolean="isMember hasAccess isPending",
        integer="memberCount",
        array="access externalTeams projects",
        object="flags avatar organization",
    ),
    **AVATAR,
}

REPOSITORY = _fields(
    string="id name url status dateCreated integrationId externalSlug externalId",
    boolean="settings/enabledCodeReview",
    array="settings/codeReviewTriggers",
    object="provider settings",
)

SLIM_EVENT = _fields(
    string=(
        "id event.type groupID eventID projectID message title location culprit platform dateCreated crashFile "
        "user/id user/email user/username user/ip_address user/name"
    ),
    array="tags",
    object="metadata user user/geo user/data",
)

EVENT = SLIM_EVENT | _fields(
    string="type dateReceived dist sdk/name sdk/version nextEventID previousEventID",
    integer="size",
    number="startTimestamp endTimestamp",
    array="entries errors fingerprints sdkUpdates resolvedWith",
    object=("contexts sdk context packages occurrence _meta groupingConfig measurements breakdowns release userReport"),
)

FEEDBACK = _fields(
    string="id eventID name email comments dateCreated event/eventID event/id", object="event issue user"
)

ISSUE = _fields(
    string=(
        "id shareId shortId title culprit permalink logger level status substatus platform priority priorityLockedAt "
        "seerAutofixLastTriggered seerExplorerAutofixLastTriggered type issueType issueCategory count "
        "firstSeen lastSeen project/id project/name project/slug project/platform "
        "assignedTo/type assignedTo/id assignedTo/name assignedTo/email "
        "matchingEventId matchingEventEnvironment"
    ),
    boolean="isPublic isBookmarked isSubscribed hasSeen isUnhandled latestEventHasAttachments",
    integer="numComments userCount sessionCount",
    number="seerFixabilityScore",
    array="annotations integrationIssues sentryAppIssues",
    object=(
        "statusDetails project metadata assignedTo subscriptionDetails stats lifetime filtered inbox owners derivedData"
    ),
)

PERSON = _fields(string="id tagValue identifier username email name ipAddress avatarUrl hash dateCreated")

OFFICIAL_FIELDS: dict[str, dict[str, str]] = {
    "issues-events": EVENT,
    "issues-events-entries": EVENT,
    "organization-projects": PROJECT,
    "organization-repositories": REPOSITORY,
    "organization-teams": TEAM,
    "organizations": ORGANIZATION,
    "projects": PROJECT,
    "project-feedback": FEEDBACK,
    "project-events": EVENT,
    "project-events-entries": EVENT,
    "projects-issues": ISSUE,
    "projects-users": PERSON,
    "team-projects": PROJECT,
}
"""The counts reports are not here: their answers are pairs of a time and a number, without field names."""
