"""Definitions of DataSets as people make them, and worse."""

from __future__ import annotations

import datetime as dt

import msgspec
from hypothesis import strategies as st

from sentry_connector.datasets.definition import Definition, check
from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.errors import UsageError
from sentry_connector.reports.catalogue import CATALOGUE
from sentry_connector.reports.details import AllAvailable, DateRange, Details, Duration, SinceLastRun, SingleDate
from sentry_connector.reports.model import Menu, Report, Shape
from sentry_connector.reports.windows import MAX_DAYS_BACK
from sentry_connector.store.records import MANUAL, CatchUp, Retry

TRAPS = (
    "no", "Yes", "null", "~", "123", "0042", "1e3", "0x1F", "0o17", "1:30", "2026-03-01", ".inf", "=", "<<", "a: b", "a #b",
    "- a", "[a]", "{a: b}", "'", '"', "\\", "&a", "*", "!t", "%", "@", "`", "a:", "?", "|", ">", "\u2028", "\u200e", "\x85",
    "\ufeff", "💥", "é", "true", "a  b", "-", "--- a",
)  # fmt: skip
"""Texts that YAML, or somebody's reader of it, may take for something else."""

SEEN = st.characters(exclude_categories=["Cs", "Cc"])
TEXTS = (st.sampled_from(TRAPS) | st.text(SEEN, min_size=1, max_size=12)).filter(
    lambda text: bool(text.strip()) and "\x85" not in text
)
PROSE = st.sampled_from(TRAPS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
PLACES = TEXTS.filter(lambda text: "/" not in text and text.strip() != "*")
"""Names of organizations, projects and teams."""

DAYS: st.SearchStrategy[dt.date | int] = st.integers(0, MAX_DAYS_BACK) | st.dates(
    dt.date(1990, 1, 1), dt.date(2026, 3, 1)
)
DURATIONS: st.SearchStrategy[Duration] = (
    st.builds(SingleDate, DAYS)
    | st.builds(DateRange, DAYS, DAYS | st.just(0))
    | st.just(AllAvailable())
    | st.builds(SinceLastRun, st.sampled_from([0, 1, 90, 7200, 86_400]) | st.integers(0, MAX_DAYS_BACK * 86_400))
)
SCHEDULES = (MANUAL, "every 5m", "hourly 8-17", "daily 06:30,18:00", "monthly 2nd sun 06:30", "cron: */5 * * * *")


def several(texts: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(texts, min_size=1, max_size=3).map(tuple) | st.just(("*",))


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    """One that fits; whatever does not go together falls back to its default."""
    report = draw(st.sampled_from(CATALOGUE))
    fits = Definition(name=draw(TEXTS), report=report.slug, details=_details(draw, report))
    for name, values in _others(report).items():
        value = draw(st.none() | values)
        if value is not None:
            fits = _if_it_fits(fits, **{name: value})
    for name, value in {
        "duration": draw(DURATIONS),
        "timezone": draw(st.sampled_from(["UTC", "Asia/Kolkata"])),
    }.items():
        fits = _if_it_fits(fits, details=msgspec.structs.replace(fits.details, **{name: value}))
    fits = _if_it_fits(fits, keep_days=draw(st.integers(1, 400)))
    return check(fits)


def _details(draw: st.DrawFn, report: Report) -> Details:
    menus = report.menus
    return Details(
        organizations=draw(several(PLACES)) if Menu.ORGANIZATIONS in menus else (),
        projects=draw(several(PLACES)) if Menu.PROJECTS in menus else (),
        teams=draw(several(PLACES)) if Menu.TEAMS in menus else (),
        issue=draw(TEXTS) if Menu.ISSUE in menus else None,
        stat=draw(st.none() | st.sampled_from(report.stats)) if Menu.STAT in menus else None,
        resolution=draw(st.sampled_from([None, "10s", "1h"])) if report.shape is Shape.POINTS else None,
        bodies=draw(st.booleans()) if report.bodies else False,
    )


def _others(report: Report) -> dict[str, st.SearchStrategy[object]]:
    columns = [column.name for column in report.columns]
    return {
        "update_method": st.sampled_from(UpdateMethod),
        "key": st.lists(st.sampled_from(columns), min_size=1, max_size=3, unique=True).map(tuple),
        "description": PROSE,
        "tags": st.lists(TEXTS, max_size=3).map(tuple),
        "schedule": st.sampled_from(SCHEDULES),
        "retry": st.builds(Retry, every=st.integers(5, 60).map(lambda minutes: minutes * 60), times=st.integers(1, 10)),
        "catch_up": st.sampled_from(CatchUp),
        "keep_when_empty": st.booleans(),
        "accept_loss": st.booleans(),
    }


def _if_it_fits(definition: Definition, **changes: object) -> Definition:
    changed = msgspec.structs.replace(definition, **changes)
    try:
        check(changed)
    except UsageError:
        return definition
    return changed
