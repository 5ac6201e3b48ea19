from __future__ import annotations

import pytest
from tests.simulator.conftest import Serving

from sentry_connector.simulator import INTEGRATION_TOKEN, ORG_TOKEN, PROJECT_TOKEN, TOKEN, World
from sentry_connector.simulator.limits import Limits
from sentry_connector.simulator.refusals import Refusal

EVENTS = "projects/acme/shop/events/"
NOW = 1_800_000_000.0


async def test_the_sixty_first_request_of_a_minute_is_refused_and_says_until_when(
    world: World, serving: Serving
) -> None:
    async with serving(world, limits="sentry.io") as sentry:
        answers = [await sentry.get(EVENTS) for _ in range(61)]
        assert [told.status for told in answers] == [200] * 60 + [429]
        refused = answers[-1]
        assert refused.json == {
            "detail": "You are attempting to use this endpoint too frequently. Limit is 60 requests in 60 seconds"
        }
        assert refused.headers["Content-Type"].startswith("text/html")
        assert "Retry-After" not in refused.headers
        reset = int(refused.headers["X-Sentry-Rate-Limit-Reset"])
        assert world.time < reset <= world.time + 60
        assert sentry.simulation.refused == 1
        world.advance(reset - world.time)
        assert (await sentry.get(EVENTS)).status == 200


async def test_every_answer_tells_what_is_left(world: World, serving: Serving) -> None:
    async with serving(world, limits="sentry.io") as sentry:
        told = [(await sentry.get(EVENTS)).headers for _ in range(2)]
        assert [headers["X-Sentry-Rate-Limit-Remaining"] for headers in told] == ["59", "58"]
        assert {headers["X-Sentry-Rate-Limit-Limit"] for headers in told} == {"60"}
        assert {headers["X-Sentry-Rate-Limit-ConcurrentLimit"] for headers in told} == {"1"}


@pytest.mark.parametrize(
    ("path", "token", "limit", "concurrent"),
    [
        ("projects/acme/shop/stats/", TOKEN, "5", None),
        ("projects/acme/shop/issues/", TOKEN, "5", None),
        ("organizations/acme/issues/", TOKEN, "10", None),
        ("organizations/acme/issues/2/", TOKEN, "5", None),
        ("organizations/acme/issues/2/events/latest/", TOKEN, "15", None),
        ("projects/acme/shop/users/", INTEGRATION_TOKEN, "5", None),
        ("projects/acme/shop/users/", TOKEN, "40", "25"),
        (EVENTS, INTEGRATION_TOKEN, "60", "2"),
        ("organizations/acme/repos/", ORG_TOKEN, "40", "25"),
    ],
)
async def test_each_family_has_its_limit(
    world: World, serving: Serving, path: str, token: str, limit: str, concurrent: str | None
) -> None:
    async with serving(world, limits="sentry.io") as sentry:
        headers = (await sentry.get(path, token)).headers
        assert headers["X-Sentry-Rate-Limit-Limit"] == limit
        assert headers.get("X-Sentry-Rate-Limit-ConcurrentLimit") == concurrent


async def test_tokens_of_one_person_share_a_limit_and_other_callers_have_their_own(
    world: World, serving: Serving
) -> None:
    async with serving(world, limits="sentry.io") as sentry:
        await sentry.get(EVENTS, TOKEN)
        shared = await sentry.get(EVENTS, PROJECT_TOKEN)
        other = await sentry.get(EVENTS, INTEGRATION_TOKEN)
        assert shared.headers["X-Sentry-Rate-Limit-Remaining"] == "58"
        assert other.headers["X-Sentry-Rate-Limit-Remaining"] == "59"


async def test_endpoints_without_a_limit_of_their_own_share_one(world: World, serving: Serving) -> None:
    async with serving(world, limits="sentry.io") as sentry:
        await sentry.get("organizations/")
        await sentry.get("organizations/acme/teams/")
        headers = (await sentry.get("projects/acme/shop/users/")).headers
        assert headers["X-Sentry-Rate-Limit-Remaining"] == "37"


async def test_without_limits_no_header_speaks_of_them(world: World, serving: Serving) -> None:
    async with serving(world) as sentry:
        told = [await sentry.get(EVENTS) for _ in range(70)]
        assert {one.status for one in told} == {200}
        assert not [name for name in told[0].headers if name.startswith("X-Sentry-Rate-Limit")]


def test_a_request_beside_a_running_one_is_refused_where_only_one_may_run() -> None:
    limits = Limits()
    with limits.admitted("project-events", "user", "user:1", NOW):
        with pytest.raises(Refusal) as refused, limits.admitted("project-events", "user", "user:1", NOW):
            pass
        assert refused.value.body == {
            "detail": "You are attempting to go above the allowed concurrency for this endpoint. Concurrency limit is 1"
        }
        with limits.admitted("project-events", "user", "user:2", NOW):
            pass
    with limits.admitted("project-events", "user", "user:1", NOW) as headers:
        assert headers["X-Sentry-Rate-Limit-ConcurrentRemaining"] == "0"


async def test_windows_can_be_shorter_and_end_within_a_second(world: World, serving: Serving) -> None:
    world.advance(0.25 - world.time % 1)
    async with serving(world, limits="sentry.io", window_divisor=10) as sentry:
        events = await sentry.get(EVENTS)
        answers = [await sentry.get("organizations/acme/issues/") for _ in range(11)]
        assert [told.status for told in answers] == [200] * 10 + [429]
        assert answers[-1].json["detail"].endswith("Limit is 10 requests in 0.1 seconds")
        reset = float(answers[-1].headers["X-Sentry-Rate-Limit-Reset"])
        assert reset == pytest.approx(world.time + 0.05)
        world.advance(reset - world.time + 0.001)
        assert (await sentry.get("organizations/acme/issues/")).status == 200
    until = events.headers["X-Sentry-Rate-Limit-Reset"]
    assert events.headers["X-Sentry-Rate-Limit-ConcurrentLimit"] == "1"
    assert until.isdigit()
    assert int(until) % 6 == 0


@pytest.mark.parametrize("divisor", [1, 10])
def test_a_window_holds_what_its_limit_says_however_short_it_is(divisor: int) -> None:
    limits = Limits(divisor)
    admitted = 0
    for tick in range(30_000):
        try:
            with limits.admitted("issues", "user", "user:1", NOW + tick / 1000 / divisor):
                admitted += 1
        except Refusal:
            pass
    assert admitted == 30 * 10
