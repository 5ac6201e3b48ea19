"""The panes of a new DataSet in the browser: menus, days, schedules. The numbers are those of the acceptance scenarios."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from sentry_connector.reports import menus
from sentry_connector.reports.catalogue import CATALOGUE
from sentry_connector.simulator import Fault, Faults, Simulation, World, start_in_thread
from tests.browser.looks import in_all_looks, violations
from tests.browser.panes import details, following, pane, pick
from tests.cli.shell import Shell

MANY = 5000


class Broken(Faults):
    """A Sentry that a proxy stands before, whose page is answered for one path while that is set."""

    def __init__(self) -> None:
        super().__init__(0.0)
        self.path: str | None = None

    def strike(self, target: str) -> Fault | None:
        return Fault.HTML if self.path and self.path in target else None


FAULTS = Broken()


@pytest.fixture
def broken() -> Iterator[Broken]:
    yield FAULTS
    FAULTS.path = None


@pytest.fixture(scope="module")
def sentry() -> Iterator[Simulation]:
    world = World.build(now=dt.datetime.now(dt.UTC), events=300, issues=20, people=5, feedback=5)
    with start_in_thread(world, faults=FAULTS) as simulation:
        yield simulation


@pytest.fixture
def large(page: Page) -> Iterator[None]:
    """An account that sees five thousand projects."""
    world = World.build(now=dt.datetime.now(dt.UTC), events=10, issues=2, people=1, feedback=1, bulk=MANY)
    with start_in_thread(world) as simulation:
        new = {"name": "Large", "url": simulation.url, "token": simulation.token}
        assert page.request.post("/api/v1/accounts", data=new).status == 201
        yield
        page.request.delete("/api/v1/accounts/Large")


@pytest.fixture(scope="module", autouse=True)
def account(shell: Shell, sentry: Simulation) -> None:
    shell.ok("accounts", "add", "Main", "--url", sentry.url, stdin=sentry.token)


def shown_menus(page: Page) -> tuple[str, ...]:
    """The report's menus that can be seen, in their order."""
    known = {*menus.LABELS.values(), *(menu.label for menu in menus.DATE_MENUS)}
    labels = page.locator("form[data-step=details] .field > label:visible").all_inner_texts()
    return tuple(label for label in labels if label in known)


def test_15_16_28_29_each_report_shows_exactly_its_menus(page: Page) -> None:
    details(page)
    report_menu = page.get_by_label("Report", exact=True)
    assert report_menu.locator("option").all_inner_texts() == [report.name for report in CATALOGUE]
    for report in CATALOGUE:
        report_menu.select_option(report.slug)
        expect(page.locator("#report-about")).to_have_text(report.about)
        offered = menus.durations(report)
        assert tuple(page.locator("#duration option").all_inner_texts()) == offered
        for duration in offered or ("",):
            chosen = {"Duration": duration, "Report Date": menus.RELATIVE} if duration else {}
            if duration:
                page.get_by_label("Duration").select_option(duration)
            chosen |= {"Start Date": menus.RELATIVE, "End Date": menus.RELATIVE}
            assert shown_menus(page) == menus.visible(report, chosen), (report.name, duration)
    report_menu.select_option("project-events")
    page.get_by_label("Duration").select_option("Single Date")
    for kind in (menus.SPECIFIC, menus.RELATIVE):
        page.get_by_label("Report Date").select_option(kind)
        expected = menus.visible(CATALOGUE[11], {"Duration": "Single Date", "Report Date": kind})
        assert shown_menus(page) == expected
    page.get_by_label("Duration").select_option("Date Range")
    for start in (menus.SPECIFIC, menus.RELATIVE):
        for end in (menus.SPECIFIC, menus.RELATIVE):
            page.get_by_label("Start Date", exact=True).select_option(start)
            page.get_by_label("End Date", exact=True).select_option(end)
            kinds = {"Duration": "Date Range", "Start Date": start, "End Date": end}
            assert shown_menus(page) == menus.visible(CATALOGUE[11], kinds)


