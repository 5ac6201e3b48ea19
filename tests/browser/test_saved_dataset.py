"""A DataSet is made and changed in the browser. The numbers are those of the acceptance scenarios."""

from __future__ import annotations

import json
import re
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from sentry_connector.simulator import Simulation
from tests.browser.first import first_dataset
from tests.browser.looks import in_all_looks
from tests.browser.panes import details, following, pick
from tests.cli.shell import Shell
from tests.cli.test_serve import serving


@pytest.fixture(scope="module", autouse=True)
def account(shell: Shell, sentry: Simulation) -> None:
    shell.ok("accounts", "add", "Main", "--url", sentry.url, stdin=sentry.token)


def ran(page: Page, dataset: Any) -> str:
    """The verdict of a DataSet's first run, once it has ended."""
    (run,) = page.request.get(f"/api/v1/runs?dataset={dataset['id']}").json()
    page.request.get(f"/api/v1/runs/{run['id']}/events").body()  # which end with the run
    return str(page.request.get(f"/api/v1/runs/{run['id']}").json()["verdict"])


def test_nothing_is_lost_by_reloading_going_back_or_a_server_that_does_not_answer(page: Page, shell: Shell) -> None:
    name = "Kept <script>alert(1)</script> \u202eabc 😀"
    details(page, "project-events")
    pick(page, "Projects", "acme/shop")
    page.get_by_label("Duration").select_option("Date Range")
    page.get_by_label("Days Back to Start From").fill("7")
    page.reload()
    expect(page.get_by_label("Days Back to Start From")).to_have_value("7")
    expect(page.get_by_label("Chosen: Projects")).to_contain_text("acme/shop")
    dead = page.get_by_text("The server does not answer.")
    page.context.set_offline(True)
    page.get_by_role("button", name="Load Preview").click()
    expect(dead.first).to_be_visible()
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#days")).to_contain_text("The server does not answer.")
    page.context.set_offline(False)
    following(page, "Scheduling")
    page.context.set_offline(True)
    page.get_by_label("Repeats").select_option("Every day")
    expect(page.locator("[data-slots]").get_by_role("alert")).to_be_visible()
    page.context.set_offline(False)
    page.locator("[data-slots]").get_by_role("button", name="Retry").click()
    following(page, "Name & Describe")
    page.get_by_label("Name", exact=True).fill(name)
    page.context.set_offline(True)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(dead.last).to_be_visible()
    page.context.set_offline(False)
    page.go_back()
    expect(page.get_by_role("button", name="Scheduling")).to_have_attribute("aria-expanded", "true")
    page.go_back()
    expect(page.get_by_label("Days Back to Start From")).to_have_value("7")
    page.go_forward()
    page.go_forward()
    page.reload()
    expect(page.get_by_label("Name", exact=True)).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value(name)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page).to_have_url(re.compile(r"/datasets/kept"))
    (made,) = [one for one in shell.json("datasets", "list") if one["name"].startswith("Kept")]
    assert made["details"]["duration"] == {"duration": "date_range", "start": 7, "end": 0}
    assert (made["name"], made["schedule"]) == (name, "daily 06:30")
    assert ran(page, made) == "COMPLETE"
    page.goto("/datasets/new")
    expect(page.get_by_role("button", name="Details")).to_be_disabled()


def test_17_68_69_names_are_checked_and_save_and_new_begins_anew(page: Page, shell: Shell) -> None:
    details(page, "projects-issues")
    pick(page, "Organizations", "acme")
    pick(page, "Projects", "acme/shop")
    page.get_by_label("Report", exact=True).select_option("organizations")
    following(page, "Scheduling")
    page.get_by_label("Do not retry when update fails").check()
    following(page, "Name & Describe")
    name = page.get_by_label("Name", exact=True)
    expect(name).to_have_value("Organizations")
    name.fill("  ")
    page.get_by_role("button", name="Save and New").click()
    expect(page.locator("#name-wrong")).to_contain_text("The name is empty.")
    expect(name).to_be_focused()
    name.fill("ż" * 255)
    page.get_by_role("button", name="Save and New").click()
    expect(page.get_by_text("is made, and its first run has begun.")).to_be_visible()
    expect(page.get_by_role("button", name="Credentials")).to_have_attribute("aria-expanded", "true")
    (made,) = [one for one in shell.json("datasets", "list") if one["name"] == "ż" * 255]
    assert (made["details"], made["retry"]) == ({"timezone": "UTC"}, None)
    following(page, "Details")
    page.get_by_label("Report", exact=True).select_option("projects")
    following(page, "Scheduling")
    following(page, "Name & Describe")
    name.fill("Ż" * 255)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#name-wrong")).to_contain_text("There is already a DataSet named")


