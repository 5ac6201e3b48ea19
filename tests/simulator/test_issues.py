from __future__ import annotations

import pytest
from tests.simulator.asking import Asking

from sentry_connector.simulator import World
from sentry_connector.simulator.events import iso

ACME = "organizations/acme/issues"
STATES = ("unresolved", "resolved", "ignored")


def ids_by_status(world: World, status: str) -> set[str]:
    return {one.id for project in world.organization("acme").projects for one in project.issues if one.status == status}


async def test_without_a_query_only_unresolved_issues_are_listed_on_both_lists(sentry: Asking, world: World) -> None:
    listed = {row["id"] for row in await sentry.rows(f"{ACME}/?project=-1&limit=15")}
    assert listed == ids_by_status(world, "unresolved")
    assert {row["status"] for row in await sentry.rows("projects/acme/shop/issues/?limit=15")} == {"unresolved"}


@pytest.mark.parametrize("status", STATES)
async def test_a_status_is_a_filter(sentry: Asking, world: World, status: str) -> None:
    listed = {row["id"] for row in await sentry.rows(f"{ACME}/?project=-1&limit=15&query=is:{status}")}
    assert listed == ids_by_status(world, status) != set()


async def test_an_empty_query_lists_every_status(sentry: Asking) -> None:
    assert {row["status"] for row in await sentry.rows(f"{ACME}/?query=&project=-1")} == set(STATES)


async def test_a_status_filter_makes_short_pages_that_have_a_next_one(sentry: Asking) -> None:
    pages = [told async for told in sentry.pages(f"{ACME}/?query=is:ignored&project=-1&limit=10")]
    assert any(len(told.json) < 10 and told.links["next"][1] for told in pages)


async def test_the_window_counts_at_the_top_and_the_whole_life_in_lifetime(sentry: Asking, world: World) -> None:
    issue = max(world.project("acme", "shop").issues, key=lambda one: len(one.events))
    start, end = issue.events[2].time, issue.events[-3].time
    asked = f"{ACME}/?query=&project={issue.project.id}&start={iso(start)}&end={iso(end)}"
    row = next(row for row in await sentry.rows(asked) if row["id"] == issue.id)
    seen = [event.time for event in issue.events if start <= event.time < end]
    assert (row["count"], row["firstSeen"], row["lastSeen"]) == (str(len(seen)), iso(seen[0]), iso(seen[-1]))
    assert row["lifetime"]["count"] == str(len(issue.events))
    assert row["lifetime"]["lastSeen"] == iso(issue.last_seen)


async def test_issues_without_events_in_the_window_are_not_listed(sentry: Asking, world: World) -> None:
    start, end = world.time - 10 * 86400, world.time - 9 * 86400
    asked = f"{ACME}/?query=&project=-1&start={iso(start)}&end={iso(end)}"
    issues = [one for project in world.organization("acme").projects for one in project.issues]
    active = {one.id for one in issues if any(start <= event.time < end for event in one.events)}
    assert {row["id"] for row in await sentry.rows(asked)} == active


async def test_without_a_project_the_users_own_projects_are_meant(sentry: Asking) -> None:
    assert {row["project"]["slug"] for row in await sentry.rows(f"{ACME}/?query=")} == {"shop", "blog", "ios-app"}


async def test_the_list_of_a_project_reads_no_window(sentry: Asking, world: World) -> None:
    asked = f"projects/acme/shop/issues/?query=&start={iso(world.time - 60)}&end={iso(world.time)}"
    assert len(await sentry.rows(asked)) == len(world.project("acme", "shop").issues)


async def test_stats_period_only_picks_the_sparkline_of_a_project(sentry: Asking, world: World) -> None:
    for query, periods in (("&statsPeriod=14d", ["14d"]), ("&statsPeriod=", []), ("", ["24h"])):
        row = (await sentry.get(f"projects/acme/shop/issues/?query={query}")).json[0]
        assert list(row.get("stats", {})) == periods
    assert (await sentry.get("projects/acme/shop/issues/?statsPeriod=7d")).status == 400


async def test_limit_is_capped_and_per_page_is_not_read(sentry: Asking) -> None:
    assert len((await sentry.get(f"{ACME}/?query=&project=-1&limit=1000")).json) == 100
    assert len((await sentry.get(f"{ACME}/?query=&project=-1&per_page=500")).json) == 100


@pytest.mark.parametrize("collapse", ["stats", "lifetime"])
async def test_collapsing_stats_or_lifetime_takes_the_totals_away(sentry: Asking, collapse: str) -> None:
    row = (await sentry.get(f"{ACME}/?query=&collapse={collapse}")).json[0]
    assert not {"count", "userCount", "firstSeen", "lastSeen", "lifetime"} & set(row)


async def test_a_merged_id_answers_with_the_survivor(sentry: Asking, world: World) -> None:
    (_, old), survivor = next(iter(world.merged.items()))
    for path in (f"{ACME}/{old}/", f"issues/{old}/"):
        told = await sentry.get(path)
        assert (told.status, told.json["id"]) == (200, survivor.id)


async def test_events_of_a_merged_issue_name_the_survivor_from_then_on(sentry: Asking, world: World) -> None:
    old, survivor = world.project("acme", "blog").issues[:2]
    before = {row["groupID"] for row in await sentry.rows("projects/acme/blog/events/")}
    world.merge_issues(old.id, into=survivor.id)
    after = {row["groupID"] for row in await sentry.rows("projects/acme/blog/events/")}
    assert after == before - {old.id}


async def test_a_short_id_leads_to_the_issue_on_both_ways(sentry: Asking, world: World) -> None:
    issue = world.project("acme", "ios-app").issues[0]
    assert (await sentry.get(f"organizations/acme/shortids/{issue.short_id}/")).json["groupId"] == issue.id
    found = await sentry.get(f"projects/acme/ios-app/issues/?shortIdLookup=1&query={issue.short_id}")
    assert [row["id"] for row in found.json] == [issue.id]


async def test_changes_show_at_once(sentry: Asking, world: World) -> None:
    resolved, deleted = (one.id for one in world.project("acme", "blog").issues[:2])
    world.set_status(resolved, "resolved")
    world.delete_issue(deleted)
    assert (await sentry.get(f"{ACME}/{resolved}/")).json["status"] == "resolved"
    assert (await sentry.get(f"{ACME}/{deleted}/")).status == 404


async def test_an_issue_with_a_new_event_jumps_to_the_head(sentry: Asking, world: World) -> None:
    last = (await sentry.rows("projects/acme/shop/issues/?query="))[-1]
    world.append_event(world.issue(last["id"]), int(world.time), None)
    assert (await sentry.get("projects/acme/shop/issues/?query=")).json[0]["id"] == last["id"]