@pytest.mark.usefixtures("large")
def test_18_19_21_22_25_five_thousand_projects_are_searched_and_depend_on_their_organization(page: Page) -> None:
    details(page, "projects-issues", "Large")
    projects = page.get_by_role("combobox", name="Projects")
    options = page.get_by_role("listbox", name="Projects").get_by_role("option")
    expect(pane(page, "details").get_by_text(re.compile(r"^5,0\d\d to choose from$"))).to_be_visible()
    projects.click()
    expect(options).to_have_count(100)
    expect(pane(page, "details").get_by_text("type to narrow")).to_be_visible()
    projects.fill("shop")
    expect(options.filter(has_text="acme/shop")).to_be_visible()
    expect(options.filter(has_text="globex/shop")).to_be_visible()
    projects.fill("no such project")
    expect(pane(page, "details").get_by_text("Nothing has “no such project” in its name.")).to_be_visible()
    pick(page, "Projects", "globex/shop")
    pick(page, "Organizations", "acme")
    expect(page.get_by_label("Chosen: Projects")).to_be_hidden()  # it is of another organization
    projects.fill("shop")
    expect(options).to_have_count(1)
    page.get_by_label("Report", exact=True).select_option("events-counts-team")
    stats = page.locator("#stat option")
    assert "generated" in stats.all_inner_texts()
    page.get_by_label("Report", exact=True).select_option("events-counts-organization")
    assert stats.all_inner_texts() == ["received", "rejected", "blacklisted"]
    page.get_by_label("Report", exact=True).select_option("team-projects")
    teams = page.get_by_role("combobox", name="Teams")
    expect(teams).to_be_enabled()
    pane(page, "details").locator("[data-menu=teams]").get_by_role("button", name="Select all").click()
    expect(page.get_by_label("Chosen: Teams")).to_be_visible()
    page.get_by_role("button", name="Remove Acme").click()
    expect(teams).to_be_disabled()
    expect(page.get_by_label("Chosen: Teams")).to_be_hidden()


def test_26_a_menu_that_fails_is_asked_again_and_nothing_else_is_lost(page: Page, broken: Broken) -> None:
    details(page, "project-events")
    pick(page, "Projects", "acme/shop")
    broken.path = "/projects/"
    page.locator("[data-menu=projects]").get_by_role("button", name="Refresh").click()
    retry = page.locator("[data-menu=projects]").get_by_role("button", name="Retry")
    expect(retry).to_be_visible()
    expect(page.get_by_label("Chosen: Projects")).to_contain_text("acme/shop")
    page.get_by_role("button", name="Load Preview").click()
    alert = page.locator("[data-preview]").get_by_role("alert")
    expect(alert).to_be_visible()
    broken.path = None
    retry.click()
    expect(retry).to_be_hidden()
    alert.get_by_role("button", name="Retry").click()
    expect(page.locator("[data-preview]").get_by_role("table")).to_be_visible()


def test_27_30_31_32_33_the_days_are_told_and_a_preview_is_shown(page: Page, shell: Shell) -> None:
    details(page, "project-events")
    before = shell.json("runs", "list")
    pick(page, "Projects", "acme/shop")
    page.get_by_label("Duration").select_option("Single Date")
    days, back = page.locator("#days"), page.get_by_label("Days Back", exact=True)
    today = dt.datetime.now(dt.UTC).date()
    for number in (0, 1):
        back.fill(str(number))
        expect(days).to_contain_text(f"{today - dt.timedelta(number)} (1 day, UTC)")
    for wrong in ("-1", "1.5", "abc"):
        back.fill(wrong)
        expect(days).to_contain_text("is not a whole number")
        page.get_by_role("button", name="Next").click()
        expect(pane(page, "details").locator(".pane-body")).to_be_visible()
    page.get_by_label("Duration").select_option("Date Range")
    start, end = page.get_by_label("Days Back to Start From"), page.get_by_label("Days Back to End At")
    start.fill("5")
    end.fill("10")
    expect(days).to_contain_text("run backwards")
    start.fill("10")
    end.fill("5")
    expect(days).to_contain_text("(6 days, UTC)")
    page.get_by_label("Duration").select_option("Since Last Successful Run")
    expect(days).to_contain_text("The first run reads everything")
    page.get_by_role("button", name="Load Preview").click()
    table = page.locator("[data-preview]").get_by_role("table")
    expect(table.get_by_role("columnheader", name="date_created")).to_contain_text("timestamp")
    rows = table.get_by_role("row").count() - 1
    assert 0 < rows <= 100
    expect(page.locator("[data-plan]")).to_contain_text("Requests")
    assert shell.json("runs", "list") == before


