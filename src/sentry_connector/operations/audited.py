"""Writes to the audit log what a person changes: one line at each operation that changes something."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TypeVar, cast

from sentry_connector.runs.house import House

Function = TypeVar("Function", bound=Callable[..., Any])


def audited(action: str, *facts: str) -> Callable[[Function], Function]:
    """A decorator: once the operation is done, the audit log says who did it.

    Args:
        action: in the words of the command line, such as `datasets edit`.
        facts: names of parameters whose values are written down too; none that may hold a secret.
    """

    def decorate(operation: Function) -> Function:
        signature = inspect.signature(operation)

        def record(house: House, given: Mapping[str, Any], done: Any) -> None:
            said = {name: _text(given.get(name)) for name in facts if name in given}
            write(house, action, about=_named(done) or _named(given.get("name")), **said)

        if inspect.iscoroutinefunction(operation):

            @functools.wraps(operation)
            async def wait(house: House, *args: Any, **options: Any) -> Any:
                done = await operation(house, *args, **options)
                given = signature.bind(house, *args, **options).arguments
                await house.aside(lambda: record(house, given, done))
                return done

            wait.action = action  # type: ignore[attr-defined]  # by which a test finds what is written down
            return cast("Function", wait)

        @functools.wraps(operation)
        def call(house: House, *args: Any, **options: Any) -> Any:
            done = operation(house, *args, **options)
            record(house, signature.bind(house, *args, **options).arguments, done)
            return done

        call.action = action  # type: ignore[attr-defined]
        return cast("Function", call)

    return decorate


def write(house: House, action: str, *, about: str | None = None, outcome: str = "done", **facts: str) -> None:
    """Write an entry, where there is somebody who acts."""
    if house.actor is not None:
        actor = house.actor
        house.store.audit.add(
            house.now(), actor=actor.name, via=actor.via, action=action, about=about, outcome=outcome, facts=facts
        )


def _named(value: Any) -> str | None:
    """The name of what was changed: that of a record, of the first of several, or the text itself."""
    first = value[0] if isinstance(value, tuple) and value else value
    name = first if isinstance(first, str) else getattr(first, "name", None)
    return name if isinstance(name, str) else None


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if (name := getattr(value, "name", None)) is not None and not isinstance(value, Enum):
        return str(name)
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(sorted(map(str, value)))
    if isinstance(value, Mapping):
        return ", ".join(sorted(value))  # which fields; their values stand in the record itself
    return str(value)
