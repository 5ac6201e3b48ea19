"""The details options become Details, over those that a DataSet has, and SENTRY_ORG and SENTRY_PROJECT fill gaps."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentry_connector.cli.details import DetailsOptions, filled_from_environment
from sentry_connector.reports import catalogue
from sentry_connector.reports.details import DateRange, Details, SingleDate
from sentry_connector.settings import Settings


def test_what_is_left_out_stays() -> None:
    stored = Details(projects=("acme/shop",), duration=SingleDate(1), timezone="Europe/Berlin", bodies=True)
    assert DetailsOptions().applied_to(stored) == stored


def test_what_is_given_replaces() -> None:
    stored = Details(projects=("acme/shop",), duration=SingleDate(1), bodies=True)
    changed = DetailsOptions(project=["a", "b"], last_days="7", with_bodies=False).applied_to(stored)
    assert changed == Details(projects=("a", "b"), duration=DateRange(6, 0))


@pytest.mark.parametrize(
    ("report", "chosen", "expected"),
    [
        ("project-events", Details(), Details(projects=("acme/shop",))),
        ("project-events", Details(organizations=("globex",)), Details(organizations=("globex",), projects=("shop",))),
        ("project-events", Details(projects=("api",)), Details(projects=("api",))),
        ("organization-teams", Details(), Details(organizations=("acme",))),
        ("organization-teams", Details(organizations=("globex",)), Details(organizations=("globex",))),
        ("projects-issues", Details(), Details(organizations=("acme",), projects=("shop",))),
        ("projects-issues", Details(projects=("globex/api",)), Details(projects=("globex/api",))),
        ("organizations", Details(), Details()),
    ],
)
def test_the_environment_fills_menus_that_show_and_are_empty(
    report: str, chosen: Details, expected: Details, tmp_path: Path
) -> None:
    settings = Settings(
        home=tmp_path, database_url="sqlite://", storage=str(tmp_path), organization="acme", project="shop"
    )
    assert filled_from_environment(chosen, catalogue.find(report), settings) == expected
