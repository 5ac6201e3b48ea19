"""The steps of a plan."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from sentry_connector.datasets.config import AccountEntry, AnyEntry, ChannelEntry, DataSetEntry, DestinationEntry, given
from sentry_connector.datasets.config import changes as differences
from sentry_connector.datasets.config_reader import Placed, Read


class Action(StrEnum):
    """What is to be done with something."""

    CREATE = "create"
    CHANGE = "change"
    DELETE = "delete"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A field that is to have another value. Of a secret only the reference is known here."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """Something that is to be done.

    Attributes:
        action: what.
        section: `accounts`, `destinations`, `datasets` or `notices`.
        name: of whom, as it will be.
        changes: the fields that change; of what is new, those that are not the default.
        notes: what a person should know about it.
        stored: its name until now; None for what is new.
        as_of: when a DataSet was last edited before the plan was made.
        placed: its entry, complete; None for what is deleted.
    """

    action: Action
    section: str
    name: str
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    stored: str | None = None
    as_of: dt.datetime | None = None
    placed: Placed[AccountEntry] | Placed[DestinationEntry] | Placed[DataSetEntry] | Placed[ChannelEntry] | None = None

    def changes_any(self, *fields: str) -> bool:
        """Whether it gives another value to one of these fields, or makes something new."""
        return self.action is Action.CREATE or any(change.field in fields for change in self.changes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """A plan.

    Attributes:
        steps: what is to be done, in its order.
        unchanged: how many entries are stored as they are.
        notes: what a person should know that belongs to no step.
        wanted, prune: what it was made from.
    """

    steps: tuple[Step, ...]
    unchanged: int
    notes: tuple[str, ...]
    wanted: Read = field(repr=False)
    prune: bool


def changes(before: AnyEntry, after: AnyEntry) -> list[Change]:
    """The fields that are to change."""
    return [Change(field=name, before=old, after=new) for name, old, new in differences(before, after)]


def created(section: str, placed: Placed[Any]) -> Step:
    """Something new."""
    left_out = {"name", "renamed_from"}
    values = {name: getattr(placed.entry, name) for name in given(placed.entry) if name not in left_out}
    return Step(
        action=Action.CREATE,
        section=section,
        name=placed.entry.name,
        changes=tuple(Change(field=name, before=None, after=value) for name, value in values.items()),
        placed=placed,
    )


def changed(
    section: str,
    placed: Placed[Any],
    stored: str,
    found: Sequence[Change],
    notes: tuple[str, ...] = (),
    *,
    as_of: dt.datetime | None = None,
) -> Step | None:
    """Something that is there and changes; None where nothing does."""
    if not found:
        return None
    return Step(
        action=Action.CHANGE,
        section=section,
        name=placed.entry.name,
        changes=tuple(found),
        notes=notes,
        stored=stored,
        as_of=as_of,
        placed=placed,
    )


def deleted(section: str, name: str, *notes: str) -> Step:
    """Something that is to go."""
    return Step(action=Action.DELETE, section=section, name=name, notes=notes, stored=name)


def counts_of(plan: Planned) -> dict[str, int]:
    """How many entries are to be created, changed and deleted, and how many stay as they are."""
    found = {str(action): sum(step.action is action for step in plan.steps) for action in Action}
    return found | {"unchanged": plan.unchanged}


def plan_view(plan: Planned) -> dict[str, Any]:
    """A plan as JSON."""
    return {**counts_of(plan), "steps": [step_view(step) for step in plan.steps], "notes": list(plan.notes)}


def step_view(step: Step) -> dict[str, Any]:
    """A step as JSON."""
    return {
        "action": str(step.action),
        "section": step.section,
        "name": step.name,
        "changes": [
            {"field": one.field, "before": msgspec.to_builtins(one.before), "after": msgspec.to_builtins(one.after)}
            for one in step.changes
        ],
        "notes": list(step.notes),
    }
