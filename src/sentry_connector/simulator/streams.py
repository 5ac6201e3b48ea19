"""Events, people and feedback: the lists of a project and of an issue, and single events."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import msgspec

from sentry_connector.simulator.call import Answer, Call
from sentry_connector.simulator.events import detail, environment, full, iso, message, old_event, slim_json, tags
from sentry_connector.simulator.issues import issue_row
from sentry_connector.simulator.model import Event, Feedback, Person, between, newest_first, span
from sentry_connector.simulator.pages import FULL_PER_PAGE, by_key, by_page_number, by_row_number, per_page
from sentry_connector.simulator.refusals import refuse

Json = dict[str, Any]
MOST_PEOPLE = 50_000
"""Sentry looks at 5 times 10,000 groups and no more: very large projects are cut."""

FEEDBACK_STATES = ("unresolved", "")


def project_events(call: Call) -> Answer:
    """`P/events/`: error events, newest first; `query` is a part of the message, `environment` is not read."""
    events, window = call.project().events, _window(call)
    words = (call.get("query") or "").lower()
    if words:
        return _events(call, [event for event in between(events, *window) if words in message(event).lower()])
    return _events(call, events, span(events, *window))


def issue_events(call: Call) -> Answer:
    """`O/issues/{id}/events/`: newest first; an event id as `query` is a direct hit without a Link header."""
    issue, query, environments = call.issue(), call.get("query") or "", call.all("environment")
    hit = next((event for event in issue.events if event.id == query), None) if query else None
    if hit is not None:
        return Answer([_row(call)(hit)], {"X-Sentry-Direct-Hit": "1"})
    window = _window(call)
    if not (environments or query or call.flag("sample")):
        return _events(call, issue.events, span(issue.events, *window))
    words = query.split()
    events = [
        event
        for event in between(issue.events, *window)
        if (not environments or environment(event) in environments) and all(_matches(event, word) for word in words)
    ]
    if call.flag("sample"):
        events.sort(key=lambda event: event.id)
    return _events(call, events)


def project_event(call: Call) -> Answer:
    """`P/events/{event_id}/`."""
    project = call.project()
    for event in project.events:
        if event.id == call.segments["event"]:
            return _detail(call, event, project.events)
    raise refuse(404)


def issue_event(call: Call) -> Answer:
    """`O/issues/{id}/events/{event_id}/`, also `latest`, `oldest`, `recommended`."""
    events, wanted = call.issue().events, call.segments["event"]
    named = {"latest": events[-1], "recommended": events[-1], "oldest": events[0]}
    for event in (named[wanted],) if wanted in named else events:
        if wanted in named or event.id == wanted:
            return _detail(call, event, events)
    raise refuse(404)


def project_users(call: Call) -> Answer:
    """`P/users/`: everybody who has met an error, latest first, told apart by the first identity that is present."""
    events = call.project().events
    if call.era == "old":
        return _old_users(call, events)
    people: dict[str, Person] = {}
    for event in reversed(events):
        if event.person:
            people.setdefault(event.person.identity, event.person)
    found = [one for one in islice(people.values(), MOST_PEOPLE) if _is_person(one, call.get("query"))]
    return call.answer(call.paged(by_page_number, found), person_row)


def _old_users(call: Call, events: Sequence[Event]) -> Answer:
    """Servers of 2019 kept a record of each person, made at the first event, and list them by that time."""
    first: dict[str, tuple[int, Person]] = {}
    for event in events:
        if event.person:
            first.setdefault(event.person.identity, (event.time, event.person))
    page = call.paged(by_key, list(first.values())[::-1], lambda one: one[0] * 1000)
    return call.answer(page, lambda one: person_row(one[1]) | {"dateCreated": iso(one[0])})


def project_feedback(call: Call) -> Answer:
    """`P/user-feedback/`: of unresolved issues unless `status=`; the filter works after the page is cut."""
    status = call.get("status") if call.get("status") is not None else "unresolved"
    if status not in FEEDBACK_STATES:
        raise refuse(400, "Invalid status choice")
    found = sorted(call.project().feedback, key=lambda one: (one.created, int(one.id)), reverse=True)
    keep = (lambda one: one.event.issue.status == "unresolved") if status else None
    page = call.paged(by_key, found, lambda one: math.ceil(one.created * 1000), keep=keep)
    return call.answer(page, lambda one: _feedback_row(call, one))


# ---- events


def _window(call: Call) -> tuple[float | None, float | None]:
    """Servers of 2019 read no window on event lists."""
    return (None, None) if call.era == "old" else call.window()


def _events(call: Call, events: Sequence[Event], places: range | None = None) -> Answer:
    """A page of the events at these places of a sorted list, by default of all."""
    places = range(len(events)) if places is None else places
    if call.era == "old":
        falling = newest_first(events, places, 0, len(places))
        return call.answer(call.paged(by_key, falling, lambda event: event.time * 1000), old_event)
    size = min(per_page(call.get("per_page")), FULL_PER_PAGE) if call.flag("full") else None
    page = call.paged(by_row_number, _fetch(call, events, places), size=size, shift=call.shift)
    return call.answer(page, _row(call))


def _fetch(call: Call, events: Sequence[Event], places: range) -> Callable[[int, int], Sequence[Event]]:
    """Rows by their number from the newest; `sample` has sorted them already."""
    if call.flag("sample"):
        return lambda offset, count: events[offset : offset + count]
    return lambda offset, count: newest_first(events, places, offset, count)


def _row(call: Call) -> Callable[[Event], Any]:
    if call.era == "old":
        return old_event
    return full if call.flag("full") else lambda event: msgspec.Raw(slim_json(event))


def _detail(call: Call, event: Event, siblings: list[Event]) -> Answer:
    told = detail(event, siblings, call.world.feedback_of(event))
    return Answer(told | old_event(event) if call.era == "old" else told)


def _matches(event: Event, word: str) -> bool:
    """A word of an event search: `key:value` means a tag, anything else a part of the title."""
    key, colon, value = word.partition(":")
    if colon:
        return any(tag["key"] == key and tag["value"] == value for tag in tags(event))
    return word.lower() in event.issue.title.lower()


# ---- people and feedback


def person_row(one: Person) -> Json:
    """A person as `P/users/` tells them; `dateCreated` has been null since users come from events."""
    kind, _, value = one.identity.partition(":")
    digest = hashlib.md5(value.encode(), usedforsecurity=False).hexdigest()
    return {
        "id": one.id,
        "tagValue": f"{kind}:{value}",
        "identifier": one.id,
        "username": one.username,
        "email": one.email,
        "name": one.name,
        "ipAddress": one.ip_address,
        "avatarUrl": f"https://avatars.example.com/{digest}",
        "hash": digest,
        "dateCreated": None,
    }


def _is_person(one: Person, query: str | None) -> bool:
    """`id:`, `email:`, `username:` or `ip:` and the value; a query without a prefix finds nobody."""
    if not query:
        return True
    kind, _, value = query.partition(":")
    known = {"id": one.id, "email": one.email, "username": one.username, "ip": one.ip_address}
    return bool(value) and known.get(kind) == value


def _feedback_row(call: Call, one: Feedback) -> Json:
    person = one.event.person
    return {
        "id": one.id,
        "eventID": one.event.id,
        "name": one.name,
        "email": one.email,
        "comments": one.comments,
        "dateCreated": iso(one.created),
        "user": person_row(person) if person else None,
        "event": {"id": one.event.id, "eventID": one.event.id},
        "issue": issue_row(call, one.event.issue, one.event.issue.events),
    }
