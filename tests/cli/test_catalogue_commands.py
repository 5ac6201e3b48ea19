"""`reports`, `choices`, `doctor` and `settings`: what there is, and whether it works."""

from __future__ import annotations

import json

import pytest

from sentry_connector.reports.catalogue import CATALOGUE
from sentry_connector.simulator import EXPIRED_TOKEN, TOKEN
from tests.cli.shell import Shell


@pytest.mark.parametrize("call", [("reports",), ("reports", "list")])
def test_reports_are_listed(shell: Shell, call: tuple[str, ...]) -> None:
    assert [one["slug"] for one in shell.json(*call)] == [report.slug for report in CATALOGUE]
    printed = shell.ok(*call).stdout
    assert all(report.name in printed for report in CATALOGUE)


@pytest.mark.parametrize("report", CATALOGUE, ids=lambda report: report.slug)
def test_each_report_can_be_shown_by_name_and_slug(shell: Shell, report: object) -> None:
    name, slug = report.name, report.slug  # type: ignore[attr-defined]  # parametrised over Reports
    shown = shell.json("reports", "show", name)
    assert shown == shell.json("reports", "show", slug)
    assert {"slug", "name", "aliases", "about", "menus", "scope", "key", "time_column", "columns"} <= shown.keys()
    assert shown["columns"][0].keys() == {"name", "type", "about", "source", "key"}
    assert shown["columns"][0]["name"] in shell.ok("reports", "show", slug).stdout
    assert f"{shown['check']}. {shown['check_about']}" in " ".join(shell.ok("reports", "show", slug).stdout.split())


def test_menus_offer_what_the_token_sees(shell: Shell) -> None:
    assert [one["value"] for one in shell.json("choices", "organizations")] == ["acme", "globex"]
    projects = shell.json("choices", "projects", "--organization", "globex")
    assert [one["value"] for one in projects] == ["globex/api", "globex/shop"]
    assert {one["parent"] for one in shell.json("choices", "teams")} == {"acme", "globex"}
    assert shell.json("choices", "stats", "--report", "events-counts-team")[0].keys() == {"value", "label", "parent"}


def test_stats_belong_to_a_report(shell: Shell) -> None:
    assert shell("choices", "stats").exit_code == 2
    assert shell("choices", "stats", "--report", "projects").exit_code == 2


def test_the_doctor_finds_nothing_wrong_with_a_good_account(shell: Shell) -> None:
    examined = shell.json("doctor")
    assert examined["ok"]
    assert {check["name"] for check in examined["checks"]} >= {
        "url",
        "dns",
        "token",
        "organizations",
        "clock",
        "storage",
    }


@pytest.mark.parametrize(
    ("changes", "code", "name"),
    [
        ({"SENTRY_AUTH_TOKEN": EXPIRED_TOKEN}, 10, "token.rejected"),
        ({"SENTRY_URL": "http://nowhere.invalid"}, 20, "sentry.host_unknown"),
        ({"SENTRY_CONNECTOR_STORAGE": "/proc/none"}, 30, "destination.refused"),
    ],
)
def test_the_doctors_exit_code_is_the_first_errors(shell: Shell, changes: dict[str, str], code: int, name: str) -> None:
    result = shell.with_env(**changes)("doctor", "--json")
    assert result.exit_code == code
    assert next(check["error"] for check in json.loads(result.stdout)["checks"] if check["error"]) == name
    assert name in shell.with_env(**changes)("doctor").stdout


def test_settings_mask_secrets(shell: Shell) -> None:
    settings = {one["variable"]: one for one in shell.json("settings")}
    assert settings["SENTRY_AUTH_TOKEN"]["value"] == "***"
    assert settings["SENTRY_CONNECTOR_HOME"]["value"] == str(shell.home)
    assert TOKEN not in shell.ok("settings").output


def test_a_wrong_setting_is_named(shell: Shell) -> None:
    result = shell.with_env(SENTRY_CONNECTOR_MAX_WAIT="soon")("settings")
    assert result.exit_code == 2
    assert "SENTRY_CONNECTOR_MAX_WAIT" in result.stderr
