"""`plan`, `apply` and `export-config` from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
import yaml

import sentry_connector as sc
from sentry_connector.simulator import EXPIRED_TOKEN, Simulation
from tests.cli.shell import Shell
from tests.cli.test_canary import CANARIES, CANARY
from tests.cli.test_serve import serving

SHOP = """\
datasets:
  - name: Shop
    report: project-events
    project: acme/shop
    since_last_run: true
    overlap: 3h
    update_method: upsert
    key: [project_id, event_id]
    description: Events of the shop
    tag: [a, b]
    schedule: every 15m
    retry_every: 10m
    retry_times: 5
    catch_up: all
    timezone: Europe/Berlin
    with_bodies: true
"""
OPTIONS = (
    "--name", "Shop", "--report", "project-events", "--project", "acme/shop", "--since-last-run", "--overlap", "3h",
    "--update-method", "upsert", "--key", "project_id", "--key", "event_id", "--description", "Events of the shop",
    "--tag", "a", "--tag", "b", "--schedule", "every 15m", "--retry-every", "10m", "--retry-times", "5",
    "--catch-up", "all", "--timezone", "Europe/Berlin", "--with-bodies",
)  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(SHOP)
    return path


REQUEST = {
    "name": "Shop",
    "report": "project-events",
    "details": {
        "projects": ["acme/shop"],
        "duration": {"duration": "since_last_run", "overlap": 3 * 3600},
        "timezone": "Europe/Berlin",
        "bodies": True,
    },
    "update_method": "upsert",
    "key": ["project_id", "event_id"],
    "description": "Events of the shop",
    "tags": ["a", "b"],
    "schedule": "every 15m",
    "retry": {"every": 600, "times": 5},
    "catch_up": "all",
}


def test_the_same_dataset_by_command_by_api_by_file_and_from_python_is_identical(
    shell: Shell, file: Path, tmp_path: Path
) -> None:
    by_api, by_file, by_python = (
        shell.with_env(SENTRY_CONNECTOR_HOME=str(tmp_path / name)) for name in ("api", "file", "python")
    )
    shell.ok("datasets", "create", *OPTIONS)
    with serving(by_api) as server:
        url, headers = f"{server.url}/api/v1/datasets", {"Content-Type": "application/json"}
        posted = Request(url, json.dumps(REQUEST).encode(), headers)  # noqa: S310  # this machine's own server
        with urlopen(posted) as answer:  # noqa: S310
            assert answer.status == 201
    by_file.ok("apply", str(file), "--yes")
    [words] = [dict(entry) for entry in yaml.safe_load(SHOP)["datasets"]]
    with sc.open(env=by_python.env) as connector:
        connector.datasets.create(words.pop("name"), words.pop("report"), **words)
    every = (shell, by_api, by_file, by_python)
    views: list[dict[str, Any]] = [each.json("datasets", "show", "shop") for each in every]
    for view in views:
        for name in ("id", "created_at", "updated_at", "next_slot"):
            del view[name]
    assert views == [views[0]] * 4
    exports = [each.ok("export-config").stdout for each in every]
    assert exports == [exports[0]] * 4
    assert yaml.safe_load(exports[0]) == yaml.safe_load(SHOP)
    assert shell.ok("plan", str(file)).stdout == "Nothing to do: 1 unchanged.\n"


def test_a_plan_is_told_and_writes_nothing(shell: Shell, file: Path) -> None:
    told = shell("plan", str(file), "--detailed-exitcode")
    assert told.exit_code == 3
    assert told.stdout.startswith("+ DataSet Shop\n    report: project-events\n")
    assert told.stdout.endswith("1 to create, 0 to change, 0 to delete, 0 unchanged.\n")
    assert shell.json("datasets", "list") == []
    assert shell("plan", str(file)).exit_code == 0
    shell.ok("apply", str(file), "--yes")
    assert shell("plan", str(file), "--detailed-exitcode").exit_code == 0


def test_a_plan_as_json(shell: Shell, file: Path) -> None:
    shell.ok("apply", str(file), "--yes")
    file.write_text(SHOP.replace("[a, b]", "a").replace("every 15m", "hourly"))
    found = shell.json("plan", str(file))
    assert (found["create"], found["change"], found["delete"], found["unchanged"]) == (0, 1, 0, 0)
    [step] = found["steps"]
    assert (step["action"], step["section"], step["name"]) == ("change", "datasets", "Shop")
    assert step["changes"] == [
        {"field": "tag", "before": ["a", "b"], "after": ["a"]},
        {"field": "schedule", "before": "every 15m", "after": "hourly"},
    ]


def test_apply_wants_a_consent(shell: Shell, file: Path) -> None:
    refused = shell("apply", str(file))
    assert refused.exit_code == 2
    assert "--yes" in refused.stderr
    assert shell.json("datasets", "list") == []


def test_what_was_applied_is_json_where_json_is_wanted(shell: Shell, file: Path) -> None:
    [step] = shell.json("apply", str(file), "--yes")["steps"]
    assert (step["name"], step["state"], step["error"]) == ("Shop", "done", None)
    assert shell.json("apply", str(file))["steps"] == []


def test_a_configuration_comes_from_standard_input_too(shell: Shell) -> None:
    assert "Created DataSet Shop." in shell.ok("apply", "-", "--yes", stdin=SHOP).stderr
    exported = shell.ok("export-config").stdout
    assert shell.ok("plan", "-", "--prune", stdin=exported).stdout == "Nothing to do: 1 unchanged.\n"
    assert shell.ok("plan", "-", "--prune", stdin=json.dumps(shell.json("export-config"))).stdout.startswith("Nothing")


def test_what_was_done_and_what_not_is_told_with_the_error_s_exit_code(shell: Shell, sentry: Simulation) -> None:
    text = f"accounts: [{{name: acme, url: '{sentry.url}', token: {{env: OLD}}}}]\n{SHOP}"
    told = shell.with_env(OLD=EXPIRED_TOKEN)("apply", "-", "--yes", stdin=text)
    assert told.exit_code == 10
    assert "account acme:\nerror token.rejected" in told.stderr
    assert "Not done: DataSet Shop." in told.stderr
    assert EXPIRED_TOKEN not in told.output
    found = json.loads(shell.with_env(OLD=EXPIRED_TOKEN)("apply", "-", "--yes", "--json", stdin=text).stdout)
    assert [(one["state"], one["error"] and one["error"]["name"]) for one in found["steps"]] == [
        ("failed", "token.rejected"),
        ("not done", None),
    ]


def test_several_mistakes_are_listed_with_their_places(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("datasets:\n  - name: a\n  - report: projects\n    nmae: b\n")
    told = shell("plan", str(path))
    assert told.exit_code == 2
    assert told.stderr.splitlines()[0] == "error usage.config: 3 things are wrong."
    assert f"  {path}:4:5: there is no field 'nmae': did you mean `name`?" in told.stderr
    assert len(json.loads(shell("plan", str(path), "--json").stdout)["error"]["problems"]) == 3


def test_the_secret_of_a_new_webhook_is_told_once(shell: Shell) -> None:
    text = "notices: [{name: hook, address: {env: HOOK}}]"
    there = shell.with_env(HOOK="https://hooks.example.com/canary")
    told = there.ok("apply", "-", "--yes", stdin=text)
    assert "whsec_" in told.stderr
    assert "canary" not in told.output
    assert "Nothing to do" in there.ok("apply", "-", "--yes", stdin=text).stdout
    assert "canary" not in shell.ok("export-config").stdout
    assert "whsec_" not in shell.ok("export-config").stdout


def test_an_empty_export_says_so_and_the_schema_is_printed(shell: Shell) -> None:
    nothing = shell.ok("export-config")
    assert nothing.stdout == ""
    assert "There is nothing yet" in nothing.stderr
    assert shell.ok("plan", "-", stdin="").stdout == "Nothing to do: 0 unchanged.\n"
    assert json.loads(shell.ok("export-config", "--schema").stdout)["title"] == "Sentry Connector configuration"


def test_an_account_is_left_for_the_environment_s_token(shell: Shell) -> None:
    shell.ok("accounts", "add", "acme")
    shell.ok("datasets", "create", *OPTIONS, "--account", "acme")
    assert yaml.safe_load(shell.ok("export-config").stdout)["datasets"][0]["account"] == "acme"
    told = shell("datasets", "edit", "shop", "--no-account", "--account", "acme")
    assert told.exit_code == 2
    assert shell.json("datasets", "edit", "shop", "--no-account")["account"] is None


TOKEN_IN = (
    "accounts: [{{name: Main, token: {0}}}]",
    "accounts: [{{name: Main, token: {{{0}: }}}}]",
    "accounts: [{{name: Main, token: {{env: {0}}}}}]",
    "accounts: [{{name: Main, token: {{file: {0}}}}}]",
    "accounts: [{{name: Main, {0}: x}}]",
    "accounts: [{{name: Main, url: 'https://{0}@sentry.io', token: {{env: CANARY}}}}]",
    "notices: [{{name: hook, address: {0}}}]",
    "{0}",
    "accounts: [*{0}",
)
"""Files in which a token stands where it should not."""


@pytest.mark.parametrize("as_json", [(), ("--json",)], ids=["words", "JSON"])
def test_a_token_is_repeated_nowhere_and_referred_to_everywhere(
    shell: Shell, sentry: Simulation, tmp_path: Path, as_json: tuple[str, ...]
) -> None:
    canary = shell.without("SENTRY_AUTH_TOKEN").with_env(CANARY=CANARY)
    account = f"accounts: [{{name: Main, url: '{sentry.url}', token: {{env: CANARY}}}}]"
    told = [canary("plan", "-", *as_json, stdin=text.format(CANARY)) for text in TOKEN_IN]
    assert {one.exit_code for one in told} == {2}
    told += [canary("apply", "-", "--yes", *as_json, stdin=account) for _ in range(2)]
    told += [canary("apply", "-", "--yes", *as_json, stdin=account.replace("127.0.0.1", "localhost"))]
    told += [canary("export-config", *as_json), canary("plan", "-", "--prune", *as_json, stdin="accounts: []")]
    assert {one.exit_code for one in told[-5:]} == {0}
    assert [one.output for one in told if CANARIES.found_in(one.output.encode())] == []
    assert CANARIES.found_in_files(tmp_path) == []
