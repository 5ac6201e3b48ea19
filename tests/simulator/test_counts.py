from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.simulator.asking import Asking

from sentry_connector.simulator import INTEGRATION_TOKEN, World
from sentry_connector.simulator.counts import bucket_starts
from sentry_connector.simulator.population import FILTER_REASONS

MONTH = 31 * 86400


def span(world: World, resolution: str = "1h", seconds: float = MONTH) -> str:
    return f"since={world.time - seconds}&until={world.time}&resolution={resolution}"


async def total(sentry: Asking, path: str) -> int:
    return sum(count for _, count in (await sentry.get(path)).json)


@pytest.mark.parametrize("stat", ["received", "generated", "rejected", "blacklisted"])
@pytest.mark.parametrize("resolution", ["1h", "1d"])
async def test_project_counts_agree_with_the_truth(sentry: Asking, world: World, stat: str, resolution: str) -> None:
    shop = next(one for one in world.truth()["organizations"][0]["projects"] if one["slug"] == "shop")
    assert await total(sentry, f"projects/acme/shop/stats/?stat={stat}&{span(world, resolution)}") == shop[stat]


async def test_every_bucket_counts_the_very_events_that_the_list_gives(sentry: Asking, world: World) -> None:
    counted = (await sentry.get(f"projects/acme/shop/stats/?stat=generated&{span(world)}")).json
    times = [event.time for event in world.project("acme", "shop").events]
    assert counted == [[bucket, sum(bucket <= time < bucket + 3600 for time in times)] for bucket, _ in counted]


async def test_received_is_stored_and_limited_and_filtered(sentry: Asking, world: World) -> None:
    parts = [await total(sentry, f"projects/acme/blog/stats/?stat={one}&{span(world)}") for one in
             ("generated", "rejected", "blacklisted")]  # fmt: skip
    assert await total(sentry, f"projects/acme/blog/stats/?{span(world)}") == sum(parts)


async def test_filter_reasons_sum_up_to_what_was_filtered(sentry: Asking, world: World) -> None:
    reasons = [one for one in FILTER_REASONS if one != "filtered-transaction"]
    parts = [await total(sentry, f"projects/acme/shop/stats/?stat={one}&{span(world)}") for one in reasons]
    assert await total(sentry, f"projects/acme/shop/stats/?stat=blacklisted&{span(world)}") == sum(parts) > 0


async def test_an_organization_counts_what_its_projects_count(sentry: Asking, world: World) -> None:
    parts = [
        await total(sentry, f"projects/acme/{one.slug}/stats/?{span(world)}")
        for one in world.organization("acme").projects
    ]
    assert await total(sentry, f"organizations/acme/stats/?{span(world)}") == sum(parts)


async def test_a_team_counts_stored_events_whatever_stat_is_asked(sentry: Asking, world: World) -> None:
    stored = sum(len(world.project("acme", slug).events) for slug in ("shop", "blog", "quiet"))
    for stat in ("received", "rejected", "nonsense"):
        assert await total(sentry, f"teams/acme/web/stats/?stat={stat}&{span(world)}") == stored


async def test_a_team_counts_nothing_for_who_is_no_member(sentry: Asking) -> None:
    assert (await sentry.get("teams/acme/billing/stats/")).json == []
    assert (await sentry.get("teams/acme/empty-team/stats/")).json == []
    assert (await sentry.get("teams/acme/web/stats/", INTEGRATION_TOKEN)).json == []


async def test_by_project_an_organization_counts_only_the_users_teams(sentry: Asking, world: World) -> None:
    told = (await sentry.get(f"organizations/acme/stats/?group=project&stat=generated&{span(world)}")).json
    assert set(told) == {one.id for one in world.organization("acme").projects if one.member}
    shop = world.project("acme", "shop")
    assert sum(count for _, count in told[shop.id]) == len(shop.events)


async def test_an_unknown_stat_is_a_permanent_500_above_and_a_400_below(sentry: Asking) -> None:
    assert (await sentry.get("organizations/acme/stats/?stat=bogus")).status == 500
    assert (await sentry.get("organizations/acme/stats/?stat=generated")).status == 500
    assert (await sentry.get("projects/acme/shop/stats/?stat=bogus")).status == 400


async def test_odd_spans_and_resolutions_are_refused(sentry: Asking) -> None:
    assert (await sentry.get("projects/acme/shop/stats/?resolution=2h")).json == {"detail": "Invalid resolution"}
    for query in ("since=x", "since=20&until=10"):
        assert (await sentry.get(f"projects/acme/shop/stats/?{query}")).status == 400


async def test_without_a_resolution_the_bucket_follows_from_the_span(sentry: Asking, world: World) -> None:
    for seconds, width in ((3000, 10), (86400, 3600), (20 * 86400, 86400)):
        asked = f"projects/acme/shop/stats/?since={world.time - seconds}&until={world.time}"
        told = (await sentry.get(asked)).json
        assert told[1][0] - told[0][0] == width


async def test_more_than_ten_thousand_buckets_make_false_zeros_of_the_oldest(sentry: Asking, world: World) -> None:
    told = (await sentry.get(f"projects/acme/shop/stats/?stat=generated&{span(world, '10s')}")).json
    assert len(told) > 10_000
    assert not any(count for _, count in told[:-10_000])
    assert any(count for _, count in told[-10_000:])


@given(st.floats(min_value=0, max_value=1e6), st.floats(min_value=0, max_value=1e6), st.sampled_from([10, 3600, 86400]))
def test_buckets_walk_back_from_the_end_without_gaps(start: float, length: float, width: int) -> None:
    buckets = bucket_starts(start, start + length, width)
    assert buckets[-1] <= start + length < buckets[-1] + width
    assert [after - before for before, after in pairwise(buckets)] == [width] * (len(buckets) - 1)
