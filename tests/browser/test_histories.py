"""What became of DataSets, as their pages tell it: a past is lived by a clock that is set, and then looked at.

The numbers are those of the acceptance scenarios.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Locator, Page, expect

from sentry_connector.errors import UsageError
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import accounts, datasets
from sentry_connector.reports.details import AllAvailable, Details, SinceLastRun, SingleDate
from sentry_connector.runs.due import tick
from sentry_connector.runs.execute import execute
from sentry_connector.runs.slots import slot_id
from sentry_connector.simulator import Fault, Faults, World
from sentry_connector.simulator.running import Simulation, start_in_thread
from sentry_connector.simulator.tokens import TOKEN, Access
from sentry_connector.store.records import MANUAL, DataSet, Retry, Run, Trigger, Verdict
from tests.browser.panes import counted
from tests.cli.shell import shell_on
from tests.cli.test_serve import Served, serving
from tests.parts import NOW
from tests.runs.acme import (
    ALL_OF_SHOP,
    DAY,
    HOUR,
    SHOP,
    Broken,
    HastyApp,
    app_in,
    events_in,
    made,
    pass_time,
    ran,
    shop,
    small_world,
)

MINUTE = dt.timedelta(minutes=1)
REVOKED = "sntryu_" + "89abcdef01234567" * 4
ISSUES = Details(organizations=("acme",), projects=("acme/shop",), duration=AllAvailable())


@dataclass
class Weather(Faults):
    """A server that is as `broken` has it, and answers the next requests with `storms`."""

    broken: Broken = field(default_factory=Broken)
    rate: float = 0.0
    storms: int = 0

    def strike(self, target: str) -> Fault | None:
        if self.storms:
            self.storms -= 1
            return Fault.THROTTLED
        return self.broken.strike(target)


@dataclass
class Life:
    """A connector on a simulated Sentry, with time that passes when it is told to."""

    app: HastyApp
    sentry: Simulation
    world: World
    weather: Weather
    tokens: dict[str, Access]
    events_of_dates: int = 0

    def dataset(self, name: str, method: str = "upsert", details: Details = SHOP, **more: object) -> DataSet:
        return made(self.app, method, details, name=name, **more)  # type: ignore[arg-type]

    def slot(self, dataset: DataSet) -> str:
        """A run of the schedule, of this minute."""
        at = self.app.moment.replace(second=0)
        run = Run(
            id=slot_id(dataset.id, at),
            dataset_id=dataset.id,
            trigger=Trigger.SCHEDULE,
            slot=at,
            queued_at=self.app.now(),
        )
        assert self.app.store.runs.add(run)
        return run.id

    async def ran(self, dataset: DataSet, verdict: Verdict = Verdict.COMPLETE) -> Run:
        """Its next run, a second after the one before: histories are in the order of time."""
        pass_time(self.app, self.world, dt.timedelta(seconds=1))
        return await ran(self.app, dataset, verdict)

    async def attempts(self, run: str, *, failing: int, every: dt.timedelta) -> Run:
        """All attempts of a run; so many of them find no server."""
        self.weather.broken.path = "/api/0/"
        done = await execute(run, self.app, progress=Progress())
        for number in range(2, 6):
            if done.verdict is not None:
                break
            pass_time(self.app, self.world, every)
            if number > failing:
                self.weather.broken.path = None
            done = await execute(run, self.app, progress=Progress())
        self.weather.broken.path = None
        return done


async def lived(life: Life) -> None:
    """Everything that the tests look at. Each DataSet is one scenario's, or that of several."""
    app, world = life.app, life.world
    await _dates(life)
    await _failures(life)
    await _methods(life)
    await accounts.add(app, "Revoked", app.settings.url, REVOKED)
    rejected = life.dataset("Of a revoked token")
    datasets.edit(app, rejected.name, {}, account="Revoked")
    await life.ran(rejected)
    del life.tokens[REVOKED]
    await life.ran(rejected, Verdict.FAILED)
    emptied, kept = life.dataset("Emptied", "replace", ALL_OF_SHOP), life.dataset("Kept", "replace", ALL_OF_SHOP)
    datasets.edit(app, kept.name, {"keep_when_empty": True})
    for one in (emptied, kept):
        await life.ran(one)
    world.project("acme", "shop").events.clear()
    for one in (emptied, kept, life.dataset("Of nothing")):
        await life.ran(one)


