"""Where a slice of data lies: one organization, team, project or issue, on one host."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from sentry_connector.reports.model import Grain


class Scope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that a slice is about, resolved: ids beside slugs, and the host that answers for it.

    Attributes:
        grain: what kind of thing it is.
        url: base URL of the host that answers for it, without a trailing slash (a region's host on sentry.io).
        organization, project, team: slugs. organization_id, project_id, team_id, issue_id: Sentry's ids, as text.
        members: for a team, its projects as (id, slug), where the report sums over them.
    """

    grain: Grain
    url: str
    organization: str | None = None
    organization_id: str | None = None
    project: str | None = None
    project_id: str | None = None
    team: str | None = None
    team_id: str | None = None
    issue_id: str | None = None
    members: tuple[tuple[str, str], ...] = ()

    @property
    def id(self) -> str:
        """Stable name for watermarks and reasons: `project:42`. Built on ids, so that a rename keeps it.

        A token that may not read an organization does not tell its id: then the slug stands in its place.
        """
        ids = {
            Grain.ACCOUNT: "all",
            Grain.ORGANIZATION: self.organization_id or f"@{self.organization}",
            Grain.TEAM: self.team_id,
            Grain.PROJECT: self.project_id,
            Grain.ISSUE: self.issue_id,
        }
        return f"{self.grain}:{ids[self.grain]}"

    @property
    def rows(self) -> dict[str, str]:
        """Column values that mark the rows of this scope."""
        marks: dict[Grain, dict[str, str | None]] = {
            Grain.ACCOUNT: {"_host": urlsplit(self.url).netloc},
            Grain.ORGANIZATION: {"organization": self.organization},
            Grain.TEAM: {"team_id": self.team_id},
            Grain.PROJECT: {"project_id": self.project_id},
            Grain.ISSUE: {"issue_id": self.issue_id},
        }
        return {column: value for column, value in marks[self.grain].items() if value is not None}

    @property
    def label(self) -> str:
        """For people: `acme/shop`."""
        if self.grain is Grain.ACCOUNT:
            return "everything the token sees"
        if self.grain is Grain.ISSUE:
            return f"issue {self.issue_id}"
        parts = [self.organization, self.team if self.grain is Grain.TEAM else self.project]
        return "/".join(part for part in parts if part)
