"""What is to be read, as both peers are told it, and what both know about Sentry's lists and limits."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """A kind of list.

    Attributes:
        table: where its rows go.
        path: below `/api/0/`, with `{organization}` and, where each project has a list of its own, `{project}`.
        params: of the query; one of them may hold `{project}` too.
        key: the fields that tell its rows apart; `project` is the slug of the project that was asked about.
        time: the field from whose last value on it can be read the next time; None = it has none, or its rows change.
    """

    table: str
    path: str
    params: Mapping[str, str]
    key: tuple[str, ...] = ("id",)
    time: str | None = None

    @property
    def by_project(self) -> bool:
        """Whether each project has one."""
        return "{project}" in self.path or "{project}" in self.params.values()

    def asked(self, organization: str, project: str = "") -> tuple[str, dict[str, str]]:
        """Its path and its parameters for one project."""
        names = {"organization": organization, "project": project}
        return self.path.format_map(names), {key: value.format_map(names) for key, value in self.params.items()}


_PROJECT = "projects/{organization}/{project}"
_HUNDRED = {"per_page": "100"}
_TEN_FULL = {"per_page": "10", "full": "true"}
_ALL_ISSUES = {"project": "{project}", "query": "", "sort": "date", "limit": "100"}
LISTINGS: Mapping[str, Listing] = {
    "project-events": Listing(table="events", path=f"{_PROJECT}/events/", params=_HUNDRED, time="dateCreated"),
    "bodies": Listing(table="events", path=f"{_PROJECT}/events/", params=_TEN_FULL, time="dateCreated"),
    "projects-issues": Listing(table="issues", path="organizations/{organization}/issues/", params=_ALL_ISSUES),
    "organization-projects": Listing(table="projects", path="organizations/{organization}/projects/", params=_HUNDRED),
    "organization-teams": Listing(
        table="teams", path="organizations/{organization}/teams/", params={**_HUNDRED, "detailed": "0"}
    ),
    "organization-repositories": Listing(
        table="repositories", path="organizations/{organization}/repos/", params=_HUNDRED
    ),
    "projects-users": Listing(table="users", path=f"{_PROJECT}/users/", params=_HUNDRED, key=("project", "tagValue")),
    "project-feedback": Listing(table="feedback", path=f"{_PROJECT}/user-feedback/", params={**_HUNDRED, "status": ""}),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What a peer has to do.

    Attributes:
        url: of the API, with a slash at its end.
        token: that may read everything.
        organization: its slug.
        projects: their slugs.
        listings: what to read.
        limits: whether the server has limits.
        folder: where to leave the rows.
    """

    url: str
    token: str
    organization: str
    projects: Sequence[str]
    listings: Sequence[Listing]
    limits: bool
    folder: Path


def from_command_line() -> Work:
    """The work of this process."""
    told = json.loads(sys.argv[1])
    return Work(
        url=f"{os.environ['SENTRY_URL']}/api/0/",
        token=os.environ["SENTRY_AUTH_TOKEN"],
        organization=told["organization"],
        projects=told["projects"],
        listings=[LISTINGS[name] for name in told["reads"]],
        limits=told["limits"],
        folder=Path(sys.argv[2]),
    )


def done(rows: int) -> None:
    """Say how many rows there are."""
    sys.stdout.write(json.dumps({"rows": rows}) + "\n")
