"""Which DataSets can be made: every pair of report, update method and dates, and what must be said about the others."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from sentry_connector.datasets.definition import Definition, check
from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.errors import DetailsError, UnknownName, UsageError
from sentry_connector.reports.catalogue import CATALOGUE
from sentry_connector.reports.details import AllAvailable, DateRange, Details, Duration, SinceLastRun, SingleDate
from sentry_connector.reports.model import Report

COUNTS = {"events-counts-organization", "events-counts-project", "events-counts-team"}
EVENTS = {"issues-events", "issues-events-entries", "project-events", "project-events-entries", "project-feedback"}
DATED = COUNTS | EVENTS | {"projects-issues"}
"""The table of `--update-method` and dates, as people are told it."""

DURATIONS: tuple[Duration, ...] = (SingleDate(), DateRange(), AllAvailable(), SinceLastRun())
VALUES = {"organizations": ("acme",), "projects": ("acme/shop",), "teams": ("*",), "issue": "1"}


def details_of(report: Report, duration: Duration | None) -> Details:
    values = {menu: value for menu, value in VALUES.items() if menu in report.menus}
    return Details(**values, duration=duration)  # type: ignore[arg-type]


def defined(report: str = "project-events", **more: Any) -> Definition:
    fields: dict[str, Any] = {"name": "Shop", "report": report, "details": Details(projects=("acme/shop",)), **more}
    return Definition(**fields)


def is_possible(slug: str, method: UpdateMethod, duration: Duration) -> bool:
    if slug not in DATED or (slug in COUNTS and isinstance(duration, AllAvailable)):
        return False
    if method is UpdateMethod.REPLACE:
        return not isinstance(duration, SinceLastRun)
    return method is not UpdateMethod.PARTITION or slug in COUNTS | EVENTS


@pytest.mark.parametrize("report", CATALOGUE, ids=lambda report: report.slug)
def test_every_pair_of_update_method_and_dates_is_taken_or_refused_as_the_table_says(report: Report) -> None:
    for method, duration in itertools.product(UpdateMethod, DURATIONS):
        definition = defined(report.slug, details=details_of(report, duration), update_method=method)
        if is_possible(report.slug, method, duration):
            assert check(definition).details.duration == duration
        else:
            with pytest.raises(UsageError) as refused:
                check(definition)
            assert refused.value.exit_code == 2
            assert refused.value.remedy


@pytest.mark.parametrize("report", [one for one in CATALOGUE if one.slug not in DATED], ids=lambda report: report.slug)
@pytest.mark.parametrize("method", UpdateMethod)
def test_reports_without_dates_take_all_methods_but_partition(report: Report, method: UpdateMethod) -> None:
    definition = defined(report.slug, details=details_of(report, None), update_method=method)
    if method is UpdateMethod.PARTITION:
        with pytest.raises(UsageError, match=f"{report.name} cannot be partitioned"):
            check(definition)
    else:
        assert check(definition).update_method is method


def test_replace_is_the_default_and_dates_have_one_too() -> None:
    checked = check(defined())
    assert (checked.update_method, checked.details.duration) == (UpdateMethod.REPLACE, AllAvailable())


def test_replace_since_the_last_run_is_refused_with_the_methods_that_do_it() -> None:
    since = Details(projects=("acme/shop",), duration=SinceLastRun())
    with pytest.raises(UsageError, match="throw away") as refused:
        check(defined(details=since))
    assert all(word in refused.value.remedy for word in ("upsert", "append", "partition"))


# ---- keys


def test_a_wrong_key_column_is_named_with_those_that_come_near() -> None:
    with pytest.raises(UnknownName, match="'event_idd'") as refused:
        check(defined(update_method=UpdateMethod.UPSERT, key=("project_id", "event_idd")))
    assert "event_id" in refused.value.nearest


@pytest.mark.parametrize("method", [UpdateMethod.UPSERT, UpdateMethod.APPEND])
def test_a_key_of_ones_own_is_taken_where_keys_are_used(method: UpdateMethod) -> None:
    assert check(defined(update_method=method, key=("event_id",))).key == ("event_id",)


@pytest.mark.parametrize("method", [UpdateMethod.REPLACE, UpdateMethod.PARTITION])
def test_a_key_is_refused_where_none_is_used(method: UpdateMethod) -> None:
    with pytest.raises(UsageError, match="--key has no meaning"):
        check(defined(update_method=method, key=("event_id",)))


# ---- days to keep, consents


@pytest.mark.parametrize("days", [1, 90])
def test_partition_keeps_so_many_days(days: int) -> None:
    assert check(defined(update_method=UpdateMethod.PARTITION, keep_days=days)).keep_days == days


@pytest.mark.parametrize("days", [0, -1])
def test_days_to_keep_are_from_one_up(days: int) -> None:
    with pytest.raises(UsageError, match="--keep-days"):
        check(defined(update_method=UpdateMethod.PARTITION, keep_days=days))


@pytest.mark.parametrize("method", [one for one in UpdateMethod if one is not UpdateMethod.PARTITION])
def test_days_to_keep_need_partition(method: UpdateMethod) -> None:
    with pytest.raises(UsageError, match="partition"):
        check(defined(update_method=method, keep_days=7))


@pytest.mark.parametrize("method", [one for one in UpdateMethod if one is not UpdateMethod.REPLACE])
@pytest.mark.parametrize("consent", ["keep_when_empty", "accept_loss"])
def test_consents_to_what_only_replace_does_are_refused_elsewhere(method: UpdateMethod, consent: str) -> None:
    consents: dict[str, Any] = {consent: True}
    with pytest.raises(UsageError, match=f"--{consent.replace('_', '-')}"):
        check(defined(update_method=method, **consents))
    assert getattr(check(defined(**consents)), consent) is True


# ---- names, descriptions, tags


@pytest.mark.parametrize("name", ["a", "é" * 255, "<script>alert(1)</script>", "Ereignisse 🎉", "../../etc/passwd"])
def test_any_text_of_1_to_255_characters_is_a_name(name: str) -> None:
    assert check(defined(name=f"  {name} ")).name == name


@pytest.mark.parametrize("name", ["", "   ", "x" * 256, "two\nlines", "\x1b[31mred", "nul\x00"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="name"):
        check(defined(name=name))


def test_a_description_is_trimmed_and_has_an_end() -> None:
    assert check(defined(description="  What\nit is. ")).description == "What\nit is."
    with pytest.raises(UsageError, match="4000"):
        check(defined(description="x" * 4001))


def test_tags_are_trimmed_and_each_stands_once_whatever_its_case() -> None:
    assert check(defined(tags=(" Daily ", "team-a", "daily", "TEAM-A"))).tags == ("Daily", "team-a")


@pytest.mark.parametrize("tag", ["", " ", "x" * 65, "a\tb"])
def test_other_tags_are_refused(tag: str) -> None:
    with pytest.raises(UsageError, match="tag"):
        check(defined(tags=("good", tag)))


def test_a_reports_name_or_alias_becomes_its_slug() -> None:
    assert check(defined("Project Events")).report == "project-events"


def test_a_menu_that_the_report_lacks_is_refused() -> None:
    with pytest.raises(DetailsError):
        check(defined(details=Details(projects=("acme/shop",), teams=("a",))))
