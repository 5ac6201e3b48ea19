"""What a report's Details pane asks for: which menus show, and whether the chosen values make sense.

The command line, the pages and the library all come through `check`, so a message says what to do in the command line's
words. Which menus a report has is the catalogue's; nothing here knows a report by name.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from sentry_connector.errors import DatesError, DetailsError, nearest
from sentry_connector.reports.details import (
    ALL,
    AllAvailable,
    DateRange,
    Day,
    Details,
    Duration,
    SinceLastRun,
    SingleDate,
)
from sentry_connector.reports.model import Menu, Need, Report, Shape
from sentry_connector.reports.windows import MAX_DAYS_BACK, check_duration, zone

SINGLE_DATE = "Single Date"
DATE_RANGE = "Date Range"
ALL_AVAILABLE = "All Available"
SINCE_LAST_RUN = "Since Last Successful Run"
SPECIFIC = "Specific Date"
RELATIVE = "Relative Date"

LABELS: Mapping[Menu, str] = {
    Menu.ORGANIZATIONS: "Organizations",
    Menu.PROJECTS: "Projects",
    Menu.ISSUE: "Issue ID",
    Menu.TEAMS: "Teams",
    Menu.STAT: "Stat",
    Menu.DATES: "Duration",
}
"""How people read the menus, in the order in which they show; the date menus go on in `DATE_MENUS`."""

FLAGS: Mapping[Menu, str] = {
    Menu.ORGANIZATIONS: "--organization",
    Menu.PROJECTS: "--project",
    Menu.ISSUE: "--issue",
    Menu.TEAMS: "--team",
    Menu.STAT: "--stat",
    Menu.DATES: "--date",
}
"""The command line's option for each menu."""


class Holds(StrEnum):
    """What a menu of the date group holds."""

    KIND = "kind"
    """How a day is given: `SPECIFIC` or `RELATIVE`."""
    DATE = "date"
    DAYS_BACK = "days back"


@dataclass(frozen=True, slots=True)
class DateMenu:
    """A menu of the date group.

    Attributes:
        label: how people read it.
        day: the field of the duration that it is about: `day`, `start` or `end`.
        holds: what of it.
        when: the (menu, option) pairs that must all be chosen before it shows.
    """

    label: str
    day: str
    holds: Holds
    when: tuple[tuple[str, str], ...]


_SINGLE, _RANGE = ("Duration", SINGLE_DATE), ("Duration", DATE_RANGE)

DATE_MENUS = (
    DateMenu("Report Date", "day", Holds.KIND, (_SINGLE,)),
    DateMenu("Select Specific Date", "day", Holds.DATE, (_SINGLE, ("Report Date", SPECIFIC))),
    DateMenu("Days Back", "day", Holds.DAYS_BACK, (_SINGLE, ("Report Date", RELATIVE))),
    DateMenu("Start Date", "start", Holds.KIND, (_RANGE,)),
    DateMenu("End Date", "end", Holds.KIND, (_RANGE,)),
    DateMenu("Select Specific Start Date", "start", Holds.DATE, (_RANGE, ("Start Date", SPECIFIC))),
    DateMenu("Days Back to Start From", "start", Holds.DAYS_BACK, (_RANGE, ("Start Date", RELATIVE))),
    DateMenu("Select Specific End Date", "end", Holds.DATE, (_RANGE, ("End Date", SPECIFIC))),
    DateMenu("Days Back to End At", "end", Holds.DAYS_BACK, (_RANGE, ("End Date", RELATIVE))),
)
"""The menus that may follow Duration, in the order in which they show."""

RESOLUTIONS: Mapping[str, int] = {"1h": 3600, "10s": 10, "1d": 86_400}
"""The widths of a bucket of counts in seconds, default first. Sentry refuses any other."""

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def visible(report: Report, choice: Details | Mapping[str, str]) -> tuple[str, ...]:
    """The labels of the menus that show, in their order.

    Args:
        report: an entry of the catalogue.
        choice: the details, or what is chosen so far as {menu: option}, for example `{"Duration": "Single Date"}`.
    """
    chosen = chosen_dates(report, choice) if isinstance(choice, Details) else choice
    labels = [label for menu, label in LABELS.items() if menu in report.menus]
    if Menu.DATES in report.menus:
        labels += [menu.label for menu in DATE_MENUS if all(chosen.get(name) == option for name, option in menu.when)]
    return tuple(labels)


def durations(report: Report) -> tuple[str, ...]:
    """The options of Duration, default first; none where the report has no dates."""
    if Menu.DATES not in report.menus:
        return ()
    options = (SINGLE_DATE, DATE_RANGE, SINCE_LAST_RUN)
    return (ALL_AVAILABLE, *options) if report.all_available else options


