"""Promises that every report keeps, over the whole catalogue: a new report adds no test here."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from sentry_connector.errors import MalformedAnswer, NotFound, ScopeMissing, TokenRejected
from sentry_connector.reports.catalogue import CATALOGUE
from sentry_connector.reports.details import DateRange, Details, SingleDate
from sentry_connector.reports.model import Report, Shape
from sentry_connector.simulator import EXPIRED_TOKEN, ORG_TOKEN, TOKEN, Faults, World, running

from ..parts import NOW, Row, StandingApp, pulled_rows
from .expected import EXPECTED

every_report = pytest.mark.parametrize("report", CATALOGUE, ids=lambda report: report.slug)


@pytest.fixture(scope="module")
def world() -> World:
    """A world whose every list has several pages."""
    return World.build(now=NOW, events=1500, issues=130, feedback=130, bulk=120, repositories=230)


def keys_of(report: Report, rows: list[Row]) -> list[tuple[object, ...]]:
    key = [name for name in report.key if name != "entry_index"]
    return [tuple(row[name] for name in key) for row in rows]


@every_report
@pytest.mark.parametrize("era", ["new", "old"])
async def test_a_report_brings_every_row_once(
    report: Report, era: Literal["new", "old"], world: World, tmp_path: Path
) -> None:
    """From today's Sentry and from an old self-hosted one: nothing is missing, nothing doubled, no key is null."""
    details, wanted = EXPECTED[report.slug](world.truth())
    async with running(world, era=era) as sentry:
        rows = await pulled_rows(StandingApp(tmp_path, sentry.url, sentry.token), report, details)
    keys = keys_of(report, rows)
    if report.shape is Shape.ENTRIES:
        assert set(keys) <= wanted
        assert len({(*key, row["entry_index"]) for key, row in zip(keys, rows, strict=True)}) == len(rows)
    else:
        assert set(keys) == wanted
        assert len(keys) == len(wanted)
    assert all(None not in key for key in keys)


@every_report
async def test_faults_on_the_way_change_nothing(report: Report, world: World, tmp_path: Path) -> None:
    """With a third of the answers broken, the rows are those of a quiet day."""
    details, wanted = EXPECTED[report.slug](world.truth())
    async with running(world, faults=Faults(seed=7, rate=0.3)) as sentry:
        app = StandingApp(tmp_path, sentry.url, sentry.token)
        app.clock = Hasty()
        rows = await pulled_rows(app, report, details)
    assert set(keys_of(report, rows)) <= wanted
    if report.shape is not Shape.ENTRIES:
        assert len(rows) == len(wanted)


class Hasty:
    """A clock whose waits are over at once, and which has moved on by as much."""

    def __init__(self) -> None:
        self.passed = 0.0

    def time(self) -> float:
        return NOW.timestamp() + self.passed

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        self.passed += seconds


@every_report
async def test_base_columns_exist_without_rows(report: Report, tmp_path: Path) -> None:
    """A table has its columns from the first day."""
    empty = World.build(now=NOW, events=0, issues=0, feedback=0)
    details, _ = EXPECTED["organizations"](empty.truth()) if not report.menus else (_of_quiet(report), None)
    if details is None:
        return
    async with running(empty) as sentry:
        rows = await pulled_rows(StandingApp(tmp_path, sentry.url, sentry.token), report, details)
    names = [*(column.name for column in report.columns), "_host", "_run_id", "_extracted_at", "_extra"]
    assert all(list(row) == names for row in rows)


def _of_quiet(report: Report) -> Details | None:
    choices = {
        "organizations": ("acme",) if "organizations" in report.menus else (),
        "projects": ("acme/quiet",) if "projects" in report.menus else (),
        "teams": ("*",) if "teams" in report.menus else (),
    }
    if "issue" in report.menus:
        return None
    dated = report.time_column is not None
    return Details(**choices, duration=SingleDate(day=1) if dated else None)  # type: ignore[arg-type]


@every_report
async def test_a_wrong_token_is_said_to_be_wrong(report: Report, world: World, tmp_path: Path) -> None:
    details, _ = EXPECTED[report.slug](world.truth())
    async with running(world) as sentry:
        app = StandingApp(tmp_path, sentry.url, EXPIRED_TOKEN)
        with pytest.raises(TokenRejected):
            await pulled_rows(app, report, details)


@every_report
async def test_a_missing_scope_is_named(report: Report, world: World, tmp_path: Path) -> None:
    """A token that may read nothing of this gets an error, never an empty table."""
    if report.slug == "organization-repositories":
        return  # the one report that such a token may read
    details, _ = EXPECTED[report.slug](world.truth())
    async with running(world) as sentry:
        with pytest.raises((ScopeMissing, NotFound)) as caught:
            await pulled_rows(StandingApp(tmp_path, sentry.url, ORG_TOKEN), report, details)
    if isinstance(caught.value, ScopeMissing):
        assert report.scope in f"{caught.value.message} {caught.value.remedy}" or "org:read" in caught.value.message


async def test_rows_lie_inside_the_chosen_days(world: World, tmp_path: Path) -> None:
    """Both ends included, whatever the server sends besides."""
    for report in CATALOGUE:
        if report.time_column is None or report.shape is Shape.POINTS:
            continue
        details, _ = EXPECTED[report.slug](world.truth())
        chosen = Details(
            projects=details.projects, issue=details.issue, duration=DateRange(start=10, end=5), timezone="America/New_York"
        )
        for era in ("new", "old"):
            async with running(world, era=era) as sentry:
                rows = await pulled_rows(StandingApp(tmp_path, sentry.url, sentry.token), report, chosen)
            days = {f"{row[report.time_column].astimezone(NEW_YORK):%Y-%m-%d}" for row in rows}  # type: ignore[attr-defined]
            assert days <= {f"2026-02-28", "2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05"}
            assert rows, f"{report.slug} ({era}) has rows in these days"


from zoneinfo import ZoneInfo  # noqa: E402

NEW_YORK = ZoneInfo("America/New_York")


async def test_counts_agree_with_the_events(world: World, tmp_path: Path) -> None:
    """The hourly counts of a project sum up to its events of these days, and a team's to those of its projects."""
    async with running(world) as sentry:
        app = StandingApp(tmp_path, sentry.url, sentry.token)
        counts = {}
        for slug in ("events-counts-project", "project-events"):
            report = next(one for one in CATALOGUE if one.slug == slug)
            details, _ = EXPECTED[slug](world.truth())
            details = Details(
                projects=details.projects, stat=details.stat, duration=DateRange(start=6, end=1)
            )
            rows = await pulled_rows(app, report, details)
            counts[slug] = sum(row.get("events", 1) for row in rows)  # type: ignore[misc]
    assert counts["events-counts-project"] == counts["project-events"] > 0


async def test_an_answer_about_another_project_is_refused(tmp_path: Path) -> None:
    """A proxy that mixes up answers must not mix up tables."""
    world = World.build(now=NOW, events=50)
    report = next(one for one in CATALOGUE if one.slug == "project-events")
    async with running(world) as sentry:
        shop, other = world.project("acme", "shop"), world.project("acme", "quiet")
        shop.events[0].issue.project = other
        with pytest.raises(MalformedAnswer):
            await pulled_rows(StandingApp(tmp_path, sentry.url, TOKEN), report, Details(projects=("acme/shop",)))
