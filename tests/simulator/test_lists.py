from __future__ import annotations

from typing import Any

import pytest
from tests.simulator import official_shapes as shapes
from tests.simulator.asking import Asking

from sentry_connector.simulator import World
from sentry_connector.simulator.events import iso

SHOP = "projects/acme/shop"
EXPAND = "&expand=inbox&expand=owners&expand=integrationIssues&expand=sentryAppIssues&expand=sessions"
EXPAND += "&expand=latestEventHasAttachments"
BUSY = "organizations/acme/issues/{busy}/events"

# path, asking for small pages: the field that tells rows apart, and the shape
LISTS = {
    "organizations/?per_page=1": ("id", shapes.ORGANIZATION),
    "organizations/globex/projects/?per_page=5": ("id", shapes.PROJECT),
    "organizations/globex/teams/?per_page=5": ("id", shapes.TEAM),
    "organizations/acme/repos/": ("id", shapes.REPOSITORY),
    "organizations/acme/issues/?query=&project=-1&limit=20" + EXPAND: ("id", shapes.ISSUE),
    "projects/?per_page=2": ("id", shapes.PROJECT),
    "teams/acme/web/projects/?per_page=1": ("id", shapes.PROJECT),
    f"{SHOP}/events/": ("eventID", shapes.EVENT),
    f"{SHOP}/events/?full=true": ("eventID", shapes.FULL_EVENT),
    f"{SHOP}/issues/?query=&limit=10": ("id", shapes.PROJECT_ISSUE),
    f"{SHOP}/users/?per_page=10": ("tagValue", shapes.USER),
    f"{SHOP}/user-feedback/?status=&per_page=20": ("id", shapes.FEEDBACK),
    f"{BUSY}/?per_page=10": ("eventID", shapes.EVENT),
    f"{BUSY}/?full=1": ("eventID", shapes.FULL_EVENT),
}


def truth(world: World) -> dict[str, set[str]]:
    """The ids that each list must give."""
    told = {one["slug"]: one for one in world.truth()["organizations"]}
    projects = {one: {place["slug"]: place for place in told[one]["projects"]} for one in told}
    shop, web = projects["acme"]["shop"], next(team for team in told["acme"]["teams"] if team["slug"] == "web")
    busy = max(shop["issues"].values(), key=lambda one: len(one["events"]))
    members = {one["id"] for places in projects.values() for one in places.values() if one["member"]}
    people = {event.person.identity for event in world.project("acme", "shop").events if event.person}
    found = [
        {one["id"] for one in told.values()},
        {one["id"] for one in projects["globex"].values()},
        {one["id"] for one in told["globex"]["teams"]},
        set(told["acme"]["repositories"]),
        {issue for place in projects["acme"].values() for issue in place["issues"]},
        members,
        set(web["projects"]),
        set(shop["events"]),
        set(shop["events"]),
        set(shop["issues"]),
        people,
        set(shop["feedback"]),
        set(busy["events"]),
        set(busy["events"]),
    ]
    return dict(zip(LISTS, found, strict=True))


def busiest(world: World) -> str:
    return max(world.project("acme", "shop").issues, key=lambda issue: len(issue.events)).id


@pytest.mark.parametrize("path", LISTS)
async def test_walking_a_list_gives_every_id_exactly_once(sentry: Asking, world: World, path: str) -> None:
    key, _ = LISTS[path]
    pages = [told async for told in sentry.pages(path.format(busy=busiest(world)))]
    found = [row[key] for told in pages for row in told.json]
    assert len(pages) >= (2 if path.startswith("organizations/?") else 3)
    assert sorted(found) == sorted(truth(world)[path])


@pytest.mark.parametrize("path", LISTS)
async def test_rows_have_what_the_official_description_requires(sentry: Asking, world: World, path: str) -> None:
    _, shape = LISTS[path]
    rows = await sentry.rows(path.format(busy=busiest(world)))
    assert {misfit for row in rows for misfit in shapes.misfits(row, shape)} == set()


@pytest.mark.parametrize("path", LISTS)
async def test_both_relations_stand_on_every_page_and_only_the_ends_lack_results(
    sentry: Asking, world: World, path: str
) -> None:
    pages = [told.links async for told in sentry.pages(path.format(busy=busiest(world)))]
    assert [sorted(links) for links in pages] == [["next", "previous"]] * len(pages)
    assert [links["previous"][1] for links in pages] == [False] + [True] * (len(pages) - 1)
    assert [links["next"][1] for links in pages] == [True] * (len(pages) - 1) + [False]


async def test_full_pages_are_clamped_to_ten_rows_whatever_is_asked(sentry: Asking) -> None:
    told = await sentry.get(f"{SHOP}/events/?full=true&per_page=100")
    assert len(told.json) == 10
    assert told.links["next"][2] == "0:10:0"