def default_duration(report: Report) -> Duration | None:
    """The dates of a report for which none are chosen: All Available where it is offered, else yesterday."""
    if Menu.DATES not in report.menus:
        return None
    return AllAvailable() if report.all_available else SingleDate(1)


def chosen_dates(report: Report, details: Details) -> dict[str, str]:
    """The options that the details choose in Duration, Report Date, Start Date and End Date."""
    match details.duration or default_duration(report):
        case SingleDate(day=day):
            return {"Duration": SINGLE_DATE, "Report Date": _kind(day)}
        case DateRange(start=start, end=end):
            return {"Duration": DATE_RANGE, "Start Date": _kind(start), "End Date": _kind(end)}
        case AllAvailable():
            return {"Duration": ALL_AVAILABLE}
        case SinceLastRun():
            return {"Duration": SINCE_LAST_RUN}
        case None:
            return {}


def check(report: Report, details: Details, *, storing: bool) -> Details:
    """The details, tidied and completed with the report's defaults; what comes back passes again unchanged.

    Args:
        report: the report that they are for.
        details: the chosen values.
        storing: they are a DataSet's, which has a last run; a `pull` has none.

    Raises:
        DetailsError: a menu is missing, does not show for this report, or holds a value that it does not offer.
        DatesError: the dates or the zone are wrong, as far as can be told without a clock.
    """
    details = _tidied(details)
    _refuse_hidden(report, details)
    zone(details.timezone)
    details = msgspec.structs.replace(
        details,
        organizations=details.organizations or _implied_organizations(report, details.projects),
        stat=_checked_stat(report, details.stat),
        resolution=_checked_resolution(report, details),
        duration=_checked_duration(report, details.duration, storing=storing),
    )
    _refuse_missing(report, details)
    return details


def check_dates(report: Report, duration: Duration | None, timezone: str) -> Duration | None:
    """The dates of a DataSet alone, whatever its other menus hold; the report's default where none are chosen.

    Raises:
        DetailsError: the report has no dates, or does not offer these.
        DatesError: the dates or the zone are wrong, as far as can be told without a clock.
    """
    zone(timezone)
    _refuse_hidden(report, Details(duration=duration))
    return _checked_duration(report, duration, storing=True)


def duration_from_options(
    *,
    date: str | dt.date | None = None,
    days_back: str | int | None = None,
    start: str | dt.date | None = None,
    end: str | dt.date | None = None,
    start_days_back: str | int | None = None,
    end_days_back: str | int | None = None,
    last_days: str | int | None = None,
    all_available: bool = False,
    since_last_run: bool = False,
    overlap: str | int | None = None,
) -> Duration | None:
    """The duration that the command line's date options mean; None where none is given.

    Dates are `YYYY-MM-DD`, `today`, `yesterday` or `today-N`, the last three resolved at each run. A start without an
    end runs until today. `last_days=N` is today and the N-1 days before. `overlap` is seconds as a number, or text such
    as `90s`, `30m`, `2h`, `1d`.

    Raises:
        DatesError: an option holds no date or number that it takes, or options do not go together.
    """
    options = {
        "--date": date,
        "--days-back": days_back,
        "--start": start,
        "--start-days-back": start_days_back,
        "--end": end,
        "--end-days-back": end_days_back,
        "--last-days": last_days,
        "--all-available": all_available or None,
        "--since-last-run": since_last_run or None,
        "--overlap": f"{overlap}s" if isinstance(overlap, int) else overlap,
    }
    given = {flag: str(value).strip() for flag, value in options.items() if value is not None}
    _refuse_mixture(given)
    duration = _duration_of(given)
    if duration is not None:
        check_duration(duration)
    return duration


def _kind(day: Day) -> str:
    return RELATIVE if isinstance(day, int) else SPECIFIC


def _tidied(details: Details) -> Details:
    """Without blanks around values and without repeated values."""
    return msgspec.structs.replace(
        details,
        organizations=_tidied_list(Menu.ORGANIZATIONS, details.organizations),
        projects=_tidied_list(Menu.PROJECTS, details.projects),
        teams=_tidied_list(Menu.TEAMS, details.teams),
        issue=(details.issue or "").strip() or None,
    )


