from __future__ import annotations

import pytest
from tests.simulator.conftest import NOW, Serving

from sentry_connector.simulator import Scale, World, world_of
from sentry_connector.simulator.events import slim_json

DAY = 86400
SCALE = Scale(projects=3, events=250, issues=40, people=30, teams=2, repositories=120, feedback=4)


def test_the_same_seed_scale_and_instant_make_the_same_world_to_the_byte() -> None:
    first, second = world_of(SCALE, now=NOW, seed=5), world_of(SCALE, now=NOW, seed=5)
    assert first.truth() == second.truth()
    assert [slim_json(one) for one in first.project("acme", "project-001").events] == [
        slim_json(one) for one in second.project("acme", "project-001").events
    ]
    assert first.truth() != world_of(SCALE, now=NOW, seed=6).truth()


def test_a_scale_is_kept_to_the_number() -> None:
    (told,) = world_of(SCALE, now=NOW).truth()["organizations"]
    assert [len(project["events"]) for project in told["projects"]] == [250] * 3
    assert [len(project["issues"]) for project in told["projects"]] == [40] * 3
    assert [len(project["feedback"]) for project in told["projects"]] == [4] * 3
    assert [len(team["projects"]) for team in told["teams"]] == [2, 1]
    assert len(told["repositories"]) == 120
    assert all(len(issue["events"]) >= 1 for project in told["projects"] for issue in project["issues"].values())


def test_events_lie_in_the_days_asked_for_and_are_all_errors() -> None:
    world = world_of(SCALE, now=NOW)
    for project in world.projects:
        assert sum(len(issue.events) for issue in project.issues) == len(project.events)
        assert all(world.time - 30 * DAY - 2 < event.time < world.time for event in project.events)


def test_with_skew_a_few_issues_hold_most_events() -> None:
    def share_of_the_largest(skew: float) -> float:
        world = world_of(Scale(events=5000, issues=300, skew=skew), now=NOW)
        sizes = sorted((len(issue.events) for issue in world.project("acme", "project-000").issues), reverse=True)
        return sum(sizes[:30]) / 5000

    assert share_of_the_largest(1) < 0.2
    assert share_of_the_largest(4) > 0.5


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("organizations/acme/projects/", 3),
        ("organizations/acme/teams/", 2),
        ("organizations/acme/repos/", 120),
        ("projects/acme/project-000/events/", 250),
        ("organizations/acme/issues/?query=&project=-1", 120),
        ("projects/acme/project-002/user-feedback/?status=", 4),
    ],
)
async def test_the_endpoints_answer_for_it_as_for_any_world(serving: Serving, path: str, count: int) -> None:
    async with serving(world_of(SCALE, now=NOW)) as sentry:
        assert len(await sentry.rows(path)) == count


async def test_a_project_may_be_empty(serving: Serving) -> None:
    world: World = world_of(Scale(events=0), now=NOW)
    async with serving(world) as sentry:
        assert await sentry.rows("projects/acme/project-000/events/") == []
