from __future__ import annotations

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.simulator.asking import Asking, Told
from tests.simulator.conftest import Serving

from sentry_connector.simulator import Fault, Faults, World
from sentry_connector.simulator.faults import EVERY_FAULT

EVENTS = "projects/acme/shop/events/"
targets = st.lists(st.sampled_from(["/a", "/b", "/c?x=1"]), max_size=80)


@given(st.integers(), st.floats(min_value=0, max_value=1), targets)
def test_no_request_is_struck_more_than_twice_in_a_row(seed: int, rate: float, asked: list[str]) -> None:
    faults = Faults(rate, seed)
    struck = [(target, faults.strike(target)) for target in asked]
    for target in set(asked):
        mine = [fault for one, fault in struck if one == target]
        assert all(None in mine[n : n + 3] for n in range(len(mine) - 2))


@given(st.integers(), st.floats(min_value=0, max_value=1), targets)
def test_the_same_seed_strikes_the_same_requests(seed: int, rate: float, asked: list[str]) -> None:
    first, second = Faults(rate, seed), Faults(rate, seed)
    assert [first.strike(target) for target in asked] == [second.strike(target) for target in asked]


def test_at_full_rate_every_kind_of_fault_happens_and_at_rate_nothing_none() -> None:
    faults, calm = Faults(1.0, seed=5), Faults(0.0, seed=5)
    for number in range(400):
        faults.strike(f"/{number}")
        assert calm.strike(f"/{number}") is None
    assert set(faults.struck) == set(EVERY_FAULT)


async def struck(world: World, serving: Serving, kind: Fault, path: str = EVENTS, **headers: str) -> Told:
    async with serving(world, faults=Faults(1.0, kinds=(kind,))) as sentry:
        return await sentry.get(path, **headers)


@pytest.mark.parametrize("kind", [Fault.BAD_GATEWAY, Fault.UNAVAILABLE, Fault.GATEWAY_TIMEOUT])
async def test_the_edge_answers_with_a_page(world: World, serving: Serving, kind: Fault) -> None:
    told = await struck(world, serving, kind)
    assert (told.status, told.text[:9]) == (int(kind), "<!DOCTYPE")


async def test_an_internal_error_is_json(world: World, serving: Serving) -> None:
    told = await struck(world, serving, Fault.INTERNAL_ERROR)
    assert (told.status, told.json["detail"]) == (500, "Internal Error")


async def test_a_storm_says_when_it_is_over_and_throttling_says_how_long(world: World, serving: Serving) -> None:
    storm = await struck(world, serving, Fault.STORM)
    throttled = await struck(world, serving, Fault.THROTTLED)
    assert (storm.status, throttled.status) == (429, 429)
    assert int(storm.headers["X-Sentry-Rate-Limit-Reset"]) == int(world.time) + 1
    assert throttled.headers["Retry-After"] == "1"


async def test_a_proxy_page_comes_with_200(world: World, serving: Serving) -> None:
    told = await struck(world, serving, Fault.HTML)
    assert (told.status, told.text[:9]) == (200, "<!DOCTYPE")


@pytest.mark.parametrize("kind", [Fault.RESET_BEFORE, Fault.RESET_WITHIN, Fault.TRUNCATED])
async def test_a_broken_connection_gives_no_whole_answer(world: World, serving: Serving, kind: Fault) -> None:
    with pytest.raises((aiohttp.ClientError, ConnectionError)):
        await struck(world, serving, kind)


async def test_a_truncated_body_does_not_decompress(world: World, serving: Serving) -> None:
    async with serving(world, faults=Faults(1.0, kinds=(Fault.TRUNCATED_GZIP,))) as sentry:
        with pytest.raises((aiohttp.ClientError, ValueError)):
            _ = (await sentry.get(EVENTS)).json


async def test_a_shifted_page_repeats_rows_and_loses_none(world: World, serving: Serving) -> None:
    async with serving(world, faults=Faults(0.5, kinds=(Fault.SHIFTED,))) as sentry:
        found = [row["id"] for row in await sentry.rows(f"{EVENTS}?per_page=20")]
    assert len(found) > len(set(found))
    assert set(found) == {event.id for event in world.project("acme", "shop").events}


async def test_a_client_that_tries_three_times_reads_everything(world: World, serving: Serving) -> None:
    faults = Faults(0.5, seed=11, kinds=tuple(kind for kind in EVERY_FAULT if kind is not Fault.SLOW))
    async with serving(world, faults=faults) as sentry:
        found: set[str] = set()
        cursor: str | None = "0:0:0"
        while cursor is not None:
            told = await insist(sentry, f"{EVENTS}?per_page=20&cursor={cursor}")
            found |= {row["id"] for row in told.json}
            _, more, following = told.links["next"]
            cursor = following if more else None
    assert found == {event.id for event in world.project("acme", "shop").events}
    assert sum(faults.struck.values()) > 10


async def insist(sentry: Asking, path: str) -> Told:
    for _ in range(3):
        try:
            told = await sentry.get(path)
            if told.status == 200 and told.json:
                return told
        except (aiohttp.ClientError, ConnectionError, ValueError):
            continue
    raise AssertionError(path)
