"""A simulated Sentry whose requests are watched, and held back or used as the moment for something else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sentry_connector.simulator import Fault, Faults, Simulation, World, start_in_thread

PATIENCE = 60.0
"""Seconds after which a test that waits for a process has failed."""


@dataclass
class Watch(Faults):
    """Sees every request, and does something at one of them, before it is answered."""

    rate: float = 0.0
    seen: list[str] = field(default_factory=list)
    at: int = -1
    then: Callable[[], object] = lambda: None

    def hold(self, number: int) -> tuple[threading.Event, threading.Event]:
        """Leave that request without an answer: the first event tells that it came, the second lets it go on."""
        came, go_on = threading.Event(), threading.Event()

        def hold_on() -> None:
            came.set()
            go_on.wait(PATIENCE)

        self.at, self.then = number, hold_on
        return came, go_on

    def do(self, then: Callable[[], object], *, after: int = 0) -> None:
        """Do something at the next request, or after so many more."""
        self.at, self.then = len(self.seen) + after + 1, then

    def strike(self, target: str) -> Fault | None:
        self.seen.append(target)
        if len(self.seen) == self.at:
            self.then()
        return None


@contextmanager
def watched(world: World) -> Iterator[tuple[Simulation, Watch]]:
    watch = Watch()
    with start_in_thread(world, clock=lambda: world.time, faults=watch) as sentry:
        yield sentry, watch
