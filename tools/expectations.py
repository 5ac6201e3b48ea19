"""What each report must bring, told from the truth about a server: the arguments of a pull, and the rows that it must have."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

HOUR = 3600
"""Seconds."""

Truth = dict[str, Any]
Row = dict[str, Any]


@dataclass
class Expectation:
    """One pull and what it must bring.

    Attributes:
        arguments: of `sentry_connector.pull`.
        key: columns that tell rows apart.
        rows: the expected rows, each with the columns that the truth knows; None expects nothing in particular.
        fields: how many fields were compared.
    """

    arguments: dict[str, Any]
    key: tuple[str, ...]
    rows: Sequence[Row] | None
    fields: int = 0
    columns: set[str] = field(default_factory=set)

    def differences(self, rows: Sequence[Row]) -> Iterator[str]:
        """In words: rows that are missing, doubled or too many, and fields that differ."""
        if self.rows is None:
            return
        got = {self._key(row): row for row in rows}
        wanted = {self._key(row): row for row in self.rows}
        if len(got) < len(rows):
            yield f"{len(rows) - len(got)} rows are doubled"
        for key in wanted.keys() - got.keys():
            yield f"no row {key}"
        for key in got.keys() - wanted.keys():
            yield f"a row {key} too many"
        for key in wanted.keys() & got.keys():
            yield from self._fields(key, wanted[key], got[key])

    def _fields(self, key: tuple[Any, ...], wanted: Row, got: Row) -> Iterator[str]:
        for column, value in wanted.items():
            self.fields += 1
            self.columns.add(column)
            if not equal(value, got[column]):
                yield f"row {key}: {column} is {got[column]!r}, the truth says {value!r}"

    def _key(self, row: Row) -> tuple[Any, ...]:
        return tuple(row[column] for column in self.key)


def equal(wanted: Any, got: Any) -> bool:
    """Whether a pulled value is the true one; Sentry's API cuts times to milliseconds, or to seconds. A set is of slugs."""
    if isinstance(wanted, frozenset):
        slugs: set[str] = {element["slug"] for element in json.loads(got)}
        return not slugs.symmetric_difference(wanted)
    if isinstance(got, dt.datetime) and isinstance(wanted, str):
        wanted = dt.datetime.fromisoformat(wanted)
        cut = 1000 if got.microsecond else 1_000_000
        return bool(wanted.replace(microsecond=wanted.microsecond // cut * cut) == got)
    return bool(wanted == got)


def organizations(truth: Truth) -> list[Row]:
    """Those that the token's user is in."""
    return [one for one in truth["organizations"] if one["member"]]


def projects(truth: Truth) -> Iterator[tuple[Row, Row]]:
    """Each (organization, project)."""
    return ((one, project) for one in organizations(truth) for project in one["projects"])


def busy_projects(truth: Truth) -> Iterator[tuple[Row, Row]]:
    """Those with events, and the first without."""
    quiet = [pair for pair in projects(truth) if not pair[1]["events"]][:1]
    yield from (pair for pair in projects(truth) if pair[1]["events"])
    yield from quiet


def _project_row(one: Row, project: Row) -> Row:
    return {
        "organization": one["slug"],
        "project_id": project["id"],
        "slug": project["slug"],
        "name": project["name"],
        "platform": project["platform"],
        "date_created": project["dateCreated"],
        "is_member": project["member"],
        "teams": frozenset(project["teams"]),
    }


def _within_project(one: Row, project: Row) -> Row:
    return {
        "organization": one["slug"],
        "organization_id": one["id"],
        "project": project["slug"],
        "project_id": project["id"],
    }


def _address(one: Row, project: Row) -> str:
    return f"{one['slug']}/{project['slug']}"


def _days(truth: Truth) -> dict[str, Any]:
    """Days that hold all events of the truth, which hourly counts are kept for."""
    made = dt.datetime.fromisoformat(truth["made"])
    first = made - dt.timedelta(hours=truth["hours"] + 1)
    return {"start": first.date().isoformat(), "end": made.date().isoformat()}


def _hours(truth: Truth, series: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Every hour of those days up to now with its count, zeros included."""
    days = _days(truth)
    start = int(dt.datetime.fromisoformat(f"{days['start']}T00:00:00+00:00").timestamp())
    day_after = int(dt.datetime.fromisoformat(f"{days['end']}T00:00:00+00:00").timestamp()) + 86400
    now = int(dt.datetime.now(dt.UTC).timestamp()) - 60
    counts = Counter(dict(series))
    return {hour: counts[hour] for hour in range(start, min(day_after, now), HOUR)}


def counts_project(truth: Truth) -> Iterator[Expectation]:
    """By hour, by the events' own time."""
    for one, project in busy_projects(truth):
        hours = _hours(truth, project["events_per_hour"])
        yield Expectation(
            {"project": _address(one, project), "stat": "generated", **_days(truth)},
            ("timestamp_epoch",),
            [
                _within_project(one, project)
                | {
                    "stat": "generated",
                    "resolution": "1h",
                    "timestamp": _iso(hour),
                    "timestamp_epoch": hour,
                    "events": n,
                }
                for hour, n in hours.items()
            ],
        )


def counts_team(truth: Truth) -> Iterator[Expectation]:
    """The sum over the team's projects."""
    for one in organizations(truth):
        by_slug = {project["slug"]: project for project in one["projects"]}
        for team in (team for team in one["teams"] if 0 < len(team["projects"]) < 20):  # noqa: PLR2004  # one request a project
            total: Counter[int] = Counter()
            for slug in team["projects"]:
                total.update(dict(by_slug[slug]["events_per_hour"]))
            yield Expectation(
                {"organization": one["slug"], "team": team["slug"], "stat": "generated", **_days(truth)},
                ("timestamp_epoch",),
                [
                    {
                        "organization": one["slug"],
                        "organization_id": one["id"],
                        "team": team["slug"],
                        "team_id": team["id"],
                        "stat": "generated",
                        "resolution": "1h",
                        "timestamp": _iso(hour),
                        "timestamp_epoch": hour,
                        "events": n,
                    }
                    for hour, n in _hours(truth, list(total.items())).items()
                ],
            )


class ReceivedInAll(Expectation):
    """Received counts lie at the time of arrival, which the truth knows only as their sum."""

    def differences(self, rows: Sequence[Row]) -> Iterator[str]:
        """The sum, and that every hour is there once."""
        (wanted,) = self.rows or ()
        hours = [row["timestamp_epoch"] for row in rows]
        if any(second - first != HOUR for first, second in itertools.pairwise(hours)):
            yield "the hours are not each there once, in order"
        for column in ("organization", "organization_id", "stat", "resolution"):
            yield from self._fields(
                (column,), {column: wanted[column]}, {column: "/".join({row[column] for row in rows})}
            )
        yield from self._fields(("sum",), {"events": wanted["events"]}, {"events": sum(row["events"] for row in rows)})
        if any(int(row["timestamp"].timestamp()) != row["timestamp_epoch"] for row in rows):
            yield "timestamp and timestamp_epoch differ"
        self.columns |= {"timestamp", "timestamp_epoch"}


def counts_organization(truth: Truth) -> Iterator[Expectation]:
    """The sum of what was received."""
    days = _days(truth)
    for one in organizations(truth):
        row = {
            "organization": one["slug"],
            "organization_id": one["id"],
            "stat": "received",
            "resolution": "1h",
            "events": one["counts"]["events"],
        }
        yield ReceivedInAll({"organization": one["slug"], "stat": "received", **days}, ("organization_id",), [row])


def _iso(epoch: int) -> str:
    return dt.datetime.fromtimestamp(epoch, dt.UTC).isoformat()


def _event_rows(one: Row, project: Row, events: Sequence[Row]) -> list[Row]:
    return [
        _within_project(one, project)
        | {"event_id": event["eventID"], "issue_id": event["issue"], "date_created": event["dateCreated"]}
        for event in events
    ]


def project_events(truth: Truth) -> Iterator[Expectation]:
    """Every event."""
    for one, project in busy_projects(truth):
        yield Expectation(
            {"project": _address(one, project)},
            ("project_id", "event_id"),
            _event_rows(one, project, project["events"]),
        )


def issues_events(truth: Truth) -> Iterator[Expectation]:
    """Every event of every issue."""
    for one, project in projects(truth):
        for issue in project["issues"]:
            events = [event for event in project["events"] if event["issue"] == issue["id"]]
            yield Expectation({"issue": issue["id"]}, ("project_id", "event_id"), _event_rows(one, project, events))


class Entries(Expectation):
    """The truth knows the events, not their entries: each event is there, and its entries are numbered from zero."""

    def differences(self, rows: Sequence[Row]) -> Iterator[str]:
        """One row per event, by its first entry; and the numbers."""
        first = [row for row in rows if row["entry_index"] == 0]
        yield from super().differences(first)
        numbers = Counter(row["event_id"] for row in rows)
        for row in rows:
            if not 0 <= row["entry_index"] < numbers[row["event_id"]]:
                yield f"event {row['event_id']}: entry {row['entry_index']} of {numbers[row['event_id']]}"
            if not row["entry_type"]:
                yield f"event {row['event_id']}: entry {row['entry_index']} has no type"
        self.columns |= {"entry_index"}


def project_events_entries(truth: Truth) -> Iterator[Expectation]:
    """Entries of every event."""
    return (Entries(one.arguments, one.key, one.rows) for one in project_events(truth))


def issues_events_entries(truth: Truth) -> Iterator[Expectation]:
    """Entries of every event of every issue."""
    return (Entries(one.arguments, one.key, one.rows) for one in issues_events(truth))


def organization_projects(truth: Truth) -> Iterator[Expectation]:
    """Every project, whoever is in its teams."""
    for one in organizations(truth):
        rows = [_project_row(one, project) | {"organization_id": one["id"]} for project in one["projects"]]
        yield Expectation({"organization": one["slug"]}, ("project_id",), rows)


def all_projects(truth: Truth) -> Iterator[Expectation]:
    """Every project of every organization."""
    yield Expectation({}, ("project_id",), [_project_row(one, project) for one, project in projects(truth)])


def organization_repositories(truth: Truth) -> Iterator[Expectation]:
    """Every repository."""
    for one in organizations(truth):
        rows = [
            {
                "organization": one["slug"],
                "organization_id": one["id"],
                "repository_id": repo["id"],
                "name": repo["name"],
                "url": repo["url"],
                "status": "active",
            }
            for repo in one["repos"]
        ]
        yield Expectation({"organization": one["slug"]}, ("repository_id",), rows)


def organization_teams(truth: Truth) -> Iterator[Expectation]:
    """Every team."""
    for one in organizations(truth):
        rows = [
            {
                "organization": one["slug"],
                "organization_id": one["id"],
                "team_id": team["id"],
                "slug": team["slug"],
                "name": team["name"],
                "is_member": team["member"],
            }
            for team in one["teams"]
        ]
        yield Expectation({"organization": one["slug"]}, ("team_id",), rows)


def team_projects(truth: Truth) -> Iterator[Expectation]:
    """Every project of every team."""
    for one in organizations(truth):
        by_slug = {project["slug"]: project for project in one["projects"]}
        rows = [
            _project_row(one, by_slug[slug])
            | {"organization_id": one["id"], "team": team["slug"], "team_id": team["id"]}
            for team in one["teams"]
            for slug in team["projects"]
        ]
        yield Expectation({"organization": one["slug"], "team": "*"}, ("team_id", "project_id"), rows)


def all_organizations(truth: Truth) -> Iterator[Expectation]:
    """Those that the token's user is in."""
    rows = [{"organization_id": one["id"], "slug": one["slug"], "name": one["name"]} for one in organizations(truth)]
    yield Expectation({}, ("organization_id",), rows)


def projects_issues(truth: Truth) -> Iterator[Expectation]:
    """Every issue, whatever its status. The truth's `comments` are not compared: it counts resolutions under that name."""
    for one, project in busy_projects(truth):
        rows = [
            _within_project(one, project)
            | {
                "issue_id": issue["id"],
                "status": issue["status"],
                "level": issue["level"],
                "culprit": issue["culprit"],
                "event_count": issue["times_seen"],
                "first_seen": issue["firstSeen"],
                "last_seen": issue["lastSeen"],
            }
            for issue in project["issues"]
        ]
        yield Expectation({"organization": one["slug"], "project": project["slug"]}, ("project_id", "issue_id"), rows)


def projects_users(truth: Truth) -> Iterator[Expectation]:
    """Every user, by the identity that Sentry knows them by."""
    for one, project in busy_projects(truth):
        rows = [
            _within_project(one, project)
            | {
                "user_key": _user_key(user),
                "id": user["id"],
                "identifier": user["ident"],
                "hash": user["hash"],
                "username": user["username"],
                "email": user["email"],
                "ip_address": _address_alone(user["ip"]),
            }
            for user in project["users"]
        ]
        yield Expectation({"project": _address(one, project)}, ("project_id", "user_key"), rows)


def _address_alone(address: str | None) -> str | None:
    """PostgreSQL writes an address as a network of one."""
    return address.partition("/")[0] if address else None


def _user_key(user: Row) -> str:
    for kind, name in (("id", "ident"), ("username", "username"), ("email", "email"), ("ip", "ip")):
        if user[name]:
            return f"{kind}:{_address_alone(user[name])}"
    raise ValueError("a user without any identity")


def project_feedback(truth: Truth) -> Iterator[Expectation]:
    """Every feedback, whatever the status of its issue."""
    for one, project in busy_projects(truth):
        rows = [
            _within_project(one, project)
            | {
                "feedback_id": feedback["id"],
                "event_id": feedback["eventID"],
                "issue_id": feedback["issue"],
                "name": feedback["name"],
                "issue_status": feedback["issue_status"],
                "email": feedback["email"],
                "comments": feedback["comments"],
                "date_created": feedback["dateCreated"],
            }
            for feedback in project["feedback"]
        ]
        yield Expectation({"project": _address(one, project)}, ("project_id", "feedback_id"), rows)


EXPECTATIONS: dict[str, Callable[[Truth], Iterator[Expectation]]] = {
    "events-counts-organization": counts_organization,
    "events-counts-project": counts_project,
    "events-counts-team": counts_team,
    "issues-events": issues_events,
    "issues-events-entries": issues_events_entries,
    "organization-projects": organization_projects,
    "organization-repositories": organization_repositories,
    "organization-teams": organization_teams,
    "organizations": all_organizations,
    "projects": all_projects,
    "project-feedback": project_feedback,
    "project-events": project_events,
    "project-events-entries": project_events_entries,
    "projects-issues": projects_issues,
    "projects-users": projects_users,
    "team-projects": team_projects,
}
"""Slug of the report → what it must bring."""