def _tidied_list(menu: Menu, values: Iterable[str]) -> tuple[str, ...]:
    tidy = tuple(dict.fromkeys(value.strip() for value in values))
    if "" in tidy:
        raise DetailsError(menu, f"{LABELS[menu]} holds an empty value.", remedy=f"Give `{FLAGS[menu]}` a value.")
    if ALL in tidy and len(tidy) > 1:
        raise DetailsError(
            menu,
            f"{LABELS[menu]} holds '*', which is all of them, and others beside it.",
            remedy=f"Give either `{FLAGS[menu]} '*'` or the single ones.",
        )
    if menu is Menu.PROJECTS:
        _check_project_forms(tidy)
    return tidy


def _check_project_forms(projects: Iterable[str]) -> None:
    for project in projects:
        organization, slash, slug = project.partition("/")
        if slash and (not organization or slug in {"", ALL} or "/" in slug):
            raise DetailsError(
                Menu.PROJECTS,
                f"{project!r} is not a project.",
                remedy="Give `--project` a slug, id or ORG/PROJECT; all of ORG: `--organization ORG --project '*'`.",
            )


def _held(details: Details) -> dict[Menu, object]:
    """What each menu holds; false where it holds nothing."""
    return {
        Menu.ORGANIZATIONS: details.organizations,
        Menu.PROJECTS: details.projects,
        Menu.ISSUE: details.issue,
        Menu.TEAMS: details.teams,
        Menu.STAT: details.stat,
        Menu.DATES: details.duration,
    }


def _refuse_hidden(report: Report, details: Details) -> None:
    """A value in a menu that does not show would be ignored in silence."""
    for menu, value in _held(details).items():
        allowed = menu in report.menus or (menu is Menu.ORGANIZATIONS and _narrows(report))
        if value and not allowed:
            options = "the date options" if menu is Menu.DATES else f"`{FLAGS[menu]}`"
            raise DetailsError(menu, f"{report.name} has no {LABELS[menu]}.", remedy=f"Leave out {options}.")
    if details.resolution and report.shape is not Shape.POINTS:
        raise DetailsError("resolution", f"{report.name} has no resolution.", remedy="Leave out `--resolution`.")
    if details.bodies and not report.bodies:
        raise DetailsError("bodies", f"{report.name} has no bodies to choose.", remedy="Leave out `--with-bodies`.")


def _narrows(report: Report) -> bool:
    """Whether an organization, though its menu is hidden, narrows '*' and tells equal slugs and issues apart."""
    return Menu.PROJECTS in report.menus or Menu.ISSUE in report.menus


def _refuse_missing(report: Report, details: Details) -> None:
    for menu, value in _held(details).items():
        if not value and report.menus.get(menu) is Need.REQUIRED:
            raise DetailsError(menu, f"{report.name} needs {LABELS[menu]}.", remedy=_how_to_fill(report, menu))


def _how_to_fill(report: Report, menu: Menu) -> str:
    if menu is Menu.ISSUE:
        return "Give `--issue` an id, a short id or the issue's address."
    if menu is Menu.ORGANIZATIONS and Menu.PROJECTS in report.menus:
        return "Give `--organization`, or each project as `--project ORG/PROJECT`."
    return f"Give `{FLAGS[menu]}`; `sentry-connector choices {menu}` lists what there is, '*' takes all."


def _implied_organizations(report: Report, projects: tuple[str, ...]) -> tuple[str, ...]:
    """The organizations that ORG/PROJECT names, where the menu shows and every project names its own."""
    if Menu.ORGANIZATIONS not in report.menus or not all("/" in project for project in projects):
        return ()
    return tuple(dict.fromkeys(project.partition("/")[0] for project in projects))


def _checked_stat(report: Report, stat: str | None) -> str | None:
    if Menu.STAT not in report.menus:
        return None
    if stat is None:
        return report.stats[0]
    if stat not in report.stats:
        close = nearest(stat, report.stats)
        meant = f"Did you mean `--stat {close[0]}`? " if close else ""
        offered = f"{report.name} offers: {', '.join(report.stats)}."
        raise DetailsError(Menu.STAT, f"There is no stat named {stat!r}.", remedy=f"{meant}{offered}")
    return stat


def _checked_resolution(report: Report, details: Details) -> str | None:
    if report.shape is not Shape.POINTS:
        return None
    resolution = details.resolution or next(iter(RESOLUTIONS))
    if resolution not in RESOLUTIONS:
        raise DetailsError(
            "resolution",
            f"There is no resolution {resolution!r}.",
            remedy=f"Give `--resolution` one of {', '.join(RESOLUTIONS)}.",
        )
    if resolution == "1d" and details.timezone != "UTC":
        raise DetailsError(
            "resolution",
            f"Sentry's days are UTC's, so there are no counts by day in {details.timezone}.",
            remedy="Choose `--resolution 1h`, or leave out `--timezone`.",
        )
    return resolution


