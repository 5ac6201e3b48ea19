from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.simulator.conftest import NOW

from sentry_connector.simulator import World
from sentry_connector.simulator.counts import project_series
from sentry_connector.simulator.entries import entries
from sentry_connector.simulator.events import full, slim_json
from sentry_connector.simulator.model import base32

ENTRY_TYPES = {
    "exception", "message", "request", "breadcrumbs", "threads", "stacktrace", "template", "debugmeta", "spans", "csp",
    "hpkp", "expectct", "expectstaple", "nel",
}  # fmt: skip


def all_events(world: World) -> list[bytes]:
    return [slim_json(event) for project in world.projects for event in project.events]


def test_the_same_seed_makes_the_same_world_to_the_byte() -> None:
    first, second = World.build(now=NOW, seed=7), World.build(now=NOW, seed=7)
    assert first.truth() == second.truth()
    assert all_events(first) == all_events(second)


def test_another_seed_makes_another_world() -> None:
    assert World.build(now=NOW, seed=7).truth() != World.build(now=NOW, seed=8).truth()


def test_changes_follow_from_the_seed_too() -> None:
    worlds = [World.build(now=NOW, seed=3) for _ in range(2)]
    for world in worlds:
        world.drift(50)
    assert worlds[0].truth() == worlds[1].truth()


def test_the_demo_has_the_places_that_people_stumble_over() -> None:
    world = World.build(now=NOW)
    assert {one.slug for one in world.organizations} == {"acme", "globex"}
    assert world.project("acme", "shop").id != world.project("globex", "shop").id
    assert not world.project("acme", "quiet").events
    assert len(world.project("acme", "blog").teams) == 2
    assert world.project("acme", "payments").former_slugs
    assert not next(team for team in world.organization("acme").teams if team.slug == "empty-team").projects
    assert world.merged
    assert {one.status for project in world.projects for one in project.issues} == {"unresolved", "resolved", "ignored"}


def test_events_have_entries_of_every_type_and_some_have_none() -> None:
    world = World.build(now=NOW)
    bodies = [entries(event) for project in world.projects for issue in project.issues for event in issue.events]
    assert {entry["type"] for body in bodies for entry in body} == ENTRY_TYPES
    assert [] in bodies


def test_texts_of_attackers_are_among_the_data() -> None:
    everything = b"".join(all_events(World.build(now=NOW)))
    for piece in (b"<script>", b"\\u001b[31m", b"=1+1", b"\\u0000", "\U0001f600".encode(), b"x" * 8000):
        assert piece in everything


def test_every_event_has_its_own_id_and_lies_before_now() -> None:
    world = World.build(now=NOW, events={"acme/shop": 100_000})
    events = world.project("acme", "shop").events
    assert len({event.id for event in events}) == 100_000
    assert max(event.time for event in events) < world.time


def test_late_events_take_their_place_in_the_past_and_tell_when_they_came() -> None:
    world = World.build(now=NOW)
    start = world.time - 5 * 86400
    (late,) = world.add_events("acme", "shop", 1, start=start, end=start + 60)
    times = [event.time for event in world.project("acme", "shop").events]
    assert times == sorted(times)
    assert full(late)["dateCreated"].startswith("2026-11-15T12:00")
    assert full(late)["dateReceived"].startswith("2026-11-20T12:00")


def test_a_lost_event_is_counted_and_listed_nowhere() -> None:
    world = World.build(now=NOW)
    project = world.project("acme", "shop")
    event = project.events[5]
    buckets = [event.time // 3600 * 3600]
    before = [project_series(project, stat, buckets, 3600) for stat in ("received", "generated")]
    world.lose_event(event)
    assert [project_series(project, stat, buckets, 3600) for stat in ("received", "generated")] == before
    assert event not in project.events
    assert event not in event.issue.events


def test_a_merged_issue_answers_with_the_survivor_and_its_events_move() -> None:
    world = World.build(now=NOW)
    old, survivor = world.project("acme", "blog").issues[:2]
    moved = [event.id for event in old.events]
    world.merge_issues(old.id, into=survivor.id)
    assert world.issue(old.id) is survivor
    assert set(moved) <= set(world.truth()["organizations"][0]["projects"][1]["issues"][survivor.id]["events"])


def test_an_issue_merged_twice_answers_with_the_last_survivor_until_that_is_deleted() -> None:
    world = World.build(now=NOW)
    first, second, third = (one.id for one in world.project("acme", "blog").issues[:3])
    world.merge_issues(first, into=second)
    world.merge_issues(second, into=third)
    assert {world.issue(one).id for one in (first, second)} == {third}
    world.delete_issue(third)
    with pytest.raises(KeyError):
        world.issue(first)


def test_a_deleted_issue_takes_its_events_with_it() -> None:
    world = World.build(now=NOW)
    issue = world.project("acme", "blog").issues[0]
    gone, before = len(issue.events), len(world.project("acme", "blog").events)
    world.delete_issue(issue.id)
    assert len(world.project("acme", "blog").events) == before - gone


def test_time_goes_on_only_when_told() -> None:
    world = World.build(now=NOW)
    world.advance(90)
    assert world.now == NOW + dt.timedelta(seconds=90)


@given(st.integers(min_value=0, max_value=10**9))
def test_short_ids_count_in_base_32(number: int) -> None:
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    assert sum(alphabet.index(digit) * 32**place for place, digit in enumerate(reversed(base32(number)))) == number