async def _dates(life: Life) -> None:
    app, world = life.app, life.world
    moving = life.dataset("Moving", "append", shop(SingleDate(day=1)))
    onwards = life.dataset("Onwards", "append", shop(SinceLastRun(overlap=3600)))
    merged = life.dataset("Merged", "upsert", shop(SinceLastRun(overlap=3600)))
    for one in (moving, onwards, merged):
        await life.ran(one)
    world.add_events("acme", "shop", 3, start=world.time - 1800, end=world.time - 600)  # late, within the overlap
    pass_time(app, world, DAY)
    for one in (moving, onwards, merged):
        await life.ran(one)
    life.weather.broken.path = "/events/"
    await life.ran(onwards, Verdict.FAILED)
    life.weather.broken.path = None
    pass_time(app, world, HOUR)
    await life.ran(onwards)
    life.events_of_dates = len(events_in(world, until=app.moment))

    app.moment += dt.datetime.combine(app.moment, dt.time(23, 59), dt.UTC) - app.moment
    world.advance(app.moment.timestamp() - world.time)
    late = life.dataset("Of 23:59", "append", shop(SingleDate(day=0)), retry=Retry(every=900, times=3))
    await life.attempts(life.slot(late), failing=1, every=15 * MINUTE)


async def _failures(life: Life) -> None:
    app, world = life.app, life.world
    for name, retry, failing in (("Fails for good", 3, 4), ("Gets through", 3, 2), ("Tried once", None, 1)):
        one = life.dataset(name, retry=Retry(every=900, times=retry) if retry else None)
        await life.attempts(life.slot(one), failing=failing, every=15 * MINUTE)
    by_hand = life.dataset("By hand", retry=Retry(every=900, times=3))
    life.weather.broken.path = "/api/0/"
    await life.ran(by_hand, Verdict.FAILED)
    life.weather.broken.path = None

    half = life.dataset("Half", "replace", ALL_OF_SHOP)
    await life.ran(half)
    life.weather.broken.path, life.weather.broken.spared = "/events/", 1
    await life.ran(half, Verdict.FAILED)
    life.weather.broken.path = None
    throttled = life.dataset("Throttled")
    life.weather.storms = 2
    await life.ran(throttled)

    busy = life.dataset("Busy", schedule="every 30m")
    tick(app, app.now())
    for _ in range(2):
        pass_time(app, world, 30 * MINUTE)
        tick(app, app.now())
    await life.ran(busy)
    datasets.edit(app, busy.name, {"schedule": MANUAL})  # the server would catch up with all that was since


async def _methods(life: Life) -> None:
    app, world = life.app, life.world
    twice, snapshots = life.dataset("Twice", "replace", ALL_OF_SHOP), life.dataset("Snapshots", "append", ALL_OF_SHOP)
    issues = life.dataset("Issues", "upsert", ISSUES, report="projects-issues")
    doubled = life.dataset("Doubled key", "upsert", ALL_OF_SHOP, key=("event_id",))
    days = life.dataset("Days", "partition", ALL_OF_SHOP)
    turned = life.dataset("Turned", "replace", ALL_OF_SHOP)
    for one in (twice, snapshots, issues, doubled, days, turned):
        await life.ran(one)
    await life.ran(snapshots)
    datasets.edit(app, doubled.name, {"key": ("issue_id",)})
    await life.ran(doubled, Verdict.FAILED)
    with pytest.raises(UsageError, match="partitioned"):
        datasets.edit(app, turned.name, {"update_method": days.update_method})
    datasets.edit(app, turned.name, {"update_method": issues.update_method})
    await life.ran(turned)
    largest = max(world.project("acme", "shop").issues, key=lambda issue: len(issue.events))
    changed = min(world.project("acme", "shop").issues, key=lambda issue: len(issue.events))
    world.set_status(changed.id, "ignored" if changed.status == "resolved" else "resolved")
    world.add_issues("acme", "shop")
    world.delete_issue(largest.id)
    datasets.edit(app, days.name, {"details": shop(SingleDate(day=NOW.date() - DAY))})
    pass_time(app, world, HOUR)
    for one in (twice, issues, days):
        await life.ran(one)


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    world, weather, tokens = small_world(), Weather(), {TOKEN: Access(), REVOKED: Access()}
    with start_in_thread(world, clock=lambda: world.time, faults=weather, tokens=tokens) as sentry:
        app = app_in(tmp_path_factory.mktemp("histories") / "home", sentry)
        life = Life(app, sentry, world, weather, tokens)
        with ThreadPoolExecutor(1) as thread:  # Playwright's event loop may run in this one
            thread.submit(lambda: asyncio.run(lived(life))).result()
        yield life
        app.close()