def _checked_duration(report: Report, duration: Duration | None, *, storing: bool) -> Duration | None:
    duration = duration or default_duration(report)
    if duration is None:
        return None
    if isinstance(duration, AllAvailable) and not report.all_available:
        raise DetailsError(
            Menu.DATES,
            f"{report.name} does not offer All Available.",
            remedy="Choose days, for example `--last-days 30`.",
        )
    if isinstance(duration, SinceLastRun) and not storing:
        raise DetailsError(
            Menu.DATES,
            "Since Last Successful Run is for DataSets: a pull stores nothing and has no last run.",
            remedy="Choose days, for example `--last-days 7`, or make a DataSet with `datasets create`.",
        )
    check_duration(duration)
    return duration


_START = ("--start", "--start-days-back")
_END = ("--end", "--end-days-back")
_FORMS = (
    ("--date",),
    ("--days-back",),
    (*_START, *_END),
    ("--last-days",),
    ("--all-available",),
    ("--since-last-run", "--overlap"),
)
"""The ways to say a duration; options of different ways do not go together."""


def _refuse_mixture(given: Mapping[str, str]) -> None:
    """Two ways at once, two starts or two ends, or half of a way."""
    firsts = [next((flag for flag in form if flag in given), None) for form in _FORMS]
    _refuse_both([flag for flag in firsts if flag])
    _refuse_both([flag for flag in _START if flag in given])
    _refuse_both([flag for flag in _END if flag in given])
    if given.keys() & set(_END) and not given.keys() & set(_START):
        raise DatesError("A range has an end and no start.", remedy="Give `--start` or `--start-days-back` too.")
    if "--overlap" in given and "--since-last-run" not in given:
        raise DatesError("An overlap without a last run means nothing.", remedy="Give `--since-last-run` too.")


def _refuse_both(flags: list[str]) -> None:
    if len(flags) > 1:
        named = " and ".join(f"`{flag}`" for flag in flags)
        raise DatesError(f"{named} do not go together.", remedy="Give one of them.")


def _duration_of(given: Mapping[str, str]) -> Duration | None:
    """The duration of options that go together."""
    if "--date" in given or "--days-back" in given:
        return SingleDate(_day(given, ("--date", "--days-back")))
    if given.keys() & set(_START):
        return DateRange(_day(given, _START), _day(given, _END))
    if "--last-days" in given:
        return DateRange(_whole_number("--last-days", given["--last-days"], least=1) - 1, 0)
    if "--since-last-run" in given:
        return SinceLastRun(_overlap(given["--overlap"])) if "--overlap" in given else SinceLastRun()
    return AllAvailable() if "--all-available" in given else None


def _day(given: Mapping[str, str], flags: tuple[str, str]) -> Day:
    """The day that one of a pair of options says: as a date, or as days back; today where neither is given."""
    by_date, by_days_back = flags
    if by_days_back in given:
        return _whole_number(by_days_back, given[by_days_back], least=0)
    return _date(by_date, given[by_date]) if by_date in given else 0


def _date(flag: str, value: str) -> Day:
    """`2026-03-01`, or `today`, `yesterday`, `today-N` as days back."""
    if value == "yesterday":
        return 1
    if relative := re.fullmatch(r"today(?:-(.*))?", value):
        return 0 if relative[1] is None else _whole_number(f"{flag} today-N", relative[1], least=0)
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        remedy = f"Give `{flag}` a date as YYYY-MM-DD, `today`, `yesterday` or `today-N`."
        raise DatesError(f"`{flag}`: {value!r} is not a date.", remedy=remedy)
    try:
        return dt.date.fromisoformat(value)
    except ValueError as error:
        raise DatesError(f"`{flag}`: there is no day {value} in the calendar.") from error


def _whole_number(flag: str, value: str, *, least: int) -> int:
    """A whole number of days, `least`..3650."""
    if not re.fullmatch(r"[0-9]{1,4}", value) or not least <= int(value) <= MAX_DAYS_BACK:
        raise DatesError(f"`{flag}`: {value!r} is not a whole number from {least} to {MAX_DAYS_BACK}.")
    return int(value)


def _overlap(value: str) -> int:
    """Seconds of a number with its unit; a bare `2` could mean hours or seconds, so it is refused."""
    parts = re.fullmatch(r"([0-9]{1,9})([smhd])", value)
    if parts is None:
        raise DatesError(
            f"`--overlap`: {value!r} is not a time.", remedy="Give `--overlap` a time such as `2h` or `30m`."
        )
    return int(parts[1]) * _SECONDS[parts[2]]
