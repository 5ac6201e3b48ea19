"""Reading, where servers, tokens and data do not behave: nothing is lost in silence."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.fs as pafs
import pytest

from sentry_connector.errors import NotFound
from sentry_connector.extraction.parts import Layout
from sentry_connector.extraction.prepare import Prepared, prepare
from sentry_connector.extraction.progress import Progress
from sentry_connector.extraction.read import Extraction, Reader
from sentry_connector.extraction.reading import Session
from sentry_connector.extraction.retention import forgotten_before
from sentry_connector.extraction.schema import arrow_schema
from sentry_connector.extraction.spool import Spool
from sentry_connector.extraction.ways import Choose, Pace, Wanted, cheapest
from sentry_connector.operations.pull import pull
from sentry_connector.reports import catalogue, menus
from sentry_connector.reports.details import DateRange, Details, SinceLastRun
from sentry_connector.reports.model import Endpoint
from sentry_connector.sentry.client import Connection, SentryClient
from sentry_connector.simulator import ORG_TOKEN, TOKEN, Access, Fault, Faults, World, running
from tests.parts import NOW, HastyClock, Row, StandingApp, pulled

pytestmark = pytest.mark.filterwarnings("error")


class Broken(Faults):
    """A server that fails in the same way each time somebody asks for a path."""

    def __init__(self, path: str, fault: Fault) -> None:
        super().__init__(0.0)
        self._path, self._fault = path, fault

    def strike(self, target: str) -> Fault | None:
        return self._fault if target.startswith(f"/api/0{self._path}") else None


def a_world(**size: Any) -> World:
    return World.build(now=NOW, **({"events": 300, "issues": 40} | size))


async def read(
    url: str, slug: str, details: Details, folder: Path, **facts: Any
) -> tuple[Prepared, Extraction, list[Row]]:
    """Read as a run does: choices that are gone leave the others their chance."""
    report = catalogue.find(slug)
    details = menus.check(report, details, storing=True)
    spool = Spool(
        filesystem=pafs.LocalFileSystem(),
        root=str(folder),
        epoch=1,
        attempt="1",
        schema=arrow_schema(report),
        layout=Layout(key=report.key),
    )
    connection = Connection(url=url, token=facts.pop("token", TOKEN))
    choose = facts.pop("choose", cheapest)
    async with SentryClient(connection, clock=HastyClock()) as client:
        prepared = await prepare(report, details, client, now=NOW, settle=dt.timedelta(seconds=60), **facts)
        session = Session(
            client=client,
            report=report,
            details=details,
            spool=spool,
            run_id="r",
            clock=lambda: NOW,
            progress=Progress(),
            forgotten_before=forgotten_before(NOW, None),
            surveys=prepared.surveys,
        )
        extraction = await Reader(session=session, choose=choose).read(prepared.slices)
    files = await spool.staged({record.slice_id for record in extraction.records})
    rows = [row for batch in spool.batches(files) for row in batch.to_pylist()]
    return prepared, extraction, rows


async def test_an_issue_that_is_seen_while_the_run_goes_on_is_read(tmp_path: Path) -> None:
    """Its time is past the run's instant at each run: cut there, a busy issue would never be updated."""
    world = a_world()
    shop = world.project("acme", "shop")
    busy = shop.issues[0]
    for seconds in (-1800, 4):
        world.append_event(busy, int(NOW.timestamp()) + seconds, None)
    async with running(world, clock=lambda: NOW.timestamp() + 5) as sentry:
        _, _, rows = await read(
            sentry.url,
            "projects-issues",
            Details(projects=("acme/shop",), duration=SinceLastRun()),
            tmp_path,
            watermark=lambda _scope: NOW - dt.timedelta(hours=1),
        )
    assert busy.id in {row["issue_id"] for row in rows}


@pytest.mark.parametrize("era", ["new", "old"])
async def test_one_row_out_of_order_does_not_end_a_list(era: str, tmp_path: Path) -> None:
    """Only a whole page before the window does."""
    world = a_world(events=2000, issues=300)
    shop = world.project("acme", "shop")
    days = DateRange(start=25, end=1)
    report = catalogue.find("projects-issues")
    async with running(world, era=era) as sentry:
        before = await pulled(
            StandingApp(tmp_path, sentry.url, TOKEN), report, Details(projects=("acme/shop",), duration=days)
        )
        newest = max(shop.issues, key=lambda issue: issue.last_seen)
        stray = newest.events[-1]
        stray.time = int(dt.datetime(2025, 1, 1, tzinfo=dt.UTC).timestamp())
        after = await pulled(
            StandingApp(tmp_path, sentry.url, TOKEN), report, Details(projects=("acme/shop",), duration=days)
        )
    kept = {row["issue_id"] for row in before.rows} - {newest.id}
    assert kept <= {row["issue_id"] for row in after.rows} | {newest.id}


async def test_an_organization_that_fails_is_missing_and_not_read_from_a_poorer_list(tmp_path: Path) -> None:
    """The legacy list of projects lacks those of other teams: it is for tokens that may not list, not for bad days."""
    world = a_world()
    async with running(world, faults=Broken("/organizations/acme/projects/", Fault.INTERNAL_ERROR)) as sentry:
        _, extraction, rows = await read(sentry.url, "projects", Details(), tmp_path)
    assert [row["organization"] for row in rows] == ["globex"] * len(world.organization("globex").projects)
    assert [one.label for one in extraction.incomplete] == ["acme"]


