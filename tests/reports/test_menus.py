"""Which menus show, what may stand in them, and what the date options mean."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentry_connector.errors import DatesError, DetailsError
from sentry_connector.reports.catalogue import CATALOGUE
from sentry_connector.reports.details import AllAvailable, DateRange, Details, Duration, SinceLastRun, SingleDate
from sentry_connector.reports.menus import check, default_duration, duration_from_options, durations, visible
from sentry_connector.reports.model import Endpoint, Grain, Menu, Need, Report, Shape, text


def report(name: str, *menus: Menu, dates: Need | None = None, bodies: bool = False) -> Report:
    """A report with these menus, all required, and dates where they are given."""
    counts = Menu.STAT in menus
    endpoint = Endpoint(path="/organizations/")
    return Report(
        slug=name.lower().replace(" ", "-"),
        name=name,
        about="A report for tests.",
        scope="event:read",
        grain=Grain.PROJECT,
        shape=Shape.POINTS if counts else Shape.ITEMS,
        endpoints=(endpoint,),
        bodies=(endpoint,) if bodies else (),
        menus=dict.fromkeys(menus, Need.REQUIRED) | ({Menu.DATES: dates} if dates else {}),
        stats=("received", "rejected", "generated") if counts else (),
        all_available=dates is not Need.REQUIRED,
        columns=(text("id", "The id."),),
        key=("id",),
        left_out={},
    )


ORGANIZATIONS = report("Organizations")
TEAMS = report("Team Projects", Menu.ORGANIZATIONS, Menu.TEAMS)
EVENTS = report("Project Events", Menu.PROJECTS, dates=Need.OPTIONAL, bodies=True)
USERS = report("Projects Users", Menu.PROJECTS)
ISSUES = report("Projects Issues", Menu.ORGANIZATIONS, Menu.PROJECTS, dates=Need.OPTIONAL)
ISSUE_EVENTS = report("Issues Events", Menu.ISSUE, dates=Need.OPTIONAL)
COUNTS = report("Events Counts Project", Menu.PROJECTS, Menu.STAT, dates=Need.REQUIRED)
TEAM_COUNTS = report("Events Counts Team", Menu.ORGANIZATIONS, Menu.TEAMS, Menu.STAT, dates=Need.REQUIRED)

FILLED = [
    (ORGANIZATIONS, Details()),
    (TEAMS, Details(organizations=("acme",), teams=("*",))),
    (EVENTS, Details(projects=("shop",))),
    (USERS, Details(projects=("acme/shop", "42"))),
    (ISSUES, Details(organizations=("acme",), projects=("*",))),
    (ISSUE_EVENTS, Details(issue="SHOP-1A")),
    (COUNTS, Details(projects=("shop",))),
    (TEAM_COUNTS, Details(organizations=("acme",), teams=("web", "api"))),
]
FILLED_BY_NAME = {of.name: msgspec.structs.asdict(details) for of, details in FILLED}
filled = pytest.mark.parametrize(("of", "details"), FILLED, ids=[of.name for of, _ in FILLED])

DAY = dt.date(2026, 3, 1)


@pytest.mark.parametrize(
    ("of", "menus"),
    [
        (ORGANIZATIONS, ()),
        (TEAMS, ("Organizations", "Teams")),
        (EVENTS, ("Projects", "Duration")),
        (USERS, ("Projects",)),
        (ISSUES, ("Organizations", "Projects", "Duration")),
        (ISSUE_EVENTS, ("Issue ID", "Duration")),
        (COUNTS, ("Projects", "Stat", "Duration")),
        (TEAM_COUNTS, ("Organizations", "Teams", "Stat", "Duration")),
    ],
)
def test_a_report_shows_its_menus_in_order(of: Report, menus: tuple[str, ...]) -> None:
    assert visible(of, {}) == menus


@pytest.mark.parametrize(
    ("duration", "menus"),
    [
        (AllAvailable(), ()),
        (SinceLastRun(), ()),
        (SingleDate(DAY), ("Report Date", "Select Specific Date")),
        (SingleDate(3), ("Report Date", "Days Back")),
        (DateRange(DAY, DAY), ("Start Date", "End Date", "Select Specific Start Date", "Select Specific End Date")),
        (DateRange(DAY, 0), ("Start Date", "End Date", "Select Specific Start Date", "Days Back to End At")),
        (DateRange(3, DAY), ("Start Date", "End Date", "Days Back to Start From", "Select Specific End Date")),
        (DateRange(3, 0), ("Start Date", "End Date", "Days Back to Start From", "Days Back to End At")),
    ],
)
def test_the_date_menus_follow_from_the_duration(duration: Duration, menus: tuple[str, ...]) -> None:
    assert visible(EVENTS, Details(duration=duration)) == ("Projects", "Duration", *menus)


def test_date_menus_show_one_step_at_a_time_while_a_person_chooses() -> None:
    assert visible(EVENTS, {"Duration": "Single Date"}) == ("Projects", "Duration", "Report Date")
    assert visible(EVENTS, {"Duration": "Date Range"}) == ("Projects", "Duration", "Start Date", "End Date")


def test_a_choice_left_over_from_another_duration_shows_nothing() -> None:
    leftover = {"Duration": "Date Range", "Report Date": "Specific Date"}
    assert visible(EVENTS, leftover) == ("Projects", "Duration", "Start Date", "End Date")


def test_a_report_without_dates_shows_no_date_menu_whatever_is_chosen() -> None:
    assert visible(USERS, {"Duration": "Single Date", "Report Date": "Specific Date"}) == ("Projects",)


def test_details_without_a_duration_show_the_menus_of_the_default() -> None:
    assert visible(EVENTS, Details()) == ("Projects", "Duration")
    assert visible(COUNTS, Details())[-3:] == ("Duration", "Report Date", "Days Back")


def test_duration_offers_all_available_first_where_dates_are_optional_and_not_at_all_on_counts() -> None:
    assert durations(EVENTS) == ("All Available", "Single Date", "Date Range", "Since Last Successful Run")
    assert durations(COUNTS) == ("Single Date", "Date Range", "Since Last Successful Run")
    assert durations(USERS) == ()


@filled
def test_checked_details_pass_again_unchanged(of: Report, details: Details) -> None:
    once = check(of, details, storing=False)
    assert check(of, once, storing=False) == once
    assert msgspec.json.decode(msgspec.json.encode(once), type=Details) == once


@pytest.mark.parametrize(
    ("of", "field", "option"),
    [
        (TEAMS, "organizations", "--organization"),
        (TEAMS, "teams", "--team"),
        (EVENTS, "projects", "--project"),
        (ISSUES, "organizations", "--organization"),
        (ISSUES, "projects", "--project"),
        (ISSUE_EVENTS, "issue", "--issue"),
    ],
)
def test_a_required_menu_that_is_empty_is_refused_by_name(of: Report, field: str, option: str) -> None:
    empty = {field: getattr(Details(), field)}
    with pytest.raises(DetailsError, match=f"{of.name} needs") as caught:
        check(of, Details(**{**FILLED_BY_NAME[of.name], **empty}), storing=False)
    assert caught.value.menu == field
    assert option in caught.value.remedy


@pytest.mark.parametrize(
    ("of", "values", "menu", "option"),
    [
        (ORGANIZATIONS, {"organizations": ("acme",)}, "organizations", "--organization"),
        (TEAMS, {"projects": ("shop",)}, "projects", "--project"),
        (EVENTS, {"teams": ("web",)}, "teams", "--team"),
        (EVENTS, {"issue": "7"}, "issue", "--issue"),
        (EVENTS, {"stat": "received"}, "stat", "--stat"),
        (EVENTS, {"resolution": "1h"}, "resolution", "--resolution"),
        (USERS, {"duration": SingleDate(1)}, "dates", "date options"),
        (USERS, {"bodies": True}, "bodies", "--with-bodies"),
    ],
)
def test_a_value_in_a_menu_that_does_not_show_is_refused(
    of: Report, values: dict[str, Any], menu: str, option: str
) -> None:
    with pytest.raises(DetailsError, match=f"{of.name} has no") as caught:
        check(of, Details(**{**FILLED_BY_NAME[of.name], **values}), storing=False)
    assert caught.value.menu == menu
    assert option in caught.value.remedy


@pytest.mark.parametrize(
    ("of", "details"),
    [
        (EVENTS, Details(organizations=("acme",), projects=("*",))),
        (ISSUE_EVENTS, Details(organizations=("acme",), issue="7")),
    ],
)
def test_an_organization_may_narrow_a_project_or_issue_report(of: Report, details: Details) -> None:
    assert check(of, details, storing=False).organizations == ("acme",)


def test_projects_that_name_their_organization_fill_in_the_organizations_menu() -> None:
    details = Details(projects=("acme/shop", "globex/web", "acme/api"))
    assert check(ISSUES, details, storing=False).organizations == ("acme", "globex")


@pytest.mark.parametrize("projects", [("shop",), ("acme/shop", "web"), ("*",)])
def test_projects_that_do_not_all_name_their_organization_leave_it_to_be_given(projects: tuple[str, ...]) -> None:
    with pytest.raises(DetailsError, match="needs Organizations") as caught:
        check(ISSUES, Details(projects=projects), storing=False)
    assert "ORG/PROJECT" in caught.value.remedy


def test_organizations_are_not_made_up_for_a_report_without_their_menu() -> None:
    assert check(EVENTS, Details(projects=("acme/shop",)), storing=False).organizations == ()


@pytest.mark.parametrize("project", ["/shop", "acme/", "acme/shop/web", "acme/*"])
def test_a_project_of_another_form_is_refused(project: str) -> None:
    with pytest.raises(DetailsError, match="is not a project") as caught:
        check(EVENTS, Details(projects=(project,)), storing=False)
    assert caught.value.menu == "projects"


@pytest.mark.parametrize(
    ("of", "values"),
    [
        (EVENTS, {"projects": ("*", "shop")}),
        (ISSUES, {"organizations": ("acme", "*")}),
        (TEAMS, {"teams": ("*", "web")}),
    ],
)
def test_all_and_some_at_once_are_refused(of: Report, values: dict[str, Any]) -> None:
    with pytest.raises(DetailsError, match="others beside it"):
        check(of, Details(**{**FILLED_BY_NAME[of.name], **values}), storing=False)


def test_blanks_and_repetitions_go() -> None:
    details = Details(projects=(" shop ", "shop", "web"))
    assert check(EVENTS, details, storing=False).projects == ("shop", "web")
    assert check(ISSUE_EVENTS, Details(issue="  4711\n"), storing=False).issue == "4711"


def test_an_empty_value_in_a_list_is_refused() -> None:
    with pytest.raises(DetailsError, match="Projects holds an empty value"):
        check(EVENTS, Details(projects=("shop", " ")), storing=False)


def test_an_issue_of_blanks_is_missing() -> None:
    with pytest.raises(DetailsError, match="needs Issue ID"):
        check(ISSUE_EVENTS, Details(issue="  "), storing=False)


def test_counts_get_the_first_stat_and_hours_and_yesterday() -> None:
    details = check(COUNTS, Details(projects=("shop",)), storing=False)
    assert (details.stat, details.resolution, details.duration) == ("received", "1h", SingleDate(1))


def test_reports_with_optional_dates_get_all_available_and_others_no_dates() -> None:
    assert check(EVENTS, Details(projects=("shop",)), storing=False).duration == AllAvailable()
    assert check(USERS, Details(projects=("shop",)), storing=False).duration is None


def test_an_unknown_stat_is_refused_with_the_nearest_and_all() -> None:
    with pytest.raises(DetailsError, match="no stat named 'recieved'") as caught:
        check(COUNTS, Details(projects=("shop",), stat="recieved"), storing=False)
    assert "--stat received" in caught.value.remedy
    assert "generated" in caught.value.remedy


@pytest.mark.parametrize("resolution", ["10s", "1h", "1d"])
def test_counts_take_the_resolutions_that_sentry_has(resolution: str) -> None:
    details = Details(projects=("shop",), resolution=resolution)
    assert check(COUNTS, details, storing=False).resolution == resolution


def test_another_resolution_is_refused() -> None:
    with pytest.raises(DetailsError, match="no resolution '5m'") as caught:
        check(COUNTS, Details(projects=("shop",), resolution="5m"), storing=False)
    assert "--resolution" in caught.value.remedy


def test_counts_by_day_are_utcs_days_only() -> None:
    with pytest.raises(DetailsError, match="UTC"):
        check(COUNTS, Details(projects=("shop",), resolution="1d", timezone="Europe/Berlin"), storing=False)


def test_all_available_is_refused_on_counts() -> None:
    with pytest.raises(DetailsError, match="does not offer All Available"):
        check(COUNTS, Details(projects=("shop",), duration=AllAvailable()), storing=True)


def test_since_last_run_is_for_datasets_only() -> None:
    details = Details(projects=("shop",), duration=SinceLastRun())
    assert check(EVENTS, details, storing=True).duration == SinceLastRun()
    with pytest.raises(DetailsError, match="is for DataSets"):
        check(EVENTS, details, storing=False)


def test_bodies_stay_where_the_report_has_them() -> None:
    assert check(EVENTS, Details(projects=("shop",), bodies=True), storing=False).bodies


@pytest.mark.parametrize(
    "wrong",
    [{"timezone": "Europe/Berlinn"}, {"duration": SingleDate(-1)}, {"duration": SingleDate(3651)}],
)
def test_wrong_dates_and_zones_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(DatesError):
        check(EVENTS, Details(projects=("shop",), **wrong), storing=False)


@pytest.mark.parametrize(
    ("options", "duration"),
    [
        ({}, None),
        ({"date": "2026-02-28"}, SingleDate(dt.date(2026, 2, 28))),
        ({"date": dt.date(2026, 2, 28)}, SingleDate(dt.date(2026, 2, 28))),
        ({"date": "today"}, SingleDate(0)),
        ({"date": "yesterday"}, SingleDate(1)),
        ({"date": " today-7 "}, SingleDate(7)),
        ({"days_back": "0"}, SingleDate(0)),
        ({"days_back": 3650}, SingleDate(3650)),
        ({"start": "2026-02-27", "end": "2026-03-01"}, DateRange(dt.date(2026, 2, 27), dt.date(2026, 3, 1))),
        ({"start": "2026-03-01", "end_days_back": "2"}, DateRange(dt.date(2026, 3, 1), 2)),
        ({"start_days_back": "10", "end_days_back": "5"}, DateRange(10, 5)),
        ({"start_days_back": 10, "end": "2026-03-01"}, DateRange(10, dt.date(2026, 3, 1))),
        ({"start_days_back": "5", "end_days_back": "5"}, DateRange(5, 5)),
        ({"start": "today-7"}, DateRange(7, 0)),
        ({"start_days_back": "0"}, DateRange(0, 0)),
        ({"last_days": "1"}, DateRange(0, 0)),
        ({"last_days": 7}, DateRange(6, 0)),
        ({"all_available": True}, AllAvailable()),
        ({"since_last_run": True}, SinceLastRun(7200)),
        ({"since_last_run": True, "overlap": "90m"}, SinceLastRun(5400)),
        ({"since_last_run": True, "overlap": "1d"}, SinceLastRun(86_400)),
        ({"since_last_run": True, "overlap": 0}, SinceLastRun(0)),
    ],
)
def test_options_mean_this_duration(options: dict[str, Any], duration: Duration | None) -> None:
    assert duration_from_options(**options) == duration


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"date": "2026-02-30"}, "`--date`: there is no day 2026-02-30"),
        ({"start": "2025-02-29"}, "`--start`: there is no day 2025-02-29"),
        ({"date": "20260228"}, "`--date`: '20260228' is not a date"),
        ({"date": "2026-W09-6"}, "is not a date"),
        ({"date": dt.datetime(2026, 2, 28, tzinfo=dt.UTC)}, "is not a date"),
        ({"date": "5"}, "is not a date"),
        ({"date": ""}, "is not a date"),
        ({"date": "today-x"}, "'x' is not a whole number"),
        ({"date": "today-3651"}, "'3651' is not a whole number"),
        ({"days_back": "1.5"}, "`--days-back`: '1.5' is not a whole number from 0 to 3650"),
        ({"days_back": "-1"}, "`--days-back`: '-1' is not a whole number"),
        ({"days_back": -1}, "`--days-back`: '-1' is not a whole number"),
        ({"days_back": "abc"}, "`--days-back`: 'abc' is not a whole number"),
        ({"days_back": "\u0663"}, "is not a whole number"),
        ({"start_days_back": "3651"}, "`--start-days-back`: '3651' is not a whole number"),
        ({"start_days_back": "1", "end_days_back": "abc"}, "`--end-days-back`: 'abc'"),
        ({"last_days": "0"}, "`--last-days`: '0' is not a whole number from 1 to 3650"),
        ({"start_days_back": "5", "end_days_back": "10"}, "5 days back comes after 10 days back"),
        ({"start": "2026-03-02", "end": "2026-03-01"}, "2026-03-02 comes after 2026-03-01"),
        ({"end": "2026-03-01"}, "an end and no start"),
        ({"end_days_back": 1}, "an end and no start"),
        ({"start": "today", "start_days_back": 1}, "`--start` and `--start-days-back` do not go together"),
        ({"start": "today", "end": "today", "end_days_back": 0}, "`--end` and `--end-days-back`"),
        ({"date": "today", "days_back": 0}, "`--date` and `--days-back` do not go together"),
        ({"date": "today", "end": "today"}, "`--date` and `--end` do not go together"),
        ({"last_days": 7, "all_available": True}, "`--last-days` and `--all-available`"),
        ({"since_last_run": True, "start": "today"}, "`--start` and `--since-last-run`"),
        ({"overlap": "2h"}, "An overlap without a last run"),
        ({"date": "today", "overlap": "2h"}, "`--date` and `--overlap`"),
        ({"since_last_run": True, "overlap": "2"}, "`--overlap`: '2' is not a time"),
        ({"since_last_run": True, "overlap": -5}, "is not a time"),
        ({"since_last_run": True, "overlap": "4000d"}, "The overlap is a time from 0 s to 3650 days"),
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DatesError) as caught:
        duration_from_options(**options)
    assert message in caught.value.message


@given(n=st.integers(1, 3650))
def test_the_last_n_days_are_n_days_up_to_today(n: int) -> None:
    duration = duration_from_options(last_days=str(n))
    assert isinstance(duration, DateRange)
    assert isinstance(duration.start, int)
    assert (duration.start + 1, duration.end) == (n, 0)


@given(value=st.text(max_size=12))
def test_any_text_is_a_day_or_a_clear_refusal(value: str) -> None:
    try:
        duration = duration_from_options(date=value)
    except DatesError as error:
        assert "--date" in error.message or "too early" in error.message  # noqa: PT017  # either outcome is right
    else:
        assert isinstance(duration, SingleDate)


def fill(of: Report) -> Details:
    """The least that a person must choose for the report."""
    return Details(
        organizations=("acme",) if Menu.ORGANIZATIONS in of.menus else (),
        projects=("shop",) if Menu.PROJECTS in of.menus else (),
        teams=("web",) if Menu.TEAMS in of.menus else (),
        issue="7" if Menu.ISSUE in of.menus else None,
    )


every_report = pytest.mark.parametrize("of", CATALOGUE, ids=lambda of: of.slug)


@every_report
def test_the_least_choice_completes_every_report(of: Report) -> None:
    details = check(of, fill(of), storing=True)
    assert details == check(of, details, storing=True)
    assert details.stat == (of.stats[0] if of.stats else None)
    assert details.duration == default_duration(of)
    assert (details.resolution is not None) == (Menu.STAT in of.menus)


@every_report
def test_every_report_refuses_each_menu_that_it_does_not_show(of: Report) -> None:
    surplus: dict[Menu, dict[str, Any]] = {
        Menu.PROJECTS: {"projects": ("web",)},
        Menu.TEAMS: {"teams": ("web",)},
        Menu.ISSUE: {"issue": "7"},
        Menu.STAT: {"stat": "received"},
        Menu.DATES: {"duration": SingleDate(1)},
    }
    for menu, values in surplus.items():
        if menu not in of.menus:
            with pytest.raises(DetailsError) as caught:
                check(of, msgspec.structs.replace(fill(of), **values), storing=True)
            assert caught.value.menu == menu


@every_report
def test_every_report_shows_ten_date_menus_over_all_choices_or_none(of: Report) -> None:
    choices: list[Duration] = [SingleDate(1), SingleDate(DAY), DateRange(1, DAY), DateRange(DAY, 1)]
    shown = {label for choice in choices for label in visible(of, Details(duration=choice))}
    dates = shown - {"Organizations", "Projects", "Issue ID", "Teams", "Stat"}
    assert len(dates) == (10 if Menu.DATES in of.menus else 0)
