"""Events as Sentry's API tells them: the slim row of lists, the full row, and the single event with its neighbours."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from random import Random
from typing import Any

import msgspec

from sentry_connector.simulator import texts
from sentry_connector.simulator.entries import entries
from sentry_connector.simulator.model import Event, Feedback, Issue, Person

Json = dict[str, Any]
MOST_KEPT = 250_000
"""How many events of a world keep their list row, of about a kilobyte each."""

EVENT_TYPES = {"csp": "csp", "security": "csp", "bare": "default", "message": "default", "transaction": "transaction"}


@lru_cache(maxsize=50_000)
def iso(seconds: float) -> str:
    """Unix seconds as Sentry writes times: `2026-11-01T10:00:00Z`, with microseconds where there are any."""
    return dt.datetime.fromtimestamp(round(seconds, 6), dt.UTC).isoformat().replace("+00:00", "Z")


def slim_json(event: Event) -> bytes:
    """The slim row as JSON; made once per event, but for those of a very large world's rest."""
    if event.slim is not None:
        return event.slim
    row = msgspec.json.encode(slim(event))
    if event.number < MOST_KEPT:
        event.slim = row
    return row


def slim(event: Event) -> Json:
    """A row of the event lists, without the body (Sentry's SimpleEventSerializer)."""
    row = _shared(event)
    return {**row, "event.type": event_type(event.issue)}


def full(event: Event) -> Json:
    """A row of the event lists with `full=true`: the body too. A transaction has no `dateCreated` there."""
    issue, kind = event.issue, event_type(event.issue)
    row = _shared(event)
    row |= {
        "type": kind,
        "entries": entries(event),
        "size": 2000 + event.number % 5000,
        "dist": None,
        "contexts": _contexts(event),
        "sdk": {"name": f"sentry.{issue.project.platform}", "version": "2.44.0"},
        "context": {"attempt": event.number % 7, "note": texts.HOSTILE[event.number % len(texts.HOSTILE)]},
        "packages": {"requests": "2.34.2"},
        "errors": [],
        "occurrence": None,
        "_meta": {"entries": {}, "message": None, "user": None, "contexts": None, "tags": {}},
        "dateReceived": iso(event.time + event.delay),
    }
    if issue.is_transaction:
        del row["dateCreated"]
        return row | _of_transaction(event)
    return row | _of_error(event)


def detail(event: Event, siblings: list[Event], report: Feedback | None) -> Json:
    """The single event: the full row with its user report and the ids of the events before and after it."""
    place = siblings.index(event)
    extra: Json = {
        "release": {"version": release(event), "dateCreated": iso(event.time - 86400), "status": "open"},
        "userReport": None if report is None else user_report(report),
        "sdkUpdates": [],
        "resolvedWith": [],
        "previousEventID": siblings[place - 1].id if place else None,
        "nextEventID": siblings[place + 1].id if place + 1 < len(siblings) else None,
    }
    return full(event) | extra


def old_event(event: Event) -> Json:
    """An event as servers of 2019 tell it: a number as `id`, and the body in every list."""
    row = full(event)
    for young in ("occurrence", "startTimestamp", "endTimestamp", "measurements", "breakdowns"):
        row.pop(young, None)
    return row | {"id": str(event.number + 1), "dateCreated": iso(event.time)}


def user_report(report: Feedback) -> Json:
    """A user's words, as they stand in an event."""
    return {
        "id": report.id,
        "eventID": report.event.id,
        "name": report.name,
        "email": report.email,
        "comments": report.comments,
        "dateCreated": iso(report.created),
        "user": None,
        "event": {"id": report.event.id, "eventID": report.event.id},
    }


def event_type(issue: Issue) -> str:
    """`error`, `default`, `csp` or `transaction`."""
    return EVENT_TYPES.get(issue.kind, "error")


def environment(event: Event) -> str:
    """The environment tag of an event."""
    return texts.ENVIRONMENTS[event.number % len(texts.ENVIRONMENTS)]


def release(event: Event) -> str:
    """The release tag of an event."""
    return f"{event.project.slug}@1.{event.number % 4}.0"


def message(event: Event) -> str:
    """The message of an event, which differs by its number where the issue has one."""
    return f"{event.issue.message} ({event.number})" if event.issue.kind == "message" else event.issue.message


def _shared(event: Event) -> Json:
    """What slim and full rows have in common."""
    issue = event.issue
    return {
        "id": event.id,
        "eventID": event.id,
        "groupID": issue.id,
        "projectID": issue.project.id,
        "message": message(event),
        "title": issue.title,
        "location": f"app/views.py in {issue.culprit}" if issue.kind in ("python", "template") else None,
        "culprit": issue.culprit,
        "user": event_user(event.person),
        "tags": tags(event),
        "platform": issue.project.platform,
        "dateCreated": iso(event.time),
        "crashFile": None,
        "metadata": metadata(issue),
    }


def metadata(issue: Issue) -> Json:
    """What an issue's title was made from."""
    kind, _, value = issue.title.partition(": ")
    if event_type(issue) == "error":
        return {"type": kind, "value": value, "filename": "app/views.py", "function": issue.culprit}
    return {"title": issue.title}


def event_user(person: Person | None) -> Json | None:
    """The user of an event, or None where the event names nobody."""
    if person is None:
        return None
    known = {"id": person.id, "email": person.email, "username": person.username, "ip_address": person.ip_address}
    return {**known, "name": person.name, "geo": {"country_code": "AT", "region": "Austria"}, "data": None}


def tags(event: Event) -> list[Json]:
    """An event's tags, sorted by key; the user's tag carries the search that finds it."""
    browser, version = texts.BROWSERS[event.number % len(texts.BROWSERS)]
    values = {
        "browser": f"{browser} {version}",
        "environment": environment(event),
        "level": event.issue.level,
        "note": texts.HOSTILE[event.number % len(texts.HOSTILE)],
        "release": release(event),
    }
    found: list[Json] = [{"key": key, "value": value} for key, value in values.items()]
    if event.person:
        kind, _, value = event.person.identity.partition(":")
        found.append({"key": "user", "value": f"{kind}:{value}", "query": f'user.{kind}:"{value}"'})
    return found


def _contexts(event: Event) -> Json:
    browser, version = texts.BROWSERS[event.number % len(texts.BROWSERS)]
    return {
        "browser": {"name": browser, "version": version, "type": "browser"},
        "trace": {"trace_id": event.id, "span_id": event.id[:16], "type": "trace"},
        "runtime": {"name": "CPython", "version": "3.13.1", "type": "runtime"},
    }


def _of_error(event: Event) -> Json:
    fingerprint = f"{Random(event.issue.id).getrandbits(128):032x}"
    return {"fingerprints": [fingerprint], "groupingConfig": {"id": "newstyle:2023-01-11", "enhancements": "KLUv"}}


def _of_transaction(event: Event) -> Json:
    return {
        "startTimestamp": event.time - 0.25,
        "endTimestamp": float(event.time),
        "measurements": {"lcp": {"value": 1000.5, "unit": "millisecond"}},
        "breakdowns": None,
    }