async def test_a_legacy_list_says_what_it_lacks(tmp_path: Path) -> None:
    """A token with project:read only sees the projects of its user's teams: complete for it, and said to be no more."""
    world = a_world()
    tokens = {TOKEN: Access(scopes=frozenset({"project:read"}))}
    async with running(world, tokens=tokens) as sentry:
        _, extraction, rows = await read(sentry.url, "projects", Details(), tmp_path)
    assert {row["project_id"] for row in rows} == {project.id for project in world.projects if project.member}
    (warning,) = extraction.warnings
    assert "own teams" in warning


async def test_organizations_of_unknown_id_stay_apart(tmp_path: Path) -> None:
    """An organization token may read repositories and nothing else: not even the id of the organization."""
    world = a_world(repositories=5)
    tokens = {TOKEN: Access(scopes=frozenset({"org:ci"}), category="address", caller="a")}
    async with running(world, tokens=tokens) as sentry:
        prepared, _, rows = await read(
            sentry.url, "organization-repositories", Details(organizations=("acme", "globex")), tmp_path
        )
    assert [scope.id for scope in prepared.scopes] == ["organization:@acme", "organization:@globex"]
    assert {row["organization"] for row in rows} >= {"acme"}


async def test_one_organization_that_cannot_be_read_leaves_the_others_their_chance(tmp_path: Path) -> None:
    """Also where already its list of projects fails."""
    world = a_world()
    async with running(world, faults=Broken("/organizations/globex/projects/", Fault.UNAVAILABLE)) as sentry:
        prepared, _, rows = await read(sentry.url, "project-events", Details(projects=("*",)), tmp_path)
    assert [one.label for one in prepared.incomplete] == ["globex"]
    assert {row["organization"] for row in rows} == {"acme"}


async def test_counts_of_a_team_stop_together(tmp_path: Path) -> None:
    """Where one project fails, no request of the others is left running behind the client's back."""
    world = a_world()
    details = Details(organizations=("acme",), teams=("web",), stat="generated", duration=DateRange(start=2, end=0))
    async with running(world, faults=Broken("/projects/acme/blog/stats/", Fault.HTML)) as sentry:
        with pytest.raises(Exception, match="not Sentry"):
            await read(sentry.url, "events-counts-team", details, tmp_path)
        names = {task.get_coro().__qualname__ for task in asyncio.all_tasks() if task is not asyncio.current_task()}  # type: ignore[union-attr]
    assert not any("SentryClient" in name for name in names)


@pytest.mark.parametrize("limit", [1, 99, 100, 101, 250])
async def test_a_limit_gives_just_so_many_rows(limit: int, tmp_path: Path) -> None:
    """Also where rows come twice because the list moves while it is read."""
    world = a_world(events={"acme/shop": 600})
    details = Details(projects=("acme/shop",))
    async with running(world, drift=7) as sentry:
        app = StandingApp(tmp_path, sentry.url, TOKEN)
        report = catalogue.find("project-events")
        async with pull(report, details, app.connection(None), app, progress=Progress(), limit=limit) as result:
            rows = [row["event_id"] for batch in result.batches() for row in batch.to_pylist()]
    assert len(rows) == len(set(rows)) == limit == result.rows
    assert result.limited


async def test_nothing_that_was_chosen_is_there(tmp_path: Path) -> None:
    """Then it is an error, not an incomplete table."""
    async with running(a_world()) as sentry:
        with pytest.raises(NotFound, match="gone"):
            await read(sentry.url, "project-events", Details(projects=("acme/gone", "acme/lost")), tmp_path)


async def test_an_organization_token_reads_repositories(tmp_path: Path) -> None:
    world = a_world(repositories=130)
    async with running(world) as sentry:
        _, _, rows = await read(
            sentry.url, "organization-repositories", Details(organizations=("acme",)), tmp_path, token=ORG_TOKEN
        )
    assert len(rows) == 130


def by_their_own(wanted: Sequence[Wanted], _pace: Pace) -> list[Endpoint]:
    return [one.endpoint for one in wanted]


def by_equals(wanted: Sequence[Wanted], _pace: Pace) -> list[Endpoint]:
    return [one.endpoint.equal[0] for one in wanted]


def by_both(wanted: Sequence[Wanted], _pace: Pace) -> list[Endpoint]:
    return [one.endpoint.equal[0] if number % 2 else one.endpoint for number, one in enumerate(wanted)]


async def bodies(folder: Path, choose: Choose) -> tuple[int, list[Row]]:
    """How many requests all full events take that way, and the rows, without what each run says of itself."""
    details = Details(projects=("*",), bodies=True)
    async with running(a_world()) as sentry:
        _, extraction, rows = await read(sentry.url, "project-events", details, folder, choose=choose)
        assert not extraction.incomplete
        assert not extraction.warnings
        own = {"_host", "_extracted_at", "_run_id"}
        kept = ({name: value for name, value in row.items() if name not in own} for row in rows)
        return sentry.requests, sorted(kept, key=lambda row: (str(row["project_id"]), str(row["event_id"])))


@pytest.mark.parametrize("choose", [by_equals, by_both])
async def test_equal_ways_lead_to_the_same_rows(choose: Choose, tmp_path: Path) -> None:
    """By the projects' lists, by their issues, and by both at the same time."""
    fewest, expected = await bodies(tmp_path / "own", by_their_own)
    requests, rows = await bodies(tmp_path / "other", choose)
    assert requests > fewest
    assert rows == expected
    assert len({row["project_id"] for row in rows}) > 1
