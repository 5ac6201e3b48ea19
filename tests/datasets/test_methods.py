"""What update methods are said to do, and which are refused, is what the rules of a DataSet say."""

from __future__ import annotations

import pytest

from sentry_connector.datasets.definition import Definition, check
from sentry_connector.datasets.methods import offers
from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.errors import UsageError
from sentry_connector.reports import menus
from sentry_connector.reports.catalogue import CATALOGUE
from sentry_connector.reports.details import ALL, AllAvailable, DateRange, Details, Duration, SinceLastRun, SingleDate
from sentry_connector.reports.model import Menu, Report

DURATIONS = (None, SingleDate(1), DateRange(6, 0), AllAvailable(), SinceLastRun())


def offered(report: Report) -> list[Duration | None]:
    if Menu.DATES not in report.menus:
        return [None]
    return [one for one in DURATIONS if not isinstance(one, AllAvailable) or report.all_available][1:]


def filled(report: Report, duration: Duration | None) -> Details:
    """Everything that the report needs."""
    lists = {menu.value: (ALL,) for menu in (Menu.ORGANIZATIONS, Menu.PROJECTS, Menu.TEAMS) if menu in report.menus}
    return Details(**lists, issue="1" if Menu.ISSUE in report.menus else None, duration=duration)  # type: ignore[arg-type]


@pytest.mark.parametrize("report", CATALOGUE, ids=lambda report: report.slug)
def test_a_method_is_refused_exactly_where_a_dataset_with_it_would_be(report: Report) -> None:
    for duration in offered(report):
        for offer in offers(report, duration):
            wanted = Definition(
                name="x", report=report.slug, details=filled(report, duration), update_method=offer.method
            )
            if offer.refused is None:
                check(wanted)
            else:
                with pytest.raises(UsageError) as caught:
                    check(wanted)
                assert (caught.value.message, caught.value.data["field"]) == (offer.refused, "update_method")


def test_one_method_is_recommended_and_it_can_be_chosen() -> None:
    for report in CATALOGUE:
        for duration in offered(report):
            (one,) = [offer for offer in offers(report, duration) if offer.recommended]
            assert one.refused is None


def test_each_method_has_words_for_each_kind_of_dates() -> None:
    report = next(one for one in CATALOGUE if one.immutable_time and one.all_available)
    told = {type(duration): [offer.about for offer in offers(report, duration)] for duration in offered(report)}
    assert all(len(words) == len(UpdateMethod) and all(words) for words in told.values())
    assert told[SinceLastRun][1] != told[AllAvailable][1], "append leaves out what is stored"


def test_dates_alone_are_checked_like_those_of_a_dataset() -> None:
    for report in CATALOGUE:
        for duration in offered(report):
            assert menus.check_dates(report, duration, "UTC") == (duration or menus.default_duration(report))
