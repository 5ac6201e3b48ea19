"""Organizations, projects, teams and repositories: how they are listed and told."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from sentry_connector.simulator.call import Answer, Call, seconds
from sentry_connector.simulator.counts import bucket_starts, project_series
from sentry_connector.simulator.events import iso
from sentry_connector.simulator.model import Organization, Project, Repository, Team
from sentry_connector.simulator.pages import by_key, by_page_number
from sentry_connector.simulator.refusals import Refusal, refuse

Json = dict[str, Any]
FLAGS = (
    "hasFeedbacks", "hasFlags", "hasMinifiedStackTrace", "hasMonitors", "hasNewFeedbacks", "hasProfiles", "hasReplays",
    "hasSessions", "hasLogs", "hasTraceMetrics", "hasInsightsHttp", "hasInsightsDb", "hasInsightsAssets",
    "hasInsightsAppStart", "hasInsightsScreenLoad", "hasInsightsVitals", "hasInsightsCaches", "hasInsightsQueues",
    "hasInsightsAgentMonitoring", "hasInsightsMCP",
)  # fmt: skip
ORGANIZATION_PERIODS = ("", "1h", "24h", "7d", "14d", "30d", "90d")
TEAM_PERIODS = ("", "24h", "14d", "30d")
YOUNG = frozenset(
    {*FLAGS, "access", "firstTransactionEvent", "hasUserReports", "flags", "teamRole", "externalTeams", "externalId"}
)
"""What servers of 2019 did not tell of projects, teams and repositories."""

AVATAR = {"avatarType": "letter_avatar", "avatarUuid": None, "avatarUrl": None}
LOOKS: Json = {"isInternal": False, "isPublic": False, "avatar": AVATAR, "color": "#3fbfb9", "status": "active"}
"""What some answers tell of a project beyond its row in lists."""

REPOSITORY_STATES = ("active", "deleted", "unmigratable")


def index(call: Call) -> Answer:
    """`/api/0/`: the version, the token's scopes and its user; both null without a token."""
    user = {"id": "1", "username": "admin@example.com", "email": "admin@example.com", "name": "admin", "isActive": True}
    auth = {"scopes": sorted(call.access.scopes)} if call.access.scopes else None
    return Answer({"version": "0", "auth": auth, "user": user if call.access.has_user else None})


def organizations(call: Call) -> Answer:
    """`organizations/`: by the user's memberships, so empty for an integration; the first host lists all regions."""
    mine = [one for one in call.world.organizations if call.access.has_user and call.access.sees(one)]
    if call.era == "new" and not call.control:
        mine = [one for one in mine if one.region == call.region]
    mine.sort(key=lambda one: -one.created)
    page = call.paged(by_key, mine, lambda one: math.ceil(one.created * 1000))
    return call.answer(page, lambda one: organization_row(call, one))


def organization(call: Call) -> Answer:
    """`O/`."""
    return Answer(organization_row(call, call.organization()))


def organization_projects(call: Call) -> Answer:
    """`O/projects/`: bookmarked ones first, then by slug; `all_projects=1` is one page."""
    found = _search(call, call.organization().projects)
    found.sort(key=lambda one: (not one.bookmarked, one.slug))
    tell = _telling(call, ORGANIZATION_PERIODS)
    if call.flag("all_projects"):
        return Answer([tell(one) for one in found])
    return call.answer(call.paged(by_page_number, found), tell)


def team_projects(call: Call) -> Answer:
    """`T/projects/`, by slug."""
    found = sorted(call.team().projects, key=lambda one: one.slug)
    return call.answer(call.paged(by_page_number, found), _telling(call, TEAM_PERIODS))


def projects(call: Call) -> Answer:
    """The legacy `projects/`: of this region, and only those of teams that the token's user is in."""
    mine = [one for one in call.world.projects if call.access.is_in(one) and one.organization.region == call.region]
    mine.sort(key=lambda one: -one.created)
    page = call.paged(by_key, mine, lambda one: math.ceil(one.created * 1000))
    return call.answer(page, lambda one: _project_with_organization(call, one))


def project(call: Call) -> Answer:
    """`P/`: its row, its organization, and none of its settings."""
    return Answer(_project_with_organization(call, call.project()) | {"options": {}, "plugins": []})


def teams(call: Call) -> Answer:
    """`O/teams/`, by slug; `detailed=0` leaves the projects out."""
    words = call.get("query") or ""
    found = sorted((one for one in call.organization().teams if words in one.slug), key=lambda one: one.slug)
    detailed = call.get("detailed") != "0"
    return call.answer(call.paged(by_page_number, found), lambda one: _team_row(call, one, detailed=detailed))


def repositories(call: Call) -> Answer:
    """`O/repos/`, by name; deleted ones only on request."""
    status = call.get("status") or "active"
    if status not in REPOSITORY_STATES:
        raise refuse(400, "Invalid status")
    every = call.organization().repositories
    found = [one for one in every if one.status == status and (call.get("query") or "") in one.name]
    found.sort(key=lambda one: one.name)
    return call.answer(call.paged(by_page_number, found), lambda one: _of_era(call, _repository_row(one)))


# ---- rows