def test_the_whole_wizard_goes_by_keyboard(page: Page, shell: Shell) -> None:
    keys = page.keyboard
    page.goto("/datasets/new")
    page.get_by_label("Account", exact=True).focus()
    keys.press("Tab")
    keys.press("Enter")  # Next
    expect(page.get_by_label("Report", exact=True)).to_be_focused()
    keys.type("Project Ev")
    expect(page.get_by_label("Report", exact=True)).to_have_value("project-events")
    box = page.get_by_role("combobox", name="Projects")
    while not box.evaluate("one => one === document.activeElement"):
        keys.press("Tab")
    expect(page.locator("[data-menu=projects]").get_by_text("to choose from")).to_be_visible()
    keys.type("acme/sho")
    keys.press("ArrowDown")
    expect(box).to_have_attribute("aria-activedescendant", "projects-option-0")
    keys.press("Enter")
    keys.press("Escape")
    expect(page.get_by_label("Chosen: Projects")).to_contain_text("acme/shop")
    for name, last in (("Scheduling", "Next"), ("Name & Describe", "Next")):
        button = page.get_by_role("button", name=last)
        while not button.evaluate("one => one === document.activeElement"):
            keys.press("Tab")
        keys.press("Enter")
        expect(page.get_by_role("button", name=name)).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    keys.press("Control+A")
    keys.type("By keyboard")
    keys.press("Enter")
    expect(page).to_have_url("/datasets/by_keyboard")
    assert shell.json("datasets", "show", "by_keyboard")["details"]["projects"] == ["acme/shop"]


ITS_OWN = {
    "id",
    "name",
    "slug",
    "created_at",
    "updated_at",
    "last_run",
    "next_slot",
    "rows",
    "columns",
    "version",
    "health",
}
"""What two DataSets never share, and what runs make of them."""

YAML = """\
datasets:
  - name: By file
    report: Projects Issues
    account: Main
    organization: acme
    project: acme/shop
    since_last_run: true
    overlap: 30m
    timezone: Europe/Berlin
    update_method: upsert
    schedule: weekdays 06:30
    retry_every: 5m
    retry_times: 2
    tag: [ops, b]
    description: for us
"""


def test_a_dataset_made_by_page_command_request_and_file_is_the_same(page: Page, shell: Shell, tmp_path: Path) -> None:
    details(page, "projects-issues")
    pick(page, "Organizations", "acme")
    pick(page, "Projects", "acme/shop")
    page.get_by_label("Duration").select_option("Since Last Successful Run")
    page.locator("[data-advanced] summary").click()
    page.get_by_label("Overlap").fill("30m")
    following(page, "Scheduling")
    page.get_by_label("Repeats").select_option("Every weekday")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.locator("#retry-every").select_option("5 min")
    page.locator("#retry-times").select_option("2")
    following(page, "Name & Describe")
    page.get_by_label("Name", exact=True).fill("By page")
    page.get_by_label("Description").fill("for us")
    page.get_by_label("Tags").fill("ops\nb")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page).to_have_url("/datasets/by_page")
    shell.ok(
        *("datasets", "create", "--name", "By command", "--report", "projects-issues", "--account", "Main"),
        *("--organization", "acme", "--project", "acme/shop", "--since-last-run", "--overlap", "30m"),
        *("--timezone", "Europe/Berlin", "--update-method", "upsert", "--schedule", "weekdays 06:30"),
        *("--retry-every", "5m", "--retry-times", "2", "--tag", "ops", "--tag", "b", "--description", "for us"),
    )
    body = {
        "name": "By request", "report": "projects-issues", "account": "Main", "update_method": "upsert",
        "details": {
            "organizations": ["acme"], "projects": ["acme/shop"], "timezone": "Europe/Berlin",
            "duration": {"duration": "since_last_run", "overlap": 1800},
        },
        "schedule": "weekdays 06:30", "retry": {"every": 300, "times": 2}, "tags": ["ops", "b"], "description": "for us",
    }  # fmt: skip
    assert page.request.post("/api/v1/datasets", data=body).status == 201
    (tmp_path / "one.yaml").write_text(YAML)
    assert shell.process("apply", "--yes", str(tmp_path / "one.yaml"), stdout=DEVNULL).wait() == 0
    kept = []
    for name in ("By page", "By command", "By request", "By file"):
        whole = shell.json("datasets", "show", name)
        kept.append({key: value for key, value in whole.items() if key not in ITS_OWN})
    assert [json.dumps(one, sort_keys=True) for one in kept[1:]] == [json.dumps(kept[0], sort_keys=True)] * 3