@pytest.fixture(scope="module")
def server(life: Life) -> Iterator[Served]:
    """Pages on what was lived."""
    shell = shell_on(life.sentry, life.app.settings.home).with_env(SENTRY_CONNECTOR_HISTORY_DAYS="3650")
    with serving(shell) as served:
        yield served


@dataclass(frozen=True)
class Told:
    """A run, as the history tells it."""

    result: str
    attempt: int
    written: int
    updated: int
    dates: str
    days: list[str]
    address: str


def history(page: Page, slug: str) -> list[Told]:
    """The runs of a DataSet, newest first."""
    page.goto(f"/datasets/{slug}/history")
    rows = page.get_by_role("region", name="Runs").get_by_role("row").filter(has=page.get_by_role("cell"))
    expect(rows.first).to_be_visible()
    return [_told(row) for row in rows.all()]


def _told(row: Locator) -> Told:
    texts = row.get_by_role("cell").all_inner_texts()
    attempt, _, written, updated = (int(text.replace(",", "")) for text in texts[3:7])
    times = [str(one.get_attribute("datetime"))[:16] for one in row.get_by_role("cell").last.locator("time").all()]
    address = str(row.get_by_role("link").first.get_attribute("href"))
    return Told(texts[0], attempt, written, updated, texts[-1], times, address)


def rows_of(page: Page, slug: str) -> int:
    """How many rows the page says that the DataSet has."""
    page.goto(f"/datasets/{slug}/data")
    return counted(page)


# ---- dates


def test_34_a_relative_day_moves_on_with_the_clock(page: Page) -> None:
    second, first = history(page, "moving")
    assert first.days == ["2026-03-09T00:00", "2026-03-10T00:00"]
    assert second.days == ["2026-03-10T00:00", "2026-03-11T00:00"]


def test_35_an_attempt_after_midnight_keeps_the_day_of_its_slot(page: Page) -> None:
    (run,) = history(page, "of_23_59")
    assert run.days == ["2026-03-11T00:00", "2026-03-12T00:00"]
    assert "Success" in run.result
    page.goto(run.address)
    attempts = page.locator("section, div", has=page.get_by_role("heading", name="Attempts")).last
    expect(attempts.locator('time[datetime^="2026-03-11T23:59"]')).to_have_count(1)
    expect(attempts.locator('time[datetime^="2026-03-12T00:14"]')).to_have_count(1)


def test_36a_36c_each_run_reads_from_the_end_of_the_last_one_that_committed(page: Page) -> None:
    last, failed, second, first = history(page, "onwards")
    assert first.dates.startswith("everything up to")
    assert second.days[0] == "2026-03-10T10:59", "the end of the first one, less a minute and the overlap"
    assert "Failed" in failed.result
    assert failed.days[0] == last.days[0] == "2026-03-11T10:59"
    assert "Success" in last.result


@pytest.mark.parametrize("slug", ["onwards", "merged"])
def test_36b_what_came_late_is_there_and_nothing_is_doubled(page: Page, life: Life, slug: str) -> None:
    assert rows_of(page, slug) == life.events_of_dates


def test_42_no_rows_are_a_success_with_columns(page: Page) -> None:
    (run,) = history(page, "of_nothing")
    assert "Success" in run.result
    page.goto("/datasets/of_nothing/schema")
    expect(
        page.get_by_role("cell", name="event_id").or_(page.get_by_role("rowheader", name="event_id"))
    ).to_be_visible()


# ---- what fails


def test_43_a_page_that_never_comes_fails_the_run_and_leaves_the_rows(page: Page) -> None:
    failed, whole = history(page, "half")
    assert "Failed" in failed.result
    assert "Success" in whole.result
    expect(page.get_by_role("region", name="Versions").get_by_role("row")).to_have_count(2)
    assert rows_of(page, "half") > 0


