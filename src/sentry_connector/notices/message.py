"""What a notice says: a title and a text for people, an object for programs. Pure."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from sentry_connector.store.records import Notice


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A notice, or a test, as services get it.

    Attributes:
        id: whoever gets it twice knows it by that.
        title, text: for people.
        facts: for programs.
        is_good: whether nothing is wrong (any more).
    """

    id: str
    title: str
    text: str
    facts: dict[str, Any]
    is_good: bool


def message_of(notice: Notice) -> Message:
    """What is told by a notice."""
    return Message(
        id=notice.id, title=title_of(notice), text=text_of(notice), facts=object_of(notice), is_good=notice.recovered
    )


def test_of(channel: str, id_: str, now: dt.datetime) -> Message:
    """A message that shows whether a channel works; nobody can take it for a notice."""
    title, text = f"Test of {channel}", "This is a test: nothing is wrong."
    facts = {"id": id_, "test": True, "title": title, "message": text, "at": now}
    return Message(id=id_, title=title, text=f"{text}\nTest {id_}", facts=facts, is_good=True)


def title_of(notice: Notice) -> str:
    """`Shop events: failed`, or `Shop events: recovered (failed)`."""
    return f"{notice.subject}: {f'recovered ({notice.kind})' if notice.recovered else notice.kind}"


def text_of(notice: Notice) -> str:
    """What happened, since when, and where to look; the id last, by which a second copy is known."""
    lines = [notice.message, "", f"Since {_time(notice.since)}."]
    if notice.recovered:
        lines[-1] = f"From {_time(notice.since)} to {_time(notice.at)}."
    if notice.run_id is not None:
        lines.append(f"More: sentry-connector runs show {notice.run_id}")
    return "\n".join([*lines, f"Notice {notice.id}"])


def object_of(notice: Notice) -> dict[str, Any]:
    """The notice as JSON output and webhooks have it."""
    facts: dict[str, Any] = msgspec.to_builtins(notice, builtin_types=(dt.datetime,))
    return {**facts, "title": title_of(notice)}


def _time(at: dt.datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}Z"
