from __future__ import annotations

import asyncio
import http.client
import json
from email.utils import parsedate_to_datetime

import pytest
from tests.simulator.asking import Asking
from tests.simulator.conftest import NOW, Serving

from sentry_connector.simulator import TOKEN, Simulation, World, start_in_thread, ticking
from sentry_connector.simulator.server import create_app

EVENTS = "projects/acme/shop/events/"


async def test_the_date_header_follows_the_simulators_clock(sentry: Asking, world: World) -> None:
    world.advance(3600)
    assert parsedate_to_datetime((await sentry.get("")).headers["Date"]) == world.now


async def test_answers_are_compressed_only_on_request(sentry: Asking) -> None:
    packed = await sentry.get(EVENTS, **{"Accept-Encoding": "gzip"})
    plain = await sentry.get(EVENTS, **{"Accept-Encoding": "identity"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.text == plain.text


async def test_compression_can_be_switched_off(world: World, serving: Serving) -> None:
    async with serving(world, compress=False) as sentry:
        assert "Content-Encoding" not in (await sentry.get(EVENTS, **{"Accept-Encoding": "gzip"})).headers


def counted(simulation: Simulation) -> tuple[int, int, float | None]:
    return simulation.requests, simulation.refused, simulation.first_request


async def test_a_simulation_counts_and_can_forget(world: World, serving: Serving) -> None:
    async with serving(world, limits="sentry.io") as sentry:
        assert counted(sentry.simulation) == (0, 0, None)
        first = world.time
        for _ in range(61):
            await sentry.get(EVENTS)
            world.advance(0.001)
        assert counted(sentry.simulation) == (61, 1, first)
        sentry.simulation.forget()
        assert counted(sentry.simulation) == (0, 0, None)
        assert (await sentry.get(EVENTS)).headers["X-Sentry-Rate-Limit-Remaining"] == "59"


def test_a_ticking_clock_moves_the_world_on() -> None:
    world, ticks = World.build(now=NOW, events=0), iter([5.0, 7.0, 17.5])
    clock = ticking(world, lambda: next(ticks))
    assert [clock() - NOW.timestamp(), clock() - NOW.timestamp()] == [2.0, 12.5]
    assert world.time == NOW.timestamp() + 12.5


async def test_links_can_name_another_host(world: World, serving: Serving) -> None:
    async with serving(world, link_url="https://acme.example.com") as sentry:
        url, _, _ = (await sentry.get(EVENTS)).links["next"]
        assert url == "https://acme.example.com/api/0/projects/acme/shop/events/?&cursor=0:100:0"


# ---- drift


async def test_drift_brings_rows_of_one_page_again_on_the_next(world: World, serving: Serving) -> None:
    async with serving(world, drift=40) as sentry:
        found = [row["id"] for row in await sentry.rows(f"{EVENTS}?per_page=20")]
    assert len(found) > len(set(found))


async def test_a_window_that_has_ended_does_not_drift(world: World, serving: Serving) -> None:
    world.advance(86400)
    before = {event.id for event in world.project("acme", "shop").events}
    async with serving(world, drift=40) as sentry:
        asked = f"{EVENTS}?per_page=20&start=2026-10-01T00:00:00Z&end=2026-11-20T12:00:00Z"
        found = [row["id"] for row in await sentry.rows(asked)]
    assert sorted(found) == sorted(before)


# ---- regions


async def test_regions_lie_on_hosts_of_their_own_and_repeat_issue_ids(serving: Serving) -> None:
    world = World.build(now=NOW, events=300, issues=40, regions=True)
    async with serving(world) as sentry:
        told = {row["slug"]: row["links"]["regionUrl"] for row in (await sentry.get("organizations/")).json}
        assert told == {"acme": sentry.simulation.urls["us"], "globex": sentry.simulation.urls["de"]}
        assert (await sentry.get("organizations/globex/projects/")).status == 404
        there = f"{told['globex']}/api/0"
        assert (await sentry.get(f"{there}/organizations/globex/projects/")).status == 200
        here_and_there = [await sentry.get("issues/1/"), await sentry.get(f"{there}/issues/1/")]
        assert [one.json["id"] for one in here_and_there] == ["1", "1"]
        assert [one.json["project"]["id"] for one in here_and_there] == [
            world.project("acme", "shop").id,
            world.project("globex", "api").id,
        ]
        assert {row["slug"] for row in (await sentry.get(f"{there}/projects/")).json} == {"api", "shop"}


# ---- the server of 2019


@pytest.mark.parametrize("path", ["organizations/acme/issues/2/", "organizations/acme/issues/2/events/"])
async def test_old_servers_have_no_issues_below_organizations(world: World, serving: Serving, path: str) -> None:
    async with serving(world, era="old") as sentry:
        assert (await sentry.get(path)).status == 404
        refused = await sentry.get("organizations/acme/issues/")
        assert refused.status == 400
        assert "multi project stream" in refused.json["detail"]
        assert (await sentry.get("issues/2/")).status == 200


async def test_old_events_have_a_number_beside_their_id_and_always_their_entries(
    world: World, serving: Serving
) -> None:
    async with serving(world, era="old", limits="sentry.io") as sentry:
        pages = [told async for told in sentry.pages(EVENTS)]
    rows = [row for told in pages for row in told.json]
    assert {row["eventID"] for row in rows} == {event.id for event in world.project("acme", "shop").events}
    assert all(row["id"].isdigit() and "entries" in row for row in rows)
    assert not [name for name in pages[0].headers if name.startswith("X-Sentry-Rate-Limit")]


async def test_old_events_are_paged_by_time_and_read_no_window(world: World, serving: Serving) -> None:
    async with serving(world, era="old") as sentry:
        told = await sentry.get(f"{EVENTS}?per_page=10&start=2026-11-20T11:59:00Z&end=2026-11-20T12:00:00Z")
        assert len(told.json) == 10
        assert int(told.links["next"][2].split(":")[0]) > 10**12


async def test_old_counts_have_floats_for_times_and_old_issues_no_lifetime(world: World, serving: Serving) -> None:
    async with serving(world, era="old") as sentry:
        (time, _), *_ = (await sentry.get("projects/acme/shop/stats/")).json
        issues = await sentry.rows("projects/acme/shop/issues/?query=&limit=10")
    assert isinstance(time, float)
    assert len(issues) == len(world.project("acme", "shop").issues)
    assert not {"lifetime", "substatus"} & {name for row in issues for name in row}


async def test_old_people_have_the_time_of_their_first_event(world: World, serving: Serving) -> None:
    async with serving(world, era="old") as sentry:
        people = await sentry.rows("projects/acme/shop/users/?per_page=7")
    assert all(row["dateCreated"] for row in people)
    assert {row["tagValue"] for row in people} == {
        event.person.identity for event in world.project("acme", "shop").events if event.person
    }


async def test_old_servers_do_not_tell_what_came_later(world: World, serving: Serving) -> None:
    async with serving(world, era="old") as sentry:
        for path, names in (
            ("organizations/acme/projects/", {"access", "hasReplays", "firstTransactionEvent"}),
            ("organizations/acme/teams/", {"access", "flags", "teamRole", "externalTeams"}),
            ("organizations/acme/repos/", {"externalId"}),
        ):
            assert not names & set((await sentry.get(path)).json[0])


async def test_old_servers_break_on_odd_cursors_and_sizes(world: World, serving: Serving) -> None:
    async with serving(world, era="old") as sentry:
        for query in ("cursor=x", "per_page=101"):
            assert (await sentry.get(f"{EVENTS}?{query}")).status == 500
        assert (await sentry.get("projects/acme/shop/stats/?stat=bogus")).status == 500


# ---- starting and stopping


def test_in_a_thread_it_serves_until_stopped(world: World) -> None:
    with start_in_thread(world) as simulation:
        address = ("127.0.0.1", int(simulation.url.rpartition(":")[2]))
        connection = http.client.HTTPConnection(*address)
        connection.request("GET", "/api/0/organizations/", headers={"Authorization": f"Bearer {TOKEN}"})
        assert len(json.load(connection.getresponse())) == 2
        connection.close()
        assert simulation.requests == 1
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection(*address).connect()


def test_a_port_that_is_taken_is_an_error(world: World) -> None:
    with start_in_thread(world) as simulation:
        port = int(simulation.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            start_in_thread(world, port=port)


async def test_twenty_readers_at_once_get_the_same_page(sentry: Asking) -> None:
    told = await asyncio.gather(*(sentry.get(EVENTS) for _ in range(20)))
    assert len({one.text for one in told}) == 1


def test_an_application_needs_nothing_but_a_world(world: World) -> None:
    assert create_app(world).router.resources()