def organization_row(call: Call, one: Organization) -> Json:
    """An organization as lists tell it; `regionUrl` says which host answers for it."""
    row: Json = {
        "id": one.id,
        "slug": one.slug,
        "status": {"id": "active", "name": "active"},
        "name": one.name,
        "dateCreated": iso(one.created),
        "isEarlyAdopter": False,
        "require2FA": False,
        "avatar": AVATAR,
    }
    if call.era == "old":
        return row | {"features": ["repos"], "disableNewVisibilityFeatures": False}
    url = call.urls[one.region]
    return row | {
        "links": {"organizationUrl": f"{url}/organizations/{one.slug}", "regionUrl": url},
        "hasAuthProvider": False,
        "allowMemberInvite": True,
        "allowMemberProjectCreation": True,
        "allowSuperuserAccess": False,
    }


def project_row(call: Call, one: Project) -> Json:
    """A project as lists tell it."""
    owners = [{"id": team.id, "name": team.name, "slug": team.slug} for team in one.teams]
    row: Json = {
        "id": one.id,
        "slug": one.slug,
        "name": one.name,
        "platform": one.platform,
        "dateCreated": iso(one.created),
        "isBookmarked": one.bookmarked,
        "isMember": call.access.is_in(one),
        "features": ["releases", "rate-limits"],
        "firstEvent": iso(one.events[0].time) if one.events else None,
        "firstTransactionEvent": any(issue.is_transaction for issue in one.issues),
        "access": sorted(call.access.scopes),
        "hasAccess": True,
        "team": owners[0] if owners else None,
        "teams": owners,
        "platforms": [one.platform] if one.events else [],
        "hasUserReports": bool(one.feedback),
        "environments": ["dev", "production", "staging"] if one.events else [],
        "latestRelease": {"version": f"{one.slug}@1.3.0"} if one.events else None,
        "latestDeploys": None,
    }
    return _of_era(call, row | dict.fromkeys(FLAGS, False))


def _of_era(call: Call, row: Json) -> Json:
    return {name: value for name, value in row.items() if name not in YOUNG} if call.era == "old" else row


def _project_with_organization(call: Call, one: Project) -> Json:
    return project_row(call, one) | LOOKS | {"organization": organization_row(call, one.organization)}


def _team_row(call: Call, one: Team, *, detailed: bool) -> Json:
    row: Json = {
        "id": one.id,
        "slug": one.slug,
        "name": one.name,
        "dateCreated": iso(one.created),
        "isMember": call.access.is_in(one),
        "teamRole": "contributor" if call.access.is_in(one) else None,
        "flags": {"idp:provisioned": False},
        "access": sorted(call.access.scopes),
        "hasAccess": True,
        "isPending": False,
        "memberCount": one.member_count,
        "avatar": AVATAR,
    }
    if not detailed:
        return _of_era(call, row)
    inside = [project_row(call, project) | LOOKS for project in one.projects]
    return _of_era(call, row | {"externalTeams": [], "projects": inside})


def _repository_row(one: Repository) -> Json:
    return {
        "id": one.id,
        "name": one.name,
        "url": f"https://git.example.com/{one.name}",
        "provider": {"id": one.provider, "name": "GitHub"},
        "status": one.status,
        "dateCreated": iso(one.created),
        "integrationId": "7",
        "externalSlug": one.name,
        "externalId": f"9{one.id}",
    }


def _telling(call: Call, periods: tuple[str, ...]) -> Any:
    """How a project is told, with its counts where `statsPeriod` asks for them.

    Raises:
        Refusal: 400 in the odd envelope of the project lists.
    """
    period = call.get("statsPeriod") or ""
    if period not in periods:
        raise Refusal.bad_stats_period(", ".join(f"'{one}'" for one in periods))
    if not period:
        return lambda one: project_row(call, one)
    width = 3600 if period in ("1h", "24h") else 86400
    buckets = bucket_starts(call.now - seconds(period), call.now, width)
    return lambda one: project_row(call, one) | {"stats": _counted(one, buckets, width)}


def _counted(one: Project, buckets: list[int], width: int) -> list[list[int]]:
    found = project_series(one, "generated", buckets, width)
    return [[bucket, found[bucket]] for bucket in buckets]


def _search(call: Call, projects: Iterable[Project]) -> list[Project]:
    """Sentry's search over projects: `id:`, `slug:`, `team:`, `!team:`, each with any of several values, and words.

    A server of 2019 knows no `slug:` and finds nothing.
    """
    tokens: dict[str, list[str]] = {}
    for word in (call.get("query") or "").split():
        key, colon, value = word.partition(":")
        tokens.setdefault(key if colon else "", []).append(value if colon else word)
    tests: dict[str, Callable[[Project, list[str]], bool]] = {
        "": lambda one, words: " ".join(words).lower() in f"{one.slug} {one.name}".lower(),
        "id": lambda one, values: one.id in values,
        "slug": lambda one, values: one.slug in values,
        "team": lambda one, values: any(team.slug in values for team in one.teams),
        "!team": lambda one, values: all(team.slug not in values for team in one.teams),
    }
    if call.era == "old":
        del tests["slug"]
    return [one for one in projects if all(key in tests and tests[key](one, values) for key, values in tokens.items())]
