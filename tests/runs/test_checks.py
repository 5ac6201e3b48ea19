"""What was read is held against Sentry's own counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sentry_connector.reports.details import DateRange
from sentry_connector.simulator import World, start_in_thread
from tests.parts import NOW
from tests.runs.acme import DAY, HastyApp, app_in, column, events_in, made, ran, shop
from tests.runs.watching import Watch

DAYS = DateRange(start=9, end=2)
"""Days that are over, so that all of their hours are counted."""


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def app(tmp_path: Path, world: World, watch: Watch) -> Iterator[HastyApp]:
    with start_in_thread(world, clock=lambda: world.time, faults=watch) as sentry:
        yield app_in(tmp_path, sentry)


def lists(watch: Watch) -> list[str]:
    return [target for target in watch.seen if "/events/" in target]


@pytest.mark.parametrize("report", ["project-events", "project-events-entries"])
async def test_a_figure_that_differs_is_read_once_more_then_told_with_both_numbers(
    report: str, app: HastyApp, world: World, watch: Watch
) -> None:
    events = world.project("acme", "shop").events
    first, last = ((NOW - days * DAY).replace(hour=0).timestamp() for days in (9, 1))
    inside = [event for event in events if first <= event.time < last]
    dataset = made(app, "upsert", shop(DAYS), report)
    before = await ran(app, dataset)
    assert before.warnings == ()
    once = len(lists(watch))
    watch.seen.clear()
    world.lose_event(next(event for event in inside if len(event.issue.events) > 1))
    run = await ran(app, dataset)
    (warning,) = run.warnings
    assert f"Sentry counts {len(inside):,} events of acme/shop" in warning
    assert f"lists {len(inside) - 1:,} of them" in warning
    assert len(lists(watch)) == 2 * once


async def test_hours_that_are_not_over_are_not_held_against_anything(app: HastyApp, world: World) -> None:
    """They are still being counted."""
    dataset = made(app, "upsert", shop(DateRange(start=0, end=0)))
    event = world.add_events("acme", "shop", 2)[0]
    world.lose_event(event)
    run = await ran(app, dataset)
    assert run.warnings == ()
    assert set(column(app, dataset)) <= set(events_in(world))