def test_from_nothing_the_first_dataset_has_data_within_ten_clicks(
    page: Page, shell: Shell, sentry: Simulation, tmp_path: Path
) -> None:
    own = shell.with_env(SENTRY_CONNECTOR_HOME=str(tmp_path / "home")).without("SENTRY_AUTH_TOKEN")
    with serving(own) as served:
        clicks = first_dataset(page, served.url, sentry.token)
        (made,) = page.request.get(f"{served.url}/api/v1/datasets").json()
        assert made["rows"] > 0
        assert clicks <= 10
        assert sentry.token not in page.evaluate("JSON.stringify(sessionStorage)")


def test_11_71_settings_apply_from_the_next_run(page: Page, shell: Shell) -> None:
    shell.ok(
        *(
            "datasets",
            "create",
            "--name",
            "Set",
            "--report",
            "project-events",
            "--account",
            "Main",
            "--project",
            "acme/shop",
        ),
        *("--organization", "acme", "--schedule", "weekly mon 06:30", "--last-days", "7", "--no-retry", "--tag", "old"),
    )
    before = shell.json("datasets", "show", "set")
    page.goto("/datasets/set/settings")
    for name in ("Credentials", "Details", "Scheduling", "Name & Describe"):
        expect(page.get_by_role("button", name=name)).to_have_attribute("aria-expanded", "false")
    page.get_by_role("button", name="Scheduling").click()
    expect(page.get_by_label("Rule", exact=True)).to_have_value("weekly mon 06:30")
    expect(page.get_by_label("Do not retry when update fails")).to_be_checked()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page).to_have_url("/datasets/set")
    unchanged = shell.json("datasets", "show", "set")
    assert {**unchanged, "updated_at": 0, "next_slot": 0} == {**before, "updated_at": 0, "next_slot": 0}

    page.goto("/datasets/set/settings?pane=details")
    expect(page.get_by_label("Days Back to Start From")).to_have_value("6")
    expect(page.get_by_label("Chosen: Projects")).to_contain_text("acme/shop")
    page.get_by_label("Days Back to Start From").fill("3")
    page.get_by_role("button", name="Name & Describe").click()
    page.get_by_label("Tags").fill("new")
    page.reload()
    expect(page.get_by_label("Tags")).to_have_value("new")
    shell.ok("datasets", "edit", "set", "--description", "by somebody else")
    page.get_by_role("button", name="Save and run now").click()
    expect(page.locator("form[data-step=describe]").get_by_role("alert")).to_contain_text("changed")
    page.reload()
    page.get_by_label("Tags").fill("new")
    page.get_by_role("button", name="Details").click()
    page.get_by_label("Report", exact=True).select_option("projects")
    page.get_by_role("button", name="Save and run now").click()
    expect(page).to_have_url("/datasets/set")
    made = shell.json("datasets", "show", "set")
    assert (made["report"], made["details"], made["tags"]) == ("projects", {"timezone": "UTC"}, ["new"])
    assert made["description"] == "by somebody else"
    assert ran(page, made) == "COMPLETE"
    page.goto("/datasets/set/settings?pane=details")
    page.get_by_label("Report", exact=True).select_option("organizations")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("have other columns")).to_be_visible()
    assert in_all_looks(page, "/datasets/set/settings") == []
