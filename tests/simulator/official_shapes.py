"""What Sentry's official API description (version of 2026-08-16) requires of the rows of its lists, in short.

A shape is `type: names`; a `?` allows null. Where the servers are known to differ from the description a comment says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TYPES: Mapping[str, tuple[type, ...]] = {
    "text": (str,),
    "whole": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "list": (list,),
}
Shape = dict[str, str]

ORGANIZATION: Shape = {
    "text": "dateCreated id name slug",
    "boolean": "allowMemberInvite allowMemberProjectCreation allowSuperuserAccess hasAuthProvider isEarlyAdopter require2FA",
    "object": "avatar links status",
}
PROJECT: Shape = {
    "text": "dateCreated id name slug",
    "text?": "firstEvent platform",
    "object?": "latestRelease team",
    "list": "access environments features platforms teams",
    "boolean": (
        "firstTransactionEvent hasAccess hasFeedbacks hasFlags hasInsightsAgentMonitoring hasInsightsAppStart"
        " hasInsightsAssets hasInsightsCaches hasInsightsDb hasInsightsHttp hasInsightsMCP hasInsightsQueues"
        " hasInsightsScreenLoad hasInsightsVitals hasLogs hasMinifiedStackTrace hasMonitors hasNewFeedbacks hasProfiles"
        " hasReplays hasSessions hasTraceMetrics hasUserReports isBookmarked isMember"
    ),
}
TEAM: Shape = {
    "text": "id name slug",
    "text?": "dateCreated teamRole",
    "boolean": "hasAccess isMember isPending",
    "whole": "memberCount",
    "list": "access",
    "object": "avatar flags",
}
REPOSITORY: Shape = {
    "text": "dateCreated id name status",
    "text?": "url integrationId externalSlug",
    "object": "provider",
}
PROJECT_ISSUE: Shape = {
    "text": "count firstSeen id lastSeen level permalink shortId status title type",
    "text?": "culprit logger shareId",
    "whole": "numComments userCount",
    "object": "metadata project stats statusDetails",
    "object?": "assignedTo subscriptionDetails",
    "list": "annotations",
    "boolean": "hasSeen isBookmarked isPublic isSubscribed",
}
ISSUE: Shape = {
    "text": "count id issueCategory issueType level permalink shortId status title type",
    "text?": (
        "culprit firstSeen lastSeen logger matchingEventEnvironment matchingEventId platform priority priorityLockedAt"
        " seerAutofixLastTriggered seerExplorerAutofixLastTriggered shareId substatus"
    ),
    "whole": "numComments sessionCount userCount",
    "number?": "seerFixabilityScore",
    "list": "annotations integrationIssues sentryAppIssues",
    "object": "derivedData inbox lifetime metadata owners project stats statusDetails",
    "object?": "assignedTo filtered subscriptionDetails",
    "boolean": "hasSeen isBookmarked isPublic isSubscribed isUnhandled latestEventHasAttachments",
}
EVENT: Shape = {
    "text": "dateCreated event.type eventID id message projectID title",
    "text?": "crashFile culprit groupID location platform",
    "object": "metadata",
    "object?": "user",
    "list": "tags",
}
FULL_EVENT: Shape = {
    "text": "eventID id platform projectID title type",
    "text?": "dateReceived dist groupID location message",
    "whole?": "size",
    "object": "_meta metadata packages",
    "object?": "context contexts occurrence sdk user",
    "list": "entries errors tags",
}
EVENT_DETAIL: Shape = FULL_EVENT | {
    "object?": "context contexts occurrence sdk user release userReport",
    "text?": "dateReceived dist groupID location message nextEventID previousEventID",
    "list": "entries errors tags resolvedWith sdkUpdates",
}
USER: Shape = {
    "text": "avatarUrl hash tagValue",
    # The description says text for the identities; the servers give null for those that an event did not name.
    "text?": "dateCreated id identifier username email name ipAddress",
}
FEEDBACK: Shape = {
    "text": "comments dateCreated email eventID id name",
    "object": "event",
    "object?": "issue user",
}


def misfits(row: Mapping[str, Any], shape: Shape) -> list[str]:
    """What a row lacks or has of the wrong type; empty = it fits."""
    return [
        f"{name}: {row.get(name, 'missing')!r} is no {kind}"
        for kind, names in shape.items()
        for name in names.split()
        if not _fits(row, name, kind)
    ]


def _fits(row: Mapping[str, Any], name: str, kind: str) -> bool:
    if name not in row:
        return False
    value = row[name]
    if value is None:
        return kind.endswith("?")
    wanted = TYPES[kind.rstrip("?")]
    return isinstance(value, wanted) and (bool in wanted) == isinstance(value, bool)