def test_23_45_46_47_48_49_50_51_schedules_are_built_and_told(page: Page) -> None:
    details(page, "projects-issues")
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("Organizations is needed.")).to_be_visible()
    expect(page.get_by_role("combobox", name="Organizations")).to_be_focused()
    page.get_by_label("Report", exact=True).select_option("organizations")
    following(page, "Scheduling")
    slots, rule = page.locator("[data-slots]"), page.locator("#schedule")
    expect(slots).to_contain_text("never by itself")
    repeats = page.get_by_label("Repeats")
    repeats.select_option("Every few minutes")
    expect(rule).to_have_value("every 15m")
    expect(slots.get_by_role("listitem")).to_have_count(5)
    repeats.select_option("Every hour")
    page.get_by_label("Active hours").first.fill("8-17")
    expect(slots).to_contain_text("hourly 8-17")
    repeats.select_option("Every month")
    page.get_by_label("Day of the month").select_option("31")
    expect(rule).to_have_value("monthly 31 06:30")
    page.get_by_label("Advanced").first.check()
    expect(rule).to_have_value("daily 06:30")
    page.get_by_label("Days", exact=True).select_option("Such as the 2nd Sunday")
    page.get_by_label("1st").uncheck()
    for one in ("2nd", "4th"):
        page.get_by_label(one).check()
    page.locator("#advanced-months").get_by_label("Jul").check()
    expect(rule).to_have_value("jul monthly 2nd,4th sun 06:30")
    expect(slots).to_contain_text("the 2nd and 4th Sunday of the month in July")
    page.get_by_label("Rule or cron").check()
    page.get_by_label("Rule", exact=True).fill("*/5 * * * *")
    expect(rule).to_have_value("cron: */5 * * * *")
    page.get_by_label("Time zone").fill("America/New_York")
    expect(slots).to_contain_text("America/New_York")
    page.get_by_label("Rule", exact=True).fill("sometimes")
    expect(slots.get_by_role("alert")).to_contain_text("A schedule does not begin with")
    page.get_by_role("button", name="Next").click()
    expect(pane(page, "scheduling").locator(".pane-body")).to_be_visible()
    page.get_by_label("Basic").check()
    repeats.select_option("Every week")
    page.locator("#basic-days").get_by_label("Thu").check()
    expect(rule).to_have_value("weekly mon,thu 06:30")


def test_what_a_method_does_is_told_and_one_that_cannot_be_is_not_to_be_chosen(page: Page) -> None:
    details(page, "projects-issues")
    pick(page, "Projects", "acme/shop")
    pick(page, "Organizations", "acme")
    page.get_by_label("Duration").select_option("Since Last Successful Run")
    following(page, "Scheduling")
    expect(page.get_by_label("Upsert")).to_be_checked()
    expect(page.get_by_label("Replace")).to_be_disabled()
    expect(page.locator("#method-replace-about")).to_contain_text("would throw away")
    expect(page.locator("#method-partition-about")).to_contain_text("cannot be partitioned")
    expect(page.get_by_role("combobox", name="Key")).to_be_visible()
    page.get_by_role("button", name="Details").click()
    page.get_by_label("Duration").select_option("All Available")
    following(page, "Scheduling")
    expect(page.get_by_label("Replace")).to_be_enabled()
    expect(page.get_by_label("Upsert")).to_be_checked()


def test_what_the_api_says_is_told_in_german_too(context: BrowserContext, page: Page) -> None:
    details(page, "organizations")
    following(page, "Scheduling")
    context.add_cookies([{"name": "language", "value": "de", "url": page.evaluate("location.origin")}])
    page.reload()
    slots = page.locator("[data-slots]")
    expect(slots).to_contain_text("nie von selbst")
    expect(page.locator("#method-replace-about")).to_contain_text("Die Tabelle enthält genau die Zeilen")
    page.get_by_label("Regel oder cron").check()
    page.get_by_label("Regel", exact=True).fill("weekdays 06:30")
    expect(slots).to_contain_text("Montag bis Freitag, um 06:30")
    page.get_by_label("Regel", exact=True).fill("sometimes")
    expect(slots.get_by_role("alert")).to_contain_text("Ein Zeitplan beginnt nicht mit 'sometimes'.")


def test_each_pane_is_for_everyone(page: Page) -> None:
    details(page, "projects-issues")
    pick(page, "Organizations", "acme")
    pick(page, "Projects", "acme/shop")
    page.get_by_role("button", name="Load Preview").click()
    expect(page.locator("[data-preview]").get_by_role("table")).to_be_visible()
    following(page, "Scheduling")
    page.get_by_label("Repeats").select_option("Every week")
    following(page, "Name & Describe")
    for name in ("credentials", "describe"):
        page.goto(f"/datasets/new?pane={name}")
        assert violations(page) == []
    for name in ("details", "scheduling"):
        assert in_all_looks(page, f"/datasets/new?pane={name}") == []


def test_24_an_unknown_issue_is_told_by_the_preview_and_blanks_do_not_count(page: Page) -> None:
    details(page, "issues-events")
    page.get_by_label("Issue ID").fill("  ")
    page.get_by_role("button", name="Load Preview").click()
    expect(page.get_by_text("Issue ID is needed.")).to_be_visible()
    page.get_by_label("Issue ID").fill(" 999999999 ")
    page.get_by_role("button", name="Load Preview").click()
    expect(page.locator("[data-preview]").get_by_role("alert")).to_contain_text("issue")