async def test_slim_rows_have_no_entries_and_full_rows_do(sentry: Asking) -> None:
    slim = (await sentry.get(f"{SHOP}/events/")).json
    full = (await sentry.get(f"{SHOP}/events/?full=1")).json
    assert not any("entries" in row for row in slim)
    assert all(isinstance(row["entries"], list) for row in full)
    assert [row["id"] for row in slim[:10]] == [row["id"] for row in full]


async def test_transactions_stand_with_their_issue_and_in_no_project_list(sentry: Asking, world: World) -> None:
    issue = next(one for one in world.project("globex", "api").issues if one.is_transaction)
    rows = await sentry.rows(f"organizations/globex/issues/{issue.id}/events/?full=1")
    listed = {row["eventID"] for row in await sentry.rows("projects/globex/api/events/")}
    assert rows
    assert all("startTimestamp" in row and "dateCreated" not in row for row in rows)
    assert not listed & {row["eventID"] for row in rows}


async def test_windows_are_half_open(sentry: Asking, world: World) -> None:
    events = world.project("acme", "shop").events
    start, end = events[100], events[200]
    asked = f"start={iso(start.time)}&end={iso(end.time)}"
    rows = await sentry.rows(f"{SHOP}/events/?{asked}")
    assert {row["id"] for row in rows} == {one.id for one in events if start.time <= one.time < end.time}


async def test_a_window_needs_both_ends_in_order_within_retention(sentry: Asking) -> None:
    for query, detail in (
        ("start=2026-11-01T00:00:00", "start and end are both required"),
        ("start=2026-11-02T00:00:00&end=2026-11-01T00:00:00", "start must be before end"),
        (
            "start=2020-01-01T00:00:00&end=2020-01-02T00:00:00",
            "Invalid date range. Please try a more recent date range.",
        ),
        ("statsPeriod=soon", "Invalid statsPeriod: 'soon'"),
    ):
        told = await sentry.get(f"{SHOP}/events/?{query}")
        assert (told.status, told.json) == (400, {"detail": detail})


async def test_feedback_is_filtered_after_the_page_is_cut(sentry: Asking, world: World) -> None:
    for issue in world.project("acme", "shop").issues:
        world.set_status(issue.id, "resolved")
    pages = [told async for told in sentry.pages(f"{SHOP}/user-feedback/?per_page=20")]
    assert len(pages) >= 3
    assert all(told.json == [] for told in pages)


async def test_an_event_id_as_query_is_a_direct_hit_without_links(sentry: Asking, world: World) -> None:
    issue = world.project("acme", "shop").issues[0]
    told = await sentry.get(f"organizations/acme/issues/{issue.id}/events/?query={issue.events[0].id}")
    assert [row["id"] for row in told.json] == [issue.events[0].id]
    assert told.headers["X-Sentry-Direct-Hit"] == "1"
    assert "Link" not in told.headers


async def test_a_single_event_knows_its_neighbours_and_its_user_report(sentry: Asking, world: World) -> None:
    report = world.project("acme", "shop").feedback[0]
    issue = report.event.issue
    told = await sentry.get(f"organizations/acme/issues/{issue.id}/events/{report.event.id}/")
    place = issue.events.index(report.event)
    assert shapes.misfits(told.json, shapes.EVENT_DETAIL) == []
    assert told.json["userReport"]["comments"] == report.comments
    assert told.json["previousEventID"] == (issue.events[place - 1].id if place else None)
    for name, event in (("latest", issue.events[-1]), ("oldest", issue.events[0])):
        assert (await sentry.get(f"organizations/acme/issues/{issue.id}/events/{name}/")).json["id"] == event.id
    assert (await sentry.get(f"{SHOP}/events/{report.event.id}/")).json["id"] == report.event.id


async def test_people_are_found_only_by_a_query_with_a_prefix(sentry: Asking, world: World) -> None:
    person = next(event.person for event in world.project("acme", "shop").events if event.person and event.person.id)
    assert len((await sentry.get(f"{SHOP}/users/?query=id:{person.id}")).json) == 1
    assert (await sentry.get(f"{SHOP}/users/?query={person.id}")).json == []


async def test_deleted_repositories_show_only_on_request(sentry: Asking) -> None:
    gone = (await sentry.get("organizations/acme/repos/?status=deleted")).json
    assert [one["name"] for one in gone] == ["acme/gone"]


async def test_bookmarked_projects_come_first(sentry: Asking) -> None:
    rows: list[dict[str, Any]] = (await sentry.get("organizations/acme/projects/")).json
    assert rows[0]["isBookmarked"]
    assert [row["slug"] for row in rows[1:]] == sorted(row["slug"] for row in rows[1:])


async def test_ids_are_taken_for_slugs_in_every_path(sentry: Asking, world: World) -> None:
    shop = world.project("acme", "shop")
    by_id = await sentry.get(f"projects/{shop.organization.id}/{shop.id}/events/")
    assert by_id.json == (await sentry.get(f"{SHOP}/events/")).json
    assert (await sentry.get(f"teams/{shop.organization.id}/{shop.teams[0].id}/projects/")).status == 200
