"""What a notice says: a title and a text for people, an object for programs. Pure."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from sentry_connector.store.records import Notice


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
