"""What the parts of an open connector share."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from sentry_connector.app import App
from sentry_connector.library.loop import Loop

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Open:
    """The parts of an open connector, and its event loop."""

    house: App
    loop: Loop

    def wait(self, work: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
        """Do asynchronous work and wait for its end."""
        return self.loop.run(work)