def test_44_a_limit_that_is_waited_for_is_no_failure(page: Page) -> None:
    (run,) = history(page, "throttled")
    assert "Success" in run.result
    expect(page.get_by_text("100 % (1 / 1)")).to_be_visible()


def test_12_a_token_that_was_revoked_is_told_as_the_cause_with_the_account_and_once(page: Page) -> None:
    failed, _ = history(page, "of_a_revoked_token")
    assert "Failed" in failed.result
    assert "token" in failed.result
    page.goto("/accounts")
    expect(page.get_by_role("row").filter(has_text="Revoked")).to_contain_text("Invalid")
    page.goto("/notices")
    expect(page.get_by_role("row").filter(has_text="Revoked")).to_have_count(1)


def test_52_a_slot_behind_a_run_that_waits_has_no_run_of_its_own_and_that_is_told(page: Page) -> None:
    assert len(history(page, "busy")) == 1
    page.goto("/datasets/busy")
    told = page.get_by_role("region", name="Next runs")
    expect(told.get_by_role("heading", name="Slots without a run of their own")).to_be_visible()
    expect(told.get_by_role("link", name="That run").or_(told.get_by_role("link", name="Its run"))).to_be_visible()


def test_55_a_run_that_fails_each_time_has_its_attempts_and_one_notice(page: Page) -> None:
    (run,) = history(page, "fails_for_good")
    assert "Failed" in run.result
    assert run.attempt == 4
    page.goto("/notices?dataset=Fails+for+good")
    expect(page.get_by_role("row").filter(has_text="Fails for good")).to_have_count(1)


def test_56_one_that_gets_through_is_a_success_with_its_attempts_and_without_a_notice(page: Page) -> None:
    (run,) = history(page, "gets_through")
    assert "Success" in run.result
    assert run.attempt == 3
    page.goto("/notices?dataset=Gets+through")
    expect(page.get_by_role("heading", name="Nothing was told")).to_be_visible()


def test_57_without_retries_there_is_one_attempt_and_a_notice(page: Page) -> None:
    (run,) = history(page, "tried_once")
    assert "Failed" in run.result
    assert run.attempt == 1
    page.goto("/notices?dataset=Tried+once")
    expect(page.get_by_role("row").filter(has_text="Tried once")).to_have_count(1)


def test_58_what_somebody_asked_for_is_not_tried_again(page: Page) -> None:
    (run,) = history(page, "by_hand")
    assert "Failed" in run.result
    assert run.attempt == 1


# ---- update methods


def test_60_replace_holds_what_the_last_run_read_and_the_version_before_is_there(page: Page) -> None:
    history(page, "twice")
    versions = page.get_by_role("region", name="Versions").get_by_role("row").filter(has=page.get_by_role("cell"))
    newest, oldest = (int(one.get_by_role("cell").nth(2).inner_text()) for one in versions.all())
    assert rows_of(page, "twice") == newest < oldest


def test_61_append_twice_is_twice_the_rows(page: Page) -> None:
    second, first = history(page, "snapshots")
    assert rows_of(page, "snapshots") == first.written + second.written == 2 * first.written


def test_62_upsert_changes_adds_and_keeps(page: Page) -> None:
    second, first = history(page, "issues")
    assert (second.written, second.updated) == (1, 1)
    assert rows_of(page, "issues") == first.written + 1


def test_63_a_key_that_tells_nothing_apart_fails_the_run_and_is_named(page: Page) -> None:
    failed, first = history(page, "doubled_key")
    assert "issue_id" in failed.result
    assert rows_of(page, "doubled_key") == first.written


def test_64_a_day_is_replaced_and_the_others_stay(page: Page) -> None:
    second, first = history(page, "days")
    rows = rows_of(page, "days")
    assert second.written < first.written
    assert second.written < rows < first.written


def test_66_replace_that_becomes_upsert_doubles_nothing(page: Page) -> None:
    second, first = history(page, "turned")
    assert second.written == 0
    assert rows_of(page, "turned") == first.written


def test_67_replace_with_no_rows_empties_unless_it_is_to_keep(page: Page) -> None:
    _, first = history(page, "kept")
    assert rows_of(page, "kept") == first.written > 0
    page.goto("/datasets/emptied")
    expect(page.get_by_text("0 rows", exact=False).first).to_be_visible()
    expect(page.get_by_role("heading", name="No rows yet")).to_be_visible()
