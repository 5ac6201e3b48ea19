"""What is shipped to run the connector with: hardened, with commands, settings, figures and files that there are."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
import typer
import yaml
from tools import docs

from sentry_connector.cli.root import app
from sentry_connector.settings import SETTINGS
from tests.cli.shell import Shell
from tests.cli.test_serve import serving

DEPLOY = docs.DOCS.parent / "deploy"
CONTAINERFILE = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "sentry-connector"}
BOARD: dict[str, Any] = json.loads((DEPLOY / "grafana.json").read_text(encoding="utf-8"))
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((DEPLOY / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
TAG = re.compile(r":[0-9][0-9.]*(-[a-z]+)*$")
"""Of an image: a version, and never `latest`."""


def instructions() -> list[tuple[str, str]]:
    """The lines of the container file, joined where they go on, as (instruction, rest)."""
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", CONTAINERFILE, flags=re.MULTILINE)).splitlines()
    return [(word, rest.strip()) for line in lines if line.strip() for word, _, rest in [line.partition(" ")]]


def last_stage() -> list[tuple[str, str]]:
    every = instructions()
    begins = max(number for number, (word, _) in enumerate(every) if word == "FROM")
    return every[begins:]


# ---- the container


def test_the_container_runs_as_nobody_in_particular() -> None:
    users = [rest for word, rest in last_stage() if word == "USER"]
    assert users == ["10001:10001"]
    begins = [word for word, _ in last_stage()].index("USER")
    assert not [word for word, _ in last_stage()[begins:] if word in {"RUN", "COPY", "ADD"}]


def test_the_container_is_made_of_named_versions_and_the_lock_file() -> None:
    images = [rest.split(" AS ")[0] for word, rest in instructions() if word == "FROM"]
    assert all(TAG.search(image) for image in images)
    assert "--locked" in CONTAINERFILE
    assert not [
        rest for word, rest in instructions() if word == "ADD" or "| sh" in rest or "curl" in rest or "sudo" in rest
    ]


def test_the_container_holds_no_secret_and_its_extras_and_settings_are_there() -> None:
    project = tomllib.loads((docs.DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = re.findall(r"--extra (\S+)", CONTAINERFILE)
    assert extras
    assert set(extras) <= project["optional-dependencies"].keys()
    known = {setting.variable for setting in SETTINGS}
    named = set(re.findall(r"\b(SENTRY_\w+)=", CONTAINERFILE))
    assert named
    assert named <= known - {"SENTRY_AUTH_TOKEN", "SENTRY_CONNECTOR_KEY"}


def test_the_container_tells_whether_it_lives() -> None:
    [check] = [rest for word, rest in last_stage() if word == "HEALTHCHECK"]
    assert "http://127.0.0.1:8642/livez" in check
    assert ("ENTRYPOINT", '["sentry-connector"]') in last_stage()
    assert ("EXPOSE", "8642") in last_stage()


def test_the_container_is_built_from_what_it_needs_alone() -> None:
    taken = (docs.DOCS.parent / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert taken[0] == "*"
    copied = {
        one for word, rest in instructions() if word == "COPY" and "--from" not in rest for one in rest.split()[:-1]
    }
    assert copied == {line[1:] for line in taken if line.startswith("!")}


# ---- the composition


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    user, group = service["user"].split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "network_mode", "pid", "ipc", "devices", "ports"} & service.keys()
    assert "docker.sock" not in json.dumps(service)
    assert all(volume.split(":")[0] in COMPOSE["volumes"] for volume in service["volumes"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_limited_and_looked_after(name: str) -> None:
    service = SERVICES[name]
    assert {"mem_limit", "pids_limit", "cpus", "restart", "stop_grace_period"} <= service.keys()
    assert "healthcheck" in service or name in OURS  # theirs is in the image
    assert all("size=" in one for one in service["tmpfs"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_holds_no_secret(name: str) -> None:
    for variable, value in SERVICES[name]["environment"].items():
        if re.search("PASSWORD|KEY|TOKEN|SECRET", variable):
            assert re.fullmatch(r"\$\{[A-Z_]+:\?[^}]+\}", value), variable
        assert not re.search(r"://[^/]*:[^/]*@", value), variable


def test_images_are_of_named_versions() -> None:
    assert all(TAG.search(service["image"]) for name, service in SERVICES.items() if name not in OURS)


def test_the_database_has_no_way_out() -> None:
    assert SERVICES["database"]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}


@pytest.mark.parametrize("name", OURS)
def test_a_service_calls_a_command_with_options_that_there_are(name: str) -> None:
    words = [str(word) for word in OURS[name]["command"]]
    root: Any = typer.main.get_command(app)
    command = root.get_command(None, words[0])
    context = command.make_context(words[0], words[1:], resilient_parsing=True)
    assert not context.args
    known = {option for one in command.params for option in one.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_the_settings_of_the_services_are_settings() -> None:
    known = {setting.variable for setting in SETTINGS} | {"PGPASSWORD", "TMPDIR"}
    assert all(service["environment"].keys() <= known for service in OURS.values())


def test_server_and_workers_share_store_tables_and_key() -> None:
    server, worker = OURS["server"], OURS["worker"]
    assert (server["environment"], server["volumes"]) == (worker["environment"], worker["volumes"])
    assert worker["deploy"]["replicas"] == 2


def test_a_service_comes_to_rest_before_it_is_killed() -> None:
    assert all(int(service["stop_grace_period"].removesuffix("s")) > 10 for service in OURS.values())


# ---- figures


def expressions() -> Iterator[str]:
    for panel in BOARD["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (rule["expr"] for rule in RULES)


async def test_every_figure_of_the_board_and_the_alarms_is_one_that_a_server_tells(shell: Shell) -> None:
    shell.ok("datasets", "create", "--name", "Shop", "--report", "projects")
    with serving(shell) as server:
        async with aiohttp.ClientSession(server.url) as http, http.get("/metrics") as answer:
            told = await answer.text()
    names = set(re.findall(r"^# TYPE (\S+)", told, re.MULTILINE)) | set(
        re.findall(r"^([a-z_]+)[ {]", told, re.MULTILINE)
    )
    wanted = {name for one in expressions() for name in re.findall(r"\bsentry_connector_\w+", one)}
    assert len(wanted) > 15
    assert wanted <= names
    for one in expressions():
        for name, label, value in re.findall(r'(\w+)\{(\w+)="([^"]+)"\}', one):
            assert re.search(rf'^{name}\{{[^}}]*\b{label}="{value}"', told, re.MULTILINE), one
        for label in re.findall(r"\bby \((\w+)\)", one):
            assert f'{label}="' in told, one
        assert one.count("(") == one.count(")")


def test_the_board_is_one_that_grafana_takes() -> None:
    assert {"title", "uid", "panels", "schemaVersion", "templating"} <= BOARD.keys()
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(ids)) == len(ids)
    assert all(panel["description"] and panel["title"] for panel in BOARD["panels"])
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in BOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_an_alarm_says_what_is_wrong_and_what_to_do() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert {"summary", "description"} <= rule["annotations"].keys()
        assert rule["labels"]["severity"] in {"warning", "critical"}
